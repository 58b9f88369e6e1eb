# SPDX-License-Identifier: ISC
# The programs as processes: who replaces whom, what each has given up, what
# it can reach, and how it refuses a configuration that can't be.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Load;
use Pappus::Session;
use Pappus::Test qw(slurp spew wait_until);
use Pappus::Workers qw(alive children multiwatch status_of wait_workers workers);

my $build = $ENV{PAPPUS_BUILDDIR};
my $WORKERS = 2;
my $stack = Pappus::Test->start(workers => $WORKERS);
my @programs = qw(enroll identity admin);
my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my $device = $stack->enroll($token)->{json};
my %ask = (
	enroll => sub { $stack->enroll($token) },
	identity => sub { $stack->identity($device->{device_token}) },
	admin => sub { $stack->admin('GET', "/projects/$project") });

# Requests enough that each worker gets its turn.
sub served
{
	my ($program, $name) = @_;
	is_deeply([map { $ask{$program}->()->{status} } 1 .. 4], [(200) x 4], $name);
}

# ------------------------------------------------------------------ who dies

subtest 'a worker is killed' => sub {
	for my $program (@programs) {
		my @old = workers($stack, $program);
		my $multiwatch = multiwatch($stack, $program);
		kill 'KILL', $old[0];
		my @now = wait_workers($stack, $program, $WORKERS, $old[0]);
		ok((grep { $_ == $old[1] } @now), "$program: the other one stays");
		is(multiwatch($stack, $program), $multiwatch, 'and so does multiwatch');
		served($program, 'service goes on');
	}
};

subtest 'a worker is killed with a request at hand' => sub {
	my $lock = Pappus::Session->new('host=' . $stack->run
	    . '/pg dbname=pappus user=postgres');
	$lock->value('BEGIN; SELECT 1 FROM pappus.devices WHERE device_id = '
	    . "'$device->{device_id}' FOR UPDATE");
	my $before = $stack->psql('postgres',
	    'SELECT count(*) FROM pappus.certificates');
	my $asked = Pappus::Load->ask($stack, $ask{identity});
	ok(wait_until(10, sub { $stack->psql('postgres', 'SELECT count(*) FROM '
		. "pg_stat_activity WHERE usename = 'pappus_identity' "
		. "AND wait_event_type = 'Lock'") }), 'it waits for a row');
	my @old = workers($stack, 'identity');
	kill 'KILL', @old;
	my ($answer) = $asked->answers;
	is($answer->{status}, 502, 'nginx says so');
	cmp_ok($answer->{headers}{'retry-after'}[0], '>', 0, 'with Retry-After');
	is($answer->{json}{type}, 'urn:pappus:problem:bad-gateway', 'as a problem');
	wait_workers($stack, 'identity', $WORKERS, @old);
	$lock->close;
	ok(wait_until(10, sub { !$stack->psql('postgres', 'SELECT count(*) FROM '
		. "pg_stat_activity WHERE usename = 'pappus_identity' "
		. "AND state = 'active'") }), 'its statement ends');
	my $after = $stack->psql('postgres',
	    'SELECT count(*) FROM pappus.certificates');
	cmp_ok($after - $before, '<=', 1, 'and nobody has asked again for it');
	served('identity', 'service goes on');
};

subtest 'workers are killed without end' => sub {
	my $multiwatch = multiwatch($stack, 'enroll');
	my $killed = 0;
	for (1 .. 20) {
		my ($pid) = workers($stack, 'enroll');
		$killed += kill 'KILL', $pid if $pid;
		sleep 0.1;
	}
	cmp_ok($killed, '>=', 15, "$killed were killed");
	wait_workers($stack, 'enroll', $WORKERS);
	is(multiwatch($stack, 'enroll'), $multiwatch, 'multiwatch does not give up');
	served('enroll', 'service goes on');
};

subtest 'multiwatch is killed' => sub {
	for my $program (@programs) {
		my $old = multiwatch($stack, $program);
		my @old = workers($stack, $program);
		kill 'KILL', $old;
		ok(wait_until(5, sub { !grep { alive($_) } @old }),
		    "$program: its workers end with it");
		wait_workers($stack, $program, $WORKERS, @old);
		isnt(multiwatch($stack, $program), $old, 'another comes');
		served($program, 'service is back');
	}
};

subtest 'the keeper is killed' => sub {
	my $keep = $stack->pid('enroll');
	my @all = ($keep, multiwatch($stack, 'enroll'), workers($stack, 'enroll'));
	is(@all, 2 + $WORKERS, 'keeper, multiwatch and workers');
	kill 'KILL', $keep;
	ok(wait_until(5, sub { !grep { alive($_) } @all }), 'all end with it');
	$stack->stack('start', 'enroll');
	served('enroll', 'and can be started again');
};

# ------------------------------------------------------------ what is given up

# What another process of the same user can do to it: nothing.
sub as_its_user
{
	my ($pid, @command) = @_;
	my ($uid) = status_of($pid, 'Uid') =~ /^(\d+)/;
	my @drop = $> == 0 ? ('setpriv', "--reuid=$uid", "--regid=$uid",
		'--clear-groups', '--') : ();
	my ($status) = Pappus::Test::run_command('', @drop, @command);
	return $status == 0;
}

subtest 'what a worker has given up' => sub {
	for my $program (@programs) {
		for my $pid (workers($stack, $program)) {
			is(status_of($pid, 'NoNewPrivs'), 1, "$program: new privileges");
			is(status_of($pid, 'Seccomp'), 2, 'system calls, by a filter');
			like(slurp("/proc/$pid/limits"), qr/^Max core file size +0 +0 /m,
			    'core dumps');
			is(status_of($pid, 'CapEff'), '0' x 16, 'capabilities');
			# proc(5): of what isn't dumpable, root owns the files.
			is((stat "/proc/$pid/environ")[4], 0, 'it is not dumpable');
			ok(!as_its_user($pid, 'cat', "/proc/$pid/environ"),
			    'its own user cannot read its environment');
			ok(!as_its_user($pid, 'ls', "/proc/$pid/fd"), 'nor its files');
			ok(!as_its_user($pid, 'head', '-c0', "/proc/$pid/mem"),
			    'nor its memory');
		}
	}
	# Else the three above say nothing.
	my $plain = Pappus::Load::child(sub {
		exec { $> == 0 ? 'setpriv' : 'sleep' }
		    $> == 0 ? qw(setpriv --reuid=60901 --regid=60901
			--clear-groups -- sleep 30) : qw(sleep 30) });
	ok(wait_until(5, sub { as_its_user($plain, 'cat', "/proc/$plain/environ") }),
	    'of a process that gave nothing up, it can');
	kill 'KILL', $plain;
	Pappus::Load::reap($plain);
};

subtest 'which files a worker holds' => sub {
	plan skip_all => 'only root can look into what is not dumpable' if $> != 0;
	{
		# Handed down by whoever starts it.
		local $^F = 100;
		open my $marker, '<', $stack->root_file or die;
		$stack->stack('restart', $_) for @programs;
		my $keep = $stack->pid('enroll');
		ok((grep { (readlink // '') eq $stack->root_file }
			glob "/proc/$keep/fd/*"), 'something is handed down');
	}
	served($_, "$_ is at work") for @programs;
	for my $program (@programs) {
		my $log = $stack->dir . "/log/$program.log";
		my %held;
		for my $pid (workers($stack, $program)) {
			$held{readlink($_) // 'closed'} .= s{.*/}{}r . ' '
			    for glob "/proc/$pid/fd/*";
		}
		my @strange = grep { !/^(?:socket:|anon_inode:\[eventfd\]|closed$)/
		    && $_ ne $log } sort keys %held;
		is_deeply(\@strange, [],
		    "$program: sockets, its log, an event descriptor");
		ok($held{$log}, 'its log indeed');
		cmp_ok((grep { /socket:/ } keys %held), '>=', 2,
		    'the listener and a connection to the database');
	}
};

# What lies in the folders of the stack, and whose it is.
subtest 'which secrets a program can reach' => sub {
	plan skip_all => 'programs are users of their own only when root '
	    . 'starts the stack' if $> != 0;
	my ($dir, $run) = ($stack->dir, $stack->run);
	my ($key) = glob "$run/identity/keys/*.key";
	ok($key, 'identity has a key');
	my %pid = map { $_ => (workers($stack, $_))[0] } @programs;
	for my $program (@programs) {
		my $pid = $pid{$program};
		my $can = sub { as_its_user($pid, 'cat', $_[0]) };
		is($can->($key), $program eq 'identity',
		    "$program and the device sub-CA's key");
		for my $other (@programs) {
			is($can->("$run/$other/pgpass"), $other eq $program,
			    "$program and the password of $other");
		}
		ok(!$can->($_), "$program and " . s{.*/}{}r) for
		    glob("$dir/ca/*/*.key $dir/root/root.key $dir/server/*.key"),
		    "$dir/pgpass", "$dir/admin-token", "$run/pgpass",
		    "$run/nginx/nginx.key";
		ok(!as_its_user($pid, 'ls', "$run/$_"), "$program cannot list $_")
		    for grep { $_ ne $program } @programs;
	}
};

# -------------------------------------------------------------- configuration

# Started with an environment of this alone: (status, standard output, error
# output).
sub run_program
{
	my ($program, $args, %env) = @_;
	return Pappus::Test::run_command('', 'env', '-i',
	    (map { "$_=$env{$_}" } sort keys %env), "$build/$program", @$args);
}

my $keys = $stack->tmp . '/keys';
mkdir $keys, 0700;
spew("$keys/device.key", slurp((glob $stack->dir . '/ca/device/*.key')[0]));
my %good = map { $_ => { PAPPUS_DATABASE => 'dbname=pappus' } } @programs;
$good{identity}{PAPPUS_CA_DIR} = $keys;
my %table = map { $_ => [qw(PAPPUS_DATABASE PAPPUS_THREADS PAPPUS_DEADLINE_MS
	PAPPUS_DRAIN_MS)] } @programs;
push @{$table{$_}}, 'PAPPUS_BATCH_MAX' for qw(enroll identity);
push @{$table{identity}}, qw(PAPPUS_CA_DIR PAPPUS_CA_PASSPHRASE_FILE);

# It ends at once, with and without --check, and one line names the variable.
sub refused
{
	my ($program, $name, $value, $why) = @_;
	my %env = (%{$good{$program}}, $name => $value);
	delete $env{$name} if !defined $value;
	$value //= '(unset)';
	for my $args (['--check'], []) {
		my ($status, $out, $err) = run_program($program, $args, %env);
		ok($status != 0 && $out eq '' && $err =~ /\A[^\n]*\b$name\b[^\n]*\n\z/,
		    "$program @$args: $name=$value") or diag("$status: $out$err");
		like($err, $why, 'and says why') if $why;
	}
}

subtest 'bad configuration' => sub {
	for my $program (@programs) {
		my ($status, $out, $err) =
		    run_program($program, ['--check'], %{$good{$program}});
		is_deeply([$status, $out, $err], [0, '', ''], "$program: good is good")
		    or diag($err);
		refused($program, 'PAPPUS_DATABASE', $_)
		    for undef, '', 'pappus', 'host=a nonsense=b', 'port';
		refused($program, 'PAPPUS_THREADS', $_)
		    for '', 0, -1, 513, '1x', ' ', '1e3', '0x10', '9' x 30;
		refused($program, 'PAPPUS_DEADLINE_MS', $_) for 99, 60001, 'soon';
		refused($program, 'PAPPUS_DRAIN_MS', $_) for -1, 60001, '1.5';
	}
	for my $program (qw(enroll identity)) {
		refused($program, 'PAPPUS_BATCH_MAX', $_) for 0, 513, 'all';
	}
};

subtest 'bad CA folders' => sub {
	my $folder = sub {
		my ($name, %files) = @_;
		my $dir = $stack->tmp . "/keys-$name";
		mkdir $dir, 0700;
		spew("$dir/$_", $files{$_}) for keys %files;
		return $dir;
	};
	my $key = slurp("$keys/device.key");
	my @refused = (
		[undef], [''], ['/nonexistent'], ["$keys/device.key"],
		[$folder->('empty')], [$folder->('other', 'device.crt' => 'x')],
		[$folder->('junk', 'device.key' => "junk\n"), qr/PEM/],
		[$folder->('cut', 'device.key' => substr $key, 0, 100)]);
	my $open = $folder->('open', 'device.key' => $key);
	for my $mode (0644, 0640, 0604, 0660) {
		chmod $mode, "$open/device.key";
		refused('identity', 'PAPPUS_CA_DIR', $open, qr/0600/);
	}
	refused('identity', 'PAPPUS_CA_DIR', @$_) for @refused;
	chmod 0600, "$open/device.key";
	is((run_program('identity', ['--check'], %{$good{identity}},
		PAPPUS_CA_DIR => $open))[0], 0, 'mode 0600 is taken');

	# Passphrases.
	my $sealed = $folder->('sealed');
	spew("$sealed/right", "right one\n");
	spew("$sealed/wrong", "wrong one\n");
	spew("$sealed/none", "\n");
	system("openssl pkcs8 -topk8 -v2 aes256 -in $keys/device.key -out "
	    . "$sealed/device.key -passout file:$sealed/right") == 0 or die;
	chmod 0600, "$sealed/device.key";
	$good{identity}{PAPPUS_CA_DIR} = $sealed;
	is((run_program('identity', ['--check'], %{$good{identity}},
		PAPPUS_CA_PASSPHRASE_FILE => "$sealed/right"))[0], 0,
	    'the right passphrase is taken');
	refused('identity', 'PAPPUS_CA_PASSPHRASE_FILE', $_) for '',
	    '/nonexistent', "$sealed/none", "$sealed/wrong";
	chmod 0644, "$sealed/right";
	refused('identity', 'PAPPUS_CA_PASSPHRASE_FILE', "$sealed/right", qr/0600/);
	refused('identity', 'PAPPUS_CA_DIR', $sealed, qr/encrypted/);
	$good{identity}{PAPPUS_CA_DIR} = $keys;
};

subtest 'a worker that cannot start says so, and the stack too' => sub {
	spew($stack->dir . '/env', "PAPPUS_THREADS=none\n");
	ok(!eval { $stack->stack('restart', 'enroll'); 1 }, 'it is not started');
	like($stack->log('setup'), qr/PAPPUS_THREADS is \\?"none/, 'and is told why');
	unlink $stack->dir . '/env';
	$stack->stack('restart', 'enroll');
	served('enroll', 'and can be started again');
};

subtest 'options' => sub {
	for my $program (@programs) {
		my ($status, $out, $err) = run_program($program, ['--help']);
		is($status, 0, "$program --help");
		my @named = sort $out =~ /^ +(PAPPUS_\w+)/mg;
		is_deeply(\@named, [sort @{$table{$program}}],
		    'lists what it reads, and nothing else');
		like($out, qr/^ +PAPPUS_THREADS .*1 to 512, default 32/m, 'with limits');
		($status, $out) = run_program($program, ['--version']);
		like($out, qr/^$program \(pappus\) \d/, 'its version');
		for (['--nonsense'], ['serve'], ['--check', '--help']) {
			($status, $out, $err) =
			    run_program($program, $_, %{$good{$program}});
			ok($status != 0 && $err =~ /\A.*--help\n\z/,
			    "refused: @$_") or diag("$status: $out$err");
		}
		($status, $out, $err) = run_program($program, [], %{$good{$program}});
		ok($status != 0, 'without a socket it does not start');
		like($err, qr/\A.*not?.*listening socket.*\n\z/, 'and says so');
	}
};

done_testing;
