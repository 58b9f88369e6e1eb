# SPDX-License-Identifier: ISC
# How pappus-brokerd starts, what it refuses to start with, what it gives up, and
# whom it signals: nobody but a mosquitto that expects it.
use strict;
use warnings;
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew wait_until);
use Time::HiRes qw(sleep time);

my $brokerd = Pappus::Brokerd->new;
my ($good, $bad) = $brokerd->broker->devices(2);
my $env = $brokerd->env;
my $folder = $brokerd->path('new');
$env->{PAPPUS_FEED_DIR} = $folder;

sub runs
{
	my ($name, $wanted, $out, @argument) = @_;
	my ($status, @said) = $brokerd->command(@argument);
	is($status, $wanted, "$name: exit status");
	like($said[$wanted ? 1 : 0], $out, "$name: says so");
}
runs('--help', 0, qr/^usage: pappus-brokerd .*--health.*PAPPUS_FEED_URL +\S.*\(required\)/s, '--help');
runs('--version', 0, qr/^pappus-brokerd \(pappus\) \d+\.\d+\.\d+\n\z/, '--version');
runs('another option', 1, qr/unknown option --frobnicate/, '--frobnicate');
runs('two options', 1, qr/unknown option/, '--check', '--help');
is_deeply([$brokerd->command('--check')], [0, '', ''], '--check finds no fault');
ok(!-e $folder, 'and leaves nothing behind');

# Settings that are wrong; one line says which.
my ($key, $crt) = map { $good->{$_} } qw(key cert);
my $canary = $crt =~ s/\.crt\z//r;
my $hook = $brokerd->path('hook');
spew($hook, "#!/bin/sh\n");
spew($brokerd->path('empty'), '');
for ([PAPPUS_FEED_URL => undef, 'is not set'],
    [PAPPUS_FEED_URL => '', 'is empty'],
    [PAPPUS_FEED_URL => ' ', 'names no address'],
    [PAPPUS_FEED_URL => 'http://localhost/feed', 'must be https://'],
    [PAPPUS_FEED_URL => 'https://', 'must be https://'],
    [PAPPUS_FEED_URL => 'https://a/feed?x', 'must be https://'],
    [PAPPUS_FEED_URL => 'https://user@a/feed', 'must be https://'],
    [PAPPUS_FEED_URL => 'https://a/feed https://user:hunter2@b/feed',
	'address 2 of PAPPUS_FEED_URL must be'],
    [PAPPUS_FEED_URL => 'https://' . 'a' x 200, 'must be https://'],
    [PAPPUS_FEED_URL => join(' ', ('https://a/feed') x 9), 'more than 8'],
    [PAPPUS_FEED_CA_FILE => undef, 'is not set'],
    [PAPPUS_FEED_CA_FILE => '/nowhere', 'No such file'],
    [PAPPUS_FEED_DIR => undef, 'is not set'],
    [PAPPUS_CA_FILE => undef, 'is not set'],
    [PAPPUS_CA_FILE => '/nowhere', 'cannot open'],
    [PAPPUS_CA_FILE => $brokerd->path('empty'), 'holds no certificate'],
    [PAPPUS_CA_FILE => $brokerd->path('clients.pem'), ''],
    [PAPPUS_POLL_MS => 49, 'from 50 to 60000'],
    [PAPPUS_POLL_MS => 'often', 'must be a number'],
    [PAPPUS_CRL_FILE => '/x', 'PAPPUS_BROKER_PID_FILE is not set'],
    [PAPPUS_DENY_HOOK => 'hook', 'from / on'],
    [PAPPUS_DENY_HOOK => $hook, 'can\'t be run'],
    [PAPPUS_DENY_HOOK => '/nowhere', 'can\'t be run'],
    [PAPPUS_CANARY_GOOD => $canary, 'is not set, so the canaries have nowhere'],
    [PAPPUS_CANARY_SECONDS => 0, 'from 1 to 86400'],
    [PAPPUS_CANARY_PORT => 65536, 'from 1 to 65535']) {
	my ($name, $value, $says) = @$_;
	local $env->{$name} = $value;
	delete $env->{$name} if !defined $value;
	my ($status, $out, $err) = $brokerd->command('--check');
	$name = 'PAPPUS_CANARY_HOST' if $name eq 'PAPPUS_CANARY_GOOD';
	my $shown = "$name=" . ($value // '') =~ s/(.{30}).*/$1…/sr;
	is($status, 1, "$shown is refused");
	like($err, qr/^\S+ level=error program=pappus-brokerd .*event=cannot-start msg="(?=.*$name)[^\n]*\Q$says\E.*"\n\z/,
	    '… in one line that names it');
	unlike($err, qr/hunter2/, '… and repeats no password');
}
{
	local @$env{qw(PAPPUS_CANARY_HOST PAPPUS_CANARY_REVOKED)} =
	    ('localhost', $canary);
	is_deeply([$brokerd->command('--check')], [0, '', ''], 'one canary is fine');
	chmod 0640, $key;
	runs('a key that others can read', 1, qr/group or others can get at it \(mode 640\)/, '--check');
	chmod 0600, $key;
	rename $key, "$key.x";
	runs('a key that is not there', 1, qr/\.key: No such file/, '--check');
	spew($key, slurp($bad->{key}));
	runs('another one\'s key', 1, qr/\.key: .*mismatch/, '--check');
	rename "$key.x", $key;
}

$brokerd->crl($_, 1) for qw(root service);
$brokerd->crl('device', 1, serials => [$bad->{serial}]);
my $file = $brokerd->crl_file;
$brokerd->publish;
chmod 0700, $hook;
$env->{PAPPUS_DENY_HOOK} = $hook;
$brokerd->start;
ok(wait_until(10, sub { -e "$folder/state" }), 'it starts');

subtest 'what it gives up' => sub {
	is((stat $folder)[2] & 0777, 0750, 'the folder is for its group alone');
	my $status = slurp('/proc/' . $brokerd->pid . '/status');
	like($status, qr/^NoNewPrivs:\s+1$/m, 'no new privileges');
	like($status, qr/^Seccomp:\s+2$/m, 'a filter of system calls');
	like(slurp('/proc/' . $brokerd->pid . '/limits'),
	    qr/^Max core file size\s+0\s+0\s/m, 'no core dumps');
	my @open = map { readlink } glob '/proc/' . $brokerd->pid . '/fd/*';
	is((grep { m{/(?:key|.*\.key)$} } @open), 0, 'no key is open');
};

subtest 'one at a time' => sub {
	my ($status, $out, $err) = $brokerd->command;
	is($status, 1, 'a second one ends');
	like($err, qr/another pappus-brokerd keeps \Q$folder\E/, 'and says why');
};

# ------------------------------------------------------- whom it signals

sub alarm_about
{
	my ($name, $pattern) = @_;
	ok($brokerd->is_soon(1, qr/broker: the broker can't be told to read its lists: $pattern/),
	    $name) or diag($brokerd->health);
}

my $number = 1;
sub change
{
	$brokerd->crl('device', ++$number, serials => [$bad->{serial}]);
	$brokerd->publish;
	ok(wait_until(10, sub { -e "$folder/state" && slurp("$folder/state")
		=~ /^crl \S+ $number /m }), "list $number");
}

subtest 'somebody else\'s process' => sub {
	my $hups = 0;
	local $SIG{HUP} = sub { $hups++ };
	spew($brokerd->path('mosquitto.pid'), "$$\n");
	change();
	alarm_about('is not signalled', qr/process $$ is \\?"[^"]+\\?", not mosquitto/);
	is($hups, 0, 'indeed');
	ok(wait_until(10, sub {
		$brokerd->metrics->{'alarm{alarm="broker"}'} }), 'metrics, too');
	unlink $brokerd->path('mosquitto.pid');
	ok($brokerd->is_soon(0, qr/^fine/), 'a broker that isn\'t there is none');
};

subtest 'a broker that is started since' => sub {
	$brokerd->start_broker;
	sleep 2;
	unlike($brokerd->broker->log, qr/Reloading/, 'has read it all');
	change();
	ok(wait_until(10, sub { $brokerd->broker->log =~ /Reloading/ }),
	    'is told of the next one');
	$brokerd->broker->stop;
};

SKIP: {
	skip 'other users need root', 2 if $> != 0;
	chmod 0711, $brokerd->path('');
	my ($uid, $gid) = (getpwnam 'mosquitto')[2, 3];
	$brokerd->stop;
	# Of mosquitto's: what it reads; of brokerd's: what it writes.
	my @theirs = map { $brokerd->path($_) } qw(mosquitto.crt mosquitto.key
		clients.pem acl log);
	mkdir $brokerd->path($_) for qw(kept run);
	my $pid_file = $env->{PAPPUS_BROKER_PID_FILE} = $brokerd->path('run/pid');
	my $kept = $env->{PAPPUS_CRL_FILE} = $brokerd->path('kept/crls.pem');
	spew($kept, slurp($file));
	chmod 0644, $kept;
	chown $uid, $gid, @theirs, $brokerd->path('run');
	chmod 0755, $brokerd->path('root');
	chmod 0644, $brokerd->path('root/root.crt');

	# As that user, without capabilities.
	my $runs_as = sub {
		my ($id) = @_;
		system('chown', '-R', "$id:$gid", $folder, $brokerd->path('kept'));
		chown $id, $gid, $brokerd->path('metrics');
		return (under => ['setpriv', "--reuid=$id", "--regid=$gid",
			'--clear-groups', '--no-new-privs', '--bounding-set=-all']);
	};
	delete $env->{PAPPUS_METRICS_FILE};
	delete $env->{PAPPUS_DENY_HOOK};
	subtest 'as mosquitto\'s user' => sub {
		$brokerd->start($runs_as->($uid));
		$brokerd->start_broker(user => 'mosquitto', crlfile => $kept,
			pid_file => $pid_file);
		my $told = () = $brokerd->broker->log =~ /Reloading/g;
		ok($brokerd->gets_in($good), 'a good device gets in');
		ok(!$brokerd->gets_in($bad), 'a revoked one doesn\'t');
		change();
		ok(wait_until(20, sub { (() = $brokerd->broker->log =~ /Reloading/g) > $told }),
		    'mosquitto is told') or diag($brokerd->log);
		$brokerd->crl('device', ++$number, serials => [$good->{serial}]);
		$brokerd->publish;
		ok(wait_until(20, sub { !$brokerd->gets_in($good) }), 'and acts on it');
		is($brokerd->stop, 0, 'ends when it is told to');
	};
	subtest 'as another user who may signal' => sub {
		my ($under, $command) = $runs_as->(60905);
		pop @$command; # what bounds the capabilities
		$brokerd->start(under => [@$command, '--bounding-set=-all,+kill',
			'--inh-caps=-all,+kill', '--ambient-caps=-all,+kill']);
		my $told = () = $brokerd->broker->log =~ /Reloading/g;
		change();
		ok(wait_until(20, sub { (() = $brokerd->broker->log =~ /Reloading/g) > $told }),
		    'mosquitto is told') or diag($brokerd->log);
		is($brokerd->stop, 0, 'ends when it is told to');
	};
	subtest 'as a user who may not signal it' => sub {
		$brokerd->start($runs_as->(60905));
		change();
		alarm_about('is an alarm', qr/cannot signal process \d+: Operation not permitted/);
		$brokerd->stop;
	};
}

subtest 'ends soon, whatever hangs' => sub {
	$brokerd->host->fault('.' => 'hang');
	$brokerd->news;
	$env->{PAPPUS_FEED_DIR} = $brokerd->path('another');
	delete @$env{qw(PAPPUS_CRL_FILE PAPPUS_BROKER_PID_FILE)};
	$brokerd->start;
	ok($brokerd->says(qr/event=serving/), 'it serves');
	sleep 0.5;
	is($brokerd->stop, 0, 'and ends well');
	unlike($brokerd->news, qr/event=refused/, 'what it broke off is no news');
};

subtest 'with its parent' => sub {
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		my $child = $brokerd->start;
		spew($brokerd->path('child'), $child);
		sleep 60;
		POSIX::_exit(0);
	}
	ok(wait_until(10, sub { $brokerd->says(qr/event=serving/, 0)
		&& -s $brokerd->path('child') }), 'it serves');
	my $child = slurp($brokerd->path('child'));
	kill 'KILL', $pid;
	waitpid $pid, 0;
	ok(wait_until(20, sub { !-e "/proc/$child/exe"
		|| slurp("/proc/$child/stat") =~ /\) Z/ }), 'ends when it does');
};

done_testing;
