# SPDX-License-Identifier: ISC
# Several hosts of the feed: the newest state wins, hosts that lag are ignored,
# and one that hangs, lies or is gone holds up nothing.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew wait_until);
use Time::HiRes qw(sleep time);

my $brokerd = Pappus::Brokerd->new(hosts => 3);
my $folder = $brokerd->path('feed');
my ($number, $sequence) = (1, 0);

sub publish
{
	my ($host, %option) = @_;
	$sequence++ if !$option{sequence};
	return $brokerd->publish(host => $host, sequence => $sequence, %option);
}

sub url { return $brokerd->host($_[0])->url }

$brokerd->crl($_, 1) for qw(root service device);
publish(0);
$brokerd->start;
ok($brokerd->comes_to(1), 'one of three has a state');
ok($brokerd->says(qr/event=refused from=\Q${\url($_)}\E what=state .*reason=http/),
    "host $_ has none") for 1, 2;
$brokerd->publish(host => $_, sequence => 1) for 1, 2;
ok($brokerd->says(qr/event=accepted from=\Q${\url($_)}\E what=state/),
    "host $_ has one") for 1, 2;

subtest 'the newest wins, wherever it is' => sub {
	$brokerd->news;
	for my $host (1, 2, 0, 2, 1) {
		publish($host);
		ok($brokerd->comes_to($sequence, 5), "sequence $sequence, host $host");
	}
	$brokerd->has_looked;
	is($brokerd->state->{sequence}, $sequence, 'and stays');
	unlike($brokerd->news, qr/event=(?:refused|alarm)/,
	    'hosts that lag are no error');
};

subtest 'the same list in other files' => sub {
	# Each host makes its own bases.
	my $was = $brokerd->state;
	$brokerd->feed(2)->base(device => sprintf 'dev_%026d', 1);
	$brokerd->feed(1)->delta('+device' => sprintf 'dev_%026d', 1);
	publish(1);
	ok($brokerd->comes_to($sequence), 'from one host');
	my $files = $brokerd->state;
	$brokerd->publish(host => 2, sequence => $sequence);
	ok(wait_until(10, sub { $brokerd->state->{time} > $files->{time} }),
	    'the other confirms it');
	is_deeply([@{$brokerd->state}{qw(base delta)}], [@$files{qw(base delta)}],
	    'but is not asked for its files');
};

subtest 'a host that hangs' => sub {
	for my $fault ('hang', 'stall') {
		$brokerd->host(0)->fault('.' => $fault);
		publish(0);
		for (1 .. 5) {
			publish(1);
			ok($brokerd->comes_to($sequence, 4), "$fault: others go on");
		}
	}
	# It has the newest, and nobody gets it.
	$brokerd->host(0)->fault('^/(?!state)' => 'stall');
	publish(0);
	sleep 1;
	publish(1);
	ok($brokerd->comes_to($sequence, 4), 'others go on from there');
	$brokerd->host(0)->fault;
	publish(0);
	ok($brokerd->comes_to($sequence, 30), 'so does it, in the end');
};

subtest 'a host that lies' => sub {
	$brokerd->news;
	$brokerd->host(0)->fault('^/(?!state)' => 'junk');
	publish(0);
	# Before another has it: the second with a list isn't asked for it.
	ok($brokerd->says(qr/event=refused from=\Q${\url(0)}\E .*reason=digest/),
	    'the log names who lies');
	$brokerd->publish(host => 1, sequence => $sequence);
	ok($brokerd->comes_to($sequence, 10), 'another has the same list');
	$brokerd->host(0)->fault;
};

subtest 'CRLs come from whoever has a good one' => sub {
	$brokerd->crl('device', ++$number);
	my $name = sha256_hex(slurp($brokerd->{crls}{device}[1]));
	for my $fault ('junk', 'status 404', 'stall', 'hang') {
		$brokerd->crl('device', ++$number);
		my $name = sha256_hex(slurp($brokerd->{crls}{device}[1]));
		$brokerd->host(0)->fault("^/$name" => $fault);
		$brokerd->host(1)->fault("^/$name" => $fault);
		publish($_, $_ ? (sequence => $sequence) : ()) for 0 .. 2;
		ok($brokerd->comes_to_crl('device', $number, 60), "$fault: the third has it");
	}
	$brokerd->host($_)->fault for 0, 1;
	# A host that lags in the deny-list may be ahead in CRLs.
	my $was = $sequence;
	publish($_, $_ ? (sequence => $sequence) : ()) for 0, 1;
	$brokerd->crl('device', ++$number);
	$brokerd->publish(host => 2, sequence => $was);
	ok($brokerd->comes_to_crl('device', $number, 10), 'its CRL is taken');
	is($brokerd->state->{sequence}, $sequence, 'but not its list');
};

subtest 'one after the other is down' => sub {
	$brokerd->host(0)->down;
	publish(1);
	ok($brokerd->comes_to($sequence, 5), 'two are enough');
	$brokerd->host(1)->down;
	publish(2);
	ok($brokerd->comes_to($sequence, 5), 'so is one');
	$brokerd->host(2)->down;
	publish($_, $_ ? (sequence => $sequence) : ()) for 0 .. 2;
	$brokerd->has_looked;
	is(Pappus::Feed::read($folder)->{sequence}, $sequence - 1,
	    'without any, the last one stays');
	$brokerd->host(0)->up;
	ok($brokerd->comes_to($sequence, 10), 'and goes on with the first');
};

is($brokerd->stop, 0, 'ends when it is told to');
done_testing;
