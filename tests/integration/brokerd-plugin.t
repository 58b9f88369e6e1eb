# SPDX-License-Identifier: ISC
# pappus-brokerd with the shipped mosquitto, plugin and crlfile: devices that are
# denied or revoked are dropped and refused soon; and while hosts serve whatever
# they like, none that is shut out gets in and none that is good is put out.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew wait_until);
use Time::HiRes qw(sleep time);

my $long = $ENV{PAPPUS_LONG};
my $d = Pappus::Brokerd->new(hosts => 2);
my $file = $d->crl_file;
my ($good, $denied, $revoked, $both, @more) = $d->broker->devices(24);
my @serials = ($both->{serial});
my $number = 1;

# The same on both hosts, at one sequence.
sub publish
{
	my $sequence = $d->publish(host => 0, @_);
	return $d->publish(host => 1, sequence => $sequence, @_);
}

sub shut_out
{
	my (@what) = @_;
	$d->feed($_)->delta(@what) for 0, 1;
}

sub lists { $d->crl('device', ++$number, serials => \@serials) }

$d->crl($_, 1) for qw(root service);
lists();
$d->feed($_)->base(device => $denied->{id}, serial => $revoked->{serial}) for 0, 1;
my $sequence = publish();
$d->start;
ok($d->comes_to($sequence) && $d->comes_to_crl('device', $number)
	&& wait_until(10, sub { -s $file }), 'brokerd has all lists');
$d->broker->start(config => 'mosquitto-crlfile');
ok($d->gets_in($good), 'a good device gets in');
ok(!$d->gets_in($_->[1]), "refused: $_->[0]")
    for ['a denied one', $denied], ['one whose serial is on the deny-list',
	$revoked], ['one whose serial is in the CRL alone', $both];
my $watch = $d->watch([$good], [$denied, $revoked, $both]);

subtest 'from the publication to the dropped session' => sub {
	my $mqtt = $d->broker->mqtt;
	my @times;
	for my $device (@more[0 .. 9]) {
		is($mqtt->connect($device->{id}, $d->broker->as($device))->{code}, 0,
		    'a session');
		shut_out('+device' => $device->{id});
		$sequence = publish();
		my $start = time;
		my $closed = $mqtt->wait($device->{id}, qr/^closed/, 10);
		ok($closed, '… is dropped') or next;
		push @times, $closed->{time} - $start;
		ok(!$d->gets_in($device), '… and refused');
	}
	my ($median, $max) = (sort { $a <=> $b } @times)[@times / 2, -1];
	diag(sprintf 'dropped after %.0f ms (median), %.0f ms (maximum) at a poll'
		. ' each %d ms', $median * 1000, $max * 1000,
		$d->env->{PAPPUS_POLL_MS});
};

# Each kind of fault, on one host or on both, on the state, on deny-lists, on
# CRLs, or on all of it.
subtest 'hosts that serve whatever they like' => sub {
	my @kinds = ('empty', 'junk', 'half', 'append', 'cut', 'status 404',
		'status 500', 'redirect ' . $d->host(1)->url . 'state',
		'large 900000000', 'file /etc/passwd');
	my @bad = ($denied, $revoked, $both);
	for my $round (1 .. ($long ? 200 : 25)) {
		my @faults = map {
			my $device = $d->{crls}{device}[1];
			my $pattern = ('/state$', '^/(?!state)',
				'^/' . sha256_hex(slurp($device)), '.')[rand 4];
			rand() < 0.7 ? [$pattern => $kinds[rand @kinds]] : []
		} 0, 1;
		$d->host($_)->fault(@{$faults[$_]}) for 0, 1;
		push @serials, $more[9 + $round / 10]{serial}
		    if $round % 10 == 0 && $round <= 100;
		lists();
		shut_out('+serial' => sprintf '%032x', 0x0100 + $round);
		$sequence = publish();
		# One of them lags, now and then.
		$d->publish(host => 0, sequence => $sequence - 3)
		    if $round % 7 == 0;
		sleep 0.2;
	}
	$d->host($_)->fault for 0, 1;
	lists();
	$sequence = publish();
	ok($d->comes_to($sequence, 60), 'the last list is taken');
	ok($d->comes_to_crl('device', $number, 60), 'and the last CRL');
	ok($d->is_soon(0, qr/^fine/), 'all is fine') or diag($d->health);
	$d->watched_well($watch, 'none was let in or put out');
};

subtest 'let in again' => sub {
	shut_out('-device' => $denied->{id});
	publish();
	ok(wait_until(10, sub { $d->gets_in($denied) }), 'who was allowed');
};

# All of it as the disk has it, and as strangers read it.
subtest 'the folder' => sub {
	my $kept = Pappus::Feed::read($d->path('feed'));
	my $published = $d->feed->read;
	is_deeply($kept->{devices}, $published->{devices}, 'the devices');
	is_deeply($kept->{serials}, $published->{serials}, 'the serials');
	for my $list (values %{$kept->{crl}}) {
		is(sha256_hex(slurp($d->path('feed') . "/$list->[1]")), $list->[1],
		    'a list is what its name says');
	}
};

is($d->stop, 0, 'ends when it is told to');
done_testing;
