# SPDX-License-Identifier: ISC
# pappus-crld and what goes wrong: killed at any moment, PostgreSQL away, the
# disk full, an older database.  What is published stays whole, numbers only
# grow, and nothing that is revoked is missing in the end.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(serial_of);
use Pappus::Crld;
use Pappus::Feed;
use Pappus::Test qw(slurp spew wait_until);

my $ROUNDS = $ENV{PAPPUS_LONG} ? 100 : 20;

my $stack = Pappus::Test->start(workers => 1);
my $token = $stack->enrollment_token($stack->project);
our $crld = Pappus::Crld->new($stack, 'a');
my @all;	# serials that are revoked

sub sql { return $stack->psql('postgres', "@_") }
sub padded { return '0' x (40 - length $_[0]) . $_[0] }

# One more that is revoked: a serial that nobody knows, hence on each list.
sub revoke
{
	my $serial = sprintf '%02x%030x', 1 + @all % 100, int(rand 2 ** 32);
	my $answer = $stack->admin('POST', "/certificates/$serial/revoke",
	    document => { reason_code => 1, reason => 'test' });
	die "not revoked: $answer->{body}\n" if $answer->{status} != 200;
	push @all, $serial;
	return $serial;
}

# Of all that is revoked, what a crld hasn't published.
sub missing
{
	my ($crld) = @_;
	my $denied = eval { $crld->denied } // return "no feed: $@";
	my %crl = map { $_ => $crld->crl($_) // return "no CRL of $_" }
	    qw(device server);
	my @missing;
	for my $serial (@all) {
		push @missing, "$serial in the feed"
		    if !$denied->{serials}{padded($serial)};
		push @missing, map { "$serial in the CRL of $_" }
		    grep { !$crl{$_}{revoked}{$serial} } sort keys %crl;
	}
	return @missing;
}

sub has_all
{
	my ($name, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until($seconds // 20, sub { !missing($crld) }), $name)
	    or diag((missing($crld))[0], "\n", $crld->tail);
}

# What is published now: numbers, and all that is shut out.
sub published
{
	my %seen = (sequence => Pappus::Feed::state($crld->file('feed'))->{sequence},
		denied => $crld->denied->{serials});
	for my $name (qw(device server)) {
		my $crl = $crld->crl($name);
		@seen{"$name number", "$name list"} = ($crl->{number}, $crl->{revoked});
	}
	return \%seen;
}

# What went back from one look to the next.
sub lost
{
	my ($before, $now) = @_;
	my @lost;
	for my $key (sort keys %$before) {
		if (ref $before->{$key}) {
			push @lost, map { "$_ ($key)" }
			    grep { !exists $now->{$key}{$_} } keys %{$before->{$key}};
		} elsif ($now->{$key} < $before->{$key}) {
			push @lost, "$key fell";
		}
	}
	return @lost;
}

subtest "killed $ROUNDS times in a loop of revocations" => sub {
	$crld->start;
	ok(wait_until(20, sub { $crld->denied && $crld->crl('device')
		&& $crld->crl('server') }), 'it has begun') or diag($crld->tail);
	my $before = published();
	my (%wrong, $grown);
	for my $round (1 .. $ROUNDS) {
		revoke();
		revoke() if $round % 3 == 0;
		# While it starts, reads, claims, signs, or rests.
		sleep rand($round % 2 ? 0.15 : 0.6);
		$crld->stop('KILL');
		$wrong{"round $round: $_"}++ for $crld->faults;
		my $now = published();
		$wrong{"round $round: $_"}++ for lost($before, $now);
		$grown++ if $now->{'device number'} > $before->{'device number'};
		$before = $now;
		$crld->start;
	}
	is_deeply([sort keys %wrong], [], 'whole, and nothing went back');
	cmp_ok($grown, '>', 0, 'in between CRLs were published');
	has_all('in the end nothing is missing');
	my ($count, $distinct) = split /\|/,
	    sql('SELECT count(*), count(DISTINCT number) FROM pappus.crls');
	is($count, $distinct, 'no number twice');
	is_deeply([$crld->faults], [], 'all verifies');
	is_deeply([glob $crld->file('{,feed/,crl/,ca/}.crld-*')], [],
	    'nothing half written is left');
};

subtest 'PostgreSQL restarted in the middle' => sub {
	for my $how (qw(INT QUIT)) {
		my $before = published();
		my $pid = $stack->pid('postgres');
		kill $how, $pid;
		wait_until(20, sub { !-d "/proc/$pid"
			|| slurp("/proc/$pid/status") =~ /^State:\tZ/m });
		ok(wait_until(15, sub { ($crld->alarm('database') // 0) == 1 }),
		    "$how: the alarm is raised") or diag($crld->tail);
		my $state = Pappus::Feed::state($crld->file('feed'));
		sleep 6;
		is(Pappus::Feed::state($crld->file('feed'))->{time}, $state->{time},
		    'the state says no longer that it is fresh');
		is_deeply([lost($before, published())], [], 'what was, stays');
		$stack->stack('start', 'postgres');
		# By somebody who doesn't notify.
		ok(wait_until(20, sub { eval { revoke(); 1 } }), 'it is back');
		has_all('and what came meanwhile is published');
		ok(wait_until(15, sub { ($crld->alarm('database') // 1) == 0 }),
		    'the alarm ends');
		ok($crld->alive, 'it did not end');
	}
	my $old = $crld->pid;
	is($crld->pid, $old, 'the same process');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'a session that is ended' => sub {
	for (1 .. 3) {
		sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
			. " WHERE usename = 'pappus_crl'");
		revoke();
		has_all('is another');
	}
};

subtest 'keys' => sub {
	my $file = $crld->keys_dir . '/server-ca.key';
	rename $file, "$file.away" or die $!;
	ok(wait_until(20, sub { ($crld->alarm('keys') // 0) == 1 }),
	    'one that is missing raises the alarm') or diag($crld->tail);
	like($crld->log, qr/ event=key-missing msg="issuer @{[$crld->issuer('server')]}:/, 'and is named');
	my $number = $crld->crl('server')->{number};
	my $serial = revoke();
	ok(wait_until(15, sub { $crld->crl('device')->{revoked}{$serial} }),
	    'the others go on');
	ok(wait_until(10, sub { $crld->denied->{serials}{padded($serial)} }),
	    'the feed, too');
	ok(wait_until(10, sub { ($crld->alarm('crls') // 0) == 1 }),
	    'a CRL is overdue');
	is($crld->crl('server')->{number}, $number, 'the last one stays');
	rename "$file.away", $file or die $!;
	has_all('once it is there all is well', 90);
	ok(wait_until(20, sub { ($crld->alarm('keys') // 1) == 0
		&& ($crld->alarm('crls') // 1) == 0 }), 'the alarms end');
	chmod 0644, $file;
	utime undef, undef, $crld->keys_dir;
	ok(wait_until(20, sub { ($crld->alarm('keys') // 0) == 1 }),
	    'one that others can read raises the alarm');
	like($crld->log, qr/ event=keys-unusable .*server-ca\.key/, 'and is named');
	revoke();
	has_all('the earlier ones stay in use');
	chmod 0600, $file;
	ok(wait_until(20, sub { ($crld->alarm('keys') // 1) == 0 }),
	    'the alarm ends');
};

is($crld->stop, 0, 'it ends');

subtest 'a disk that is full' => sub {
	plan skip_all => 'only root can mount a tmpfs' if $> != 0;
	my $public = $stack->tmp . '/small';
	mkdir $public, 0755 or die $!;
	system('mount', '-t', 'tmpfs', '-o', 'size=2m,mode=0755', 'none', $public)
	    == 0 or plan skip_all => 'no tmpfs can be mounted here';
	eval { full_disk($public); 1 } or fail("died: $@");
	system('umount', '-l', $public);
};

sub full_disk
{
	my ($public) = @_;
	local $crld = Pappus::Crld->new($stack, 'small', public => $public);
	$crld->start;
	has_all('it has begun');
	my $before = published();
	# All of it but a page or so.
	open my $fill, '>', "$public/fill" or die $!;
	my $page = 'x' x 4096;
	1 while syswrite $fill, $page;
	close $fill;
	my $serial = revoke();
	ok(wait_until(20, sub { ($crld->alarm('feed') // 0) == 1 }),
	    'the feed raises the alarm') or diag($crld->tail);
	ok(wait_until(20, sub { ($crld->alarm('crls') // 0) == 1 }),
	    'the CRLs, too') or diag($crld->tail);
	like($crld->log, qr/event=feed-failed .*No space left/, 'the log says why');
	like($crld->log, qr/event=crl-failed .*No space left/, 'for CRLs, too');
	sleep 3;
	is_deeply([lost($before, published())], [], 'what was, stays');
	is_deeply([$crld->faults], [], 'and verifies');
	is_deeply([glob "$public/{,feed/,crl/,ca/}.crld-*"], [],
	    'nothing half written is left');
	# Started with a full disk, and killed there.
	for (1 .. 2) {
		$crld->stop('KILL');
		$crld->start;
		sleep 1.5;
		is_deeply([lost($before, published())], [], 'nor by another start');
		is_deeply([$crld->faults], [], 'all verifies');
	}
	unlink "$public/fill";
	has_all('once there is room all is published', 90);
	ok(wait_until(30, sub { ($crld->alarm('feed') // 1) == 0
		&& ($crld->alarm('crls') // 1) == 0 }), 'the alarms end')
	    or diag($crld->tail);
	is_deeply([$crld->faults], [], 'all verifies');
	is($crld->stop, 0, 'it ends');
}

# The database as it was, in the place of the one that is.
sub with_nobody
{
	my ($sql) = @_;
	local $ENV{PGPASSFILE} = $stack->dir . '/pgpass';
	my ($status, $out, $err) = Pappus::Test::run_command(<<"SQL", 'psql', '-XAtq',
		ALTER DATABASE pappus CONNECTION LIMIT 0;
		SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
		WHERE datname = 'pappus';
		$sql
		ALTER DATABASE pappus CONNECTION LIMIT -1;
SQL
	    '-v', 'ON_ERROR_STOP=1', '-h', $stack->run . '/pg', '-U', 'postgres', '-d',
	    'postgres');
	die $err if $status != 0;
}

subtest 'an older database' => sub {
	my ($held, $denied, $revoked) = map { $stack->device($token) } 1 .. 3;
	my $act = sub {
		my ($device, $act) = @_;
		my $answer = $stack->admin('POST', "/devices/$device->{id}/$act",
		    document => { reason => 'test' });
		is($answer->{status}, 200, $act) or diag($answer->{body});
	};
	$crld->start;
	$act->($held, 'deny');
	has_all('it has begun');
	with_nobody('CREATE DATABASE kept TEMPLATE pappus;');
	$act->($denied, 'deny');
	$act->($revoked, 'revoke');
	$act->($held, 'allow');
	my $later = revoke();
	has_all('and goes on');
	my $shut_out = sub {
		my $list = $crld->denied;
		return join ' ', map { 0 + !!$list->{devices}{$_->{id}} }
		    $held, $denied, $revoked;
	};
	is($shut_out->(), '0 1 1', 'who is shut out');
	my $before = published();
	my $state = slurp($crld->file('feed/state'));
	with_nobody('DROP DATABASE pappus; ALTER DATABASE kept RENAME TO pappus;');
	ok(wait_until(30, sub { $crld->events('database-behind') }),
	    'it is noticed') or diag($crld->tail);
	ok(wait_until(10, sub { ($crld->alarm('lists') // 0) == 1 }),
	    'the alarm is raised');
	sleep 6;
	is($shut_out->(), '0 1 1', 'nobody is let in');
	is_deeply([lost($before, published())], [], 'nothing is lost');
	# Nor by a restart.
	is($crld->stop, 0, 'it ends');
	$crld->start;
	ok(wait_until(20, sub { $crld->events('database-behind') > 1 }),
	    'it is known again') or diag($crld->tail);
	is($shut_out->(), '0 1 1', 'nobody is let in');
	is_deeply([lost($before, published())], [], 'nothing is lost');
	my $recovery = $stack->tmp . '/published';
	system('cp', '-a', $crld->public, $recovery);
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	my ($status, $out, $err) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/pappus", 'recover', '--feed', "$recovery/feed");
	is($status, 0, 'pappus recover') or diag($out, $err);
	ok(wait_until(60, sub { $crld->events('database-complete') }),
	    'then it is complete') or diag($crld->tail);
	has_all('and publishing goes on');
	ok(wait_until(10, sub { $shut_out->() =~ / 1 1$/ }), 'with all of them');
	ok(wait_until(10, sub { ($crld->alarm('lists') // 1) == 0 }),
	    'the alarm ends');
	revoke();
	has_all('as ever');
	is_deeply([$crld->faults], [], 'all verifies');
	is_deeply([lost($before, published())], [], 'nothing went back');
	is($crld->stop, 0, 'it ends');
};

done_testing;
