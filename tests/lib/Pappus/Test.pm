# SPDX-License-Identifier: ISC
# What the integration tests stand on: a stack of their own (stack/stack) in a
# temporary folder and on free ports, requests to it, and the register of
# secrets.  Every token and key that an answer brings is registered; at the
# end of each test file all are searched for in the stack's logs, database and
# run folder, and one that is found fails the file.
#
#	my $stack = Pappus::Test->start(env => { PAPPUS_THREADS => 4 });
#	my $token = $stack->enrollment_token($stack->project);
#	my $answer = $stack->enroll($token, label => 'pump');
#	is($answer->{status}, 200);
package Pappus::Test;
use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IPC::Open3;
use JSON::PP;
use MIME::Base64;
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(secret secrets_in slurp spew free_port wait_until);

my $source = abs_path(dirname(__FILE__) . '/../../..');
my %started;    # by folder
my %secrets;    # what must be found nowhere => what it is

# ---------------------------------------------------------------- the stack

# Options: env => {NAME => VALUE} for the programs, rate => '5r/s',
# workers => N.
sub start
{
	my ($class, %option) = @_;
	my $build = $ENV{PAPPUS_BUILDDIR} or die "PAPPUS_BUILDDIR is not set\n";
	my $tmp = tempdir('/tmp/pappus-test.XXXXXX', CLEANUP => 0);
	chmod 0711, $tmp;
	my $self = bless { tmp => $tmp, dir => "$tmp/stack" }, $class;
	$started{$tmp} = $self;
	my @args = ('--builddir', $build);
	push @args, "--$_-port", free_port() for qw(device admin public mqtt);
	push @args, '--rate', $option{rate} // '100000r/s';
	push @args, '--workers', $option{workers} if $option{workers};
	push @args, '--env', "$_=$option{env}{$_}" for keys %{$option{env}};
	$self->stack('up', @args);
	$self->{admin_token} = slurp("$self->{dir}/admin-token") =~ s/\s+//r;
	secret($self->{admin_token}, 'admin token');
	return $self;
}

# stack VERB ARGUMENTS..., e.g. $stack->stack('restart', 'postgres').
sub stack
{
	my ($self, $verb, @args) = @_;
	my $log = "$self->{tmp}/stack.log";
	system('sh', '-c', 'exec "$@" >>"$0" 2>&1 </dev/null', $log,
	    "$source/stack/stack", $verb, $self->{dir}, @args) == 0
	    or die "stack $verb failed:\n", slurp($log), $self->log('setup');
}

sub dir { return $_[0]{dir} }
sub tmp { return $_[0]{tmp} }

# The run folder: sockets, and what nginx and the broker read.
sub run { return slurp("$_[0]{dir}/run-dir") =~ s/\n//r }

# DEVICE_PORT, ADMIN_PORT, PUBLIC_PORT, MQTT_PORT, PGDATA.
sub setting
{
	my ($self, $name) = @_;
	return slurp("$self->{dir}/settings") =~ /^\Q$name\E=(.*)$/m ? $1 : undef;
}

# The process of a component; of a program: what keeps its multiwatch.
sub pid
{
	my ($self, $component) = @_;
	return (split ' ', slurp("$self->{dir}/pid/$component"))[0];
}

# The text of a log: enroll identity admin postgres mosquitto nginx-access
# nginx-error setup.
sub log
{
	my ($self, $name) = @_;
	my $file = "$self->{dir}/log/$name.log";
	return -e $file ? slurp($file) : '';
}

sub root_file { return "$_[0]{dir}/public/ca/root.pem" }

# ----------------------------------------------------------------- requests

# http METHOD, PATH, headers => ['Name: value', …], body => bytes,
# to => device|admin|public, curl => [lines of a curl configuration].
# Returns {status, headers => {lower-case name => [values]}, body, json}.
sub http
{
	my ($self, $method, $path, %option) = @_;
	my $to = $option{to} // 'device';
	my $port = $self->setting(uc($to) . '_PORT');
	my $scheme = $to eq 'public' ? 'http' : 'https';
	my @config = (
		'silent', 'show-error', 'include', 'path-as-is', 'globoff',
		'max-time = 30', 'noproxy = "*"',
		'cacert = ' . quote($self->root_file),
		'url = ' . quote("$scheme://localhost:$port$path"),
		$method eq 'HEAD' ? 'head' : 'request = ' . quote($method),
		(map { 'header = ' . quote($_) } @{$option{headers} // []}),
		@{$option{curl} // []});
	my $body = "$self->{tmp}/body.$$";
	if (defined $option{body}) {
		spew($body, $option{body});
		push @config, 'data-binary = ' . quote("\@$body");
	}
	# On standard input: arguments can be seen by everyone.
	my ($status, $out, $err) = run_command(join("\n", @config, ''),
	    'curl', '-q', '-K', '-');
	unlink $body;
	die "curl $method $path: $err" if $status != 0 && $out eq '';
	return parse_answer($out);
}

# Bytes as they are, over TLS (tls => 0: without), to a port by its name.
# Ends when an answer is complete (all => 1: only when the server closes); undef
# is no answer.
sub raw
{
	my ($self, $bytes, %option) = @_;
	my $port = $self->setting(uc($option{to} // 'device') . '_PORT');
	my ($pid, $in, $out);
	if ($option{tls} // 1) {
		$pid = open3($in, $out, '>&STDERR', 'openssl', 's_client',
		    '-quiet', '-verify_quiet', '-servername', 'localhost',
		    '-CAfile', $self->root_file, '-connect', "127.0.0.1:$port");
	} else {
		$in = $out = IO::Socket::INET->new("127.0.0.1:$port")
		    or die "connect: $!";
	}
	local $SIG{PIPE} = 'IGNORE';
	binmode $in;
	syswrite $in, $bytes;
	my $got = read_answer($out, $option{timeout} // 10, $option{all});
	if ($pid) {
		kill 'TERM', $pid;
		waitpid $pid, 0;
	}
	return $got eq '' ? undef : parse_answer($got);
}

sub read_answer
{
	my ($from, $seconds, $all) = @_;
	my $select = IO::Select->new($from);
	my ($got, $end) = ('', time + $seconds);
	while ($select->can_read($end > time ? $end - time : 0)) {
		sysread($from, $got, 65536, length $got) or last;
		my ($head, $body) = split /\r\n\r\n/, $got, 2;
		last if !$all && defined $body && $head =~ /^content-length: *(\d+)/im
		    && length $body >= $1;
	}
	return $got;
}

sub parse_answer
{
	my ($text) = @_;
	# A 100 comes before the answer.
	$text =~ s/^HTTP\S+ 1\d\d.*?\r\n\r\n//s;
	my ($head, $body) = split /\r\n\r\n/, $text, 2;
	my ($first, @lines) = split /\r\n/, $head;
	my %answer = (body => $body // '', headers => {}, head => $head);
	($answer{status}) = $first =~ /^HTTP\S+ (\d+)/;
	for (@lines) {
		my ($name, $value) = /^([^:]+): *(.*)$/ or next;
		push @{$answer{headers}{lc $name}}, $value;
	}
	my $type = $answer{headers}{'content-type'}[0] // '';
	if ($type =~ m{^application/(?:problem\+)?json}) {
		$answer{json} = eval { decode_json($answer{body}) };
		register_answer($answer{json});
	}
	return \%answer;
}

sub quote
{
	my ($text) = @_;
	$text =~ s/(["\\])/\\$1/g;
	return "\"$text\"";
}

# ------------------------------------------------------- the road, in calls

# admin METHOD, PATH below /admin/v1, document => {…}, token => at_….
sub admin
{
	my ($self, $method, $path, %option) = @_;
	my $token = delete $option{token} // $self->{admin_token};
	my @headers = ("Authorization: Bearer $token");
	if (my $document = delete $option{document}) {
		push @headers, 'Content-Type: application/json';
		$option{body} = encode_json($document);
	}
	return $self->http($method, "/admin/v1$path", to => 'admin', %option,
	    headers => [@headers, @{$option{headers} // []}]);
}

# One more admin token, made as the first one is: on the server.  What role and
# project it has, or else SET says, is set in its row, as no command does that
# yet.
sub another_admin
{
	my ($self, $name, $set) = @_;
	my $file = "$self->{tmp}/token-$name";
	local $ENV{PAPPUS_DATABASE} = 'host=' . $self->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $self->run . '/pgpass';
	my ($status, $out, $err) = run_command('', "$ENV{PAPPUS_BUILDDIR}/pappus",
	    'admin-token', 'create', '--role', 'owner', '--name', $name, '--out',
	    $file);
	die $err if $status != 0;
	my $token = secret(slurp($file) =~ s/\s+//gr, "token of $name");
	$self->psql('postgres', "UPDATE pappus.admin_tokens SET $set"
	    . " WHERE admin_token_id = 'atk_" . substr($token, 3, 26) . q{'});
	return $token;
}

# A new project's id.
sub project
{
	my ($self, $name) = @_;
	my $answer = $self->admin('POST', '/projects',
	    document => { name => $name // 'test' });
	return $answer->{json}{project_id} // die "no project: $answer->{body}\n";
}

# A new enrolment token; the earlier ones of the project die.
sub enrollment_token
{
	my ($self, $project) = @_;
	my $answer = $self->admin('POST', "/projects/$project/enrollment-tokens");
	return $answer->{json}{enrollment_token}
	    // die "no enrolment token: $answer->{body}\n";
}

# enroll TOKEN, label => …, external_id => …: the answer.
sub enroll
{
	my ($self, $token, %form) = @_;
	return $self->http('POST', '/enroll',
	    headers => ["Thistle-Device-Enrollment-Token: $token"],
	    curl => [map { 'data-urlencode = ' . quote("$_=$form{$_}") }
		sort keys %form]);
}

sub identity
{
	my ($self, $token) = @_;
	return $self->http('GET', '/identity',
	    headers => ["Authorization: Bearer $token"]);
}

# A device that has come the whole way: {id, token, certificate => file,
# key => file}.
sub device
{
	my ($self, $enrollment_token) = @_;
	my $enrolled = $self->enroll($enrollment_token)->{json};
	my $identity = $self->identity($enrolled->{device_token})->{json};
	my $base = "$self->{tmp}/$enrolled->{device_id}";
	spew("$base.crt", $identity->{device_certificate_pem});
	spew("$base.key", $identity->{device_private_key_pem});
	return { id => $enrolled->{device_id}, token => $enrolled->{device_token},
		certificate => "$base.crt", key => "$base.key" };
}

# ------------------------------------------------------------- the database

# psql ROLE, SQL: what it prints, unaligned; dies with psql's words.
sub psql
{
	my ($self, $role, $sql) = @_;
	local $ENV{PGPASSFILE} = "$self->{dir}/pgpass";
	my ($status, $out, $err) = run_command($sql, 'psql', '-XAtq', '-v',
	    'ON_ERROR_STOP=1', '-h', $self->run . '/pg', '-U', $role, '-d', 'pappus');
	die $err if $status != 0;
	return $out =~ s/\n\z//r;
}

# ------------------------------------------------------------------ secrets

# Register what must be found nowhere: a token, or a private key as PEM.
sub secret
{
	my ($text, $what) = @_;
	$what //= 'secret';
	if ($text =~ /PRIVATE KEY-----\n(.*?)-----END/s) {
		# A line from its middle, and the number itself (RFC 5915 §3).
		my ($base64, $der) = ($1, decode_base64($1));
		$secrets{(split /\n/, $base64)[1]} = $what;
		$secrets{$1} = $what
		    if $der =~ /\x02\x01\x01\x04\x20(.{32})/s && $1 !~ /\n/;
	} elsif ($text =~ /^[ade]t_[0-9a-z]{26}([0-9a-z]{32})/) {
		# The id before it is no secret.
		$secrets{$1} = $what;
	} else {
		$secrets{$text} = $what;
	}
	return $text;
}

sub register_answer
{
	my ($json) = @_;
	return if ref $json ne 'HASH';
	for (qw(enrollment_token device_token device_private_key_pem)) {
		secret($json->{$_}, $_) if defined $json->{$_};
	}
}

# The files of a stack that hold a registered secret; none, it is hoped.
sub leaks
{
	my ($self) = @_;
	return if !-d $self->dir;
	eval { $self->psql('postgres', 'CHECKPOINT') };
	return secrets_in(grep { defined && -d } "$self->{dir}/log", $self->run,
	    $self->setting('PGDATA'));
}

# secrets_in FOLDER…: the files below that hold a registered secret.
sub secrets_in
{
	my (@places) = @_;
	return if !%secrets;
	my $patterns = File::Temp->new;
	print $patterns join("\n", keys %secrets, '');
	$patterns->flush;
	local $ENV{LC_ALL} = 'C';
	my (undef, $out) = run_command('', 'grep', '-rlaF', '-f',
	    $patterns->filename, '--', @places);
	return split /\n/, $out;
}

# ---------------------------------------------------------------- small help

# run_command INPUT, COMMAND…: (status, output, error output).
sub run_command
{
	my ($input, @command) = @_;
	my $in = File::Temp->new;
	my $err = File::Temp->new;
	print $in $input;
	$in->flush;
	seek $in, 0, 0;
	my $pid = open3('<&' . fileno($in), my $out, '>&' . fileno($err),
	    @command);
	my $text = do { local $/; <$out> } // '';
	waitpid $pid, 0;
	return ($?, $text, slurp($err->filename));
}

sub slurp
{
	my ($file) = @_;
	open my $handle, '<:raw', $file or die "$file: $!";
	local $/;
	return <$handle> // '';
}

# Mode 0600: it may be a key.
sub spew
{
	my ($file, $text) = @_;
	my $mask = umask 0077;
	open my $handle, '>:raw', $file or die "$file: $!";
	umask $mask;
	print $handle $text;
	close $handle or die "$file: $!";
}

sub free_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
	    or die "no free port: $!";
	return $socket->sockport;
}

# wait_until SECONDS, sub {…}: what it returned once true; else false.
sub wait_until
{
	my ($seconds, $test) = @_;
	my $end = time + $seconds;
	while (1) {
		my $result = $test->();
		return $result if $result || time > $end;
		sleep 0.05;
	}
}

# A test that dies or is interrupted leaves nothing behind either.
# PAPPUS_KEEP=1 leaves the stack running, to look at.
my $owner = $$;
$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };
# prove has ended before us.
$SIG{PIPE} = sub { $SIG{PIPE} = 'IGNORE'; exit 1 };

END {
	my $status = $?;
	for my $self ($$ == $owner ? values %started : ()) {
		my @leaks = eval { $self->leaks };
		Test::More::diag("a secret is in $_") for @leaks;
		$status ||= 1 if @leaks || $@;
		if ($ENV{PAPPUS_KEEP}) {
			Test::More::diag("the stack is in $self->{dir}");
			next;
		}
		eval { $self->stack('clean') };
		Test::More::diag($@) if $@;
		system 'rm', '-rf', $self->{tmp};
	}
	$? = $status;
}

1;
