# SPDX-License-Identifier: ISC
# What each link of the chain takes from the answer to an operator's call to the
# end of the session: crld publishes a list of changes, brokerd fetches it, the
# plugin acts.  The first two leave a file of one name, whose time says when.
package Bench::Chain;
use v5.36;

use Bench::Measure qw(median table);
use List::Util qw(max min);
use Pappus::Sessions qw(monotonic);
use Pappus::Test qw(slurp wait_until);
use Time::HiRes qw(stat time);

my @steps = (
	[published => 'answer → pappus-crld has published the change'],
	[fetched => 'published → pappus-brokerd has fetched it'],
	[refused => 'fetched → a reconnect is refused'],
	[dropped => 'fetched → the session is dropped'],
);

sub new ($class, $stack) {
	my $run = $stack->run;
	return bless { public => "$run/public/feed", broker => "$run/brokerd/feed" },
	    $class;
}

# The list of changes that a state names; empty while there is none.
sub delta ($dir) {
	return (eval { slurp("$dir/state") } // '') =~ /^deny-delta (\w+)$/m
	    ? $1 : '';
}

# Before the call.
sub begin ($self) {
	$self->{before} = delta($self->{public});
}

# Its answer is there; between the clock of files and that of the client.
sub answered ($self) {
	$self->{answered} = time;
	$self->{offset} = $self->{answered} - monotonic();
}

# The steps in seconds, with when the client was refused and when dropped
# (monotonic); undef when files don't tell.
sub end ($self, $refused, $dropped) {
	my $name = delta($self->{public});
	return undef if $name eq $self->{before};
	my ($published, $fetched) = map { (stat "$self->{$_}/$name")[9] }
	    qw(public broker);
	return undef if grep { !defined } $published, $fetched;
	my %step = (published => $published - $self->{answered},
	    fetched => $fetched - $published);
	$step{refused} = $refused + $self->{offset} - $fetched
	    if defined $refused;
	$step{dropped} = $dropped + $self->{offset} - $fetched
	    if defined $dropped;
	return \%step;
}

# Of the steps that end returned, in milliseconds.
sub report ($self, @all) {
	my @known = grep { defined } @all;
	my @rows;
	for (@steps) {
		my ($step, $text) = @$_;
		my @ms = map { 1000 * $_->{$step} } grep { defined $_->{$step} } @known;
		push @rows, [$text, scalar @ms, map { sprintf '%.0f', $_ }
			median(@ms), min(@ms), max(@ms)] if @ms;
	}
	say "\nThe chain, in milliseconds; times of files are those of the kernel's"
	    . ' tick';
	table(['step', 'rounds', 'median', 'min', 'max'], @rows);
	say 'published before the answer came: ',
	    scalar grep { $_->{published} < 0 } @known;
}

1;
