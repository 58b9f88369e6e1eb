# SPDX-License-Identifier: ISC
# Large lists: however often they change, mosquitto is told so rarely that reading
# them takes at most a tenth of its time, and the deny-list never waits for them.
use strict;
use warnings;
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp wait_until);
use Time::HiRes qw(sleep time);
use Time::Local qw(timegm_modern);

my $entries = $ENV{PAPPUS_LONG} ? 1000000 : 100000;
my $rounds = $ENV{PAPPUS_LONG} ? 20 : 40;
my $brokerd = Pappus::Brokerd->new;
my ($good, $bad) = $brokerd->broker->devices(2);
my $file = $brokerd->crl_file;
my $number = 1;

$brokerd->crl($_, 1) for qw(root service);
$brokerd->crl('device', 1,
	file => $brokerd->lists->large('device', 1, $entries, $bad->{serial}));
$brokerd->feed->base(generate => $entries, device => $bad->{id});
my $sequence = $brokerd->publish;
my $start = time;
$brokerd->start;
ok($brokerd->comes_to($sequence, 120), 'a large deny-list is taken');
diag(sprintf '%d entries: deny-list after %.1f s', $entries, time - $start);
ok($brokerd->comes_to_crl('device', 1, 120)
	&& wait_until(120, sub { -s $file }), 'and a large CRL');
diag(sprintf 'CRL and mosquitto\'s file after %.1f s', time - $start);
my ($anonymous) = slurp('/proc/' . $brokerd->pid . '/status') =~ /^RssAnon:\s+(\d+) kB/m;
diag("$anonymous kB of memory beside the mapped files");
$brokerd->start_broker;

# Lines of the log of an event: when, in seconds.
sub moments
{
	my ($event) = @_;
	return map { my @t = /(\d+)/g;
		timegm_modern($t[5], $t[4], $t[3], $t[2], $t[1] - 1, $t[0])
		    + "0.$t[6]" }
	    $brokerd->log =~ /^time=(\S+) .*event=$event /mg;
}

subtest 'a change after the other' => sub {
	my $watch = $brokerd->watch([$good], [$bad]);
	my @files = map { $brokerd->lists->large('device', $_, $entries,
		$bad->{serial}) } 2 .. 4;
	my @lists = map { [$_ + 2, $files[$_]] } 0 .. $#files;
	my $late = 0;
	for my $round (1 .. $rounds) {
		if (@lists && $round % int($rounds / 3) == 1) {
			my ($n, $list) = @{shift @lists};
			$brokerd->crl('device', $number = $n, file => $list);
		}
		$brokerd->crl('service', 1 + $round);
		$brokerd->feed->delta('+serial' => sprintf '%040x', $round);
		$sequence = $brokerd->publish;
		my $from = time;
		ok($brokerd->comes_to($sequence, 120), "sequence $sequence");
		$late = time - $from if time - $from > $late;
	}
	diag(sprintf 'deny-list: %.0f ms at most', $late * 1000);
	ok($brokerd->comes_to_crl('service', 1 + $rounds, 120)
		&& $brokerd->comes_to_crl('device', $number, 120),
	    'all lists come through');
	ok(wait_until(120, sub { $brokerd->log =~ /.*event=(\S+).*\z/s
		&& moments('broker-signalled')
		&& (moments('broker-signalled'))[-1] >= (moments('crl'))[-1] }),
	    'mosquitto is told in the end');
	$brokerd->watched_well($watch, 'none was let in or put out');
	my @told = moments('broker-signalled');
	my $least = $entries * 2e-6 * 10;
	my @early = grep { $told[$_] - $told[$_ - 1] < $least - 0.01 } 1 .. $#told;
	is_deeply(\@early, [], sprintf 'never within %.1f s', $least);
	cmp_ok(@told, '>', 1, 'and more than once');
	cmp_ok(@told, '<', $rounds / 2, 'but not for each list');
	diag(sprintf '%d lists, %d reloads', scalar(my @crls = moments('crl')), scalar @told);
};

is($brokerd->stop, 0, 'ends when it is told to');
done_testing;
