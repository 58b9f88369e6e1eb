# SPDX-License-Identifier: ISC
# /admin/v1: who may call what, what each route answers, and what is recorded
# of it.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use JSON::PP qw(decode_json encode_json);
use Test::More;
use Pappus::Check qw(is_problem forged log_line serial_of);
use Pappus::Test qw(slurp);

my $stack = Pappus::Test->start(workers => 1);
my $json_type = 'Content-Type: application/json';
my $ulid = qr/[0-9a-hjkmnp-tv-z]{26}/;
my $time = qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
my $secret = qr/[ade]t_[0-9a-z]{27}/;
my $nobody = 'dev_00000000000000000000000000';
my $nowhere = 'proj_00000000000000000000000000';

sub sql { return $stack->psql('postgres', "@_") }
# The row that an admin token belongs to.
sub row_of { return 'atk_' . substr $_[0], 3, 26 }

# An address in the name of a test.
sub named { return join(' ', @_) =~ s/$ulid/ID/gr }

sub get { return $stack->admin('GET', @_) }
sub post
{
	my ($path, $document) = @_;
	return $stack->admin('POST', $path, document => $document);
}

my $project = $stack->project('routes');
my $token = $stack->enrollment_token($project);
my $enrolled = $stack->enroll($token, label => 'pump',
    external_id => 'SN-1')->{json};
my $device = $enrolled->{device_id};

# Every route, as [METHOD, path, document].
my @routes = (
	['GET', '/projects'],
	['POST', '/projects', { name => 'x' }],
	['GET', "/projects/$project"],
	['GET', "/projects/$project/enrollment-tokens"],
	['POST', "/projects/$project/enrollment-tokens", {}],
	['GET', '/devices'],
	['GET', "/devices/$device"],
	['POST', "/devices/$device/deny", { reason => 'x' }],
	['POST', "/devices/$device/allow", { reason => 'x' }],
);

sub call
{
	my ($route, %option) = @_;
	my ($method, $path, $document) = @$route;
	return $stack->admin($method, $path, %option, document => $document);
}

sub fingerprint
{
	return sql(<<'	SQL');
		SELECT (SELECT count(*) FROM pappus.projects),
			(SELECT count(*) FROM pappus.enrollment_tokens),
			(SELECT count(*) FROM pappus.revocations),
			(SELECT count(*) FROM pappus.operator_actions),
			(SELECT string_agg(state, ',' ORDER BY device_id)
			FROM pappus.devices)
	SQL
}

subtest 'callers' => sub {
	my $before = fingerprint();
	my $challenge = 'Bearer realm="pappus"';
	my %wrong = (
		'an enrolment token' => $stack->enrollment_token($project),
		'a device token' => $enrolled->{device_token},
		'a wrong secret' => forged($stack->{admin_token}),
		'an unknown token' => forged('at_' . '0' x 26),
		'a typing error' => $stack->{admin_token} =~ s/.$/u/r,
	);
	$before = fingerprint();
	for my $route (@routes) {
		my ($method, $path, $document) = @$route;
		my $name = named($method, $path);
		is_problem("$name: nothing presented", $stack->http($method,
			"/admin/v1$path", to => 'admin', $document ? (
			headers => [$json_type], body => encode_json($document))
			: ()), 401, 'unauthenticated',
		    'www-authenticate' => $challenge);
		is_problem("$name: $_", call($route, token => $wrong{$_}), 401,
		    'invalid-token', 'www-authenticate' =>
		    "$challenge, error=\"invalid_token\"") for sort keys %wrong;
	}
	is(fingerprint(), $before, 'nothing was changed');
};

subtest 'roles' => sub {
	my %token = map { $_ => $stack->another_admin($_, "role = '$_'") }
	    qw(auditor operator);
	for my $route (@routes) {
		my $name = named(@$route[0, 1]);
		my $good = $$route[0] eq 'GET' ? 200
		    : $$route[1] =~ m{/(deny|allow)$} ? 200 : 201;
		my $answer = call($route, token => $token{auditor});
		if ($$route[0] eq 'GET') {
			is($answer->{status}, 200, "auditor: $name");
		} else {
			is_problem("auditor: $name", $answer, 403, 'forbidden');
		}
		is(call($route, token => $token{operator})->{status}, $good,
		    "operator: $name");
		is(call($route)->{status}, $good, "owner: $name");
	}
	for my $how ('invalidated_at = now()', 'expires_at = now()') {
		sql("UPDATE pappus.admin_tokens SET $how WHERE admin_token_id = '"
		    . row_of($token{operator}) . q{'});
		is_problem($how, get('/projects', token => $token{operator}), 401,
		    'invalid-token');
		sql('UPDATE pappus.admin_tokens SET invalidated_at = NULL,'
		    . ' expires_at = NULL');
	}
	is(get('/projects', token => $token{operator})->{status}, 200,
	    'a token that is good again');
};

subtest 'a token for one project' => sub {
	my $bound = $stack->another_admin('bound',
	    "project_id = '$project'");
	my $other = $stack->project('other');
	my $stranger = $stack->enroll($stack->enrollment_token($other))->{json};
	my @as = (token => $bound);
	my @projects = @{get('/projects', @as)->{json}{items}};
	is_deeply([map { $_->{project_id} } @projects], [$project],
	    'sees its project');
	my @devices = @{get('/devices', @as)->{json}{items}};
	is_deeply([grep { $_->{project_id} ne $project } @devices], [],
	    'and its devices');
	ok(scalar(@devices), 'which are some');
	is_problem(named(@$_[0, 1]), call($_, @as), 404, 'not-found') for
	    ['GET', "/projects/$other"],
	    ['GET', "/projects/$other/enrollment-tokens"],
	    ['POST', "/projects/$other/enrollment-tokens", {}],
	    ['GET', "/devices?project_id=$other"],
	    ['GET', "/devices/$stranger->{device_id}"],
	    ['POST', "/devices/$stranger->{device_id}/deny", { reason => 'x' }],
	    ['POST', "/devices/$stranger->{device_id}/allow", { reason => 'x' }];
	is_problem('a new project', call(['POST', '/projects', { name => 'x' }],
		@as), 403, 'forbidden');
};

subtest 'listeners' => sub {
	my @bearer = (headers => ["Authorization: Bearer $stack->{admin_token}"]);
	is_problem("devices' listener: " . named(@$_[0, 1]),
	    $stack->http($$_[0], "/admin/v1$$_[1]", @bearer), 404, 'not-found')
	    for @routes;
	is_problem("operators' listener: @$_", $stack->http(@$_, to => 'admin',
		@bearer), 404, 'not-found')
	    for ['POST', '/enroll'], ['GET', '/identity'];
	is_problem("plain HTTP: $_", $stack->http('GET', $_, to => 'public'), 404,
	    'not-found') for qw(/enroll /identity /admin/v1/projects);
	my ($listen) = slurp($stack->run . '/nginx/site.conf')
	    =~ /listen (\S+:\Q@{[$stack->setting('ADMIN_PORT')]}\E) ssl/;
	is($listen, '127.0.0.1:' . $stack->setting('ADMIN_PORT'), 'loopback');
};

subtest 'projects' => sub {
	my $name = 'Pumpen „Süd“ "1" \\ 揚水';
	my $answer = post('/projects', { name => $name });
	my $json = $answer->{json};
	is($answer->{status}, 201, 'created');
	is_deeply($answer->{headers}{'content-type'}, ['application/json'],
	    'media type');
	is_deeply($answer->{headers}{'cache-control'}, ['no-store'], 'no-store');
	is_deeply([sort keys %$json],
	    [qw(created_at device_issuer_id device_limit issue_limit name project_id
		reissue_policy state)], 'members');
	like($json->{project_id}, qr/^proj_$ulid\z/, 'project_id');
	is($json->{name}, $name, 'name');
	is_deeply([@$json{qw(state reissue_policy issue_limit device_limit
		device_issuer_id)}], ['active', 'replace', 30, undef, undef],
	    'defaults');
	like($json->{created_at}, $time, 'created_at');
	is_deeply($answer->{headers}{location},
	    ["/admin/v1/projects/$json->{project_id}"], 'Location');
	my $shown = get("/projects/$json->{project_id}");
	is($shown->{status}, 200, 'shown');
	is_deeply($shown->{json}, $json, 'the same');
	is_problem('unknown', get("/projects/$nowhere"), 404, 'not-found');
	is_problem("no project's id: $_", get("/projects/$_"), 404, 'not-found')
	    for $device, 'x', uc $nowhere, 'a' x 64, 'a' x 65, '%27';
	is(post('/projects', { name => 'ü' x 128 })->{status}, 201,
	    'the longest name');
};

subtest 'other methods' => sub {
	my %allow = ('/projects' => 'GET, POST', "/projects/$project" => 'GET, PATCH',
		"/projects/$project/enrollment-tokens" => 'GET, POST',
		'/enrollment-tokens/etk_' . '0' x 26 => 'DELETE',
		'/devices' => 'GET', "/devices/$device" => 'GET',
		(map { ("/devices/$device/$_" => 'POST') }
		    qw(deny allow revoke reset)),
		'/certificates' => 'GET', '/certificates/01' => 'GET',
		'/certificates/01/revoke' => 'POST',
		'/issuers' => 'GET', '/issuers/1' => 'PATCH');
	for my $path (sort keys %allow) {
		my @methods = grep { index($allow{$path}, $_) < 0 }
		    qw(GET POST PUT PATCH DELETE);
		is_problem(named($_, $path), $stack->admin($_, $path), 405,
		    'method-not-allowed', allow => $allow{$path}) for @methods;
	}
	is_problem($_, get($_), 404, 'not-found') for '', '/', '/projects/',
	    '/nothing', "/projects/$project/", "/devices/$device/deny/x";
};

subtest 'the list of projects' => sub {
	post('/projects', { name => "list $_" }) for 1 .. 5;
	my @all = @{get('/projects')->{json}{items}};
	cmp_ok(scalar @all, '>', 6, 'there are some');
	is_deeply([map { $_->{project_id} } @all],
	    [sort map { $_->{project_id} } @all], 'by id, hence by time');
	is_deeply($all[0], get("/projects/$all[0]{project_id}")->{json},
	    'each as it is shown alone');
	my ($cursor, @paged, @sizes) = ('');
	do {
		my $page = get("/projects?limit=3$cursor")->{json};
		is_deeply([sort keys %$page], [qw(items next_cursor)], 'a page');
		push @paged, @{$page->{items}};
		push @sizes, scalar @{$page->{items}};
		$cursor = $page->{next_cursor}
		    ? "&cursor=$page->{next_cursor}" : '';
	} while ($cursor ne '' && @sizes < 20);
	is_deeply(\@paged, \@all, 'page by page the same');
	cmp_ok(scalar @sizes, '>', 2, 'in more than two pages');
	is_deeply([grep { $_ != 3 } @sizes[0 .. $#sizes - 1]], [], 'full ones');
	is(scalar @{get("/projects?limit=$$_[0]")->{json}{items}}, $$_[1],
	    "limit=$$_[0]") for [1, 1], [1000, scalar @all];
	is(get('/projects?limit=' . @all)->{json}{next_cursor}, undef,
	    'an exact page is the last');
	my $last = get("/projects?cursor=$all[-1]{project_id}")->{json};
	is_deeply($last, { items => [], next_cursor => undef }, 'after the end');
	is_problem("?$_", get("/projects?$_"), 400, 'bad-request') for
	    qw(limit=0 limit=1001 limit=-1 limit=+1 limit=x limit=1x limit=
	    limit=1&limit=2 limit=99999999999999999999 limit=%31%00 limit=1%),
	    qw(cursor=x cursor= cursor=%00 cursor=%ff), "cursor=$device",
	    "cursor=$project&cursor=$project", 'cursor=' . 'a' x 257, 'other=1',
	    "project_id=$project";
	is(get("/projects?$_")->{status}, 200, "?$_") for '', '&&', 'limit=%31';
};

subtest 'enrolment tokens' => sub {
	my $path = '/projects/' . $stack->project('tokens') . '/enrollment-tokens';
	is_deeply(get($path)->{json}, { items => [], next_cursor => undef },
	    'none at first');
	my @made = map { $stack->admin('POST', $path) } 1 .. 4;
	my $json = $made[0]{json};
	is($made[0]{status}, 201, 'created');
	is_deeply($made[0]{headers}{'cache-control'}, ['no-store'], 'no-store');
	is_deeply([sort keys %$json], [qw(allowed_cidrs created_at enrollment_token
		enrollment_token_id expires_at invalidated_at max_uses project_id
		state uses)], 'members');
	like($json->{enrollment_token}, qr/^et_[0-9a-hjkmnp-tv-z]{64}\z/, 'token');
	is($json->{enrollment_token_id}, 'etk_'
	    . substr($json->{enrollment_token}, 3, 26), 'its id');
	is_deeply([@$json{qw(state invalidated_at)}], ['active', undef], 'active');
	like($json->{$_}, $time, $_) for qw(created_at expires_at);
	is(get($path . '?cursor=' . $json->{enrollment_token_id})->{status}, 200,
	    'its id is a cursor');

	my $list = get($path);
	my @items = @{$list->{json}{items}};
	is_deeply([map { $_->{enrollment_token_id} } @items],
	    [map { $_->{json}{enrollment_token_id} } @made], 'listed in order');
	is_deeply([map { $_->{state} } @items],
	    [('invalidated') x 3, 'active'], 'the newest alone is good');
	like($items[0]{invalidated_at}, $time, 'since when');
	unlike($list->{body}, $secret, 'no secret in the list');
	is_deeply([grep { exists $_->{enrollment_token} } @items], [],
	    'nor a member for it');
	my $page = get("$path?limit=2")->{json};
	is(scalar @{$page->{items}}, 2, 'in pages');
	is_deeply(get("$path?limit=2&cursor=$page->{next_cursor}")->{json}{items},
	    [@items[2, 3]], 'which go on');
	is_problem('the earlier one enrols nobody',
	    $stack->enroll($made[2]{json}{enrollment_token}), 401,
	    'invalid-token');
	is($stack->enroll($made[3]{json}{enrollment_token})->{status}, 200,
	    'the newest does');
	sql('UPDATE pappus.enrollment_tokens SET created_at = now() - interval'
	    . " '2 days', expires_at = now() - interval '1 day'"
	    . " WHERE enrollment_token_id = '$items[3]{enrollment_token_id}'");
	is(get($path)->{json}{items}[3]{state}, 'expired', 'expired');
	is(post($path, {})->{status}, 201, 'an empty object is fine too');
	is_problem("of nothing: $_", $stack->admin($_,
		"/projects/$nowhere/enrollment-tokens"), 404, 'not-found')
	    for qw(GET POST);
	is_problem('a bad cursor', get("$path?cursor=$project"), 400,
	    'bad-request');
	is_problem('an unknown member', post($path, { expires_at => 'x' }), 400,
	    'bad-request');
};

subtest 'devices' => sub {
	my $token = $stack->enrollment_token(my $here = $stack->project('fleet'));
	my @enrolled = map { $stack->enroll($token,
		label => encode_utf8("Gerät $_"))->{json} } 1 .. 7;
	$stack->enroll($stack->enrollment_token($stack->project));
	my $list = get("/devices?project_id=$here");
	my @items = @{$list->{json}{items}};
	is_deeply([map { $_->{device_id} } @items],
	    [map { $_->{device_id} } @enrolled], 'of a project, in order');
	is_deeply([sort keys %{$items[0]}], [qw(device_id enrolled_at
		enrollment_token_id external_id identity_issued_at label project_id
		state)], 'members');
	is($items[0]{label}, 'Gerät 1', 'label');
	unlike($list->{body}, $secret, 'no secret');
	my ($cursor, @paged) = ('');
	for (1 .. 4) {
		my $page = get("/devices?limit=2&project_id=$here$cursor")->{json};
		push @paged, @{$page->{items}};
		$cursor = "&cursor=" . ($page->{next_cursor} // '');
	}
	is_deeply(\@paged, \@items, 'page by page the same');
	is($cursor, '&cursor=', 'and then it ends');
	cmp_ok(scalar @{get('/devices')->{json}{items}}, '>', 8, 'of all projects');
	is_problem("of no project: $_", get("/devices?project_id=$_"), 404,
	    'not-found') for $nowhere, 'x', $device;
	is_problem("?$_", get("/devices?$_"), 400, 'bad-request') for
	    'project_id=', "project_id=$here&project_id=$here", 'cursor=x',
	    'limit=0';

	my $shown = get("/devices/$enrolled[0]{device_id}");
	is($shown->{status}, 200, 'one');
	is_deeply($shown->{json}, { %{$items[0]}, certificates => [] },
	    'with its certificates, none yet');
	like($shown->{json}{enrolled_at}, $time, 'enrolled_at');
	is($shown->{json}{identity_issued_at}, undef, 'no identity yet');
	my @pem = map { $stack->identity($enrolled[0]{device_token})
		->{json}{device_certificate_pem} } 1, 2;
	$shown = get("/devices/$enrolled[0]{device_id}")->{json};
	like($shown->{identity_issued_at}, $time, 'identity_issued_at');
	my @certificates = @{$shown->{certificates}};
	is_deeply([map { $_->{serial} } @certificates],
	    [map { serial_of($_) } @pem], 'serials');
	is_deeply([sort keys %{$certificates[0]}],
	    [qw(issuer_id not_after not_before reason serial status)], 'members');
	is_deeply([map { [@$_{qw(status reason)}] } @certificates],
	    [['revoked', 4], ['valid', undef]], 'states');
	like($certificates[0]{$_}, $time, $_) for qw(not_before not_after);
	is_problem('unknown', get("/devices/$nobody"), 404, 'not-found');
};

subtest 'deny and allow' => sub {
	my $enrolled = $stack->enroll($stack->enrollment_token($project))->{json};
	my $id = $enrolled->{device_id};
	$stack->identity($enrolled->{device_token}) for 1, 2;
	my $revocations = sub { sql(<<"	SQL") };
		SELECT string_agg(coalesce(r.reason || ' ' || r.origin, 'valid'),
			', ' ORDER BY c.serial)
		FROM pappus.certificates c
		LEFT JOIN pappus.revocations r USING (serial)
		WHERE c.device_id = '$id'
	SQL
	my $actions = sub { sql('SELECT count(*) FROM pappus.operator_actions'
		. " WHERE object_id = '$id'") };
	is($revocations->(), '4 reissue, valid', 'before');
	my $reason = 'gestohlen „am Dienstag“';
	my $denied = post("/devices/$id/deny", { reason => $reason });
	is($denied->{status}, 200, 'denied');
	is($denied->{json}{state}, 'denied', 'state');
	is_deeply([map { $_->{status} } @{$denied->{json}{certificates}}],
	    [qw(revoked hold)], 'its certificates');
	is($revocations->(), '4 reissue, 6 deny',
	    'what is valid goes on hold, what is final stays');
	is(sql("SELECT comment FROM pappus.revocations WHERE origin = 'deny'"),
	    encode_utf8($reason), 'with the reason');
	is(log_line($stack, 'admin', $denied->{headers}{'x-request-id'}[0])
	    ->{device}, $id, 'in the log');

	my $again = post("/devices/$id/deny", { reason => 'again' });
	is($again->{status}, 200, 'denied again');
	is_deeply($again->{json}, $denied->{json}, 'nothing changes');
	is($actions->(), 1, 'nor is it recorded again');

	my $allowed = post("/devices/$id/allow", { reason => 'found' });
	is($allowed->{status}, 200, 'allowed');
	is($allowed->{json}{state}, 'active', 'state');
	is($revocations->(), '4 reissue, valid', 'the hold is gone');
	is(post("/devices/$id/allow", { reason => 'again' })->{status}, 200,
	    'allowed again');
	is($actions->(), 2, 'not recorded again');

	# A hold of another origin is not allow's to release.
	sql('INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason,'
	    . ' actor, origin) SELECT serial, issuer_id, not_after, 6,'
	    . " 'operator', 'operator' FROM pappus.certificates c"
	    . " WHERE device_id = '$id' ON CONFLICT DO NOTHING");
	post("/devices/$id/deny", { reason => 'x' });
	post("/devices/$id/allow", { reason => 'x' });
	is($revocations->(), '4 reissue, 6 operator',
	    'a hold that deny did not make stays');

	for my $state (qw(revoked deleted)) {
		sql("UPDATE pappus.devices SET state = '$state'"
		    . " WHERE device_id = '$id'");
		is_problem("$_ of a $state device", post("/devices/$id/$_",
			{ reason => 'x' }), 409, 'conflict') for qw(deny allow);
	}
	is_problem('allow of nothing', post("/devices/$nobody/allow",
		{ reason => 'x' }), 404, 'not-found');
};

subtest 'what operators did' => sub {
	my $actor = row_of($stack->{admin_token});
	my $created = post('/projects', { name => 'recorded' });
	my $project = $created->{json}{project_id};
	my $path = "/projects/$project/enrollment-tokens";
	my ($old, $new) = map { $stack->admin('POST', $path) } 1, 2;
	my $id = $stack->enroll($new->{json}{enrollment_token})->{json}{device_id};
	my ($deny, $allow) = map { post("/devices/$id/$_", { reason => "to $_" }) }
	    qw(deny allow);
	my %expected = (
		'project.create' => [$created, $project, ''],
		'enrollment_token.regenerate' =>
		    [$new, $new->{json}{enrollment_token_id}, ''],
		'device.deny' => [$deny, $id, 'to deny'],
		'device.allow' => [$allow, $id, 'to allow'],
	);
	for my $action (sort keys %expected) {
		my ($answer, $object, $reason) = @{$expected{$action}};
		my $request = $answer->{headers}{'x-request-id'}[0];
		is(sql('SELECT actor, database_role, address, action, object_id,'
			. ' project_id, coalesce(reason, \'\') FROM'
			. " pappus.operator_actions WHERE request_id = '$request'"),
		    join('|', $actor, 'pappus_admin', '127.0.0.1', $action, $object,
			$project, $reason), $action);
	}
	my $states = sub { sql("SELECT $_[0] FROM pappus.operator_actions"
		. " WHERE action = '$_[1]' AND project_id = '$project'"
		. ' ORDER BY action_id DESC LIMIT 1') };
	is($states->("before->>'state', after->>'state'", 'device.deny'),
	    'active|denied', 'before and after a denial');
	is($states->("before->'invalidated'->>0", 'enrollment_token.regenerate'),
	    $old->{json}{enrollment_token_id}, 'which tokens died');
	# (A CRL's digest is none.)
	is(sql('SELECT count(*) FROM pappus.operator_actions a WHERE'
		. " action <> 'issuer.crl' AND a::text ~ '[ade]t_[0-9a-z]{27}|sha256'"), 0, 'no secrets');
	is(sql('SELECT count(*) FROM audit.operator_actions'
		. " WHERE actor_name = 'stack' AND actor_role = 'owner'"
		. " AND project_id = '$project'"), 5, 'auditors see it');
	my $count = sql('SELECT count(*) FROM pappus.operator_actions');
	eval { sql("$_ pappus.operator_actions") } for 'DELETE FROM', 'TRUNCATE',
	    'UPDATE pappus.operator_actions SET actor = \'x\' --';
	is(sql('SELECT count(*) FROM pappus.operator_actions'
		. " WHERE actor <> 'x'"), $count, 'it is only ever added to');
};

subtest 'bodies' => sub {
	my $before = fingerprint();
	my @good = ("Authorization: Bearer $stack->{admin_token}", $json_type);
	my $send = sub {
		my ($path, $body, @headers) = @_;
		return $stack->http('POST', "/admin/v1$path", to => 'admin',
		    body => $body,
		    headers => @headers ? [$good[0], @headers] : \@good);
	};
	is_problem("projects: $$_[0]", $send->('/projects', $$_[1]), 400,
	    'bad-request') for
	    ['no name', '{}'], ['an empty name', '{"name":""}'],
	    ['a long name', encode_json({ name => 'a' x 129 })],
	    ['an unknown member', '{"name":"x","role":"owner"}'],
	    ['an id of one\'s own', "{\"name\":\"x\",\"project_id\":\"$project\"}"],
	    ['a number', '{"name":1}'], ['null', '{"name":null}'],
	    ['an array', '{"name":["x"]}'], ['an object', '{"name":{"a":"b"}}'],
	    ['true', '{"name":true}'], ['twice', '{"name":"x","name":"y"}'],
	    ['controls', '{"name":"a\\nb"}'], ['NUL', '{"name":"a\\u0000b"}'],
	    ['raw NUL', "{\"name\":\"a\0b\"}"],
	    ['not UTF-8', "{\"name\":\"\xff\"}"],
	    ['a string', '"x"'], ['a list', '[]'], ['nothing', ''],
	    ['cut short', '{"name":"x"'], ['something after it', '{"name":"x"} x'],
	    ['a form', 'name=x'], ['nested deep', '[' x 30000],
	    ['a comment', '{"name":"x"/**/}'];
	for my $act (qw(deny allow)) {
		is_problem("$act: $$_[0]", $send->("/devices/$device/$act", $$_[1]),
		    400, 'bad-request') for
		    ['no reason', '{}'], ['nothing', ''],
		    ['an empty reason', '{"reason":""}'],
		    ['a long reason', encode_json({ reason => 'a' x 513 })],
		    ['an unknown member', '{"reason":"x","until":"y"}'];
	}
	is_problem("as $_", $send->('/projects', '{"name":"x"}', $_), 415,
	    'unsupported-media-type') for 'Content-Type: text/plain',
	    'Content-Type:', 'Content-Type: application/jsonx',
	    'Content-Type: application/x-www-form-urlencoded',
	    'Content-Type: multipart/form-data; boundary=x';
	my $large = encode_json({ name => 'x', pad => 'a' x 70000 });
	is_problem('oversized', $send->('/projects', $large), 413,
	    'payload-too-large');
	is_problem('oversized, in chunks', $send->('/projects', $large, $json_type,
		'Transfer-Encoding: chunked'), 413, 'payload-too-large');
	is(fingerprint(), $before, 'nothing was changed');
	is($send->('/projects', '{"name":"x"}', "Content-Type: $_")->{status}, 201,
	    "as $_") for 'application/json; charset=utf-8', 'APPLICATION/JSON';
	is($send->('/projects', '{"name":"x"}', $json_type,
		'Transfer-Encoding: chunked')->{status}, 201, 'in chunks');
};

subtest 'without a database' => sub {
	$stack->stack('stop', 'postgres');
	is_problem('503 with Retry-After', get('/projects'), 503, 'unavailable');
	$stack->stack('start', 'postgres');
	ok(Pappus::Test::wait_until(10, sub {
		get('/projects')->{status} == 200 }), 'and service again');
};

done_testing;
