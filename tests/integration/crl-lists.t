# SPDX-License-Identifier: ISC
# Lists of revoked certificates as pappus-crld writes them, before a DER
# checker of our own, OpenSSL, GnuTLS and Go: none, few and many entries, serials
# of all lengths, both curves, on both sides of 2050.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::Local qw(timegm_modern);
use Pappus::Ceremony;
use Pappus::DER qw(decode encode oid der_of_pem unix_time);
use Pappus::Others;
use Pappus::Test qw(slurp);

use constant DAY => 86400;

my $pki = Pappus::Ceremony->new;
my $y2050 = timegm_modern(0, 0, 0, 1, 0, 2050);
my $now = time;
my $url = 'http://pki.example/crl/%s.crl';
my $number = 1795450020123;

$pki->root('root');
$pki->root('root-384', '--curve', 'P-384');
$pki->sub_ca('root', 'device');
$pki->sub_ca('root-384', 'device-384', purpose => 'device');
$pki->run('', 'make', '-s', '-C', $pki->{build}, 'tests/integration/write_crl');

# A list of a CA, as a base of file names; entries are [serial, time, reason].
sub list
{
	my ($ca, $this, $next, @entries) = @_;
	my $base = $pki->path("list-$ca-" . $number++);
	my $file = $ca =~ /^root/ ? 'root' : 'ca';
	my $sha256 = $pki->run(join('', map { "@$_\n" } @entries),
		"$pki->{build}/tests/integration/write_crl",
		$pki->path("$ca/$file.crt"), $pki->path("$ca/$file.key"),
		sprintf($url, $ca), $number, $this, $next, $base);
	is($sha256, sha256_hex(slurp("$base.der")) . "\n", 'the digest is told');
	return $base;
}

# The n-th of many.
sub some_entry
{
	my ($n) = @_;
	my @reasons = (0 .. 6, 9, 10);
	return [sprintf('0193%010x%04x', $n * 7919, $n) . 'a5' x ($n % 12),
		$now - $n * 3571, $reasons[$n % @reasons]];
}

# ------------------------------------------------------------- our own reader

# {number, this, next, url, entries => [[serial, time, reason]…]}; dies of
# what is not DER or not as RFC 5280 §5 wants it.
sub read_list
{
	my ($der) = @_;
	my $list = decode($der);
	die "not written as DER\n" if encode($list) ne $der;
	my ($tbs, $algorithm) = @{$list->{kids}};
	my ($version, $inner, undef, $this, $next, @rest) = @{$tbs->{kids}};
	die "not version 2\n" if $version->{bytes} ne "\1";
	die "two algorithms\n" if encode($inner) ne encode($algorithm);
	my %found = (this => unix_time($this), next => unix_time($next),
		entries => [], algorithm => oid($algorithm->{kids}[0]{bytes}));
	if ($rest[0]{tag} == 0x30) {
		my $entries = shift @rest;
		die "an empty list of entries\n" if !@{$entries->{kids}};
		$found{entries} = [map { read_entry($_) } @{$entries->{kids}}];
	}
	die "no extensions, or more\n" if @rest != 1 || $rest[0]{tag} != 0xa0;
	for my $extension (@{$rest[0]{kids}[0]{kids}}) {
		my ($oid, @value) = @{$extension->{kids}};
		$found{oid($oid->{bytes})} = { critical => @value == 2,
			value => decode($value[-1]{bytes}) };
	}
	return \%found;
}

sub read_entry
{
	my ($serial, $time, @extensions) = @{$_[0]{kids}};
	my $reason = 0;
	if (@extensions) {
		my ($oid, $value) = @{$extensions[0]{kids}[0]{kids}};
		die "not a reason alone\n" if @extensions > 1
		    || @{$extensions[0]{kids}} > 1 || oid($oid->{bytes}) ne '2.5.29.21';
		$reason = unpack 'C', decode($value->{bytes})->{bytes};
		die "the reason 0 is written\n" if $reason == 0;
	}
	die "a time of the wrong type\n"
	    if ($time->{tag} == 0x18) != (unix_time($time) >= $y2050);
	return [unpack('H*', $serial->{bytes}), unix_time($time), $reason];
}

# Each entry is there, in the order of serials.
sub holds
{
	my ($name, $base, $ca, @entries) = @_;
	my $list = eval { read_list(slurp("$base.der")) };
	is($@, '', "$name: is DER and follows RFC 5280");
	my $number_of = sub { return $_[0][0] =~ s/^(?:00)+//r };
	my @sorted = map { my ($serial) = $number_of->($_);
		[hex(substr $serial, 0, 1) > 7 ? "00$serial" : $serial, @$_[1, 2]] }
	    sort { my ($x, $y) = map { $number_of->($_) } $a, $b;
		length $x <=> length $y || $x cmp $y } @entries;
	is_deeply($list->{entries}, \@sorted, "$name: its entries");
	is($list->{'2.5.29.28'}{value}{kids}[0]{kids}[0]{kids}[0]{bytes},
		sprintf($url, $ca), "$name: its address");
	ok($list->{'2.5.29.28'}{critical}, "$name: the address is critical");
	is(unpack('H*', $list->{'2.5.29.20'}{value}{bytes}), sprintf('%012x',
		$number), "$name: its number");
	return $list;
}

# ---------------------------------------------------------------------- lists

my %many = (none => [], one => [some_entry(1)],
	'a few thousand' => [map { some_entry($_) } 1 .. 3000]);

for my $ca (qw(root root-384 device)) {
	subtest "lists of $ca" => sub {
		for my $name (sort keys %many) {
			my @entries = @{$many{$name}};
			my $base = list($ca, $now - 60, $now + 7 * DAY, @entries);
			my $list = holds($name, $base, $ca, @entries);
			is($list->{algorithm}, $ca =~ /384/ ? '1.2.840.10045.4.3.3'
				: '1.2.840.10045.4.3.2', "$name: its algorithm");
			is($list->{this}, $now - 60, "$name: thisUpdate");
			is($list->{next}, $now + 7 * DAY, "$name: nextUpdate");
			my ($der) = der_of_pem(slurp("$base.pem"), 'X509 CRL');
			ok($der eq slurp("$base.der"), "$name: the same as PEM");
			is($pki->run('', 'openssl', 'crl', '-inform', 'DER', '-in',
				"$base.der"), slurp("$base.pem"), "$name: OpenSSL's PEM");
		}
	};
}

subtest 'serials of 1 to 20 octets' => sub {
	my @entries = map { my $len = $_; map { [$_ . 'c3' x ($len - 1), $now, 4] }
		'01', '7f', $len < 20 ? ('80', 'ff') : () } 1 .. 20;
	my $base = list('root', $now - 60, $now + DAY, @entries);
	holds('all lengths', $base, 'root', @entries);
};

subtest 'on both sides of 2050' => sub {
	my @entries = map { [sprintf('01%04x', $_ + 8), $y2050 + $_, 1] } -2 .. 2;
	for my $this ($y2050 - 3 .. $y2050 + 1) {
		my $base = list('root', $this, $this + 2, @entries);
		my $list = holds('at ' . ($this - $y2050), $base, 'root', @entries);
		is($list->{this}, $this, 'thisUpdate');
		is($list->{next}, $this + 2, 'nextUpdate');
	}
};

subtest 'a serial twice' => sub {
	eval { list('root', $now, $now + DAY, ['0102', $now, 0], ['0102', $now, 4]) };
	like($@, qr/a serial is revoked twice/, 'no list');
};

# --------------------------------------------------------------- before others

my ($device, $other) = $pki->devices('device', ([$now - 60, $now + 300 * DAY]) x 2);
Pappus::Test::spew($pki->path('device.pem'), $device->{certificate});

# What OpenSSL says of the device, with a list of its sub-CA.
sub openssl_of_device
{
	my (@entries) = @_;
	my $base = list('device', $now - 60, $now + DAY, @entries);
	my ($status, $out, $err) = Pappus::Test::run_command('', 'openssl',
		'verify', '-x509_strict', '-crl_check', '-CAfile',
		$pki->path('root/root.crt'), '-untrusted',
		$pki->path('device/ca.crt'), '-CRLfile', "$base.pem",
		$pki->path('device.pem'));
	return $status == 0 ? '' : "$out$err";
}

subtest 'OpenSSL, in use' => sub {
	my @rest = map { some_entry($_) } 1 .. 2000;
	is(openssl_of_device(), '', 'an empty list');
	is(openssl_of_device(@rest, [$other->{serial}, $now, 1]), '', 'others');
	like(openssl_of_device(@rest, [$device->{serial}, $now, $_]),
		qr/certificate revoked/, "revoked for reason $_") for 0 .. 6, 9, 10;
	for my $ca (qw(root root-384)) {
		my $base = list($ca, $now - 60, $now + DAY, @rest);
		my ($status, undef, $err) = Pappus::Test::run_command('', 'openssl',
			'crl', '-verify', '-noout', '-inform', 'DER', '-in', "$base.der",
			'-CAfile', $pki->path("$ca/root.crt"));
		like($err, qr/^verify OK$/m, "$ca: openssl crl -verify");
		($status, undef, $err) = Pappus::Test::run_command('', 'openssl',
			'crl', '-verify', '-noout', '-inform', 'DER', '-in', "$base.der",
			'-CAfile', $pki->path(($ca eq 'root' ? 'root-384' : 'root')
			. '/root.crt'));
		unlike($err, qr/^verify OK$/m, "$ca: not by another CA");
	}
};

for my $name (qw(OpenSSL GnuTLS Go)) {
	subtest $name => sub {
		my $verifier = Pappus::Others->new($name);
		plan skip_all => $verifier->missing if $verifier->missing;
		for (['root', 'device'], ['root-384', 'device-384']) {
			my ($ca, $sub) = @$_;
			my %cert = (root => $pki->path("$ca/root.crt"),
				chain => $pki->path("$sub/ca.crt"));
			for my $size (sort keys %many) {
				my $base = list($ca, $now - 60, $now + DAY, @{$many{$size}});
				is($verifier->crl("$base.pem", \%cert, $now), '',
					"$ca, $size: accepted");
			}
			my $base = list($ca, $y2050 - DAY, $y2050 + DAY,
				['0102', $y2050 - 1, 4], ['0103', $y2050, 4]);
			is($verifier->crl("$base.pem", \%cert, $y2050 + 1), '',
				"$ca, in 2050: accepted");
			isnt($verifier->crl("$base.pem", \%cert, $y2050 + 2 * DAY), '',
				"$ca, after nextUpdate: refused");
		}
	};
}

done_testing;
