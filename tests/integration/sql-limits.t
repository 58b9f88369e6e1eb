#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# Limits from several sessions at once: a token's uses and a project's devices
# come out exactly, whoever comes when, and where there is no limit nobody
# counts or waits.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Calls qw(admin digest enroll id quoted_id setup);
use Pappus::Cluster;
use Test::More;

my $LONG = 60;		# seconds: what doesn't wait is done by then
my $SHORT = 0.5;	# what waits is not
my $SESSIONS = 64;

my $cluster = Pappus::Cluster->new(settings =>
    { fsync => 'off', max_connections => 100 });
$cluster->migrate;
my $db = $cluster->session;
$db->value(setup('{"name": "Project"}'));
my $device = 100;
my $token = 1;

sub role {
	my $session = $cluster->session(user => "pappus_$_[0]");
	$session->value("SET lock_timeout = '${LONG}s';"
	    . " SET statement_timeout = '${LONG}s'");
	return $session;
}

sub token {
	my ($options) = @_;
	$token++;
	return $db->value(admin('enrollment_token_regenerate',
	    quoted_id('proj', 1), quoted_id('etk', $token), digest("e$token"),
	    "'$options'"));
}

sub project { return $db->value(admin('project_update', quoted_id('proj', 1), "'$_[0]'")) }
sub uses {
	return $db->value('SELECT uses FROM pappus.enrollment_tokens'
	    . ' WHERE enrollment_token_id = ' . quoted_id('etk', $token));
}
sub devices { return $db->value('SELECT count(*) FROM pappus.devices') }
sub counted {
	return $db->value('SELECT device_count FROM pappus.projects'
	    . ' WHERE project_id = ' . quoted_id('proj', 1));
}

# How often each outcome came, when all sessions do their calls at once.
sub all_at_once {
	my ($calls) = @_;
	my @session = map { role('enroll') } 1 .. $SESSIONS;
	my @text = map { join "\n", map { $calls->($_) } 1 .. 6 } @session;
	$session[$_]->start($text[$_]) for 0 .. $#session;
	my ($errors, %outcome) = '';
	for my $session (@session) {
		my ($output, $complaints) = $session->finish;
		$errors .= $complaints;
		$outcome{$1}++ while $output =~ /^\d+\|(\w+)\|/mg;
		$session->close;
	}
	is($errors, '', 'nobody fails');
	note(join ', ', map { "$_ $outcome{$_}" } sort keys %outcome);
	return \%outcome;
}

sub is_calm {
	is($db->value("SELECT deadlocks FROM pg_stat_database"
	    . " WHERE datname = '$cluster->{database}'"), 0, 'no deadlock');
}

subtest "uses, from $SESSIONS sessions" => sub {
	is(token('{"max_uses": 200}'), 'created', 'a token for 200');
	my $before = devices();
	my $outcome = all_at_once(sub { enroll({ token => $token }, [++$device]) });
	is_deeply($outcome, { enrolled => 200, token_used_up => 6 * $SESSIONS - 200 },
	    'exactly 200 enrol');
	is(uses(), 200, '... are counted');
	is(devices() - $before, 200, '... are there');
	is_calm();
};

subtest 'uses, in batches with external_ids' => sub {
	is(token('{"max_uses": 200}'), 'created', 'a token for 200');
	my $before = devices();
	# Each of 150 ids comes up several times, and some have none.
	my $outcome = all_at_once(sub { enroll({ token => $token }, map {
		my $n = ++$device;
		[$n, $n % 5 ? 'SN-' . $n * 7 % 150 : undef] } 1 .. 4) });
	is($outcome->{enrolled}, 200, 'exactly 200 enrol');
	is(uses(), 200, '... are counted');
	is(devices() - $before, 200, '... are there');
	is_calm();
};

subtest "devices of a project, from $SESSIONS sessions" => sub {
	is(token('{}'), 'created', 'a token for all');
	my $before = devices();
	project('{"device_limit": ' . ($before + 150) . '}');
	my $outcome = all_at_once(sub { enroll({ token => $token }, [++$device],
		[++$device, "D-$device"]) });
	is_deeply($outcome,
	    { enrolled => 150, device_limit => 12 * $SESSIONS - 150 },
	    'exactly 150 enrol');
	is(devices() - $before, 150, '... are there');
	is(counted(), $before + 150, '... are counted');
	is(uses(), 0, '... and no uses are');
	is_calm();
};

subtest 'both limits, and batches of several tokens' => sub {
	is(token('{"max_uses": 60, "grace": 600}'), 'created', 'a token for 60');
	is(token('{"max_uses": 60, "grace": 600}'), 'created', 'and another');
	my $before = devices();
	project('{"device_limit": ' . ($before + 100) . '}');
	my $outcome = all_at_once(sub { enroll({ token => $token - $device % 2 },
		[++$device], [++$device], [++$device]) });
	is($outcome->{enrolled}, 100, 'exactly 100 enrol');
	is(devices() - $before, 100, '... are there');
	is($db->value('SELECT sum(uses), max(uses) <= 60 FROM'
	    . " pappus.enrollment_tokens WHERE enrollment_token_id IN ('"
	    . id('etk', $token) . "', '" . id('etk', $token - 1) . "')"), '100|t',
	    '... by both tokens, none more than it may');
	is_calm();
	project('{"device_limit": null}');
};

subtest 'a limit that comes while others enrol' => sub {
	is(token('{}'), 'created', 'a token for all');
	my $before = devices();
	my ($enrolling, $operator) = (role('enroll'), role('admin'));
	# The operator's transaction has the lower id, and ends first.
	$operator->value('BEGIN; SELECT pg_current_xact_id()');
	$enrolling->value('BEGIN; ' . enroll({ token => $token }, [++$device]));
	$operator->value(admin('project_update', quoted_id('proj', 1),
	    '\'{"device_limit": ' . ($before + 3) . '}\'') . 'COMMIT;');
	my $other = role('enroll');
	like($other->value(enroll({ token => $token }, [++$device])), qr/enrolled/,
	    'one more enrols');
	is(counted(), '', 'what was counted is not kept');
	$enrolling->value('COMMIT');
	like($other->value(enroll({ token => $token }, [++$device])), qr/enrolled/,
	    'a third');
	is(counted(), $before + 3, 'now it is');
	like($other->value(enroll({ token => $token }, [++$device])),
	    qr/device_limit/, 'the one that was under way counts');
	is(devices(), $before + 3, '... exactly so many');
	project('{"device_limit": null}');
};

subtest 'a limit that comes while one waits' => sub {
	# Having read that there is none, it waits for a key, and is served:
	# it came before.
	is(token('{}'), 'created', 'a token for all');
	my ($holder, $waiting) = (role('enroll'), role('enroll'));
	$holder->value('BEGIN; ' . enroll({ token => $token }, [++$device, 'W-1']));
	$waiting->start(enroll({ token => $token }, [++$device, 'W-1']));
	ok(!$waiting->done($SHORT), 'one waits');
	project('{"device_limit": ' . devices() . '}');
	my $other = role('enroll');
	$other->start(enroll({ token => $token }, [++$device]));
	ok($other->done($LONG), 'another does not');
	like(($other->finish)[0], qr/device_limit/, '... and has no room');
	is(counted(), '', 'what was counted is not kept');
	$holder->value('ROLLBACK');
	like(($waiting->finish)[0], qr/enrolled/, 'the one that waited enrols');
	like($other->value(enroll({ token => $token }, [++$device])),
	    qr/device_limit/, 'there is no room');
	is(counted(), devices(), '... for all are counted');
	project('{"device_limit": null}');
};

subtest 'where there is no limit nobody waits' => sub {
	is(token('{}'), 'created', 'a token for all');
	my ($one, $two) = (role('enroll'), role('enroll'));
	$one->value('BEGIN; ' . enroll({ token => $token }, [++$device], [++$device, 'F-1']));
	$two->start(enroll({ token => $token }, [++$device], [++$device, 'F-2']));
	ok($two->done($LONG), 'an enrolment beside an open one');
	is($db->value("SELECT count(*) FROM pg_locks l JOIN pg_class c"
	    . " ON c.oid = l.relation WHERE c.relname IN ('projects',"
	    . " 'enrollment_tokens') AND l.mode <> 'AccessShareLock'"), 0,
	    '... with no lock but to read');
	$two->finish;
	$one->value('COMMIT');
	my $written = sub { $db->value('SELECT string_agg(ctid::text, \' \') FROM'
		. ' pappus.enrollment_tokens') . $db->value('SELECT'
		. " string_agg(ctid::text || xmin::text, ' ') FROM pappus.projects") };
	my $before = $written->();
	$one->value(enroll({ token => $token }, [++$device], [++$device, 'F-3']));
	is($written->(), $before, 'and nothing written there');

	is(token('{"max_uses": 9}'), 'created', 'where there is one');
	$one->value('BEGIN; ' . enroll({ token => $token }, [++$device]));
	$two->start(enroll({ token => $token }, [++$device]));
	ok(!$two->done($SHORT), 'the second waits');
	$one->value('COMMIT');
	like(($two->finish)[0], qr/enrolled/, '... for the first');
};

done_testing();
