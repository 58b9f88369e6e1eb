# SPDX-License-Identifier: ISC
# docs/backup.md from end to end: a dump is taken, issuing and denying go on,
# the database is lost, the old one is restored, and pappus recover tells it
# what it has forgotten before anything signs again.
use strict;
use warnings;
use Test::More;
use Pappus::Check qw(is_problem serial_of);
use Pappus::Test qw(slurp spew);

my $stack = Pappus::Test->start;
my ($tmp, $dir) = ($stack->tmp, $stack->dir);
my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my @programs = qw(enroll identity admin);
my $source = $INC{'Pappus/Test.pm'} =~ s{tests/lib/Pappus/Test\.pm\z}{}r;

sub command
{
	my ($program, @args) = @_;
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	return Pappus::Test::run_command('', "$ENV{PAPPUS_BUILDDIR}/$program",
	    @args);
}

# As the cluster's superuser, by socket.
sub postgres
{
	my ($program, @args) = @_;
	my ($status, $out, $err) = Pappus::Test::run_command('', $program, '-h',
	    $stack->run . '/pg', '-U', 'postgres', @args);
	die "$program: $err" if $status != 0;
	return $out;
}

# A device sub-CA with a trust domain: its certificates name the project.
sub sub_ca_with_trust_domain
{
	my $ca = "$tmp/fleet";
	mkdir $ca, 0700;
	for (['pappus-ca', 'request', '--dir', $ca, '--name', 'fleet', '--org', 'x'],
		['pappus-ca', 'sign', '--dir', "$dir/root", '--request',
		"$ca/ca.csr", '--purpose', 'device', '--out', "$ca.crt"],
		['pappus-ca', 'install', '--dir', $ca, '--cert', "$ca.crt",
		'--root', "$dir/root/root.crt", '--crl-url',
		'http://x.example/fleet.crl', '--ca-url',
		'http://x.example/fleet.cer', '--trust-domain', 'fleet.example'],
		['pappus', 'issuer', 'register', '--dir', $ca]) {
		my ($status, undef, $err) = command(@$_);
		die $err if $status != 0;
	}
	spew("$dir/ca/device/fleet.key", slurp("$ca/ca.key"));
	$stack->stack('restart', 'identity');
}

# Enrolled and with an identity; its PEM and serials, newest last.
sub device
{
	my (%form) = @_;
	my $enrolled = $stack->enroll($token, %form)->{json};
	my $device = { id => $enrolled->{device_id},
		token => $enrolled->{device_token} };
	renew($device);
	return $device;
}

sub renew
{
	my ($device) = @_;
	my $answer = $stack->identity($device->{token});
	die $answer->{body} if $answer->{status} != 200;
	my $pem = $answer->{json}{device_certificate_pem};
	push @{$device->{pem}}, $pem;
	push @{$device->{serial}}, serial_of($pem);
}

sub certificate { return $stack->admin('GET', "/certificates/$_[0]") }
sub status_of { return (certificate($_[0])->{json} // {})->{status} // 'unknown' }

sub act
{
	my ($path) = @_;
	return $stack->admin('POST', $path, document => { reason => 'test' });
}

# Who is denied, by the commands in docs/backup.md.
sub noted
{
	my ($text) = slurp($source . 'docs/backup.md') =~ /^```sh\n(admin=.*?)^```/ms
	    or die "no list in docs/backup.md\n";
	my $port = $stack->setting('ADMIN_PORT');
	my $root = $stack->root_file;
	$text =~ s/localhost:8444/localhost:$port/ or die;
	$text =~ s{/root/admin-token}{$dir/admin-token} or die;
	$text =~ s{/var/lib/pappus/public/ca/root\.pem}{$root} or die;
	my ($status, undef, $err) = Pappus::Test::run_command("cd $tmp\n$text",
	    'bash', '-e');
	is_deeply([$status, $err], [0, ''], 'the list in docs/backup.md') or diag($err);
	return slurp("$tmp/denied.txt");
}

# recover ARGUMENTS: what it prints; a failure is the test's.
sub recovers
{
	my ($name, $expected, @args) = @_;
	my ($status, $out, $err) = command('pappus', 'recover', @args);
	is_deeply([$status, $err], [0, ''], $name) or diag($err);
	is($out, $expected, 'it says what it did');
}

sub refuses
{
	my ($name, $like, @args) = @_;
	my ($status, undef, $err) = command('pappus', 'recover', @args);
	isnt($status, 0, $name);
	like($err, $like, 'says where and why');
}

# ----------------------------------------------------------- life, with a dump

my ($kept, $denied, $renewed) = map { device() } 1 .. 3;
sub_ca_with_trust_domain();
postgres('pg_dumpall', '--globals-only', '-f', "$tmp/globals.sql");
postgres('pg_dump', '-Fc', '-f', "$tmp/pappus.dump", 'pappus');

my ($later, $later_denied, $later_revoked) = map { device() } 1 .. 3;
# Two that the dump knows got new ones, from the newest sub-CA as all do.
renew($renewed);
act("/devices/$_->{id}/deny") for $denied, $later_denied;
my $unrecovered = device();
my @all = ($kept, $denied, $renewed, $later, $later_denied, $later_revoked,
    $unrecovered);
my @serials = map { @{$_->{serial}} } @all;

# What is found elsewhere: certificates as brokers or devices have them, with
# the chain and some text; denials as noted.
spew("$tmp/first.pem", join '', "From the broker\r\n", $kept->{pem}[0],
    slurp("$dir/ca/device/ca.crt"), map { @{$_->{pem}} } $denied, $renewed);
spew("$tmp/second.pem", join '', map { s/\n/\r\n/gr }
    map { @{$_->{pem}} } $later, $later_denied, $later_revoked);
my $unknown = '01' . 'ab' x 15;
act("/devices/$later_revoked->{id}/revoke");
spew("$tmp/denied.txt", "# noted by hand\n\n" . noted() . uc($renewed->{serial}[0])
    . "\tsuperseded\r\n  $unknown");

# ------------------------------------------------------------------- the loss

$stack->stack('stop', $_) for @programs, 'postgres';
my $pgdata = $stack->setting('PGDATA');
system('rm', '-rf', $pgdata) == 0 && !-e $pgdata or die "it is not lost\n";
$stack->stack('start', 'postgres');
# globals.sql makes the superuser again, which is an error of no weight.
Pappus::Test::run_command('', 'psql', '-Xq', '-h', $stack->run . '/pg', '-U',
    'postgres', '-d', 'postgres', '-f', "$tmp/globals.sql");
postgres('createdb', '-T', 'template0', '-E', 'UTF8', '--locale=C.UTF-8',
    'pappus');
postgres('pg_restore', '--exit-on-error', '-d', 'pappus', "$tmp/pappus.dump");
{
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run
	    . '/pg user=postgres dbname=pappus';
	my ($status, $out) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/pappus", 'migrate', '--sql-dir',
	    $source . 'sql');
	is_deeply([$status, $out], [0, ''], 'the restored database is of this version');
}
is($stack->psql('postgres', 'SELECT count(*) FROM pappus.certificates '
	. 'WHERE device_id IS NOT NULL'), 3, 'it is the old one');
unlike($stack->psql('postgres', "SELECT datacl FROM pg_database "
	. "WHERE datname = 'pappus'"), qr/(?:^|[{,])=[^,]*T/,
    'PUBLIC may make no temporary tables in it');

# ------------------------------------------------------------------- recovery

subtest 'what is wrong is named, and changes nothing' => sub {
	my $pem = $later->{pem}[0];
	spew("$tmp/cut.pem", "$pem\n" . $pem =~ s/-----END.*//sr);
	refuses('cut short', qr{/cut\.pem:\d+: the certificate that begins has no},
	    '--certificates', "$tmp/cut.pem");
	spew("$tmp/junk.pem", "text\n" . $pem =~ s/\n.{9}/\nAAAAAAAAA/r);
	refuses('not a certificate', qr{/junk\.pem:2: }, '--certificates',
	    "$tmp/junk.pem");
	spew("$tmp/key.pem", slurp("$dir/server/nginx.key"));
	refuses('a key', qr{/key\.pem:1: not a CERTIFICATE}, '--certificates',
	    "$tmp/key.pem");
	spew("$tmp/none.pem", "nothing\n");
	refuses('none', qr{/none\.pem: there is no cert}, '--certificates',
	    "$tmp/none.pem");
	refuses('no file', qr{cannot read .*/absent\.pem}, '--denied',
	    "$tmp/denied.txt", '--certificates', "$tmp/absent.pem");
	my %line = (id => "dev_0123", digits => 'abcdefg', odd => '123',
		zero => '0000', negative => '80' x 16, long => '01' x 21,
		comment => "$later->{id} \xff", endless => '01 ' . 'x' x 2000);
	for (sort keys %line) {
		spew("$tmp/bad.txt", "# first\n\n$line{$_}\n$later->{id}\n");
		refuses("denial: $_", qr{/bad\.txt:3: }, '--denied', "$tmp/bad.txt");
	}
	refuses('usage', qr/^pappus: .* comes before x\.pem/, 'x.pem');
	refuses('no name', qr/--denied needs a file/, '--denied',
	    '--certificates', "$tmp/first.pem");
	refuses('nothing at all', qr/name files/);
	is($stack->psql('postgres', 'SELECT count(*) FROM pappus.certificates'), 5,
	    'no certificate was added');
	is($stack->psql('postgres', 'SELECT count(*) FROM pappus.revocations'), 0,
	    'nothing was denied');
};

subtest 'an issuer that is not registered' => sub {
	my $ca = "$tmp/other";
	mkdir "$ca$_", 0700 for '-root', '';
	for (['root', '--dir', "$ca-root", '--name', 'r', '--org', 'x', '--crl-url',
		'http://x.example/r.crl', '--ca-url', 'http://x.example/r.cer'],
		['request', '--dir', $ca, '--name', 's', '--org', 'x'],
		['sign', '--dir', "$ca-root", '--request', "$ca/ca.csr",
		'--purpose', 'server', '--out', "$ca.crt"],
		['install', '--dir', $ca, '--cert', "$ca.crt", '--root',
		"$ca-root/root.crt", '--crl-url', 'http://x.example/s.crl',
		'--ca-url', 'http://x.example/s.cer'],
		['server', '--dir', $ca, '--out', "$ca-leaf", '--name', 'x.example',
		'--dns', 'x.example']) {
		my ($status, undef, $err) = command('pappus-ca', @$_);
		is($status, 0, "pappus-ca $$_[0]") or diag($err);
	}
	my ($status, $out, $err) = command('pappus', 'recover', '--certificates',
	    "$ca-leaf.crt");
	is($status >> 8, 1, 'fails');
	like($err, qr{/other-leaf\.crt:1: the issuer [0-9a-f]{40} is not registered},
	    'names it');
	like($out, qr/^certificates: 0 new, 0 known, 1 of unknown issuers, 1 of CAs/m,
	    'counts it');
};

my @files = ('--denied', "$tmp/denied.txt", '--certificates', "$tmp/first.pem",
    "$tmp/second.pem");
recovers('everything is merged', <<'OUT', @files);
denials: 3 devices and 2 serials new, 0 known
certificates: 4 new, 3 known, 0 of unknown issuers, 1 of CAs passed over
devices: 3 new, without a token until they are reset
OUT
my $state = sub { join "\n", map { $stack->psql('postgres',
	    "SELECT * FROM pappus.$_ ORDER BY 1") }
	qw(devices certificates revocations unknown_devices operator_actions) };
my $before = $state->();
recovers('and again', <<'OUT', @files);
denials: 0 devices and 0 serials new, 5 known
certificates: 0 new, 7 known, 0 of unknown issuers, 1 of CAs passed over
devices: 0 new, without a token until they are reset
OUT
is($state->(), $before, 'changes nothing');

subtest 'more than a chunk' => sub {
	my $count = 2500;
	spew("$tmp/many.txt", join '', map { sprintf "01%030x\n", $_ } 1 .. $count);
	recovers('2,500 denials', <<"OUT", '--denied', "$tmp/many.txt");
denials: 0 devices and $count serials new, 0 known
certificates: 0 new, 0 known, 0 of unknown issuers, 0 of CAs passed over
devices: 0 new, without a token until they are reset
OUT
	spew("$tmp/many.pem", $kept->{pem}[0] x $count);
	recovers('2,500 certificates', <<"OUT", '--certificates', "$tmp/many.pem");
denials: 0 devices and 0 serials new, 0 known
certificates: 0 new, $count known, 0 of unknown issuers, 0 of CAs passed over
devices: 0 new, without a token until they are reset
OUT
};

# ----------------------------------------------------------------- life again

$stack->stack('start', $_) for @programs;

subtest 'all certificates are known' => sub {
	for my $device ($kept, $denied, $renewed, $later, $later_denied,
		$later_revoked) {
		for my $serial (@{$device->{serial}}) {
			my $answer = certificate($serial);
			is($answer->{status}, 200, "$serial is");
			is($answer->{json}{device_id}, $device->{id}, 'its device too');
		}
	}
	is(status_of($kept->{serial}[0]), 'valid', 'one from before is valid');
	is(status_of($later->{serial}[0]), 'valid', 'one from after likewise');
	is(status_of($renewed->{serial}[0]), 'revoked',
	    'the superseded one that was noted is revoked');
	is(status_of($renewed->{serial}[1]), 'valid', 'what superseded it is valid');
};

subtest 'who was denied stays denied' => sub {
	for ([$denied, 'known to the old database'],
		[$later_denied, 'recovered']) {
		my ($device, $name) = @$_;
		is($stack->admin('GET', "/devices/$device->{id}")->{json}{state},
		    'denied', $name);
		is(status_of($_), 'hold', 'its certificates are on hold')
		    for @{$device->{serial}};
	}
	is($stack->admin('GET', "/devices/$later_revoked->{id}")->{json}{state},
	    'revoked', 'who was revoked stays revoked');
	is(status_of($later_revoked->{serial}[0]), 'revoked', 'with its certificate');
	is_problem('a denied one gets no identity', $stack->identity($denied->{token}), 403,
	    'device-denied');
	is(act("/devices/$denied->{id}/allow")->{status}, 200, 'allowing it works');
	is($stack->identity($denied->{token})->{status}, 200, 'and lets it in');
};

subtest 'devices of which the restored database knows no token' => sub {
	is_problem('a recovered one is told', $stack->identity($later->{token}),
	    401, 'invalid-token');
	my $reset = act("/devices/$later->{id}/reset");
	is($reset->{status}, 200, 'it can be reset');
	my $answer = $stack->identity($reset->{json}{device_token});
	is($answer->{status}, 200, 'and goes on with its new token');
	is($answer->{json}{device_id}, $later->{id}, 'as itself');
	is(status_of($later->{serial}[0]), 'revoked', 'what it had is revoked');

	is_problem('one that nobody recovered likewise',
	    $stack->identity($unrecovered->{token}), 401, 'invalid-token');
	is(certificate($unrecovered->{serial}[0])->{status}, 404,
	    'its certificate is not known');
	my $again = device();
	isnt($again->{id}, $unrecovered->{id}, 'it can enrol as a new device');
	push @serials, @{$again->{serial}}, serial_of(
	    $answer->{json}{device_certificate_pem});
};

subtest 'denying what is not known' => sub {
	is(act("/certificates/$unrecovered->{serial}[0]/revoke")->{status}, 200,
	    'a serial can be revoked');
	is($stack->psql('postgres', 'SELECT origin FROM pappus.revocations WHERE '
		. "serial = decode('$unrecovered->{serial}[0]', 'hex')"),
	    'operator', 'which is recorded');
	is(act("/devices/$unrecovered->{id}/deny")->{status}, 200,
	    'a device can be denied');
	spew("$tmp/third.pem", @{$unrecovered->{pem}});
	recovers('recovered after that', <<'OUT', '--certificates', "$tmp/third.pem");
denials: 0 devices and 0 serials new, 0 known
certificates: 1 new, 0 known, 0 of unknown issuers, 0 of CAs passed over
devices: 1 new, without a token until they are reset
OUT
	is(status_of($unrecovered->{serial}[0]), 'revoked', 'its revocation holds');
	is($stack->admin('GET', "/devices/$unrecovered->{id}")->{json}{state},
	    'denied', 'and its denial');
};

subtest 'no serial twice' => sub {
	push @serials, @{device()->{serial}} for 1 .. 20;
	my %count;
	$count{$_}++ for @serials;
	is_deeply([grep { $count{$_} > 1 } keys %count], [],
	    scalar(@serials) . ' serials, before and after');
	# The time in front (twelve digits) may come again: clocks go back, too.
	my %chance = map { substr($_, 12) => 1 } @serials;
	is(keys %chance, @serials, 'which differ in what is behind the time alone');
	is((grep { length == 32 } @serials), @serials, '80 bits of it');
	# Two certificates with one serial: that would be another's.
	my ($status, undef, $err) = forged_serial();
	isnt($status, 0, 'a certificate with a known serial and another key');
	like($err, qr{/forged\.pem:1 to \d+: .*another certificate has the serial},
	    'is refused');
};

# A certificate with the serial of another, by the same sub-CA.
sub forged_serial
{
	my $serial = $kept->{serial}[0];
	spew("$tmp/ext", "authorityKeyIdentifier=keyid\n");
	my ($status, undef, $err) = Pappus::Test::run_command('', 'sh', '-c',
	    'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes '
	    . "-keyout /dev/null -subj /CN=$kept->{id} | openssl x509 -req -CA "
	    . "$dir/ca/device/ca.crt -CAkey $dir/ca/device/ca.key -set_serial "
	    . "0x$serial -days 9 -extfile $tmp/ext -out $tmp/forged.pem");
	die $err if $status != 0;
	return command('pappus', 'recover', '--certificates', "$tmp/forged.pem");
}

done_testing;
