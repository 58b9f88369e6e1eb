# SPDX-License-Identifier: ISC
# pappus-crld on a real database: what operators and devices do shows in the
# deny-list and in the CRLs, and what strangers make of those.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(serial_of);
use Pappus::Crld;
use Pappus::Feed;
use Pappus::Session;
use Pappus::Test qw(slurp spew wait_until);

my $stack = Pappus::Test->start(workers => 1);
my $crld = Pappus::Crld->new($stack, 'a');
my $token = $stack->enrollment_token($stack->project);
my $issuer = $crld->issuer('device');

sub sql { return $stack->psql('postgres', "@_") }
sub padded { return '0' x (40 - length $_[0]) . $_[0] }

# A device of the whole road, with its serial.
sub device
{
	my $device = $stack->device($token);
	$device->{serial} = serial_of(slurp($device->{certificate}));
	return $device;
}

sub act
{
	my ($device, $act, %body) = @_;
	my $answer = $stack->admin('POST', "/devices/$device->{id}/$act",
	    document => { reason => 'test', %body });
	is($answer->{status}, 200, $act) or diag($answer->{body});
}

sub revoke
{
	my ($serial, $reason) = @_;
	my $answer = $stack->admin('POST', "/certificates/$serial/revoke",
	    document => { reason_code => 0 + $reason, reason => 'test' });
	is($answer->{status}, 200, "revoke $serial") or diag($answer->{body});
}

# Whether a CRL comes to say that of a serial: a reason, '', or undef.
sub lists
{
	my ($name, $ca, $serial, $reason) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $seen;
	ok(wait_until(10, sub {
		my $crl = $crld->crl($ca) or return;
		$seen = $crl->{revoked}{$serial};
		return ($seen // 'none') eq ($reason // 'none');
	}), "$name: the CRL of $ca") or diag($seen // 'none', "\n", $crld->tail);
}

# Whether the deny-list and the device's CRL come to say so.
sub comes
{
	my ($name, $device, $denied, $reason) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(10, sub {
		my $all = $crld->denied or return;
		return !!$all->{devices}{$device->{id}} == !!$denied
		    && !!$all->{serials}{padded($device->{serial})}
			== defined $reason;
	}), "$name: the deny-list") or diag($crld->tail);
	lists($name, 'device', $device->{serial}, $reason);
}

subtest 'an empty list' => sub {
	$crld->start;
	ok(wait_until(20, sub { $crld->crl('device') && $crld->crl('server')
		&& $crld->denied && $crld->denied->{crls} }), 'is published')
	    or diag($crld->tail);
	my $crl = $crld->crl('device');
	like($crl->{text}, qr/No Revoked Certificates/, 'without entries');
	like($crl->{text}, qr/Version 2 \(0x1\)/, 'version 2');
	like($crl->{text}, qr/ecdsa-with-SHA256/, 'the signature');
	my ($idp) = $crl->{text} =~
	    /Issuing Distribution Point: critical\n(.*?URI:\S+)/s;
	like($idp, qr{URI:\Q@{[$stack->setting('PUBLIC_URL')]}\E/crl/device\.crl$},
	    'its address');
	my $denied = $crld->denied;
	is_deeply([map { scalar keys %{$denied->{$_}} } qw(devices serials)],
	    [0, 0], 'nobody is denied');
	is_deeply([map { "$_->{purpose} $_->{closed}" } @{$denied->{issuers}}],
	    [map { "$_ 0" } split /\n/, sql('SELECT purpose FROM pappus.issuers'
		. ' ORDER BY issuer_id')], 'the issuers');
	is_deeply([$crld->faults], [], 'all verifies');
	is(slurp($crld->file("ca/$_.cer")), openssl('x509', '-in',
		$crld->certificate($_), '-outform', 'DER'),
	    "the certificate of $_") for qw(root device server);
};

sub openssl
{
	my ($status, $out, $err) = Pappus::Test::run_command('', 'openssl', @_);
	die "openssl @_: $err" if $status != 0;
	return $out;
}

subtest 'revoke, deny, allow, reissue' => sub {
	my $device = device();
	is($crld->verify($device->{certificate}), 'OK', 'a good device');
	act($device, 'deny');
	comes('denied', $device, 1, 'Certificate Hold');
	is($crld->verify($device->{certificate}), 'certificate revoked', 'openssl');
	act($device, 'allow');
	comes('allowed', $device, 0, undef);
	is($crld->verify($device->{certificate}), 'OK', 'openssl');
	my $again = $stack->identity($device->{token})->{json};
	comes('superseded', $device, 0, 'Superseded');
	$device->{serial} = serial_of($again->{device_certificate_pem});
	comes('its next certificate', $device, 0, undef);
	act($device, 'revoke', reason_code => 1);
	comes('revoked', $device, 1, 'Key Compromise');
	my $reset = $stack->admin('POST', "/devices/$device->{id}/reset",
	    document => { reason => 'found' });
	is($reset->{status}, 200, 'reset');
	comes('reset', $device, 0, 'Key Compromise');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'one certificate, with each reason' => sub {
	my %name = (0 => '', 1 => 'Key Compromise', 3 => 'Affiliation Changed',
		4 => 'Superseded', 5 => 'Cessation Of Operation',
		6 => 'Certificate Hold', 9 => 'Privilege Withdrawn');
	for my $code (sort keys %name) {
		my $device = device();
		revoke($device->{serial}, $code);
		comes("reason $code", $device, 0, $name{$code});
	}
	my $server = serial_of(slurp($stack->dir . '/server/mosquitto.crt'));
	is($crld->verify($stack->dir . '/server/mosquitto.crt', ca => 'server'),
	    'OK', 'a good server');
	revoke($server, 4);
	lists('a server', 'server', $server, 'Superseded');
	is($crld->verify($stack->dir . '/server/mosquitto.crt', ca => 'server'),
	    'certificate revoked', 'openssl');
	ok(!exists $crld->crl('device')->{revoked}{$server}, 'and no other CRL');
};

subtest 'what the database does not know' => sub {
	# A serial of any length; the smallest in octets is not so in number.
	my @serials = ('01', '7f', '0' . 'a1' x 7 . 'b', '11' x 20);
	revoke($_, 1) for @serials;
	for my $serial (map { s/^0+(?=.)//r } @serials) {
		my $shown = length($serial) % 2 ? "0$serial" : $serial;
		lists("serial $serial", $_, $shown, 'Key Compromise')
		    for qw(device server);
		ok($crld->denied->{serials}{padded($serial)}, 'the deny-list');
	}
	# It turns out to be a device's.
	sql("UPDATE pappus.revocations SET issuer_id = (SELECT issuer_id FROM"
		. " pappus.issuers WHERE purpose = 'device'), not_after ="
		. " now() + interval '1 year' WHERE serial = '\\x7f'");
	lists('found again', 'server', '7F' =~ tr/A-Z/a-z/r, undef);
	lists('found again', 'device', '7f', 'Key Compromise');
	ok($crld->denied->{serials}{padded('7f')}, 'the deny-list has it all along');
	my $unknown = 'dev_' . '0' x 26;
	act({ id => $unknown }, 'deny');
	ok(wait_until(10, sub { $crld->denied->{devices}{$unknown} }),
	    'an unknown device');
	act({ id => $unknown }, 'allow');
	ok(wait_until(10, sub { !$crld->denied->{devices}{$unknown} }),
	    'is let in again');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'a transaction that commits late' => sub {
	my ($late, $early) = (device(), device());
	my $session = Pappus::Session->new('host=' . $stack->run
		. '/pg dbname=pappus user=postgres');
	$session->value('BEGIN');
	$session->value("INSERT INTO pappus.revocations (serial, issuer_id,"
		. " not_after, reason, actor, origin) SELECT serial, issuer_id,"
		. " not_after, 1, 'test', 'operator' FROM pappus.certificates"
		. " WHERE serial = '\\x$late->{serial}'");
	act($early, 'revoke', reason_code => 1);
	comes('the other one', $early, 1, 'Key Compromise');
	sleep 1.5;
	comes('not yet', $late, 0, undef);
	$session->value('COMMIT');
	comes('once it has committed', $late, 0, 'Key Compromise');
	$session->close;
};

subtest 'more than a delta is for' => sub {
	my $before = Pappus::Feed::state($crld->file('feed'));
	# Unknown ones, so that all CRLs get them.
	my $many = 12_000;
	sql("INSERT INTO pappus.revocations (serial, reason, actor, origin)"
		. " SELECT decode('01' || lpad(to_hex(n), 30, '0'), 'hex'), 0,"
		. " 'test', 'recover' FROM generate_series(1, $many) n");
	ok(wait_until(30, sub {
		keys %{$crld->crl('server')->{revoked}} > $many }),
	    'the CRLs') or diag($crld->tail);
	ok(wait_until(30, sub {
		my $state = Pappus::Feed::state($crld->file('feed'));
		$state->{base} ne $before->{base} }), 'a new base')
	    or diag($crld->tail);
	my $denied = $crld->denied;
	cmp_ok(keys %{$denied->{serials}}, '>', $many, 'has all of them');
	my $delta = Pappus::Feed::parse(slurp($crld->file("feed/$denied->{delta}")));
	cmp_ok(@{$delta->{serials}}, '<', 100, 'and the delta begins anew');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'metrics' => sub {
	ok(wait_until(10, sub { ($crld->metric('crl_number', issuer => $issuer) // 0)
		== $crld->crl('device')->{number}
		&& $crld->metric('crld_sequence_published')
		== $crld->metric('crld_sequence_claimed') }), 'follow')
	    or diag(slurp($crld->metrics_file));
	cmp_ok($crld->metric('crl_entries', issuer => $issuer), '>', 12_000, 'entries');
	is($crld->metric('crld_leader'), 1, 'it leads');
	# Counted every five seconds.
	ok(wait_until(20, sub {
		($crld->metric('crld_changes_unclaimed') // 1) == 0 }),
	    'nothing waits');
	is($crld->alarm($_), 0, "no alarm: $_")
	    for qw(database feed lists keys paths crls);
	is($crld->metric('crl_bytes', issuer => $issuer),
	    -s $crld->file('crl/device.crl'), 'the size');
	my $left = $crld->metric('crl_seconds_left', issuer => $issuer);
	cmp_ok($left, '>', 7 * 86400 - 300, 'seven days') if defined $left;
	cmp_ok($left, '<=', 7 * 86400, 'and no more');
	# Nobody revoked anything that could be told from the log.
	my $log = $crld->log;
	unlike($log, qr/level=error/, 'no error');
};

subtest 'the time of the state' => sub {
	my $first = Pappus::Feed::state($crld->file('feed'));
	ok(wait_until(11, sub {
		Pappus::Feed::state($crld->file('feed'))->{time} > $first->{time} }),
	    'is renewed');
	is(Pappus::Feed::state($crld->file('feed'))->{sequence},
	    $first->{sequence}, 'under the same sequence');
};

# Which serials a file names that nobody signed is no reason to hold up a CRL.
subtest 'a published list that was damaged' => sub {
	my ($first, $second) = (device(), device());
	act($first, 'revoke');
	comes('one', $first, 1, '');
	my $file = $crld->file('crl/device.crl');
	my $serial = pack 'H*', $first->{serial};
	my $at = index slurp($file), $serial;
	cmp_ok($at, '>', 0, 'its serial is in the file');
	open my $out, '+<', $file or die "$file: $!";
	seek $out, $at + length($serial) - 1, 0;
	print $out chr(ord(substr $serial, -1) ^ 1);
	close $out;
	act($second, 'revoke');
	comes('another', $second, 1, '');
	ok(exists $crld->crl('device')->{revoked}{$first->{serial}},
		'the one is still there');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'stopped and started' => sub {
	my $numbers = { map { $_ => $crld->crl($_)->{number} } qw(device server) };
	my $denied = $crld->denied;
	is($crld->stop, 0, 'it ends');
	is_deeply([$crld->faults], [], 'all stays');
	my $device = device();
	act($device, 'revoke', reason_code => 5);
	$crld->start;
	comes('what happened meanwhile', $device, 1, 'Cessation Of Operation');
	ok(wait_until(10, sub { $crld->crl($_)->{number} > $numbers->{$_} }),
	    "a new CRL of $_") for qw(device server);
	my $now = $crld->denied;
	is_deeply([grep { !$now->{serials}{$_} }
		keys %{$denied->{serials}}], [], 'nothing is lost');
	my @half = glob $crld->file('{,feed/,crl/,ca/}.crld-*');
	is_deeply(\@half, [], 'no half file');
	is($crld->stop('INT'), 0, 'ends by another signal');
};

subtest '--check' => sub {
	my ($status, $out) = $crld->run('--check');
	is($status, 0, 'all is well') or diag($out);
	is(($crld->run($_))[0], 0, $_) for qw(--help --version);
	is(($crld->run('--nonsense'))[0], 1, 'an unknown option');
	my %wrong = (
		'no folder' => [{ PAPPUS_PUBLIC_DIR => '/nonexistent' },
			qr/PAPPUS_PUBLIC_DIR: .*nonexistent/],
		'not set' => [{ PAPPUS_PUBLIC_DIR => undef },
			qr/PAPPUS_PUBLIC_DIR is not set/],
		'a file' => [{ PAPPUS_PUBLIC_DIR => '/bin/true' }, qr/no folder/],
		'no keys' => [{ PAPPUS_CA_DIR => $crld->public },
			qr/there is no \*\.key/],
		'no connection string' => [{ PAPPUS_DATABASE => 'a b' },
			qr/PAPPUS_DATABASE/],
		'too rarely' => [{ PAPPUS_REBUILD_SECONDS => 21601 },
			qr/PAPPUS_REBUILD_SECONDS/],
		'a passphrase that is not there' => [{ PAPPUS_CA_PASSPHRASE_FILE =>
			'/nonexistent' }, qr/nonexistent/]);
	for my $name (sort keys %wrong) {
		my ($env, $why) = @{$wrong{$name}};
		local $crld->{env} = $env;
		my ($status, $out) = $crld->run('--check');
		is($status, 1, "$name: refused");
		like($out, $why, "$name: says why");
	}
	my $file = $crld->keys_dir . '/device-ca.key';
	chmod 0640, $file;
	like(($crld->run('--check'))[1], qr/device-ca\.key: group or others/,
	    'a key that others can read');
	chmod 0600, $file;
	my $bad = $crld->keys_dir . '/bad.key';
	spew($bad, "nonsense\n");
	like(($crld->run('--check'))[1], qr/bad\.key: holds no private key/,
	    'a file that is no key');
	unlink $bad;
};

done_testing;
