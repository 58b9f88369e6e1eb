# SPDX-License-Identifier: ISC
# The mosquitto plugin: who comes in by which certificate, and what the log says
# of those who don't.
use strict;
use warnings;
use Test::More;
use Pappus::Broker;

my $broker = Pappus::Broker->new;
my ($one, $two, $denied, $revoked) = $broker->devices(4);
my $service = $broker->service;
$broker->pki->sub_ca('root', 'second', purpose => 'device');
my ($stranger) = $broker->devices(1, 'second');
$broker->send_along($stranger, 'second');
$broker->feed->base(device => $denied->{id}, serial => $revoked->{serial});
$broker->feed->write;
$broker->start;
my $mqtt = $broker->mqtt;
my $n = 0;

# Connects; the log says nothing of it.
sub comes_in
{
	my ($name, %as) = @_;
	$broker->news;
	my $answer = $mqtt->connect('c' . ++$n, %as);
	is($answer->{code}, 0, "$name comes in") or diag($broker->news);
	unlike($broker->news, qr/pappus: refused/, '… and nothing is said');
	return "c$n";
}

# Is refused, with one line in the log that fits.
sub refused
{
	my ($name, $why, %as) = @_;
	$broker->news;
	my $answer = $mqtt->connect('c' . ++$n, %as);
	# 5 in MQTT 3.1.1, 135 in 5.0: not authorised
	is($answer->{code}, ($as{version} // 4) == 5 ? 135 : 5, "$name: refused");
	ok($broker->says($why), '… for that reason') or diag($broker->log);
	my @lines = $broker->news =~ /(pappus: .*)/g;
	is(@lines, 1, '… in one line') or diag(join "\n", @lines);
}

comes_in('a device', $broker->as($one));
comes_in('a device, MQTT 5.0', $broker->as($one, version => 5));
comes_in('a device over TLS 1.2', $broker->as($one, tls => '1.2'));
comes_in('a second session of a device',
	$broker->as($one, id => "$one->{id}-2"));
comes_in('a client id with a slash', $broker->as($one, id => "$one->{id}/x"));
comes_in('a service', $broker->as($service));

subtest 'the user name is the certificate\'s' => sub {
	my $mine = comes_in('a device that calls itself another',
	    $broker->as($one, id => "$one->{id}-3", user => $two->{id}));
	my $theirs = comes_in('the other', $broker->as($two));
	$mqtt->subscribe($mine, "devices/$one->{id}/#");
	$mqtt->subscribe($theirs, "devices/$two->{id}/#");
	$mqtt->publish($mine, "devices/$one->{id}/a", 'own');
	$mqtt->publish($mine, "devices/$two->{id}/a", 'foreign');
	$mqtt->publish($theirs, "devices/$two->{id}/b", 'own');
	ok($mqtt->wait($mine, qr/^message \S+ own$/, 5), 'reaches its own topics');
	ok($mqtt->wait($theirs, qr/^message \S+ own$/, 5), 'so does the other');
	is_deeply([$mqtt->told($theirs)], [], 'and nobody another\'s');
};

subtest 'a service reads what devices send' => sub {
	my $reader = comes_in('a service', $broker->as($service,
		id => "$service->{id}.reader"));
	my $device = comes_in('a device', $broker->as($two, id => "$two->{id}.s"));
	$mqtt->subscribe($reader, 'devices/#');
	$mqtt->publish($device, "devices/$two->{id}/state", 'warm');
	ok($mqtt->wait($reader, qr/^message \S+ warm$/, 5), 'it does');
	$mqtt->publish($reader, "devices/$two->{id}/state", 'cold');
	$mqtt->publish($device, "devices/$two->{id}/state", 'last');
	ok($mqtt->wait($reader, qr/^message \S+ last$/, 5), '… and no more');
	is_deeply([$mqtt->told($reader)], [], 'than what its ACL says');
};

refused('a denied device', qr/refused $denied->{id} .*device denied/,
	$broker->as($denied));
refused('a denied device, MQTT 5.0', qr/device denied/,
	$broker->as($denied, version => 5));
refused('a revoked certificate', qr/revoked or on hold/, $broker->as($revoked));
refused('a certificate of a CA below the same root that is not listed, which '
	. 'sends its chain along', qr/of no CA on the/, $broker->as($stranger));
my $forged = $broker->odd('second', "/CN=$one->{id}",
	chain => [$broker->path('second/ca.crt')]);
refused('one that it forged for a device of another', qr/of no CA on the/,
	id => $one->{id}, %$forged);

my %odd = (
	'no CN' => ['/O=Nobody', qr/without CN/],
	'two CNs' => ["/CN=$one->{id}/CN=$two->{id}", qr/two CNs/],
	'two equal CNs' => ["/CN=$one->{id}/CN=$one->{id}", qr/two CNs/],
	'a CN that is no id' => ['/CN=pump', qr/CN is no device id/],
	'a CN in upper case' => ["/CN=\U$one->{id}", qr/CN is no device id/],
	'a CN that goes on' => ["/CN=$one->{id}0", qr/CN is no device id/],
	'a CN that is cut' => ['/CN=' . substr($one->{id}, 0, 29),
		qr/CN is no device id/],
	'a service\'s name by a device CA' => ["/CN=$service->{id}",
		qr/CN is no device id/],
);
for my $what (sort keys %odd) {
	my ($subject, $why) = @{$odd{$what}};
	my $odd = $broker->odd('device', $subject);
	refused($what, $why, id => $one->{id}, %$odd);
}
refused('a device id by a service CA', qr/CN is no service's name/,
	id => $one->{id}, %{$broker->odd('service', "/CN=$one->{id}")});
refused('a serial number of 0', qr/impossible serial/, id => $one->{id},
	%{$broker->odd('device', "/CN=$one->{id}", serial => 0)});
refused('a negative serial number', qr/impossible serial/, id => $one->{id},
	%{$broker->odd('device', "/CN=$one->{id}", serial => -5)});
# Other ones are fine: 20 octets, RFC 5280 4.1.2.2.
comes_in('a serial number of 20 octets', id => $one->{id},
	%{$broker->odd('device', "/CN=$one->{id}", serial => '0x7f' . 'ff' x 19)});
refused('a serial number of 21 octets', qr/impossible serial/,
	id => $one->{id},
	%{$broker->odd('device', "/CN=$one->{id}", serial => '0x7f' . 'ff' x 20)});

# Client ids
for my $id ($two->{id}, 'pump', "$one->{id}0", "$one->{id}x", "$one->{id}_1",
	substr($one->{id}, 0, 29), uc $one->{id}, "x$one->{id}", '#') {
	refused("client id $id", qr/this client id is not $one->{id}'s/,
	    $broker->as($one, id => $id));
}
refused('no client id', qr/this client id is not/, $broker->as($one, id => ''));
refused('a service under a device\'s client id', qr/this client id is not/,
	$broker->as($service, id => $one->{id}));
refused('a client id of many octets', qr/refused x+ from/,
	$broker->as($one, id => 'x' x 5000));
refused('a client id that is not ASCII', qr/refused d\?+v_ from/,
	$broker->as($one, id => "d\xc3\xa4v_"));

subtest 'there is no other way in' => sub {
	my $answer = $mqtt->connect('c' . ++$n, $broker->as($one, version => 5,
		method => 'SCRAM-SHA-1'));
	is($answer->{code}, 140, 'no extended authentication');
	$answer = $mqtt->connect('c' . ++$n, id => $one->{id}, user => $one->{id});
	ok(defined $answer->{failed}, 'no certificate: no handshake');
};

done_testing;
