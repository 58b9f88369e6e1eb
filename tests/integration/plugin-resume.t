# SPDX-License-Identifier: ISC
# The mosquitto plugin and resumed TLS sessions: a resumed handshake shows no
# certificate, checks no chain, no validity and no CRL.  The plugin does.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Broker;

my $broker = Pappus::Broker->new;
$broker->pki->sub_ca('root', 'second', purpose => 'device');
my $feed = $broker->feed;
$feed->issuer('device', '-', $broker->path('second/ca.crt'));
$feed->write;
$broker->start;
my $mqtt = $broker->mqtt;
my $n = 0;

# A new connection that is let in and done with.
sub first
{
	my ($who, %option) = @_;
	my $name = 'c' . ++$n;
	my $answer = $mqtt->connect($name, $broker->as($who, %option));
	is($answer->{code}, 0, "a connection ($answer->{tls})");
	# The tickets of TLS 1.3 have come with what came after them.
	$mqtt->subscribe($name, "devices/$who->{id}/x");
	$mqtt->command("end $name");
	return $name;
}

# Resumes the TLS session of that one; the answer.
sub resume
{
	my ($name, $who, %option) = @_;
	return $mqtt->connect('c' . ++$n, $broker->as($who, resume => $name,
		%option));
}

for my $tls ('1.2', '1.3') {
	my @tls = $tls eq '1.2' ? (tls => '1.2') : ();
	my ($device, $other, $revoked) = $broker->devices(3);
	my ($fallen) = $broker->devices(1, 'second');
	$broker->send_along($fallen, 'second');

	subtest "TLS $tls: a device that comes back" => sub {
		my $answer = resume(first($device, @tls), $device, @tls);
		is($answer->{resumed}, 1, 'resumes its session');
		is($answer->{tls}, "TLSv$tls", '… of that version');
		is($answer->{code}, 0, 'and is in');
		my $thief = resume(first($device, @tls), $device, @tls,
		    id => $other->{id});
		is($thief->{resumed}, 1, 'under another client id');
		is($thief->{code}, 5, 'it is refused');
	};

	subtest "TLS $tls: denied meanwhile" => sub {
		my @names = map { first($device, @tls) } 1 .. 2;
		$feed->delta('+device' => $device->{id});
		$feed->write;
		ok($broker->says(qr/devices 0\+1/), 'denied');
		my $answer = resume($names[0], $device, @tls);
		is($answer->{resumed}, 1, 'its session is resumed');
		is($answer->{code}, 5, 'and it is refused');
		$broker->news;
		$feed->clear_delta;
		$feed->write;
		ok($broker->says(qr/devices 0\+0/), 'allowed');
		$answer = resume($names[1], $device, @tls);
		is("$answer->{resumed} $answer->{code}", '1 0', 'it comes in again');
		$broker->news;
	};

	subtest "TLS $tls: certificate revoked meanwhile" => sub {
		my $name = first($revoked, @tls);
		$feed->delta('+serial' => $revoked->{serial});
		$feed->write;
		ok($broker->says(qr/serials 0\+1/), 'revoked');
		my $answer = resume($name, $revoked, @tls);
		is("$answer->{resumed} $answer->{code}", '1 5', 'refused');
	};

	subtest "TLS $tls: CA off the list meanwhile" => sub {
		my $name = first($fallen, @tls);
		$broker->news;
		$feed->drop_issuer($broker->path('second/ca.crt'));
		$feed->write;
		ok($broker->says(qr/issuers 2/), 'off the list');
		my $answer = resume($name, $fallen, @tls);
		is("$answer->{resumed} $answer->{code}", '1 5', 'refused');
		$feed->issuer('device', '-', $broker->path('second/ca.crt'));
		$feed->write;
		ok($broker->says(qr/issuers 3/), 'and on it again');
	};

	subtest "TLS $tls: certificate expired meanwhile" => sub {
		plan skip_all => 'faketime is missing'
		    if system('faketime --version >/dev/null 2>&1') != 0;
		my $end = time + 5;
		my %short = (id => $other->{id}, %{$broker->odd('device',
		    "/CN=$other->{id}", seconds => 5)});
		my $name = first(\%short, @tls);
		sleep 0.1 while time <= $end + 1;
		my $answer = $mqtt->connect('c' . ++$n, $broker->as(\%short, @tls));
		ok(defined $answer->{failed}, 'no new handshake');
		$answer = resume($name, \%short, @tls);
		is($answer->{resumed}, 1, 'the old session is resumed');
		is($answer->{code}, 5, 'and refused');
		ok($broker->says(qr/refused $other->{id} .*certificate expired/),
		    'since it has expired');
	};
}

done_testing;
