# SPDX-License-Identifier: ISC
# From an operator's call to a device that is refused and a session that falls,
# through the whole chain: PostgreSQL, crld, nginx, brokerd, the broker's
# plugin.  Who is shut out falls and doesn't come in again; all others, who are
# connected the whole time, never notice.  And what nginx serves of it.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(is_problem serial_of);
use Pappus::Feed;
use Pappus::Sessions;
use Pappus::Test qw(slurp spew wait_until);

my $PATIENCE = 15;    # seconds, on a busy machine
my $stack = Pappus::Test->start(workers => 1);
my $project = $stack->project('replace');
my $token = $stack->enrollment_token($project);
my $keeping = $stack->project('keep');
$stack->admin('PATCH', "/projects/$keeping",
    document => { reissue_policy => 'keep' })->{status} == 200 or die;
my $keeping_token = $stack->enrollment_token($keeping);

sub post { return $stack->admin('POST', $_[0], document => $_[1]) }

# What a device that asks again is given, as device has it.
my $copies = 0;

sub certificate_for
{
	my ($id, $device_token) = @_;
	my $answer = $stack->identity($device_token)->{json};
	my $base = $stack->tmp . "/$id." . ++$copies;
	spew("$base.crt", $answer->{device_certificate_pem});
	spew("$base.key", $answer->{device_private_key_pem});
	return { id => $id, token => $device_token, certificate => "$base.crt",
		key => "$base.key" };
}

sub again { return certificate_for($_[0]{id}, $_[0]{token}) }

# A certificate of the device sub-CA that the database has never seen, as after
# a restore of an older one: from the sub-CA's key, by openssl.
sub unrecorded
{
	my ($id, $serial) = @_;
	my $base = $stack->tmp . "/unrecorded.$serial";
	my $ca = $stack->dir . '/ca/device';
	spew("$base.ext", "basicConstraints=critical,CA:false\n"
	    . "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
	    . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n");
	for ("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
		. " -keyout $base.key -out $base.csr -subj /CN=$id",
		"x509 -req -in $base.csr -CA $ca/ca.crt -CAkey $ca/ca.key"
		. " -set_serial 0x$serial -days 30 -extfile $base.ext"
		. " -out $base.crt") {
		system("openssl $_ >>$base.log 2>&1") == 0
		    or die "openssl $_: ", slurp("$base.log");
	}
	return { id => $id, certificate => "$base.crt", key => "$base.key" };
}

sub serial { return serial_of(slurp($_[0]{certificate})) }

# ------------------------------------------------------- who is there at first

my @names = qw(revoked denied one-of-two replaced reset compromised twice held
    neighbour another);
my %device = map { $_ => $stack->device($token) } @names;
$device{'one-of-two'} = $stack->device($keeping_token);
$device{'two-of-two'} = again($device{'one-of-two'});
$device{'unknown id'} = unrecorded(
    substr($device{another}{id}, 0, 20) . '0123456789', '01' . 'a5' x 15);
$device{'unknown serial'} = unrecorded($device{another}{id}, '01' . 'c3' x 15);

# The second certificates of devices are clients with names of their own.
my %second = map { $_ => 1 } 'two-of-two', 'unknown serial';
my (%sessions, %number, %fallen);

sub begin
{
	my ($suffix, @who) = @_;
	my $file = $stack->tmp . "/identities$suffix";
	my $sessions = Pappus::Sessions->start($stack,
	    Pappus::Sessions::identities($file, @device{@who}),
	    suffix => $suffix);
	@sessions{@who} = ($sessions) x @who;
	@number{@who} = 0 .. $#who;
	return $sessions->connect(0, $#who);
}

# ------------------------------------------------------------ what is expected

sub try { return $sessions{$_[0]}->try($number{$_[0]})->{what} }

sub is_let_in
{
	my ($who) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $what;
	ok(wait_until($PATIENCE, sub { ($what = try($who)) eq '0' }),
	    "$who is let in") or diag("it is answered $what");
}

# Its session ends, and CONNECT is answered "not authorised" (MQTT 3.1.1
# §3.2.2.3) from then on.
sub falls
{
	my ($who) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($sessions{$who}->wait_dropped($number{$who}, $PATIENCE),
	    "$who: the session falls");
	$fallen{$who} = 1;
	is(try($who), '5', "$who: a reconnect is refused");
}

# All that are connected, but for those that fell, and no one besides.
sub others_stay
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @down = grep { $sessions{$_}->dropped->{$number{$_}} } keys %sessions;
	is_deeply([sort @down], [sort keys %fallen], 'the others stay');
}

# An operator's call that is answered 200, for a device by name.
sub act
{
	my ($what, $who, %more) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $answer = post("/devices/$device{$who}{id}/$what",
	    { reason => 'test', %more });
	is($answer->{status}, 200, "$what $who") or diag($answer->{body});
	return $answer->{json};
}

sub revoke_serial
{
	my ($who, $code) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $answer = post('/certificates/' . serial($device{$who}) . '/revoke',
	    { reason => 'test', reason_code => $code });
	is($answer->{status}, 200, "revoke the certificate: $who, reason $code")
	    or diag($answer->{body});
}

# What is served as a CRL: {serial => reason, or ''}.
sub crl
{
	my $der = $stack->http('GET', '/crl/device.crl', to => 'public')->{body};
	my ($status, $text, $err) = Pappus::Test::run_command($der, 'openssl',
	    'crl', '-inform', 'DER', '-noout', '-text');
	die "no CRL: $err" if $status != 0;
	my %found;
	while ($text =~ /Serial Number: (\w+)\n(.*?)(?=Serial Number:|Signature Alg)/sg) {
		my ($serial, $rest) = (lc $1, $2);
		die "$serial stands there twice\n" if exists $found{$serial};
		$found{$serial} =
		    $rest =~ /CRL Reason Code:.*\n\s+(\S.*)/ ? $1 : '';
	}
	return \%found;
}

# The CRL comes after the deny-list, and may take a moment.
sub crl_says
{
	my ($who, $reason) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($serial, $crl) = serial($device{$who});
	wait_until($PATIENCE, sub {
		$crl = crl();
		return ($crl->{$serial} // 'nothing') eq ($reason // 'nothing');
	});
	is($crl->{$serial}, $reason, "$who: the CRL says "
	    . ($reason // 'nothing'));
}

# In the deny-list that the broker has.
sub denied
{
	my $list = wait_until($PATIENCE, sub {
		eval { Pappus::Feed::read($stack->run . '/brokerd/feed') } });
	return $list // die "the broker has no list\n";
}

sub has_device { return exists denied()->{devices}{$device{$_[0]}{id}} }

sub has_serial
{
	return exists denied()->{serials}{
		substr '0' x 40 . serial($device{$_[0]}), -40 };
}

# ------------------------------------------------------------------- the tests

subtest 'all are connected' => sub {
	is_deeply(begin('', grep { !$second{$_} } sort keys %device), {},
	    'devices');
	is_deeply(begin('-b', sort keys %second), {}, 'with other certificates');
};

subtest 'revoke' => sub {
	act('revoke', 'revoked');
	falls('revoked');
	ok(has_device('revoked'), 'its id is on the deny-list');
	ok(has_serial('revoked'), 'and the serial');
	# RFC 5280 §5.3.1: reason 0 is left out.
	crl_says('revoked', '');
	others_stay();
};

subtest 'a reason goes into the CRL' => sub {
	act('revoke', 'compromised', reason_code => 1);
	falls('compromised');
	crl_says('compromised', 'Key Compromise');
	others_stay();
};

subtest 'deny and allow' => sub {
	act('deny', 'denied');
	falls('denied');
	crl_says('denied', 'Certificate Hold');
	act('allow', 'denied');
	is_let_in('denied');
	ok(!has_device('denied') && !has_serial('denied'), 'off the deny-list');
	crl_says('denied', undef);
	is_deeply($sessions{denied}->connect(($number{denied}) x 2), {},
	    'it is back');
	delete $fallen{denied};
	others_stay();
	act('deny', 'denied');
	falls('denied');
	others_stay();
};

subtest 'one certificate of a device that keeps two' => sub {
	revoke_serial('one-of-two', 4);
	falls('one-of-two');
	ok(!has_device('one-of-two'), 'the device is not denied');
	crl_says('one-of-two', 'Superseded');
	others_stay();
	is(try('two-of-two'), '0', 'its other certificate is good');
};

subtest 'a device that asks for another identity' => sub {
	$device{replacing} = again($device{replaced});
	is_deeply(begin('-new', 'replacing'), {}, 'comes with the new one');
	falls('replaced');
	crl_says('replaced', 'Superseded');
	others_stay();
	is_let_in('replacing');
};

subtest 'reset' => sub {
	my $json = act('reset', 'reset');
	falls('reset');
	others_stay();
	$device{'come back'} = certificate_for($device{reset}{id},
	    Pappus::Test::secret($json->{device_token}));
	is_deeply(begin('-back', 'come back'), {}, 'with a new identity it is in');
	is(try('reset'), '5', 'the old one stays refused');
	others_stay();
};

subtest 'an operator holds one certificate' => sub {
	revoke_serial('held', 6);
	falls('held');
	crl_says('held', 'Certificate Hold');
	revoke_serial('held', 5);
	crl_says('held', 'Cessation Of Operation');
	is(try('held'), '5', 'for good');
	others_stay();
};

subtest 'an id that the database does not know' => sub {
	act('deny', 'unknown id');
	falls('unknown id');
	ok(has_device('unknown id'), 'it is on the deny-list');
	others_stay();
	act('allow', 'unknown id');
	is_let_in('unknown id');
	act('revoke', 'unknown id');
	ok(wait_until($PATIENCE, sub { try('unknown id') eq '5' }),
	    'revoked it is refused');
};

subtest 'a serial that the database does not know' => sub {
	revoke_serial('unknown serial', 1);
	falls('unknown serial');
	# Whose it is can't be known, so it stands in each sub-CA's.
	crl_says('unknown serial', 'Key Compromise');
	others_stay();
	is(try('another'), '0', 'the device itself is good');
};

subtest 'twice' => sub {
	act('revoke', 'twice', reason_code => 3);
	falls('twice');
	crl_says('twice', 'Affiliation Changed');
	my $before = Pappus::Feed::state($stack->run . '/public/feed');
	act('revoke', 'twice', reason_code => 1);
	revoke_serial('twice', 5);
	# Some time for what shall not happen.
	sleep 2;
	my $after = Pappus::Feed::state($stack->run . '/public/feed');
	is($after->{sequence}, $before->{sequence}, 'changes nothing in the feed');
	crl_says('twice', 'Affiliation Changed');
	is(try('twice'), '5', 'refused as before');
	others_stay();
};

# ----------------------------------------------------------- what must not work

subtest 'another project\'s operator' => sub {
	my $stranger = $stack->another_admin('stranger',
	    "role = 'operator', project_id = '$keeping'");
	my $id = $device{neighbour}{id};
	for my $path (map({ "/devices/$id/$_" } qw(revoke deny reset)),
		'/certificates/' . serial($device{neighbour}) . '/revoke',
		"/devices/$device{'unknown id'}{id}/allow") {
		is_problem($path =~ s/\w{10,}/…/r, $stack->admin('POST', $path,
			token => $stranger, document => { reason => 'test' }),
		    404, 'not-found');
	}
	sleep 1.5;
	is(try('neighbour'), '0', 'the device is let in');
	is(try('unknown id'), '5', 'the other is not');
	others_stay();
};

subtest 'reason codes that do not exist' => sub {
	my $serial = serial($device{neighbour});
	for my $code (2, 7, 8, 10, 11, -1, 1.5, 256, '1', 'keyCompromise') {
		for my $path ("/devices/$device{neighbour}{id}/revoke",
			"/certificates/$serial/revoke") {
			my $answer = post($path,
			    { reason => 'test', reason_code => $code });
			is($answer->{status}, 400, "$code: " . ($path =~ /^.(\w+)/)[0])
			    or diag($answer->{body});
		}
	}
	is(post("/devices/$device{neighbour}{id}/revoke", { reason => 'test',
		reason_code => 6 })->{status}, 400, 'a device is denied, not held');
	sleep 1.5;
	is(try('neighbour'), '0', 'the device is let in');
	ok(!has_serial('neighbour'), 'and not on the list');
	others_stay();
};

# --------------------------------------------------------------- what is served

sub served
{
	my ($path, %want) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $to ($want{only} // qw(public device)) {
		my $answer = $stack->http('GET', $path, to => $to);
		my $headers = $answer->{headers};
		is_deeply([$answer->{status}, $headers->{'content-type'},
			$headers->{'cache-control'}],
		    [200, [$want{type}], [$want{cache}]], "$path, $to")
		    or diag($answer->{head});
	}
}

subtest 'CRLs and CA certificates' => sub {
	for (qw(device root)) {
		served("/crl/$_.crl", type => 'application/pkix-crl',
		    cache => 'max-age=300');
		served("/crl/$_.pem", type => 'application/x-pem-file',
		    cache => 'max-age=300');
		served("/ca/$_.cer", type => 'application/pkix-cert',
		    cache => 'max-age=86400');
	}
	my %served = map { $_ => $stack->http('GET', $_, to => 'public')->{body} }
	    map { ("/crl/$_.crl", "/crl/$_.pem") } qw(device root server);
	for my $ca (qw(device root server)) {
		my (undef, $der) = Pappus::Test::run_command($served{"/crl/$ca.pem"},
		    'openssl', 'crl', '-outform', 'DER');
		is($der, $served{"/crl/$ca.crl"}, "$ca: PEM and DER are the same");
	}
};

subtest 'the feed' => sub {
	served('/feed/state', only => 'device', type => 'text/plain',
	    cache => 'no-cache');
	for my $to (qw(public admin)) {
		is($stack->http('GET', '/feed/state', to => $to)->{status}, 404,
		    "none on the $to listener");
	}
	my $state = $stack->http('GET', '/feed/state');
	my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime time + 60);
	ok(!$state->{headers}{etag}, 'the state has no ETag');
	for my $condition ("If-Modified-Since: $date", 'If-None-Match: "x"') {
		is($stack->http('GET', '/feed/state', headers => [$condition])
		    ->{status}, 200, "never 304: $condition");
	}
	# Whatever it names is there, by its digest; the state may move on.
	ok(wait_until($PATIENCE, sub {
		my @names = $stack->http('GET', '/feed/state')->{body}
		    =~ /([0-9a-f]{64})$/mg;
		return @names >= 4 && !grep {
			my $answer = $stack->http('GET', "/feed/$_");
			$answer->{status} != 200
			    || sha256_hex($answer->{body}) ne $_
			    || $answer->{headers}{'cache-control'}[0]
				ne 'max-age=600' } @names;
	}), 'all that it names is served');
	is($stack->http('GET', '/feed/' . '0' x 64)->{status}, 404,
	    'and nothing else');
};

# A verifier of its own: openssl, with what is served.
subtest 'openssl verify' => sub {
	my $tmp = $stack->tmp;
	for (['crl/device.pem', 'device-crl'], ['crl/root.pem', 'root-crl'],
		['ca/device.pem', 'device-ca'], ['ca/root.pem', 'root-ca']) {
		spew("$tmp/$$_[1].pem",
		    $stack->http('GET', "/$$_[0]", to => 'public')->{body});
	}
	my $verify = sub {
		my ($certificate, @more) = @_;
		my ($status, $out, $err) = Pappus::Test::run_command('', 'openssl',
		    'verify', '-x509_strict', '-CAfile', "$tmp/root-ca.pem",
		    '-untrusted', "$tmp/device-ca.pem", @more, $certificate);
		return $status == 0 ? 'good'
		    : "$out$err" =~ /error 23 at 0 depth/ ? 'revoked' : "$out$err";
	};
	my @crl = ('-purpose', 'sslclient', '-crl_check', '-CRLfile',
	    "$tmp/device-crl.pem");
	for my $who (qw(revoked compromised denied one-of-two replaced reset held
		twice)) {
		my $certificate = $device{$who}{certificate};
		is($verify->($certificate), 'good', "$who: without a CRL it is good");
		is($verify->($certificate, @crl), 'revoked', "$who: with it revoked");
	}
	for my $who ('neighbour', 'another', 'two-of-two', 'replacing',
		'come back') {
		is($verify->($device{$who}{certificate}, @crl), 'good',
		    "$who: good with it, too");
	}
	is($verify->("$tmp/device-ca.pem", '-crl_check', '-CRLfile',
		"$tmp/root-crl.pem"), 'good', 'the sub-CA with the root\'s');
};

others_stay();
done_testing;
