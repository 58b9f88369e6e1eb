#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# What pappus-crld relies on when several sessions are at work: no change is
# missed, however late its transaction commits; what stood as of a sequence is
# exact; one leads; and nobody else can hold that one up.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(max shuffle);
use Pappus::Calls qw(admin digest enroll id issue quoted_id setup);
use Pappus::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

my $LONG = 30;		# seconds: what doesn't wait is done by then
my $SHORT = 0.5;	# what waits is not
my $LAST = '9223372036854775807';

my $seed = $ENV{PAPPUS_SEED} // time;
srand $seed;
note("PAPPUS_SEED=$seed");

my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
$cluster->migrate;
my $db = $cluster->session;
$db->value(setup('{"name": "Project", "issue_limit": 1000}'));

sub role { return $cluster->session(user => "pappus_$_[0]") }

my $crl = role('crl');
my $epoch = $crl->value("SELECT pappus.crl_lease('test', 3600)");

# claim(max): (the last sequence, how many it numbered).
sub claim {
	my ($max) = @_;
	$max //= 1000;
	return split /\|/, $crl->value(
	    "SELECT * FROM pappus.crl_claim($epoch, 0, $max)");
}

# Everything that is to be claimed; the last sequence.
sub drain {
	my ($sequence, $claimed);
	do { ($sequence, $claimed) = claim() } while $claimed == 1000;
	return $sequence;
}

# pages(function, columns, as of, size): everything, page by page.
sub pages {
	my ($function, $columns, $as_of, $size) = @_;
	my ($after, @rows) = ($function eq 'entries' ? '\\x' : '');
	while (1) {
		my @page = split /\n/, $crl->value("SELECT $columns FROM"
		    . " pappus.crl_$function($as_of, '$after', $size)");
		push @rows, @page;
		return \@rows if @page < $size;
		($after) = split /\|/, $page[-1];
	}
}

my $ENTRY = 'serial, issuer_id, not_after, reason, revoked_at';
sub as_of {
	my ($sequence, $size) = @_;
	return { entries => pages('entries', $ENTRY, $sequence, $size),
	    devices => pages('devices', 'device_id', $sequence, $size) };
}

# ... and what is committed at this moment.
sub truth {
	return { entries => [split /\n/, $db->value(
		"SELECT $ENTRY FROM pappus.revocations ORDER BY serial")],
	    devices => [split /\n/, $db->value('SELECT device_id FROM pappus.devices'
		. " WHERE state <> 'active' UNION SELECT device_id FROM"
		. ' pappus.unknown_devices ORDER BY 1')] };
}

# What the changes up to a sequence come to.
sub replayed {
	my ($sequence) = @_;
	my (%entry, %device);
	for (split /\n/, $db->value('SELECT kind, serial, reason, '
	    . 'concat_ws(\'|\', serial, coalesce(issuer_id::text, \'\'),'
	    . ' coalesce(not_after::text, \'\'), reason, revoked_at), device_id,'
	    . " denied FROM pappus.crl_changes(0, 0, $sequence, 1000000)")) {
		my ($kind, $serial, $reason, @rest) = split /\|/, $_, -1;
		my ($id, $denied) = @rest[-2, -1];
		if ($kind eq 'certificate') {
			delete $entry{$serial};
			$entry{$serial} = join '|', @rest[0 .. $#rest - 2]
			    if $reason ne '';
		} elsif ($kind eq 'device') {
			delete $device{$id};
			$device{$id} = 1 if $denied eq 't';
		}
	}
	return { entries => [map { $entry{$_} } sort keys %entry],
	    devices => [sort keys %device] };
}

sub act { return admin("device_$_[0]", quoted_id('dev', $_[1]), "'x'", @_[2 .. $#_]) }

my $devices = 40;
$db->value(enroll({ token => 1 }, map { [$_, "SN-$_"] } 1 .. $devices));
$db->value(issue({}, 1 .. $devices));
# Of whom nobody knows anything else.
$db->value(enroll({ token => 1 }, map { [$_, undef] } 301 .. 340));
$db->value(issue({}, 311 .. 340));

subtest 'a transaction that commits late' => sub {
	drain();
	my ($late, $later, $admin) = map { role('admin') } 1 .. 3;
	$late->value('BEGIN; ' . act('deny', 1));
	$later->value('BEGIN; ' . act('deny', 2));
	$admin->value(act('deny', 3));
	my $first = drain();
	is_deeply(pages('devices', 'device_id', $first, 10), [id('dev', 3)],
	    'what has committed is claimed');
	for (4 .. 6) {
		$admin->value(act('deny', $_));
		drain();
	}
	$later->value('COMMIT');
	my $second = drain();
	$admin->value(act('deny', 7));
	my $third = drain();
	is((claim())[1], 0, 'nothing is left');
	$late->value('COMMIT');
	my ($fourth, $claimed) = claim();
	is($claimed, 2, 'what commits in the end is found');
	cmp_ok($fourth, '>', $third, '... under a number of its own');
	is($crl->value('SELECT device_id, denied FROM pappus.crl_changes('
	    . "$third, $LAST, $fourth, 9) WHERE kind = 'device'"),
	    id('dev', 1) . '|t', '... for those who know all before it');
	is_deeply([map { pages('devices', 'device_id', $_, 3) } $first, $second, $third,
		$fourth], [[id('dev', 3)], [map { id('dev', $_) } 2 .. 6],
		[map { id('dev', $_) } 2 .. 7], [map { id('dev', $_) } 1 .. 7]],
	    'as of each, devices are as they were');
	is_deeply(as_of($fourth, 4), truth(), 'and now they are as they are');

	$late->value('BEGIN; ' . act('allow', 1));
	$admin->value(act('allow', 2));
	drain();
	$late->value('ROLLBACK');
	is((claim())[1], 0, 'what is rolled back was not');
	$admin->value(act('allow', $_)) for 1 .. 7;
	drain();
};

# Sessions with open transactions, of which one device is in at most one.
subtest 'as of each sequence, with transactions open' => sub {
	my @worker = map { { session => role('admin'), issuer => role('identity') } }
	    1 .. 6;
	my (%holder, @known, %count);
	my $unknown = 0;
	my @acts = (
		sub { act('deny', $_[0]) }, sub { act('allow', $_[0]) },
		sub { act('revoke', $_[0], int(rand 2) ? 1 : 4) },
		sub { act('reset', $_[0], digest("d$_[0]")) },
		(sub {
			my $serial = $db->value('SELECT encode(serial, \'hex\') FROM'
			    . ' pappus.certificates WHERE device_id = '
			    . quoted_id('dev', $_[0]) . ' ORDER BY random() LIMIT 1');
			return admin('certificate_revoke', "'$serial'", "'x'",
			    int(rand 2) ? 6 : 3);
		}) x 2,
	);
	my $rounds = $ENV{PAPPUS_LONG} ? 1500 : 250;
	for my $round (1 .. $rounds) {
		my $dice = rand;
		my $worker = $worker[rand @worker];
		my $device = 1 + int rand $devices;
		my $free = !defined $holder{$device} || $holder{$device} == $worker;
		if ($dice < 0.45 && $free) {
			$worker->{session}->value('BEGIN') if !$worker->{open};
			$worker->{open} = 1;
			$holder{$device} = $worker;
			$worker->{session}->value($acts[rand @acts]->($device));
			$count{act}++;
		} elsif ($dice < 0.6 && $worker->{open}) {
			my $end = rand() < 0.8 ? 'COMMIT' : 'ROLLBACK';
			$worker->{session}->value($end);
			$worker->{open} = 0;
			delete $holder{$_} for grep { $holder{$_} == $worker }
			    keys %holder;
			$count{$end}++;
		} elsif ($dice < 0.7 && !defined $holder{$device}) {
			# Supersedes what there is.
			$worker->{issuer}->value(issue({}, $device));
			$count{issue}++;
		} elsif ($dice < 0.72) {
			$db->value(admin('certificate_revoke', sprintf("'02%030x'",
			    ++$unknown), "'x'", int(rand 2) ? 6 : 1))
			    if !grep { $_->{open} } @worker;
		} elsif ($dice < 0.8) {
			my ($sequence) = claim(1 + int rand 3);
			push @known, [$sequence];
		} elsif ($dice < 0.9) {
			push @known, [drain(), truth()];
		} elsif (@known) {
			my ($sequence, $truth) = @{ $known[rand @known] };
			my $as_of = as_of($sequence, 1 + int rand 30);
			my $replayed = replayed($sequence);
			next if same($as_of, $truth // $replayed)
			    && same($replayed, $as_of);
			is_deeply($as_of, $truth // $replayed,
			    "round $round: as of $sequence");
			is_deeply($replayed, $as_of, '... also by the changes');
			last;
		}
	}
	$_->{open} && $_->{session}->value('COMMIT') for @worker;
	push @known, [drain(), truth()];
	my @wrong = grep {
		my ($sequence, $truth) = @$_;
		my $as_of = as_of($sequence, 1 + int rand 30);
		!same($as_of, $truth // replayed($sequence))
	} @known;
	is(@wrong, 0, 'all of them, in the end');
	cmp_ok(scalar @{ $known[-1][1]{$_} }, '>', 2, "there were $_")
	    for qw(entries devices);
	note(join ', ', map { "$_ $count{$_}" } sort keys %count);
	note(scalar @known, ' sequences');
};

sub same {
	my ($one, $other) = @_;
	return "@{ $one->{entries} }" eq "@{ $other->{entries} }"
	    && "@{ $one->{devices} }" eq "@{ $other->{devices} }";
}

subtest 'everybody at once' => sub {
	my @worker = map { role($_ % 2 ? 'admin' : 'identity') } 1 .. 6;
	my $acts = $ENV{PAPPUS_LONG} ? 2000 : 150;
	for my $i (0 .. $#worker) {
		# Longer than deadlock_timeout, so that a deadlock shows as one.
		$worker[$i]->value("SET lock_timeout = '${LONG}s';"
		    . " SET statement_timeout = '${LONG}s'");
		$worker[$i]{text} = join "\n", map {
			my $device = 1 + int rand $devices;
			$i % 2 == 0 ? (act('deny', $device), act('allow', $device))
			    [rand 2] : issue({}, $device);
		} 1 .. $acts;
	}
	$_->start($_->{text}) for @worker;
	my (@known, %seen);
	until (!grep { !$_->done(0.01) } @worker) {
		my ($sequence, $claimed) = claim(1 + int rand 50);
		push @known, $sequence if !$seen{$sequence}++;
		# A page while the others go on.
		as_of($known[rand @known], 7) if @known % 10 == 0;
	}
	is(join('', map { ($_->finish)[1] } @worker), '', 'nobody fails');
	push @known, drain();
	ok(same(as_of($known[-1], 9), truth()), 'in the end: the truth');
	my @some = (shuffle @known)[0 .. 9];
	is(scalar(grep { defined && !same(as_of($_, 9), replayed($_)) } @some), 0,
	    'as of some: what changes come to');
	is($db->value('SELECT count(*) FROM pappus.changes WHERE sequence IS NULL'),
	    0, 'every change is claimed');
	# The order in which rows changed is that of the sequences.
	is($db->value(<<'END'), 0, '... in order');
SELECT count(*) FROM
	(SELECT sequence, lag(sequence) OVER (PARTITION BY serial, device_id, kind,
		issuer_id * (kind = 'issuer')::int ORDER BY change_id) AS before
	FROM pappus.changes) c
WHERE sequence < before
END
	note(scalar @known, ' sequences');
};

subtest 'the lease' => sub {
	my @rival = map { role('crl') } 1 .. 2;
	$db->value("UPDATE pappus.publication SET expires_at = '-infinity'");
	my $last = $db->value('SELECT epoch FROM pappus.publication');
	my @won;
	for my $round (1 .. 20) {
		$rival[$_]->start("SELECT pappus.crl_lease('$_', 30)") for 0, 1;
		my @epoch = map { ($_->finish)[0] } @rival;
		is(join('', sort @epoch), $last + 1, "round $round: one has it");
		$won[$epoch[0] eq '']++;
		$last++;
		$db->value("UPDATE pappus.publication SET expires_at = now()");
	}
	note("won: @{[map { $_ // 0 } @won]}");

	$rival[0]->value("BEGIN; SELECT pappus.crl_lease('0', 30)");
	$rival[1]->value("SET lock_timeout = '${LONG}s'");
	$rival[1]->start("SELECT pappus.crl_lease('1', 30)");
	ok(!$rival[1]->done($SHORT), 'while one asks the other waits');
	$rival[0]->value('COMMIT');
	is(($rival[1]->finish)[0], '', '... and hasn\'t got it');
};

subtest 'a leader that has slept' => sub {
	my ($old, $new) = (role('crl'), role('crl'));
	$db->value("UPDATE pappus.publication SET expires_at = '-infinity'");
	my $before = $old->value("SELECT pappus.crl_lease('old', 1)");
	is($new->value("SELECT pappus.crl_lease('new', 30)"), '', 'one leads');
	$db->value(act('deny', 301));
	sleep 1.1;
	# It holds the row; the other, which had it, waits.
	my $after = $new->value("BEGIN; SELECT pappus.crl_lease('new', 30)");
	is($after, $before + 1, 'another takes over');
	$old->value("SET lock_timeout = '${LONG}s'");
	$old->start("SELECT * FROM pappus.crl_claim($before, 0, 100)");
	ok(!$old->done($SHORT), 'a claim waits for that');
	$new->value('COMMIT');
	is(($old->finish)[0], '|', '... and is refused');
	my $record = '2, 1, 0, 1, 0, 0, 0, sha256(\'x\'), \'\\x01\'';
	is($old->value("SELECT * FROM pappus.crl_record($before, $record)"), 'lost|',
	    'so is a CRL');
	is($old->value("SELECT pappus.crl_prune($before, $LAST)"), '', '... a pruning');
	is($old->value("SELECT pappus.crl_release($before)"), '', '... and giving up');
	is($db->value('SELECT count(*) FROM pappus.crls'), 0, 'nothing is written');
	is($new->value("SELECT claimed FROM pappus.crl_claim($after, 0, 100)"), 1,
	    'the new one claims what there is');
	is($new->value("SELECT outcome FROM pappus.crl_record($after, $record)"),
	    'recorded', '... and records');
	$epoch = $after;

	# As after a dump and restore: this cluster's transactions have other ids.
	$db->value(act('allow', 301));
	$db->value("UPDATE pappus.publication SET seen_below = '999999999',"
	    . " expires_at = '-infinity'");
	$epoch = $new->value("SELECT pappus.crl_lease('new', 3600)");
	is($epoch, $after + 1, 'a lease that had expired');
	is((claim())[1], 1, '... looks everywhere');
	$crl->value("SELECT pappus.crl_release($epoch)");
	$epoch = $crl->value("SELECT pappus.crl_lease('test', 3600)");
};

subtest 'a program that was broken into' => sub {
	my %session = map { $_ => role($_) } qw(enroll identity ocsp setup);
	for my $role (sort keys %session) {
		for my $sql ('SELECT FROM pappus.publication FOR UPDATE',
		    'LOCK pappus.publication', 'SELECT FROM pappus.changes FOR SHARE',
		    'LOCK pappus.changes IN ACCESS SHARE MODE',
		    "SELECT pappus.crl_lease('x', 3600)",
		    "SELECT pappus.crl_claim($epoch, 0, 1)",
		    'SELECT pappus.crl_hold(' . $epoch . ')') {
			my (undef, $errors) = $session{$role}->run("BEGIN; $sql; ROLLBACK");
			like($errors, qr/42501/, "$role can't: $sql");
		}
	}
	# All that they can do, and never end: whatever bounds there are on time
	# are theirs to lift.
	$db->value(admin('project_update', quoted_id('proj', 1),
	    q('{"device_limit": 1000}')));
	drain();
	my $relations = $db->value("SELECT string_agg(oid::text, ',') FROM pg_class"
	    . " WHERE relnamespace = 'pappus'::regnamespace");
	for my $role (sort keys %session) {
		$session{$role}->value("SET statement_timeout = 0; SET lock_timeout"
		    . ' = 0; SET idle_in_transaction_session_timeout = 0; LISTEN'
		    . ' pappus_changes; BEGIN ISOLATION LEVEL REPEATABLE READ;'
		    . " SELECT pg_advisory_xact_lock(n) FROM unnest('{$relations}'"
		    . '::bigint[]) n' . ($role eq 'enroll' ? '' : ' LIMIT 0')
		    . '; SELECT pg_current_xact_id(); NOTIFY pappus_changes');
	}
	$session{enroll}->value(enroll({ token => 1 }, [900, 'SN-900'], [901, 'SN-1']));
	$session{identity}->value(issue({}, 311 .. 320));
	$db->value(act('deny', 321));
	$crl->value("SET lock_timeout = '1s'; SET statement_timeout = '10s'");
	my $sequence = $db->value('SELECT sequence FROM pappus.publication');
	for (['renew the lease', "SELECT pappus.crl_lease('test', 3600)"],
	    ['claim', "SELECT claimed FROM pappus.crl_claim($epoch, 0, 9)"],
	    ['ask how it stands', 'SELECT pappus.crl_status()'],
	    ['read changes', "SELECT pappus.crl_changes($sequence, 0, $LAST, 9)"],
	    ['read entries', "SELECT pappus.crl_entries($sequence, '', 99999)"],
	    ['read devices', "SELECT pappus.crl_devices($sequence, '', 99999)"],
	    ['read issuers', 'SELECT pappus.crl_issuers()'],
	    ['record', "SELECT pappus.crl_record($epoch, 2, 77, 0, 1, 0, 0, 0,"
		. " sha256('x'), '\\x01')"],
	    ['prune', "SELECT pappus.crl_prune($epoch, 1)"],
	    ['give up', "SELECT pappus.crl_release($epoch)"],
	    ['lead again', "SELECT pappus.crl_lease('test', 3600)"]) {
		my ($what, $sql) = @$_;
		my ($output, $errors) = $crl->run($sql);
		is($errors, '', "the leader can $what meanwhile");
		$epoch = $output if $what eq 'lead again';
	}
	is_deeply(pages('devices', 'device_id', drain(), 100), truth()->{devices},
	    'what an operator did is published');

	# Behind that old snapshot nothing can be cleaned up: a claim must not
	# wade through all that was claimed since.
	$db->value("DO \$\$ BEGIN FOR i IN 1 .. 40 LOOP"
	    . ' INSERT INTO pappus.revocations (serial, reason, actor, origin)'
	    . q( SELECT decode('03' || lpad(to_hex(i * 100 + n), 30, '0'), 'hex'), 1,)
	    . " 'x', 'recover' FROM generate_series(1, 100) n; COMMIT; END LOOP;"
	    . ' END $$');
	drain();
	$db->value(act('deny', 322));
	my $read = 'SELECT pg_stat_force_next_flush(); SELECT idx_tup_read FROM'
	    . " pg_stat_user_indexes WHERE indexrelname = 'changes_unclaimed'";
	$crl->value('SELECT pg_stat_force_next_flush()');
	my $before = (split /\s+/, $db->value($read))[-1];
	is((claim())[1], 2, 'one more');
	$crl->value('SELECT pg_stat_force_next_flush()');
	my $after = (split /\s+/, $db->value($read))[-1];
	cmp_ok($after - $before, '<=', 20, 'costs no more than itself');

	$session{identity}->value('COMMIT');
	is((claim())[1], 10, 'what commits in the end is found');
	$_->value('ROLLBACK') for @session{qw(enroll ocsp setup)};
};

subtest 'waking' => sub {
	my $listener = role('crl');
	$listener->value('LISTEN pappus_changes');
	$db->value(issue({}, 330));
	$db->value(issue({}, 330));
	$db->value(enroll({ token => 1 }, [910, 'SN-910']));
	is($listener->value('SELECT 1'), 1, 'devices wake nobody');
	$db->value(act('deny', 330));
	like($listener->value('SELECT 1'), qr/notification "pappus_changes"/,
	    'an operator does');
	$db->value("SELECT pappus.setup_issuer_register('device', 1, 'More',"
	    . " convert_to(repeat('m', 99), 'UTF8'), '\\x03', 0, 4000000000, 'u', 'u',"
	    . " NULL, sha256('profile'))");
	like($listener->value('SELECT 1'), qr/notification "pappus_changes"/,
	    'so does a local command');
};

done_testing();
