#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# A request that has waited past its deadline is dropped, wherever it waited:
# its client has gone and asked again.  Executed late, an issue would supersede
# the certificate that the retry delivered, and a repeated enrolment kill the
# token that it delivered.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Calls qw(admin digest enroll id issue quoted_id setup);
use Pappus::Cluster;
use Test::More;
use Time::HiRes qw(sleep);

my $LONG = 30;		# seconds: what doesn't wait is done by then
my $SHORT = 0.3;	# what waits is not
my $DEADLINE = "clock_timestamp() + interval '1 second'";

my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
$cluster->migrate;
my $db = $cluster->session;
$db->value(setup('{"name": "Project"}'));
$db->value(enroll({ token => 1 }, map { [$_, "SN-$_"] } 1 .. 20));

sub role {
	my $session = $cluster->session(user => "pappus_$_[0]");
	$session->value("SET lock_timeout = '${LONG}s';"
	    . " SET statement_timeout = '${LONG}s'");
	return $session;
}

# A session in which something stays locked.
sub holder {
	my ($table, $column, $id) = @_;
	my $session = $cluster->session;
	$session->value("BEGIN; SELECT FROM pappus.$table WHERE $column ="
	    . " $id FOR UPDATE");
	return $session;
}

sub device { return holder('devices', 'device_id', quoted_id('dev', $_[0])) }

sub valid {
	return $db->value("SELECT string_agg(serial::text, ' ') FROM"
	    . " audit.certificates WHERE status = 'valid' AND device_id = "
	    . quoted_id('dev', $_[0]));
}

sub token_of {
	return $db->value('SELECT token_sha256 FROM pappus.devices'
	    . ' WHERE device_id = ' . quoted_id('dev', $_[0]));
}

# All that was written anywhere.
sub everything {
	return join ' ', map { $db->value("SELECT md5(coalesce(string_agg(t::text,"
	    . " ' ' ORDER BY t::text), '')) FROM pappus.$_ t") }
	    qw(devices certificates revocations enrollment_tokens projects);
}

subtest 'issue, held up by a lock' => sub {
	my ($first, $retry, $holder) = (role('identity'), role('identity'), device(1));
	$first->start(issue({ deadline => $DEADLINE }, 1));
	ok(!$first->done(1.2), 'it waits, beyond its deadline');
	my $before = everything();
	$holder->value('COMMIT');
	is(($first->finish)[0], '1|late', 'freed, it is late');
	is(everything(), $before, '... and has done nothing');
	is($retry->value(issue({ deadline => $DEADLINE }, 1)), '1|issued',
	    'the retry is served');
};

subtest 'issue, overtaken by the retry' => sub {
	# The first waits for another device of its batch; meanwhile it has not
	# locked this one, whose id comes later.
	my ($first, $retry, $holder) = (role('identity'), role('identity'), device(2));
	$first->start(issue({ deadline => $DEADLINE }, 7, 2));
	ok(!$first->done(1.2), 'the first waits');
	is($retry->value(issue({ deadline => $DEADLINE }, 7)), '1|issued',
	    'the retry is served');
	my $delivered = valid(7);
	$holder->value('COMMIT');
	is(($first->finish)[0], "1|late\n2|late", 'the first is late');
	is(valid(7), $delivered, 'what the retry delivered is what is valid');
	is(valid(2), '', '... and all that is');
};

subtest 'issue, overtaken while the database stood still' => sub {
	my ($first, $retry) = (role('identity'), role('identity'));
	my $pid = $first->value('SELECT pg_backend_pid()');
	kill 'STOP', $pid or die "kill: $!";
	my $deadline = $db->value("SELECT quote_literal($DEADLINE)");
	$first->start(issue({ deadline => $deadline }, 8));
	is($retry->value(issue({ deadline => $DEADLINE }, 8)), '1|issued',
	    'the retry is served');
	my $delivered = valid(8);
	sleep 1;
	kill 'CONT', $pid or die "kill: $!";
	is(($first->finish)[0], '1|late', 'the first is late');
	is(valid(8), $delivered, 'what the retry delivered is what is valid');
};

subtest 'issue, late before it began' => sub {
	my ($first, $holder) = (role('identity'), device(3));
	my $before = everything();
	$first->start(issue({ deadline => 'clock_timestamp()' }, 3));
	ok($first->done($LONG), 'it waits for no lock');
	is(($first->finish)[0], '1|late', '... as it is late');
	is(everything(), $before, 'and has done nothing');
	$holder->value('COMMIT');
};

subtest 'issue, in a batch whose other is held up' => sub {
	my ($batch, $holder) = (role('identity'), device(5));
	$batch->start(issue({ deadline => $DEADLINE }, 4, 5));
	ok(!$batch->done(1.2), 'it waits, beyond the deadline');
	$holder->value('COMMIT');
	is(($batch->finish)[0], "1|late\n2|late", 'both are late');
	is(valid(4) . valid(5), '', 'neither has a certificate');
};

subtest 'enroll, a repetition held up by its device' => sub {
	my ($first, $retry, $holder) = (role('enroll'), role('enroll'), device(6));
	$first->start(enroll({ token => 1, deadline => $DEADLINE }, [100, 'SN-6'],
	    [101, undef], [102, 'SN-102']));
	ok(!$first->done(1.2), 'it waits, beyond its deadline');
	my $before = everything();
	$holder->value('COMMIT');
	is(($first->finish)[0], "1|late|\n2|late|\n3|late|", 'freed, it is late');
	is(everything(), $before, '... and has done nothing, nor its neighbours');
	is($retry->value(enroll({ token => 1 }, [103, 'SN-6'])),
	    '1|repeated|' . id('dev', 6), 'the retry is served');
	is(token_of(6), $db->value('SELECT ' . digest('d103')), '... has its token');
};

subtest 'enroll, held up by another with its external_id' => sub {
	my ($first, $retry, $holder) = map { role('enroll') } 1 .. 3;
	$holder->value('BEGIN; ' . enroll({ token => 1 }, [110, 'SN-110']));
	$first->start(enroll({ token => 1, deadline => $DEADLINE }, [111, 'SN-110']));
	ok(!$first->done(1.2), 'it waits, beyond its deadline');
	$holder->value('COMMIT');
	is(($first->finish)[0], '1|late|', 'the other was there first: late');
	is(token_of(110), $db->value('SELECT ' . digest('d110')),
	    '... whose token stays');
	$holder->value('BEGIN; ' . enroll({ token => 1 }, [112, 'SN-112']));
	$first->start(enroll({ token => 1, deadline => $DEADLINE }, [113, 'SN-112']));
	ok(!$first->done(1.2), 'again');
	my $before = everything();
	$holder->value('ROLLBACK');
	is(($first->finish)[0], '1|late|', 'the other was not: late as well');
	is(everything(), $before, '... and there is no device');
};

subtest 'enroll, held up by a token that counts' => sub {
	is($db->value(admin('enrollment_token_regenerate', quoted_id('proj', 1),
	    quoted_id('etk', 2), digest('e2'),
	    q{'{"max_uses": 2, "grace": 600}'})), 'created', 'a token for two');
	my ($first, $holder) = (role('enroll'), holder('enrollment_tokens',
	    'enrollment_token_id', quoted_id('etk', 2)));
	$first->start(enroll({ token => 2, deadline => $DEADLINE }, [120, undef],
	    [121, 'SN-121']));
	ok(!$first->done(1.2), 'it waits, beyond its deadline');
	my $before = everything();
	$holder->value('COMMIT');
	is(($first->finish)[0], "1|late|\n2|late|", 'freed, it is late');
	is(everything(), $before, '... and has done nothing, nor counted');

	# Counted ones wait for keys as well.
	$holder = role('enroll');
	$holder->value('BEGIN; ' . enroll({ token => 1 }, [130, 'SN-130']));
	$first->start(enroll({ token => 2, deadline => $DEADLINE }, [131, 'SN-130']));
	ok(!$first->done(1.2), 'waiting for a key');
	$before = everything();
	$holder->value('ROLLBACK');
	is(($first->finish)[0], '1|late|', 'freed, it is late');
	is(everything(), $before, '... and has done nothing, nor counted');
};

subtest 'enroll, held up by a project that counts' => sub {
	is($db->value(admin('project_update', quoted_id('proj', 1),
	    q('{"device_limit": 1000}'))), 'ok', 'a limit');
	my ($first, $holder) = (role('enroll'), holder('projects', 'project_id',
	    quoted_id('proj', 1)));
	$first->start(enroll({ token => 1, deadline => $DEADLINE }, [140, undef]));
	ok(!$first->done(1.2), 'it waits, beyond its deadline');
	my $before = everything();
	$holder->value('COMMIT');
	is(($first->finish)[0], '1|late|', 'freed, it is late');
	is(everything(), $before, '... and has done nothing, nor counted');
};

done_testing();
