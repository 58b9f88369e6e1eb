# SPDX-License-Identifier: ISC
# From one device sub-CA to the next without a restart: several at once, a
# project on its own one, keys and registrations in either order, states that
# go forward, and how long each can issue yet.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(is_problem at_once);
use Pappus::SubCA;
use Pappus::Test qw(slurp spew wait_until);
use Pappus::Workers qw(workers);

my $stack = Pappus::Test->start(workers => 2);
my $NOTICED = 10;	# seconds, at most (issuer_set.h), and some for the machine
my @workers = workers($stack, 'identity');
is(scalar @workers, 2, 'two workers');

my $project = $stack->project('common');
my $token = $stack->enrollment_token($project);
my $own = $stack->project('its own');
my $own_token = $stack->enrollment_token($own);
my $first = Pappus::SubCA->first($stack);
my ($second, $third) = map { Pappus::SubCA->new($stack, $_) } qw(Second Third);

sub sql { return $stack->psql('postgres', "@_") }
sub openssl { return (Pappus::Test::run_command(shift, 'openssl', @_))[1] }

# What new devices of an enrolment token are answered, many at once so that
# each worker gets some: {issuer's name or status => how many}.
sub issuers
{
	my ($token, $count) = @_;
	my @devices = map { $_->{json}{device_token} } at_once($stack,
	    map { ['POST', '/enroll', headers =>
		["Thistle-Device-Enrollment-Token: $token"]] } 1 .. ($count // 8));
	my %seen;
	$seen{issuer($_)}++ for at_once($stack, map { ['GET', '/identity',
		headers => ["Authorization: Bearer $_"]] } @devices);
	return \%seen;
}

# The issuer of the certificate in an answer; it verifies with the chain there.
sub issuer
{
	my ($answer) = @_;
	return $answer->{status} if $answer->{status} != 200;
	my $json = $answer->{json};
	my ($name) = openssl($json->{device_certificate_pem}, 'x509', '-noout',
	    '-issuer', '-nameopt', 'multiline,-align') =~ /commonName = (.*)/;
	my ($chain, $root) = map { $stack->tmp . "/$_.pem" } qw(chain roots);
	spew($chain, $json->{ca_chain_pem});
	spew($root, $json->{mqtt_server_ca_pem});
	my ($status, $out, $err) = Pappus::Test::run_command(
	    $json->{device_certificate_pem}, 'openssl', 'verify', '-x509_strict',
	    '-purpose', 'sslclient', '-CAfile', $root, '-untrusted', $chain);
	return $status == 0 ? $name : "unverified: $out$err";
}

# Whether, at last, the devices of a token get theirs from these alone.
sub comes_to
{
	my ($name, $token, @names) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($began, $quiet, $seen) = (time, 0);
	wait_until(60, sub {
		$seen = issuers($token);
		my $as_wanted = join(' ', sort keys %$seen) eq join ' ', sort @names;
		# Not by chance.
		$quiet = $as_wanted ? $quiet + 1 : 0;
		return $quiet == 3;
	});
	is_deeply([sort keys %$seen], [sort @names], $name);
	return time - $began;
}

sub patch
{
	my ($path, %changes) = @_;
	my $answer = $stack->admin('PATCH', $path, document => \%changes);
	is($answer->{status}, 200, 'PATCH ' . join ' ', map { $_ // 'null' }
		%changes) or diag($answer->{body});
	return $answer;
}

# What identity's log says of an issuer: the last event of it, as fields.
sub event
{
	my ($ca) = @_;
	my ($line) = (grep { / event=issuer / && / issuer=@{[$ca->id]}\b/ }
	    split /\n/, $stack->log('identity'))[-1] // return {};
	return { $line =~ /(\w+)=(\S+)/g };
}

subtest 'at first' => sub {
	is_deeply(issuers($token), { $first->name => 8 }, 'one sub-CA');
	my $event = event($first);
	my ($shown) = grep { $_->{issuer_id} == $first->id }
	    @{$stack->admin('GET', '/issuers')->{json}{items}};
	is($event->{days_left}, $shown->{days_left},
	    'the log says how long it lives, as the API does');
	# Counted over other leap days.
	my $differ = $event->{full_length_days_left}
	    - $shown->{full_length_days_left};
	cmp_ok(abs $differ, '<=', 1, 'and how long it can issue');
	cmp_ok($event->{full_length_days_left}, '>', 1800, 'nearly five years');
	is($event->{level}, 'info', 'which is no reason to worry');
};

subtest 'registered first, its key later' => sub {
	$second->register;
	my $shared;
	for (1 .. 4) {
		$shared = issuers($token);
		is_deeply($shared, { $first->name => 8 },
		    'without its key the other goes on');
		sleep 3;
	}
	patch("/projects/$own", device_issuer_id => $second->id);
	is_deeply(issuers($own_token), { 503 => 8 },
	    'who is to have it alone gets none');
	is_deeply(event($second), {}, 'nor is it in the log');
	$second->give_key;
	my $took = comes_to('with its key it is used', $token, $second->name);
	cmp_ok($took, '<', $NOTICED + 30, 'soon');
	is_deeply(issuers($own_token), { $second->name => 8 },
	    'also where it is the only one');
	cmp_ok(event($second)->{full_length_days_left} // 0, '>', 1800,
	    'the log says for how long');
};

subtest 'two at once' => sub {
	patch("/projects/$own", device_issuer_id => $first->id);
	is_deeply(issuers($own_token), { $first->name => 8 },
	    'a project on its own one');
	is_deeply(issuers($token), { $second->name => 8 },
	    'the others with the newest');
	patch("/projects/$project", device_issuer_id => $first->id);
	is_deeply(issuers($token), { $first->name => 8 }, 'a project moves');
	patch("/projects/$project", device_issuer_id => undef);
	is_deeply(issuers($token), { $second->name => 8 }, 'and back');
	my ($old, $new) = map { $stack->enroll($_)->{json}{device_token} }
	    $own_token, $token;
	is_deeply([map { issuer($stack->identity($_)) } $old, $new],
	    [$first->name, $second->name], 'side by side');
	my %id = split /[|\n]/, sql('SELECT issuer_id, count(*) FROM'
	    . ' pappus.certificates GROUP BY issuer_id');
	cmp_ok($id{$_->id}, '>', 8, 'the database has those of ' . $_->name)
	    for $first, $second;
	patch("/projects/$own", device_issuer_id => $second->id);
	is(issuer($stack->identity($old)), $second->name,
	    'a device that asks again gets its next one from the new');
	is(sql('SELECT count(*) FROM pappus.certificates c JOIN'
		. ' pappus.revocations r USING (serial) WHERE c.device_id ='
		. " 'dev_" . substr($old, 3, 26) . "' AND r.issuer_id = "
		. $first->id . ' AND r.reason = 4'), 1,
	    'and the one of the old is superseded there');
	patch("/projects/$own", device_issuer_id => $first->id);
};

subtest 'its key first, registered later' => sub {
	$third->give_key;
	for (1 .. 4) {
		is_deeply(issuers($token), { $second->name => 8 },
		    'without a registration the other goes on');
		sleep 3;
	}
	like($stack->log('identity'), qr/ event=keys-unused /,
	    'the log says that there is a key too many');
	$third->register;
	my $took = comes_to('registered, it is used', $token, $third->name);
	cmp_ok($took, '<', $NOTICED + 30, 'soon');
	is_deeply(issuers($own_token), { $first->name => 8 },
	    'but where another was chosen');
};

subtest 'the old one signs CRLs only' => sub {
	my $device = $stack->enroll($own_token)->{json}{device_token};
	is(issuer($stack->identity($device)), $first->name, 'a device of it');
	my $path = '/issuers/' . $first->id;
	patch($path, state => 'crl-only');
	my $count = "SELECT count(*) FROM pappus.certificates WHERE issuer_id = "
	    . $first->id;
	my $before = sql($count);
	is_deeply(issuers($own_token), { 503 => 8 },
	    'it issues no more, from that moment');
	is_problem('a project that was on it', $stack->identity($device), 503,
	    'unavailable');
	is($stack->http('GET', '/ca', headers =>
		["Authorization: Bearer $device"])->{json}{ca_chain_pem} // '',
	    $first->chain, 'its chain is still told to those who need it');
	is_deeply(issuers($token), { $third->name => 8 },
	    'others do not notice');
	sleep $NOTICED;
	is_deeply(issuers($own_token), { 503 => 8 }, 'nor later');
	is(sql($count), $before, 'nothing was recorded for it');
	is($stack->admin('PATCH', "/projects/$project", document =>
		{ device_issuer_id => $first->id })->{status}, 400,
	    'no project can be put on it');
	is_problem('it does not come back', $stack->admin('PATCH', $path,
		document => { state => 'issuing' }), 409, 'conflict');
	patch("/projects/$own", device_issuer_id => undef);
	is_deeply(issuers($own_token), { $third->name => 8 },
	    'its project moves at once');
	is(issuer($stack->identity($device)), $third->name,
	    'and its device gets another');
	patch($path, state => 'closed');
	is_deeply(issuers($token), { $third->name => 8 }, 'closed: all the same');
};

subtest 'a key that is taken away' => sub {
	$third->take_key;
	comes_to('the one before it is used', $token, $second->name);
	$third->give_key;
	comes_to('until it is there again', $token, $third->name);
};

subtest 'a key that can\'t be read' => sub {
	my $bad = $stack->run . '/identity/keys/bad.key';
	spew($bad, "no key\n");
	ok(wait_until(60, sub {
		issuers($token, 2);
		$stack->log('identity') =~ / event=keys-unusable .*bad\.key/ }),
	    'is named in the log');
	is_deeply(issuers($token), { $third->name => 8 }, 'and stops nothing');
	unlink $bad or die "$bad: $!";
	$third->take_key;
	comes_to('gone, the others count again', $token, $second->name);
	$third->give_key;
	comes_to('all of them', $token, $third->name);
};

subtest 'one that is not for all' => sub {
	my $path = '/issuers/' . $third->id;
	patch($path, shared => JSON::PP::false);
	is_deeply(issuers($token), { $second->name => 8 },
	    'who names none goes back to the one before, at once');
	patch("/projects/$own", device_issuer_id => $third->id);
	is_deeply(issuers($own_token), { $third->name => 8 }, 'who names it has it');
	my $fourth = Pappus::SubCA->new($stack, 'Fourth');
	$fourth->register('--shared', 'no');
	$fourth->give_key;
	is($stack->psql('postgres', 'SELECT shared FROM pappus.issuers WHERE'
		. ' issuer_id = ' . $fourth->id), 'f', 'a new one, registered so');
	patch("/projects/$own", device_issuer_id => $fourth->id);
	comes_to('where it is named it is used', $own_token, $fourth->name);
	is_deeply(issuers($token), { $second->name => 8 },
	    'and nobody else has moved to it');
	patch("/projects/$own", device_issuer_id => undef);
	is_deeply(issuers($own_token), { $second->name => 8 },
	    'nor who names none any more');
	patch('/issuers/' . $fourth->id, state => 'crl-only');
	patch($path, shared => JSON::PP::true);
	is_deeply(issuers($token), { $third->name => 8 }, 'for all again');
};

subtest 'one whose time is nearly over' => sub {
	# Full length ends a hundred days from now.
	sql("UPDATE pappus.issuers SET not_after = now() + interval '30 years"
	    . " 100 days 12 hours' WHERE issuer_id = " . $third->id);
	my ($shown) = grep { $_->{issuer_id} == $third->id }
	    @{$stack->admin('GET', '/issuers')->{json}{items}};
	cmp_ok($shown->{full_length_days_left}, '<=', 101, 'the API says so');
	cmp_ok($shown->{full_length_days_left}, '>=', 99, 'the API says so');
	is_deeply(issuers($token), { $third->name => 8 }, 'it issues yet');
	sql("UPDATE pappus.issuers SET not_after = now() + interval '29 years 364"
	    . " days' WHERE issuer_id = " . $third->id);
	($shown) = grep { $_->{issuer_id} == $third->id }
	    @{$stack->admin('GET', '/issuers')->{json}{items}};
	is($shown->{full_length_days_left}, 0, 'no day of full length is left');
	is_deeply(issuers($token), { 503 => 8 },
	    'rather none than one that outlives it');
	patch('/issuers/' . $third->id, state => 'crl-only');
	comes_to('with it out of the way, the one before', $token, $second->name);
};

is_deeply([workers($stack, 'identity')], \@workers,
    'all by the same two workers');
is(scalar(() = $stack->log('identity') =~ / event=serving/g), 2,
    'which started once');
done_testing;
