# SPDX-License-Identifier: ISC
# pappus-brokerd beside a host of the feed that serves every kind of bad state
# and deny-list: the last good one stays, and the log says why, once.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use Pappus::Brokerd;
use Pappus::Test qw(slurp spew wait_until);

my $b = Pappus::Brokerd->new;
my @devices = map { sprintf 'dev_%026d', $_ } 1 .. 9;
my $folder = $b->path('feed');

sub denied { return sort keys %{Pappus::Feed::read($folder)->{devices}} }

# How many lines of the log since the last news fit.
sub lines { my @lines = $b->news =~ /($_[0])/g; return scalar @lines }

$b->feed->base(device => $devices[0]);
my $sequence = $b->publish;
$b->start;
ok($b->comes_to($sequence), 'the first list is fetched');
is_deeply([denied()], [$devices[0]], 'and it is the published one');
is((stat "$folder/state")[2] & 0777, 0640, 'open to its group');

subtest 'changes follow' => sub {
	for (1 .. 3) {
		$b->feed->delta('+device' => $devices[$_]);
		$sequence = $b->publish;
		ok($b->comes_to($sequence, 5), "sequence $sequence");
		is_deeply([denied()], [@devices[0 .. $_]], 'all are denied');
	}
	$b->feed->clear_delta;
	$b->feed->base(device => $_) for @devices[1 .. 3];
	$sequence = $b->publish(base_sequence => $sequence);
	ok($b->comes_to($sequence), 'on a new base too');
	is_deeply([denied()], [@devices[0 .. 3]], 'with the same devices');
};

cmp_ok($b->host->most_at_once, '>', 10, 'all over the same connection');

subtest 'time alone' => sub {
	$b->news;
	my $before = $b->state;
	$b->publish(sequence => $sequence);
	ok(wait_until(10, sub { $b->state->{time} > $before->{time} }),
	    'is taken along');
	my %after = (%{$b->state}, time => $before->{time});
	is_deeply({ map { $_ => $after{$_} } qw(sequence base delta) },
	    { map { $_ => $before->{$_} } qw(sequence base delta) },
	    'and nothing else') if $after{delta} eq $before->{delta};
};

# Everything that can go wrong with one file, and what is said of it.  A host
# that is right again is taken at its word again.
sub survives
{
	my ($name, $pattern, $fault, $reason, %option) = @_;
	subtest $name => sub {
		$b->feed->delta('+device' => $devices[4])
		    if !grep { / \Q$devices[4]\E$/ } @{$b->feed->{delta}};
		$b->host->fault($pattern => $fault);
		my $was = slurp("$folder/state");
		$b->news;
		my $next = $b->publish(%{$option{publish} // {}});
		ok($b->says(qr/event=refused .*reason=$reason /, 40),
		    "is refused: $reason") or diag($b->log);
		$b->has_looked;
		is(slurp("$folder/state"), $was, 'the last good state stays');
		is(lines(qr/event=refused .*reason=$reason /), 1, 'one line');
		$b->host->fault;
		ok($b->comes_to($next, 60), 'what is good is taken again')
		    or diag($b->log);
		$sequence = $next;
		ok(wait_until(10, sub { $b->metrics->{sequence} == $sequence
			&& $b->metrics->{"refused_total{reason=\"$reason\"}"} > 0 }),
		    'and metrics say both');
	};
}

survives("a state: $_->[0]", qr{/state$}, @$_[0, 1])
    for ['empty', 'malformed'], ['junk', 'malformed'], ['half', 'malformed'],
	['append', 'malformed'], ['status 500', 'http'], ['status 404', 'http'],
	['status 403', 'http'], ['redirect ' . $b->host->url . 'other', 'http'],
	['cut', 'unreachable'], ['stall', 'unreachable'], ['hang', 'unreachable'],
	['large 70000', 'too-large'], ['endless', 'too-large'];
survives("a delta: $_->[0]", qr{/(?!state)}, @$_[0, 1])
    for ['empty', 'malformed'], ['junk', 'digest'], ['half', 'digest'],
	['append', 'digest'], ['status 404', 'http'],
	['redirect ' . $b->host->url . 'state', 'http'],
	['cut', 'unreachable'], ['stall', 'unreachable'],
	['large 1000000000', 'too-large'], ['file /etc/passwd', 'digest'];

# Files whose names are right, but not what is in them.
sub digest_of { return sha256_hex(slurp($_[0])) }

# The feed's state with some of it replaced, and time gone on.
sub state_with
{
	my (%is) = @_;
	my $state = slurp($b->feed->dir . '/state');
	my $time = int(Time::HiRes::time() * 1000);
	$state =~ s/^time \d+/time $time/m;
	$state =~ s/^\Q$_\E .*/$_ $is{$_}/m for keys %is;
	spew($b->feed->dir . '/state.new', $state);
	rename $b->feed->dir . '/state.new', $b->feed->dir . '/state';
}

# Put octets where they are named by their digest.
sub content
{
	my ($octets) = @_;
	my $name = sha256_hex($octets);
	spew($b->feed->dir . "/$name", $octets);
	return $name;
}

sub keeps
{
	my ($name, $reason, $what, %is) = @_;
	subtest $name => sub {
		my $was = slurp("$folder/state");
		$b->news;
		state_with(sequence => $sequence + 1, %is);
		ok($b->says(qr/event=refused .*what=$what .*reason=$reason /),
		    "is refused: $what, $reason") or diag($b->news);
		$b->has_looked;
		is(slurp("$folder/state"), $was, 'the last good state stays');
		is(lines(qr/event=refused /), 1, 'one line');
		$sequence = $b->publish(sequence => $sequence + 2);
		ok($b->comes_to($sequence), 'what is good is taken again');
	};
}

my $state = $b->state;
my ($base, $delta) = map { slurp("$folder/$state->{$_}") } qw(base delta);
keeps('an empty delta', 'malformed', 'deny-delta', 'deny-delta' => content(''));
keeps('a delta that is cut', 'malformed', 'deny-delta',
	'deny-delta' => content(substr $delta, 0, -1));
keeps('a delta that is none', 'malformed', 'deny-delta',
	'deny-delta' => content("Hello\n" x 100));
keeps('a delta of another version', 'malformed', 'deny-delta',
	'deny-delta' => content($delta =~ s/PAPPUSDL\x01/PAPPUSDL\x02/gr));
keeps('a base that is cut', 'malformed', 'deny-base',
	'deny-base' => content(substr $base, 0, 50));
keeps('a base that is not sorted', 'malformed', 'deny-base',
	'deny-base' => content(substr($base, 0, 12) . substr($base, 38, 26)
		. substr($base, 12, 26) . substr($base, 64)));
keeps('a delta in the base\'s place', 'mismatch', 'deny-delta',
	'deny-base' => $state->{delta});
keeps('a delta of another sequence', 'mismatch', 'deny-delta');
keeps('a delta of another base', 'mismatch', 'deny-delta',
	'deny-base' => do { # of another sequence
		my $other = $base;
		substr $other, -68, 8, pack 'Q<', 4711;
		content($other);
	});

# One that lags is no error.
sub is_ignored
{
	my ($name, %is) = @_;
	subtest $name => sub {
		my $was = slurp("$folder/state");
		$b->news;
		state_with(%is);
		$b->has_looked;
		is(slurp("$folder/state"), $was, 'is not taken');
		unlike($b->news, qr/event=(?:refused|alarm)/, 'nor complained of');
		$sequence = $b->publish(sequence => $sequence + 2);
		ok($b->comes_to($sequence), 'a newer one is');
	};
}
is_ignored('a smaller sequence', sequence => $sequence - 1,
	'deny-delta' => $state->{delta});
is_ignored('the same sequence and an earlier time',
	time => $b->state->{time} - 1, 'deny-delta' => $state->{delta});

subtest 'a host that nobody vouches for' => sub {
	# Its certificate, by another CA for the same name.
	my $dir = $b->path('elsewhere');
	mkdir $dir;
	Pappus::Ceremony->run('', 'openssl', 'req', '-x509', '-newkey', 'ec',
		'-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout',
		"$dir/key", '-out', "$dir/crt", '-days', 2, '-subj', '/CN=localhost',
		'-addext', 'subjectAltName=DNS:localhost');
	my $host = Pappus::FeedServer->new("$dir/host", $b->feed->dir,
		"$dir/crt", "$dir/key");
	$b->stop;
	my $was = slurp("$folder/state");
	my $next = $b->publish;
	$b->news;
	$b->start(env => { PAPPUS_FEED_URL => $host->url });
	ok($b->says(qr/event=refused .*reason=tls /), 'is refused')
	    or diag($b->news);
	$b->has_looked;
	is(slurp("$folder/state"), $was, 'nothing is taken from it');
	is(lines(qr/event=refused /), 1, 'one line');
	# Nor from one with a good certificate, of another name.
	my $pki = $b->broker->pki;
	$pki->ca('server', '--dir', $pki->path('server'), '--name', 'other',
	    '--dns', 'other.example', '--out', $pki->path('other'));
	my $other = Pappus::FeedServer->new("$dir/other", $b->feed->dir,
		map { $pki->path("other.$_") } qw(crt key));
	$b->stop;
	$b->news;
	$b->start(env => { PAPPUS_FEED_URL => $other->url });
	ok($b->says(qr/event=refused .*reason=tls /), 'another name is, too');
	$b->has_looked;
	is(slurp("$folder/state"), $was, 'nothing is taken from it');
	$b->stop;
	$b->start(env => { SSL_CERT_FILE => "$dir/crt", PAPPUS_FEED_URL =>
		    $host->url, https_proxy => 'http://127.0.0.1:1' });
	$b->has_looked;
	is(slurp("$folder/state"), $was, 'nor whom the environment vouches for');
	# The right one again, whatever proxy the environment names.
	$b->restart(env => { https_proxy => 'http://127.0.0.1:1' });
	ok($b->comes_to($next), 'from the right one it is');
	$sequence = $next;
};

subtest 'a host that is down' => sub {
	$b->host->down;
	$b->news;
	ok($b->says(qr/event=refused .*what=state .*reason=unreachable/),
	    'is noticed');
	$b->has_looked;
	is(lines(qr/event=refused /), 1, 'once');
	$b->host->up;
	ok($b->says(qr/event=accepted .*what=state/), 'and that it is back');
};

is($b->stop, 0, 'ends when it is told to');
my @left = grep { m{/\.new-} } glob "$folder/.new-* $folder/*";
is_deeply(\@left, [], 'and leaves nothing half written');

done_testing;
