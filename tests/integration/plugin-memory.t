# SPDX-License-Identifier: ISC
# The mosquitto plugin under valgrind, in a broker's whole life: every way in
# and out, lists that change while clients come and go, SIGHUP, the end.  (When
# built with the sanitizers, all plugin tests run with them instead.)
use strict;
use warnings;
use Test::More;
use Pappus::Broker;

plan skip_all => 'the plugin is built with the sanitizers'
    if Pappus::Broker::sanitizer();
plan skip_all => 'valgrind is missing'
    if system('valgrind --version >/dev/null 2>&1') != 0;

my $broker = Pappus::Broker->new;
my @devices = $broker->devices(6);
my $service = $broker->service;
my $feed = $broker->feed;
my $report = $broker->path('valgrind');
$broker->start(under => ['valgrind', '-q', '--leak-check=full',
	'--keep-debuginfo=yes', '--num-callers=40', "--log-file=$report"],
	persistence => 1);
my $mqtt = $broker->mqtt;
my $n = 0;

sub code { return $mqtt->connect('c' . ++$n, $broker->as(@_))->{code} }

is(code($devices[0]), 5, 'no list');
$feed->write;
ok($broker->says(qr/deny-list 1 of/, 60), 'a list');
for my $device (@devices) {
	is(code($device, clean => 0), 0, 'in');
	is(code($device, id => "$device->{id}-5", version => 5, expiry => 60,
		will => "devices/$device->{id}/will", willdelay => 1), 0, 'twice');
}
is(code($service), 0, 'a service');
is(code($devices[0], id => 'elsewhere'), 5, 'a foreign client id');
is(code($devices[0], id => $broker->odd('device', '/CN=pump')->{cert}), 5,
	'another');
is(code({ id => 'x', %{$broker->odd('device', '/CN=pump')} }), 5, 'no name');
# Taken over, dropped, ended.
is(code($devices[1], clean => 0), 0, 'a take-over');
$mqtt->command('drop c2');
$mqtt->command("end c$n");
for my $i (0 .. $#devices) {
	$feed->delta($i % 2 ? ('+device' => $devices[$i]{id})
	    : ('+serial' => $devices[$i]{serial}));
	$feed->base(generate => 1000) if $i == 3;
	my $sequence = $feed->write;
	ok($broker->says(qr/deny-list $sequence of/, 60), "list $sequence");
	is(code($devices[$i]), 5, 'shuts out');
}
$broker->signal('HUP');
ok($broker->says(qr/Reloading config/, 60), 'SIGHUP');
Pappus::Test::spew($feed->dir . '/state', 'broken');
ok($broker->says(qr/stays in use/, 60), 'a broken state');
$feed->drop_issuer($broker->path('service/ca.crt'));
$feed->clear;
$feed->write;
ok($broker->says(qr/put out $service->{id}/, 60), 'a CA less');
is(code($devices[$_]), 0, 'in again') for 0 .. $#devices;
is($broker->stop, 0, 'mosquitto ends in peace');

# What mosquitto and OpenSSL do by themselves is not at issue here.
my @ours = grep { /plugin|pappus|denylist/ }
    split /^==\d+== \n/m, Pappus::Test::slurp($report);
is(@ours, 0, 'valgrind has nothing to say of the plugin') or diag(@ours);

done_testing;
