# SPDX-License-Identifier: ISC
# A feed's folder with what a test wants, made by tests/integration/make_feed
# (whose lines these are), and what stands in one that others made.
#
#	my $feed = Pappus::Feed->new($folder);
#	$feed->issuer('device', $crl_url, $certificate_file);
#	$feed->base(device => 'dev_…', serial => '01ab…');
#	$feed->write;
#	$feed->delta('+device' => 'dev_…', '-serial' => '01ab…');
#	$feed->write;	# one sequence on, on the same base
package Pappus::Feed;
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Pappus::Test qw(slurp);
use Time::HiRes qw(time);

my ($made, $crl_made);

# A sub-CA's CRL in a file, by tests/integration/make_crl (whose lines these
# are): make_crl(CA's folder, number, file, [SERIAL, REASON, SECONDS]…,
# 'generate 1000', 'url http://…').
sub make_crl
{
	my ($ca, $number, $file, @lines) = @_;
	my $build = $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n";
	run('', 'make', '-s', '-C', $build, 'tests/integration/make_crl')
	    if !$crl_made++;
	run(join("\n", (map { ref ? "@$_" : $_ } @lines), ''),
		"$build/tests/integration/make_crl", $ca, $number, $file);
	return $file;
}

sub new
{
	my ($class, $dir) = @_;
	my $build = $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n";
	run('', 'make', '-s', '-C', $build, 'tests/integration/make_feed')
	    if !$made++;
	-d $dir or mkdir $dir or die "$dir: $!";
	return bless { dir => $dir, build => $build, issuers => [], base => [],
		delta => [], crls => [], from => 1, to => 0 }, $class;
}

sub run
{
	my ($status, $out, $err) = Pappus::Test::run_command(@_);
	die "@_[1 .. $#_]: $out$err" if $status != 0;
	return $out;
}

sub dir { return $_[0]{dir} }

# A CA; closed => 1: one that needs no other CRL.  Its URL may be '-'.
sub issuer
{
	my ($self, $purpose, $url, $file, %option) = @_;
	push @{$self->{issuers}}, join ' ', $option{closed} ? 'closed' : 'issuer',
	    $purpose, $url, $file;
}

# From now on without a CA, known by its certificate's file.
sub drop_issuer
{
	my ($self, $file) = @_;
	@{$self->{issuers}} = grep { !/ \Q$file\E\z/ } @{$self->{issuers}};
}

# What stands in the base from now on: device => ID, serial => HEX,
# generate => N.
sub base { my $self = shift; add($self->{base}, @_) }

# ... in the delta: '+device', '-device', '+serial', '-serial', '+generate'.
sub delta { my $self = shift; add($self->{delta}, @_) }

# An empty delta, or an empty base with one.
sub clear_delta { $_[0]{delta} = [] }
sub clear { @{$_[0]}{qw(base delta)} = ([], []) }

sub add
{
	my ($to, @pairs) = @_;
	while (my ($verb, $what) = splice @pairs, 0, 2) {
		push @$to, "$verb $what";
	}
}

# CRLs that are named: crls => file (PEM) or crl => [NUMBER, CRL file (DER),
# certificate file].  None: no more.
sub crls
{
	my ($self, @pairs) = @_;
	$self->{crls} = [];
	while (my ($verb, $what) = splice @pairs, 0, 2) {
		push @{$self->{crls}}, join ' ', $verb,
		    ref $what ? @$what : $what;
	}
}

# Write all of it, one sequence on; the same base is the same file.
# base_sequence, sequence (both are kept for the next) and time (milliseconds)
# say it otherwise; lines => [more lines].
sub write
{
	my ($self, %option) = @_;
	$self->{from} = $option{base_sequence} // $self->{from};
	$self->{to} = $option{sequence} // $self->{to} + 1;
	$self->{to} = $self->{from} if $self->{to} < $self->{from};
	my $time = $option{time} // int(time * 1000);
	my $base = join "\n", $self->{from}, @{$self->{issuers}}, @{$self->{base}};
	@$self{qw(written base_time)} = ($base, $time)
	    if ($self->{written} // '') ne $base;
	my @lines = ("sequence $self->{from} $self->{to}",
		"time $self->{base_time} $time",
		@{$self->{issuers}}, @{$self->{base}}, @{$self->{delta}},
		@{$self->{crls}}, @{$option{lines} // []});
	run(join("\n", @lines, ''), "$self->{build}/tests/integration/make_feed",
		$self->{dir});
	return $self->{to};
}

# --------------------------------------------------------------- reading

# What a folder's state says: {sequence, time, base, delta, crls (names),
# crl => {SKI => [number, name]}}; also as Pappus::Feed::state(FOLDER).
sub state
{
	my ($self) = @_;
	my $dir = ref $self ? $self->{dir} : $self;
	my $text = slurp("$dir/state");
	my ($sequence, $time, $base, $delta, $crls, $crl) = $text =~ /\A
	    pappus-feed\ 1\nsequence\ (\d+)\ntime\ (\d+)\n
	    deny-base\ ([0-9a-f]{64})\ndeny-delta\ ([0-9a-f]{64})\n
	    (?:crls\ ([0-9a-f]{64})\n)?
	    ((?:crl\ [0-9a-f]{40}\ \d+\ [0-9a-f]{64}\n)*)end\n\z/x
	    or die "a state of another form:\n$text";
	return { sequence => $sequence, time => $time, base => $base,
		delta => $delta, crls => $crls, crl => {
			map { $_->[0] => [@$_[1, 2]] }
			map { [(split)[1 .. 3]] } split /\n/, $crl } };
}

# What a deny-list's bytes say: {from, to, time, devices, serials (hex, of 40
# digits), no_devices, no_serials (removed), issuers => [{purpose, closed, url,
# certificate}]}.
sub parse
{
	my ($bytes) = @_;
	my $magic = "PAPPUSDL\1\0\0\0";
	$bytes =~ /\A\Q$magic\E.*\Q$magic\E\z/s or die "no deny-list\n";
	my ($from, $to, $time, @count) = unpack 'Q<8', substr $bytes, -76;
	my $issuers_len = pop @count;
	my $at = 12;
	my @lists = map {
		my ($item, $n) = ($_ < 2 ? 26 : 20, $count[$_]);
		my @list = map { substr $bytes, $at + $_ * $item, $item } 0 .. $n - 1;
		$at += $item * $n;
		\@list;
	} 0 .. 3;
	die "a deny-list of another length\n"
	    if $at + $issuers_len + 76 != length $bytes;
	return { from => $from, to => $to, time => $time,
		devices => [map { "dev_$_" } @{$lists[0]}],
		no_devices => [map { "dev_$_" } @{$lists[1]}],
		serials => [map { unpack 'H*', $_ } @{$lists[2]}],
		no_serials => [map { unpack 'H*', $_ } @{$lists[3]}],
		issuers => [parse_issuers(substr $bytes, $at, $issuers_len)] };
}

sub parse_issuers
{
	my ($bytes) = @_;
	my @issuers;
	while ($bytes ne '') {
		my ($purpose, $closed, $url, $certificate) = unpack 'CCvv', $bytes;
		push @issuers, { purpose => (qw(root device server service))[$purpose],
			closed => $closed, url => substr($bytes, 6, $url),
			certificate => substr($bytes, 6 + $url, $certificate) };
		substr $bytes, 0, 6 + $url + $certificate, '';
	}
	return @issuers;
}

# All that a folder shuts out: {sequence, devices => {ID => 1}, serials => {HEX
# of 40 digits => 1}, issuers}; dies when a file is not what its name says.
sub read
{
	my ($self) = @_;
	my $dir = ref $self ? $self->{dir} : $self;
	my $state = Pappus::Feed::state($dir);
	my ($base, $delta) = map {
		my $bytes = slurp("$dir/$state->{$_}");
		die "$_ has another digest\n" if sha256_hex($bytes) ne $state->{$_};
		parse($bytes);
	} qw(base delta);
	die "the delta is not of its base\n" if $delta->{from} != $base->{to};
	my %all = (%$state, issuers => $delta->{issuers});
	for my $what (qw(devices serials)) {
		my %set = map { $_ => 1 } @{$base->{$what}};
		delete @set{@{$delta->{"no_$what"}}};
		@set{@{$delta->{$what}}} = (1) x @{$delta->{$what}};
		$all{$what} = \%set;
	}
	return \%all;
}

1;
