# SPDX-License-Identifier: ISC
# The mosquitto plugin and live sessions: who is shut out is put out within a
# second, without its will, and stays out; nobody else notices.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Pappus::Broker;

my $broker = Pappus::Broker->new;
$broker->pki->sub_ca('root', 'second', purpose => 'device');
my ($one, $two, $three) = $broker->devices(3);
my @of_second = $broker->devices(2, 'second');
$broker->send_along($_, 'second') for @of_second;
my $service = $broker->service;
my $reader = $broker->service;
my $feed = $broker->feed;
$feed->issuer('device', '-', $broker->path('second/ca.crt'));
$feed->write;
$broker->start;
my $mqtt = $broker->mqtt;

# Sees all that devices send.
$mqtt->listen('reader', 'devices/#', $broker->as($reader));

# Writes the list; every one of the names is closed within a second of that.
sub put_out
{
	my ($what, @names) = @_;
	$feed->write;
	my $since = time;
	for my $name (@names) {
		my $closed = $mqtt->wait($name, qr/^closed/, 20);
		my $took = $closed ? $closed->{time} - $since : 99;
		cmp_ok($took, '<=', 1, sprintf '%s: %s is out after %.0f ms', $what,
		    $name, $took * 1000);
	}
}

# Still there: what it sends comes back.
sub stays
{
	my ($name, $who) = @_;
	$mqtt->publish($name, "devices/$who->{id}/echo", 'still');
	ok($mqtt->wait('reader', qr{^message devices/$who->{id}/echo still$}, 5),
	    "$name stays");
}

sub is_refused
{
	my ($who, %option) = @_;
	my $answer = $mqtt->connect("x$who->{id}", $broker->as($who, %option));
	is($answer->{code}, ($option{version} // 4) == 5 ? 135 : 5,
	    'and does not come in again');
}

sub connect_as
{
	my ($name, $who, %option) = @_;
	is($mqtt->connect($name, $broker->as($who, %option))->{code}, 0,
	    "$name is in");
}

subtest 'a device that is denied' => sub {
	my @will = (will => "devices/$one->{id}/will", willtext => 'gone');
	connect_as('one', $one, @will);
	connect_as('one.5', $one, id => "$one->{id}-5", version => 5, @will);
	connect_as('one.later', $one, id => "$one->{id}-l", version => 5,
	    expiry => 600, willdelay => 1, @will);
	connect_as('two', $two);
	$broker->news;
	$feed->delta('+device' => $one->{id});
	put_out('denied', 'one', 'one.5', 'one.later');
	my $log = $broker->news;
	is(() = $log =~ /pappus: put out $one->{id}\S*: device denied/g, 3,
	    'the log says so, a line each') or diag($log);
	is(() = $log =~ /pappus: deny-list \d+ of \S+: devices 0\+1-0, serials 0\+0-0, issuers 3/g,
	    1, '… and what the list is');
	is_refused($one);
	is_refused($one, version => 5);
	stays('two', $two);
	ok($mqtt->wait('one.5', qr/^disconnect 152/, 0),
	    'MQTT 5.0: told why, administrative action');
	# Longer than the delay and the second that mosquitto counts in.
	sleep 3;
	is_deeply([grep { /will/ } $mqtt->told('reader')], [],
	    'no will was published');
};

subtest '… and allowed again' => sub {
	$feed->clear_delta;
	$feed->write;
	ok($broker->says(qr/devices 0\+0-0/), 'the list is there');
	connect_as('one.again', $one);
	stays('one.again', $one);
	$mqtt->command('end one.again');
};

subtest 'denied in the base' => sub {
	connect_as('one.base', $one);
	$feed->base(device => $one->{id});
	put_out('denied', 'one.base');
	is_refused($one);
	# What the delta takes back.
	$feed->delta('-device' => $one->{id});
	$feed->write;
	ok($broker->says(qr/devices 1\+0-1/), 'and released by the delta');
	connect_as('one.released', $one);
};

subtest 'a revoked serial takes the sessions that used it' => sub {
	my $old = { id => $three->{id}, %{$broker->odd('device',
	    "/CN=$three->{id}", serial => '0x0a0b0c0d0e0f101112131415161718')} };
	connect_as('three.old', $old, id => "$three->{id}-old",
	    will => "devices/$three->{id}/will", willtext => 'stolen');
	connect_as('three.new', $three);
	$feed->delta('+serial' => '0a0b0c0d0e0f101112131415161718');
	put_out('revoked', 'three.old');
	stays('three.new', $three);
	is_refused($old);
	connect_as('three.more', $three, id => "$three->{id}-more");
	is_deeply([grep { /stolen/ } $mqtt->told('reader')], [], 'no will');
};

subtest 'a service' => sub {
	connect_as('service', $service);
	$feed->delta('+serial' => $service->{serial});
	put_out('revoked', 'service');
	is_refused($service);
	stays('two', $two);
};

subtest 'a CA that is no longer listed' => sub {
	connect_as('second.0', $of_second[0]);
	connect_as('second.1', $of_second[1]);
	my $forged = { id => $two->{id}, %{$broker->odd('second',
	    "/CN=$two->{id}", chain => [$broker->path('second/ca.crt')])} };
	connect_as('forged', $forged, id => "$two->{id}-forged");
	$feed->drop_issuer($broker->path('second/ca.crt'));
	put_out('CA revoked', qw(second.0 second.1 forged));
	is_refused($of_second[0]);
	is_refused($forged);
	stays('two', $two);
};

subtest 'all of them, and nobody is left' => sub {
	$feed->delta('+serial' => $_->{serial}) for $one, $three, $reader;
	put_out('revoked', qw(one.released three.new three.more reader));
};

is($broker->stop, 0, 'mosquitto ends in peace');

done_testing;
