# SPDX-License-Identifier: ISC
# GET /identity asked again: the policies replace, keep and once, how often a
# device may ask in an hour, and that what is late is never executed.  GET /ca.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(is_problem at_once log_line serial_of);
use Pappus::Load;
use Pappus::Session;
use Pappus::SubCA;
use Pappus::Test qw(slurp wait_until);
use Pappus::Workers qw(workers);

my $stack = Pappus::Test->start(workers => 1);

sub sql { return $stack->psql('postgres', "@_") }

sub patch
{
	my ($project, %changes) = @_;
	my $answer = $stack->admin('PATCH', "/projects/$project",
	    document => \%changes);
	die "not changed: $answer->{body}\n" if $answer->{status} != 200;
	return;
}

# A new device of a new project: {project, id, token}.
sub device
{
	my (%project) = @_;
	my $project = $stack->project;
	patch($project, %project) if %project;
	return sibling({ project => $project,
		enrollment => $stack->enrollment_token($project) });
}

sub sibling
{
	my ($device) = @_;
	my $json = $stack->enroll($device->{enrollment})->{json};
	return { %$device, id => $json->{device_id},
		token => $json->{device_token} };
}

sub identity { return $stack->identity($_[0]{token}) }
sub ca { return $stack->http('GET', '/ca',
	headers => ["Authorization: Bearer $_[0]{token}"]) }
sub serial { return serial_of($_[0]{json}{device_certificate_pem} // '') }

# A serial, or what was answered in its place.
sub fetched
{
	my ($device) = @_;
	my $answer = identity($device);
	return $answer->{status} == 200 ? serial($answer)
	    : "$answer->{status}: $answer->{body}";
}

# Of a device: its certificates by age, as "serial status", or those of a
# status.
sub certificates
{
	my ($device, $status) = @_;
	my $shown = $stack->admin('GET', "/devices/$device->{id}");
	my @all = @{$shown->{json}{certificates}};
	return [map { $_->{serial} } grep { $_->{status} eq $status } @all]
	    if $status;
	return [map { "$_->{serial} $_->{status}" } @all];
}

# As if a device's identity, or its certificates, were older.
sub age_identity
{
	my ($device, $by) = @_;
	sql("UPDATE pappus.devices SET identity_issued_at = identity_issued_at -"
	    . " interval '$by' WHERE device_id = '$device->{id}'");
}

sub age_certificates
{
	my ($device, $by, $which) = @_;
	$which = $which ? "encode(serial, 'hex') = '$which'" : 'true';
	sql("UPDATE pappus.certificates SET issued_at = issued_at -"
	    . " interval '$by' WHERE device_id = '$device->{id}' AND $which");
}

sub reset_device
{
	my ($device) = @_;
	my $answer = $stack->admin('POST', "/devices/$device->{id}/reset",
	    document => { reason => 'test' });
	die "no reset: $answer->{body}\n" if $answer->{status} != 200;
	return { %$device, token => $answer->{json}{device_token} };
}

# ------------------------------------------------------------------ policies

subtest 'replace' => sub {
	my $device = device();
	my @serials = map { fetched($device) } 1 .. 3;
	is_deeply(certificates($device), ["$serials[0] revoked",
		"$serials[1] revoked", "$serials[2] valid"], 'the last one alone');
	age_identity($device, '1 year');
	push @serials, fetched($device);
	is_deeply(certificates($device, 'valid'), [$serials[3]],
	    'a year later likewise');
};

subtest 'keep' => sub {
	my $device = device(reissue_policy => 'keep');
	my @serials = map { fetched($device) } 1 .. 3;
	is_deeply(certificates($device, 'valid'), \@serials, 'all stay good');
	age_identity($device, '1 year');
	push @serials, fetched($device);
	is_deeply(certificates($device, 'valid'), \@serials, 'for ever');
	my $fresh = fetched(reset_device($device));
	is_deeply(certificates($device, 'valid'), [$fresh], 'a reset takes them');
};

subtest 'once' => sub {
	my $device = device(reissue_policy => 'once');
	my @serials = map { fetched($device) } 1 .. 3;
	is_deeply(certificates($device, 'valid'), [$serials[2]],
	    'within ten minutes an answer can be repeated; the last one is good');
	age_identity($device, '9 minutes');
	push @serials, fetched($device);
	is_deeply(certificates($device, 'valid'), [$serials[3]], 'also late');
	age_identity($device, '1 minute');
	my $refused = identity($device);
	is_problem('after that', $refused, 409, 'identity-exists');
	is(log_line($stack, 'identity', $refused->{json}{request_id})->{device},
	    $device->{id}, 'the log says whose');
	is_problem('and on', identity($device), 409, 'identity-exists');
	is_deeply(certificates($device, 'valid'), [$serials[3]],
	    'what it has stays good');
	is(scalar @{certificates($device)}, 4, 'and nothing else is recorded');
	is(ca($device)->{status}, 200, 'it can ask for CAs');

	my $again = reset_device($device);
	is_problem('reset: the earlier token is dead', identity($device), 401,
	    'invalid-token');
	is_deeply(certificates($device, 'valid'), [], 'and so is all it had');
	my @new = map { fetched($again) } 1, 2;
	is_deeply(certificates($device, 'valid'), [$new[1]],
	    'with the new one it comes back, and may repeat');
	age_identity($device, '10 minutes');
	is_problem('for ten minutes', identity($again), 409, 'identity-exists');
	patch($device->{project}, reissue_policy => 'replace');
	is(identity($again)->{status}, 200, 'the policy of today counts');
	patch($device->{project}, reissue_policy => 'once');
	is_problem('either way', identity($again), 409, 'identity-exists');
};

subtest 'a repetition does not lengthen the ten minutes' => sub {
	my $device = device(reissue_policy => 'once');
	for (1 .. 3) {
		is(identity($device)->{status}, 200, "after $_ times 3 minutes");
		age_identity($device, '3 minutes');
	}
	age_identity($device, '1 minute');
	is_problem('then it is over', identity($device), 409, 'identity-exists');
};

# -------------------------------------------------------------- hourly limit

# 429 with so many seconds to wait, or less: time passes, on slow machines more.
sub is_limited
{
	my ($name, $device, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $answer = identity($device);
	is_problem($name, $answer, 429, 'too-many-requests');
	my $after = $answer->{headers}{'retry-after'} // [];
	is(scalar @$after, 1, 'one Retry-After');
	like($after->[0], qr/^[1-9]\d*$/, 'whole seconds');
	cmp_ok($after->[0], '<=', $seconds, 'not too long');
	cmp_ok($after->[0], '>', $seconds - 180, 'nor too short');
	is(log_line($stack, 'identity', $answer->{json}{request_id})->{outcome},
	    'too-many-requests', 'is logged');
}

for my $policy (qw(replace keep once)) {
	subtest "so many an hour: $policy" => sub {
		my $device = device(reissue_policy => $policy, issue_limit => 3);
		my @serials = map { fetched($device) } 1 .. 3;
		my $valid = certificates($device, 'valid');
		is_limited('the fourth', $device, 3600);
		is(scalar @{certificates($device)}, 3, 'nothing is recorded of it');
		is_deeply(certificates($device, 'valid'), $valid,
		    'nor taken from it');
		is(identity(sibling($device))->{status}, 200, 'others may ask');
		is(ca($device)->{status}, 200, 'for CAs, too');

		# The oldest leaves the hour first.
		age_certificates($device, '40 minutes', $serials[0]);
		age_certificates($device, '10 minutes', $serials[1]);
		is_limited('later', $device, 1200);
		age_certificates($device, '19 minutes 50 seconds', $serials[0]);
		is(wait_until(25, sub { identity($device)->{status} == 200 }), 1,
		    'after the hour: one');
		is_limited('and not two', $device, 3000);
		patch($device->{project}, issue_limit => 4);
		is(identity($device)->{status}, 200, 'with a higher limit, one more');
		is_limited('and not two', $device, 3000);
		patch($device->{project}, issue_limit => 1);
		is_limited('with a lower one the last counts', $device, 3600);
		my $again = reset_device($device);
		is(identity($again)->{status}, 200, 'after a reset it has the first');
		is_limited('and no second', $again, 3600);
	};
}

subtest 'so many an hour, at once' => sub {
	my $device = device(issue_limit => 5);
	my @answers = at_once($stack, map { ['GET', '/identity',
		headers => ["Authorization: Bearer $device->{token}"]] } 1 .. 32);
	my %counts;
	$counts{$_->{status}}++ for @answers;
	is_deeply(\%counts, { 200 => 5, 429 => 27 }, 'exactly five of 32');
	is(scalar @{certificates($device)}, 5, 'five are recorded');
	my ($valid, @more) = @{certificates($device, 'valid')};
	is_deeply(\@more, [], 'one of which is valid');
	ok((grep { $_->{status} == 200 && serial($_) eq $valid } @answers),
	    'and was delivered');
};

subtest 'the usual limit' => sub {
	my $device = device();
	my @statuses = map { $_->{status} } at_once($stack, map { ['GET',
		'/identity', headers => ["Authorization: Bearer $device->{token}"]]
	} 1 .. 40);
	is(scalar(grep { $_ == 200 } @statuses), 30, 'thirty');
	is(scalar(grep { $_ == 429 } @statuses), 10, 'no more');
	$stack->admin('POST', "/devices/$device->{id}/deny",
	    document => { reason => 'looping' });
	is_problem('of a denied one that is said', identity($device), 403,
	    'device-denied');
};

# ------------------------------------------------------------------- GET /ca

subtest 'the CAs' => sub {
	my $device = device();
	my $row = sub { sql('SELECT xmin, xmax, ctid FROM pappus.devices WHERE'
		. " device_id = '$device->{id}'") };
	my $version = $row->();
	my $before = ca($device);
	is($before->{status}, 200, 'before it has a certificate');
	is_deeply($before->{headers}{'content-type'}, ['application/json'],
	    'media type');
	is_deeply($before->{headers}{'cache-control'}, ['no-store'], 'no-store');
	is_deeply([sort keys %{$before->{json}}],
	    [qw(ca_chain_pem mqtt_server_ca_pem)], 'members');
	is(log_line($stack, 'identity', $before->{headers}{'x-request-id'}[0])
	    ->{device}, $device->{id}, 'in the log');
	is($row->(), $version, 'neither written nor locked');
	is(sql('SELECT identity_issued_at IS NULL FROM pappus.devices WHERE'
		. " device_id = '$device->{id}'"), 't', 'nothing is issued');
	my $identity = identity($device)->{json};
	is_deeply(ca($device)->{json}, { map { $_ => $identity->{$_} }
		qw(ca_chain_pem mqtt_server_ca_pem) }, 'as /identity has them');
	is($identity->{ca_chain_pem}, Pappus::SubCA->first($stack)->chain,
	    'the sub-CA, then the root');
	my $count = scalar @{certificates($device)};

	is_problem('without a token', $stack->http('GET', '/ca'), 401,
	    'unauthenticated', 'www-authenticate' => 'Bearer realm="pappus"');
	is_problem("with $$_[0]", ca({ token => $$_[1] }), 401, 'invalid-token',
	    'www-authenticate' => 'Bearer realm="pappus", error="invalid_token"')
	    for ['an unknown one', Pappus::Check::forged($device->{token})],
	    ['an enrolment token', $device->{enrollment}],
	    ['an admin token', $stack->{admin_token}];
	my @bearer = (headers => ["Authorization: Bearer $device->{token}"]);
	is_problem($_, $stack->http($_, '/ca', @bearer), 405,
	    'method-not-allowed', allow => 'GET')
	    for qw(POST PUT PATCH DELETE OPTIONS);
	my $head = $stack->http('HEAD', '/ca', @bearer);
	is_deeply([$head->{status}, $head->{headers}{allow}, $head->{body}],
	    [405, ['GET'], ''], 'HEAD');
	is_problem('below it', $stack->http('GET', '/ca/root', @bearer), 404,
	    'not-found');

	patch($device->{project}, state => 'disabled');
	is(ca($device)->{status}, 200, 'a disabled project\'s devices may know');
	patch($device->{project}, state => 'active');
	my $act = sub { $stack->admin('POST', "/devices/$device->{id}/$_[0]",
		document => { reason => 'test' }) };
	$act->('deny');
	is_problem('denied', ca($device), 403, 'device-denied');
	$act->('allow');
	is(ca($device)->{status}, 200, 'allowed');
	$act->('revoke');
	is_problem('revoked', ca($device), 401, 'invalid-token');
	is(scalar @{certificates($device)}, $count, 'which has issued nothing');
};

subtest 'the CAs of a project that moves' => sub {
	my ($first, $second) = (Pappus::SubCA->first($stack),
	    Pappus::SubCA->new($stack, 'Second'));
	my $device = device(device_issuer_id => $first->id);
	my $old = fetched($device);
	$second->register;
	$second->give_key;
	patch($device->{project}, device_issuer_id => $second->id);
	my $new = sibling($device);
	ok(wait_until(30, sub { my $answer = ca($new);
		$answer->{status} == 200
		    && $answer->{json}{ca_chain_pem} eq $second->chain }),
	    'who has none yet is told of the new one');
	is(ca($device)->{json}{ca_chain_pem}, $first->chain,
	    'a certificate\'s own issuer goes with it');
	my $answer = identity($device);
	is($answer->{json}{ca_chain_pem}, $second->chain, 'fetched anew');
	is(ca($device)->{json}{ca_chain_pem}, $second->chain, 'and the same here');
	is_deeply(certificates($device), ["$old revoked", serial($answer)
		. ' valid'], 'the old one is superseded');
	patch($device->{project}, device_issuer_id => undef);
	is($stack->admin('PATCH', '/issuers/' . $second->id,
		document => { state => 'crl-only' })->{status}, 200,
	    'the second one issues no more');
	# The worker notices within ten seconds.
	my $same = 0;
	for (1 .. 12) {
		my $answer = ca($device);
		$same += ($answer->{json}{ca_chain_pem} // '') eq $second->chain;
		sleep 1;
	}
	is($same, 12, 'its chain is still what the device has to send');
	is(ca(sibling($device))->{json}{ca_chain_pem} // '', $first->chain,
	    'who comes now is told of the first');
};

# ---------------------------------------------------------------- overtaking

# What a delayed request and its retry have come to: exactly the retry's
# certificate, and no trace of the other.
sub is_overtaken
{
	my ($device, $late, $retry) = @_;
	is_problem('the first one', $late, 503, 'unavailable');
	is($retry->{status}, 200, 'its retry') or diag($retry->{body});
	is_deeply(certificates($device), [serial($retry) . ' valid'],
	    'the retry\'s certificate is valid, and nothing else is recorded');
	is(sql('SELECT count(*) FROM pappus.certificates WHERE request_id = '
		. "'$late->{json}{request_id}'"), 0, 'by its request id neither');
}

sub backends
{
	return split /\n/, sql('SELECT pid FROM pg_stat_activity WHERE usename ='
	    . " 'pappus_identity'");
}

subtest 'a locked row' => sub {
	# Else the lock is given up before the request is.
	sql("ALTER ROLE pappus_identity SET $_ = '60s'") for
	    qw(lock_timeout statement_timeout);
	$stack->stack('restart', 'identity');
	my $device = device();
	my $lock = Pappus::Session->new('host=' . $stack->run
	    . '/pg dbname=pappus user=postgres');
	$lock->value("BEGIN; SELECT 1 FROM pappus.devices WHERE device_id = '"
	    . "$device->{id}' FOR UPDATE");
	my ($late) = Pappus::Load->ask($stack, sub { identity($device) })->answers;
	cmp_ok($late->{seconds}, '>', 4, 'waits its five seconds');
	my $asked = Pappus::Load->ask($stack, sub { identity($device) });
	ok(wait_until(10, sub { sql('SELECT count(*) FROM pg_stat_activity WHERE'
		. " usename = 'pappus_identity' AND wait_event_type = 'Lock'") }),
	    'the retry waits, too');
	$lock->value('COMMIT');
	$lock->close;
	my ($retry) = $asked->answers;
	ok(wait_until(10, sub { !sql('SELECT count(*) FROM pg_stat_activity WHERE'
		. " usename = 'pappus_identity' AND state = 'active'") }),
	    'all comes to an end');
	is_overtaken($device, $late, $retry);
};

subtest 'a server process that stands still' => sub {
	my $device = device();
	is(identity(my $other = sibling($device))->{status}, 200, 'it is at work');
	my @stopped = backends();
	is(scalar @stopped, 1, 'one connection, one process');
	kill 'STOP', @stopped;
	my ($late) = Pappus::Load->ask($stack, sub { identity($device) })->answers;
	my $retry = identity($device);
	is_deeply([grep { $_ == $stopped[0] } backends()], \@stopped,
	    'the retry overtakes');
	kill 'CONT', @stopped;
	ok(wait_until(10, sub { !grep { $_ == $stopped[0] } backends() }),
	    'going on, it finds itself dismissed');
	is_overtaken($device, $late, $retry);
	is_deeply(certificates($other, 'valid'), certificates($other, 'valid'),
	    'others are not touched');
};

# How many requests lie before a worker that takes none (proc(5), net/unix:
# state 02 is connected and not accepted).
sub waiting
{
	return scalar grep { m{^(?:\S+ +){5}02 .*/identity\.sock$} }
	    split /\n/, slurp('/proc/net/unix');
}

subtest 'a worker that stands still' => sub {
	my @workers = workers($stack, 'identity');
	my @cases = (['the client has hung up', 2, 3], ['its time is over', 30, 6]);
	for (@cases) {
		my ($name, $patience, $pause) = @$_;
		my $device = device();
		kill 'STOP', @workers;
		my $first = Pappus::Load->ask($stack, sub {
			eval { $stack->http('GET', '/identity', curl =>
				["max-time = $patience"], headers =>
				["Authorization: Bearer $device->{token}"]) }
			    // { status => 0 } });
		sleep $pause;
		my $retry = Pappus::Load->ask($stack, sub { identity($device) });
		ok(wait_until(10, sub { waiting() == 2 }), "$name: both wait")
		    or diag(waiting());
		kill 'CONT', @workers;
		is(($retry->answers)[0]{status}, 200, 'the retry is served');
		my ($late) = $first->answers;
		is($late->{status}, $patience > $pause ? 503 : 0, 'and it alone');
		is_deeply(certificates($device), [serial($retry->answers)
			. ' valid'], 'what was late is not executed');
	}
};

done_testing;
