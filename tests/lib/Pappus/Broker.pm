# SPDX-License-Identifier: ISC
# A mosquitto of a test's own, guarded by the plugin, with a configuration that
# is shipped; its certificates come from a hierarchy without servers
# (Pappus::Ceremony: root, device, service, server), its list from a feed's
# folder (Pappus::Feed).
#
#	my $broker = Pappus::Broker->new;
#	my ($one, $two) = $broker->devices(2);
#	$broker->feed->write;
#	$broker->start;
#	my $mqtt = $broker->mqtt;
#	is($mqtt->connect('one', $broker->as($one))->{code}, 0);
#	$broker->feed->delta('+device' => $one->{id});
#	$broker->feed->write;
package Pappus::Broker;
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Pappus::Ceremony;
use Pappus::Feed;
use Pappus::Mqtt;
use Pappus::Test qw(slurp spew free_port wait_until);
use POSIX qw(WNOHANG);

my $source = abs_path(dirname(__FILE__) . '/../../..');

sub new
{
	my ($class) = @_;
	my $pki = Pappus::Ceremony->new;
	$pki->root('root');
	$pki->sub_ca('root', $_) for qw(device service server);
	$pki->ca('server', '--dir', $pki->path('server'), '--name', 'broker',
	    '--dns', 'localhost', '--ip', '127.0.0.1', '--out',
	    $pki->path('mosquitto'));
	my $self = bless { pki => $pki, owner => $$,
		feed => Pappus::Feed->new($pki->path('feed')) }, $class;
	$self->{feed}->issuer($_, '-', $pki->path("$_/ca.crt"))
	    for qw(device service);
	spew($pki->path('clients.pem'),
	    join '', map { $pki->pem($_) } qw(root/root.crt device/ca.crt
		service/ca.crt));
	spew($pki->path('acl'), "pattern readwrite devices/%u/#\n");
	return $self;
}

sub pki { return $_[0]{pki} }
sub feed { return $_[0]{feed} }
sub path { return $_[0]{pki}->path($_[1]) }
sub port { return $_[0]{port} }
sub pid { return $_[0]{pid} }

# So many devices of a sub-CA's: {id, serial, cert => file, key => file}.
sub devices
{
	my ($self, $n, $ca) = @_;
	my @validity = (time - 3600, time + 86400 * 365);
	my $pki = $self->{pki};
	my @devices = $pki->devices($ca // 'device', map { [@validity] } 1 .. $n);
	for (@devices) {
		my $base = $pki->path("$_->{id}-$_->{serial}");
		spew("$base.crt", delete $_->{certificate});
		spew("$base.key", delete $_->{key});
		@$_{qw(cert key)} = ("$base.crt", "$base.key");
	}
	return @devices;
}

# From now on the device sends its sub-CA's certificate along.
sub send_along
{
	my ($self, $device, $ca) = @_;
	spew($device->{cert}, slurp($device->{cert})
	    . slurp($self->path("$ca/ca.crt")));
}

# A service: {id, serial, cert, key}; the ACL lets it read all that devices send.
sub service
{
	my ($self) = @_;
	my $base = $self->path('service' . $self->{services}++);
	$self->{pki}->ca('service', '--dir', $self->path('service'), '--out',
	    $base);
	my $text = Pappus::Ceremony->run('', 'openssl', 'x509', '-in',
	    "$base.crt", '-noout', '-subject', '-serial');
	my ($id, $serial) = $text =~ /(svc_\w+).*^serial=(\w+)/ms;
	spew($self->path('acl'), slurp($self->path('acl'))
	    . "user $id\ntopic read devices/#\n");
	return { id => $id, serial => lc $serial, cert => "$base.crt",
		key => "$base.key" };
}

# A certificate as openssl makes it, signed by a sub-CA's key: for those that
# Pappus does not make.  subject => '/CN=…', chain => [files to send along],
# seconds => valid for so long only (needs faketime).
sub odd
{
	my ($self, $ca, $subject, %option) = @_;
	my $base = $self->path('odd' . $self->{odd}++);
	my @then = $option{seconds}
	    ? ('faketime', '-f', ($option{seconds} - 86400) . 's') : ();
	my $run = sub { Pappus::Ceremony->run('', @then, 'openssl', @_) };
	spew("$base.ext", "extendedKeyUsage=clientAuth\n"
	    . "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n");
	$run->('req', '-new', '-newkey', 'ec', '-pkeyopt',
	    'ec_paramgen_curve:P-256', '-noenc', '-keyout', "$base.key", '-out',
	    "$base.csr", '-subj', $subject, '-utf8');
	$run->('x509', '-req', '-in', "$base.csr", '-CA', $self->path("$ca/ca.crt"),
	    '-CAkey', $self->path("$ca/ca.key"), '-set_serial',
	    $option{serial} // '0x0102030405060708090a0b0c0d0e0f10', '-days',
	    $option{seconds} ? 1 : 30, '-extfile', "$base.ext", '-out',
	    "$base.crt");
	spew("$base.crt", join '', map { slurp($_) } "$base.crt",
	    @{$option{chain} // []});
	return { cert => "$base.crt", key => "$base.key" };
}

# How one connects as that device: under its id, unless it is said otherwise.
sub as
{
	my ($self, $who, %option) = @_;
	return (id => $who->{id}, cert => $who->{cert}, key => $who->{key},
	    %option);
}

# The shipped configuration (config => its name), filled in.  Options:
# max_age => seconds, more => [lines], persistence => 1, edit => sub that changes
# the text in $_, daemon => 1 (its pid_file must be daemon.pid), under => [a
# command to run it under].  Without any, as the last time.
sub start
{
	my ($self, %option) = @_;
	$self->{option} = \%option if %option || !$self->{option};
	%option = %{$self->{option}};
	$self->{port} //= free_port();
	my $conf = slurp("$source/broker/" . ($option{config}
	    // 'mosquitto-plugin') . '.conf');
	my %word = (LISTEN => "$self->{port} 127.0.0.1",
	    CONFIG => $self->path(''), PLUGIN => $ENV{PAPPUS_BUILDDIR},
	    FEED => $self->path('feed'), CRL_FILE => $self->path('crls.pem'),
	    PID_FILE => $self->path('mosquitto.pid'));
	$conf =~ s/@([A-Z_]+)@/$word{$1} \/\/ die "\@$1\@?"/ge;
	$conf =~ s/^plugin_opt_max_age .*/plugin_opt_max_age $option{max_age}/m
	    if $option{max_age};
	$conf .= join "\n", 'log_dest stderr', 'log_type all',
	    'log_timestamp_format %Y-%m-%dT%H:%M:%S', 'max_connections -1',
	    $> == 0 ? 'user root' : (), 'persistence_location ' . $self->path(''),
	    'persistence ' . ($option{persistence} ? 'true' : 'false'),
	    @{$option{more} // []}, '';
	$option{edit}->() for $option{edit} ? $conf : ();
	spew($self->path('mosquitto.conf'), $conf);
	$self->run_mosquitto(%option);
	$self->find_daemon if $option{daemon};
	wait_until(60, sub { IO::Socket::INET->new("127.0.0.1:$self->{port}")
		|| $self->has_ended });
	die "mosquitto doesn't start:\n", $self->log if $self->has_ended;
	return $self;
}

sub run_mosquitto
{
	my ($self, %option) = @_;
	my @command = (@{$option{under} // []}, '/usr/sbin/mosquitto', '-c',
	    $self->path('mosquitto.conf'), $option{daemon} ? '-d' : ());
	my @preload = sanitizer();
	$self->{pid} = fork // die "fork: $!";
	return if $self->{pid} != 0;
	open STDERR, '>>', $self->path('log') or die "log: $!";
	open STDOUT, '>&', \*STDERR;
	if (@preload) {
		# mosquitto's own leaks, and what dlopen keeps, are not at issue.
		local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';
		local $ENV{LD_PRELOAD} = $preload[0];
		exec @command;
	}
	exec @command;
}

sub has_ended
{
	my ($self) = @_;
	waitpid $self->{pid}, WNOHANG if !$self->{daemon};
	return !kill 0, $self->{pid};
}

# What was started has left a daemon behind.
sub find_daemon
{
	my ($self) = @_;
	waitpid $self->{pid}, 0;
	my $file = $self->path('daemon.pid');
	wait_until(20, sub { -s $file }) or die "no daemon\n";
	$self->{pid} = slurp($file) + 0;
	$self->{daemon} = 1;
}

# The runtime of the address sanitizer, when the plugin was built with it.
sub sanitizer
{
	my $plugin = "$ENV{PAPPUS_BUILDDIR}/pappus_mosquitto.so";
	return if `nm -D '$plugin'` !~ /__asan_init/;
	my $file = `clang -print-file-name=libclang_rt.asan-x86_64.so`;
	chomp $file;
	return $file;
}

# Ends mosquitto; returns its wait status.
sub stop
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{pid} or return;
	kill $signal // 'TERM', $pid;
	return wait_until(20, sub { !kill 0, $pid }) ? 0 : -1
	    if delete $self->{daemon};
	waitpid $pid, 0;
	return $?;
}

sub signal
{
	my ($self, $signal) = @_;
	kill $signal, $self->{pid};
}

sub log { return slurp($_[0]->path('log')) }

# The log since the last call.
sub news
{
	my ($self) = @_;
	my $log = $self->log;
	my $from = $self->{read} // 0;
	$self->{read} = length $log;
	return substr $log, $from;
}

# Whether the log says so since the last news, soon.
sub says
{
	my ($self, $pattern, $seconds) = @_;
	return wait_until($seconds // 10, sub {
		substr($self->log, $self->{read} // 0) =~ $pattern });
}

# Clients, in a process of their own.
sub mqtt
{
	my ($self) = @_;
	return Pappus::Mqtt->new($self->{port}, $self->path('root/root.crt'));
}

sub DESTROY
{
	my ($self) = @_;
	return if $$ != $self->{owner};
	local ($?, $!, $@);
	$self->stop('KILL');
}

1;
