# SPDX-License-Identifier: ISC
# A pappus-brokerd of a test's own: a feed that is published over HTTPS
# (Pappus::Feed, Pappus::FeedServer), the program that fetches it, and the
# mosquitto that it serves (Pappus::Broker, whose folder "feed" it keeps).
#
#	my $b = Pappus::Brokerd->new;
#	my ($good, $bad) = $b->broker->devices(2);
#	$b->crl('device', 1, serials => [$bad->{serial}]);
#	$b->publish;
#	$b->start;
#	$b->start_broker;		# mosquitto with a crlfile alone
#	ok($b->gets_in($good));
package Pappus::Brokerd;
use strict;
use warnings;

use Pappus::Broker;
use Pappus::Feed;
use Pappus::FeedServer;
use Pappus::MakeCrl;
use Pappus::Test qw(slurp spew free_port wait_until);
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

my @all;

# Options: hosts => how many (1), env => {NAME => VALUE}.
sub new
{
	my ($class, %option) = @_;
	my $broker = Pappus::Broker->new;
	my $self = bless { broker => $broker, crls => {}, owner => $$, read => 0,
		lists => Pappus::MakeCrl->new($broker->pki) }, $class;
	push @all, $self;
	for my $n (0 .. ($option{hosts} // 1) - 1) {
		my $feed = Pappus::Feed->new($self->path("published$n"));
		$self->add_issuers($feed);
		push @{$self->{feeds}}, $feed;
		push @{$self->{hosts}}, Pappus::FeedServer->new(
		    $self->path("host$n"), $feed->dir,
		    map { $self->path("mosquitto.$_") } qw(crt key));
	}
	$self->{env} = {
		PAPPUS_FEED_URL => join(' ', map { $_->url } @{$self->{hosts}}),
		PAPPUS_FEED_CA_FILE => $self->path('root/root.crt'),
		PAPPUS_CA_FILE => $self->path('root/root.crt'),
		PAPPUS_FEED_DIR => $self->path('feed'),
		PAPPUS_POLL_MS => 50,
		PAPPUS_METRICS_FILE => $self->path('metrics'),
		%{$option{env} // {}} };
	return $self;
}

sub add_issuers
{
	my ($self, $feed) = @_;
	$feed->issuer('root', $self->{lists}->url('root'),
	    $self->path('root/root.crt'));
	$feed->issuer($_, $self->{lists}->url($_), $self->path("$_/ca.crt"))
	    for qw(device service);
}

sub path { return $_[0]{broker}->path($_[1]) }
sub broker { return $_[0]{broker} }
sub feed { return $_[0]{feeds}[$_[1] // 0] }
sub host { return $_[0]{hosts}[$_[1] // 0] }
sub lists { return $_[0]{lists} }
sub env { return $_[0]{env} }
sub pid { return $_[0]{pid} }

# The environment of mosquitto's crlfile, kept by brokerd.
sub crl_file
{
	my ($self) = @_;
	$self->{env}{PAPPUS_CRL_FILE} = $self->path('crls.pem');
	$self->{env}{PAPPUS_BROKER_PID_FILE} = $self->path('mosquitto.pid');
	return $self->path('crls.pem');
}

# ------------------------------------------------------------- what is served

# The CA's list from the next publish on; options as of Pappus::MakeCrl, or
# file => what is there already; says => the number in the state.
sub crl
{
	my ($self, $ca, $number, %option) = @_;
	my $file = $option{file}
	    // $self->{lists}->make($ca, number => $number, %option);
	my $certificate = $ca eq 'root' ? 'root/root.crt' : "$ca/ca.crt";
	$self->{crls}{$ca} = [$option{says} // $number, $file,
		$self->path($option{as} // $certificate)];
	return $file;
}

# The state names no list of that CA.
sub no_crl { delete $_[0]{crls}{$_[1]} }

# Write the feed of a host, one sequence on; options as of Pappus::Feed::write,
# and host => N.
sub publish
{
	my ($self, %option) = @_;
	my $feed = $self->feed(delete $option{host});
	$feed->crls(map { (crl => $self->{crls}{$_}) } sort keys %{$self->{crls}});
	return $feed->write(%option);
}

# ------------------------------------------------------------- the program

sub program { return "$ENV{PAPPUS_BUILDDIR}/pappus-brokerd" }

# under => [a command to run it under].
sub start
{
	my ($self, %option) = @_;
	my $log = $self->path('brokerd.log');
	my @command = (@{$option{under} // []}, $self->program);
	spew($log, '') if !-e $log;
	$self->{pid} = fork // die "fork: $!";
	return $self->{pid} if $self->{pid} != 0;
	open STDERR, '>>', $log or die "$log: $!";
	open STDOUT, '>&', \*STDERR;
	# A sanitizer can't look for leaks in a process that nobody may trace.
	%ENV = (PATH => $ENV{PATH}, ASAN_OPTIONS => 'detect_leaks=0',
		%{$self->{env}}, %{$option{env} // {}});
	exec @command or die "$command[0]: $!";
}

sub stop
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{pid} or return;
	kill $signal // 'TERM', $pid;
	waitpid $pid, 0;
	return $?;
}

sub restart
{
	my ($self, %option) = @_;
	my $status = $self->stop;
	$self->start(%option);
	return $status;
}

# Runs it with an option: (status, output, errors).
sub command
{
	my ($self, @argument) = @_;
	my @command = ($self->program, @argument);
	local %ENV = (PATH => $ENV{PATH}, %{$self->{env}});
	my ($status, $out, $err) = Pappus::Test::run_command('', @command);
	return ($status >> 8, $out, $err);
}

sub health
{
	my ($self) = @_;
	my ($status, $out) = $self->command('--health');
	return ($status, $out);
}

# Soon: the exit status of --health, and a line that fits.
sub is_soon
{
	my ($self, $status, $pattern, $seconds) = @_;
	return wait_until($seconds // 20, sub {
		my ($is, $line) = $self->health;
		return $is == $status && $line =~ $pattern;
	});
}

sub log { return slurp($_[0]->path('brokerd.log')) }

# The log since the last call.
sub news
{
	my ($self) = @_;
	my $log = $self->log;
	my $from = $self->{read};
	$self->{read} = length $log;
	return substr $log, $from;
}

# Whether the log says so since the last news, soon.
sub says
{
	my ($self, $pattern, $seconds) = @_;
	return wait_until($seconds // 20, sub {
		substr($self->log, $self->{read}) =~ $pattern });
}

# Waits until it has looked at all that is served, at each host.
sub has_looked
{
	my ($self) = @_;
	sleep 0.6;
}

# What its folder's state says; undef: there is none.
sub state
{
	my ($self) = @_;
	my $dir = $self->path('feed');
	return -e "$dir/state" ? Pappus::Feed::state($dir) : undef;
}

# Waits until its folder is of that sequence.
sub comes_to
{
	my ($self, $sequence, $seconds) = @_;
	return wait_until($seconds // 20, sub {
		(eval { $self->state } // { sequence => 0 })->{sequence} == $sequence });
}

# The number of a CA's list in its folder; 0: none.
sub number
{
	my ($self, $ca) = @_;
	my $ski = $self->{ski}{$ca} //= $self->ski($ca);
	return ((eval { $self->state } // {})->{crl}{$ski} // [0])->[0];
}

sub ski
{
	my ($self, $ca) = @_;
	my $file = $ca eq 'root' ? 'root/root.crt' : "$ca/ca.crt";
	my $text = Pappus::Ceremony->run('', 'openssl', 'x509', '-in',
	    $self->path($file), '-noout', '-ext', 'subjectKeyIdentifier');
	return lc join '', $text =~ /([0-9A-F]{2})(?=:|\s*\z)/g;
}

# Waits until it holds a list of that number.
sub comes_to_crl
{
	my ($self, $ca, $number, $seconds) = @_;
	return wait_until($seconds // 20, sub { $self->number($ca) == $number });
}

# {name, with its labels => value}; dies when the file is not well-formed.
sub metrics
{
	my ($self) = @_;
	my (%value, %type);
	for (split /\n/, slurp($self->path('metrics'))) {
		next if /\A# HELP pappus_brokerd_\w+ \S.*\z/;
		if (/\A# TYPE (pappus_brokerd_\w+) (?:gauge|counter)\z/) {
			die "two types of $1" if $type{$1}++;
			next;
		}
		/\A((pappus_brokerd_\w+?)(?:\{(?:\w+="[^"\\]*",?)+\})?) (-?\d+(?:\.\d+)?)\z/
		    or die "no metric: $_";
		my ($whole, $name, $number) = ($1, $2, $3);
		die "$name has no type" if !$type{$name};
		$whole =~ s/\Apappus_brokerd_//;
		die "$whole twice" if defined $value{$whole};
		$value{$whole} = $number;
	}
	return \%value;
}

# ---------------------------------------------------------------- mosquitto

# Without the plugin: what revokes is the crlfile alone.  crlfile, pid_file =>
# other paths, user => who it runs as, more => [lines].
sub start_broker
{
	my ($self, %option) = @_;
	my $broker = $self->{broker};
	$broker->{port} //= free_port();
	my $user = $option{user} // ($> == 0 ? 'root' : undef);
	spew($self->path('mosquitto.conf'), join "\n",
		"listener $broker->{port} 127.0.0.1",
		(map { "$_->[0] " . $self->path($_->[1]) }
		    [cafile => 'clients.pem'], [certfile => 'mosquitto.crt'],
		    [keyfile => 'mosquitto.key'],
		    [acl_file => 'acl']),
		(map { "$_->[0] " . ($option{$_->[0]} // $self->path($_->[1])) }
		    [crlfile => 'crls.pem'], [pid_file => 'mosquitto.pid']),
		'require_certificate true', 'use_identity_as_username true',
		'allow_anonymous false', 'log_dest stderr', 'log_type all',
		'persistence false', $user ? "user $user" : (),
		@{$option{more} // []}, '');
	$broker->run_mosquitto(%option);
	wait_until(60, sub { IO::Socket::INET->new("127.0.0.1:$broker->{port}")
		|| !kill 0, $broker->{pid} });
	die "mosquitto doesn't start:\n", $broker->log
	    if waitpid($broker->{pid}, 1) != 0;
	return;
}

# A device connects, now.
sub gets_in
{
	my ($self, $device) = @_;
	$self->{mqtt} //= $self->{broker}->mqtt;
	my $name = 'c' . ++$self->{clients};
	my $answer = $self->{mqtt}->connect($name, $self->{broker}->as($device));
	$self->{mqtt}->command("drop $name");
	return ($answer->{code} // 99) == 0;
}

# From now on, those that are good and those that are bad connect over and over,
# in a process of its own, until the watch is over.
sub watch
{
	my ($self, $good, $bad) = @_;
	my $file = $self->path('watch' . ++$self->{watches});
	# It is built by the first, and not by both at once.
	$self->{mqtt} //= $self->{broker}->mqtt;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		$SIG{TERM} = sub { $self->{over} = 1 };
		# The parent's clients stay; DESTROY would end them.
		our $parents = delete $self->{mqtt};
		# A connection that is under way then is of no interest.
		eval { $self->keep_trying($good, $bad, $file) };
		spew($file, "died: $@") if $@ && !$self->{over};
		POSIX::_exit(0);
	}
	return { pid => $pid, file => $file };
}

sub keep_trying
{
	my ($self, $good, $bad, $file) = @_;
	my (@wrong, $rounds);
	while (!$self->{over}) {
		for (@$good) {
			push @wrong, time . " put out: $_->{id}"
			    if !$self->gets_in($_);
		}
		for (@$bad) {
			push @wrong, time . " let in: $_->{id}" if $self->gets_in($_);
		}
		spew("$file.new", join "\n", "rounds " . ++$rounds, @wrong);
		rename "$file.new", $file;
		sleep 0.02;
	}
	return;
}

# Rounds so far, and what went wrong.
sub watched
{
	my ($self, $watch) = @_;
	my ($rounds, @wrong) = split /\n/, -e $watch->{file}
	    ? slurp($watch->{file}) : 'rounds 0';
	return ($rounds =~ s/\Arounds //r, @wrong);
}

# Ends it: nothing may have gone wrong.
sub watched_well
{
	my ($self, $watch, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	kill 'TERM', $watch->{pid};
	waitpid $watch->{pid}, 0;
	my ($rounds, @wrong) = $self->watched($watch);
	Test::More::is_deeply(\@wrong, [], $name);
	Test::More::cmp_ok($rounds, '>', 10, "… in $rounds rounds");
	return;
}

END {
	local $?;
	for (@all) {
		next if $_->{owner} != $$;
		$_->stop('KILL');
		$_->{broker}->stop('KILL');
	}
}

1;
