# SPDX-License-Identifier: ISC
# The processes of a program in a stack: keep, the multiwatch it keeps, and
# multiwatch's workers; and what Linux tells of a process.
package Pappus::Workers;
use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep);
use Pappus::Test qw(slurp spew wait_until);

our @EXPORT_OK = qw(children alive multiwatch workers wait_workers status_of
	change_nginx restart_postgres);

# The children of a process that have not ended, by number.
sub children
{
	my ($parent) = @_;
	my @found;
	for my $dir (glob '/proc/[0-9]*') {
		# The name in parentheses may hold anything.
		my ($state, $ppid) =
		    (eval { slurp("$dir/stat") } // '') =~ /^.*\) (\S) (\d+) /s
		    or next;
		push @found, $dir =~ /(\d+)$/
		    if $ppid == $parent && $state ne 'Z';
	}
	return sort { $a <=> $b } @found;
}

sub alive
{
	my ($pid) = @_;
	die "no process\n" if !$pid;
	my $stat = eval { slurp("/proc/$pid/stat") } // return 0;
	return $stat !~ /\) Z /;
}

# The multiwatch of a program, or undef while keep starts it anew.
sub multiwatch
{
	my ($stack, $program) = @_;
	my ($pid) = grep { (eval { slurp("/proc/$_/comm") } // '')
		=~ /^multiwatch/ } children($stack->pid($program));
	return $pid;
}

sub workers
{
	my ($stack, $program) = @_;
	my $parent = multiwatch($stack, $program) // return;
	# Not what multiwatch has only just forked.
	return grep { (eval { slurp("/proc/$_/comm") } // '')
		=~ /^\Q$program\E$/ } children($parent);
}

# Wait for COUNT workers none of which is among OLD; their numbers.
sub wait_workers
{
	my ($stack, $program, $count, @old) = @_;
	my @now;
	wait_until(15, sub {
		@now = workers($stack, $program);
		my %now = map { $_ => 1 } @now;
		return @now == $count && !grep { $now{$_} } @old;
	}) or die "$program doesn't get its $count workers again\n";
	return @now;
}

# change_nginx STACK, SUB: the running nginx gets another site file, which SUB
# has in $_; false when what it was to change isn't there.
sub change_nginx
{
	my ($stack, $change) = @_;
	my $file = $stack->run . '/nginx/site.conf';
	local $_ = slurp($file);
	$change->() or die "the site file is another now\n";
	spew($file, $_);
	my $nginx = $stack->pid('nginx');
	my @old = children($nginx);
	kill 'HUP', $nginx;
	wait_until(15, sub { !grep { alive($_) } @old })
	    or die "nginx doesn't take its new configuration\n";
	return;
}

# What pg_ctl stop -m immediate does: no checkpoint, no goodbye; and up again
# after so many seconds.
sub restart_postgres
{
	my ($stack, $seconds) = @_;
	my $pid = $stack->pid('postgres');
	kill 'QUIT', $pid;
	wait_until(20, sub { !alive($pid) }) or die "PostgreSQL doesn't end\n";
	sleep $seconds;
	$stack->stack('start', 'postgres');
	return;
}

# A field of /proc/PID/status, such as Seccomp.
sub status_of
{
	my ($pid, $field) = @_;
	return slurp("/proc/$pid/status") =~ /^\Q$field\E:\s+(\S.*)$/m
	    ? $1 : undef;
}

1;
