# SPDX-License-Identifier: ISC
# Devices as they behave in the field: each enrols with an external_id, gets its
# identity, now and then a new one, and asks again when an answer doesn't come
# or says 502 or 503.  Everything that one of them was told is kept, so that a
# test can hold the database against it.
#
#	my $fleet = Pappus::Fleet->start($stack, $enrollment_token, clients => 4);
#	…
#	$fleet->stop;
#	$fleet->devices;	# what each was told
#	$fleet->statuses;	# {"/enroll" => {200 => 17, 502 => 1}, …}
package Pappus::Fleet;
use strict;
use warnings;

use Digest::SHA qw(sha256);
use IO::Handle;
use JSON::PP;
use MIME::Base64;
use Time::HiRes qw(sleep time);
use Pappus::Load;
use Pappus::Test qw(slurp wait_until);

# After these a device may ask again: 502 of a killed worker, 503 and 504 of one
# that could not do it, no answer at all.
my %ask_again = map { $_ => 1 } qw(502 503 504 lost);
# One that gets nothing else for so long gives up, which is a failure.
my $PATIENCE = 90;

# Options: clients => how many devices at a time, seed => for their choices,
# pause => seconds between a device's requests.
sub start
{
	my ($class, $stack, $token, %option) = @_;
	my $self = bless { stack => $stack, token => $token, clients => 4,
		seed => 1, pause => 0.01, base => $stack->tmp . '/fleet', %option,
	}, $class;
	for my $client (0 .. $self->{clients} - 1) {
		push @{$self->{pids}},
		    Pappus::Load::child(sub { $self->client($client) });
	}
	wait_until(20, sub { !grep { !-s "$self->{base}.$_" }
		0 .. $self->{clients} - 1 }) or die "the fleet doesn't start\n";
	return $self;
}

# Each client finishes the device it is at.
sub stop
{
	my ($self) = @_;
	open my $end, '>', "$self->{base}.stop" or die "fleet: $!";
	Pappus::Load::reap($_) for @{$self->{pids}};
	$self->read_client($_) for 0 .. $self->{clients} - 1;
	return $self;
}

# After stop, by device id: {external_id, tokens => [in the order they came],
# certificates => [{serial, spki_sha256}, …], identity => the identity request
# was answered once}.
sub devices { return $_[0]{devices} // {} }

# After stop: path => {status => number}.
sub statuses { return $_[0]{statuses} // {} }

# After stop: what was answered that should not be, as text.
sub strange { return @{$_[0]{strange} // []} }

sub read_client
{
	my ($self, $client) = @_;
	for (split /\n/, slurp("$self->{base}.$client")) {
		my ($what, @field) = split /\t/;
		if ($what eq 'status') {
			$self->{statuses}{$field[0]}{$field[1]}++;
		} elsif ($what eq 'enrolled') {
			my $device = $self->{devices}{$field[0]} //= {};
			$device->{external_id} = $field[1];
			push @{$device->{tokens}}, $field[2];
		} elsif ($what eq 'certificate') {
			push @{$self->{devices}{$field[0]}{certificates}},
			    { serial => $field[1], spki_sha256 => $field[2] };
		} else {
			push @{$self->{strange}}, join ' ', $what, @field;
		}
	}
}

# ------------------------------------------------------------------ a client

sub client
{
	my ($self, $number) = @_;
	open my $log, '>', "$self->{base}.$number" or die "fleet: $!";
	$log->autoflush(1);
	my $client = { %$self, log => $log, number => $number };
	bless $client, ref $self;
	local $SIG{PIPE} = 'IGNORE';
	srand $self->{seed} * 1000 + $number;
	for (my $n = 0; !-e "$self->{base}.stop"; $n++) {
		$client->device("$self->{seed}-$number-$n") or last;
	}
	Pappus::Load::disconnect($client->{connection}) if $client->{connection};
}

sub note_down
{
	my ($client, @field) = @_;
	print {$client->{log}} join("\t", @field), "\n";
}

# A device's life.  One in four has lost the answer that it got to /enroll.
sub device
{
	my ($client, $external_id) = @_;
	my $enrolled;
	for (1 .. (rand(4) < 1 ? 2 : 1)) {
		$enrolled = $client->persist('/enroll', Pappus::Load::enroll(
			$client->{token}, "external_id=$external_id")) or return 0;
		$client->note_down('enrolled', $enrolled->{device_id}, $external_id,
		    $enrolled->{device_token});
	}
	for (1 .. 1 + int rand 4) {
		my $identity = $client->persist('/identity',
		    Pappus::Load::identity($enrolled->{device_token})) or return 0;
		$client->check_identity($enrolled->{device_id}, $identity);
	}
	return 1;
}

# Asks until the answer is 200; its document.  Undef: anything else came.
sub persist
{
	my ($client, $path, $bytes) = @_;
	my $end = time + $PATIENCE;
	while (time < $end) {
		$client->{connection} //=
		    Pappus::Load::connect_tls($client->{stack}, 'device');
		my $answer = Pappus::Load::exchange($client->{connection}, $bytes);
		$client->note_down('status', $path, $answer->{status});
		if ($answer->{close}) {
			Pappus::Load::disconnect(delete $client->{connection});
		}
		sleep $client->{pause};
		return decode_json($answer->{body}) if $answer->{status} eq '200';
		if (!$ask_again{$answer->{status}}) {
			$client->note_down('refused', $path, $answer->{status},
			    $answer->{body} =~ s/\s+/ /gr);
			return undef;
		}
		# As Retry-After says, but soon: that is the harder case.
		sleep 0.05 + rand 0.3;
	}
	$client->note_down('unanswered', $path, 'gave up');
	return undef;
}

sub check_identity
{
	my ($client, $id, $identity) = @_;
	my ($serial, $spki) = eval {
		parts_of(pem($identity->{device_certificate_pem})) };
	if (!$spki || $identity->{device_id} ne $id
	    || index(pem($identity->{device_private_key_pem}), point($spki)) < 0) {
		$client->note_down('mismatch', $id,
		    'certificate, key and device are not of one another');
		return;
	}
	$client->note_down('certificate', $id, unpack('H*', $serial),
	    unpack('H*', sha256($spki)));
}

# -------------------------------------------------------------- certificates

sub pem
{
	my ($text) = @_;
	my ($base64) = $text =~ /^-----BEGIN [A-Z ]+-----\n(.*?)\n-----END/s;
	return decode_base64($base64);
}

# The elements of a DER value's content, each with its own header.
sub elements
{
	my ($der) = @_;
	my @elements;
	while (length $der) {
		my ($length, $header) = (ord substr($der, 1, 1), 2);
		if ($length & 0x80) {
			$header += $length & 0x7f;
			$length = hex unpack 'H*', substr $der, 2, $length & 0x7f;
		}
		push @elements, [$header, substr $der, 0, $header + $length, ""];
	}
	return @elements;
}

sub content { return substr $_[0][1], $_[0][0] }

# The serial's octets and the SubjectPublicKeyInfo (RFC 5280 4.1) of a
# certificate in DER.
sub parts_of
{
	my ($der) = @_;
	my ($certificate) = elements($der);
	my ($tbs) = elements(content($certificate));
	my @field = elements(content($tbs));
	return (content($field[1]), $field[6][1]);
}

# The public key's point: the last 65 octets of a P-256 SubjectPublicKeyInfo.
sub point { return substr $_[0], -65 }

1;
