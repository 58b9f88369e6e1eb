# SPDX-License-Identifier: ISC
# bench/identity and bench/enroll: one path of the real stack at several
# concurrencies, on kept and on new connections, with fastcgi_keep_conn off
# (shipped) and on, beside the limits of this machine, in rounds.
package Bench::Endpoint;
use v5.36;

use Bench::Measure qw(calm be_patient others rss table load_wrk load_own
    run_or_die machine median_of);
use Bench::Stack;
use Cwd qw(abs_path getcwd);
use Getopt::Long;
use List::Util qw(max);
use Time::HiRes qw(sleep);

my %config = (
	off => 'keep_conn off (shipped)',
	on => 'keep_conn on',
);

sub usage ($path, $name) {
	return <<~"USAGE";
	usage: bench/$name [OPTION]...
	Measures $path of the whole stack over TLS: wrk on kept connections,
	bench-load on new ones (full handshakes, timed from connect()), wrk with
	resumed sessions; beside them what this machine could do at most.
	  --builddir DIR      a configured build (build)
	  --concurrency LIST  clients at a time (1,8,32)
	  --seconds S         of each measurement (4)
	  --rounds N          the table shows medians of these (3)
	  --workers N         processes a program (2, as shipped)
	  --no-limits         without the machine's limits
	  --profile FILE      perf of the workers at the highest concurrency
	  --patience MINUTES  wait for calm and repeat what other processes disturbed
	  --quick             a second each, one round: whether it works
	USAGE
}

sub options ($path, $name) {
	my %o = (builddir => 'build', concurrency => '1,8,32', seconds => 4,
	    rounds => 3, limits => 1);
	GetOptions(\%o, 'builddir=s', 'concurrency=s', 'seconds=i', 'rounds=i',
	    'limits!', 'profile=s', 'patience=i', 'workers=i', 'quick', 'help') && !@ARGV
	    or print(STDERR usage($path, $name)), exit 2;
	print(usage($path, $name)), exit 0 if $o{help};
	@o{qw(seconds rounds concurrency)} = (1, 1, '8') if $o{quick};
	$o{concurrency} = [split /,/, $o{concurrency}];
	$o{builddir} = abs_path($o{builddir}) // die "no folder $o{builddir}\n";
	return \%o;
}

# run path => '/identity', method, header => 'Name: @LINE@', lines => bool.
sub run (%what) {
	my $name = $what{path} =~ s{^/}{}r;
	my $o = options("$what{method} $what{path}", $name);
	be_patient($o->{patience} // 0);
	machine();
	my $self = bless { %what, o => $o, name => $name,
		bench => Bench::Stack->new($o->{builddir},
		    workers => $o->{workers}), cells => {} };
	$self->prepare;
	for my $round (1 .. $o->{rounds}) {
		print STDERR "round $round of $o->{rounds}\n";
		$self->round;
	}
	$self->report;
	$self->profile if $o->{profile};
}

sub prepare ($self) {
	my $bench = $self->{bench};
	my $header = $self->{header}->($bench);
	my @length = $self->{method} eq 'POST' ? 'Content-Length: 0' : ();
	$self->{kept} = $bench->template('kept',
	    "$self->{method} $self->{path}", $header, @length);
	$self->{new} = $bench->template('new',
	    "$self->{method} $self->{path}", $header, @length,
	    'Connection: close');
	$self->{nginx}{off} = { port => $bench->{port},
		pid => $bench->{stack}->pid('nginx') };
	$self->{nginx}{on} = $bench->nginx('on', keep => 1);
	$self->prepare_limits if $self->{o}{limits};
	$self->prepare_devices if $self->{lines};
	# Autovacuum would otherwise look at a moment of its own.
	$bench->psql('VACUUM ANALYZE');
}

# As many devices as all runs may use at the rates that machines like this
# one reach; should they not be enough, some ask twice, and that is shown.
sub prepare_devices ($self) {
	my $o = $self->{o};
	my $runs = 0;
	$runs += ($_ == 1 ? 1500 : 6000) + 1200 + 1500 for $o->{concurrency}->@*;
	my $count = $o->{quick} ? 3000
	    : $runs * 2 * $o->{seconds} * $o->{rounds};
	$count += 6000 * ($o->{seconds} + 2) if $o->{profile};
	print STDERR "enrolling $count devices\n";
	$self->{bench}->enroll_devices($count);
	$self->{used} = 0;
}

sub prepare_limits ($self) {
	my $bench = $self->{bench};
	# As long as an identity's answer.
	my $constant = $bench->constant(4608);
	my $unrecorded = $bench->unrecorded;
	for my $keep (0, 1) {
		my $key = $keep ? 'on' : 'off';
		$self->{limits}{constant}{$key} = { program => $constant,
			$bench->nginx("constant-$key", keep => $keep,
			    socket => $constant->{socket})->%* };
		$self->{limits}{unrecorded}{$key} = { program => $unrecorded,
			$bench->nginx("unrecorded-$key", keep => $keep,
			    socket => $unrecorded->{socket})->%* };
	}
	# No program looks it up there.
	$self->{form} = $bench->template('form', 'GET /identity',
	    'Authorization: Bearer ' . form_token());
}

# Of the right form, with its checksum; it is nobody's.
sub form_token () {
	require Digest::SHA;
	my $token = 'dt_' . '0' x 58;
	my $bits = substr unpack('B*', Digest::SHA::sha256($token)), 0, 30;
	my @letters = split //, '0123456789abcdefghjkmnpqrstvwxyz';
	return $token . join '', map { $letters[oct "0b$_"] } $bits =~ /(.{5})/g;
}

# ----------------------------------------------------------------- a round

sub round ($self) {
	my $limits = $self->{o}{limits};
	for my $connections ($self->{o}{concurrency}->@*) {
		for my $config (qw(off on)) {
			for my $kind (qw(kept new resumed)) {
				my $cell = $self->load($config, $kind, $connections);
				push $self->{cells}{$config}{$kind}{$connections}->@*,
				    $cell;
			}
			# Kept FastCGI connections hold threads until nginx's
			# timeout of two seconds.
			sleep 2.5 if $config eq 'on';
		}
		$self->limits_of($connections) if $limits;
	}
	$self->limits_of_core if $limits;
}

sub load ($self, $config, $kind, $connections) {
	my $bench = $self->{bench};
	my $nginx = $self->{nginx}{$config};
	my $groups = $bench->groups(nginx => [$nginx->{pid}],
	    program => [$bench->{stack}->pid($self->{name})]);
	return calm($groups, sub {
		my %load = (port => $nginx->{port}, connections => $connections,
		    seconds => $self->{o}{seconds},
		    template => $self->{$kind eq 'kept' ? 'kept' : 'new'});
		@load{qw(lines skip)} = ($bench->{lines}, $self->{used})
		    if $self->{lines};
		my $result = $kind ne 'new' ? load_wrk(%load)
		    : load_own(%load, plan => 'request', ca => $bench->{ca},
			program => $bench->program('bench-load'));
		$self->count_used($result) if $self->{lines};
		return $result;
	});
}

# When the devices come to an end, they ask again from the first.
sub count_used ($self, $result) {
	$self->{used} += $result->{used} // $result->{handshakes};
	return if !$result->{wrapped} &&
	    $self->{used} < 0.98 * $self->{bench}{tokens};
	$self->{again}++;
	$self->{used} = 0;
}

sub limits_of ($self, $connections) {
	my $bench = $self->{bench};
	my $seconds = $self->{o}{seconds};
	for my $limit (sort keys $self->{limits}->%*) {
		for my $config (qw(off on)) {
			my $nginx = $self->{limits}{$limit}{$config};
			push $self->{cells}{$config}{$limit}{$connections}->@*,
			    calm({ nginx => [$nginx->{pid}],
				program => [$nginx->{program}{pid}] }, sub {
				load_wrk(port => $nginx->{port},
				    connections => $connections,
				    seconds => $seconds,
				    template => $self->{form});
			    });
			sleep 2.5 if $config eq 'on';
		}
	}
	push $self->{cells}{off}{commits}{$connections}->@*,
	    calm({ PostgreSQL => [$bench->{stack}->pid('postgres')] },
	    sub {
		my $result = $bench->commits($connections, $seconds);
		$result->{done} = $result->{rate} * $seconds;
		return $result;
	    });
	push $self->{cells}{off}{handshakes}{$connections}->@*,
	    calm({ nginx => [$self->{nginx}{off}{pid}] }, sub {
		load_own(plan => 'handshake', port => $bench->{port},
		    ca => $bench->{ca}, connections => $connections,
		    seconds => $seconds,
		    program => $bench->program('bench-load'));
	    });
}

sub limits_of_core ($self) {
	my $bench = $self->{bench};
	my %value = run_or_die($bench->program('bench-sign'),
	    $bench->{stack}->dir . '/ca/device', 1) =~ /(\w+)=(\d+)/g;
	push $self->{core}{$_}->@*, { rate => $value{$_} } for keys %value;
}

# ------------------------------------------------------------------ report

my @groups = qw(nginx program PostgreSQL client);

sub number ($value, $digits = 0) {
	return defined $value ? sprintf("%.${digits}f", $value) : '-';
}

# CPU of a group: microseconds a request, and its share of all that was used.
sub share ($cell, $group) {
	my $us = $cell->{us}{$group} // return '-';
	my $all = 0;
	$all += $_ // 0 for values $cell->{us}->%*;
	return sprintf '%.0f (%.0f%%)', $us, $all ? 100 * $us / $all : 0;
}

sub row ($title, $connections, $cell) {
	return [$title, $connections, number($cell->{rate}),
		number($cell->{p50}, 1), number($cell->{p99}, 1),
		$cell->{errors}, map { share($cell, $_) } @groups];
}

sub report ($self) {
	my $o = $self->{o};
	my %kind = (kept => 'kept connections', new => 'new connections',
	    resumed => 'new, TLS resumed');
	my @rows;
	for my $config (qw(off on)) {
		for my $kind (qw(kept new resumed)) {
			push @rows, map {
				row("$config{$config}, $kind{$kind}", $_, median_of(
				    $self->{cells}{$config}{$kind}{$_}->@*))
			} $o->{concurrency}->@*;
		}
	}
	say "\n$self->{method} $self->{path}, medians of $o->{rounds} round(s) of",
	    " $o->{seconds} s; CPU in µs a request (share of what was used)";
	table(['what', 'clients', 'per s', 'p50 ms', 'p99 ms', 'errors', @groups],
	    @rows, $o->{limits} ? $self->limit_rows : ());
	say 'p50 and p99: of wrk from the request on, of new connections from',
	    ' connect() on.';
	$self->report_details;
}

sub limit_rows ($self) {
	my %limit = (constant => 'limit: a constant answer',
	    unrecorded => 'limit: /identity, no database',
	    commits => 'limit: single-row commits',
	    handshakes => 'limit: TLS handshakes');
	my @rows;
	for my $limit (qw(constant unrecorded commits handshakes)) {
		for my $config (qw(off on)) {
			my $cells = $self->{cells}{$config}{$limit} // next;
			my $how = $limit =~ /^[cu]on|^un/ && $limit ne 'commits'
			    ? ", keep_conn $config" : '';
			push @rows, map { row("$limit{$limit}$how", $_,
			    median_of($cells->{$_}->@*)) }
			    $self->{o}{concurrency}->@*;
		}
	}
	my %core = (keys => 'limit: P-256 keys, one core',
	    certificates => 'limit: key + certificate, one core');
	push @rows, map { row($core{$_}, 1, median_of($self->{core}{$_}->@*)) }
	    qw(keys certificates);
	return @rows;
}

sub report_details ($self) {
	my $stack = $self->{bench}{stack};
	printf "%s: at most %.1f MB RSS a worker (%d workers, %d threads each)\n",
	    $self->{name}, rss($stack->pid($self->{name}), $self->{name}),
	    Bench::Stack::workers, Bench::Stack::THREADS;
	my %failed;
	for my $cell (map { map { map { @$_ } values %$_ } values %$_ }
	    values $self->{cells}->%*) {
		$failed{$_} += $cell->{failed}{$_} for keys +($cell->{failed} // {})->%*;
	}
	say 'errors by kind: ', %failed
	    ? join ', ', map { "$_ $failed{$_}" } sort keys %failed : 'none';
	say others();
	say 'devices: ', $self->{again}
	    ? "each asked up to @{[$self->{again} + 1]} times"
	    : 'each asked once' if $self->{lines};
}

# ----------------------------------------------------------------- profile

sub profile ($self) {
	my $bench = $self->{bench};
	my $connections = max $self->{o}{concurrency}->@*;
	my $perf = fork // die "fork: $!\n";
	if ($perf == 0) {
		sleep 1;
		exec 'perf', 'record', '-q', '-F', '997', '-g', '-a', '-o',
		    $self->{o}{profile}, '--', 'sleep', $self->{o}{seconds};
		die "perf: $!\n";
	}
	local $self->{o}{seconds} = $self->{o}{seconds} + 2;
	$self->load('off', 'kept', $connections);
	waitpid $perf, 0;
	say "profile of $connections clients: perf report -i $self->{o}{profile}";
}

1;
