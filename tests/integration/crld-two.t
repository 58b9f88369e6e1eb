# SPDX-License-Identifier: ISC
# Two pappus-crld, each with a public folder of its own: one leads and signs,
# the other follows and publishes the same; and what happens when one ends.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(serial_of);
use Pappus::Crld;
use Pappus::Feed;
use Pappus::Test qw(slurp wait_until);

my $LEASE = 5;	# seconds (daemon/feed_lead.c)

my $stack = Pappus::Test->start(workers => 1);
my $token = $stack->enrollment_token($stack->project);
my ($a, $b) = map { Pappus::Crld->new($stack, $_) } qw(a b);
my @all;	# serials that are revoked

sub sql { return $stack->psql('postgres', "@_") }
sub padded { return '0' x (40 - length $_[0]) . $_[0] }

# One more device that is revoked; its serial.
sub revoked
{
	my $device = $stack->device($token);
	my $answer = $stack->admin('POST', "/devices/$device->{id}/revoke",
	    document => { reason => 'test', reason_code => 1 });
	is($answer->{status}, 200, 'revoked') or diag($answer->{body});
	push @all, serial_of(slurp($device->{certificate}));
	return $all[-1];
}

# Whether a crld has published all that is revoked.
sub has_all
{
	my ($crld, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until($seconds // 15, sub {
		my ($denied, $crl) = ($crld->denied, $crld->crl('device'));
		return $denied && $crl && !grep { !$denied->{serials}{padded($_)}
			|| !$crl->{revoked}{$_} } @all;
	}), "$crld->{name} has all") or diag($crld->tail);
}

# Whether both come to show the same octets.
sub same
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @files = map { ("crl/$_.crl", "crl/$_.pem") } qw(device server);
	my @differ;
	ok(wait_until(15, sub {
		@differ = grep { my ($x, $y) = map { -e ? slurp($_) : '' }
			$a->file($_), $b->file($_); $x eq '' || $x ne $y } @files;
		return !@differ;
	}), "$name: the same CRLs") or diag("@differ\n", $a->tail, $b->tail);
	my @states;
	ok(wait_until(15, sub {
		@states = map { -e $_->file('feed/state')
			? Pappus::Feed::state($_->file('feed')) : () } $a, $b;
		return @states == 2 && join(' ', map { @$_ } map { $states[0]{crl}{$_} }
			sort keys %{$states[0]{crl}}) eq join(' ', map { @$_ }
			map { $states[1]{crl}{$_} } sort keys %{$states[1]{crl}});
	}), "$name: and so say the states") or diag($a->tail, $b->tail);
}

sub leads { return ($_[0]->metric('crld_leader') // 0) == 1 }

$a->start;
ok(wait_until(20, sub { leads($a) && $a->crl('device') }), 'a leads')
    or diag($a->tail);
$b->start;
same('from the start');
revoked();
has_all($_) for $a, $b;
same('one more');
is($b->metric('crld_leader'), 0, 'b follows');
unlike($b->log, qr/ event=crl /, 'b has signed nothing');
like($b->log, qr/ event=crl-followed /, 'but published what was signed');

subtest 'many at once' => sub {
	# Those that come while a CRL is made, too.
	my @devices = map { $stack->device($token) } 1 .. 6;
	for my $device (@devices) {
		is($stack->admin('POST', "/devices/$device->{id}/deny",
			document => { reason => 'x' })->{status}, 200, 'denied');
		push @all, serial_of(slurp($device->{certificate}));
	}
	has_all($_) for $a, $b;
	same('held');
	for my $device (@devices[0 .. 2]) {
		is($stack->admin('POST', "/devices/$device->{id}/allow",
			document => { reason => 'x' })->{status}, 200, 'allowed');
		my $serial = serial_of(slurp($device->{certificate}));
		@all = grep { $_ ne $serial } @all;
	}
	ok(wait_until(15, sub { !grep {
		$_->crl('device')->{revoked}{serial_of(slurp($devices[0]{certificate}))}
		} $a, $b }), 'they leave') or diag($b->tail);
	same('released');
};

subtest 'the follower begins again' => sub {
	is($b->stop, 0, 'it ends');
	revoked();
	has_all($a);
	$b->start;
	has_all($b);
	same('afterwards');
	is($b->metric('crld_leader'), 0, 'it follows');
};

subtest 'the leader is killed' => sub {
	my $number = $a->crl('device')->{number};
	$a->stop('KILL');
	my $killed = time;
	my $serial = revoked();
	ok(wait_until($LEASE + 10, sub { leads($b) }), 'the other takes over');
	# Renewed at most $LEASE before; some for the machine.
	cmp_ok(time - $killed, '<', $LEASE + 8, 'within the lease');
	has_all($b);
	cmp_ok($b->crl('device')->{number}, '>', $number, 'the number grew');
	is_deeply([$_->faults], [], "$_->{name}: all verifies") for $a, $b;
	$a->start;
	has_all($a);
	same('the killed one follows');
	is($a->metric('crld_leader'), 0, 'and does not lead');
};

subtest 'the leader ends' => sub {
	my $number = $b->crl('device')->{number};
	is($b->stop, 0, 'it ends');
	my $ended = time;
	ok(wait_until(10, sub { leads($a) }), 'the other takes over');
	cmp_ok(time - $ended, '<', $LEASE, 'without waiting for the lease')
	    or diag($a->tail);
	revoked();
	has_all($a);
	cmp_ok($a->crl('device')->{number}, '>', $number, 'the number grew');
};

subtest 'back within the lease' => sub {
	my $epoch = $a->metric('crld_epoch');
	$a->stop('KILL');
	$b->start;
	$a->start;
	revoked();
	has_all($a);
	ok(wait_until(5, sub { ($a->metric('crld_epoch') // 0) == $epoch }),
	    'the lease is its own still') or diag($a->tail);
	has_all($b);
	same('again');
};

subtest 'two that think they lead' => sub {
	# As if a had slept: another has taken the lease meanwhile.
	kill 'STOP', $a->pid;
	ok(wait_until($LEASE + 10, sub { leads($b) }), 'b leads');
	revoked();
	has_all($b);
	my $number = $b->crl('device')->{number};
	kill 'CONT', $a->pid;
	has_all($a);
	ok(wait_until(10, sub { !leads($a) }), 'a notices');
	same('together again');
	cmp_ok($a->crl('device')->{number}, '>=', $number, 'no number fell');
	my $numbers = sql('SELECT count(*), count(DISTINCT number) FROM pappus.crls');
	my ($count, $distinct) = split /\|/, $numbers;
	is($count, $distinct, 'no number twice');
};

subtest 'two in one folder' => sub {
	my $third = Pappus::Crld->new($stack, 'c', public => $a->public);
	my ($status, $out) = $third->run;
	is($status, 1, 'the second is refused');
	like($out, qr/another pappus-crld is at work/, 'and says why');
	has_all($a);
};

is_deeply([$_->faults], [], "$_->{name}: all verifies") for $a, $b;
is($_->stop, 0, "$_->{name} ends") for $a, $b;
done_testing;
