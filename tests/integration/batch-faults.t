# SPDX-License-Identifier: ISC
# The group commit against a real PostgreSQL that fails: what each request of
# a batch is answered, and what the database then holds.  A proxy that knows
# the protocol stands between, holds a first call until all others wait in
# the worker, and so decides what shares a batch.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Load;
use Pappus::Proxy;
use Pappus::Session;
use Pappus::Test qw(spew wait_until);
use Pappus::Workers qw(workers);

# One worker, hence one connection and one batch at a time.  Time enough to
# gather a batch on a slow machine.
my $stack = Pappus::Test->start(workers => 1,
	env => { PAPPUS_DEADLINE_MS => 20000 });
my $proxy = Pappus::Proxy->start($stack);
$proxy->serve('enroll', 'identity');

my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my %program = (enroll => 'enroll', issue => 'identity');

# ------------------------------------------------------------------- helpers

# A device that has enrolled: {id, token}.
sub enrolled
{
	my (%form) = @_;
	my $json = $stack->enroll($token, %form)->{json};
	return { id => $json->{device_id}, token => $json->{device_token} };
}

sub identity
{
	my ($device) = @_;
	return sub { $stack->identity($device->{token}) };
}

sub enrolment
{
	my (%form) = @_;
	return sub { $stack->enroll($token, %form) };
}

sub ask { return Pappus::Load->ask($stack, @_) }

# All that was accepted has reached the queue: no thread of the worker runs.
sub settled
{
	my ($program) = @_;
	my $quiet = 0;
	wait_until(10, sub {
		my $busy = grep { !/\) S / } map { Pappus::Test::slurp($_) }
		    map { glob "/proc/$_/task/*/stat" } workers($stack, $program);
		$quiet = $busy ? 0 : $quiet + 1;
		return $quiet == 3;
	}) or die "$program doesn't come to rest\n";
}

# Have requests share one call of a statement: one of its own kind goes before
# and is held on its way until they all wait behind it.  What shall then happen
# to their call is the rest.  Returns the answers, without the first one's.
my $spare;

sub together
{
	my ($statement, $requests, %next) = @_;
	my $asked = gather($statement, $requests);
	$proxy->release(%next);
	return [$asked->answers];
}

sub gather
{
	my ($statement, $requests) = @_;
	my $program = $program{$statement};
	$spare //= enrolled();
	$proxy->forget;
	$proxy->hold($statement);
	my $first = $statement eq 'issue' ? identity($spare) : enrolment();
	my $asked = ask($first, @$requests[0 .. -1]);
	wait_until(10, sub { $proxy->held == 1 }) or die "nothing is held\n";
	my $others = ask(@$requests);
	wait_until(10, sub {
		Pappus::Load::accepted($stack, $program) == 1 + @$requests })
	    or die "not all requests have come\n";
	settled($program);
	$others->{first} = $asked;
	return $others;
}

sub sizes { return [map { $_->{size} } $proxy->calls($_[0])] }
sub statuses { return [map { $_->{status} } @{$_[0]}] }

# 503 as documented, with a word about what is known.
sub unavailable
{
	my ($answer, $known, $name) = @_;
	my $json = $answer->{json} // {};
	is_deeply({ status => $answer->{status}, type => $json->{type},
		retry => ($answer->{headers}{'retry-after'}[0] // '') > 0,
		known => ($json->{detail} // '') =~ $known ? 1 : 0,
		content => $answer->{headers}{'content-type'}[0] },
	    { status => 503, type => 'urn:pappus:problem:unavailable',
		retry => 1, known => 1, content => 'application/problem+json' },
	    $name) or diag($answer->{head}, $answer->{body});
}

sub sql { return $stack->psql('postgres', $_[0]) }

# The rows that requests have left in a table, per request.
sub rows
{
	my ($table, $answers) = @_;
	my @counts;
	for my $answer (@$answers) {
		my $id = $answer->{headers}{'x-request-id'}[0];
		push @counts, sql("SELECT count(*) FROM pappus.$table "
		    . "WHERE request_id = '$id'");
	}
	return \@counts;
}

# The serials of a device's certificates that nothing has revoked.
sub valid
{
	my ($device) = @_;
	return [split /\n/, sql("SELECT encode(c.serial, 'hex') "
	    . 'FROM pappus.certificates c LEFT JOIN pappus.revocations r USING '
	    . "(serial) WHERE r.serial IS NULL AND c.device_id = '$device->{id}'")];
}

sub serial
{
	my ($answer) = @_;
	my $file = $stack->tmp . '/serial.crt';
	spew($file, $answer->{json}{device_certificate_pem});
	return lc((`openssl x509 -noout -serial -in $file` =~ /=(\w+)/)[0]);
}

sub session
{
	return Pappus::Session->new('host=' . $stack->run
	    . '/pg dbname=pappus user=postgres');
}

# A session that holds a device's row until it is closed.
sub lock_device
{
	my ($device) = @_;
	my $session = session();
	$session->value("BEGIN; SELECT 1 FROM pappus.devices WHERE device_id = "
	    . "'$device->{id}' FOR UPDATE");
	return $session;
}

# How many backends of a role wait so; pg_terminate_backend or
# pg_cancel_backend is told to them.
sub tell_waiting
{
	my ($role, $event, $function) = @_;
	my $session = session();
	my $told = wait_until(10, sub { $session->value("SELECT count(*) FROM "
	    . "(SELECT $function(pid) FROM pg_stat_activity WHERE usename = "
	    . "'$role' AND $event) t") > 0 });
	$session->close;
	return $told;
}

# --------------------------------------------------------- bad among the good

subtest 'a refused enrolment among good ones' => sub {
	my $other = $stack->project;
	my $dead = $stack->enrollment_token($other);
	$stack->enrollment_token($other);
	my $answers = together('enroll', [(map { enrolment(label => "n$_") } 0 .. 4),
		sub { $stack->enroll($dead) }, enrolment(label => 'n6')]);
	is_deeply(sizes('enroll'), [1, 7], 'they were one batch');
	is_deeply(statuses($answers), [200, 200, 200, 200, 200, 401, 200],
	    'each has its own answer');
	is_deeply(rows('devices', $answers), [1, 1, 1, 1, 1, 0, 1], 'and row');
	for my $n (0 .. 4, 6) {
		my $json = $answers->[$n]{json};
		is(sql('SELECT label FROM pappus.devices WHERE device_id = '
		    . "'$json->{device_id}'"), "n$n", "$n: its own device");
		is($stack->identity($json->{device_token})->{status}, 200,
		    'and token');
	}
};

subtest 'refused identities among good ones' => sub {
	my @devices = map { enrolled() } 1 .. 5;
	$stack->admin('POST', "/devices/$devices[1]{id}/deny",
	    document => { reason => 'test' });
	# Its external_id enrols again, and the token it had is dead.
	my $replaced = enrolled(external_id => 'replaced');
	enrolled(external_id => 'replaced');
	my $answers = together('issue', [map { identity($_) } @devices, $replaced]);
	is_deeply(sizes('issue'), [1, 6], 'they were one batch');
	is_deeply(statuses($answers), [200, 403, 200, 200, 200, 401],
	    'each has its own answer');
	is_deeply(rows('certificates', $answers), [1, 0, 1, 1, 1, 0], 'and row');
	is($answers->[$_]{json}{device_id}, $devices[$_]{id}, "device $_ is itself")
	    for 0, 2, 3, 4;
};

# ------------------------------------------------------- one device, many times

subtest 'one device three times in a batch' => sub {
	my ($one, $two) = map { enrolled() } 1 .. 2;
	my $answers = together('issue', [map { identity($_) } $one, $two, $one, $one]);
	is_deeply(sizes('issue'), [1, 4], 'they were one batch');
	is_deeply(statuses($answers), [(200) x 4], 'all are answered');
	is_deeply(rows('certificates', $answers), [1, 1, 1, 1], 'all are recorded');
	my ($call) = grep { $_->{size} == 4 } $proxy->calls('issue');
	my @ids = Pappus::Proxy::elements($call, 0);
	my @serials = Pappus::Proxy::elements($call, 2);
	my ($last) = map { $serials[$_] =~ /([0-9a-f]+)$/ }
	    (grep { $ids[$_] eq $one->{id} } 0 .. 3)[-1];
	is_deeply(valid($one), [$last], 'the last alone is valid');
	ok((grep { serial($answers->[$_]) eq $last } 0, 2, 3),
	    'and was answered');
	is_deeply(valid($two), [serial($answers->[1])], 'its neighbour\'s too');
};

subtest 'one external_id three times in a batch' => sub {
	my $answers = together('enroll',
	    [(map { enrolment(external_id => 'thrice') } 1 .. 3), enrolment()]);
	is_deeply(sizes('enroll'), [1, 4], 'they were one batch');
	is_deeply(statuses($answers), [(200) x 4], 'all are answered');
	my %ids = map { $_->{json}{device_id} => 1 } @$answers[0 .. 2];
	is(keys %ids, 1, 'with one device');
	is(sql("SELECT count(*) FROM pappus.devices WHERE external_id = 'thrice'"),
	    1, 'which is one row');
	my @worth = map { $stack->identity($_->{json}{device_token})->{status} }
	    @$answers[0 .. 2];
	is_deeply([sort @worth], [200, 401, 401], 'and one token that is worth it');
};

# ------------------------------------------------------------ lost connections

subtest 'an idle connection is cut' => sub {
	my $device = enrolled();
	$stack->identity($device->{token});
	for my $how ('by the network', 'by the server') {
		$how =~ /network/ ? $proxy->cut : sql('SELECT '
		    . 'pg_terminate_backend(pid, 5000) FROM pg_stat_activity '
		    . "WHERE usename IN ('pappus_enroll', 'pappus_identity')");
		is($stack->enroll($token)->{status}, 200, "$how: no enrolment fails");
		is($stack->identity($device->{token})->{status}, 200,
		    "$how: no identity fails");
	}
	is(@{valid($device)}, 1, 'one certificate is valid');
};

# What a fault leaves behind: 503 for all of the batch, and so many rows each.
sub fault
{
	my ($statement, $action, $each, @requests) = @_;
	my $answers = together($statement, \@requests, $statement => $action);
	unavailable($_, qr/answer was lost/, 'no one knows') for @$answers;
	is_deeply(sizes($statement), [1, scalar @requests],
	    'one batch, and it is not repeated');
	is_deeply(rows($statement eq 'issue' ? 'certificates' : 'devices', $answers),
	    [($each) x @requests], "each has left $each rows");
	return $answers;
}

for ([warn => 0], [half => 0], [swallow => 1]) {
	my ($action, $each) = @$_;
	subtest "the connection is lost: $action" => sub {
		fault('enroll', $action, $each, map { enrolment() } 1 .. 4);
		my %form = (external_id => "lost-$action");
		fault('enroll', $action, $each, enrolment(%form));
		my $again = $stack->enroll($token, %form);
		is($again->{status}, 200, 'enrolling again works');
		is(sql('SELECT count(*) FROM pappus.devices WHERE '
		    . "external_id = '$form{external_id}'"), 1, 'as one device');

		my @devices = map { enrolled() } 1 .. 4;
		my %had = map { $_->{id} => serial($stack->identity($_->{token})) }
		    @devices[0, 1];
		fault('issue', $action, $each, map { identity($_) } @devices);
		is_deeply([map { valid($_)->[0] } @devices[0, 1]],
		    [@had{map { $_->{id} } @devices[0, 1]}], 'what they had is valid')
		    if !$each;
		for my $device (@devices) {
			my $answer = $stack->identity($device->{token});
			is($answer->{status}, 200, 'asking again works');
			is_deeply(valid($device), [serial($answer)],
			    'and brings the one certificate that is valid');
		}
	};
}

subtest 'the server ends the backend while it waits for a row' => sub {
	# It shall wait longer than this test needs to act.
	sql("ALTER ROLE pappus_identity SET lock_timeout = '20s'");
	$proxy->cut;
	my @devices = map { enrolled() } 1 .. 4;
	my $lock;
	my $asked = gather('issue', [map { identity($_) } @devices]);
	$lock = lock_device($devices[2]);
	$proxy->release;
	ok(tell_waiting('pappus_identity', "wait_event_type = 'Lock'",
		'pg_terminate_backend'), 'it waits');
	my @answers = $asked->answers;
	unavailable($_, qr/answer was lost/, 'no one knows') for @answers;
	is_deeply(sizes('issue'), [1, 4], 'one batch, and it is not repeated');
	$lock->close;
	is_deeply(rows('certificates', \@answers), [0, 0, 0, 0], 'nothing is written');
	sql("ALTER ROLE pappus_identity SET lock_timeout = '500ms'");
	$proxy->cut;
	is($stack->identity($_->{token})->{status}, 200, 'asking again works')
	    for @devices;
};

# ------------------------------------------------------------ the server's word

subtest 'the server rolls back for one of them' => sub {
	my @devices = map { enrolled() } 1 .. 5;
	my $lock = lock_device($devices[1]);
	my $answers = together('issue', [map { identity($_) } @devices]);
	is_deeply(sizes('issue'), [1, 5, (1) x 5], 'then each is tried by itself');
	is_deeply(statuses($answers), [200, 503, 200, 200, 200],
	    'its neighbours succeed');
	unavailable($answers->[1], qr/Nothing was recorded/, 'and it may ask again');
	$lock->close;
	is_deeply(rows('certificates', $answers), [1, 0, 1, 1, 1], 'one row each');
	is($stack->identity($devices[1]{token})->{status}, 200, 'which works then');

	my $known = enrolled(external_id => 'locked');
	$lock = lock_device($known);
	$answers = together('enroll', [enrolment(),
		enrolment(external_id => 'locked'), enrolment()]);
	is_deeply(sizes('enroll'), [1, 3, (1) x 3], 'enrolments likewise');
	is_deeply(statuses($answers), [200, 503, 200], 'neighbours succeed');
	$lock->close;
	is_deeply(rows('devices', $answers), [1, 0, 1], 'one row each');
};

# Have commits wait for a standby that doesn't come.
sub await_standby
{
	sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	sql('SELECT pg_reload_conf()');
	# Some server process looks at it when it gets to it.
	ok(wait_until(10, sub {
		my $session = session();
		$session->start("SELECT pg_logical_emit_message(true, 'x', 'x')");
		return if $session->done(0.3);
		sql('SELECT pg_cancel_backend(pid) FROM pg_stat_activity '
		    . "WHERE wait_event = 'SyncRep'");
		return ($session->finish)[1] =~ /synchronous replication/;
	}), 'commits wait');
}

subtest 'a wait for the standby is cancelled' => sub {
	my @devices = map { enrolled() } 1 .. 3;
	my %what = (
		enroll => [pappus_enroll => 'devices', map { enrolment() } 1 .. 3],
		issue => [pappus_identity => 'certificates',
			map { identity($_) } @devices]);
	for my $statement ('enroll', 'issue') {
		my ($role, $table, @requests) = @{$what{$statement}};
		my $asked = gather($statement, \@requests);
		await_standby();
		$proxy->release;
		ok(tell_waiting($role, "wait_event = 'SyncRep'",
			'pg_cancel_backend'), "$statement: one waits for the standby");
		$asked->{first}->answers;
		ok(tell_waiting($role, "wait_event = 'SyncRep'",
			'pg_cancel_backend'), 'then a batch');
		my @answers = $asked->answers;
		unavailable($_, qr/answer was lost/, 'it may yet be lost')
		    for @answers;
		is_deeply(sizes($statement), [1, 3], 'it is not repeated');
		is_deeply(rows($table, \@answers), [1, 1, 1],
		    'although it was committed here');
		sql('ALTER SYSTEM RESET synchronous_standby_names');
		sql('SELECT pg_reload_conf()');
	}
	# Operators are told no more than what is known, either.
	await_standby();
	my $asked = ask(sub { $stack->admin('POST', '/projects',
		document => { name => 'lost' }) });
	ok(tell_waiting('pappus_admin', "wait_event = 'SyncRep'",
		'pg_cancel_backend'), 'an operator waits for the standby');
	unavailable(($asked->answers)[0], qr/answer was lost/, 'likewise');
	sql('ALTER SYSTEM RESET synchronous_standby_names');
	sql('SELECT pg_reload_conf()');
	is($stack->enroll($token)->{status}, 200, 'enrolling goes on');
	for my $device (@devices) {
		my $answer = $stack->identity($device->{token});
		is_deeply(valid($device), [serial($answer)],
		    'a device that asks again has one valid certificate');
	}
};

# --------------------------------------------------------------------- silence

# The rest is about deadlines: short ones, and two a batch.
my $deadline = 2;
spew($stack->dir . '/env', 'PAPPUS_DEADLINE_MS=' . $deadline * 1000
    . "\nPAPPUS_BATCH_MAX=2\n");
$proxy->serve('enroll', 'identity');

subtest 'a server that falls silent' => sub {
	my $device = enrolled();
	for (['enroll', enrolment(), 'devices'],
		['issue', identity($device), 'certificates']) {
		my ($statement, $request, $table) = @$_;
		$proxy->next($statement => 'mute');
		my ($answer) = ask($request)->answers;
		unavailable($answer, qr/answer was lost/, "$statement: refused");
		cmp_ok($answer->{seconds}, '>=', $deadline - 0.1, 'after its time');
		cmp_ok($answer->{seconds}, '<', $deadline + 2, 'and not much more');
		is_deeply(rows($table, [$answer]), [1], 'it was done all the same');
		is($request->()->{status}, 200, 'asking again works');
	}
	is(@{valid($device)}, 1, 'one certificate is valid');
};

# Those that wait behind a silent call are sent after it, if it isn't too late
# by then, and the answer to that is awaited as long once more; nginx's own
# timeout is set for that.
subtest 'everyone is answered in time' => sub {
	my $asked = gather('enroll', [map { enrolment() } 1 .. 5]);
	my @answers = ($asked->{first}->answers, $asked->answers);
	unavailable($_, qr/./, 'refused') for @answers;
	cmp_ok($_->{seconds}, '<', 2 * $deadline + 1, 'in time') for @answers;
	$proxy->release;
};

subtest 'what waited too long is not executed' => sub {
	my $asked = gather('enroll', [map { enrolment() } 1 .. 5]);
	my $late = time + $deadline;
	# Not even a new connection gets through until all are late.
	$proxy->stall;
	my ($first) = $asked->{first}->answers;
	unavailable($first, qr/answer was lost/, 'the one under way is lost');
	sleep 0.1 while time < $late + 0.1;
	$proxy->resume;
	$proxy->release;
	my @answers = $asked->answers;
	is_deeply(statuses(\@answers), [(503) x 5], 'what was queued is refused');
	is_deeply(rows('devices', \@answers), [(0) x 5], 'and was not executed');
	is($stack->enroll($token)->{status}, 200, 'service goes on');
	is_deeply(rows('devices', \@answers), [(0) x 5], 'nor later');
};

# A statement that is on its way to a server that doesn't read it: when it does,
# the device has asked again and holds what that brought.
subtest 'what was given up is not executed later' => sub {
	my $device = enrolled();
	$proxy->next(issue => 'keep');
	my ($answer) = ask(identity($device))->answers;
	unavailable($answer, qr/answer was lost/, 'it is given up');
	my $again = $stack->identity($device->{token});
	is($again->{status}, 200, 'the device asks again');
	$proxy->release;
	sleep 0.5;
	is_deeply(valid($device), [serial($again)], 'and what it got stays valid');
};

done_testing;
