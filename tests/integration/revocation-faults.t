# SPDX-License-Identifier: ISC
# Revocation under faults: an operator shuts out one device after another while
# all of them reconnect again and again, and each link of the chain is killed
# with -9 in random order: crld, brokerd, the broker, nginx's workers, and
# PostgreSQL is stopped at once.  Whenever one looks, what is published is whole
# and its numbers grow; in the end everyone revoked is refused, and no one else.
use strict;
use warnings;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(serial_of);
use Pappus::Feed;
use Pappus::Load;
use Pappus::Sessions qw(monotonic);
use Pappus::Test qw(slurp spew wait_until);
use Pappus::Workers qw(alive children restart_postgres);

my $long = $ENV{PAPPUS_LONG};
my $seconds = $long ? 300 : 40;
my $seed = $ENV{PAPPUS_SEED} // time % 100000;
diag("seed $seed (PAPPUS_SEED), $seconds seconds");
srand $seed;

my $stack = Pappus::Test->start(workers => 2);
my $public = $stack->run . '/public';
my $token = $stack->enrollment_token($stack->project);

# What becomes of each: two in five revoked, some denied for good, some denied
# and allowed again and again, of some the certificate alone is revoked; the
# others stay as they are.
my @fate = (qw(revoked good revoked good toggled good serial good denied good))
    x ($long ? 15 : 5);
my @devices = map { $stack->device($token) } @fate;
$_->{serial} = serial_of(slurp($_->{certificate})) for @devices;
my @shut_out = grep { $fate[$_] =~ /revoked|denied|serial/ } 0 .. $#fate;
my @stay = grep { $fate[$_] =~ /good|toggled/ } 0 .. $#fate;

my $sessions = Pappus::Sessions->start($stack,
    Pappus::Sessions::identities($stack->tmp . '/identities', @devices));

# ------------------------------------------------------------- the operator

# A call is made until it is answered 200, whatever was lost on the way, and
# then written down.
my $acts = $stack->tmp . '/acts';
spew($acts, '');

sub insist
{
	my ($log, $what, $path, $document) = @_;
	my $end = time + 60;
	while (time < $end) {
		my $answer = eval {
			$stack->admin('POST', $path, document => $document) };
		my $status = $answer ? $answer->{status} : 'lost';
		if ($status eq '200') {
			print $log "$what\n";
			return;
		}
		die "$path: $status $answer->{body}\n"
		    if $status !~ /^(?:lost|50[234])$/;
		sleep 0.2;
	}
	die "$path: no answer for a minute\n";
}

sub act
{
	my ($log, $act, $device) = @_;
	insist($log, "$act $device", $act eq 'serial'
	    ? "/certificates/$devices[$device]{serial}/revoke"
	    : "/devices/$devices[$device]{id}/$act", { reason => 'test' });
}

# All that is to be shut out, spread over the time; between, serials that are
# nobody's, so that the lists change all the time.
sub operator
{
	open my $log, '>', $acts or die "$acts: $!";
	$log->autoflush(1);
	my ($begin, $strangers) = (time, 0);
	my @todo = shuffle(@shut_out);
	my @toggled = grep { $fate[$_] eq 'toggled' } 0 .. $#fate;
	for my $n (0 .. $#todo) {
		my $act = { revoked => 'revoke', denied => 'deny',
			serial => 'serial' }->{$fate[$todo[$n]]};
		act($log, $act, $todo[$n]);
		my $toggled = $toggled[rand @toggled];
		act($log, 'deny', $toggled);
		do {
			my $serial = sprintf '01%08x%022x', $seed, ++$strangers;
			insist($log, "stranger $serial",
			    "/certificates/$serial/revoke", { reason => 'test' });
			sleep 0.05;
		} while (time < $begin + $seconds * ($n + 1) / @todo);
		act($log, 'allow', $toggled);
	}
	print $log "done\n";
}

# --------------------------------------------------------------- the faults

my (%faults, @broker_kills);

sub kill_component
{
	my ($name) = @_;
	my ($pid) = grep { (eval { slurp("/proc/$_/comm") } // '') =~ /^$name$/ }
	    children($stack->pid($name));
	# keep starts it again, after a second.
	return $pid ? kill('KILL', $pid) : 0;
}

my %fault = (
	crld => sub { kill_component('crld') },
	brokerd => sub { kill_component('brokerd') },
	nginx => sub {
		my @workers = children($stack->pid('nginx'));
		return kill 'KILL', $workers[rand @workers];
	},
	mosquitto => sub {
		my $began = monotonic();
		kill 'KILL', $stack->pid('mosquitto');
		sleep rand 1;
		$stack->stack('start', 'mosquitto');
		push @broker_kills, [$began, monotonic()];
		return 1;
	},
	postgres => sub { restart_postgres($stack, rand 1.5); return 1 },
);

# Each of them in turn, in an order of its own each time.
my @next;

sub one_fault
{
	@next = shuffle(sort keys %fault) if !@next;
	my $what = shift @next;
	$faults{$what} += $fault{$what}->();
}

# ------------------------------------------------------- what one sees meanwhile

my (@wrong, %highest, $looks);

sub grows
{
	my ($what, $number) = @_;
	push @wrong, "$what went from $highest{$what} to $number"
	    if defined $highest{$what} && $number < $highest{$what};
	$highest{$what} = $number;
}

# The CRL in a file verifies with its CA's certificate; its number.
sub crl_number
{
	my ($file, $ca) = @_;
	my ($status, $out, $err) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', $file =~ /\.pem$/ ? 'PEM' : 'DER', '-in', $file, '-CAfile',
	    $ca, '-noout', '-crlnumber');
	push @wrong, "$file: $err" if "$out$err" !~ /verify OK/;
	no warnings 'portable';    # 64 bits are enough
	return $out =~ /crlNumber=0x(\w+)/ ? hex $1 : 0;
}

# Not once is a file half there, or a number smaller than before.
sub look
{
	$looks++;
	for (['published', "$public/feed"],
		['of the broker', $stack->run . '/brokerd/feed']) {
		my ($whose, $dir) = @$_;
		my $list = eval { Pappus::Feed::read($dir) };
		push @wrong, "$whose: $@" if !$list;
		next if !$list;
		grows("the sequence $whose", $list->{sequence});
		for my $ski (sort keys %{$list->{crl}}) {
			my ($number, $name) = @{$list->{crl}{$ski}};
			grows("the number of $ski $whose", $number);
			push @wrong, "$whose: $name is missing" if !-s "$dir/$name";
		}
	}
	grows("the number of $_", crl_number("$public/crl/$_",
		$stack->dir . '/ca/device/ca.crt')) for qw(device.crl device.pem);
}

# Who was dropped or refused comes again, as devices do; but not all the time.
my (%refused, %again);

sub reconnect
{
	$sessions->hear(0.05);
	for my $device (grep { !$sessions->is_up($_) } 0 .. $#fate) {
		my $why = $sessions->failed($device);
		next if !$sessions->dropped->{$device} && !defined $why
		    || ($again{$device} // 0) > monotonic();
		$refused{$device}++ if ($why // '') eq '5';
		$again{$device} = monotonic() + 0.3 + rand 0.5;
		$sessions->begin($device);
	}
}

# ------------------------------------------------------------------- the run

is_deeply($sessions->connect(0, $#fate), {}, 'all are connected');
my $operator = Pappus::Load::child(\&operator);
my ($end, $fault, $look) = (time + $seconds, time + 1, 0);
while (time < $end || (slurp($acts) !~ /^done$/m && alive($operator))) {
	reconnect();
	if (time > $fault && time < $end) {
		one_fault();
		$fault = time + 0.3 + rand 1.2;
	}
	if (time > $look) {
		look();
		$look = time + 0.5;
	}
}
Pappus::Load::reap($operator);
my @told = split /\n/, slurp($acts);
is($told[-1], 'done', 'all that the operator did was answered');
my @strangers = map { /^stranger (\w+)/ ? $1 : () } @told;
note(join ', ', map({ "$faults{$_} × $_" } sort keys %faults),
	scalar(@told) . ' acts', "$looks looks",
	scalar(keys %refused) . ' devices were refused');
ok($faults{$_}, "$_ was killed") for sort keys %fault;
cmp_ok(scalar @strangers, '>', $seconds / 4, 'there was a stream of them');

# ---------------------------------------------------------------- afterwards

# All of it runs, and what was recorded has come to the broker.
ok(wait_until(30, sub {
	my %child = map { $_ => [children($stack->pid($_))] } qw(crld brokerd);
	return @{$child{crld}} && @{$child{brokerd}}
	    && $stack->enroll($token)->{status} == 200; }), 'all of it runs');

sub all_listed
{
	my ($list, $serials) = @_;
	return !grep { !$list->{serials}{substr '0' x 40 . $_, -40} } @$serials;
}

my @revoked = split /\n/, $stack->psql('postgres',
    "SELECT encode(serial, 'hex') FROM pappus.revocations ORDER BY serial");
my @denied = split /\n/, $stack->psql('postgres', 'SELECT device_id FROM'
    . " pappus.devices WHERE state <> 'active' ORDER BY device_id");
my %in_database = map { $_ => 1 } @revoked;
is_deeply([grep { !$in_database{$_} } @strangers,
	map { $devices[$_]{serial} } @shut_out], [],
    'the database has all that was answered');

for (['published', "$public/feed"],
	['the broker\'s', $stack->run . '/brokerd/feed']) {
	my ($whose, $dir) = @$_;
	my $list;
	wait_until(30, sub {
		$list = Pappus::Feed::read($dir);
		return keys %{$list->{serials}} == @revoked
		    && keys %{$list->{devices}} == @denied;
	});
	is_deeply([map { s/^0+//r } sort keys %{$list->{serials}}],
	    [map { s/^0+//r } @revoked], "$whose deny-list has all serials");
	is_deeply([sort keys %{$list->{devices}}], \@denied, 'and devices');
}

# As verifiers get it.
sub served_crl
{
	my $file = $stack->tmp . '/served.crl';
	spew($file, $stack->http('GET', '/crl/device.crl', to => 'public')->{body});
	my (undef, $text) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', 'DER', '-in', $file, '-noout', '-text');
	return [sort map { lc } $text =~ /Serial Number: (\w+)/g];
}

my $crl;
wait_until(30, sub { $crl = served_crl(); @$crl == @revoked });
is_deeply($crl, \@revoked, 'the CRL has each revoked serial, once');

subtest 'who comes in' => sub {
	my %answer;
	my $as_wanted = sub {
		my ($code, @who) = @_;
		wait_until(30, sub {
			return !grep {
				$answer{$_} = $sessions->try($_)->{what};
				$answer{$_} ne $code } @who;
		});
		return [grep { $answer{$_} ne $code } @who];
	};
	is_deeply($as_wanted->('5', @shut_out), [], 'no one who was shut out')
	    or diag(join ' ', map { "$fate[$_]=$answer{$_}" } @shut_out);
	is_deeply($as_wanted->('0', @stay), [], 'everyone else')
	    or diag(join ' ', map { "$fate[$_]=$answer{$_}" } @stay);
	reconnect() for 1 .. 100;
	is_deeply([grep { $sessions->is_up($_) } @shut_out], [],
	    'no session of theirs lives');
	is_deeply([grep { !$sessions->is_up($_) } @stay], [],
	    'all sessions of the others do');
};

# A session of a good device ends with the broker and never else.
my @put_out;
for my $drop ($sessions->drops) {
	next if $fate[$drop->{device}] ne 'good';
	push @put_out, $drop if !grep {
		$drop->{at} >= $$_[0] && $drop->{at} <= $$_[1] } @broker_kills;
}
is_deeply(\@put_out, [], 'no good device was ever put out');

look();
is_deeply(\@wrong, [], 'at no time was anything published half or with a'
    . ' smaller number');
my $recorded = $stack->psql('postgres', 'SELECT max(number) FROM pappus.crls c'
    . ' JOIN pappus.issuers i USING (issuer_id) WHERE'
    . " i.purpose = 'device'");
is($highest{'the number of device.crl'}, $recorded,
    'the last CRL is the recorded one');

done_testing;
