#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# What happens when several sessions do it at once: who waits for whom, and
# that no order of arrival leaves two valid certificates, a live token that was
# regenerated or a deadlock.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(shuffle);
use Pappus::Cluster;
use Test::More;
use Time::HiRes qw(time);

my $LONG = 30;		# seconds: what doesn't wait is done by then
my $SHORT = 0.5;	# what waits is not

my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
$cluster->migrate;
my $db = $cluster->session;
my $serial = 0;

sub id { return sprintf '%s_%026d', @_ }
sub array { return 'ARRAY[' . join(',', @_) . ']' }
sub digest { return "sha256('$_[0]')" }

# The text of a batch; devices and tokens by number.
sub issue {
	my @device = @_;
	return sprintf 'SELECT n, outcome FROM pappus.issue(%s, %s,'
	    . ' %s::bytea[], %s, array_fill(NULL::inet, ARRAY[%5$d]),'
	    . ' array_fill(NULL::uuid, ARRAY[%5$d]),'
	    . ' array_fill(NULL::timestamptz, ARRAY[%5$d]), ARRAY[1, 2]);',
	    array(map { "'" . id('dev', $_) . "'" } @device),
	    array(map { digest("d$_") } @device),
	    array(map { sprintf "'\\x01%030x'", ++$serial } @device),
	    array(map { digest('key') } @device), scalar @device;
}

# Requests as [device, external_id], all with one enrolment token.
sub enroll {
	my ($token, @request) = @_;
	return sprintf 'SELECT n, outcome, device_id FROM pappus.enroll('
	    . ' array_fill(%s, ARRAY[%3$d]), array_fill(%s, ARRAY[%3$d]),'
	    . ' %4$s, %5$s, array_fill(NULL::text, ARRAY[%3$d]), %6$s::text[],'
	    . ' array_fill(NULL::inet, ARRAY[%3$d]),'
	    . ' array_fill(NULL::uuid, ARRAY[%3$d]),'
	    . ' array_fill(NULL::timestamptz, ARRAY[%3$d]));',
	    "'" . id('etk', $token) . "'::text", digest("e$token"),
	    scalar @request,
	    array(map { "'" . id('dev', $_->[0]) . "'" } @request),
	    array(map { digest("d$_->[0]") } @request),
	    array(map { defined $_->[1] ? "'$_->[1]'" : 'NULL' } @request);
}

sub admin {
	my ($name, @argument) = @_;
	return sprintf 'SELECT outcome FROM pappus.admin_%s(%s, %s, NULL, NULL%s);',
	    $name, "'" . id('atk', 1) . "'", digest('a'),
	    join '', map { ", $_" } @argument;
}

sub regenerate {
	my ($token) = @_;
	return admin('enrollment_token_regenerate', "'" . id('proj', 1) . "'",
	    "'" . id('etk', $token) . "'", digest("e$token"), 'NULL');
}

sub role {
	my ($role) = @_;
	return $cluster->session(user => "pappus_$role");
}

# Whether nobody holds a lock on the device's row.
sub unlocked {
	my ($device) = @_;
	return $db->value("SELECT count(*) FROM (SELECT FROM pappus.devices"
	    . " WHERE device_id = '" . id('dev', $device)
	    . "' FOR UPDATE SKIP LOCKED) s");
}

# A session in which a device's row stays locked.
sub holder {
	my ($device) = @_;
	my $session = $cluster->session;
	$session->value("BEGIN; SELECT FROM pappus.devices WHERE device_id = '"
	    . id('dev', $device) . "' FOR UPDATE");
	return $session;
}

sub valid {
	my ($device) = @_;
	return $db->value("SELECT count(*) FROM audit.certificates WHERE"
	    . " status = 'valid' AND device_id = '" . id('dev', $device) . "'");
}

$db->value(<<"END");
SELECT pappus.setup_issuer_register('root', NULL, 'Root',
	convert_to(repeat('r', 99), 'UTF8'), '\\x01', 0, 4000000000, 'u', 'u',
	NULL, NULL);
SELECT pappus.setup_issuer_register('device', 1, 'Devices',
	convert_to(repeat('d', 99), 'UTF8'), '\\x02', 0, 4000000000, 'u', 'u',
	NULL, sha256('profile'));
SELECT pappus.setup_admin_token_create('${\id('atk', 1)}', ${\digest('a')},
	'owner', 'Owner');
${\admin('project_create', "'" . id('proj', 1) . "'",
    '\'{"name": "Project", "issue_limit": 1000}\'')}
END
$db->value(regenerate(1));
$db->value(enroll(1, map { [$_, undef] } 1 .. 40));

subtest 'two reissues of one device' => sub {
	my ($one, $two) = (role('identity'), role('identity'));
	$one->value('BEGIN; ' . issue(1));
	$two->value("SET lock_timeout = '${LONG}s'");
	$two->start(issue(1));
	ok(!$two->done($SHORT), 'the second waits');
	$one->value('COMMIT');
	ok($two->done($LONG), 'until the first has committed');
	like(($two->finish)[0], qr/^1\|issued$/, 'both are issued');
	is(valid(1), 1, 'one is valid');

	$one->value('BEGIN; ' . issue(1));
	$two->start(issue(1));
	ok(!$two->done($SHORT), 'the second waits');
	$one->value('ROLLBACK');
	like(($two->finish)[0], qr/^1\|issued$/, 'or has been rolled back');
	is(valid(1), 1, 'one is valid');
};

subtest 'other devices do not wait' => sub {
	my ($one, $two) = (role('identity'), role('identity'));
	$one->value('BEGIN; ' . issue(2));
	$two->start(issue(3));
	ok($two->done($LONG), 'an issue for another device of the project');
	like(($two->finish)[0], qr/issued/, '... is done');
	my $enroll = role('enroll');
	$enroll->start(enroll(1, [50, undef]));
	ok($enroll->done($LONG), 'an enrolment into the project');
	like(($enroll->finish)[0], qr/enrolled/, '... is done');
	$one->value('COMMIT');
};

subtest 'what a locked device costs its neighbours' => sub {
	my $bulk = holder(4);
	my $worker = role('identity');
	my $began = time;
	my (undef, $errors) = $worker->run(issue(5, 4, 6));
	my $took = time - $began;
	like($errors, qr/55P03/, 'the batch fails by lock_timeout');
	cmp_ok($took, '>=', 0.4, "... after it ($took s)");
	cmp_ok($took, '<', 2, '... and not much later');
	is($worker->value(issue(5)), '1|issued', 'one by one: the first');
	(undef, $errors) = $worker->run(issue(4));
	like($errors, qr/55P03/, '... the locked one');
	is($worker->value(issue(6)), '1|issued', '... the last');
	$bulk->value('ROLLBACK');
	is($worker->value(issue(4)), '1|issued', 'and in the end itself');
};

subtest 'no certificate slips out beside a denial' => sub {
	my ($worker, $admin) = (role('identity'), role('admin'));
	my $device = "'" . id('dev', 7) . "'";
	$worker->value('BEGIN; ' . issue(7));
	$admin->value("SET lock_timeout = '${LONG}s'");
	$admin->start(admin('device_deny', $device, "'x'"));
	ok(!$admin->done($SHORT), 'a denial waits for an issue under way');
	$worker->value('COMMIT');
	is(($admin->finish)[0], 'ok', '... is done after it');
	is(valid(7), 0, '... and its certificate is on hold');
	$admin->value(admin('device_allow', $device, "'x'"));
	is(valid(7), 1, 'allowed again');

	$admin->value('BEGIN; ' . admin('device_deny', $device, "'x'"));
	$worker->value("SET lock_timeout = '${LONG}s'");
	$worker->start(issue(7));
	ok(!$worker->done($SHORT), 'an issue waits for a denial under way');
	$admin->value('COMMIT');
	is(($worker->finish)[0], '1|device_denied', '... and is refused');
	is(valid(7), 0, 'nothing is valid');
};

subtest 'an act is recorded once' => sub {
	my @admin = (role('admin'), role('admin'));
	my $deny = admin('device_deny', "'" . id('dev', 8) . "'", "'x'");
	$admin[0]->value("BEGIN; $deny");
	$admin[1]->start($deny);
	ok(!$admin[1]->done($SHORT), 'a second denial waits for the first');
	$admin[0]->value('COMMIT');
	is(($admin[1]->finish)[0], 'ok', '... and finds it done');
	is($db->value("SELECT count(*) FROM audit.operator_actions"
	    . " WHERE object_id = '" . id('dev', 8) . "'"), 1, 'one act');
};

subtest 'a token that changes while the batch waits' => sub {
	# The first statement found no such token, hence took no lock; the later
	# ones must not issue without it.
	my ($worker, $holder) = (role('identity'), holder(9));
	$db->value(enroll(1, [60, 'SN-60']));
	$worker->value("SET lock_timeout = '${LONG}s'");
	$worker->start(issue(61, 9) =~ s/@{[id('dev', 61)]}/@{[id('dev', 60)]}/r);
	ok(!$worker->done($SHORT), 'the batch waits');
	is($db->value(enroll(1, [61, 'SN-60'])), '1|repeated|' . id('dev', 60),
	    'a device gets another token');
	$holder->value('COMMIT');
	is(($worker->finish)[0], "1|invalid_token\n2|issued",
	    'which the batch does not know yet');
	is($worker->value(issue(61) =~ s/@{[id('dev', 61)]}/@{[id('dev', 60)]}/r),
	    '1|issued', '... the next one does');
};

subtest 'locks are taken in the order of ids' => sub {
	# A batch that waits for the middle one holds the first, not the last.
	my $middle = holder(32);
	my $worker = role('identity');
	$worker->value("SET lock_timeout = '${LONG}s'");
	$worker->start(issue(33, 32, 31));
	ok(!$worker->done($SHORT), 'issue waits');
	is(unlocked(31) . unlocked(33), '01', '... in order');
	$middle->value('COMMIT');
	like(($worker->finish)[0], qr/1\|issued\n2\|issued\n3\|issued/, 'done');

	# The order of devices, though that of external_ids is another.
	$db->value(enroll(1, [71, 'Z'], [72, 'Y'], [73, 'X']));
	$middle = holder(72);
	$worker = role('enroll');
	$worker->value("SET lock_timeout = '${LONG}s'");
	$worker->start(enroll(1, [74, 'X'], [75, 'Y'], [76, 'Z']));
	ok(!$worker->done($SHORT), 'enroll waits for known devices');
	is(unlocked(71) . unlocked(73), '01', '... in order');
	$middle->value('COMMIT');
	like(($worker->finish)[0], qr/1\|rep.*\n2\|rep.*\n3\|rep/, 'done');

	# New ones: by external_id, for the key is what they may wait for.
	my $first = role('enroll');
	$first->value('BEGIN; ' . enroll(1, [80, 'N-2']));
	$worker->start(enroll(1, [81, 'N-3'], [82, 'N-2'], [83, 'N-1']));
	ok(!$worker->done($SHORT), 'enroll waits for a new one');
	my $second = role('enroll');
	$second->start(enroll(1, [84, 'N-3']));
	ok($second->done($LONG), '... in order, or this would wait for it');
	is(($second->finish)[0], '1|enrolled|' . id('dev', 84), '... done');
	$first->value('COMMIT');
	is(($worker->finish)[0], join("\n", '1|repeated|' . id('dev', 84),
	    '2|repeated|' . id('dev', 80), '3|enrolled|' . id('dev', 83)), 'done');
};

subtest 'batches in opposite order' => sub {
	my @device = (11 .. 26);
	my @worker = map { role('identity') } 1 .. 6;
	for my $i (0 .. $#worker) {
		my $batches = '';
		for my $round (1 .. 25) {
			my @order = $i == 0 ? @device
			    : $i == 1 ? reverse @device : shuffle @device;
			$batches .= issue(@order);
		}
		# Longer than deadlock_timeout, so that a deadlock shows as one.
		$worker[$i]->value("SET lock_timeout = '${LONG}s';"
		    . " SET statement_timeout = '${LONG}s'");
		$worker[$i]->{batches} = $batches;
	}
	$_->start($_->{batches}) for @worker;
	my ($issued, $errors) = (0, '');
	for my $worker (@worker) {
		my ($output, $complaints) = $worker->finish;
		$issued += () = $output =~ /issued/g;
		$errors .= $complaints;
	}
	is($errors, '', 'nobody fails');
	is($issued, 6 * 25 * @device, 'all are issued');
	is($db->value("SELECT deadlocks FROM pg_stat_database"
	    . " WHERE datname = '$cluster->{database}'"), 0, 'no deadlock');
	is($db->value("SELECT count(*), max(n) FROM (SELECT device_id,"
	    . " count(*) AS n FROM audit.certificates WHERE status = 'valid'"
	    . " AND device_id BETWEEN '" . id('dev', 11) . "' AND '"
	    . id('dev', 26) . "' GROUP BY 1) s"), @device . '|1',
	    'each device has exactly one valid certificate');
};

subtest 'enrolments into one project do not wait for each other' => sub {
	my ($one, $two) = (role('enroll'), role('enroll'));
	$one->value('BEGIN; ' . enroll(1, [100, undef], [101, 'SN-100']));
	$two->start(enroll(1, [102, undef], [103, 'SN-101']));
	ok($two->done($LONG), 'a second enrolment beside an open one');
	like(($two->finish)[0], qr/\A1\|enrolled.*\n2\|enrolled/, '... is done');
	$one->value('COMMIT');
};

subtest 'one external_id from two sides' => sub {
	my ($one, $two) = (role('enroll'), role('enroll'));
	$two->value("SET lock_timeout = '${LONG}s'");
	$one->value('BEGIN; ' . enroll(1, [110, 'SN-110']));
	$two->start(enroll(1, [111, 'SN-110']));
	ok(!$two->done($SHORT), 'the second waits for the key');
	$one->value('COMMIT');
	is(($two->finish)[0], '1|repeated|' . id('dev', 110),
	    '... and gets the first one\'s id');
	$one->value('BEGIN; ' . enroll(1, [112, 'SN-112']));
	$two->start(enroll(1, [113, 'SN-112']));
	ok(!$two->done($SHORT), 'waiting again');
	$one->value('ROLLBACK');
	is(($two->finish)[0], '1|enrolled|' . id('dev', 113),
	    '... it is the first when that one was rolled back');

	# Both know the device by now.
	$one->value('BEGIN; ' . enroll(1, [114, 'SN-112']));
	$two->start(enroll(1, [115, 'SN-112']));
	ok(!$two->done($SHORT), 'a repetition waits for another');
	$one->value('COMMIT');
	is(($two->finish)[0], '1|repeated|' . id('dev', 113), '... and repeats');
	is($db->value('SELECT count(*) FROM pappus.devices WHERE token_sha256 = '
	    . digest('d115')), 1, 'the last token counts');
};

subtest 'a device that appears locked is busy' => sub {
	# Its server process is stopped between the conflict and the second look,
	# and meanwhile a third session takes the row.
	my ($one, $two) = ($cluster->session, role('enroll'));
	my $pid = $two->value("SET lock_timeout = '${LONG}s';"
	    . ' SELECT pg_backend_pid()');
	$one->value("BEGIN; UPDATE pappus.devices SET external_id = 'SN-120'"
	    . " WHERE device_id = '" . id('dev', 30) . "'");
	$two->start(enroll(1, [121, 'SN-120'], [122, undef]));
	ok(!$two->done($SHORT), 'it waits for the key');
	kill 'STOP', $pid or die "kill: $!";
	$one->value('COMMIT');
	my $three = holder(30);
	kill 'CONT', $pid or die "kill: $!";
	is(($two->finish)[0], "1|busy|\n2|enrolled|" . id('dev', 122),
	    '... and for nothing else, and its neighbour is enrolled');
	$three->value('COMMIT');
	is(role('enroll')->value(enroll(1, [123, 'SN-120'])),
	    '1|repeated|' . id('dev', 30), 'asking again helps');

	$three = holder(30);
	my (undef, $errors) = role('enroll')->run(enroll(1, [124, 'SN-120']));
	like($errors, qr/55P03/, 'a known device that stays locked: lock_timeout');
	$three->value('COMMIT');
};

subtest 'external_ids in opposite order' => sub {
	my @key = map { "K-$_" } 1 .. 16;
	my @worker = map { role('enroll') } 1 .. 5;
	my $device = 1000;
	for my $i (0 .. $#worker) {
		my $batches = "SET lock_timeout = '${LONG}s';"
		    . " SET statement_timeout = '${LONG}s';\n";
		for my $round (1 .. 20) {
			# New keys each round, so that inserts collide.
			my @order = $i == 0 ? @key
			    : $i == 1 ? reverse @key : shuffle @key;
			$batches .= enroll(1, map { [++$device, "$_-$round"] }
			    @order) . "\n";
		}
		$worker[$i]->{batches} = $batches;
	}
	$_->start($_->{batches}) for @worker;
	my ($errors, %outcome, %ids) = '';
	for my $worker (@worker) {
		my ($output, $complaints) = $worker->finish;
		$errors .= $complaints;
		$outcome{$1}++ while $output =~ /^\d+\|(\w+)\|/mg;
	}
	is($errors, '', 'nobody fails');
	is($outcome{enrolled}, 16 * 20, 'each is enrolled once');
	is(($outcome{repeated} // 0) + ($outcome{busy} // 0), 4 * 16 * 20,
	    'the others repeat it, or are told to ask again');
	note(join ', ', map { "$_ $outcome{$_}" } sort keys %outcome);
	is($db->value("SELECT deadlocks FROM pg_stat_database"
	    . " WHERE datname = '$cluster->{database}'"), 0, 'no deadlock');
};

subtest 'regenerating' => sub {
	my ($worker, $admin, $other) = (role('enroll'), role('admin'), role('admin'));
	$worker->value('BEGIN; ' . enroll(1, [200, undef]));
	$admin->start(regenerate(2));
	ok($admin->done($LONG), 'does not wait for an enrolment under way');
	is(($admin->finish)[0], 'created', '... is done');
	is(role('enroll')->value(enroll(1, [201, undef])), '1|invalid_token|',
	    'from then on the old token is dead');
	is($worker->value(enroll(1, [202, undef])), '1|invalid_token|',
	    '... also within that transaction');
	$worker->value('COMMIT');

	$admin->value('BEGIN; ' . regenerate(3));
	$worker->start(enroll(2, [203, undef]));
	ok($worker->done($LONG), 'an enrolment does not wait for it either');
	like(($worker->finish)[0], qr/enrolled/, '... the old token is good so far');
	$other->start(regenerate(4));
	ok(!$other->done($SHORT), 'a second regeneration waits for the first');
	$admin->value('COMMIT');
	is(($other->finish)[0], 'created', '... and goes on');
	is($db->value("SELECT string_agg(enrollment_token_id, ',') FROM"
	    . " audit.enrollment_tokens WHERE state = 'active'"), id('etk', 4),
	    'the last token alone is good');

	# A project without any token has no token's row to wait for.
	$admin->value(admin('project_create', "'" . id('proj', 2) . "'",
	    '\'{"name": "Two"}\''));
	my @first = map { regenerate($_) =~ s/@{[id('proj', 1)]}/@{[id('proj', 2)]}/r }
	    5, 6;
	$admin->value("BEGIN; $first[0]");
	$other->start($first[1]);
	ok(!$other->done($SHORT), 'a project\'s very first: the second waits');
	$admin->value('COMMIT');
	is(($other->finish)[0], 'created', '... and goes on');
	is($db->value("SELECT string_agg(enrollment_token_id, ',') FROM"
	    . " audit.enrollment_tokens WHERE state = 'active' AND project_id = '"
	    . id('proj', 2) . "'"), id('etk', 6), '... one is good');
};

subtest 'revoking and resetting wait for an issue, and it for them' => sub {
	my ($worker, $admin) = (role('identity'), role('admin'));
	my $device = "'" . id('dev', 34) . "'";
	$admin->value("SET lock_timeout = '${LONG}s'");
	$worker->value("SET lock_timeout = '${LONG}s'; BEGIN; " . issue(34));
	$admin->start(admin('device_revoke', $device, "'x'", 1));
	ok(!$admin->done($SHORT), 'a revocation waits for an issue under way');
	$worker->value('COMMIT');
	is(($admin->finish)[0], 'ok', '... is done after it');
	is(valid(34), 0, '... and takes its certificate too');

	$admin->value('BEGIN; ' . admin('device_reset', $device, "'x'", digest('d34')));
	$worker->start(issue(34));
	ok($worker->done($LONG), 'an issue with a dead token waits for nothing');
	is(($worker->finish)[0], '1|invalid_token', '... and is refused');
	$admin->value('COMMIT');
	is($worker->value(issue(34)), '1|issued', 'after the reset it is good');

	$admin->value('BEGIN; ' . admin('device_reset', $device, "'x'", digest('e34')));
	$worker->start(issue(34));
	ok(!$worker->done($SHORT), 'an issue with the token before waits');
	$admin->value('COMMIT');
	is(($worker->finish)[0], '1|invalid_token', '... and is refused');
	is(valid(34), 0, 'nothing is valid');
};

subtest 'a denial and recover at once' => sub {
	my ($admin, $setup) = (role('admin'), role('setup'));
	$_->value("SET lock_timeout = '${LONG}s'") for $admin, $setup;
	my $recover = sub {
		my ($n) = @_;
		return sprintf "SELECT pappus.setup_recover_certificates('[{"
		    . '"serial": "02%02d", "issuer_ski": "02", "device_id": "%s",'
		    . ' "project_id": "%s", "spki_sha256": "%s", "not_before": 1,'
		    . " \"not_after\": 3000000000}]')",
		    $n, id('dev', $n), id('proj', 1), '00' x 32;
	};
	$setup->value('BEGIN; ' . $recover->(90));
	$admin->start(admin('device_deny', "'" . id('dev', 90) . "'", "'x'"));
	ok(!$admin->done($SHORT), 'a denial of what is unknown waits for recover');
	$setup->value('COMMIT');
	is(($admin->finish)[0], 'ok', '... finds the device');
	is($db->value("SELECT state FROM pappus.devices WHERE device_id = '"
	    . id('dev', 90) . "'"), 'denied', '... and denies it');
	is(valid(90), 0, '... with its certificate');

	$admin->value('BEGIN; '
	    . admin('device_revoke', "'" . id('dev', 91) . "'", "'x'", 1));
	$setup->start($recover->(91));
	ok(!$setup->done($SHORT), 'recover waits for a denial under way');
	$admin->value('COMMIT');
	$setup->finish;
	is($db->value("SELECT state FROM pappus.devices WHERE device_id = '"
	    . id('dev', 91) . "'"), 'revoked', '... and brings it revoked');
	is(valid(91), 0, '... with its certificate');

	$setup->value('BEGIN; ' . $recover->(92));
	$admin->start(admin('certificate_revoke', "'0292'", "'x'", 1));
	ok(!$admin->done($SHORT), 'revoking an unknown serial waits for recover');
	$setup->value('COMMIT');
	is(($admin->finish)[0], 'ok', '... finds it');
	is($db->value("SELECT issuer_id FROM pappus.revocations WHERE serial ="
	    . " '\\x0292'"), 2, '... with its issuer');
};

done_testing();
