# SPDX-License-Identifier: ISC
# pappus-brokerd killed at any moment, restarted on damaged files, on a full disk
# and with a clock that is wrong, while mosquitto runs on the file it keeps:
# what is there is whole, nothing goes back, and none that is shut out gets in.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew wait_until);
use Time::HiRes qw(sleep time);

my $brokerd = Pappus::Brokerd->new;
my ($good, $bad) = $brokerd->broker->devices(2);
my $file = $brokerd->crl_file;
my $folder = $brokerd->path('feed');
my $number = 10;

# A list that takes a moment: so many serials beside the bad device's.
my @many = map { sprintf '02%030x', $_ } 1 .. 2000;
sub lists
{
	$brokerd->crl('device', ++$number, serials => [$bad->{serial}, @many]);
	return;
}

$brokerd->crl($_, 1) for qw(root service);
lists();
$brokerd->feed->base(device => $bad->{id}, generate => 20000);
my $sequence = $brokerd->publish;
$brokerd->start;
ok($brokerd->comes_to($sequence) && $brokerd->comes_to_crl('device', $number)
	&& wait_until(10, sub { -s $file }), 'all is there');
$brokerd->start_broker;

# The file that mosquitto reads, as it must always be: all lists, whole.
sub whole
{
	my ($pem) = @_;
	my @lists = $pem =~ /(-----BEGIN X509 CRL-----\n[A-Za-z0-9+\/=\n]+-----END X509 CRL-----\n)/g;
	return @lists == 3 && join('', @lists) eq $pem;
}

# What is in it, in short.
sub pem { return sha256_hex(slurp($_[0] // $file)) }

subtest 'killed at any moment' => sub {
	my $watch = $brokerd->watch([$good], [$bad]);
	my ($last, $last_number, $kept, @wrong) = (0, 0);
	for my $round (1 .. ($ENV{PAPPUS_LONG} ? 200 : 40)) {
		lists() if $round % 4 == 0;
		$brokerd->feed->delta('+serial' => sprintf '%040x', 0x1000 + $round);
		$brokerd->feed->clear_delta if $round % 10 == 0;
		$sequence = $brokerd->publish($round % 10 ? ()
		    : (base_sequence => $sequence + 1));
		sleep rand 0.15;
		$brokerd->stop('KILL');
		push @wrong, "round $round: mosquitto's file is not whole"
		    if !whole(slurp($file));
		my $is = eval { Pappus::Feed::read($folder) };
		push @wrong, "round $round: $@" if !$is;
		push @wrong, "round $round: sequence $is->{sequence} after $last"
		    if $is && $is->{sequence} < $last;
		$last = $is->{sequence} if $is;
		my $now = $brokerd->number('device');
		push @wrong, "round $round: CRL $now after $last_number"
		    if $now < $last_number;
		$last_number = $now;
		for my $list (values %{$is->{crl}}) {
			push @wrong, "round $round: a list is not its name's"
			    if sha256_hex(slurp("$folder/$list->[1]")) ne $list->[1];
		}
		$brokerd->start;
	}
	is_deeply(\@wrong, [], 'whatever moment it was');
	ok($brokerd->comes_to($sequence), 'in the end it has all')
	    or diag($brokerd->log =~ s/.*\n(?=(?:.*\n){20}\z)//sr);
	ok($brokerd->comes_to_crl('device', $number), 'CRLs as well');
	my @half = glob "$folder/.new-* " . $brokerd->path('.new-*');
	ok(wait_until(5, sub { !glob "$folder/.new-*" }),
	    'nothing half written is left in its folder');
	$brokerd->watched_well($watch, 'none was let in or put out');
	my $reloads = () = $brokerd->broker->log =~ /Reloading config/g;
	cmp_ok($reloads, '>=', 3, 'mosquitto was told of new lists');
};

# What is damaged while it is down, and what becomes of it.
sub damaged
{
	my ($name, $what, $reason, $damage) = @_;
	subtest $name => sub {
		$brokerd->stop;
		my $state = $brokerd->state;
		$damage->($state);
		$brokerd->news;
		$brokerd->start;
		ok($brokerd->says(qr/event=refused from=\Q$folder\E what=$what .*reason=$reason/),
		    'is told of') or diag($brokerd->news);
		ok($brokerd->comes_to($sequence), 'the host has it');
		ok($brokerd->comes_to_crl('device', $number), 'and the lists');
		ok(wait_until(10, sub { eval { Pappus::Feed::read($folder)->{sequence}
			== $sequence } }), 'all of it is good') or diag($@);
		ok($brokerd->is_soon(0, qr/^fine/), 'all is fine');
	};
}

sub overwrite
{
	my ($name, $octets) = @_;
	unlink "$folder/$name";
	spew("$folder/$name", $octets);
}

damaged('a state that is cut', 'state', 'malformed',
	sub { overwrite('state', substr slurp("$folder/state"), 0, -2) });
damaged('a state that is empty', 'state', 'malformed',
	sub { overwrite('state', '') });
damaged('a base with a wrong octet', 'deny-base', 'malformed', sub {
	my $octets = slurp("$folder/$_[0]{base}");
	substr($octets, 20, 1) ^= "\1";
	overwrite($_[0]{base}, $octets) });
damaged('a base that is gone', 'deny-base', 'malformed',
	sub { unlink "$folder/$_[0]{base}" });
damaged('a delta that is empty', 'deny-delta', 'malformed',
	sub { overwrite($_[0]{delta}, '') });
damaged('a CRL that is cut', '"crl \w+"', 'malformed', sub {
	my $name = $_[0]{crl}{$brokerd->ski('device')}[1];
	overwrite($name, substr slurp("$folder/$name"), 0, 100) });

subtest 'a CRL that is gone, and nobody there who has it' => sub {
	my $pem = pem();
	$brokerd->stop;
	$brokerd->host->down;
	unlink "$folder/" . $brokerd->state->{crl}{$brokerd->ski('device')}[1];
	my $told = () = $brokerd->broker->log =~ /Reloading config/g;
	$brokerd->start;
	ok($brokerd->says(qr/event=restored/), 'it starts');
	ok($brokerd->is_soon(0, qr/^fine/), 'all is fine');
	sleep 1;
	is(pem(), $pem, 'mosquitto\'s file has it still');
	ok($brokerd->comes_to_crl('device', $number), 'it is taken from there');
	my $name = $brokerd->state->{crl}{$brokerd->ski('device')}[1];
	is(sha256_hex(slurp($brokerd->{crls}{device}[1])), $name, 'octet by octet');
	is(eval { sha256_hex(slurp("$folder/$name")) }, $name, 'as its name says');
	is(() = $brokerd->broker->log =~ /Reloading config/g, $told,
	    'mosquitto has noticed nothing');
	ok($brokerd->gets_in($good), 'the good one gets in');
	$brokerd->host->up;
};

subtest 'nobody there when it starts' => sub {
	my ($state, $pem) = (slurp("$folder/state"), pem());
	$brokerd->stop;
	$brokerd->host->down;
	$brokerd->news;
	my $told = () = $brokerd->broker->log =~ /Reloading config/g;
	$brokerd->start;
	ok($brokerd->says(qr/event=restored .*sequence $sequence/),
	    'it goes on from its last good files');
	ok($brokerd->is_soon(0, qr/^fine: sequence $sequence/), 'which are fine');
	is(slurp("$folder/state"), $state, 'the state is as it was');
	is(pem(), $pem, 'so is mosquitto\'s file');
	is(() = $brokerd->broker->log =~ /Reloading config/g, $told,
	    'it is not told of it again');
	# Without mosquitto's file it is made from what is there.
	$brokerd->stop;
	unlink $file;
	$brokerd->start;
	ok(wait_until(10, sub { -e $file && pem() eq $pem }),
	    'which is made again when it is gone');
	# Without a good deny-list no new one can be had; CRLs stay.
	$brokerd->stop;
	my $base = $brokerd->state->{base};
	rename "$folder/$base", $brokerd->path('base');
	$brokerd->start;
	ok($brokerd->is_soon(1, qr/no-state: no host has served/, 30),
	    'no list at all is an alarm');
	is(pem(), $pem, 'mosquitto\'s file stays');
	$brokerd->host->up;
	ok($brokerd->is_soon(0, qr/^fine/), 'and over when the host is there');
	is(Pappus::Feed::read($folder)->{sequence}, $sequence, 'all is there');
};

sub with_room
{
	my ($size, $then) = @_;
	my $dir = $brokerd->path('small');
	mkdir $dir;
	system('mount', '-t', 'tmpfs', '-o', "size=$size", 'pappus-test', $dir) == 0
	    or return;
	eval { $then->($dir) };
	my $failure = $@;
	$brokerd->stop;
	system('umount', '-l', $dir);
	die $failure if $failure;
	return 1;
}

SKIP: {
	skip 'a small disk needs root', 1 if $> != 0;
	subtest 'the disk is full' => sub {
		$brokerd->stop;
		my %saved = %{$brokerd->env};
		my $mounted = with_room('3m', sub {
			my ($dir) = @_;
			my $crls = "$dir/crls.pem";
			@{$brokerd->env}{qw(PAPPUS_FEED_DIR PAPPUS_CRL_FILE)} =
			    ("$dir/feed", $crls);
			$brokerd->start;
			ok(wait_until(20, sub { -s "$dir/feed/state" && -s $crls }),
			    'it begins on a disk with room');
			wait_until(5, sub { Pappus::Feed::state("$dir/feed")->{sequence}
				== $sequence && slurp("$dir/feed/state") =~ /^crl/m });
			my ($state, $pem) = (slurp("$dir/feed/state"), pem($crls));
			open my $filler, '>', "$dir/filler";
			1 while syswrite $filler, "\1" x 4096;
			lists();
			$brokerd->feed->base(generate => 100);
			$brokerd->news;
			my $next = $brokerd->publish(base_sequence => $sequence + 1);
			ok($brokerd->says(qr/event=refused .*reason=local msg=".*No space/),
			    'a file that has no room is told of') or diag($brokerd->news);
			ok($brokerd->says(qr/event=alarm alarm=cannot-write /),
			    'with an alarm');
			sleep 1;
			is(Pappus::Feed::read("$dir/feed")->{sequence}, $sequence,
			    'the last good list stays, and whole');
			is(pem($crls), $pem, 'mosquitto\'s file stays, and whole');
			unlink "$dir/filler";
			close $filler;
			ok(wait_until(60, sub { Pappus::Feed::read("$dir/feed")->{sequence}
				== $next }), 'with room it goes on') or diag($brokerd->log);
			ok(wait_until(60, sub { pem($crls) ne $pem && whole(slurp($crls)) }),
			    'with CRLs, too');
			ok($brokerd->says(qr/event=alarm-over alarm=cannot-write/),
			    'the alarm is over');
			$sequence = $next;
		});
		$brokerd->{env} = \%saved;
		ok($mounted, 'there was a small disk');
		$brokerd->start;
		ok($brokerd->comes_to($sequence), 'back on the large one');
	};
}

sub faketime
{
	my ($offset) = @_;
	return (under => ['faketime', '-f', $offset],
		env => { FAKETIME_DONT_FAKE_MONOTONIC => 1 });
}

SKIP: {
	skip 'faketime is not there', 2 if system('which faketime >/dev/null') != 0;
	subtest 'our clock is slow' => sub {
		my $pem = pem();
		$brokerd->stop;
		$brokerd->start(faketime('-30m'));
		lists();
		$sequence = $brokerd->publish;
		ok($brokerd->comes_to($sequence), 'the deny-list is taken');
		ok($brokerd->says(qr/event=refused .*what="crl .*reason=not-yet-valid msg=".*seconds ahead of our clock/),
		    'a CRL is held back');
		ok($brokerd->says(qr/event=alarm alarm=crl-held-back/), 'an alarm');
		$brokerd->publish(sequence => $sequence);
		ok($brokerd->says(qr/event=alarm alarm=clock msg="the feed's clock is 1[78]\d\d seconds ahead of ours/),
		    'the clocks differ') or diag($brokerd->news);
		my $skew = $brokerd->metrics->{clock_skew_seconds};
		cmp_ok(abs($skew - 1800), '<', 5, "by half an hour: $skew");
		is(pem(), $pem, 'mosquitto\'s file is the old one');
		# Put right, it goes on.
		$brokerd->restart;
		ok($brokerd->comes_to_crl('device', $number), 'right again, it is taken');
		ok($brokerd->is_soon(0, qr/^fine/), 'all is fine');
	};
	subtest 'our clock is past nextUpdate' => sub {
		my $pem = pem();
		$brokerd->stop;
		$brokerd->news;
		$brokerd->start(faketime('+10d'));
		lists();
		$sequence = $brokerd->publish;
		ok($brokerd->comes_to($sequence), 'the deny-list is taken');
		ok($brokerd->says(qr/event=refused .*what="crl .*reason=expired/),
		    'a CRL is not');
		ok($brokerd->says(qr/event=alarm alarm=$_ /), "an alarm: $_")
		    for qw(crl-expires state-old);
		is(pem(), $pem, 'mosquitto\'s file is the old one, not none');
		$brokerd->restart;
		ok($brokerd->comes_to_crl('device', $number), 'right again, it is taken');
		ok($brokerd->is_soon(0, qr/^fine/), 'all is fine');
	};
}

subtest 'the feed\'s clock is wrong' => sub {
	my $year = 365 * 86400 * 1000;
	$brokerd->news;
	$sequence = $brokerd->publish(time => int(time * 1000) + $year);
	ok($brokerd->comes_to($sequence), 'the deny-list is taken');
	cmp_ok($brokerd->state->{time}, '<=', time * 1000,
	    'but not as one of next year');
	ok($brokerd->is_soon(1, qr/clock: the feed's clock is \d+ seconds ahead/),
	    'an alarm');
	# Right again; the sequence is the same.
	my $was = $brokerd->state->{time};
	sleep 0.1;
	$brokerd->publish(sequence => $sequence);
	ok(wait_until(10, sub { $brokerd->state->{time} > $was }),
	    'right again, it is taken at once');
	ok($brokerd->is_soon(0, qr/^fine/), 'all is fine');
};

subtest 'the feed stands still' => sub {
	$brokerd->stop;
	# As one finds it an hour and a bit later.
	my $old = int((time - 3601) * 1000);
	unlink "$folder/state";
	my $next = $sequence + 1;
	$brokerd->publish(sequence => $next, time => $old);
	$brokerd->start;
	ok($brokerd->comes_to($next), 'its list is taken');
	ok($brokerd->is_soon(1, qr/state-old: the deny-list was last confirmed 36\d\d seconds ago/),
	    'with an alarm');
	is($brokerd->metrics->{'alarm{alarm="state-old"}'}, 1, 'in metrics, too');
	cmp_ok($brokerd->metrics->{state_age_seconds}, '>', 3600, 'and its age');
	$brokerd->publish(sequence => $next);
	ok($brokerd->is_soon(0, qr/^fine/), 'until it goes on');
};

is($brokerd->stop, 0, 'ends when it is told to');
done_testing;
