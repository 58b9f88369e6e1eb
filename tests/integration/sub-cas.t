# SPDX-License-Identifier: ISC
# Sub-CAs beside a running stack: one for services, whose certificates are
# recorded; one whose key opens with a systemd credential; and one that comes
# too near its end, which issues nothing and records nothing.
use strict;
use warnings;
use File::stat;
use Test::More;
use Pappus::Ceremony;
use Pappus::Check qw(is_problem);
use Pappus::DER qw(der_of_pem unix_time);
use Pappus::Profile qw(fields);
use Pappus::Test qw(slurp spew wait_until);

# One worker: two would notice things at two times.
my $stack = Pappus::Test->start(workers => 1);
my $dir = $stack->dir;
my $pki = Pappus::Ceremony->new;
symlink "$dir/root", $pki->path('root') or die "symlink: $!";
my $token = $stack->enrollment_token($stack->project);

# (status, all that it said) of pappus as setup.
sub pappus
{
	my (@args) = @_;
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	my ($status, $out, $err) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/pappus", @args);
	return ($status, "$out$err");
}

sub register
{
	my ($status, $said) = pappus('issuer', 'register', '--dir',
	    $pki->path($_[0]));
	is($status, 0, "$_[0] is registered") or diag($said);
	return $said =~ /issuer (\d+)/ ? $1 : undef;
}

# Give identity a key as an operator would: complete, and its own.
sub give_key
{
	my ($name) = @_;
	my $keys = $stack->run . '/identity/keys';
	my $owner = stat $keys;
	spew("$keys/.new", $pki->pem("$name/ca.key"));
	chown $owner->uid, $owner->gid, "$keys/.new" or die "chown: $!";
	rename "$keys/.new", "$keys/$name.key" or die "rename: $!";
}

sub device_token { return $stack->enroll($token)->{json}{device_token} }

# The sub-CA's folder whose certificate an answer's chain begins with.
sub signed_by
{
	my ($answer) = @_;
	my ($der) = der_of_pem($answer->{json}{ca_chain_pem} // '', 'CERTIFICATE');
	return '' if !defined $der;
	return fields($der)->{cn};
}

subtest 'services' => sub {
	$pki->sub_ca('root', 'service');
	$pki->ca('service', '--dir', $pki->path('service'), '--out',
		$pki->path('reader'));
	my $file = $pki->path('reader.crt');
	my ($status, $said) = pappus('certificate', 'record', $file);
	isnt($status, 0, 'not recorded while its sub-CA is unknown');
	like($said, qr/its issuer is not registered/, 'which is said');

	my $issuer = register('service');
	is($stack->psql('postgres', 'SELECT purpose FROM pappus.issuers'
		. " WHERE issuer_id = $issuer"), 'service', 'as one for services');
	my $f = fields($pki->der('reader.crt'));
	for my $time ('at first', 'again') {
		($status, $said) = pappus('certificate', 'record', $file);
		is($status, 0, "recorded $time") or diag($said);
	}
	is($stack->psql('postgres', 'SELECT subject, profile, issuer_id,'
		. ' extract(epoch FROM not_after)::bigint FROM pappus.certificates'
		. " WHERE serial = '\\x" . unpack('H*', $f->{serial}{bytes}) . "'"),
	    join('|', $f->{cn}, 'service', $issuer, unix_time($f->{not_after})),
	    'one row, with what the certificate says');

	my $device = $stack->device($token);
	($status, $said) = pappus('certificate', 'record', $device->{certificate});
	isnt($status, 0, 'a device\'s is not recorded this way');
	like($said, qr/is for device, not for servers or services/, 'which is said');
};

subtest 'a key that opens with a credential' => sub {
	my $credentials = $stack->tmp . '/credentials';
	mkdir $credentials, 0711 or die "mkdir: $!";
	my $pass = "$credentials/ca-passphrase";
	spew($pass, "correct horse battery\n");
	Pappus::Test::secret('correct horse battery', 'passphrase');
	$pki->sub_ca('root', 'sealed', purpose => 'device', pass => $pass);
	like($pki->pem('sealed/ca.key'), qr/BEGIN ENCRYPTED/, 'is sealed');
	# systemd gives it to the service's user, or lets it in by an ACL.
	my $owner = stat $stack->run . '/identity/keys';
	chown $owner->uid, $owner->gid, $pass or die "chown: $!";
	chmod 0400, $pass;

	register('sealed');
	give_key('sealed');
	open my $env, '>>', "$dir/env" or die "$dir/env: $!";
	print $env "PAPPUS_CA_PASSPHRASE_FILE=ca-passphrase\n",
	    "CREDENTIALS_DIRECTORY=$credentials\n";
	close $env or die "$dir/env: $!";
	$stack->stack('restart', 'identity');
	is(signed_by($stack->identity(device_token())), 'Sub-CA sealed',
	    'it signs, as the newest does');
};

# Its 35 years began seven years ago, so a leaf of 30 would outlive it.
subtest 'a sub-CA too near its end' => sub {
	plan skip_all => 'faketime is not here (apt-get install faketime)'
	    if system('command -v faketime >/dev/null') != 0;
	my ($year) = (gmtime)[5];
	$pki->sub_ca('root', 'old', purpose => 'device',
		at => sprintf '%04d-01-01 00:00:00', $year + 1900 - 7);
	my $end = unix_time(fields($pki->der('old/ca.crt'))->{not_after});
	cmp_ok($end, '<', time + 29 * 365 * 86400, 'ends in less than 29 years');
	my $issuer = register('old');
	give_key('old');
	my $issued = 'SELECT (SELECT count(*) FROM pappus.certificates),'
	    . ' (SELECT count(*) FROM pappus.revocations)';
	my $mine = "SELECT count(*) FROM pappus.certificates WHERE issuer_id = $issuer";

	# A new device each time: one may not ask so often.
	my ($device, $answer);
	ok(wait_until(30, sub {
		$device = device_token();
		$answer = $stack->identity($device);
		return $answer->{status} != 200;
	}), 'identity notices it without a restart');
	is_problem('no certificate', $answer, 503, 'unavailable');
	my $before = $stack->psql('postgres', $issued);
	is_problem('not then either', $stack->identity($device), 503, 'unavailable');
	my $fresh = device_token();
	is_problem('nor a new device', $stack->identity($fresh), 503, 'unavailable');
	is($stack->psql('postgres', $issued), $before,
	    'nothing was recorded, and nothing superseded');
	is($stack->psql('postgres', $mine), '0', 'nor ever under that sub-CA');
	like($stack->log('identity'), qr/event=no-issuer .*would outlive the sub-CA/,
	    'the log says why');
	my ($line) = (grep { / event=issuer / && / issuer=$issuer\b/ }
	    split /\n/, $stack->log('identity'))[-1] // '';
	my ($shown) = grep { $_->{issuer_id} == $issuer }
	    @{$stack->admin('GET', '/issuers')->{json}{items}};
	like($line, qr/level=warn .*days_left=$shown->{days_left} /,
	    'and has warned of it');
	like($line, qr/ full_length_days_left=0$/, 'no day is left in the log');
	is($shown->{full_length_days_left}, 0, 'nor in the API');

	my $admin = $stack->admin('PATCH', "/issuers/$issuer",
		document => { state => 'crl-only' });
	is($admin->{status}, 200, 'an operator takes it out of use');
	ok(wait_until(30, sub {
		$answer = $stack->identity($fresh);
		return $answer->{status} == 200;
	}), 'and the one before it issues again');
	is(signed_by($answer), 'Sub-CA sealed', 'with its own chain');
	is($stack->psql('postgres', $mine), '0', 'nothing under the other');
};

done_testing;
