# SPDX-License-Identifier: ISC
# A proxy in front of a stack's PostgreSQL that knows the protocol well enough
# to fail at a chosen place.  It listens on a Unix socket of its own and looks
# at each call of a prepared statement (Bind to Sync, PostgreSQL 15
# documentation §55.2.3): it records what was called with which parameters,
# and can hold it, cut it in half, lose its answer, or let nothing through.
#
#	my $proxy = Pappus::Proxy->start($stack);
#	$proxy->serve('enroll', 'identity');	# they now come through it
#	$proxy->hold('issue');
#	…
#	$proxy->release('issue' => 'swallow');
#	is_deeply([map { $_->{size} } $proxy->calls('issue')], [1, 8]);
package Pappus::Proxy;
use strict;
use warnings;

use IO::Handle;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(_exit);
use Socket;
use Pappus::Test qw(slurp spew);

# NoticeResponse (§55.7): fields with their types, each ended by a zero byte.
my $notice = "SWARNING\0VWARNING\0C57P01\0Mimmediate shutdown\0\0";
my $WARNING = pack 'a N a*', 'N', 4 + length $notice, $notice;

my @running;

sub start
{
	my ($class, $stack) = @_;
	my $dir = $stack->run . '/proxy';
	mkdir $dir or die "$dir: $!";
	# The programs are other users when root runs the stack.
	chmod 0711, $dir;
	my $listener = IO::Socket::UNIX->new(Local => "$dir/.s.PGSQL.5432",
	    Listen => 64) or die "proxy: $!";
	chmod 0777, "$dir/.s.PGSQL.5432";
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
	    or die "socketpair: $!";
	$_->autoflush(1) for $ours, $theirs;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		close $ours;
		$SIG{INT} = $SIG{TERM} = 'DEFAULT';
		$SIG{PIPE} = 'IGNORE';
		eval { run($listener, $theirs, $stack->run . '/pg/.s.PGSQL.5432') };
		print STDERR "proxy: $@" if $@;
		_exit(0);
	}
	my $self = bless { stack => $stack, dir => $dir, pid => $pid,
		owner => $$, control => $ours }, $class;
	push @running, $self;
	return $self;
}

# Restart programs so that their database is behind the proxy.
sub serve
{
	my ($self, @programs) = @_;
	my ($stack, $file) = ($self->{stack}, $self->{stack}->dir . '/env');
	my $env = -e $file ? slurp($file) : '';
	for my $program (@programs) {
		# Each has a user and a password file of its own.
		spew($file, "${env}PAPPUS_DATABASE=host=$self->{dir} dbname=pappus "
		    . "user=pappus_$program passfile='"
		    . $stack->run . "/$program/pgpass'\n");
		$stack->stack('restart', $program);
	}
	spew($file, $env);
	return;
}

# ---------------------------------------------------------------- commands

sub command
{
	my ($self, @words) = @_;
	print { $self->{control} } encode_json(\@words), "\n";
	my $line = readline $self->{control};
	die "the proxy has ended\n" if !defined $line;
	return @{decode_json($line)};
}

# Keep calls of a statement back, from the next on.
sub hold { return shift->command('hold', @_) }

# What was held goes on; optionally, what shall happen to the next call of a
# statement (see below).
sub release { return shift->command('release', @_) }

# next STATEMENT => ACTION, for the next call of it:
#   warn     nothing of it is forwarded, the connection is closed with the
#            WARNING that an immediate shutdown sends
#   half     half of it is forwarded, then the connection is closed
#   swallow  it is forwarded and answered, the answer is lost, then likewise
#   mute     it is forwarded, the answer is lost, the connection stays
#   keep     it alone is held, while later calls pass
sub next { return shift->command('next', @_) }

# Close what connections there are.
sub cut { return shift->command('cut') }

# Let nothing through in either direction, new connections included; and again.
sub stall { return shift->command('stall') }
sub resume { return shift->command('resume') }

# How many connections have a call that is held.
sub held { return (shift->command('held'))[0] }

# Forget what was recorded.
sub forget { return shift->command('forget') }

# The calls since then, of one statement or all: {statement, size, params}.
# size is the number of elements of the first parameter, which is an array.
sub calls
{
	my ($self, $statement) = @_;
	return grep { !defined $statement || $_->{statement} eq $statement }
	    $self->command('calls');
}

# The elements of an array of plain words, by the parameter's number from 0.
sub elements
{
	my ($call, $number) = @_;
	return map { s/"//gr } split /,/, $call->{params}[$number] =~ s/^\{|\}$//gr;
}

# ------------------------------------------------------- the child's own part

sub run
{
	my ($listener, $control, $server) = @_;
	my $state = { connections => [], calls => [], hold => {}, next => {},
		stalled => 0, server => $server, input => '' };
	while (1) {
		my $select = IO::Select->new($control);
		if (!$state->{stalled}) {
			$select->add($listener);
			$select->add($_->{client_gone} ? () : $_->{client},
			    $_->{server}) for @{$state->{connections}};
		}
		my %ready = map { fileno $_ => 1 } $select->can_read;
		if ($ready{fileno $control}) {
			obey($state, $control) or return;
			next;
		}
		accept_one($state, $listener) if $ready{fileno $listener};
		for my $c (@{$state->{connections}}) {
			from_client($state, $c)
			    if !$c->{closed} && !$c->{client_gone}
			    && $ready{fileno $c->{client}};
			from_server($state, $c)
			    if !$c->{closed} && $ready{fileno $c->{server}};
		}
		sweep($state);
	}
}

sub sweep
{
	my ($state) = @_;
	$state->{connections} = [grep { !$_->{closed} } @{$state->{connections}}];
}

sub hang_up
{
	my ($c) = @_;
	return if $c->{closed}++;
	close $c->{client};
	close $c->{server};
}

sub accept_one
{
	my ($state, $listener) = @_;
	my $client = $listener->accept or return;
	my $server = IO::Socket::UNIX->new($state->{server});
	# The server is down: so it looks from here.
	return close $client if !$server;
	push @{$state->{connections}},
	    { client => $client, server => $server, from_client => '',
		from_server => '', call => '', held => [] };
}

sub obey
{
	my ($state, $control) = @_;
	sysread($control, $state->{input}, 65536, length $state->{input})
	    or return 0;
	while ($state->{input} =~ s/^(.*)\n//) {
		my ($verb, @args) = @{decode_json($1)};
		my %verbs = (
			hold => sub { $state->{hold}{$_} = 1 for @args },
			release => sub { let_go($state, @args) },
			next => sub { $state->{next} = {@args} },
			cut => sub { hang_up($_) for @{$state->{connections}} },
			stall => sub { $state->{stalled} = 1 },
			resume => sub { $state->{stalled} = 0 },
			held => sub { scalar grep { @{$_->{held}} }
			    @{$state->{connections}} },
			forget => sub { $state->{calls} = [] },
			calls => sub { @{$state->{calls}} });
		my @answer = $verbs{$verb}->();
		@answer = () if $verb !~ /^(?:held|calls)$/;
		print $control encode_json(\@answer), "\n";
		sweep($state);
	}
	return 1;
}

sub let_go
{
	my ($state, %next) = @_;
	$state->{hold} = {};
	$state->{next} = \%next;
	for my $c (@{$state->{connections}}) {
		forward($c, 'server', $_) for @{$c->{held}};
		$c->{held} = [];
		# Its client had given up meanwhile.
		hang_up($c) if $c->{client_gone};
	}
}

sub forward
{
	my ($c, $to, $bytes) = @_;
	while (!$c->{closed} && length $bytes) {
		my $sent = syswrite $c->{$to}, $bytes;
		return hang_up($c) if !$sent;
		substr $bytes, 0, $sent, '';
	}
}

sub from_client
{
	my ($state, $c) = @_;
	if (!sysread $c->{client}, $c->{from_client}, 65536,
	    length $c->{from_client}) {
		# What is held is in flight: it arrives although nobody waits.
		return hang_up($c) if !@{$c->{held}};
		$c->{client_gone} = 1;
		return;
	}
	while (!$c->{closed} && defined(my $message = take_message($c))) {
		my $type = $c->{started}++ ? substr $message, 0, 1 : 'startup';
		if ($type eq 'B' || $c->{call} ne '') {
			$c->{call} .= $message;
			next if $type ne 'S';
			dispatch($state, $c, $c->{call});
			$c->{call} = '';
			next;
		}
		# What comes after something held waits behind it.
		@{$c->{held}} ? push @{$c->{held}}, $message
		    : forward($c, 'server', $message);
	}
}

# The next whole message of a client; the first has no type before its length.
sub take_message
{
	my ($c) = @_;
	my $at = $c->{started} ? 1 : 0;
	return if length $c->{from_client} < $at + 4;
	my $length = $at + unpack 'N', substr $c->{from_client}, $at, 4;
	return if length $c->{from_client} < $length;
	return substr $c->{from_client}, 0, $length, '';
}

# Bind: portal, statement, formats, parameters.
sub parse_bind
{
	my ($bytes) = @_;
	my (undef, $statement, $rest) = unpack 'x5 Z* Z* a*', $bytes;
	my @numbers = unpack 'n/n a*', $rest;
	my $count = unpack 'n', ($rest = pop @numbers);
	substr $rest, 0, 2, '';
	my @params;
	for (1 .. $count) {
		my $length = unpack 'N', substr $rest, 0, 4, '';
		push @params,
		    $length == 0xffffffff ? undef : substr $rest, 0, $length, '';
	}
	return { statement => $statement, params => \@params,
		size => scalar(split /,/, $params[0] // '') };
}

sub dispatch
{
	my ($state, $c, $bytes) = @_;
	my $call = parse_bind($bytes);
	push @{$state->{calls}}, $call;
	my $action = delete $state->{next}{$call->{statement}} // 'pass';
	return push @{$c->{held}}, $bytes
	    if $action eq 'keep' || $state->{hold}{$call->{statement}};
	if ($action eq 'warn') {
		forward($c, 'client', $WARNING);
		return hang_up($c);
	}
	$c->{lose} = $action if $action =~ /^(?:swallow|mute)$/;
	$bytes = substr $bytes, 0, length($bytes) / 2 if $action eq 'half';
	forward($c, 'server', $bytes);
	hang_up($c) if $action eq 'half';
}

sub from_server
{
	my ($state, $c) = @_;
	sysread $c->{server}, my $bytes, 65536 or return hang_up($c);
	return forward($c, 'client', $bytes) if !$c->{lose};
	# ReadyForQuery comes after the commit and ends the answer (§55.2.3).
	$c->{from_server} .= $bytes;
	while (length $c->{from_server} >= 5) {
		my ($type, $length) = unpack 'a N', $c->{from_server};
		return if length $c->{from_server} < $length + 1;
		substr $c->{from_server}, 0, $length + 1, '';
		return hang_up($c) if $type eq 'Z' && $c->{lose} eq 'swallow';
	}
}

# The end of the control socket tells the child to end, should we be killed.
END {
	my $status = $?;
	for my $self (grep { $_->{owner} == $$ } @running) {
		kill 'TERM', $self->{pid};
		waitpid $self->{pid}, 0;
	}
	$? = $status;
}

1;
