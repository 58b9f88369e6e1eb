#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# The measurements run and print their tables, at the smallest size: so that
# they can't rot.  What they say of this machine is not looked at.
use v5.36;
use Test::More;

my $build = $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n";
my $number = qr/\d+(?:\.\d+)?/;

sub runs ($name, @arguments) {
	open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh',
	    "bench/$name", @arguments or die "bench/$name: $!";
	my $out = do { local $/; <$pipe> };
	close $pipe;
	is($?, 0, "bench/$name @arguments ends well") or diag($out);
	return $out;
}

for my $name (qw(onboard identity enroll peers revoke crl)) {
	like(runs($name, '--help'), qr{^usage: bench/$name }, "$name --help");
	is(system("bench/$name --nonsense >/dev/null 2>&1") >> 8, 2,
	    "$name takes no unknown option");
}

my @quick = ('--builddir', $build, '--quick');
my $out = runs('revoke', @quick);
for my $until ('a reconnect is refused', 'the session is dropped') {
	for my $connected ('9 to 5', '44 to 40') {
		like($out, qr/^\Q$until\E +\Q$connected\E +4( +-?\d+){5}$/m,
		    "revoke: $until, $connected connected");
	}
}
like($out, qr/^devices wrongly dropped: 0$/m, 'revoke: nobody else falls');
like($out, qr/^published → pappus-brokerd has fetched it +8 /m,
    'revoke: the links of the chain');

if (system('command -v wrk >/dev/null') != 0) {
	diag('not measured: apt-get install wrk');
	done_testing;
	exit;
}

$out = runs('onboard', @quick);
my $figures = qr/[1-9]\d* +$number +$number/;
like($out, qr/^8 +$figures +$figures +\d+ +0 /m,
    "onboard: devices and handshakes, no failure");
like($out, qr/^resumed handshakes: 0$/m, 'onboard: full handshakes');
like($out, qr/^identity: at most $number MB/m, 'onboard: memory');

for my $name (qw(identity enroll)) {
	$out = runs($name, @quick);
	for my $what ('keep_conn off (shipped), kept', 'keep_conn on, kept',
	    'keep_conn off (shipped), new', 'keep_conn on, new') {
		like($out, qr/^\Q$what\E connections +8 +$figures +0 /m,
		    "$name: $what");
	}
	for my $limit ('a constant answer, keep_conn on',
	    '/identity, no database, keep_conn off', 'single-row commits',
	    'TLS handshakes') {
		like($out, qr/^limit: \Q$limit\E +8 +[1-9]/m, "$name: $limit");
	}
	like($out, qr/^errors by kind: none$/m, "$name: no errors");
}

$out = runs('crl', @quick);
like($out, qr/^\Q$_\E +1000(?: +$number){8}$/m, "crl: $_")
    for 'Pappus', "OpenSSL's functions";
like($out, qr/^1000(?: +$number){5}$/m, 'crl: from the start of pappus-crld');
like($out, qr/^1000 +1(?: +$number){8}$/m, 'crl: one more revocation');

# The peers themselves are built and installed by hand.
$out = runs('peers', @quick, '--only', 'cfssl');
like($out, qr/^Pappus, $_, kept connections +8 +$figures +0 /m,
    "peers: Pappus, $_") for 'as shipped', 'keep_conn on';
like($out, qr/^cfssl, PostgreSQL, new connections +8 +[1-9]|^cfssl is left out: apt-get/m,
    'peers: cfssl, or what is missing for it');

done_testing;
