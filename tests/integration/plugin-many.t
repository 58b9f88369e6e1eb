# SPDX-License-Identifier: ISC
# The mosquitto plugin and large numbers: 10,000 devices denied at once, and a
# list of a million devices and a million certificates.  What a client that is
# in conversation with the broker notices of it is printed; that depends on the
# machine, so what is asserted is that nobody falls who is fine, and everybody
# who is not.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Broker;
use Pappus::Test qw(spew wait_until);

# As many live ones; the others of the 10,000 are denied without.
my $LIVE = $ENV{PAPPUS_LONG} ? 10_000 : 1_000;
my ($DENIED, $GOOD) = (10_000, 100);

my $broker = Pappus::Broker->new;
my $feed = $broker->feed;
$feed->write;
$broker->start(under => ['sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh'],
	more => ['connection_messages false'], edit => sub {
	s/^log_type all/log_type notice\nlog_type warning\nlog_type error/m or die });

# Connected, all of them, under a prefix.
sub crowd
{
	my ($mqtt, $prefix, @devices) = @_;
	my $file = $broker->path("$prefix.list");
	spew($file, join '', map { "$_->{id} $_->{cert} $_->{key}\n" } @devices);
	$mqtt->command("many $prefix $file");
	my $done = $mqtt->wait($prefix, qr/^many (?<good>\d+) (?<bad>\d+)/, 600);
	is($done->{good}, @devices, "$prefix: " . @devices . ' connected');
}

# A client in conversation with the broker, in a process of its own.
my ($pinger) = $broker->devices(1);
my $ping = $broker->mqtt;
is($ping->connect('ping', $broker->as($pinger))->{code}, 0, 'the pinger is in');
$ping->command("ping ping devices/$pinger->{id}/ping");

# Does it, and says what the pinger noticed until a second later.
sub gap_while
{
	my ($what, $do) = @_;
	$ping->gap('ping');
	$do->();
	sleep 1;
	my ($ms, $rounds) = $ping->gap('ping');
	note(sprintf '%s: longest gap %.1f ms in %d rounds', $what, $ms, $rounds);
	cmp_ok($rounds, '>', 0, "$what: the conversation goes on");
	return $ms;
}

my $mqtt = $broker->mqtt;
my @live = $broker->devices($LIVE);
crowd($mqtt, 'live', @live);
crowd($mqtt, 'good', $broker->devices($GOOD));
gap_while('nothing happens', sub { sleep 1 });
gap_while('a state a second, of the same list', sub {
	for (1 .. 2) { $feed->write(sequence => 1); sleep 0.5 } });

subtest "$DENIED denied at once" => sub {
	$feed->delta('+device' => $_->{id}) for @live;
	$feed->delta('+generate' => $DENIED - @live) if $DENIED > @live;
	my ($since, @closed);
	gap_while('10,000 denied', sub {
		$feed->write;
		$since = time;
		wait_until(60, sub {
			push @closed, $mqtt->take(qr/^live\./, qr/^closed/);
			@closed == @live });
	});
	is(@closed, @live, 'all of them are out');
	my ($last) = sort { $b <=> $a } map { $_->{time} } @closed;
	note(sprintf 'the last of %d sessions after %.0f ms', scalar @live,
	    ($last - $since) * 1000) if @closed;
	is($mqtt->take(qr/^good\./, qr/./), 0, 'and nobody else');
	my $answer = $mqtt->connect('again', $broker->as($live[-1]));
	is($answer->{code}, 5, 'nor does one come in again');
};

# A list that lies ready elsewhere, taken as brokerd takes it: files first.
sub swap_in
{
	my ($from) = @_;
	my $to = $feed->dir;
	my $state = $from->state;
	for (@$state{qw(base delta)}, 'state') {
		rename $from->dir . "/$_", "$to/$_" or die "$_: $!";
	}
}

subtest 'a million devices and a million certificates' => sub {
	my ($denied, $good) = $broker->devices(2);
	my $large = Pappus::Feed->new($broker->path('large'));
	$large->issuer($_, '-', $broker->path("$_/ca.crt"))
	    for qw(device service);
	$large->base(generate => 1_000_000, device => $denied->{id});
	$large->write(base_sequence => 1000);
	for my $what ('in place of a small list', 'in place of another') {
		$broker->news;
		gap_while("1,000,000 swapped in $what", sub {
			my $since = time;
			swap_in($large);
			ok($broker->says(qr/devices 100000[12]\+0-0/, 60), 'it is taken');
			note(sprintf 'after %.0f ms', (time - $since) * 1000);
		});
		is($mqtt->connect('denied.' . time, $broker->as($denied))->{code},
		    5, 'who is on it is refused');
		is($mqtt->connect('good.' . time, $broker->as($good))->{code}, 0,
		    'who isn\'t comes in');
		is($mqtt->take(qr/^good\.\d+$/, qr/^closed/), 0, 'nobody falls');
		$large->base(generate => 1);
		$large->write(base_sequence => 2000);
	}
	$large->delta('+device' => $good->{id});
	$large->write;
	gap_while('one more on top', sub {
		swap_in($large);
		ok($broker->says(qr/put out $good->{id}/), 'it is put out');
	});
};

is($broker->stop, 0, 'mosquitto ends in peace');
done_testing;
