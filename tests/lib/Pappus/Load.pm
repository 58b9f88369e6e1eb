# SPDX-License-Identifier: ISC
# Load for tests of faults: single requests that are under way at the same
# time, and a steady bounded stream of them from several clients.  Each client
# is a child with one TLS connection (openssl s_client), which it makes anew
# when it is closed.  Nothing is ever asked twice: what gets no answer counts
# as lost.
#
#	my $asked = Pappus::Load->ask($stack, sub { $stack->identity($token) });
#	…
#	my ($answer) = $asked->answers;
#
#	my $load = Pappus::Load->start($stack, clients => 4, pause => 0.01,
#	    request => sub { Pappus::Load::identity($tokens[$_[0]]) });
#	…
#	$load->stop;
#	is_deeply($load->counts, { 200 => $load->total });
package Pappus::Load;
use strict;
use warnings;

use IPC::Open3;
use POSIX qw(_exit);
use Storable qw(nstore retrieve);
use Time::HiRes qw(sleep time);
use Pappus::Test qw(slurp wait_until);

my %children;    # pid => the process that started it
my $number = 0;

sub child
{
	my ($code) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid) {
		$children{$pid} = $$;
		return $pid;
	}
	# Without the parent's END blocks.
	$SIG{INT} = $SIG{TERM} = sub { _exit(1) };
	eval { $code->() };
	print STDERR "child: $@" if $@;
	_exit($@ ? 1 : 0);
}

sub reap
{
	my ($pid) = @_;
	waitpid $pid, 0;
	delete $children{$pid};
}

# --------------------------------------------------- requests at the same time

# ask STACK, SUB…: each is called in a child at once and returns an answer.
sub ask
{
	my ($class, $stack, @subs) = @_;
	my $base = $stack->tmp . '/asked.' . ++$number;
	my @asked;
	for my $sub (@subs) {
		my $file = "$base." . @asked;
		push @asked, { file => $file, pid => child(sub {
			my $from = time;
			my $answer = $sub->();
			$answer->{seconds} = time - $from;
			nstore($answer, $file) }) };
	}
	return bless { asked => \@asked }, $class;
}

# Wait for the answers, in the order of the questions; {seconds} is how long
# each took.
sub answers
{
	my ($self) = @_;
	return @{$self->{answers} //= [map {
		reap($_->{pid});
		my $answer = -e $_->{file} ? retrieve($_->{file}) : {};
		unlink $_->{file};
		# The child knew the secrets in it, this process doesn't.
		Pappus::Test::register_answer($answer->{json});
		$answer } @{$self->{asked}}]};
}

# Statuses in order, for is_deeply.
sub statuses { return [map { $_->{status} // 'lost' } $_[0]->answers] }

# How many requests the workers of a program have accepted and not yet ended
# (keep_conn off): sockets with the listener's path that are connected, and
# that somebody has accepted (proc(5), net/unix: state 03).
sub accepted
{
	my ($stack, $program) = @_;
	my $path = $stack->run . "/$program.sock";
	return scalar grep { /^(?:\S+ +){5}03 .* \Q$path\E$/ }
	    split /\n/, slurp('/proc/net/unix');
}

# ------------------------------------------------------------- steady streams

# Requests as bytes.
sub identity
{
	my ($token) = @_;
	return "GET /identity HTTP/1.1\r\nHost: localhost\r\n"
	    . "Authorization: Bearer $token\r\n\r\n";
}

sub enroll
{
	my ($token, $body) = @_;
	$body //= '';
	return "POST /enroll HTTP/1.1\r\nHost: localhost\r\n"
	    . "Thistle-Device-Enrollment-Token: $token\r\n"
	    . "Content-Type: application/x-www-form-urlencoded\r\n"
	    . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

sub admin
{
	my ($token, $path) = @_;
	return "GET /admin/v1$path HTTP/1.1\r\nHost: localhost\r\n"
	    . "Authorization: Bearer $token\r\n\r\n";
}

# clients => N, request => sub { client's number from 0, count → bytes },
# to => device|admin, pause => seconds between an answer and the next request,
# seconds => the longest it may last.
sub start
{
	my ($class, $stack, %option) = @_;
	my $base = $stack->tmp . '/load.' . ++$number;
	my $self = bless { base => $base, clients => [], stack => $stack,
		option => { pause => 0.01, seconds => 60, to => 'device', %option },
	}, $class;
	for my $client (0 .. $option{clients} - 1) {
		push @{$self->{clients}}, { file => "$base.$client",
			pid => child(sub { $self->client($client) }) };
	}
	# Not before all are at it.
	wait_until(20, sub { !grep { !-s $_->{file} } @{$self->{clients}} })
	    or die "the load doesn't start\n";
	return $self;
}

# Let each client finish what it is at.
sub stop
{
	my ($self) = @_;
	open my $end, '>', "$self->{base}.stop" or die "load: $!";
	reap($_->{pid}) for @{$self->{clients}};
	$self->{requests} = [sort { $a->{from} <=> $b->{from} } map {
		my $file = $_->{file};
		my @lines = split /\n/, slurp($file);
		unlink $file;
		map { my %request;
			@request{qw(from to status type retry)} = split / /;
			\%request } @lines } @{$self->{clients}}];
	unlink "$self->{base}.stop";
	return $self;
}

# After stop: {from, to (both unix times), status, type, retry (Retry-After)}
# of each request; status is "lost" when no whole answer came.
sub requests { return @{$_[0]{requests}} }
sub total { return scalar @{$_[0]{requests}} }

# After stop: {status => number}.
sub counts
{
	my ($self) = @_;
	my %counts;
	$counts{$_->{status}}++ for $self->requests;
	return \%counts;
}

sub client
{
	my ($self, $client) = @_;
	my ($option, $count) = ($self->{option}, 0);
	my $end = time + $option->{seconds};
	my $connection;
	local $SIG{PIPE} = 'IGNORE';
	open my $log, '>', "$self->{base}.$client" or die "load: $!";
	$log->autoflush(1);
	while (!-e "$self->{base}.stop" && time < $end) {
		$connection //= connect_tls($self->{stack}, $option->{to});
		my $from = time;
		my $answer = exchange($connection,
		    $option->{request}->($client, $count++));
		printf $log "%.6f %.6f %s %s %s\n", $from, time,
		    @$answer{qw(status type retry)};
		if ($answer->{close}) {
			disconnect($connection);
			undef $connection;
		}
		sleep $option->{pause};
	}
	disconnect($connection) if $connection;
}

sub connect_tls
{
	my ($stack, $to) = @_;
	my $port = $stack->setting(uc($to) . '_PORT');
	my $pid = open3(my $in, my $out, '>&STDERR', 'openssl', 's_client',
	    '-quiet', '-verify_quiet', '-verify_return_error', '-servername',
	    'localhost', '-CAfile', $stack->root_file, '-connect',
	    "127.0.0.1:$port");
	return { pid => $pid, in => $in, out => $out };
}

sub disconnect
{
	my ($connection) = @_;
	kill 'TERM', $connection->{pid};
	waitpid $connection->{pid}, 0;
}

# One request and its whole answer {status, type, retry, close, body}, or status
# "lost".
sub exchange
{
	my ($connection, $bytes) = @_;
	my ($got, $answer) = ('', { status => 'lost', type => '-', retry => '-',
		close => 1 });
	syswrite $connection->{in}, $bytes;
	until ($got =~ /\r\n\r\n/) {
		sysread $connection->{out}, $got, 65536, length $got
		    or return $answer;
	}
	my ($head, $body) = split /\r\n\r\n/, $got, 2;
	my ($length) = $head =~ /^content-length: *(\d+)/im or return $answer;
	while (length $body < $length) {
		sysread $connection->{out}, $body, 65536, length $body
		    or return $answer;
	}
	($answer->{status}) = $head =~ /^HTTP\S+ (\d+)/;
	$answer->{type} = $1 if $head =~ /^content-type: *(\S+)\r?$/im;
	$answer->{retry} = $1 if $head =~ /^retry-after: *(\d+)/im;
	$answer->{close} = $head =~ /^connection: *close/im;
	$answer->{body} = $body;
	return $answer;
}

END {
	my $status = $?;
	for my $pid (grep { $children{$_} == $$ } keys %children) {
		kill 'TERM', $pid;
		waitpid $pid, 0;
	}
	$? = $status;
}

1;
