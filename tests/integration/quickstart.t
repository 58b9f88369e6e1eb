# SPDX-License-Identifier: ISC
# What a stranger does: clone, ./quickstart, paste the lines that it prints;
# then again, --stop and --clean.  The clone holds what is committed.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Time::HiRes qw(time);
use Pappus::Test qw(secret secrets_in slurp spew free_port);

plan skip_all => 'not a git checkout, so there is nothing to clone'
    if !-e '.git';

# A name with a space, since people have such folders.
my $tmp = tempdir('/tmp/pappus-test.XXXXXX', CLEANUP => 1);
my $clone = "$tmp/a clone";
my $source = getcwd();

# run COMMAND in the clone: (exit status, output)
sub run
{
	my ($command) = @_;
	spew("$tmp/command", $command);
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		chdir $clone or die "$clone: $!";
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$tmp/out";
		open STDERR, '>&', \*STDOUT;
		exec 'bash', "$tmp/command";
	}
	waitpid $pid, 0;
	return ($? >> 8, slurp("$tmp/out"));
}

# git refuses another user's checkout unless told.
spew("$tmp/gitconfig", "[safe]\n\tdirectory = *\n");
$ENV{GIT_CONFIG_GLOBAL} = "$tmp/gitconfig";
system('git', 'clone', '--quiet', $source, $clone) == 0 or BAIL_OUT('git clone');
END {
	if ($clone && -d "$clone/var") {
		local $?;
		run('./quickstart --clean');
	}
}

my $port = free_port();
my ($status, $out) = run("./quickstart --port $port");
is($status, 0, 'quickstart') or do {
	diag($out);
	done_testing;
	exit;
};
my @steps = $out =~ /^  \[ok\] +\d+\.\d\d s  (.+)$/mg;
cmp_ok(scalar @steps, '>=', 10, 'a line for each step') or diag($out);
unlike($out, qr/[ade]t_[0-9a-z]{27}/, 'no token is printed');

subtest 'the last act' => sub {
	is_deeply([@steps[-3 .. -1]], ['operator: revoke the device',
		'broker: the session drops, so long after the answer',
		'broker: the device comes again and is refused'], 'is played');
	my ($id) = slurp("$clone/var/log/mosquitto.log")
	    =~ /pappus: put out (dev_\w+)-live: /;
	ok($id, 'the broker has put a live session out') or return;
	my ($rc, $said) = run('. var/demo.env; sed "s/^/Authorization: Bearer /"'
	    . ' "$PAPPUS_ADMIN_TOKEN_FILE" | curl -sS --cacert "$PAPPUS_CA_FILE"'
	    . ' -H @- "$PAPPUS_ADMIN_URL/admin/v1/devices?state=revoked"'
	    . " | jq -r '.items[].device_id'");
	is($said, "$id\n", 'of the device that was revoked');
};

subtest 'var/demo.env' => sub {
	my $file = "$clone/var/demo.env";
	is((stat $file)[2] & 0777, 0600, 'mode');
	is_deeply([slurp($file) =~ /^export (\w+)=/mg],
	    [qw(PAPPUS_URL PAPPUS_CA_FILE PAPPUS_ENROLLMENT_TOKEN
		PAPPUS_PROJECT_ID PAPPUS_ADMIN_URL PAPPUS_ADMIN_TOKEN_FILE
		PAPPUS_MQTT_HOST PAPPUS_MQTT_PORT PAPPUS_MQTT_CA_FILE no_proxy)],
	    'names');
	my ($rc, $env) = run('. var/demo.env; env; test -r "$PAPPUS_CA_FILE" &&'
	    . ' test -r "$PAPPUS_ADMIN_TOKEN_FILE" &&'
	    . ' test -r "$PAPPUS_MQTT_CA_FILE"');
	is($rc, 0, 'its files are there');
	like($env, qr{^PAPPUS_URL=https://localhost:$port$}m, 'the port told');
	like($env, qr/^PAPPUS_PROJECT_ID=proj_[0-9a-z]{26}$/m, 'project');
	like($env, qr/^PAPPUS_ENROLLMENT_TOKEN=et_[0-9a-z]{64}$/m, 'token');
};

# As for somebody behind a proxy; this one is not there.
my $PROXY = 'export https_proxy=http://127.0.0.1:1; unset no_proxy NO_PROXY';
my ($lines) = $out =~ /^(\. var\/demo\.env\n.*?)\n\n/ms;
subtest 'the lines it prints work as pasted' => sub {
	ok($lines, 'are there') or return;
	my ($rc, $said) = run("set -e\n$PROXY\n$lines");
	is($rc, 0, 'run') or diag($said);
	like($said, qr/^hello$/m, 'the device received');
};

subtest 'those of the README do, too' => sub {
	my ($text) = slurp("$clone/README.md") =~ /^### By hand\n(.*?)^## /ms;
	my @blocks = $text =~ /^```sh\n(.*?)^```$/msg;
	is(scalar @blocks, 2, 'a device\'s and an operator\'s') or return;
	my ($rc, $said) = run(join "\n", 'set -e -o pipefail', $PROXY, @blocks);
	is($rc, 0, 'run') or diag($said);
	like($said, qr/^hello$/m, 'the device received');
	my @states = $said =~ /^  "state": "(\w+)",$/mg;
	is_deeply(\@states, ['denied', 'active'], 'the operator denied and allowed');
	like($said, qr/"full_length_days_left": \d+/, 'and saw the CAs');
	is(join('', sort grep { /\S/ } split /[\s\\]+/, $blocks[0]),
	    join('', sort grep { /\S/ } split /[\s\\]+/, $lines),
	    'and the device\'s lines are those that are printed');
};

subtest 'no secret is left about' => sub {
	my $var = "$clone/var";
	secret($_) for map { slurp($_) =~ /\b([ade]t_[0-9a-z]{64})\b/g }
	    "$var/demo.env", "$var/admin-token", "$var/device/enrolled.json";
	secret(slurp("$var/device/device.key"));
	my ($data) = slurp("$var/settings") =~ /^PGDATA=(.*)$/m;
	my ($run) = split /\n/, slurp("$var/run-dir");
	is_deeply([secrets_in("$var/log", "$var/build.log", $data, $run)], [],
	    'in logs, the database and the run folder');
};

subtest 'once more' => sub {
	my $before = slurp("$clone/var/demo.env");
	my $begin = time;
	my ($rc, $said) = run('./quickstart');
	is($rc, 0, 'runs') or diag($said);
	cmp_ok(time - $begin, '<', 30, 'quickly');
	is(slurp("$clone/var/demo.env"), $before, 'with the same demo.env');
};

subtest 'after every process was killed' => sub {
	my (undef, $status) = run('stack/stack status var');
	my @pids = $status =~ /^\w+ (\d+)$/mg;
	cmp_ok(scalar @pids, '>=', 6, 'the components');
	unlike($status, qr/down$/m, 'all run');
	kill 'KILL', @pids;
	my ($rc, $said) = run('./quickstart');
	is($rc, 0, 'it comes back') or diag($said);
};

subtest '--stop' => sub {
	my (undef, $status) = run('stack/stack status var');
	my @pids = $status =~ /^\w+ (\d+)$/mg;
	is((run('./quickstart --stop'))[0], 0, 'runs');
	# A zombie has ended, whether or not its parent has noticed.
	is(scalar(grep { -d "/proc/$_" && slurp("/proc/$_/stat") !~ /\) Z / }
		@pids), 0, 'nothing is left running');
	ok(-f "$clone/var/demo.env", 'var is kept');
	is((run('./quickstart --stop'))[0], 0, 'twice is no error');
	my ($rc, $said) = run('./quickstart');
	is($rc, 0, 'starts again') or diag($said);
};

subtest '--clean' => sub {
	my $run = slurp("$clone/var/run-dir") =~ s/\n//r;
	is((run('./quickstart --clean'))[0], 0, 'runs');
	ok(!-e "$clone/var", 'var is gone');
	ok(!-e $run, 'and the run folder');
};

subtest 'words it does not know' => sub {
	is((run('./quickstart --nix'))[0], 2, 'an option');
	is((run('./quickstart --port x'))[0], 2, 'a port');
	my ($rc, $said) = run('./quickstart --help');
	is($rc, 0, '--help');
	like($said, qr/--port N/, 'tells');
};

done_testing;
