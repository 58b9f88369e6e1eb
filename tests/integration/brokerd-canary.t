# SPDX-License-Identifier: ISC
# The canaries: one that must get in and one that must be refused; the moment
# either is wrong, log, metrics and --health say so, and when it is right
# again, that as well.
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew free_port wait_until);

my $brokerd = Pappus::Brokerd->new;
my ($good, $revoked) = $brokerd->broker->devices(2);
my $file = $brokerd->crl_file;
my $port = $brokerd->broker->{port} = free_port();
my $env = $brokerd->env;
@$env{map { "PAPPUS_CANARY_$_" } qw(HOST PORT SECONDS GOOD REVOKED)} =
    ('localhost', $port, 1, map { $_->{cert} =~ s/\.crt\z//r } $good, $revoked);

is_deeply([$brokerd->command('--check')], [0, '', ''], '--check finds no fault');
my ($status, $line) = $brokerd->health;
is($status, 2, '--health knows nothing before the first start');
like($line, qr/^unknown: .*health.*\n\z/, 'and says so in a line');

# On both kinds of mosquitto: refused by the plugin, and in the handshake.
$brokerd->crl($_, 1) for qw(root service);
$brokerd->crl('device', 1, serials => [$revoked->{serial}]);
$brokerd->feed->base(serial => $revoked->{serial});
$brokerd->publish;
$brokerd->start;
ok($brokerd->comes_to_crl('device', 1) && wait_until(10, sub { -s $file }),
    'the lists are there');

# What metrics say: 1 for that result of that canary.
sub metric
{
	my ($canary, $result) = @_;
	my $name = "canary{canary=\"$canary\",result=\"$result\"}";
	return wait_until(20, sub { -e $brokerd->path('metrics')
		&& $brokerd->metrics->{$name} });
}

sub fine
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	subtest $name => sub {
		ok($brokerd->is_soon(0, qr/^fine: sequence \d+, confirmed \d+ seconds ago\n\z/),
		    'fine') or diag($brokerd->health, $brokerd->broker->log =~ s/.*\n(?=(?:.*\n){20}\z)//sr);
		ok(metric('good', 'accepted'), 'the good one gets in');
		ok(metric('revoked', 'refused'), 'the revoked one doesn\'t');
		is($brokerd->metrics->{"alarm{alarm=\"canary-$_\"}"}, 0, "no alarm: $_")
		    for qw(good revoked);
	};
}

sub alarm_of
{
	my ($name, $canary, $result, $says) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	subtest $name => sub {
		ok($brokerd->is_soon(1, qr/^alarm: .*canary-$canary: [^;]*$says/, 30),
		    '--health') or diag($brokerd->health);
		ok($brokerd->says(qr/level=error .*event=alarm alarm=canary-$canary /),
		    'the log');
		ok(metric($canary, $result), 'the metric of its last try');
		ok(wait_until(10, sub {
			$brokerd->metrics->{"alarm{alarm=\"canary-$canary\"}"} }),
		    'the metric of the alarm');
	};
}

sub over
{
	my ($name, @canaries) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fine($name);
	ok($brokerd->says(qr/event=alarm-over alarm=canary-$_/), "in the log: $_")
	    for @canaries;
	$brokerd->news;
}

alarm_of('no broker', $_, 'failed', 'could not be tried: cannot connect')
    for qw(good revoked);
$brokerd->broker->start(config => 'mosquitto-plugin');
over('the broker is there', qw(good revoked));

$brokerd->feed->delta('-serial' => $revoked->{serial});
$brokerd->publish;
alarm_of('the revoked one gets in', 'revoked', 'accepted',
	'the broker let the revoked canary in');
$brokerd->feed->clear_delta;
$brokerd->publish;
over('it is refused again', 'revoked');

$brokerd->feed->delta('+device' => $good->{id});
$brokerd->publish;
alarm_of('the good one is refused', 'good', 'refused',
	'the broker refused the good canary: CONNACK with return code 5');
$brokerd->feed->clear_delta;
$brokerd->publish;
over('it gets in again', 'good');

subtest 'a broker that hangs' => sub {
	$brokerd->broker->stop;
	my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
	    Listen => 10, ReuseAddr => 1) or die "listen: $!";
	ok($brokerd->is_soon(1, qr/canary-good: .*did not answer in time/, 40),
	    'is an alarm') or diag($brokerd->health);
	my $sequence = $brokerd->publish;
	ok($brokerd->comes_to($sequence, 5), 'the feed goes on');
	close $listener;
};

subtest 'a broker that is no broker' => sub {
	my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
	    Listen => 10, ReuseAddr => 1) or die "listen: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		while (my $client = $listener->accept) {
			print $client "220 smtp.example\r\n";
		}
	}
	close $listener;
	ok($brokerd->is_soon(1, qr/canary-revoked: the revoked canary could not be tried: TLS/, 40),
	    'has refused nobody') or diag($brokerd->health);
	kill 'KILL', $pid;
	waitpid $pid, 0;
};

subtest 'a broker from elsewhere' => sub {
	# Its certificate, by itself.
	my %saved = map { $_ => slurp($brokerd->path("mosquitto.$_")) } qw(crt key);
	Pappus::Ceremony->run('', 'openssl', 'req', '-x509', '-newkey', 'ec',
		'-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout',
		$brokerd->path('mosquitto.key'), '-out',
		$brokerd->path('mosquitto.crt'), '-days', 2, '-subj',
		'/CN=localhost', '-addext', 'subjectAltName=DNS:localhost');
	$brokerd->broker->start(config => 'mosquitto-plugin');
	ok($brokerd->is_soon(1, qr/canary-good: .*certificate verify failed/, 40),
	    'is shown nothing');
	ok($brokerd->is_soon(1, qr/canary-revoked: the revoked canary could not be tried/),
	    'and has refused nobody') or diag($brokerd->health);
	$brokerd->broker->stop;
	spew($brokerd->path("mosquitto.$_"), $saved{$_}) for qw(crt key);
};

# Without the plugin it is TLS that refuses: in the handshake or, in 1.3,
# behind it.
for my $version ('tlsv1.2', 'tlsv1.3') {
	$brokerd->news;
	$brokerd->start_broker(more => ["tls_version $version"]);
	fine("by the crlfile, $version");
	$brokerd->broker->stop;
	ok($brokerd->is_soon(1, qr/canary/, 30), 'gone');
}

subtest 'after a reload they try at once' => sub {
	$brokerd->stop;
	$env->{PAPPUS_CANARY_SECONDS} = 3600;
	$brokerd->start_broker;
	$brokerd->start;
	fine('an hour from one try to the next');
	my $times = sub { $brokerd->metrics->{'canary_timestamp_seconds{canary="good"}'} };
	my $before = $times->();
	sleep 2;
	is($times->(), $before, 'no try meanwhile');
	$brokerd->crl('device', 2, serials => [map { $_->{serial} } $good, $revoked]);
	$brokerd->publish;
	alarm_of('a list that revokes the good one', 'good', 'refused', 'refused');
	cmp_ok($brokerd->metrics->{reload_cost_seconds}, '<', 1, 'a short one');
	$brokerd->crl('device', 3, serials => [$revoked->{serial}]);
	$brokerd->publish;
	over('a list that doesn\'t', 'good');
};

{
	local $brokerd->{env} = { PAPPUS_FEED_DIR => $env->{PAPPUS_FEED_DIR} };
	is(($brokerd->health)[0], 0, '--health needs the folder alone');
	local $brokerd->{env} = {};
	my ($status, $line) = $brokerd->health;
	is($status, 2, 'but that it needs');
	like($line, qr/^unknown: PAPPUS_FEED_DIR is not set/, 'and says so');
}
is($brokerd->stop, 0, 'ends when it is told to');
SKIP: {
	skip 'faketime is not there', 2 if system('which faketime >/dev/null') != 0;
	my @later = ('faketime', '+2 minutes', $brokerd->program, '--health');
	local %ENV = (PATH => $ENV{PATH}, %$env);
	my ($status, $line) = Pappus::Test::run_command('', @later);
	is($status >> 8, 2, '--health doesn\'t believe an old report');
	like($line, qr/^unknown: pappus-brokerd last reported 1?\d\d seconds ago\n\z/,
	    'and says how old it is');
}

done_testing;
