# SPDX-License-Identifier: ISC
# A pappus-crld of a test's own, started from the build folder beside a stack
# (Pappus::Test), whose own is ended, with copies of its CAs' keys and a public
# folder of its own; and what it has published, read and verified as strangers
# would.
#
#	my $crld = Pappus::Crld->new($stack, 'first');
#	$crld->start;
#	ok(wait_until(10, sub { $crld->denied->{serials}{$serial} }));
#	ok($crld->crl('device')->{revoked}{$serial});
package Pappus::Crld;
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Pappus::Feed;
use Pappus::Test qw(slurp spew wait_until);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

my %running;

# Options: env => {NAME => VALUE}, keys => [files], public => folder.
sub new
{
	my ($class, $stack, $name, %option) = @_;
	my $dir = $stack->tmp . "/crld-$name";
	# Or that one would lead.
	$stack->stack('stop', 'crld') if !$stack->{crld_ended}++;
	my $self = bless { stack => $stack, name => $name, dir => $dir,
		env => $option{env} // {}, public => $option{public} // "$dir/public",
		keys => "$dir/keys", log => "$dir/log" }, $class;
	-d $_ or mkdir $_, 0700 or die "$_: $!" for $dir, $self->{keys};
	-d $self->{public} or mkdir $self->{public}, 0755
	    or die "$self->{public}: $!";
	$self->give_key($_) for @{$option{keys}
		// [map { $stack->dir . "/ca/$_/ca.key" } qw(device server)]};
	spew($self->{log}, '');
	return $self;
}

sub public { return $_[0]{public} }
sub keys_dir { return $_[0]{keys} }
sub metrics_file { return "$_[0]{dir}/crld.prom" }
sub log { return slurp($_[0]{log}) }
sub pid { return $_[0]{pid} }

# The end of its log, for when a test fails.
sub tail { return join '', (split /^/, $_[0]->log)[-8 .. -1] }

# A key's copy, there at once and whole.
sub give_key
{
	my ($self, $file) = @_;
	my $name = $file =~ s{^.*/([^/]+)/([^/]+)\.key$}{$1-$2}r;
	spew("$self->{keys}/$name.new", slurp($file));
	rename "$self->{keys}/$name.new", "$self->{keys}/$name.key" or die $!;
	return "$self->{keys}/$name.key";
}

sub environment
{
	my ($self) = @_;
	my $run = $self->{stack}->run;
	my %env = (PAPPUS_DATABASE => "host=$run/pg dbname=pappus"
		. " user=pappus_crl passfile=$run/pgpass",
		PAPPUS_CA_DIR => $self->{keys}, PAPPUS_PUBLIC_DIR => $self->{public},
		PAPPUS_METRICS_FILE => $self->metrics_file, %{$self->{env}});
	delete @env{grep { !defined $env{$_} } keys %env};
	return %env;
}

# at => '+7d' or '@2050-01-01 00:00:00': by that clock (libfaketime).
sub time_of
{
	my ($at) = @_;
	return () if !defined $at;
	my ($library) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';
	return (LD_PRELOAD => $library, FAKETIME => $at,
		FAKETIME_DONT_FAKE_MONOTONIC => 1);
}

sub start
{
	my ($self, %option) = @_;
	my %env = ($self->environment, time_of($option{at}));
	my $program = "$ENV{PAPPUS_BUILDDIR}/pappus-crld";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $self->{log};
		open STDERR, '>>', $self->{log};
		delete $ENV{$_} for grep { /^PAPPUS_/ } keys %ENV;
		@ENV{keys %env} = values %env;
		exec $program or POSIX::_exit(127);
	}
	$self->{pid} = $running{$pid} = $pid;
	return $self;
}

# (exit status, output) of pappus-crld OPTION with its environment.
sub run
{
	my ($self, @option) = @_;
	my %env = $self->environment;
	local %ENV = (%ENV, %env);
	my ($status, $out, $err) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/pappus-crld", @option);
	return ($status >> 8, $out . $err);
}

# Its exit status, or -1 when it was killed.
sub stop
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{pid} // return;
	kill $signal // 'TERM', $pid;
	waitpid $pid, 0;
	delete $running{$pid};
	return $? & 127 ? -1 : $? >> 8;
}

sub alive
{
	my ($self) = @_;
	return $self->{pid} && waitpid($self->{pid}, WNOHANG) == 0;
}

# How often an event is in the log.
sub events
{
	my ($self, $event) = @_;
	return scalar(() = $self->log =~ / event=\Q$event\E /g);
}

# A metric's value: metric('crld_leader'), metric('crld_alarm', what => 'feed').
sub metric
{
	my ($self, $name, $label, $value) = @_;
	my $text = eval { slurp($self->metrics_file) } // return;
	my $labels = defined $label ? qr/\{[^}]*$label="\Q$value\E"[^}]*\}/ : '';
	return $text =~ /^pappus_$name$labels (-?\d+)$/m ? $1 : undef;
}

# The number of the stack's CA for that purpose.
sub issuer
{
	my ($self, $purpose) = @_;
	return $self->{stack}->psql('postgres', 'SELECT min(issuer_id) FROM'
	    . " pappus.issuers WHERE purpose = '$purpose'");
}

sub alarm { return $_[0]->metric('crld_alarm', what => $_[1]) }

# ------------------------------------------------------------ what is published

sub file { return "$_[0]{public}/$_[1]" }

# The feed, as Pappus::Feed reads it; undef before there is one.
sub denied
{
	my ($self) = @_;
	return if !-e $self->file('feed/state');
	# A state may follow while it is read: what it named stays.
	return Pappus::Feed::read($self->file('feed'));
}

# The CRL of a CA of the stack at its address: {number, this, next, revoked =>
# {serial => reason or ''}, text}; undef when there is none.
sub crl
{
	my ($self, $name) = @_;
	return crl_of($self->file("crl/$name.crl"));
}

sub crl_of
{
	my ($file) = @_;
	return if !-e $file;
	my ($status, $text, $err) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', 'DER', '-in', $file, '-noout', '-text', '-nameopt',
	    'RFC2253');
	die "$file: $err" if $status != 0;
	# Entry by entry: one pattern over all of a long text takes minutes.
	my ($head, @entries) = split /^\s+Serial Number: /m, $text;
	my %crl = (text => $text, revoked => {});
	($crl{number}) = $head =~ /X509v3 CRL Number: \s+(\S+)/
	    or die "$file: no number\n";
	$crl{number} = oct $crl{number} if $crl{number} =~ /^0x/i;
	$crl{number} += 0;
	($crl{this}) = $head =~ /Last Update: (.*)/;
	($crl{next}) = $head =~ /Next Update: (.*)/;
	for my $entry (@entries) {
		my ($serial) = $entry =~ /\A([0-9A-F]+)$/m;
		$crl{revoked}{lc $serial} =
		    $entry =~ /CRL Reason Code:\s*\n\s+(.*)/ ? $1 : '';
	}
	return \%crl;
}

# What is wrong with all that is published: nothing, it is hoped.  Every file
# that the state names has its digest, every CRL its CA's signature, the PEM
# beside it the same octets; the deny-list can be read.
sub faults
{
	my ($self) = @_;
	my @wrong;
	my $state = eval { Pappus::Feed::state($self->file('feed')) }
	    or return "state: $@";
	for my $name (@$state{qw(base delta)}, $state->{crls} // (),
		map { $_->[1] } values %{$state->{crl}}) {
		my $bytes = eval { slurp($self->file("feed/$name")) };
		push @wrong, "feed/$name " . (defined $bytes ? 'differs' : 'is missing')
		    if sha256_hex($bytes // '') ne $name;
	}
	eval { $self->denied; 1 } or push @wrong, "deny-list: $@";
	push @wrong, map { $self->crl_faults($_) } qw(device server root);
	return @wrong;
}

# The CA's certificate in the stack.
sub certificate
{
	my ($self, $name) = @_;
	return $self->{stack}->dir
	    . ($name eq 'root' ? '/ca/device/root.crt' : "/ca/$name/ca.crt");
}

sub crl_faults
{
	my ($self, $name) = @_;
	my @wrong;
	my $file = $self->file("crl/$name.crl");
	return if !-e $file;
	my ($status, $out, $err) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', 'DER', '-in', $file, '-noout', '-CAfile',
	    $self->certificate($name));
	push @wrong, "$name.crl: $out$err" if $err !~ /verify OK/;
	return @wrong;
}

# openssl verify -crl_check of a certificate's file: true, or why not.
sub verify
{
	my ($self, $certificate, %option) = @_;
	my $stack = $self->{stack};
	my $name = $option{ca} // 'device';
	my $pem = "$self->{dir}/verify.pem";
	my ($status, $text) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', 'DER', '-in', $self->file("crl/$name.crl"));
	die "no CRL of $name\n" if $status != 0;
	spew($pem, $text);
	($status, my $out, my $err) = Pappus::Test::run_command('', 'openssl',
	    'verify', '-crl_check', '-CRLfile', $pem, '-CAfile',
	    $self->certificate('root'), '-untrusted', $self->certificate($name),
	    @{$option{args} // []}, $certificate);
	return $status == 0 ? 'OK' : "$out$err" =~ /error \d+[^:]*:\s*(.*)/
	    ? $1 : "$out$err";
}

END {
	local $?;
	for my $pid (keys %running) {
		kill 'KILL', $pid;
		waitpid $pid, 0;
	}
}

1;
