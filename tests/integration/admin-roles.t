# SPDX-License-Identifier: ISC
# Who may do what at /admin/v1: every route that cgi-bin/admin.c has, by every
# role, bound to the project, bound to another, and by nobody at all.
use strict;
use warnings;
use JSON::PP qw(encode_json);
use Test::More;
use Pappus::Check qw(is_problem forged serial_of);
use Pappus::Test qw(slurp);

my $stack = Pappus::Test->start(workers => 1);
my ($project, $other) = map { $stack->project($_) } qw(mine another);
my $token = $stack->enrollment_token($project);

sub sql { return $stack->psql('postgres', "@_") }

# ----------------------------------------------------------- the route table

my $source = slurp('cgi-bin/admin.c');
my ($table) = $source =~ /struct route routes\[\] = \{\n(.*?)^\};/ms
    or die "no route table in cgi-bin/admin.c\n";
my %least = $source =~ /^#define (\w+) .*\bROLE_(\w+)$/mg;
my @routes;
for (split /^\s+(?=\{HTTP)/m, $table =~ s/^\s+//r) {
	my ($method, $path, $macro) =
	    /^\{HTTP_(\w+),\s*V1\s+"([^"]+)",\s*(\w+),\s*\w+\},?\s*\z/
	    or die "not understood: $_\n";
	push @routes, { method => $method, path => $path,
		least => lc($least{$macro} // die "no role for $macro\n") };
}

# ------------------------------------------------------------------ the roles

# Each is an admin token: its role, the project that it is bound to.
my %role = (owner => ['owner'], operator => ['operator'],
	auditor => ['auditor'], bound_owner => ['owner', $project],
	bound_operator => ['operator', $project],
	bound_auditor => ['auditor', $project], stranger => ['owner', $other]);
my @roles = qw(owner operator auditor bound_owner bound_operator bound_auditor
	stranger);
my %token = map { $_ => $stack->another_admin($_, "role = '$role{$_}[0]',"
	. ' project_id = ' . ($role{$_}[1] ? "'$role{$_}[1]'" : 'NULL')) } @roles;

# A device of the project, {id, serial}, for one route alone: what one act
# does must not be in the way of another.
sub device
{
	my $json = $stack->enroll($token)->{json};
	my $identity = $stack->identity($json->{device_token})->{json};
	return { id => $json->{device_id},
		serial => serial_of($identity->{device_certificate_pem}) };
}

my $etk = 'etk_' . substr $stack->enrollment_token($project), 3, 26;
$token = $stack->enrollment_token($project);
my %of = (project => sub { $project }, token => sub { $etk },
	device => sub { device()->{id} }, serial => sub { device()->{serial} },
	issuer => sub { sql("SELECT issuer_id FROM pappus.issuers"
	    . " WHERE purpose = 'server'") });
my %reason = (reason => 'test');

# Every route: what to send; then what each of @roles is answered.
my %expected = (
	#                                             unbound      bound     other
	'GET /projects' => [undef,                    200,200,200, 200,200,200, 200],
	'POST /projects' => [{ name => 'x' },         201,201,403, 403,403,403, 403],
	'GET /projects/{project}' => [undef,          200,200,200, 200,200,200, 404],
	'PATCH /projects/{project}' => [{ name => 'y' },
	                                              200,200,403, 200,200,403, 404],
	'GET /projects/{project}/enrollment-tokens' => [undef,
	                                              200,200,200, 200,200,200, 404],
	'POST /projects/{project}/enrollment-tokens' => [{ grace => 600 },
	                                              201,201,403, 201,201,403, 404],
	'DELETE /enrollment-tokens/{token}' => [undef,
	                                              200,200,403, 200,200,403, 404],
	'GET /devices' => [undef,                     200,200,200, 200,200,200, 200],
	'GET /devices/{device}' => [undef,            200,200,200, 200,200,200, 404],
	'POST /devices/{device}/deny' => [\%reason,   200,200,403, 200,200,403, 404],
	'POST /devices/{device}/allow' => [\%reason,  200,200,403, 200,200,403, 404],
	'POST /devices/{device}/revoke' => [\%reason, 200,200,403, 200,200,403, 404],
	'POST /devices/{device}/reset' => [\%reason,  200,200,403, 200,200,403, 404],
	'GET /certificates' => [undef,                200,200,200, 200,200,200, 200],
	'GET /certificates/{serial}' => [undef,       200,200,200, 200,200,200, 404],
	'POST /certificates/{serial}/revoke' => [\%reason,
	                                              200,200,403, 200,200,403, 404],
	'GET /issuers' => [undef,                     200,200,200, 200,200,200, 200],
	'PATCH /issuers/{issuer}' => [{ state => 'issuing' },
	                                              200,403,403, 403,403,403, 403],
);

subtest 'the table' => sub {
	cmp_ok(scalar @routes, '>=', 18, 'is read');
	is(scalar(() = $table =~ /HTTP_/g), scalar @routes, 'wholly');
	my %names = map { ("$_->{method} $_->{path}" => 1) } @routes;
	is_deeply([sort keys %names], [sort keys %expected],
	    'each route has its row here, and each row its route');
	my %rank = (auditor => 0, operator => 1, owner => 2);
	for my $route (@routes) {
		my $name = "$route->{method} $route->{path}";
		my $row = $expected{$name} or next;
		# Those whom the role in the source keeps out, and more when bound.
		is_deeply([map { $_ == 403 ? 'no' : 'yes' } @$row[1 .. 3]],
		    [map { $rank{$_} < $rank{$route->{least}} ? 'no' : 'yes' }
			qw(owner operator auditor)], "$name: $route->{least}");
	}
};

# ------------------------------------------------------------------ the matrix

sub call
{
	my ($route, $path, $token) = @_;
	my $document = $expected{"$route->{method} $route->{path}"}[0];
	my @headers = $document ? ('Content-Type: application/json') : ();
	push @headers, "Authorization: Bearer $token" if defined $token;
	return $stack->http($route->{method}, "/admin/v1$path", to => 'admin',
	    headers => \@headers,
	    $document ? (body => encode_json($document)) : ());
}

# All that a call could change.
sub fingerprint
{
	return sql('SELECT ' . join ', ', map { "(SELECT md5(string_agg(t::text, ''"
	    . " ORDER BY t::text)) FROM pappus.$_ t)" } qw(projects devices
	    enrollment_tokens revocations issuers unknown_devices
	    operator_actions));
}

my %kind = (403 => 'forbidden', 404 => 'not-found');
my @wrong = (
	['a wrong secret', forged($stack->{admin_token})],
	['an unknown token', forged('at_' . '0' x 26)],
	['a device token', $stack->enroll($token)->{json}{device_token}],
	['an enrolment token', $token],
	map { [$$_[0], $stack->another_admin(@$_)] }
	    ['expired', 'expires_at = now()'],
	    ['invalidated', 'invalidated_at = now()'],
);

for my $route (@routes) {
	my $name = "$route->{method} $route->{path}";
	my $row = $expected{$name} or next;
	subtest $name => sub {
		my $path = $route->{path} =~ s/\{(\w+)\}/$of{$1}->()/er;
		my $before = fingerprint();
		is_problem('nobody', call($route, $path), 401, 'unauthenticated',
		    'www-authenticate' => 'Bearer realm="pappus"');
		is_problem($$_[0], call($route, $path, $$_[1]), 401,
		    'invalid-token', 'www-authenticate' =>
		    'Bearer realm="pappus", error="invalid_token"') for @wrong;
		# Those who may not, before those who may change it.
		my @order = sort { $row->[$b + 1] <=> $row->[$a + 1] } 0 .. $#roles;
		for my $i (@order) {
			my ($role, $status) = ($roles[$i], $row->[$i + 1]);
			if ($status < 300 && defined $before) {
				is(fingerprint(), $before, 'nothing was changed so far');
				undef $before;
			}
			my $answer = call($route, $path, $token{$role});
			if ($status < 300) {
				is($answer->{status}, $status, $role)
				    or diag($answer->{body});
			} else {
				is_problem($role, $answer, $status, $kind{$status});
			}
		}
		my @methods = map { $_->{method} } grep { $_->{path} eq
			$route->{path} } @routes;
		# nginx answers these itself.
		is_problem('TRACE', $stack->raw("TRACE /admin/v1$path HTTP/1.1\r\n"
			. "Host: localhost\r\nConnection: close\r\n\r\n",
			to => 'admin'), 405, 'method-not-allowed',
		    allow => join ', ', @methods);
		is_problem('PUT', $stack->admin('PUT', $path), 405,
		    'method-not-allowed', allow => join ', ', @methods);
	};
}

# ---------------------------------------------------------------- what is seen

subtest 'lists' => sub {
	my $foreign = $stack->enroll($stack->enrollment_token($other))->{json};
	$stack->identity($foreign->{device_token});
	for my $path (qw(/projects /devices /certificates)) {
		my $seen = sub { my %seen = map { $_->{project_id} // 'none' => 1 }
			@{$stack->admin('GET', "$path?limit=1000",
			token => $token{$_[0]})->{json}{items}};
			return [sort keys %seen] };
		is_deeply($seen->($_), [$project], "$path: $_ sees its project")
		    for qw(bound_owner bound_operator bound_auditor);
		is_deeply($seen->('stranger'), [$other], "$path: another its own");
		cmp_ok(scalar @{$seen->($_)}, '>=', 2, "$path: $_ sees all")
		    for qw(owner operator auditor);
	}
	for my $path ('/devices?', '/certificates?') {
		my $ask = sub { $stack->admin('GET', $path . $_[0],
			token => $token{$_[1]}) };
		is_problem("$path: of another project", $ask->("project_id=$project",
			'stranger'), 404, 'not-found');
		is($ask->("project_id=$project", 'bound_auditor')->{status}, 200,
		    "$path: of its own");
	}
	my $device = device();
	my $items = sub { $stack->admin('GET', $_[0],
		token => $token{stranger})->{json}{items} };
	is_deeply($items->("/certificates?device_id=$device->{id}"), [],
	    'another project\'s device has no certificates');
	my $spki = $stack->admin('GET', "/certificates/$device->{serial}")
	    ->{json}{spki_sha256};
	is_deeply($items->("/certificates?spki_sha256=$spki"), [], 'nor its key');
	is(scalar @{$stack->admin('GET', "/certificates?spki_sha256=$spki",
		token => $token{bound_auditor})->{json}{items}}, 1,
	    'which those of the project find');
};

# What no project has is not for those who are bound to one.
subtest 'what the database does not know' => sub {
	my ($id, $serial) = ('dev_' . '1' x 26, '7f' . '1' x 38);
	for my $role (qw(bound_owner bound_operator stranger)) {
		is_problem("$role: $_", $stack->admin('POST', $_, token =>
			$token{$role}, document => \%reason), 404, 'not-found')
		    for (map { "/devices/$id/$_" } qw(deny allow revoke reset)),
		    "/certificates/$serial/revoke";
	}
	is($stack->admin('POST', $_, token => $token{operator},
		document => \%reason)->{status}, 200, "operator: $_")
	    for "/devices/$id/deny", "/devices/$id/allow", "/devices/$id/revoke",
	    "/certificates/$serial/revoke";
	is_problem("bound: $_", $stack->admin('GET', $_,
		token => $token{bound_auditor}), 404, 'not-found')
	    for "/devices/$id", "/certificates/$serial";
	my ($server) = grep { $_->{profile} eq 'server' } @{$stack->admin('GET',
		'/certificates?limit=1000')->{json}{items}};
	is_problem('bound: a server\'s certificate', $stack->admin('GET',
		"/certificates/$server->{serial}", token => $token{bound_owner}), 404,
	    'not-found');
	is_problem('bound: nor revoke it', $stack->admin('POST',
		"/certificates/$server->{serial}/revoke", document => \%reason,
		token => $token{bound_owner}), 404, 'not-found');
	is($stack->admin('GET', "/devices/$id", token => $token{auditor})->{status},
	    200, 'an auditor of all sees it');
};

done_testing;
