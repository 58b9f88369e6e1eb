# SPDX-License-Identifier: ISC
# The mosquitto plugin and what outlives a connection: queues of offline
# sessions, retained messages, delayed wills; session takeover; and SIGHUP, at
# which mosquitto asks the plugin for every session that it knows.
use strict;
use warnings;
use Test::More;
use Pappus::Broker;

my $broker = Pappus::Broker->new;
my ($one, $two, $three) = $broker->devices(3);
my $sender = $broker->service;
# It may write to devices.
Pappus::Test::spew($broker->path('acl'), Pappus::Test::slurp(
	$broker->path('acl')) =~ s/^topic read /topic readwrite /mr);
my $feed = $broker->feed;
$feed->write;
$broker->start(persistence => 1);
my $mqtt = $broker->mqtt;

sub connect_as
{
	my ($name, $who, %option) = @_;
	my $answer = $mqtt->connect($name, $broker->as($who, %option));
	is($answer->{code}, 0, "$name is in");
	return $answer;
}

# The list takes hold: the log names it.
sub write_list
{
	$broker->news;
	my $sequence = $feed->write;
	$broker->says(qr/deny-list $sequence of/)
	    or die "the list was not taken\n", $broker->log;
}

my $messages = 0;
# To the topics of a device, as it is queued for offline sessions.
sub send_to
{
	my ($who, $text, %option) = @_;
	$mqtt->publish('sender', "devices/$who->{id}/to", $text, %option);
}

# Everything that was told until now, as text.
sub messages
{
	my ($name) = @_;
	return map { /^message \S+ (.*)/ ? $1 : () } $mqtt->told($name);
}

connect_as('sender', $sender);

# Two offline sessions of each: for ever (3.1.1), and with an end (5.0).
for my $who ($one, $two) {
	my $name = $who == $one ? 'one' : 'two';
	connect_as("$name.4", $who, clean => 0);
	connect_as("$name.5", $who, id => "$who->{id}-5", version => 5,
	    clean => 0, expiry => 600);
	for my $session ("$name.4", "$name.5") {
		$mqtt->subscribe($session, "devices/$who->{id}/to");
		$mqtt->command("end $session");
	}
}

sub back
{
	my ($name, $who, $text) = @_;
	my $four = connect_as("$name.4", $who, clean => 0);
	my $five = connect_as("$name.5", $who, id => "$who->{id}-5", version => 5,
	    clean => 0, expiry => 600);
	is($_->{present}, 1, 'its session is there') for $four, $five;
	for my $session ("$name.4", "$name.5") {
		ok($mqtt->wait($session, qr/^message \S+ $text$/, 5),
		    "$session: what was queued arrives");
	}
	return;
}

sub go
{
	my ($name) = @_;
	$mqtt->command("end $name.$_") for 4, 5;
}

subtest 'the queue of a denied device' => sub {
	send_to($one, 'before');
	send_to($two, 'before');
	$feed->delta('+device' => $one->{id});
	write_list();
	send_to($_, 'while') for $one, $two;
	is($mqtt->connect('one.refused', $broker->as($one, clean => 0))->{code}, 5,
	    'it does not come in');
	is($mqtt->connect('one.refused5', $broker->as($one, version => 5,
		id => "$one->{id}-5", clean => 0, expiry => 600))->{code}, 135,
	    'nor by MQTT 5.0');
	is_deeply([map { messages($_) } 'one.refused', 'one.refused5'], [],
	    'and nothing is delivered');
	back('two', $two, 'before');
	ok($mqtt->wait($_, qr/^message \S+ while$/, 5), "$_ gets all")
	    for qw(two.4 two.5);
	go('two');

	$feed->clear_delta;
	write_list();
	back('one', $one, 'before');
	send_to($one, 'after');
	for my $session (qw(one.4 one.5)) {
		ok($mqtt->wait($session, qr/^message \S+ after$/, 5),
		    "allowed again, $session gets what comes");
		is_deeply([messages($session)], [],
		    'and nothing of what came while it was denied');
	}
	go('one');
};

subtest 'SIGHUP' => sub {
	connect_as('live', $two, id => "$two->{id}-live");
	$feed->delta('+device' => $one->{id});
	write_list();
	send_to($two, 'hup1');
	for my $round (1 .. 3) {
		$broker->news;
		$broker->signal('HUP');
		ok($broker->says(qr/Reloading config/), 'reload');
		# Another turn of its loop, so that it has come through.
		$mqtt->publish('live', "devices/$two->{id}/x", 'x');
		unlike($broker->news, qr/refused|put out|not authorised/,
		    'puts nobody out');
	}
	send_to($two, 'hup2');
	back('two', $two, 'hup1');
	ok($mqtt->wait($_, qr/^message \S+ hup2$/, 5), "$_: all of it")
	    for qw(two.4 two.5);
	go('two');
	is($mqtt->connect('one.refused', $broker->as($one, clean => 0))->{code}, 5,
	    'the denied device does not come in');
	is_deeply([$mqtt->told('live')], [], 'the live session lives');
	$feed->delta('+device' => $two->{id});
	$feed->write;
	ok($mqtt->wait('live', qr/^closed/, 10), '… until it is denied');
	$feed->clear_delta;
	write_list();
};

subtest 'the broker starts again' => sub {
	send_to($one, 'stored');
	send_to($two, 'stored');
	is($broker->stop, 0, 'mosquitto ends in peace');
	$feed->delta('+device' => $one->{id});
	$feed->write;
	$broker->start;
	$mqtt = $broker->mqtt;
	connect_as('sender', $sender);
	send_to($_, 'restarted') for $one, $two;
	$broker->news;
	$broker->signal('HUP');
	ok($broker->says(qr/Reloading config/), 'and loads again');
	send_to($_, 'reloaded') for $one, $two;
	unlike($broker->news, qr/refused|put out|not authorised/,
	    'puts nobody out');
	is($mqtt->connect('one.refused', $broker->as($one, clean => 0))->{code}, 5,
	    'the denied device does not come in');
	back('two', $two, 'stored');
	for my $text (qw(restarted reloaded)) {
		ok($mqtt->wait($_, qr/^message \S+ $text$/, 5), "$_: $text")
		    for qw(two.4 two.5);
	}
	go('two');
	$feed->clear_delta;
	write_list();
	back('one', $one, 'stored');
	is_deeply([map { messages($_) } qw(one.4 one.5)], [],
	    'what came for the denied device meanwhile is not queued');
	go('one');
};

subtest 'retained messages' => sub {
	connect_as('one', $one, id => "$one->{id}-r");
	$mqtt->publish('one', "devices/$one->{id}/kept", 'mine', retain => 1);
	send_to($one, 'kept', retain => 1);
	$mqtt->listen('before', "devices/$one->{id}/kept",
	    $broker->as($sender, id => "$sender->{id}.1"));
	ok($mqtt->wait('before', qr/^message \S+ mine$/, 5), 'delivered at first');
	$feed->delta('+device' => $one->{id});
	write_list();
	ok($mqtt->wait('one', qr/^closed/, 10), 'its device is denied');
	$mqtt->listen('while', "devices/$one->{id}/#",
	    $broker->as($sender, id => "$sender->{id}.2"));
	ok($mqtt->wait('while', qr/^message \S+ kept$/, 5),
	    'others\' are delivered');
	$mqtt->publish('while', "devices/$one->{id}/end", 'end');
	ok($mqtt->wait('while', qr/^message \S+ end$/, 5), '…');
	is_deeply([messages('while')], [], 'but what it had retained is not');
	$feed->clear_delta;
	write_list();
	$mqtt->listen('after', "devices/$one->{id}/kept",
	    $broker->as($sender, id => "$sender->{id}.3"));
	ok($mqtt->wait('after', qr/^message \S+ mine$/, 5), 'allowed again, it is');
	$mqtt->command("end $_") for qw(before while after);
};

subtest 'the same device takes its session over' => sub {
	my $second = { id => $three->{id}, %{$broker->odd('device',
	    "/CN=$three->{id}", serial => '0x0a0b0c0d0e0f101112131415161718')} };
	for my $clean (0, 1) {
		my ($old, $new) = ("old$clean", "new$clean");
		connect_as($old, $three, clean => $clean,
		    will => "devices/$three->{id}/will", willtext => $old);
		connect_as($new, $second, clean => $clean);
		ok($mqtt->wait($old, qr/^closed/, 5), 'the older one is out');
		# The newer one has kept its entry: it may do things, the older
		# serial is no longer its matter, and its own is.
		$mqtt->subscribe($new, "devices/$three->{id}/#");
		$mqtt->publish($new, "devices/$three->{id}/x", 'mine');
		ok($mqtt->wait($new, qr/^message \S+ mine$/, 5), 'the newer works');
		$feed->delta('+serial' => $three->{serial});
		write_list();
		$mqtt->publish($new, "devices/$three->{id}/x", 'still');
		ok($mqtt->wait($new, qr/^message \S+ still$/, 5),
		    'its earlier certificate revoked, it stays');
		$feed->delta('+serial' => '0a0b0c0d0e0f101112131415161718');
		$feed->write;
		ok($mqtt->wait($new, qr/^closed/, 10), 'its own revoked, it goes');
		$feed->clear_delta;
		write_list();
	}
};

subtest 'another device cannot take it over' => sub {
	connect_as('victim', $one, id => "$one->{id}-v");
	is($mqtt->connect('thief', $broker->as($two, id => "$one->{id}-v"))->{code},
	    5, 'refused');
	is($mqtt->connect('denied', $broker->as($two, id => "$one->{id}-v",
		version => 5, clean => 0, expiry => 60))->{code}, 135, 'by 5.0');
	$mqtt->subscribe('victim', "devices/$one->{id}/x");
	is_deeply([$mqtt->told('victim')], [], 'its session lives');
	$mqtt->command('end victim');
};

subtest 'a delayed will of who is denied meanwhile' => sub {
	$mqtt->listen('watch', 'devices/#',
	    $broker->as($sender, id => "$sender->{id}.w"));
	for my $who ($one, $two) {
		my $name = $who == $one ? 'w1' : 'w2';
		connect_as($name, $who, id => "$who->{id}-w", version => 5,
		    expiry => 600, willdelay => 3,
		    will => "devices/$who->{id}/will", willtext => $name);
		$mqtt->command("drop $name");
	}
	$feed->delta('+device' => $one->{id});
	write_list();
	ok($mqtt->wait('watch', qr/^message \S+ w2$/, 15),
	    'the other\'s is published');
	is_deeply([grep { /w1$/ } $mqtt->told('watch')], [], 'its own is not');
};

is($broker->stop, 0, 'mosquitto ends in peace');

done_testing;
