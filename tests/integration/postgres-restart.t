# SPDX-License-Identifier: ISC
# PostgreSQL goes and comes: 503 with Retry-After meanwhile, then service
# again, and no worker is restarted for it.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Load;
use Pappus::Test qw(wait_until);
use Pappus::Workers qw(alive workers);

my $stack = Pappus::Test->start(workers => 2);
my @programs = qw(enroll identity admin);
my $project = $stack->project;
# Two devices ask all the time.
$stack->admin('PATCH', "/projects/$project", document => { issue_limit => 1000 });
my $token = $stack->enrollment_token($project);
my @devices = map { $stack->enroll($token)->{json}{device_token} } 1 .. 2;

# One request of each kind.
my %ask = (
	enroll => sub { $stack->enroll($token) },
	identity => sub { $stack->identity($devices[0]) },
	admin => sub { $stack->admin('GET', "/projects/$project") });

my %load = (
	enroll => { request => sub { Pappus::Load::enroll($token) } },
	identity => { request => sub { Pappus::Load::identity($devices[$_[0]]) } },
	admin => { to => 'admin', request => sub { Pappus::Load::admin(
		$stack->{admin_token}, "/projects/$project") } });

sub pids { return { map { $_ => [workers($stack, $_)] } @programs } }

# End the server in PostgreSQL's own words.
sub stop_postgres
{
	my ($how) = @_;
	kill { fast => 'INT', immediate => 'QUIT' }->{$how}, $stack->pid('postgres');
	wait_until(20, sub { !alive($stack->pid('postgres')) })
	    or die "PostgreSQL doesn't end\n";
}

sub unavailable
{
	my ($answer, $name) = @_;
	is_deeply([$answer->{status}, $answer->{json}{type},
		$answer->{headers}{'content-type'}[0],
		($answer->{headers}{'retry-after'}[0] // 0) > 0],
	    [503, 'urn:pappus:problem:unavailable', 'application/problem+json', 1],
	    $name) or diag($answer->{head}, $answer->{body});
}

# Until each of a program's workers has come back, one by one after its
# back-off, a request may still get 503; then none does.
sub recovered
{
	my ($program) = @_;
	my $in_a_row = 0;
	return wait_until(10, sub {
		$in_a_row = $ask{$program}->()->{status} == 200 ? $in_a_row + 1 : 0;
		return $in_a_row == 5 });
}

for my $how (qw(fast immediate)) {
	subtest "stopped ($how) under load" => sub {
		my $before = pids();
		my %running = map { $_ => Pappus::Load->start($stack, clients => 2,
			pause => 0.02, %{$load{$_}}) } @programs;
		sleep 0.5;
		my $down = time;
		stop_postgres($how);
		my $gone = time;
		sleep 1.5;
		unavailable($ask{$_}->(), "$_ says that it is unavailable") for @programs;
		my $back = time;
		$stack->stack('start', 'postgres');
		my $up = time;
		# The longest back-off is a second.
		sleep 2.5;
		$_->stop for values %running;
		for my $program (@programs) {
			my @requests = $running{$program}->requests;
			my %strange = map { ("$_->{status} $_->{type} $_->{retry}" => 1) }
			    grep { $_->{status} ne '200' && "$_->{status} $_->{type}"
				ne '503 application/problem+json'
				|| $_->{status} eq '503' && $_->{retry} !~ /^[1-9]/ }
			    @requests;
			is_deeply([keys %strange], [],
			    "$program: 200 or 503 with Retry-After, nothing else");
			ok(!(grep { $_->{status} ne '200' && $_->{to} < $down }
				@requests), '200 before');
			ok(!(grep { $_->{status} ne '503' && $_->{from} > $gone
				&& $_->{to} < $back } @requests), '503 meanwhile');
			cmp_ok((grep { $_->{status} eq '503' } @requests), '>', 10,
			    'many of them, without delay');
			ok(!(grep { $_->{status} ne '200' && $_->{from} > $up + 1.5 }
				@requests), '200 after');
			cmp_ok((grep { $_->{from} > $up + 1.5 } @requests), '>', 5,
			    'and those are some');
			note("$program: ", join ', ', map {
				"$_ × " . $running{$program}->counts->{$_} }
			    sort keys %{$running{$program}->counts});
		}
		is_deeply(pids(), $before, 'the workers are the same');
	};
}

subtest 'restarted while nobody asks' => sub {
	ok(recovered($_), "$_ has a connection in each worker") for @programs;
	my $before = pids();
	for my $how (qw(fast immediate)) {
		stop_postgres($how);
		$stack->stack('start', 'postgres');
		is($ask{$_}->()->{status}, 200, "$how: the first request of $_ is served")
		    for @programs;
		# The second worker's turn, sooner or later.
		is_deeply([map { $ask{identity}->()->{status} } 1 .. 5], [(200) x 5],
		    'and so are the next');
	}
	is_deeply(pids(), $before, 'the workers are the same');
};

subtest 'workers that start while it is down' => sub {
	stop_postgres('fast');
	for my $program (@programs) {
		$stack->stack('restart', $program);
		ok(wait_until(10, sub { 2 == (() = workers($stack, $program)) }),
		    "$program starts");
	}
	my $before = pids();
	for my $round (1 .. 3) {
		unavailable($ask{$_}->(), "$_ is there and says so") for @programs;
	}
	$stack->stack('start', 'postgres');
	ok(recovered($_), "$_ serves once it is up") for @programs;
	is_deeply(pids(), $before, 'by the same workers');
};

done_testing;
