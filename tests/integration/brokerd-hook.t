# SPDX-License-Identifier: ISC
# pappus-brokerd runs a command for each newly denied device: once, without a
# shell, some at a time, and whatever the command does the feed goes on.
use strict;
use warnings;
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew wait_until);
use Time::HiRes qw(sleep time);

my $brokerd = Pappus::Brokerd->new;
my ($hook, $ran) = map { $brokerd->path($_) } 'a hook; touch x', 'ran';
my @devices = map { sprintf 'dev_%026d', $_ } 1 .. 60;
$brokerd->env->{PAPPUS_DENY_HOOK} = $hook;

# What the hook does, in perl; it leaves a line of its arguments first.
sub hook
{
	my ($does) = @_;
	spew("$hook.new", <<"END");
#!/usr/bin/perl
use Time::HiRes qw(sleep);
open my \$out, '>>', '$ran';
syswrite \$out, join(' ', \@ARGV) . "\\n";
$does
END
	chmod 0700, "$hook.new";
	rename "$hook.new", $hook or die "$hook: $!";
}

sub ran { return -e $ran ? split /\n/, slurp($ran) : () }
sub count { my @ran = ran(); return scalar @ran }
sub clear { unlink $ran }

# Waits until so many lines are there, and no more come.
sub has_run
{
	my ($n) = @_;
	wait_until(30, sub { count() >= $n });
	sleep 0.5;
	return ran();
}

# The processes that run hooks and whose parent is that one.
sub runners
{
	my ($parent) = @_;
	return grep { (eval { slurp("/proc/$_/stat") } // '')
		=~ /\(brokerd-hooks\) [^Z] $parent / }
	    map { m{/proc/(\d+)/} } glob '/proc/[0-9]*/stat';
}

sub deny
{
	my (@ids) = @_;
	$brokerd->feed->delta(map { ('+device' => $_) } @ids);
	return $brokerd->publish;
}

hook('');
$brokerd->feed->base(device => $devices[0]);
my $sequence = $brokerd->publish;
$brokerd->start;
ok($brokerd->comes_to($sequence), 'the first list is there');
sleep 0.5;
is_deeply([ran()], [], 'who was denied before is not newly denied');

deny($devices[1]);
is_deeply([has_run(1)], [$devices[1]], 'one who is denied is, once');
deny(@devices[2 .. 4]);
is_deeply([sort(has_run(4))], [@devices[1 .. 4]], 'so are three more');
ok(!-e $brokerd->path('x') && !-e 'x', 'no shell has seen the path');

subtest 'a device that is let in and denied again' => sub {
	clear();
	$brokerd->feed->clear_delta;
	$brokerd->feed->base(device => $_) for @devices[1 .. 4];
	$brokerd->publish(base_sequence => $brokerd->feed->{to} + 1);
	sleep 0.5;
	is_deeply([ran()], [], 'a new base is nothing new');
	$brokerd->feed->delta('-device' => $devices[1]);
	$sequence = $brokerd->publish;
	ok($brokerd->comes_to($sequence), 'is let in');
	$brokerd->feed->clear_delta;
	$brokerd->publish;
	is_deeply([has_run(1)], [$devices[1]], 'and denied again');
};

subtest 'one that fails' => sub {
	clear();
	$brokerd->news;
	hook('exit 3 if $ARGV[0] =~ /5$/; kill 9, $$ if $ARGV[0] =~ /6$/;');
	deny(@devices[4 .. 6]);
	is(has_run(2), 2, 'two are run');
	ok($brokerd->says(qr/event=hook-failed device=$devices[5] msg="signal 9"/),
	    'a signal is logged') or diag($brokerd->news);
	is(() = $brokerd->news =~ /event=hook-failed/g, 1, 'the other was not new');
	ok(wait_until(10, sub { $brokerd->metrics->{'hooks_failed_total'} == 1
		&& $brokerd->metrics->{'hooks_total'} == 7 }), 'both are counted')
	    or diag(explain($brokerd->metrics));
	hook('exit 3');
	deny($devices[7]);
	ok($brokerd->says(qr/event=hook-failed device=$devices[7] msg="exit status 3"/),
	    'an exit status is logged');
	unlink $hook;
	deny($devices[8]);
	ok($brokerd->says(qr/event=hook-failed device=$devices[8] msg="exit status 127"/),
	    'so is that there is none');
};

subtest 'many that take their time' => sub {
	clear();
	hook('open my $in, ">", "' . $brokerd->path('in-') . '$$"; sleep 0.3;'
	    . 'unlink "' . $brokerd->path('in-') . '$$";');
	$sequence = deny(@devices[9 .. 48]);
	my ($most, $seen) = (0, 0);
	wait_until(30, sub {
		my $now = () = glob $brokerd->path('in-*');
		$most = $now if $now > $most;
		return count() == 40 && $now == 0;
	});
	is_deeply([sort(has_run(40))], [@devices[9 .. 48]], 'all were run, once');
	cmp_ok($most, '<=', 8, 'eight at a time at most');
	cmp_ok($most, '>', 1, 'but not one after the other');
	ok($brokerd->comes_to($sequence), 'the list was taken');
};

subtest 'one that hangs' => sub {
	clear();
	hook('sleep 1000 if $ARGV[0] =~ /50$/; exit 0');
	deny($devices[49]);
	ok(wait_until(10, sub { count() == 1 }), 'hangs');
	my $start = time;
	$sequence = deny($devices[50]);
	ok($brokerd->comes_to($sequence, 5), 'the feed goes on');
	ok(wait_until(5, sub { count() == 2 }), 'and so do the others');
	cmp_ok(time - $start, '<', 10, 'meanwhile');
	ok($brokerd->says(qr/event=hook-failed device=$devices[49] msg="killed after 30 seconds"/,
		40), 'it is killed in the end');
};

subtest 'killed while hooks run' => sub {
	clear();
	hook('sleep 0.5');
	deny(@devices[51 .. 58]);
	ok(wait_until(10, sub { count() >= 1 }), 'they run');
	$brokerd->stop('KILL');
	clear();
	hook('');
	$brokerd->start;
	# Those that ran when it was killed may leave a line yet.
	my %once = map { $_ => 1 } has_run(8);
	is_deeply([sort keys %once], [@devices[51 .. 58]],
	    'all are run after the restart: none is lost');
	clear();
	$brokerd->restart;
	ok($brokerd->says(qr/event=restored/), 'restarted once more');
	sleep 1;
	is_deeply([ran()], [], 'none is run again');
};

subtest 'denied while it was down' => sub {
	clear();
	$brokerd->stop;
	deny($devices[59]);
	$brokerd->start;
	is_deeply([has_run(1)], [$devices[59]], 'is run when it is back');
};

subtest 'the process that runs them is killed' => sub {
	my ($runner) = runners($brokerd->pid);
	ok($runner, 'it is there');
	kill 'KILL', $runner;
	my $status;
	ok(wait_until(10, sub { waitpid($brokerd->pid, 1) != 0 and $status = $? }),
	    'brokerd ends too, to be started again');
	is($status >> 8, 1, 'and says so');
	delete $brokerd->{pid};
	like($brokerd->log, qr/event=hooks-ended/, 'in the log as well');
	$brokerd->news;
	$brokerd->start;
	ok($brokerd->says(qr/event=serving/), 'it can');
};

is($brokerd->stop, 0, 'ends when it is told to');
ok(wait_until(10, sub { !runners(1) }), 'and leaves nobody behind');
done_testing;
