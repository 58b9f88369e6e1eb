# SPDX-License-Identifier: ISC
# MQTT clients of a broker, in one process (tests/integration/mqtt_probe, whose
# commands these are), and what they were told.
#
#	my $mqtt = Pappus::Mqtt->new($port, $ca_file);
#	my $answer = $mqtt->connect('a', id => 'dev_…', cert => $file, key => $file);
#	is($answer->{code}, 0);
#	$mqtt->command("sub a 1 devices/…/#");
#	ok($mqtt->wait('a', qr/^suback 1/, 5));
#	ok($mqtt->wait('a', qr/^closed/, 1));
package Pappus::Mqtt;
use strict;
use warnings;

use IO::Select;
use IPC::Open3;
use Pappus::Test;
use Time::HiRes qw(time);

my $made;

sub new
{
	my ($class, $port, $ca_file) = @_;
	my $build = $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n";
	my $program = 'tests/integration/mqtt_probe';
	if (!$made++) {
		my ($status, $out, $err) = Pappus::Test::run_command('', 'make',
		    '-s', '-C', $build, $program);
		die "make: $out$err" if $status != 0;
	}
	my $pid = open3(my $in, my $out, '>&STDERR', "$build/$program", $port,
	    $ca_file);
	$in->autoflush(1);
	return bless { pid => $pid, in => $in, out => $out, rest => '',
		events => [] }, $class;
}

sub command
{
	my ($self, $line) = @_;
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$line\n" or die "mqtt_probe has ended\n";
}

# The first event of that client that was not waited for yet and fits:
# {time, text, and what the pattern caught by name}; undef: none came in time.
sub wait
{
	my ($self, $name, $pattern, $seconds) = @_;
	my $end = time + $seconds;
	while (1) {
		my $events = $self->{events};
		for my $i (0 .. $#$events) {
			my $event = $events->[$i];
			next if $event->{name} ne $name || $event->{text} !~ $pattern;
			my %caught = %+;
			splice @$events, $i, 1;
			return { %$event, %caught };
		}
		my $left = $end - time;
		return undef if $left <= 0 || !$self->read($left);
	}
}

# All that has come for it and was not waited for, as text.
sub told
{
	my ($self, $name) = @_;
	while ($self->read(0)) { }
	return map { $_->{text} } grep { $_->{name} eq $name } @{$self->{events}};
}

# How many events fit, of clients whose name does; they are not kept.
sub take
{
	my ($self, $name, $pattern) = @_;
	while ($self->read(0)) { }
	my @all = @{$self->{events}};
	my @fit = grep { $_->{name} =~ $name && $_->{text} =~ $pattern } @all;
	my %gone = map { $_ => 1 } @fit;
	$self->{events} = [grep { !$gone{$_} } @all];
	return @fit;
}

# More events, waiting so long for the first; false: there are none.
sub read
{
	my ($self, $seconds) = @_;
	IO::Select->new($self->{out})->can_read($seconds) or return 0;
	if (!sysread $self->{out}, $self->{rest}, 65536, length $self->{rest}) {
		die "mqtt_probe has ended\n";
	}
	while ($self->{rest} =~ s/\A(\S+) (\S+) (.*)\n//) {
		push @{$self->{events}}, { time => $1, name => $2, text => $3 };
	}
	return 1;
}

# A client: {code (of CONNACK), present, resumed, tls}, or {failed}.
sub connect
{
	my ($self, $name, %option) = @_;
	$self->command(join ' ', 'connect', $name,
	    map { "$_=$option{$_}" } sort keys %option);
	return $self->wait($name, qr/^(?:failed (?<failed>.*)
	    |connack\ (?<code>\d+)\ (?<present>\d)\ (?<resumed>\d)\ (?<tls>\S+))$/x,
	    40) // die "$name: neither answer nor failure\n";
}

# A new client that is subscribed, for messages.
sub listen
{
	my ($self, $name, $topic, %option) = @_;
	my $answer = $self->connect($name, %option);
	die "$name: $answer->{text}\n" if ($answer->{code} // 1) != 0;
	$self->subscribe($name, $topic);
}

sub subscribe
{
	my ($self, $name, $topic) = @_;
	$self->command("sub $name 1 $topic");
	$self->wait($name, qr/^suback 1$/, 20) or die "$name: no subscription\n";
}

# Publishes and waits for the broker's answer.
sub publish
{
	my ($self, $name, $topic, $text, %option) = @_;
	my $retain = $option{retain} ? 1 : 0;
	$self->command("pub $name 1 $retain $topic $text");
	$self->wait($name, qr/^puback/, 20) or die "$name: no PUBACK\n";
}

# The longest gap in a pinging client's answers, and how many it got.
sub gap
{
	my ($self, $name) = @_;
	$self->command("gap $name");
	my $event = $self->wait($name, qr/^gap (?<us>\d+) (?<rounds>\d+)$/, 20)
	    or die "$name: no gap\n";
	return ($event->{us} / 1000, $event->{rounds});
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	close $self->{in};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
}

1;
