# SPDX-License-Identifier: ISC
# Bad input: each request gets its documented problem, never a 500; no worker
# is lost by it, and nothing is written.
use strict;
use warnings;
use IO::Socket::UNIX;
use Test::More;
use Pappus::Check qw(is_problem forged);
use Pappus::Session;
use Pappus::Test;
use Pappus::Workers qw(workers);

my $stack = Pappus::Test->start;
my $project = $stack->project;
my $regenerated = $stack->enrollment_token($project);
my $token = $stack->enrollment_token($project);
my ($device, $denied) = map { $stack->enroll($token, external_id => $_)->{json} }
    'good', 'denied';
$stack->identity($_->{device_token}) for $device, $denied;
$stack->admin('POST', "/devices/$denied->{device_id}/deny",
    document => { reason => 'test' });

# What must be the same after each request as before it.
my @programs = qw(enroll identity admin);
my $session = do {
	local $ENV{PGPASSFILE} = $stack->dir . '/pgpass';
	Pappus::Session->new('host=' . $stack->run
	    . '/pg dbname=pappus user=postgres');
};

sub written
{
	return $session->value(<<'	SQL');
		SELECT (SELECT md5(string_agg(p::text, '' ORDER BY p))
			FROM pappus.projects p),
			(SELECT md5(string_agg(i::text, '' ORDER BY i))
			FROM pappus.issuers i),
			(SELECT md5(string_agg(t::text, '' ORDER BY t))
			FROM pappus.enrollment_tokens t),
			(SELECT md5(string_agg(d::text, '' ORDER BY d))
			FROM pappus.devices d),
			(SELECT count(*) FROM pappus.certificates),
			(SELECT count(*) FROM pappus.revocations),
			(SELECT count(*) FROM pappus.unknown_devices),
			(SELECT count(*) FROM pappus.operator_actions);
	SQL
}

sub all_workers
{
	return join ' ', map { "$_: @{[workers($stack, $_)]}" } @programs;
}
my $written = written();
my $workers = all_workers();
like($written, qr/^(?:\w{32}\|){4}4\|1\|0\|11$/, 'what is there at first');
like($workers, qr/^(?:\w+: \d+ \d+ ?){3}$/, 'two workers each');

# Bytes of a request.  A header without a colon is sent as it is.
sub request
{
	my ($line, @rest) = @_;
	my $body = @rest && ref $rest[-1] ? ${pop @rest} : undef;
	push @rest, 'Content-Length: ' . length $body
	    if defined $body && !grep { /^(?:content-length|transfer-encoding):/i }
	    @rest;
	return join("\r\n", "$line HTTP/1.1", 'Host: localhost',
	    'Connection: close', @rest, '', '') . ($body // '');
}

# try NAME, BYTES, STATUS, KIND, HEADER => VALUE…; a status of 0 is no answer.
sub try
{
	my ($name, $bytes, $status, $kind, %header) = @_;
	my $to = $bytes =~ m{^\S+ /admin/} ? 'admin' : 'device';
	my $answer = $stack->raw($bytes, to => $to,
	    timeout => $status ? 10 : 0.7);
	if ($status) {
		is_problem($name, $answer, $status, $kind, %header);
	} else {
		is($answer, undef, "$name: no answer");
	}
	my $now = written();
	is($now, $written, "$name: nothing written");
	$written = $now;
	return;
}

# Table rows for try, followed by a look at the workers.
sub table
{
	my ($title, @rows) = @_;
	subtest $title => sub {
		try(@$_) for @rows;
		is(all_workers(), $workers, 'the same workers');
	};
	return;
}

# ---------------------------------------------------------------- the tokens

my %bearer = ('www-authenticate' => 'Bearer realm="pappus"');
my %invalid = ('www-authenticate' =>
    'Bearer realm="pappus", error="invalid_token"');
my %at = (
	'/enroll' => ['POST /enroll', 'Thistle-Device-Enrollment-Token: '],
	'/identity' => ['GET /identity', 'Authorization: Bearer '],
	'/ca' => ['GET /ca', 'Authorization: Bearer '],
	'/admin/v1/projects' => ['GET /admin/v1/projects',
	    'Authorization: Bearer '],
);
my %good = ('/enroll' => $token, '/identity' => $device->{device_token},
	'/ca' => $device->{device_token},
	'/admin/v1/projects' => $stack->{admin_token});

for my $path (sort keys %at) {
	my ($line, $header) = @{$at{$path}};
	my $good = $good{$path};
	my $with = sub { request($line, map { "$header$_" } @_) };
	my @others = map { ["the token of $_", $with->($good{$_}), 401,
		'invalid-token'] } grep { $good{$_} ne $good } sort keys %good;
	# nginx itself refuses a second Authorization.
	table("$path: tokens",
	    ['no header', request($line), 401, 'unauthenticated'],
	    ['empty', $with->(''), 401, 'unauthenticated'],
	    ['blanks', $with->('   '), 401, 'unauthenticated'],
	    ['doubled', $with->($good, $good), 400, 'bad-request'],
	    ['doubled, one empty', $with->('', $good), 400, 'bad-request'],
	    ['doubled, one wrong', $with->($good, forged($good)), 400,
		'bad-request'],
	    ['under another name', request($line, "X-$header$good"), 401,
		'unauthenticated'],
	    ['with underscores', request($line, 'Thistle_Device_Enrollment_Token: '
		. $good), 401, 'unauthenticated'],
	    @others,
	    ['another secret', $with->(forged($good)), 401, 'invalid-token'],
	    ['another row', $with->(forged(substr($good, 0, 3) . '0' x 26)), 401,
		'invalid-token'],
	    ['a wrong checksum', $with->($good =~ s/(.)$/$1 eq '0' ? 1 : 0/er),
		401, 'invalid-token'],
	    ['cut short', $with->(substr $good, 0, -1), 401, 'invalid-token'],
	    ['too long', $with->("${good}0"), 401, 'invalid-token'],
	    ['far too long', $with->($good . 'a' x 3000), 401, 'invalid-token'],
	    ['oversized', $with->($good . 'a' x 9000), 431, 'header-too-large'],
	    ['upper case', $with->(uc $good), 401, 'invalid-token'],
	    ['quoted', $with->("\"$good\""), 401, 'invalid-token'],
	    ['a list', $with->("$good, $good"), 401, 'invalid-token'],
	    ['NUL after it', $with->("$good\0"), 400, 'bad-request'],
	    ['NUL in it', $with->($good =~ s/..$/\0/r), 400, 'bad-request'],
	    ['not UTF-8', $with->("\xff\xfe" . substr $good, 2), 401,
		'invalid-token'],
	    ['UTF-8 that looks alike', $with->($good =~ s/^(.)t/$1\xd1\x82/r), 401,
		'invalid-token'],
	    ['a control character', $with->("$good\x01"), 401, 'invalid-token'],
	    ['folded over two lines', $with->(substr($good, 0, 40) . "\r\n "
		. substr($good, 40)), 400, 'bad-request'],
	    ['a prefix alone', $with->(substr $good, 0, 3), 401, 'invalid-token'],
	    ['the row alone', $with->(substr $good, 0, 29), 401, 'invalid-token'],
	    ['SQL', $with->("'; DROP TABLE pappus.devices; --"), 401,
		'invalid-token'],
	    ['percent signs', $with->('%s%n%x' x 20), 401, 'invalid-token'],
	);
}
table('tokens that were good once',
    ['regenerated', request('POST /enroll',
	"Thistle-Device-Enrollment-Token: $regenerated"), 401, 'invalid-token'],
    ['of a denied device', request('GET /identity',
	"Authorization: Bearer $denied->{device_token}"), 403, 'device-denied'],
);
table('other ways to present one',
    (map { ["Authorization: $_", request('GET /identity', "Authorization: $_"),
	401, 'unauthenticated', %bearer] } 'Basic eDp4', 'Bearer', 'x',
	"Digest $device->{device_token}", "Bearer\t$device->{device_token}"),
    ['in the query', request("GET /identity?token=$device->{device_token}"), 400,
	'bad-request'],
    ['in a cookie', request('GET /identity',
	"Cookie: token=$device->{device_token}"), 401, 'unauthenticated', %bearer],
    ['in the path', request("GET /identity/$device->{device_token}"), 404,
	'not-found'],
);

# ------------------------------------------------------------------ the forms

my @enrolls = ('POST /enroll', "Thistle-Device-Enrollment-Token: $token");
my $form = 'Content-Type: application/x-www-form-urlencoded';

sub form
{
	my ($name, $body, $status, $kind) = @_;
	return [$name, request(@enrolls, $form, \$body), $status // 400,
	    $kind // 'bad-request'];
}

table('urlencoded forms',
    form('a cut escape', 'label=%'), form('a cut escape', 'label=%4'),
    form('no escape', 'label=%zz'), form('an escaped NUL', 'label=a%00b'),
    form('a raw NUL', "label=a\0b"), form('NUL in a name', "la\0bel=a"),
    form('escaped NUL in a name', 'label%00=a'),
    form('not UTF-8', 'label=%ff'), form('raw, not UTF-8', "label=\xff"),
    form('an overlong form', 'label=%c0%af'),
    form('a surrogate', 'label=%ed%a0%80'),
    form('beyond Unicode', 'label=%f4%90%80%80'),
    form('cut in a character', 'label=%e6%8f'),
    form('a noncharacter', 'label=%ef%bf%bf'),
    form('a control character', 'label=a%0ab'),
    form('a C1 control character', 'label=%c2%85'),
    form('no name', '=a'), form('a name of control characters', '%01=a'),
    form('an unknown field, not UTF-8', 'x=%ff'),
    form('label doubled', 'label=a&label=a'),
    form('label doubled, one empty', 'label=&label=a'),
    form('label doubled, one escaped', 'label=a&l%61bel=a'),
    form('external_id doubled', 'external_id=a&external_id=b'),
    form('external_id empty', 'external_id='),
    form('external_id without a value', 'external_id'),
    form('label too long', 'label=' . 'a' x 129),
    form('external_id too long', 'external_id=' . '%c3%bc' x 129),
    form('oversized', 'label=' . 'a' x 8187, 413, 'payload-too-large'),
    form('oversized for nginx', 'a' x 17000, 413, 'payload-too-large'),
    form('an external_id that is denied', 'external_id=denied', 403,
	'device-denied'),
    form('an external_id with an identity', 'external_id=good', 409,
	'identity-exists'),
    form('binary', join '', map { chr } 0 .. 255),
);

sub typed
{
	my ($type, $status, $kind, $body) = @_;
	$body //= 'label=a';
	return ["'$type'", request(@enrolls, "Content-Type: $type", \$body),
	    $status, $kind];
}

table('media types',
    (map { typed($_, 415, 'unsupported-media-type') } 'application/json',
	'text/plain', '', 'x', '/', ';', 'application/x-www-form-urlencodedx',
	'application/x-www-form-urlencoded, text/plain', 'multipart/mixed',
	"application/x-www-form-urlencoded; charset=latin1", "\xff\xfe",
	'multipart/', 'a' x 2000, '%s%n'),
    (map { typed($_, 400, 'bad-request') } 'multipart/form-data',
	'multipart/form-data; boundary=', 'multipart/form-data; boundary="',
	'multipart/form-data; boundary=' . 'x' x 71,
	'multipart/form-data; boundary=a; boundary=b',
	'multipart/form-data; boundary="a b "',
	"multipart/form-data; boundary=\xff",
	'application/x-www-form-urlencoded; charset'),
    ['none', request(@enrolls, \'label=a'), 415, 'unsupported-media-type'],
    ['a compressed body', request(@enrolls, $form, 'Content-Encoding: gzip',
	\"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbIL\xb2M\x04\0"), 400, 'bad-request'],
);

# A part: its headers, its value; and a form of parts.
sub part
{
	my ($headers, $value) = @_;
	return "--b\r\n$headers\r\n\r\n$value\r\n";
}

sub multipart
{
	my ($name, $body, $status, $kind) = @_;
	return [$name, request(@enrolls,
	    'Content-Type: multipart/form-data; boundary=b', \$body),
	    $status // 400, $kind // 'bad-request'];
}
my $disposition = 'Content-Disposition: form-data; name=label';
my $whole = part($disposition, 'pump') . "--b--\r\n";

table('multipart forms',
    # The last two bytes are no part of the closing boundary.
    (map { multipart("cut short after $_ bytes", substr $whole, 0, $_) }
	1 .. length($whole) - 3),
    multipart('nested', part("$disposition\r\nContent-Type: multipart/mixed;"
	. ' boundary=c', "--c\r\n\r\na\r\n--c--") . "--b--\r\n"),
    multipart('no name', part('Content-Disposition: form-data', 'a') . '--b--'),
    multipart('an empty name', part('Content-Disposition: form-data; name=""',
	'a') . '--b--'),
    multipart('two names', part("$disposition; name=label", 'a') . '--b--'),
    multipart('no disposition', part('Content-Type: text/plain', 'a') . '--b--'),
    multipart('another disposition', part('Content-Disposition: attachment;'
	. ' name=label', 'a') . '--b--'),
    multipart('two dispositions', part("$disposition\r\n$disposition", 'a')
	. '--b--'),
    multipart('a file', part("$disposition; filename=x", 'a') . '--b--'),
    multipart('label doubled', part($disposition, 'a') x 2 . '--b--'),
    multipart('in base64', part("$disposition\r\nContent-Transfer-Encoding:"
	. ' base64', 'YQ==') . '--b--'),
    multipart('in Latin-1', part("$disposition\r\nContent-Type: text/plain;"
	. ' charset=iso-8859-1', 'a') . '--b--', 415, 'unsupported-media-type'),
    multipart('not UTF-8', part($disposition, "\xff") . '--b--'),
    multipart('a NUL', part($disposition, "a\0b") . '--b--'),
    multipart('a line end', part($disposition, "a\r\nb") . '--b--'),
    multipart('a NUL in a header', part("$disposition\0", 'a') . '--b--'),
    multipart('a header that is not UTF-8', part("$disposition; x=\xff", 'a')
	. '--b--'),
    multipart('a header without a colon', part('x', 'a') . '--b--'),
    multipart('an endless header', '--b' . "\r\nA: " . 'a' x 8000),
    multipart('line feeds alone', $whole =~ s/\r//gr),
    multipart('another boundary', $whole =~ s/--b/--c/gr),
    multipart('label too long', part($disposition, 'a' x 129) . '--b--'),
    multipart('boundaries alone', "--b\r\n" x 1000),
    multipart('oversized', part($disposition, 'a' x 8192) . '--b--', 413,
	'payload-too-large'),
);

# ---------------------------------------------------------------- the framing

my @chunked = (@enrolls, $form, 'Transfer-Encoding: chunked');
table('framing',
    ['a body shorter than announced', request(@enrolls, $form,
	'Content-Length: 100', \'label=a'), 0],
    ['a body that never comes', request(@enrolls, $form, 'Content-Length: 7'),
	0],
    ['a chunk that is cut short', request(@chunked, \"20\r\nlabel=a"), 0],
    ['chunks without an end', request(@chunked, \"7\r\nlabel=a\r\n"), 0],
    (map { ["a chunk of '$_'", request(@chunked, \"$_\r\nlabel=a\r\n0\r\n\r\n"),
	400, 'bad-request'] } '-7', 'x', '', '7' x 40, "7\0"),
    ['a chunk longer than its size', request(@chunked,
	\"3\r\nlabel=a\r\n0\r\n\r\n"), 400, 'bad-request'],
    ['a form that is bad only as a whole', request(@chunked,
	\"7\r\nlabel=%\r\n2\r\nff\r\n0\r\n\r\n"), 400, 'bad-request'],
    ['chunks that make it oversized', request(@chunked,
	\(("400\r\n" . 'a' x 1024 . "\r\n") x 9 . "0\r\n\r\n")), 413,
	'payload-too-large'],
    ['two lengths', request(@enrolls, $form, 'Content-Length: 7',
	'Content-Length: 8', \'label=a'), 400, 'bad-request'],
    (map { ["a length of '$_'", request(@enrolls, $form, "Content-Length: $_",
	\'label=a'), 400, 'bad-request'] } '-1', '7x', '0x7', '7, 7', ' ', '+7',
	'9' x 30),
    ['a length beyond all measure', request(@enrolls, $form,
	'Content-Length: 9223372036854775807', \'label=a'), 413,
	'payload-too-large'],
    ['an oversized body of a GET', request('GET /identity',
	"Authorization: Bearer $device->{device_token}",
	'Content-Length: 20000', \('a' x 20000)), 413, 'payload-too-large'],
);

# ------------------------------------------------------- methods and addresses

table('methods',
    (map { ["$_ /enroll", request("$_ /enroll", $enrolls[1]), 405,
	'method-not-allowed', allow => 'POST'] } qw(GET PUT DELETE PATCH OPTIONS),
	'PROPFIND', 'X' x 60),
    (map { ["$_ /identity", request("$_ /identity",
	"Authorization: Bearer $device->{device_token}"), 405,
	'method-not-allowed', allow => 'GET'] } qw(POST PUT DELETE PATCH OPTIONS)),
    (map { ["'$_'", request("$_ /identity",
	"Authorization: Bearer $device->{device_token}"), 400, 'bad-request'] }
	'get', 'GeT', 'G@T', "G\0T", "\xc3\x9c", ''),
);
table('addresses',
    (map { [$_, request("POST $_", $enrolls[1]), 404, 'not-found'] } '/enroll/',
	'/ENROLL', '/enroll/x', '/enroll%2f', '/enroll;x', '/enroll.json', '/',
	'/enroll%ff', '/enroll%0a', '/.problem/200', '/%65nrol'),
    (map { [$_, request("POST $_", $enrolls[1]), 400, 'bad-request'] }
	'/enroll%00', '/enroll%', '/enroll%zz', 'enroll', '/../enroll',
	"/enroll\0"),
    (map { [$_, request("GET /admin/v1/devices/$_", "Authorization: Bearer "
	. $stack->{admin_token}), 404, 'not-found'] } '%ff', '%0a', 'x%20y',
	"$device->{device_id}%20", uc $device->{device_id}, 'dev_',
	$device->{device_id} . '0', '%27%20OR%201=1', 'a' x 4000),
    (map { ["query $_", request("GET /admin/v1/devices?$_",
	"Authorization: Bearer $stack->{admin_token}"), 400, 'bad-request'] }
	'limit=%', 'limit=%ff', "limit=\xff", 'cursor=a%00', 'limit=1&limit=1',
	'state=%27', 'label=%00', 'label=%ff', 'label=', 'label=' . 'a' x 257,
	'enrolled_after=%27', 'enrolled_before=1e999', 'label=a&label=a', 'x=1'),
    ['query project_id=%27', request('GET /admin/v1/devices?project_id=%27',
	"Authorization: Bearer $stack->{admin_token}"), 404, 'not-found'],
);

# ------------------------------------------------------ operators' documents

# Rows for table: each of the bodies is refused.
sub documents
{
	my ($line, @bodies) = @_;
	my $name = $line =~ s{/admin/v1}{}r =~ s/_\K\w{26}/ID/gr;
	return map { ["$name $_", request($line =~ s{ }{ /admin/v1}r,
	    "Authorization: Bearer $stack->{admin_token}",
	    'Content-Type: application/json', \$_), 400, 'bad-request'] } @bodies;
}

my @none = ('', '{', '[]', 'null', '"x"', "\0", '{"x":1}', "{'a':1}");
my $act = "POST /devices/$device->{device_id}";
table('documents',
    documents("PATCH /projects/$project", @none, '{"name":""}', '{"name":null}',
	'{"name":"a\u0000"}', '{"state":"deleted"}', '{"state":"Active"}',
	'{"reissue_policy":"never"}', '{"device_limit":0}',
	'{"device_limit":2147483648}', '{"device_limit":1e3}',
	'{"device_limit":"1"}', '{"issue_limit":1001}', '{"issue_limit":null}',
	'{"device_issuer_id":-1}', '{"device_issuer_id":999999999}',
	'{"project_id":"x"}', '{"name":"a","name":"b"}', '{"device_limit":[1]}'),
    # An empty body is fine there.
    documents("POST /projects/$project/enrollment-tokens", grep({ $_ ne '' }
	@none), '{"expires_in":59}', '{"max_uses":0}', '{"max_uses":null}',
	'{"grace":-1}', '{"grace":604801}', '{"allowed_cidrs":[]}',
	'{"allowed_cidrs":"10.0.0.0/8"}', '{"allowed_cidrs":["10.0.0.0/33"]}',
	'{"allowed_cidrs":["10.0.0.1/8"]}', '{"allowed_cidrs":["x\u0000"]}',
	'{"allowed_cidrs":[["10.0.0.0/8"]]}'),
    documents("$act/revoke", @none, '{}', '{"reason":""}', '{"reason":1}',
	'{"reason":"x","reason_code":-1}', '{"reason":"x","reason_code":11}',
	'{"reason":"x","reason_code":6}', '{"reason":"x","reason_code":"1"}',
	'{"reason":"x","reason_code":null}', '{"reason":"x","reason_code":1.5}'),
    documents("$act/reset", @none, '{}', '{"reason":""}',
	'{"reason":"x","reason_code":1}', '{"reason":"x","device_token":"dt_"}'),
    documents('POST /certificates/01/revoke', @none, '{}',
	'{"reason":"x","reason_code":7}', '{"reason":"x","reason_code":8}'),
    documents('POST /certificates/8' . '0' x 39 . '/revoke', '{"reason":"x"}'),
    documents('PATCH /issuers/1', @none, '{"state":""}', '{"state":"open"}',
	'{"state":null}', '{"name":"x"}', '{"shared":null}', '{"shared":1}',
	'{"shared":"true"}', '{"shared":false}', '{"shared":true,"shared":true}'),
);
table('ids and serials in paths',
    (map { ["$$_[0] $$_[1]", request("$$_[0] /admin/v1$$_[1]",
	"Authorization: Bearer $stack->{admin_token}",
	'Content-Type: application/json', \'{"reason":"x"}'), 404, 'not-found'] }
	(map { ['POST', "/devices/$_/revoke"], ['POST', "/devices/$_/reset"] }
	    'x', uc $device->{device_id}, $project, '%01'),
	(map { ['DELETE', "/enrollment-tokens/$_"] } 'x', $project, 'etk_', '%ff'),
	(map { ['GET', "/certificates/$_"], ['POST', "/certificates/$_/revoke"] }
	    '0', '001', 'AB', '0x', 'xy', '01' x 21, '%27'),
	(map { ['PATCH', "/issuers/$_"] } 'x', '-1', '1.0', '1e1', '9' x 10,
	    '%201')),
);

# --------------------------------------- a web server that is broken, or an ass

# Speaks FastCGI to a program's socket: params, standard input; what comes.
sub fastcgi
{
	my ($program, $params, $stdin, %option) = @_;
	my $socket = IO::Socket::UNIX->new($stack->run . "/$program.sock")
	    or die "connect: $!";
	my $record = sub { pack('CCnnCC', 1, $_[0], 1, length $_[1], 0, 0)
		. $_[1] };
	my $length = sub { $_[0] < 128 ? chr $_[0] : pack 'N', $_[0] | 1 << 31 };
	my $pairs = join '', map { $length->(length $_)
	    . $length->(length $params->{$_}) . $_ . $params->{$_} }
	    sort keys %$params;
	my $bytes = $option{bytes} // join '', $record->(1, pack 'nC6', 1, 0),
	    $record->(4, $pairs), $record->(4, ''),
	    length $stdin ? $record->(5, $stdin) : (), $record->(5, '');
	local $SIG{PIPE} = 'IGNORE';
	syswrite $socket, $bytes;
	shutdown $socket, 1 if $option{bytes};
	local $SIG{ALRM} = sub { die "no end of the answer\n" };
	alarm 15;
	my $got = do { local $/; <$socket> } // '';
	alarm 0;
	my $out = '';
	while ($got =~ s/^(.{8})//s) {
		my ($type, $len, $pad) = (unpack 'CCnnCC', $1)[1, 3, 4];
		$out .= substr $got, 0, $len if $type == 6;
		substr $got, 0, $len + $pad, '';
	}
	return $out =~ /^Status: (\d+)/ ? $1 : 0;
}

subtest 'behind the web server' => sub {
	my %enroll = (REQUEST_METHOD => 'POST', DOCUMENT_URI => '/enroll',
		CONTENT_TYPE => 'application/x-www-form-urlencoded',
		HTTP_THISTLE_DEVICE_ENROLLMENT_TOKEN => $token,
		CONTENT_LENGTH => 7, REMOTE_ADDR => '192.0.2.1',
		REQUEST_ID => 'f' x 32);
	my $say = sub { fastcgi('enroll', { %enroll, @_ }, 'label=%') };
	is($say->(), 400, 'a bad form, well framed');
	is($say->(CONTENT_LENGTH => 100), 400, 'shorter than announced');
	is($say->(CONTENT_LENGTH => $_), 413, "a length of $_")
	    for '-1', '99999999999999999999', '8193';
	is($say->(REQUEST_METHOD => ''), 405, 'no method');
	is($say->(DOCUMENT_URI => ''), 404, 'no address');
	is($say->(DOCUMENT_URI => "/enroll\0x"), 400, 'NUL ends an address');
	is($say->(REQUEST_ID => $_), 400, "request id $_")
	    for '', 'x' x 32, 'f' x 31, "f" x 16 . "'" x 16;
	is($say->(REMOTE_ADDR => $_), 400, "address '$_'")
	    for '', 'x', '1.2.3', 'unix:', '1.2.3.4/0';
	is($say->(REQUEST_MSEC => $_), 400, "handed over at '$_'") for '', 'x', '0',
	    '-1', 'nan', 'inf', '1e999', '9' x 400, time + 1000, time, time - 4;
	is(fastcgi('enroll', { %enroll, REQUEST_MSEC => time - 7 }, 'label=a'), 503,
	    'handed over long ago');
	is(fastcgi('enroll', {}, ''), 404, 'nothing at all');
	is(fastcgi($_, undef, '', bytes => "GET / HTTP/1.1\r\n\r\n" x 10), 0,
	    "$_: no FastCGI") for @programs;
	is(fastcgi($_, undef, '', bytes => "\x01"), 0, "$_: a byte")
	    for @programs;
	is(fastcgi($_, undef, '', bytes => "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
		. "\1\4\0\1\xff\xff\0\0\x7f\xff"), 0, "$_: cut in its params")
	    for @programs;
	# Names of 2 GB, announced only (CVE-2025-23016).
	is(fastcgi('enroll', undef, '', bytes => "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
		. "\1\4\0\1\0\10\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), 0,
	    'lengths of a giant');
	is(written(), $written, 'nothing was written');
	is(all_workers(), $workers, 'the same workers');
};

subtest 'good requests beside them' => sub {
	my $enrolled = $stack->enroll($token, label => 'after')->{json};
	is($stack->identity($enrolled->{device_token})->{status}, 200,
	    'enroll and identity serve');
	is($stack->admin('GET', '/projects')->{status}, 200, 'admin serves');
	my $answer = $stack->raw(request(@chunked,
		\"1\r\nl\r\n6;x=y\r\nabel=a\r\n0\r\nTrailer: x\r\n\r\n"));
	is($answer->{status}, 200, 'chunks with extensions and a trailer')
	    or diag($answer->{body});
	$answer = $stack->raw(request(@enrolls, 'Content-Type:'
		. ' multipart/form-data; boundary="b"',
		\"before\r\n${whole}after"));
	is($answer->{status}, 200, 'a form with text around it');
	$answer = $stack->raw(request('GET /identity', 'Authorization: Bearer '
		. $enrolled->{device_token}, $form, \'label=%ff'));
	is($answer->{status}, 200, 'a GET\'s body is nobody\'s business');
	$answer = $stack->raw(request(@enrolls, 'Content-Type: x',
		'Content-Length: 0'));
	is($answer->{status}, 200, 'an empty body of any type');
};

subtest 'the logs' => sub {
	for my $program (@programs) {
		my $log = $stack->log($program);
		is(scalar(() = $log =~ / event=serving/g), 2,
		    "$program: no worker was replaced");
		unlike($log, qr/level=error/, "$program: no error");
		# One was late.
		unlike($log, qr/status=5(?!03.*us=7\d{6}\b)/, "$program: no 5xx");
	}
	unlike($stack->log('postgres'), qr/ (?:ERROR|FATAL|PANIC):/,
	    'PostgreSQL was asked nothing wrong');
	unlike($stack->log('nginx-error'), qr/upstream|\[(?:crit|alert|emerg)\]/,
	    'nginx lost no program');
	unlike($stack->log('nginx-access'), qr/ 5\d\d /, 'no 5xx');
};

done_testing;
