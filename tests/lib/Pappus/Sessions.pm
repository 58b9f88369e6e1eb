# SPDX-License-Identifier: ISC
# Devices that are connected to the stack's broker and stay, each with its own
# certificate: bench-fleet plays them.  They are numbered in the order of the
# file of identities, from 0.  Times are seconds of the monotonic clock.
#
#	my $sessions = Pappus::Sessions->start($stack, $file);
#	my $failed = $sessions->connect(0, 9);	# {} when all are up
#	my $trial = $sessions->try(3);		# {what => 0, from, to}
#	$sessions->wait_dropped(3, 5);		# {why, at}
package Pappus::Sessions;
use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IPC::Open3;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use Pappus::Test qw(slurp spew);

our @EXPORT_OK = qw(monotonic);

sub monotonic { return clock_gettime(CLOCK_MONOTONIC) }

# What a program says of itself when it isn't there yet: it is built for
# measurements, not by "make".
sub program
{
	my $build = $ENV{PAPPUS_BUILDDIR};
	system('make', '-s', '-C', $build, 'bench-fleet') == 0
	    or die "bench-fleet can't be built\n";
	return "$build/bench-fleet";
}

# The file that start takes, of devices as Pappus::Test::device returns them.
sub identities
{
	my ($file, @devices) = @_;
	spew($file, join '', map { slurp($_->{certificate}), slurp($_->{key}) }
	    @devices);
	return $file;
}

# Options: those of bench-fleet, such as keepalive => 60, at_once => 32.
sub start
{
	my ($class, $stack, $file, %option) = @_;
	my @options = map { ('--' . s/_/-/gr, $option{$_}) } sort keys %option;
	my $pid = open3(my $in, my $out, '>&STDERR', program(), '--port',
	    $stack->setting('MQTT_PORT'), '--ca', $stack->root_file,
	    '--identities', $file, @options);
	my $self = bless { pid => $pid, in => $in, out => $out, owner => $$,
		select => IO::Select->new($out), text => '', up => {},
		failed => {}, dropped => {}, tried => {}, drops => [] }, $class;
	$in->autoflush(1);
	$self->listen(120, sub { defined $self->{count} });
	return $self;
}

sub count { return $_[0]{count} }

# The number of those that are up now, and which.
sub live { return scalar keys %{$_[0]{up}} }
sub is_up { return exists $_[0]{up}{$_[1]} }

# Each one that was dropped and didn't come again: device => {why, at}.
sub dropped { $_[0]->hear(0); return $_[0]{dropped} }

sub tell
{
	my ($self, $line) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print {$self->{in}} "$line\n" or die "bench-fleet has ended\n";
}

# All drops so far, in their order: {device, why, at}.
sub drops { $_[0]->hear(0); return @{$_[0]{drops}} }

# Why a device's last connect came to nothing; undef when it didn't.
sub failed { return $_[0]{failed}{$_[1]} }

# Let a device connect and stay, without waiting for it.
sub begin
{
	my ($self, $device) = @_;
	delete $self->{failed}{$device};
	delete $self->{dropped}{$device};
	$self->tell("connect $device $device");
}

# Let devices FIRST to LAST connect and stay; what came of those that didn't:
# device => why.
sub connect
{
	my ($self, $first, $last, $seconds) = @_;
	delete $self->{failed}{$_} for $first .. $last;
	$self->tell("connect $first $last");
	my $next = $first;
	$self->listen($seconds // 60, sub {
		$next++ while $next <= $last
		    && ($self->{up}{$next} || exists $self->{failed}{$next});
		return $next > $last;
	});
	return { map { exists $self->{failed}{$_} ? ($_ => $self->{failed}{$_})
		: () } $first .. $last };
}

# One more connection of a device, beside its session: what => the code of its
# CONNACK (0: accepted, 5: not authorised) or a word for why there was none,
# from, to.
sub try
{
	my ($self, $device, $seconds) = @_;
	delete $self->{tried}{$device};
	$self->tell("try $device");
	$self->listen($seconds // 30, sub { $self->{tried}{$device} });
	return $self->{tried}{$device};
}

# Whether it is dropped within so many seconds: {why, at}, or undef.
sub wait_dropped
{
	my ($self, $device, $seconds) = @_;
	eval { $self->listen($seconds, sub { $self->{dropped}{$device} }) };
	return $self->{dropped}{$device};
}

sub leave
{
	my ($self, $device) = @_;
	$self->{left} = undef;
	$self->tell("leave $device");
	$self->listen(10, sub { defined $self->{left} });
}

# Read what it says for so many seconds at most, until the test holds.
sub listen
{
	my ($self, $seconds, $test) = @_;
	my $end = monotonic() + $seconds;
	while (!$test->()) {
		my $left = $end - monotonic();
		die "bench-fleet: nothing came in $seconds s\n" if $left <= 0;
		$self->hear($left);
	}
}

# Whatever there is to hear; SECONDS to wait for the first of it.
sub hear
{
	my ($self, $seconds) = @_;
	while ($self->{select}->can_read($seconds)) {
		sysread($self->{out}, $self->{text}, 65536, length $self->{text})
		    or die "bench-fleet has ended\n";
		$seconds = 0;
	}
	while ($self->{text} =~ s/\A(.*)\n//) {
		$self->take(split / /, $1);
	}
}

sub take
{
	my ($self, $what, $device, @rest) = @_;
	if ($what eq 'ready') {
		$self->{count} = $device;
	} elsif ($what eq 'up') {
		$self->{up}{$device} = $rest[0] / 1e6;
		delete $self->{dropped}{$device};
	} elsif ($what eq 'dropped') {
		delete $self->{up}{$device};
		$self->{dropped}{$device} = { why => $rest[0], at => $rest[1] / 1e6 };
		push @{$self->{drops}},
		    { %{$self->{dropped}{$device}}, device => $device };
	} elsif ($what eq 'failed') {
		$self->{failed}{$device} = $rest[0];
	} elsif ($what eq 'tried') {
		$self->{tried}{$device} = { what => $rest[0],
			from => $rest[1] / 1e6, to => $rest[2] / 1e6 };
	} elsif ($what eq 'left') {
		delete $self->{up}{$device};
		$self->{left} = $device;
	} else {
		die "bench-fleet says $what\n";
	}
}

sub stop
{
	my ($self) = @_;
	# What it still wants to say must not hold it up.
	close $self->{$_} for qw(in out);
	waitpid $self->{pid}, 0;
	delete $self->{pid};
}

# It ends with its input.
sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);
	$self->stop if $self->{pid} && $self->{owner} == $$;
}

1;
