# SPDX-License-Identifier: ISC
# Measuring: processes that are started here and ended by number, the CPU time
# that whole groups of them use, loads by wrk and bench-load, medians, tables.
package Bench::Measure;
use v5.36;

use Exporter qw(import);
use File::Basename qw(dirname);
use List::Util qw(sum0 max);
use POSIX qw(WNOHANG sysconf _SC_CLK_TCK);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(launch finish run_or_die calm be_patient others rss
    median table load_wrk load_own machine median_of);

my $here = dirname(__FILE__) . '/../..';
my $ticks = sysconf(_SC_CLK_TCK);
my @others;    # what during found

# ---------------------------------------------------------------- processes

my %ours;

# launch LOG, COMMAND…: its number.  It ends with us.
sub launch ($log, @command) {
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null' or die;
		open STDOUT, '>>', $log or die "$log: $!\n";
		open STDERR, '>&', \*STDOUT or die;
		exec 'setpriv', '--pdeathsig', 'TERM', '--', @command;
		die "$command[0]: $!\n";
	}
	$ours{$pid} = 1;
	return $pid;
}

# What was launched, ended; killed when it takes more than ten seconds.
sub finish ($pid, $signal = 'TERM') {
	return if !delete $ours{$pid};
	kill $signal, $pid;
	for (1 .. 200) {
		return if waitpid($pid, WNOHANG) != 0;
		sleep 0.05;
	}
	kill 'KILL', $pid;
	waitpid $pid, 0;
}

my $owner = $$;
END {
	my $status = $?;
	if ($$ == $owner) {
		finish($_) for keys %ours;
	}
	$? = $status;
}

# What a command prints; dies when it fails.
sub run_or_die (@command) {
	open my $pipe, '-|', @command or die "$command[0]: $!\n";
	my $out = do { local $/; <$pipe> } // '';
	close $pipe or die "@command[0, 1] … failed ($?)\n$out";
	return $out;
}

# Each process: parent, name, CPU seconds of itself and of children that ended.
sub processes () {
	my %found;
	for my $file (glob '/proc/[0-9]*/stat') {
		open my $in, '<', $file or next;
		my $line = <$in> // next;
		my ($pid, $name, $rest) = $line =~ /^(\d+) \((.*)\) (.*)$/s or next;
		my @field = split ' ', $rest;
		$found{$pid} = { parent => $field[1], name => $name,
			cpu => sum0(@field[11 .. 14]) / $ticks };
	}
	return \%found;
}

# The processes below (and with) the given ones.
sub family ($all, @pids) {
	my %children;
	push @{$children{$all->{$_}{parent}}}, $_ for keys %$all;
	my @found;
	while (defined(my $pid = shift @pids)) {
		push @found, $pid if $all->{$pid};
		push @pids, @{$children{$pid} // []};
	}
	return @found;
}

sub cpu_of ($groups) {
	my $all = processes();
	return { map { ($_ => sum0 map { $all->{$_}{cpu} }
		    family($all, $groups->{$_}->@*)) } keys %$groups };
}

# What all of the machine's processors were busy since boot, in seconds.
sub busy () {
	open my $in, '<', '/proc/stat' or die "/proc/stat: $!\n";
	# user nice system idle iowait irq softirq; of steal we know nothing.
	my (undef, @ticks) = split ' ', <$in>;
	return (sum0(@ticks[0 .. 2, 5, 6]) / $ticks, sum0(@ticks) / $ticks);
}

# during GROUPS, CODE: what the code returns (a hash), with the CPU seconds
# that each group of processes, NAME => [pid, …], used meanwhile, and the
# share of the machine that all the others took (in percent).
sub during ($groups, $code) {
	my $before = cpu_of($groups);
	my ($busy, $time) = busy();
	my (undef, undef, $user, $system) = times;
	my $result = $code->();
	my (undef, undef, $user2, $system2) = times;
	my ($busy2, $time2) = busy();
	my $after = cpu_of($groups);
	$result->{cpu} = { map { ($_ => $after->{$_} - $before->{$_}) }
		    keys %$groups };
	$result->{cpu}{client} = $user2 - $user + $system2 - $system;
	$result->{others} = 100 * max(0, $busy2 - $busy -
	    sum0(values $result->{cpu}->%*)) / (($time2 - $time) || 1);
	push @others, $result->{others};
	return $result;
}

# On a machine that others use as well: wait until they leave it alone (at
# most MINUTES, all in all), and repeat what they disturbed.  Off by default.
my ($patience, $tolerated) = (0, 10);

sub be_patient ($minutes) { $patience = 60 * $minutes }

# calm GROUPS, CODE: as during.
sub calm ($groups, $code) {
	while (1) {
		wait_for_calm();
		my $result = during($groups, $code);
		return $result
		    if $patience <= 0 || $result->{others} <= $tolerated;
		pop @others;
		$patience -= 5;
	}
}

sub wait_for_calm () {
	while ($patience > 0) {
		my ($busy, $time) = busy();
		sleep 1;
		my ($busy2, $time2) = busy();
		return if 100 * ($busy2 - $busy) <= $tolerated * ($time2 - $time);
		$patience -= 1;
	}
}

# How much of the machine others had, in words.
sub others () {
	return sprintf 'other processes meanwhile: %.0f%% of the machine in the'
	    . ' median, at most %.0f%%', median(@others) // 0, max(@others, 0);
}

# The largest memory in MB that any process of this name below PID had so far.
sub rss ($pid, $name) {
	my $all = processes();
	my $most = 0;
	for my $member (family($all, $pid)) {
		next if $all->{$member}{name} ne substr $name, 0, 15;
		open my $in, '<', "/proc/$member/status" or next;
		my ($kb) = join('', <$in>) =~ /^VmHWM:\s+(\d+)/m or next;
		$most = max $most, $kb / 1024;
	}
	return $most;
}

# -------------------------------------------------------------------- loads

# The line of NAME=VALUE that a load ends with.
sub parse_load ($out) {
	my ($line) = $out =~ /^(done=.*)$/m or die "no result:\n$out";
	my %value = $line =~ /(\w+)=([\d.]+)/g;
	my %failed = map { ($_ => $value{$_}) } grep {
		$value{$_} > 0 && (/^failed_/ || (/^status_/ && !/^status_20[01]$/))
	} keys %value;
	return {
		%value,
		rate => $value{done} / ($value{seconds} || 1),
		p50 => $value{p50_us} / 1000,
		p99 => $value{p99_us} / 1000,
		errors => sum0(values %failed),
		failed => \%failed,
	};
}

# load_wrk port, connections, seconds, template, lines => FILE, skip => N.
sub load_wrk (%o) {
	my $threads = $o{connections} > 1 ? 2 : 1;
	return parse_load(run_or_die('wrk', '-t', $threads, '-c', $o{connections},
		'-d', "$o{seconds}s", '--timeout', '10s', '-s', "$here/wrk.lua",
		"https://localhost:$o{port}/", '--', $o{template}, $o{lines} // '-',
		$o{skip} // 0, $threads));
}

# load_own program, plan, port, ca, connections, seconds and what else
# bench-load takes: a connection each, full handshakes.
sub load_own (%o) {
	my $keep = delete $o{keep};
	my $program = delete $o{program};
	delete $o{$_} for grep { !defined $o{$_} } keys %o;
	return parse_load(run_or_die($program, $keep ? '--keep' : (),
		map { ('--' . s/_/-/r, $o{$_}) } sort keys %o));
}

# ------------------------------------------------------------------ numbers

sub median (@values) {
	my @sorted = sort { $a <=> $b } grep { defined } @values;
	return undef if !@sorted;
	my $middle = int @sorted / 2;
	return $sorted[$middle] if @sorted % 2;
	return ($sorted[$middle - 1] + $sorted[$middle]) / 2;
}

# The rounds of one cell as one: medians; errors add up.
sub median_of (@rounds) {
	my %cell = map {
		my $key = $_;
		($key => median(map { $_->{$key} } @rounds));
	} qw(rate p50 p99 done);
	$cell{errors} = sum0 map { $_->{errors} // 0 } @rounds;
	$cell{wrapped} = sum0 map { $_->{wrapped} // 0 } @rounds;
	$cell{rates} = [map { $_->{rate} } @rounds];
	for my $group (map { keys $_->{cpu}->%* } grep { $_->{cpu} } $rounds[0]) {
		$cell{us}{$group} = median(map {
			$_->{done} ? 1e6 * $_->{cpu}{$group} / $_->{done} : undef
		} @rounds);
	}
	return \%cell;
}

# table [TITLES], [ROW]…: columns as wide as they must be, the first to the
# left.
sub table ($titles, @rows) {
	my @width;
	for my $row ($titles, @rows) {
		$width[$_] = max($width[$_] // 0, length $row->[$_]) for 0 .. $#$row;
	}
	my $print = sub ($row) {
		my $first = sprintf '%-*s', $width[0], $row->[0];
		say join '  ', $first,
		    map { sprintf '%*s', $width[$_], $row->[$_] } 1 .. $#$row;
	};
	$print->($titles);
	$print->([map { '-' x $_ } @width]);
	$print->($_) for @rows;
}

# What the numbers were made on, in one line each.
sub machine () {
	my ($cpu) = run_or_die('lscpu') =~ /^Model name:\s*(.+)$/m;
	my $cores = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
	my ($load) = split ' ', do { local (@ARGV, $/) = '/proc/loadavg'; <> };
	say 'machine: ', $cores, ' cores (', $cpu // 'unknown', '), load before ',
	    $load, ', ', POSIX::strftime('%Y-%m-%d %H:%M UTC', gmtime);
	say 'versions: ', join ', ', map { run_or_die('dpkg-query', '-W',
		    '-f', '${Package} ${Version}', $_) }
	    qw(nginx postgresql-15 libssl3 libfcgi0ldbl wrk);
}

1;
