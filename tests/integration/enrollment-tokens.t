# SPDX-License-Identifier: ISC
# What limits an enrolment token: its time, its uses, the addresses it may come
# from, a successor, an operator; and how many devices a project may have.
use strict;
use warnings;
use JSON::PP qw(encode_json);
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(is_problem at_once log_line);
use Pappus::Test qw(slurp wait_until);
use Pappus::Workers qw(change_nginx);

my $stack = Pappus::Test->start;
my $AT_ONCE = 64;

sub sql { return $stack->psql('postgres', "@_") }

# A new token of a project: the answer's document.
sub regenerate
{
	my ($project, %options) = @_;
	my $answer = $stack->admin('POST', "/projects/$project/enrollment-tokens",
	    document => \%options);
	die "no token: $answer->{body}\n" if $answer->{status} != 201;
	return $answer->{json};
}

sub patch
{
	my ($project, %changes) = @_;
	my $answer = $stack->admin('PATCH', "/projects/$project",
	    document => \%changes);
	die "not changed: $answer->{body}\n" if $answer->{status} != 200;
	return $answer->{json};
}

# A token as it is listed.
sub shown
{
	my ($token) = @_;
	my $list = $stack->admin('GET',
	    "/projects/$token->{project_id}/enrollment-tokens")->{json}{items};
	my ($found) = grep { $_->{enrollment_token_id}
		eq $token->{enrollment_token_id} } @$list;
	return $found;
}

sub enroll
{
	my ($token, @form) = @_;
	return $stack->enroll($token->{enrollment_token}, @form);
}

# As devices do: who is told to ask again does.  The answers, in order.
sub enroll_at_once
{
	my ($token, @bodies) = @_;
	my @answers;
	for (1 .. 20) {
		my @left = grep { !$answers[$_] || $answers[$_]{status} == 503 }
		    0 .. $#bodies or last;
		@answers[@left] = at_once($stack, map { ['POST', '/enroll',
			body => $bodies[$_], headers => ['Thistle-Device-Enrollment-'
			. "Token: $token->{enrollment_token}"]] } @left);
	}
	return @answers;
}

# {status or kind of problem => how many}
sub counts
{
	my %counts;
	for (@_) {
		my $json = $_->{json} // {};
		$counts{$_->{status} == 200 ? 200
		    : ($json->{type} // "status $_->{status}") =~ s/.*://r}++;
	}
	return \%counts;
}

sub devices
{
	my ($project) = @_;
	return sql("SELECT count(*) FROM pappus.devices"
	    . " WHERE project_id = '$project'");
}

# Where a row lies and who wrote or locked it last.
sub version
{
	my ($table, $column, $id) = @_;
	return sql("SELECT xmin, xmax, ctid FROM pappus.$table"
	    . " WHERE $column = '$id'");
}

# ------------------------------------------------------------------- options

subtest 'the defaults' => sub {
	my $token = regenerate(my $project = $stack->project);
	is(sql("SELECT expires_at = created_at + interval '1 year' FROM"
		. ' pappus.enrollment_tokens WHERE enrollment_token_id ='
		. " '$token->{enrollment_token_id}'"), 't', 'a year');
	is_deeply([@$token{qw(max_uses uses allowed_cidrs invalidated_at)}],
	    [(undef) x 4], 'and nothing else');
	my $bare = $stack->admin('POST', "/projects/$project/enrollment-tokens");
	is($bare->{status}, 201, 'also without a body');
	my %rest = %{$bare->{json}};
	delete $rest{enrollment_token};
	is_deeply(shown(\%rest), \%rest, 'listed as it was answered');
};

subtest 'what the options may be' => sub {
	my $project = $stack->project;
	my $before = regenerate($project);
	my $try = sub { $stack->admin('POST', "/projects/$project/enrollment-tokens",
		headers => ['Content-Type: application/json'], body => $_[0]) };
	my @many = map { "10.0.$_.0/24" } 1 .. 65;
	my %wrong = (
		expires_in => [59, 0, -1, 315360001, '9' x 30],
		max_uses => [0, -1, 2147483648, '9' x 30],
		grace => [-1, 604801, '9' x 30],
	);
	for my $name (sort keys %wrong) {
		is_problem("$name: $_", $try->("{\"$name\":$_}"), 400, 'bad-request')
		    for @{$wrong{$name}}, '1.5', '60.0', '1e2', '"60"', 'true',
		    'null', '[60]', '{"a":60}';
	}
	is_problem("allowed_cidrs: " . substr($_, 0, 40),
	    $try->("{\"allowed_cidrs\":$_}"), 400, 'bad-request')
	    for 'null', '""', '"10.0.0.0/8"', '[]', '[1]', '[null]', '[""]',
	    '[["10.0.0.0/8"]]', '{"10.0.0.0/8":1}', '10', encode_json(\@many);
	is_problem("whole: $_", $try->($_), 400, 'bad-request') for
	    '{"expires_at":60}', '{"grace":0,"grace":0}',
	    '{"enrollment_token":"et_x"}', '{"allowed_cidrs":["10.0.0.0/8"],'
	    . '"allowed_cidrs":["10.0.0.0/8"]}';
	is(enroll($before)->{status}, 200, 'none of which killed the earlier one');
	is(scalar @{$stack->admin('GET', "/projects/$project/enrollment-tokens")
		->{json}{items}}, 1, 'or made one');

	for (['expires_in', 60], ['expires_in', 315360000], ['max_uses', 1],
	    ['max_uses', 2147483647], ['grace', 0], ['grace', 604800]) {
		my ($name, $value) = @$_;
		my $made = $try->("{\"$name\":$value}");
		is($made->{status}, 201, "$name: $value");
		is($made->{json}{max_uses}, $value, 'as is shown')
		    if $name eq 'max_uses';
		is(sql('SELECT extract(epoch FROM expires_at - created_at)::int FROM'
			. ' pappus.enrollment_tokens WHERE enrollment_token_id ='
			. " '$made->{json}{enrollment_token_id}'"), $value, 'so long')
		    if $name eq 'expires_in';
	}
	my $made = $try->(encode_json({ allowed_cidrs => [@many[0 .. 63]] }));
	is_deeply($made->{json}{allowed_cidrs}, [@many[0 .. 63]],
	    'allowed_cidrs: 64 of them');
};

# ---------------------------------------------------------------------- time

subtest 'expiry' => sub {
	my $token = regenerate($stack->project, expires_in => 60);
	is(enroll($token)->{status}, 200, 'before it');
	my $left = sub { sql('UPDATE pappus.enrollment_tokens SET expires_at ='
		. " now() + interval '$_[0]', created_at = now() - interval"
		. " '2 days' WHERE enrollment_token_id ="
		. " '$token->{enrollment_token_id}'") };
	$left->('8 s');
	is(enroll($token)->{status}, 200, 'just before it');
	my $refused;
	ok(wait_until(30, sub {
		($refused = enroll($token))->{status} != 200 }), 'time passes');
	is_problem('then', $refused, 403, 'token-expired');
	is(shown($token)->{state}, 'expired', 'state');
	$left->('-1 day');
	is_problem('long after it', enroll($token), 403, 'token-expired');
	$stack->admin('DELETE', "/enrollment-tokens/$token->{enrollment_token_id}");
	is_problem('invalidated as well', enroll($token), 401, 'invalid-token');
};

# ---------------------------------------------------------------------- uses

subtest 'uses, at once' => sub {
	my $max = 10;
	my $token = regenerate(my $project = $stack->project, max_uses => $max);
	is_deeply([@$token{qw(max_uses uses)}], [$max, 0], 'none yet');
	my @answers = enroll_at_once($token, map { "label=$_" } 1 .. $AT_ONCE);
	is_deeply(counts(@answers), { 200 => $max,
		'token-used-up' => $AT_ONCE - $max }, "exactly $max of $AT_ONCE");
	is(devices($project), $max, 'as many devices');
	is(shown($token)->{uses}, $max, 'are counted');
	is(shown($token)->{state}, 'active', 'its state is not its count');
	is_problem('one more', enroll($token), 403, 'token-used-up');
	my ($good) = grep { $_->{status} == 200 } @answers;
	is($stack->identity($good->{json}{device_token})->{status}, 200,
	    'those who have come are none the worse');
	is(enroll(regenerate($project))->{status}, 200, 'nor a new token');
};

subtest 'uses, of devices with an external_id' => sub {
	my $token = regenerate(my $project = $stack->project, max_uses => 5);
	my @answers = enroll_at_once($token,
	    map { 'external_id=sn-' . $_ % 8 } 1 .. $AT_ONCE);
	my %ids = map { $_->{json}{device_id} => 1 }
	    grep { $_->{status} == 200 } @answers;
	is(keys %ids, 5, 'five of eight, however often they ask');
	is_deeply([sort keys %{counts(@answers)}], [200, 'token-used-up'],
	    'the others are refused');
	is(devices($project), 5, 'five devices');
	is(shown($token)->{uses}, 5, 'five uses');
	my @known = split /\n/, sql('SELECT external_id FROM pappus.devices'
	    . " WHERE project_id = '$project'");
	is(enroll($token, external_id => $known[0])->{status}, 200,
	    'whom it has enrolled it may enrol again');
	is(shown($token)->{uses}, 5, 'which is no use');
	my $next = regenerate($project, max_uses => 1);
	is(enroll($next, external_id => $known[0])->{status}, 200,
	    'and so may its successor');
	is(shown($next)->{uses}, 0, 'unused by that');
	is(enroll($next, external_id => 'new')->{status}, 200, 'its one use');
	is_problem('used up, it repeats its own alone',
	    enroll($next, external_id => $known[0]), 403, 'token-used-up');
};

subtest 'without a maximum nothing is written' => sub {
	my $token = regenerate(my $project = $stack->project);
	my @rows = (['enrollment_tokens', 'enrollment_token_id',
		$token->{enrollment_token_id}], ['projects', 'project_id', $project]);
	my @before = map { version(@$_) } @rows;
	my @answers = enroll_at_once($token, (map { "label=$_" } 1 .. 32),
	    map { "external_id=$_" } 1 .. 32);
	is_deeply(counts(@answers), { 200 => 64 }, 'all enrol');
	is_deeply([map { version(@$_) } @rows], \@before,
	    'the rows of token and project are as they were');
	is(shown($token)->{uses}, undef, 'nobody counts');
	# Else the rows would say nothing.
	my $counted = regenerate($project, max_uses => 2);
	my $version = version('enrollment_tokens', 'enrollment_token_id',
	    $counted->{enrollment_token_id});
	enroll($counted);
	isnt(version('enrollment_tokens', 'enrollment_token_id',
		$counted->{enrollment_token_id}), $version, 'with one it is');
};

# ----------------------------------------------------------------- addresses

subtest 'addresses' => sub {
	my $project = $stack->project;
	my %status = (
		'127.0.0.0/8' => 200, '127.0.0.1/32' => 200, '0.0.0.0/0' => 200,
		'127.0.0.1' => 200, '127.0.0.2/32' => 403, '10.0.0.0/8' => 403,
		'::/0' => 403, '::1/128' => 403, '::ffff:127.0.0.0/104' => 403,
	);
	for my $range (sort keys %status) {
		my $token = regenerate($project, allowed_cidrs => [$range]);
		my $answer = enroll($token);
		if ($status{$range} == 200) {
			is($answer->{status}, 200, $range);
		} else {
			is_problem($range, $answer, 403, 'address-not-allowed');
		}
	}
	my $token = regenerate($project, allowed_cidrs =>
	    ['2001:db8::/32', '10.0.0.0/8', '127.0.0.1/32']);
	is(enroll($token)->{status}, 200, 'one of several');
	is_problem('from another address', $stack->http('POST', '/enroll',
		headers => ['Thistle-Device-Enrollment-Token: '
		. $token->{enrollment_token}], curl => ['interface = "127.0.0.2"']),
	    403, 'address-not-allowed');
	is_problem('what the client says of itself', $stack->http('POST', '/enroll',
		headers => ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1',
		"Thistle-Device-Enrollment-Token: $token->{enrollment_token}"],
		curl => ['interface = "127.0.0.2"']), 403, 'address-not-allowed');
	is(enroll(regenerate($project))->{status}, 200, 'without a list: anywhere');
	my $both = regenerate($project, max_uses => 1,
	    allowed_cidrs => ['10.0.0.0/8']);
	enroll($both);
	is(shown($both)->{uses}, 0, 'who may not come uses nothing up');
};

subtest 'addresses of IPv6' => sub {
	plan skip_all => 'this machine has no IPv6'
	    if (eval { slurp('/proc/net/if_inet6') } // '') !~ /^0{31}1 /m;
	my $port = $stack->setting('DEVICE_PORT');
	change_nginx($stack, sub {
		s/^(\tlisten )127\.0\.0\.1(:$port .*\n)/${1}127.0.0.1$2$1\[::1]$2/m });
	my $project = $stack->project;
	my %status = ('::1/128' => 200, '::/0' => 200, '::1' => 200,
		'2001:db8::/32' => 403, '127.0.0.0/8' => 403, '0.0.0.0/0' => 403);
	for my $range (sort keys %status) {
		my $token = regenerate($project, allowed_cidrs => [$range]);
		my $answer = $stack->http('POST', '/enroll', curl => ['ipv6'],
		    headers => ['Thistle-Device-Enrollment-Token: '
			. $token->{enrollment_token}]);
		is($answer->{status}, $status{$range}, $range) or next;
		is(sql('SELECT enrolled_from FROM pappus.devices WHERE device_id ='
			. " '$answer->{json}{device_id}'"), '::1', 'and is recorded')
		    if $answer->{status} == 200;
	}
};

subtest 'address ranges that are none' => sub {
	my $path = '/projects/' . $stack->project . '/enrollment-tokens';
	for my $range ('x', '/8', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/',
	    '10.0.0.0/8/8', '10.0.0.256/32', '1.2.3.4.5/8', '::/129', ':::/8',
	    'fe80::1%eth0/64', '10.0.0.1/8', '2001:db8::1/32', '10.0.0.0/8,',
	    'localhost', '10.0.0.0-10.0.0.9', '%s', "'", '"', '\\', 'ä') {
		my $answer = $stack->admin('POST', $path, document =>
		    { allowed_cidrs => ['192.0.2.0/24', $range] });
		is_problem("'$range'", $answer, 400, 'bad-request') or next;
		like($answer->{json}{detail}, qr/address range/, 'and it says why');
		like($answer->{json}{detail}, qr/\Q$range\E/, 'and which')
		    if $range =~ /^[!#-\[\]-~]+$/;
	}
	is_problem($$_[0], $stack->admin('POST', $path, document =>
		{ allowed_cidrs => [$$_[1]] }), 400, 'bad-request')
	    for ['over-long', '1' x 50], ['blank', ' '];
};

# ---------------------------------------------------------------- successors

subtest 'regenerated' => sub {
	my $project = $stack->project;
	my @tokens = map { regenerate($project) } 1 .. 3;
	is_problem('without grace: dead at once', enroll($tokens[$_]), 401,
	    'invalid-token') for 0, 1;
	is(enroll($tokens[2])->{status}, 200, 'the last one lives');
	my $other = regenerate($stack->project);
	regenerate($project, grace => 0);
	is_problem('with a grace of nothing, too', enroll($tokens[2]), 401,
	    'invalid-token');
	is(enroll($other)->{status}, 200, 'other projects are not touched');
};

subtest 'a grace' => sub {
	my $project = $stack->project;
	my ($old, $new) = (regenerate($project), regenerate($project, grace => 8));
	my $asked = time;
	is(enroll($old)->{status}, 200, 'the earlier one works on');
	is(enroll($new)->{status}, 200, 'beside the new one');
	is(shown($old)->{state}, 'active', 'and counts as active');
	like(shown($old)->{invalidated_at}, qr/^20\d\d-.*Z$/, 'with an end');
	my $refused;
	ok(wait_until(30, sub {
		($refused = enroll($old))->{status} != 200 }), 'which comes');
	cmp_ok(time - $asked, '>', 4, 'not too early');
	cmp_ok(time - $asked, '<', 20, 'nor too late');
	is_problem('then it is dead', $refused, 401, 'invalid-token');
	is(shown($old)->{state}, 'invalidated', 'state');
	is(enroll($new)->{status}, 200, 'the new one lives');
};

subtest 'a grace upon a grace' => sub {
	my $project = $stack->project;
	my $ends = sub { sql('SELECT round(extract(epoch FROM invalidated_at -'
		. ' now()) / 100) FROM pappus.enrollment_tokens WHERE'
		. " enrollment_token_id = '$_[0]{enrollment_token_id}'") };
	my $first = regenerate($project);
	my $second = regenerate($project, grace => 3600);
	is($ends->($first), 36, 'an hour');
	my $third = regenerate($project, grace => 600);
	is_deeply([map { $ends->($_) } $first, $second], [6, 6],
	    'a shorter one is for all');
	regenerate($project, grace => 7200);
	is_deeply([map { $ends->($_) } $first, $second, $third], [6, 6, 72],
	    'a longer one gives nobody back what it had lost');
	my $last = regenerate($project);
	is_problem('none ends all', enroll($_), 401, 'invalid-token')
	    for $first, $second, $third;
	is(enroll($last)->{status}, 200, 'but the last');
};

# -------------------------------------------------------------- invalidating

subtest 'invalidated' => sub {
	my $project = $stack->project;
	my ($first, $second) = (regenerate($project),
	    regenerate($project, grace => 600));
	my $path = "/enrollment-tokens/$first->{enrollment_token_id}";
	my $gone = $stack->admin('DELETE', $path);
	is($gone->{status}, 200, 'answered');
	is($gone->{json}{state}, 'invalidated', 'as it is now');
	is_deeply($gone->{json}, shown($first), 'and as it is listed');
	is_deeply($gone->{headers}{'cache-control'}, ['no-store'], 'no-store');
	is_problem('dead at once, its grace too', enroll($first), 401,
	    'invalid-token');
	is(enroll($second)->{status}, 200, 'its successor lives');
	my $again = $stack->admin('DELETE', $path);
	is($again->{status}, 200, 'a second time');
	is_deeply($again->{json}, $gone->{json}, 'nothing changes');
	is(sql('SELECT count(*) FROM pappus.operator_actions WHERE action ='
		. " 'enrollment_token.invalidate' AND object_id ="
		. " '$first->{enrollment_token_id}'"), 1, 'one act');
	is(sql("SELECT before->>'state', after->>'state', project_id FROM"
		. ' pappus.operator_actions WHERE request_id ='
		. " '$gone->{headers}{'x-request-id'}[0]'"),
	    "active|invalidated|$project", 'which is recorded');
	is_problem("unknown: $_", $stack->admin('DELETE', "/enrollment-tokens/$_"),
	    404, 'not-found') for 'etk_' . '0' x 26, 'x', $project,
	    uc $second->{enrollment_token_id};
	is_problem('the token in place of its id: no token in addresses',
	    $stack->admin('DELETE', "/enrollment-tokens/$second->{enrollment_token}"),
	    400, 'bad-request');
	is(enroll($second)->{status}, 200, 'it lives still');
	$stack->admin('DELETE', "/enrollment-tokens/$second->{enrollment_token_id}");
	is_problem('the last one', enroll($second), 401, 'invalid-token');
	is(enroll(regenerate($project))->{status}, 200, 'another can be made');
};

subtest 'of another project' => sub {
	my ($mine, $foreign) = map { regenerate($stack->project) } 1, 2;
	my $bound = $stack->another_admin('bound',
	    "project_id = '$mine->{project_id}'");
	my @delete = map { $stack->admin('DELETE',
		"/enrollment-tokens/$_->{enrollment_token_id}", token => $bound) }
	    $foreign, $mine;
	is_problem('a foreign one', $delete[0], 404, 'not-found');
	is($delete[1]{status}, 200, 'one\'s own');
	is(enroll($foreign)->{status}, 200, 'the foreign one lives');
};

# ------------------------------------------------------------------- devices

subtest 'devices of a project, at once' => sub {
	my $limit = 7;
	my $project = $stack->project;
	is(patch($project, device_limit => $limit)->{device_limit}, $limit, 'set');
	my $token = regenerate($project);
	my $version = version('enrollment_tokens', 'enrollment_token_id',
	    $token->{enrollment_token_id});
	my @answers = enroll_at_once($token, map { "label=$_" } 1 .. $AT_ONCE);
	is_deeply(counts(@answers), { 200 => $limit,
		'device-limit' => $AT_ONCE - $limit }, "exactly $limit of $AT_ONCE");
	is(devices($project), $limit, 'as many devices');
	is_problem('one more', enroll($token), 403, 'device-limit');
	is(version('enrollment_tokens', 'enrollment_token_id',
		$token->{enrollment_token_id}), $version, 'the token is not written');
	is_problem('a new token makes no room', enroll(regenerate($project)), 403,
	    'device-limit');
	is(enroll(regenerate($stack->project))->{status}, 200,
	    'other projects have their own');
};

subtest 'a limit that changes' => sub {
	my $project = $stack->project;
	my $token = regenerate($project);
	is(enroll($token, external_id => "sn-$_")->{status}, 200, 'without one')
	    for 1 .. 3;
	patch($project, device_limit => 3);
	is_problem('with as many as there are', enroll($token), 403, 'device-limit');
	is(enroll($token, external_id => 'sn-2')->{status}, 200,
	    'who is known already asks again');
	patch($project, device_limit => 5);
	my @answers = enroll_at_once($token, ('label=x') x 16);
	is_deeply(counts(@answers), { 200 => 2, 'device-limit' => 14 },
	    'two more: two');
	patch($project, device_limit => 2);
	is_problem('less than there are', enroll($token), 403, 'device-limit');
	is(devices($project), 5, 'takes nobody away');
	is(patch($project, device_limit => undef)->{device_limit}, undef,
	    'taken back');
	@answers = enroll_at_once($token, ('label=x') x 16);
	is_deeply(counts(@answers), { 200 => 16 }, 'all may come');
	patch($project, device_limit => 23);
	@answers = enroll_at_once($token, ('label=x') x 16);
	is_deeply(counts(@answers), { 200 => 2, 'device-limit' => 14 },
	    'and with a new one, all are counted');
	patch($project, state => 'disabled');
	is_problem('disabled is said first', enroll($token), 403,
	    'project-disabled');
};

subtest 'a limit that comes while many enrol' => sub {
	my $project = $stack->project;
	my $token = regenerate($project);
	my @enroll = ('POST', '/enroll', headers => ['Thistle-Device-Enrollment-'
		. "Token: $token->{enrollment_token}"]);
	my @patch = ('PATCH', "/admin/v1/projects/$project", to => 'admin',
	    body => '{"device_limit":30}', headers => [
		"Authorization: Bearer $stack->{admin_token}",
		'Content-Type: application/json']);
	my @answers = at_once($stack, (\@enroll) x 12, \@patch, (\@enroll) x 80);
	my ($patched) = splice @answers, 12, 1;
	is($patched->{status}, 200, 'it comes');
	my $counts = counts(@answers);
	my $after = counts(enroll_at_once($token, ('label=x') x 40));
	my $devices = devices($project);
	is($counts->{200} + ($after->{200} // 0), $devices,
	    'a device for each that was answered');
	# Those that were under way when it came may have gone beyond.
	ok($devices == 30 || ($devices > 30 && !$after->{200}),
	    "and at the end no more than there should be: $devices");
	is_problem('which is the end', enroll($token), 403, 'device-limit');
};

subtest 'a limit of uses and one of devices' => sub {
	my $project = $stack->project;
	patch($project, device_limit => 4);
	my $token = regenerate($project, max_uses => 6);
	my @answers = enroll_at_once($token, ('label=x') x 32);
	is_deeply(counts(@answers), { 200 => 4, 'device-limit' => 28 },
	    'the smaller one ends it');
	is(shown($token)->{uses}, 4, 'who had no room was no use');
	patch($project, device_limit => 100);
	@answers = enroll_at_once($token, ('label=x') x 32);
	is_deeply(counts(@answers), { 200 => 2, 'token-used-up' => 30 },
	    'then the other');
};

done_testing;
