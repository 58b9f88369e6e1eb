# SPDX-License-Identifier: ISC
# Workers are stopped one after the other under load: with fastcgi_keep_conn
# off, as shipped, not one request is lost; with it on, a handful at most.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Load;
use Pappus::Session;
use Pappus::Test qw(slurp spew wait_until);
use Pappus::Workers qw(alive wait_workers workers);

my $WORKERS = 2;
my $SECONDS = $ENV{PAPPUS_LONG} ? 60 : 10;    # half of what workers are stopped for
my $stack = Pappus::Test->start(workers => $WORKERS);
my $project = $stack->project;
# The devices ask all the time.
$stack->admin('PATCH', "/projects/$project", document => { issue_limit => 1000 });
my $token = $stack->enrollment_token($project);
# Enough of them that none collects hundreds of certificates.
my @devices = map { $stack->enroll($token)->{json} } 1 .. 20;
my %request = (
	enroll => sub { Pappus::Load::enroll($token) },
	identity => sub { Pappus::Load::identity(
		$devices[($_[0] + $_[1]) % @devices]{device_token}) });

sub load
{
	my ($program, %option) = @_;
	return Pappus::Load->start($stack, clients => 3, pause => 0.005,
	    request => $request{$program}, %option);
}

# Stop one worker after the other until the time is over; how many.  Each is
# given its successor before the next goes.
sub stop_workers
{
	my ($seconds, @programs) = @_;
	my @signals = qw(TERM USR1 QUIT);
	my ($stopped, $end) = (0, time + $seconds);
	while (time < $end) {
		my $program = $programs[$stopped % @programs];
		my ($old) = workers($stack, $program);
		kill $signals[int($stopped / @programs) % @signals], $old;
		wait_until(15, sub { !alive($old) })
		    or die "worker $old of $program doesn't end\n";
		wait_workers($stack, $program, $WORKERS, $old);
		$stopped++;
		sleep 0.2;
	}
	return $stopped;
}

sub describe
{
	my ($counts) = @_;
	return join ', ', map { "$counts->{$_} × $_" } sort keys %$counts;
}

sub lost
{
	my ($load) = @_;
	return grep { $_->{status} ne '200' } $load->requests;
}

subtest 'keep_conn off' => sub {
	my %load = map { $_ => load($_) } qw(enroll identity);
	my $stopped = stop_workers($SECONDS * 2, keys %load);
	# All of a program at once: the listener stays, so requests wait in it.
	for my $program (sort keys %load) {
		my @old = workers($stack, $program);
		kill 'TERM', @old;
		wait_workers($stack, $program, $WORKERS, @old);
		$stopped += @old;
	}
	$_->stop for values %load;
	cmp_ok($stopped, '>=', 10, "$stopped workers were stopped and replaced");
	for (sort keys %load) {
		is_deeply($load{$_}->counts, { 200 => $load{$_}->total },
		    "$_: not one of " . $load{$_}->total . ' requests was lost');
		cmp_ok($load{$_}->total, '>', 100, 'and they were many');
	}
	unlike($stack->log($_), qr/cannot-start/, "$_: none failed to start")
	    for sort keys %load;
};

# What a worker is executing is answered before it ends.
subtest 'a request that is under way' => sub {
	$stack->psql('postgres',
	    "ALTER ROLE pappus_identity SET lock_timeout = '20s'");
	$stack->psql('postgres', 'SELECT pg_terminate_backend(pid, 5000) FROM '
	    . "pg_stat_activity WHERE usename = 'pappus_identity'");
	# What the second sees of others doesn't stand still in a transaction.
	my ($lock, $look) = map { Pappus::Session->new('host=' . $stack->run
	    . '/pg dbname=pappus user=postgres') } 1 .. 2;
	for my $signal (qw(TERM USR1 QUIT)) {
		$lock->value('BEGIN; SELECT 1 FROM pappus.devices WHERE device_id = '
		    . "'$devices[0]{device_id}' FOR UPDATE");
		my $asked = Pappus::Load->ask($stack,
		    sub { $stack->identity($devices[0]{device_token}) });
		ok(wait_until(10, sub { $look->value('SELECT count(*) FROM '
			. "pg_stat_activity WHERE usename = 'pappus_identity' "
			. "AND wait_event_type = 'Lock'") }), 'it waits for a row');
		my @old = workers($stack, 'identity');
		kill $signal, @old;
		# Who has nothing to do ends at once.
		ok(wait_until(5, sub { 1 == grep { alive($_) } @old }),
		    "$signal: the other worker ends");
		sleep 0.5;
		my ($busy) = grep { alive($_) } @old;
		ok($busy, 'its own stays');
		is($stack->identity($devices[1]{device_token})->{status}, 200,
		    'others are served meanwhile');
		$lock->value('ROLLBACK');
		is_deeply($asked->statuses, [200], 'it is answered');
		ok(wait_until(5, sub { !alive($busy) }), 'then its worker ends');
		wait_workers($stack, 'identity', $WORKERS, @old);
	}
	$_->close for $lock, $look;
	$stack->psql('postgres',
	    "ALTER ROLE pappus_identity SET lock_timeout = '500ms'");
};

# The whole pool goes, with its socket: what comes until the next stands gets
# nginx's 502, and nothing else is lost.
subtest 'the pool is restarted' => sub {
	my $load = load('enroll');
	sleep 0.5;
	my $from = time;
	$stack->stack('restart', 'enroll');
	my $to = time;
	sleep 0.5;
	$load->stop;
	my @lost = lost($load);
	note(sprintf '%d of %d requests lost in a restart of %.1f s',
	    scalar @lost, $load->total, $to - $from);
	is_deeply([grep { $_->{status} ne '502' } @lost], [],
	    'what comes meanwhile gets 502');
	is_deeply([grep { $_->{retry} !~ /^[1-9]/
		|| $_->{type} ne 'application/problem+json' } @lost], [],
	    'as a problem with Retry-After');
	is_deeply([grep { $_->{to} < $from || $_->{from} > $to } @lost], [],
	    'nothing else is lost');
};

# As nginx/pappus-fastcgi.conf says: threads × processes ≥ nginx's workers ×
# keepalive, and nginx lets idle connections go before the workers do.
subtest 'keep_conn on' => sub {
	my $home = $stack->run . '/nginx';
	my $fastcgi = slurp("$home/pappus/pappus-fastcgi.conf");
	$fastcgi =~ s/^fastcgi_keep_conn off;/fastcgi_keep_conn on;/m
	    or die "no keep_conn in the shipped configuration\n";
	spew("$home/pappus/pappus-fastcgi.conf", $fastcgi);
	my $site = slurp("$home/site.conf");
	my $keepalive = 16;
	$site =~ s/(server unix:.*\n)/$1\tkeepalive $keepalive;\n\tkeepalive_timeout 2s;\n/g;
	spew("$home/site.conf", $site);
	my ($nginx) = slurp("$home/nginx.conf") =~ /worker_processes (\d+)/;
	cmp_ok(32 * $WORKERS, '>=', $nginx * $keepalive, 'the rule holds');
	my @old = Pappus::Workers::children($stack->pid('nginx'));
	kill 'HUP', $stack->pid('nginx');
	wait_until(10, sub { !grep { alive($_) } @old })
	    or die "nginx doesn't take its new configuration\n";

	# Some connections are in use at any time, and most lie idle.
	my %load = map { $_ => load($_, clients => 6, pause => 0.02) }
	    qw(enroll identity);
	cmp_ok(Pappus::Load::accepted($stack, $_), '>', 0,
	    "$_ has kept connections") for sort keys %load;
	my $stopped = stop_workers($SECONDS, keys %load);
	$_->stop for values %load;
	cmp_ok($stopped, '>=', 10, "$stopped workers were stopped and replaced");
	my @lost = map { lost($_) } values %load;
	note("$_: ", describe($load{$_}->counts)) for sort keys %load;
	# One in a few stops was lost while libfcgi accepted.
	cmp_ok(@lost, '<=', 3, scalar(@lost) . ' requests were lost');
	is_deeply([grep { $_->{status} ne '502' } @lost], [], 'and got 502');
};

done_testing;
