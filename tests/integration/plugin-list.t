# SPDX-License-Identifier: ISC
# The mosquitto plugin and the feed's folder: no list, a stale one, and whatever
# else may stand there.  Nobody who is shut out comes in, and nobody who is fine
# falls.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(time);
use Pappus::Broker;
use Pappus::Test qw(slurp spew wait_until);

my $broker = Pappus::Broker->new;
my ($good, $denied, $later) = $broker->devices(3);
my $feed = $broker->feed;
my $dir = $feed->dir;
my ($mqtt, $n);
my $text;	# of a state that is fine

sub code { return $mqtt->connect('c' . ++$n, $broker->as(@_))->{code} }

# A file is there at once and whole, as brokerd does it.
sub place
{
	my ($name, $text) = @_;
	spew("$dir/.new", $text);
	rmdir "$dir/$name";
	rename "$dir/.new", "$dir/$name" or die "$name: $!";
}

sub write_list
{
	$broker->news;
	my $sequence = $feed->write(@_);
	ok($broker->says(qr/deny-list $sequence of/), "list $sequence is taken")
	    or diag($broker->log);
}

subtest 'no list at all' => sub {
	$broker->start;
	$mqtt = $broker->mqtt;
	ok($broker->says(qr{pappus: .*/state: No such file.*; nobody comes in}),
	    'the log says so');
	is(code($good), 5, 'nobody comes in');
	ok($broker->says(qr/refused $good->{id} .*no deny-list yet/), '… and why');
	place('state', '');
	ok($broker->says(qr/pappus: line 1 of the feed's state.*; nobody comes in/), 'an empty one');
	is(code($good), 5, 'neither');
	$feed->base(device => $denied->{id});
	write_list();
	is(code($good), 0, 'with one, a device comes in');
	is(code($denied), 5, 'and a denied one doesn\'t');
};

# The list in use stays in use, whatever is there now.
my $waited;
sub changes_nothing
{
	my ($what, $why) = @_;
	ok($broker->says(qr/pappus: .*$why.*; the last good list stays in use/),
	    "$what: the log says so") or diag($broker->news);
	is(code($good), 0, '… a device comes in');
	is(code($denied), 5, '… a denied one does not');
	# It is tried again each second; said once.
	Time::HiRes::sleep(2.2) if !$waited++;
	my @said = $broker->news =~ /(pappus: .*stays in use)/g;
	is(@said, 1, '… and it was said once') or diag(join "\n", @said);
	place('state', $text);
	ok($broker->says(qr/pappus: the feed is fine again, at deny-list \d/),
	    '… until it was fine again') or diag($broker->news);
}

$mqtt->listen('live', "devices/$good->{id}/#",
	$broker->as($good, id => "$good->{id}-live"));

my %state = %{$feed->state};
$text = slurp("$dir/state");

subtest 'files that are none' => sub {
	my @cases = (
	    ['no state', sub { unlink "$dir/state" }, qr{\S+/state: No such file}],
	    ['an empty one', sub { place('state', '') }, qr/line \d+ of the feed's state/],
	    ['a cut one', sub { place('state', $text =~ s/end\n\z//r) }, qr/line \d+ of the feed's state/],
	    ['one that goes on', sub { place('state', "${text}more\n") }, qr/line \d+ of the feed's state/],
	    ['a page of HTML', sub { place('state', "<html>\n502\n</html>\n") },
		qr/line \d+ of the feed's state/],
	    ['a huge one', sub { place('state', 'x' x 70000) },
		qr/state: over 65536/],
	    ['a folder', sub { unlink "$dir/state"; mkdir "$dir/state" },
		qr{\S+/state: no regular file}],
	    ['a FIFO', sub { unlink "$dir/state";
		system 'mkfifo', "$dir/state" }, qr{\S+/state: no regular file}],
	    ['a symbolic link', sub { unlink "$dir/state";
		spew("$dir/elsewhere", $text); symlink "$dir/elsewhere", "$dir/state" },
		qr{\S+/state: Too many levels}],
	    ['a base that is missing', sub { unlink "$dir/state";
		place('state', $text =~ s/$state{base}/'0' x 64/er) },
		qr{\S+/0{64}: No such file}],
	    ['a delta that is missing', sub {
		place('state', $text =~ s/$state{delta}/'0' x 64/er) },
		qr{\S+/0{64}: No such file}],
	);
	for my $case (@cases) {
		my ($what, $do, $why) = @$case;
		$broker->news;
		$do->();
		changes_nothing($what, $why);
	}
};

# Content under its right name, which a state names.
sub place_named
{
	my ($which, $bytes, $sequence) = @_;
	my $name = sha256_hex($bytes);
	place($name, $bytes);
	place('state', $text =~ s/$state{$which}/$name/r
	    =~ s/^sequence \d+/sequence $sequence/mr);
}

subtest 'lists that are none' => sub {
	$waited = 0;
	my $sequence = $state{sequence};
	my %bytes = map { $_ => slurp("$dir/$state{$_}") } qw(base delta);
	my $base = "$dir/$state{base}";
	my $wrong = $bytes{delta} =~ s/PAPPUSDL/PAPPUSDX/r;
	my @cases = (
	    ['a delta of other content than its name says', sub {
		place('f' x 64, $bytes{delta});
		place('state', $text =~ s/$state{delta}/'f' x 64/er) },
		qr/f{64} holds something else/],
	    ['a cut delta', sub {
		place_named('delta', substr($bytes{delta}, 0, -20), $sequence) },
		qr/no deny-list/],
	    ['an empty one', sub { place_named('delta', '', $sequence) },
		qr/no deny-list/],
	    ['one of another kind', sub {
		place_named('delta', $wrong, $sequence) }, qr/no deny-list/],
	    ['the base for a delta', sub {
		place_named('delta', $bytes{base}, $sequence) }, qr/the delta/],
	    ['the delta for a base', sub {
		place_named('base', $bytes{delta}, $sequence) }, qr/the base is/],
	    ['a base of another sequence', sub {
		place_named('base', other_base(), $sequence) },
		qr/the delta stands on/],
	    ['an issuer that is no certificate', sub {
		place_named('delta', broken_issuer($bytes{delta}), $sequence) },
		qr/an issuer's certificate cannot be read/],
	    ['devices in disorder', sub {
		place_named('base', disorder($bytes{base}), $sequence) },
		qr/not sorted/],
	);
	for my $case (@cases) {
		my ($what, $do, $why) = @$case;
		$broker->news;
		$do->();
		changes_nothing($what, $why);
	}
};

# A base that leads to a sequence which no delta here stands on.
sub other_base
{
	my $elsewhere = Pappus::Feed->new($broker->path('elsewhere'));
	$elsewhere->write(base_sequence => 900);
	return slurp($elsewhere->dir . '/' . $elsewhere->state->{base});
}

# The certificate's first octet, a SEQUENCE, is something else.
sub broken_issuer
{
	my ($bytes) = @_;
	my $list = Pappus::Feed::parse($bytes);
	my $certificate = $list->{issuers}[0]{certificate};
	my $at = index $bytes, $certificate;
	substr $bytes, $at, 1, "\x31";
	return $bytes;
}

# The only device twice.
sub disorder
{
	my ($bytes) = @_;
	my $item = substr $bytes, 12, 26;
	substr $bytes, 12, 0, $item;
	substr $bytes, -76 + 24, 8, pack 'Q<', 2;
	return $bytes;
}

subtest 'an older state' => sub {
	write_list();
	$broker->news;
	($text, my $old) = (slurp("$dir/state"), $text);
	place('state', $old);
	changes_nothing('the one before', qr/the state is of sequence \d+, older/);
	write_list();
};

subtest 'what is written in the middle of things is not read by halves' => sub {
	# Not as brokerd does it, but the list in use must not suffer either.
	$broker->news;
	my $base = $feed->state->{base};
	open my $file, '+<', "$dir/$base" or die "$base: $!";
	truncate $file, 100;
	close $file;
	is(code($good), 0, 'a device comes in');
	is(code($denied), 5, 'a denied one doesn\'t');
	$feed->delta('+device' => $later->{id});
	write_list();
	is(code($later), 5, 'and the next list is taken, on the base that is known');
	is(code($denied), 5, 'which still holds');
	$feed->clear_delta;
};

is_deeply([$mqtt->told('live')], [], 'through all of it a session lived');

subtest 'a list that grows old' => sub {
	$broker->stop;
	# A base of its own again, since the last one was cut.
	$feed->write;
	$feed->base(device => $later->{id});
	$feed->write;
	$broker->start(max_age => 3);
	$mqtt = $broker->mqtt;
	$broker->news;
	is(code($good), 0, 'fresh: a device comes in');
	$mqtt->listen('live', "devices/$good->{id}/#",
	    $broker->as($good, id => "$good->{id}-live"));
	ok(wait_until(10, sub { code($good) == 5 }), 'too old: no more');
	ok($broker->says(qr/refused .*deny-list is \d+ s old, over max_age \(3\)/),
	    'the log says why');
	$mqtt->publish('live', "devices/$good->{id}/x", 'there');
	ok($mqtt->wait('live', qr/^message \S+ there/, 5), 'who is in stays');
	$broker->signal('HUP');
	$mqtt->publish('live', "devices/$good->{id}/x", 'here');
	ok($mqtt->wait('live', qr/^message \S+ here/, 5), '… also at SIGHUP');
	$feed->write;
	ok(wait_until(5, sub { code($good) == 0 }), 'a new one: it comes in again');

	# Only the time is another: nothing but that changes.
	$broker->news;
	ok(wait_until(10, sub { code($good) == 5 }), 'old again');
	my $renewed = slurp("$dir/state") =~ s/^time \d+/'time ' . int(time * 1000)/mer;
	place('state', $renewed);
	ok(wait_until(5, sub { code($good) == 0 }), 'a state of the same list will do');
	unlike($broker->news, qr/pappus: deny-list/, '… which is not worth a line');

	# From the future: it counts from when it was seen.
	place('state', slurp("$dir/state")
	    =~ s/^time \d+/'time ' . int((time + 1e6) * 1000)/mer);
	is(code($good), 0, 'one from the future is taken');
	ok(wait_until(10, sub { code($good) == 5 }), 'and grows old, too');

	# Old when it came.
	$feed->delta('+device' => $denied->{id});
	$feed->write(time => int((time - 3600) * 1000));
	ok($broker->says(qr/deny-list \d+ of/), 'an old one is taken');
	is(code($good), 5, 'and lets nobody in');
	$mqtt->publish('live', "devices/$good->{id}/x", 'live');
	ok($mqtt->wait('live', qr/^message \S+ live/, 5), 'who is in stays');
	$feed->delta('+device' => $good->{id});
	$feed->write(time => int((time - 3600) * 1000));
	ok($mqtt->wait('live', qr/^closed/, 5), '… until an old list shuts it out');
};

is($broker->stop, 0, 'mosquitto ends in peace');

done_testing;
