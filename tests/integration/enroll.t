# SPDX-License-Identifier: ISC
# POST /enroll: what it answers, what a form may hold, what an external_id
# means, and which enrolment tokens are good.
use strict;
use warnings;
use utf8;
use Encode qw(encode_utf8);
use Test::More;
use Pappus::Check qw(is_problem at_once forged log_line);
use Pappus::Test;

my $stack = Pappus::Test->start;
my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my $invalid = 'Thistle-Device-Enrollment-Token realm="pappus",'
    . ' error="invalid_token"';

sub post
{
	my (@curl) = @_;
	return $stack->http('POST', '/enroll', curl => \@curl,
	    headers => ["Thistle-Device-Enrollment-Token: $token"]);
}

# What the database has of the device in an answer.
sub row
{
	my ($answer, $column) = @_;
	my $id = $answer->{json}{device_id} // return 'not enrolled: '
	    . $answer->{body};
	return $stack->psql('postgres',
	    "SELECT $column FROM pappus.devices WHERE device_id = '$id'");
}

subtest 'the answer' => sub {
	my $before = time;
	my $answer = $stack->enroll($token);
	my ($headers, $json) = @$answer{qw(headers json)};
	is($answer->{status}, 200, 'status');
	is_deeply($headers->{'content-type'}, ['application/json'], 'media type');
	is_deeply($headers->{'cache-control'}, ['no-store'], 'no-store');
	is_deeply([sort keys %$json],
	    [qw(device_id device_token project_id timestamp)], 'members');
	like($json->{device_id}, qr/^dev_[0-9a-hjkmnp-tv-z]{26}\z/, 'device_id');
	like($json->{device_token}, qr/^dt_[0-9a-hjkmnp-tv-z]{64}\z/,
	    'device_token');
	is(substr($json->{device_token}, 3, 26), substr($json->{device_id}, 4),
	    'the token names its device');
	is($json->{project_id}, $project, 'project_id');
	cmp_ok($json->{timestamp}, '>=', $before, 'timestamp');
	cmp_ok($json->{timestamp}, '<=', time, 'timestamp');
	like($answer->{body}, qr/"timestamp":\d+[,}]/, 'is a number');

	my ($id) = @{$headers->{'x-request-id'}};
	like($id, qr/^[0-9a-f]{32}\z/, 'request id');
	my $line = log_line($stack, 'enroll', $id);
	is($line->{$$_[0]}, $$_[1], "log: $$_[0]") for ['method', 'POST'],
	    ['route', '/enroll'], ['status', 200], ['outcome', 'enrolled'],
	    ['device', $json->{device_id}];
	like($line->{us}, qr/^[1-9]\d*$/, 'log: microseconds');
	is(row($answer, q{replace(request_id::text, '-', '')}), $id,
	    'database: request id');
	is(row($answer, 'enrolled_from'), '127.0.0.1', 'database: address');
	is(row($answer, 'state'), 'active', 'database: state');
	is(row($answer, 'label IS NULL AND external_id IS NULL'), 't',
	    'database: nothing was said');
	is(row($answer, 'floor(extract(epoch FROM enrolled_at))'),
	    $json->{timestamp}, 'database: time');
};

subtest 'a problem and its request id' => sub {
	my $answer = post('data = "label=%ff"');
	is_problem('not UTF-8', $answer, 400, 'bad-request');
	my $line = log_line($stack, 'enroll', $answer->{json}{request_id});
	is($line->{outcome}, 'bad-request', 'is in the log');
	my $own = $stack->http('POST', '/enroll',
	    headers => ['X-Request-Id: ' . 'a' x 32]);
	isnt($own->{json}{request_id}, 'a' x 32,
	    'the client\'s own counts for nothing');
};

subtest 'form encodings' => sub {
	my $label = 'Pumpe Nº 7 – 揚水 🌱 & = + %';
	my $bytes = encode_utf8($label);
	is(row(post('data = "label=plain"'), 'label'), 'plain', 'curl -d');
	is(row(post('data = "label=two+words%2C%20escaped"'), 'label'),
	    'two words, escaped', 'escapes');
	my %as = ('--data-urlencode' => 'data-urlencode', '-F' => 'form-string');
	for my $option (sort keys %as) {
		my $answer = post("$as{$option} = \"label=$bytes\"",
		    "$as{$option} = \"external_id=SN $option\"");
		is(row($answer, 'label'), $bytes, "curl $option: label");
		is(row($answer, 'external_id'), "SN $option", 'external_id');
	}
	is(row(post('data = "label=a&firmware=1.2"'), 'label'), 'a',
	    'fields unknown to us are ignored');
	is(row(post('data = "label=a"', 'header = "Content-Type: '
		. 'Application/X-WWW-Form-Urlencoded; charset=UTF-8"'), 'label'),
	    'a', 'a media type with a charset');
	is(row(post('header = "Content-Type: text/csv"'), 'label'), '',
	    'without a body the type is nobody\'s business');
	is_problem('JSON', post('data = "{}"',
		'header = "Content-Type: application/json"'), 415,
	    'unsupported-media-type');
};

subtest 'labels' => sub {
	is(row(post('data = "label="'), 'label IS NULL'), 't', 'empty: none');
	for my $char ('a', 'ß', '揚', '🌱') {
		my $name = sprintf 'U+%04X', ord $char;
		my $most = encode_utf8($char x 128);
		is(row(post("data-urlencode = \"label=$most\""), 'label'), $most,
		    "128 times $name");
		my $more = encode_utf8($char x 129);
		is_problem("129 times $name",
		    post("data-urlencode = \"label=$more\""), 400, 'bad-request');
	}
	for my $code (0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1f, 0x7f, 0x80, 0x9f) {
		my $escaped = join '', map { sprintf '%%%02x', $_ }
		    unpack 'C*', encode_utf8(chr $code);
		is_problem(sprintf('U+%04X', $code),
		    post("data = \"label=a${escaped}b\""), 400, 'bad-request');
	}
	is_problem('twice', post('data = "label=a&label=b"'), 400, 'bad-request');
	is_problem('a file', post('form = "label=@' . $stack->root_file . '"'),
	    400, 'bad-request');
};

subtest 'an external_id' => sub {
	my $first = $stack->enroll($token, external_id => 'SN-1', label => 'one');
	my $again = $stack->enroll($token, external_id => 'SN-1', label => 'two');
	is($again->{status}, 200, 'again, before an identity was fetched');
	is($again->{json}{device_id}, $first->{json}{device_id}, 'the same id');
	isnt($again->{json}{device_token}, $first->{json}{device_token},
	    'a fresh token');
	is($again->{json}{timestamp}, $first->{json}{timestamp},
	    'the time of enrolment stays');
	is(log_line($stack, 'enroll', $again->{headers}{'x-request-id'}[0])
	    ->{outcome}, 'repeated', 'the log tells it from a new one');
	is_problem('the earlier token is dead',
	    $stack->identity($first->{json}{device_token}), 401, 'invalid-token');
	is($stack->identity($again->{json}{device_token})->{status}, 200,
	    'the fresh one works');
	is_problem('again, after an identity was fetched',
	    $stack->enroll($token, external_id => 'SN-1'), 409, 'identity-exists');
	is($stack->identity($again->{json}{device_token})->{status}, 200,
	    'which leaves the device\'s token alive');

	my $other = $stack->enroll($stack->enrollment_token($stack->project),
	    external_id => 'SN-1');
	is($other->{status}, 200, 'in another project');
	isnt($other->{json}{device_id}, $first->{json}{device_id},
	    'it is another device');
	is($stack->enroll($token, external_id => 'sn-1')->{status}, 200,
	    'case counts');
	is_problem($$_[0], $stack->enroll($token, external_id => $$_[1]), 400,
	    'bad-request') for ['empty', ''], ['too long', 'a' x 129];
	is($stack->enroll($token, external_id => 'a' x 128)->{status}, 200,
	    'the longest');
};

subtest 'the external_id of a denied device' => sub {
	my $answer = $stack->enroll($token, external_id => 'SN-2');
	my $path = "/devices/$answer->{json}{device_id}";
	$stack->admin('POST', "$path/deny", document => { reason => 'stolen' });
	is_problem('is refused', $stack->enroll($token, external_id => 'SN-2'), 403,
	    'device-denied');
	$stack->admin('POST', "$path/allow", document => { reason => 'found' });
	is($stack->enroll($token, external_id => 'SN-2')->{json}{device_id},
	    $answer->{json}{device_id}, 'and let in again with the device');
};

subtest 'one external_id many times at once' => sub {
	my @answers = at_once($stack, map { ['POST', '/enroll',
		headers => ["Thistle-Device-Enrollment-Token: $token"],
		body => 'external_id=SN-3'] } 1 .. 16);
	my (%ids, @good);
	for (@answers) {
		if ($_->{status} == 503) {
			is_problem('busy', $_, 503, 'unavailable');
			next;
		}
		is($_->{status}, 200, 'enrolled') or diag($_->{body});
		$ids{$_->{json}{device_id} // '?'}++;
		push @good, $_ if $stack->identity($_->{json}{device_token})
		    ->{status} == 200;
	}
	is(keys %ids, 1, 'one device');
	is(@good, 1, 'one good token');
	is($stack->psql('postgres', 'SELECT count(*) FROM pappus.devices'
		. " WHERE external_id = 'SN-3'"), 1, 'one row');
};

subtest 'many devices at once' => sub {
	my @answers = at_once($stack, map { ['POST', '/enroll',
		headers => ["Thistle-Device-Enrollment-Token: $token"],
		body => "label=$_&external_id=many-$_"] } 1 .. 60);
	is((grep { $_ && $_->{status} == 200 } @answers), 60, 'all are enrolled');
	my %ids = map { $_->{json}{device_id} => 1 } @answers;
	is(keys %ids, 60, 'each has an id of its own');
	my $swapped = grep { row($answers[$_ - 1], 'label') ne $_ } 1, 17, 42, 60;
	is($swapped, 0, 'each has its own answer');
};

subtest 'a token of which something is wrong' => sub {
	my $with = sub { $stack->http('POST', '/enroll',
		headers => ["Thistle-Device-Enrollment-Token: $_[0]"]) };
	my $device = $stack->enroll($token)->{json}{device_token};
	is_problem('missing', $stack->http('POST', '/enroll'), 401,
	    'unauthenticated',
	    'www-authenticate' => 'Thistle-Device-Enrollment-Token realm="pappus"');
	is_problem('where bearer tokens go', $stack->http('POST', '/enroll',
		headers => ["Authorization: Bearer $token"]), 401,
	    'unauthenticated');
	my @bad = map { is_problem($$_[0], my $answer = $with->($$_[1]), 401,
		'invalid-token', 'www-authenticate' => $invalid); $answer }
	    ['a device token', $device], ['an admin token', $stack->{admin_token}],
	    ['a typing error', $token =~ s/(.)$/$1 eq 'x' ? 'y' : 'x'/er],
	    ['cut short', substr $token, 0, -1];

	# Right in form, wrong in the secret or the row: not to be told apart.
	my @wrong = map { $with->($_) } forged($token), forged("et_" . '0' x 26);
	is_problem('well-formed but wrong', $_, 401, 'invalid-token',
	    'www-authenticate' => $invalid) for @wrong;
	is($wrong[0]{json}{detail}, $wrong[1]{json}{detail},
	    'wrong and unknown have one answer');
	my $earlier = $token;
	$token = $stack->enrollment_token($project);
	is_problem('regenerated', my $dead = $with->($earlier), 401,
	    'invalid-token', 'www-authenticate' => $invalid);
	is($dead->{json}{detail}, $wrong[0]{json}{detail},
	    'and so has a regenerated one');
	is($with->($token)->{status}, 200, 'its successor works at once');
};

subtest 'an expired token' => sub {
	my $id = 'etk_' . substr $token, 3, 26;
	my $set = sub { $stack->psql('postgres', 'UPDATE pappus.enrollment_tokens'
		. " SET created_at = now() - interval '2 days',"
		. " expires_at = now() $_[0] WHERE enrollment_token_id = '$id'") };
	$set->(q{- interval '1 second'});
	is_problem('is told so', $stack->enroll($token), 403, 'token-expired');
	$set->(q{+ interval '1 hour'});
	is($stack->enroll($token)->{status}, 200, 'with time left it works');
};

subtest 'a disabled project' => sub {
	my $set = sub { $stack->psql('postgres', "UPDATE pappus.projects SET"
		. " state = '$_[0]' WHERE project_id = '$project'") };
	$set->('disabled');
	is_problem('takes nobody', $stack->enroll($token), 403, 'project-disabled');
	$set->('active');
	is($stack->enroll($token)->{status}, 200, 'until it is active again');
};

subtest 'other methods' => sub {
	my $count = $stack->psql('postgres', 'SELECT count(*) FROM pappus.devices');
	for my $method (qw(GET PUT PATCH DELETE OPTIONS FOO)) {
		is_problem($method, $stack->http($method, '/enroll', headers =>
			["Thistle-Device-Enrollment-Token: $token"]), 405,
		    'method-not-allowed', allow => 'POST');
	}
	is($stack->http('HEAD', '/enroll')->{status}, 405, 'HEAD');
	is($stack->psql('postgres', 'SELECT count(*) FROM pappus.devices'), $count,
	    'enrol nobody');
};

subtest 'without a database' => sub {
	$stack->stack('stop', 'postgres');
	is_problem('503 with Retry-After', $stack->enroll($token), 503,
	    'unavailable');
	$stack->stack('start', 'postgres');
	ok(Pappus::Test::wait_until(10, sub {
		$stack->enroll($token)->{status} == 200 }), 'and service again');
};

done_testing;
