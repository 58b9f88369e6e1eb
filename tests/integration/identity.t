# SPDX-License-Identifier: ISC
# GET /identity: what it answers, that the database has what was issued, that
# asking again replaces, and that there is only ever one valid certificate.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(decode_base64);
use Test::More;
use Pappus::Check qw(is_problem at_once log_line serial_of);
use Pappus::Test qw(wait_until);

my $stack = Pappus::Test->start;
my $project = $stack->project;
# One device asks more often here than it usually may.
$stack->admin('PATCH', "/projects/$project", document => { issue_limit => 1000 });
my $token = $stack->enrollment_token($project);
my $id_pattern = qr/[0-9a-hjkmnp-tv-z]{26}/;
my $line = qr{[0-9A-Za-z+/]{64}\n};
my $last = qr{[0-9A-Za-z+/]{1,64}={0,2}\n};
my ($certificate, $key) = map {
	qr/-----BEGIN $_-----\n$line*$last-----END $_-----\n/
} 'CERTIFICATE', 'PRIVATE KEY';

sub sql { return $stack->psql('postgres', "@_") }
sub openssl { return (Pappus::Test::run_command(shift, 'openssl', @_))[1] }

# What the database says of a device's certificates: serial => revocation.
sub certificates
{
	my ($id) = @_;
	return map { split /\|/, $_, 2 } split /\n/, sql(<<"	SQL");
		SELECT encode(c.serial, 'hex'),
			coalesce(r.reason || ' ' || r.origin || ' ' || r.actor,
			'valid')
		FROM pappus.certificates c
		LEFT JOIN pappus.revocations r USING (serial)
		WHERE c.device_id = '$id' ORDER BY c.serial
	SQL
}

sub valid_certificates
{
	my %status = certificates(@_);
	return grep { $status{$_} eq 'valid' } sort keys %status;
}

my $enrolled = $stack->enroll($token)->{json};
my ($id, $device_token) = @$enrolled{qw(device_id device_token)};
my $first = $stack->identity($device_token);

subtest 'the answer' => sub {
	my ($headers, $json) = @$first{qw(headers json)};
	is($first->{status}, 200, 'status');
	is_deeply($headers->{'content-type'}, ['application/json'], 'media type');
	is_deeply($headers->{'cache-control'}, ['no-store'], 'no-store');
	is_deeply([sort keys %$json], [qw(ca_chain_pem device_certificate_pem
		device_id device_private_key_pem mqtt_server_ca_pem)], 'members');
	is($json->{device_id}, $id, 'device_id');
	like($json->{device_certificate_pem}, qr/\A$certificate\z/, 'certificate');
	like($json->{device_private_key_pem}, qr/\A$key\z/, 'key: PKCS#8');
	like($json->{ca_chain_pem}, qr/\A$certificate$certificate\z/,
	    'chain: two certificates');
	my ($sub_ca, $root) = $json->{ca_chain_pem} =~ /($certificate)/g;
	is($sub_ca, Pappus::Test::slurp($stack->dir . '/public/ca/device.pem'),
	    'the sub-CA first');
	is($root, Pappus::Test::slurp($stack->root_file), 'then the root');
	is($json->{mqtt_server_ca_pem}, $root,
	    'the broker is verified with the root');
};

subtest 'key and certificate' => sub {
	my $pem = $first->{json}{device_certificate_pem};
	my $private = $first->{json}{device_private_key_pem};
	my $public = openssl($pem, 'x509', '-noout', '-pubkey');
	is(openssl($private, 'pkey', '-pubout'), $public, 'belong together');
	like(openssl($private, 'pkey', '-check', '-noout'), qr/Key is valid/,
	    'the key is sound');
	like(openssl($private, 'asn1parse'), qr/OBJECT +:prime256v1\n/, 'P-256');
	# A private key without its public half (RFC 5915 §3 lets it go) is one
	# that some TLS stacks of devices refuse.
	like(openssl($private, 'pkey', '-text', '-noout'), qr/^pub:\n +04:/m,
	    'with its public half');
};

subtest 'what the database has of it' => sub {
	my $pem = $first->{json}{device_certificate_pem};
	my $public = openssl($pem, 'x509', '-noout', '-pubkey');
	my ($spki) = $public =~ /-----\n(.*)-----END/s;
	my $row = sql(<<"	SQL");
		SELECT encode(c.serial, 'hex'), encode(c.spki_sha256, 'hex'),
			i.name, i.purpose, c.profile, c.address,
			replace(c.request_id::text, '-', ''),
			to_char(c.not_before, 'Mon FMDD HH24:MI:SS YYYY'),
			to_char(c.not_after, 'Mon FMDD HH24:MI:SS YYYY'),
			encode(i.ski, 'hex')
		FROM pappus.certificates c JOIN pappus.issuers i USING (issuer_id)
		WHERE c.device_id = '$id'
	SQL
	my ($serial, $spki_sha256, $issuer, $purpose, $profile, $address, $request,
	    $not_before, $not_after, $ski) = split /\|/, $row;
	is($serial, serial_of($pem), 'serial');
	is($spki_sha256, sha256_hex(decode_base64($spki)), 'public key');
	like(openssl($pem, 'x509', '-noout', '-issuer'), qr/CN = \Q$issuer\E$/,
	    'issuer');
	is("$purpose $profile", 'device device', 'profile');
	is($address, '127.0.0.1', 'address');
	is($request, $first->{headers}{'x-request-id'}[0], 'request id');
	my %date = openssl($pem, 'x509', '-noout', '-dates')
	    =~ /^(\w+)=(.*) GMT$/mg;
	$_ = s/ +/ /gr for values %date;
	is($date{notBefore}, $not_before, 'notBefore');
	is($date{notAfter}, $not_after, 'notAfter');
	my $aki = openssl($pem, 'x509', '-noout', '-ext', 'authorityKeyIdentifier');
	is(lc($aki =~ s/^.*?:\s*\n|[\s:]//gr), $ski, 'issuer\'s key');
	is(sql("SELECT identity_issued_at IS NOT NULL FROM pappus.devices"
		. " WHERE device_id = '$id'"), 't', 'the device has fetched it');
	is(sql("SELECT count(*) FROM pappus.revocations"), 0, 'nothing is revoked');
	my $line = log_line($stack, 'identity', $request);
	is($line->{$$_[0]}, $$_[1], "log: $$_[0]") for ['method', 'GET'],
	    ['route', '/identity'], ['status', 200], ['outcome', 'issued'],
	    ['device', $id];
};

subtest 'asking again replaces' => sub {
	my $earlier = $first->{json};
	my $later = $stack->identity($device_token)->{json};
	isnt($later->{device_private_key_pem}, $earlier->{device_private_key_pem},
	    'another key');
	my ($old, $new) = map { serial_of($_->{device_certificate_pem}) }
	    $earlier, $later;
	isnt($new, $old, 'another serial');
	is_deeply({certificates($id)},
	    {$old => "4 reissue $id", $new => 'valid'}, 'the older is superseded');
	my $third = serial_of($stack->identity($device_token)
	    ->{json}{device_certificate_pem});
	is_deeply({certificates($id)}, {$old => "4 reissue $id",
		$new => "4 reissue $id", $third => 'valid'}, 'and so on');
	is(sql("SELECT count(*) FROM pappus.revocations WHERE serial ="
		. " '\\x$old' AND revoked_at < now() AND not_after > now()"), 1,
	    'with its time and its end');
};

subtest 'the policy keep' => sub {
	my $set = sub { sql("UPDATE pappus.projects SET reissue_policy = '$_[0]'"
		. " WHERE project_id = '$project'") };
	$set->('keep');
	my $count = valid_certificates($id);
	$stack->identity($device_token);
	is(scalar(valid_certificates($id)), $count + 1, 'leaves older ones valid');
	$set->('replace');
	$stack->identity($device_token);
	is(scalar(valid_certificates($id)), 1, 'replace takes them all');
};

subtest 'other methods issue nothing' => sub {
	my $before = sql('SELECT count(*) FROM pappus.certificates');
	for my $method (qw(POST PUT PATCH DELETE OPTIONS)) {
		is_problem($method, $stack->http($method, '/identity',
			headers => ["Authorization: Bearer $device_token"]), 405,
		    'method-not-allowed', allow => 'GET');
	}
	my $head = $stack->http('HEAD', '/identity',
	    headers => ["Authorization: Bearer $device_token"]);
	is($head->{status}, 405, 'HEAD');
	is_deeply($head->{headers}{allow}, ['GET'], 'HEAD: Allow');
	is($head->{body}, '', 'HEAD: no body');
	is(sql('SELECT count(*) FROM pappus.certificates'), $before,
	    'no certificate was recorded');
};

subtest 'presenting the token' => sub {
	my $with = sub { $stack->http('GET', '/identity',
		headers => ["Authorization: $_[0]"]) };
	is($with->("$_ $device_token")->{status}, 200, $_)
	    for qw(bearer BEARER bEaReR);
	is($with->("Bearer   $device_token")->{status}, 200, 'more spaces');
	is_problem($$_[0], $with->($$_[1]), 401, 'unauthenticated',
	    'www-authenticate' => 'Bearer realm="pappus"') for
	    ['another scheme', "Basic $device_token"],
	    ['no scheme', $device_token], ['no token', 'Bearer'],
	    ['a scheme that only begins so', "Bearerx $device_token"];
	is_problem('nothing', $stack->http('GET', '/identity'), 401,
	    'unauthenticated', 'www-authenticate' => 'Bearer realm="pappus"');
	is_problem('in the query', $stack->http('GET',
		"/identity?access_token=$device_token"), 400, 'bad-request');
	is_problem($$_[0], $with->("Bearer $$_[1]"), 401, 'invalid-token',
	    'www-authenticate' => 'Bearer realm="pappus", error="invalid_token"')
	    for ['an enrolment token', $token],
	    ['an admin token', $stack->{admin_token}],
	    ['in capitals', uc $device_token],
	    ['something after it', "$device_token x"],
	    ['a comma after it', "$device_token,"];
};

subtest 'a denied device' => sub {
	my ($before) = valid_certificates($id);
	my $act = sub { $stack->admin('POST', "/devices/$id/$_[0]",
		document => { reason => 'test' }) };
	$act->('deny');
	is_problem('gets nothing', my $denied = $stack->identity($device_token),
	    403, 'device-denied');
	is(log_line($stack, 'identity', $denied->{json}{request_id})->{device},
	    $id, 'the log says which');
	is_deeply([valid_certificates($id)], [], 'its certificate is on hold');
	$act->('allow');
	is_deeply([valid_certificates($id)], [$before], 'until it is allowed');
	is($stack->identity($device_token)->{status}, 200,
	    'then it gets a new one');
	is(scalar(valid_certificates($id)), 1, 'which is the valid one');
};

subtest 'a disabled project' => sub {
	sql("UPDATE pappus.projects SET state = 'disabled'");
	is_problem('issues nothing', $stack->identity($device_token), 403,
	    'project-disabled');
	sql("UPDATE pappus.projects SET state = 'active'");
};

subtest 'one device many times at once' => sub {
	my @answers = at_once($stack, map { ['GET', '/identity',
		headers => ["Authorization: Bearer $device_token"]] } 1 .. 32);
	my %serials;
	for (@answers) {
		if ($_->{status} == 503) {
			is_problem('busy', $_, 503, 'unavailable');
			next;
		}
		is($_->{status}, 200, 'issued') or diag($_->{body});
		$serials{serial_of($_->{json}{device_certificate_pem} // '')}++;
	}
	ok(scalar(keys %serials), 'some got one');
	my @valid = valid_certificates($id);
	is(@valid, 1, 'exactly one certificate is valid');
	ok($serials{$valid[0]}, 'and it was delivered');
	my %status = certificates($id);
	is_deeply([grep { !exists $status{$_} } keys %serials], [],
	    'each that was delivered is recorded');
};

subtest 'denied while many ask' => sub {
	my $enrolled = $stack->enroll($token)->{json};
	my @ask = ('GET', '/identity',
	    headers => ["Authorization: Bearer $enrolled->{device_token}"]);
	my @deny = ('POST', "/admin/v1/devices/$enrolled->{device_id}/deny",
	    to => 'admin', body => '{"reason":"race"}', headers => [
		"Authorization: Bearer $stack->{admin_token}",
		'Content-Type: application/json']);
	my @answers = at_once($stack, (\@ask) x 12, \@deny, (\@ask) x 12);
	my $denied = splice @answers, 12, 1;
	is($denied->{status}, 200, 'denied') or diag($denied->{body});
	my %status = map { $_->{status} => 1 } @answers;
	delete @status{200, 403, 503};
	is_deeply([keys %status], [], 'each was answered 200, 403 or 503');
	is_deeply([valid_certificates($enrolled->{device_id})], [],
	    'no certificate slipped out beside it');
};

subtest 'many devices at once' => sub {
	my @devices = map { $_->{json} } at_once($stack, map { ['POST', '/enroll',
		headers => ["Thistle-Device-Enrollment-Token: $token"]] } 1 .. 60);
	my @answers = at_once($stack, map { ['GET', '/identity', headers =>
		["Authorization: Bearer $_->{device_token}"]] } @devices);
	is((grep { $_ && $_->{status} == 200 } @answers), 60, 'all are served');
	my @wrong = grep { $answers[$_]{json}{device_id}
		ne $devices[$_]{device_id} } 0 .. 59;
	is_deeply(\@wrong, [], 'each gets its own');
	@wrong = grep { openssl($answers[$_]{json}{device_certificate_pem},
		'x509', '-noout', '-subject') !~ /CN = $devices[$_]{device_id}$/ }
	    0, 30, 59;
	is_deeply(\@wrong, [], 'in its own name');
	my %keys = map { $_->{json}{device_private_key_pem} => 1 } @answers;
	is(keys %keys, 60, 'with a key of its own');
};

subtest 'a sub-CA that can\'t issue any more' => sub {
	my $before = sql('SELECT count(*) FROM pappus.certificates');
	sql("UPDATE pappus.issuers SET not_after = not_after - interval '6 years'"
	    . " WHERE purpose = 'device'");
	is_problem('a leaf would outlive it', $stack->identity($device_token), 503,
	    'unavailable');
	sql("UPDATE pappus.issuers SET not_after = not_after + interval '6 years',"
	    . " state = 'crl-only' WHERE purpose = 'device'");
	is_problem('it only signs CRLs by now', $stack->identity($device_token),
	    503, 'unavailable');
	is(sql('SELECT count(*) FROM pappus.certificates'), $before,
	    'nothing was recorded');
	sql("UPDATE pappus.issuers SET state = 'issuing' WHERE purpose = 'device'");
	ok(wait_until(10, sub { $stack->identity($device_token)->{status} == 200 }),
	    'and service again');
};

subtest 'without a database' => sub {
	$stack->stack('stop', 'postgres');
	is_problem('503 with Retry-After', $stack->identity($device_token), 503,
	    'unavailable');
	$stack->stack('start', 'postgres');
	ok(wait_until(10, sub { $stack->identity($device_token)->{status} == 200 }),
	    'and service again');
};

done_testing;
