# SPDX-License-Identifier: ISC
# What is measured: a private stack (as the tests have it), copies of its
# nginx with other programs behind or with fastcgi_keep_conn on, and devices
# whose tokens are ready to be used.
package Bench::Stack;
use v5.36;

use Bench::Measure qw(launch finish run_or_die load_own);
use JSON::PP qw(decode_json);
use Pappus::Test qw(slurp spew free_port wait_until);

# Threads of a worker: PAPPUS_THREADS, as shipped; nginx's worker_processes in
# stack/nginx.sh.
use constant { THREADS => 32, NGINX_WORKERS => 2 };

# Workers of a program, multiwatch's -f: as shipped, unless --workers says.
my $workers = 2;

sub workers () { return $workers }

# new BUILDDIR, workers => N, env => {…}: builds the bench programs, then
# starts a stack.
sub new ($class, $build, %option) {
	$ENV{PAPPUS_BUILDDIR} = $build;
	$workers = $option{workers} // $workers;
	run_or_die('make', '-s', '-C', $build, 'all', 'bench-programs');
	my $stack = Pappus::Test->start(workers => $workers,
	    rate => '1000000r/s', env => $option{env} // {});
	my $self = bless { build => $build, stack => $stack,
		tmp => $stack->tmp, skip => {} }, $class;
	$self->{port} = $stack->setting('DEVICE_PORT');
	$self->{ca} = $stack->root_file;
	$self->{enrollment_token} =
	    $stack->enrollment_token($stack->project('bench'));
	$self->{token_file} = $self->file('enrollment-token',
	    $self->{enrollment_token});
	return $self;
}

sub program ($self, $name) { return "$self->{build}/$name" }

sub file ($self, $name, $text) {
	spew("$self->{tmp}/$name", $text);
	return "$self->{tmp}/$name";
}

# A request as a template file; close => 1: the connection ends with it.
sub template ($self, $name, $first, @headers) {
	return $self->file("template-$name", join("\r\n", "$first HTTP/1.1",
	    'Host: localhost', @headers, '', ''));
}

# -------------------------------------------------------------------- nginx

# A copy of the stack's nginx on a port of its own: {port, pid}.  socket:
# another program behind /identity; keep: fastcgi_keep_conn by its documented
# rule, PAPPUS_THREADS × processes ≥ worker_processes × N.
sub nginx ($self, $name, %option) {
	my $run = $self->{stack}->run;
	my $dir = "$self->{tmp}/nginx-$name";
	my $port = free_port();
	run_or_die('cp', '-r', "$run/nginx", $dir);
	chmod 0711, $dir;
	mkdir "$dir/tmp";
	edit("$dir/nginx.conf", sub { s/\Q$run\E\/nginx/$dir/g });
	edit("$dir/site.conf", sub {
		s/\Q$run\E\/nginx/$dir/g;
		s/127\.0\.0\.1:\Q$self->{port}\E/127.0.0.1:$port/;
		s/listen 127\.0\.0\.1:\K(?!$port)\d+/free_port()/ge;
		s/\Q$run\E\/identity\.sock/$option{socket}/ if $option{socket};
		s/(server unix:\S+;)/$1 keepalive @{[keepalive()]}; keepalive_timeout 2s;/g
		    if $option{keep};
	});
	edit("$dir/pappus/pappus-fastcgi.conf", sub {
		s/^fastcgi_keep_conn off;$/fastcgi_keep_conn on;/m
		    or die "fastcgi_keep_conn stands elsewhere now\n";
	}) if $option{keep};
	my $pid = launch("$dir/log", '/usr/sbin/nginx', '-p', $dir, '-c',
	    "$dir/nginx.conf", '-e', "$dir/error.log", '-g', 'daemon off;');
	wait_until(10, sub { -s "$dir/nginx.pid" })
	    or die "nginx $name did not start:\n", slurp("$dir/log");
	return { port => $port, pid => $pid, keep => $option{keep} };
}

sub keepalive () { return THREADS * $workers / NGINX_WORKERS }

sub edit ($file, $change) {
	local $_ = slurp($file);
	$change->();
	spew($file, $_);
}

# A FastCGI program under spawn-fcgi and multiwatch, like the shipped ones:
# {socket, pid}.
sub responder ($self, $name, @command) {
	my $socket = $self->{stack}->run . "/$name.sock";
	my $pid = launch("$self->{tmp}/$name.log", 'spawn-fcgi', '-n', '-s',
	    $socket, '-M', '0666', '--', '/usr/bin/multiwatch', '-f', $workers, '-r', '1000000',
	    '-t', '1', '--', @command);
	wait_until(10, sub { -S $socket }) or die "$name did not start\n";
	return { socket => $socket, pid => $pid };
}

sub constant ($self, $bytes) {
	return $self->responder('constant', $self->program('bench-constant'),
	    THREADS, $bytes);
}

sub unrecorded ($self) {
	local $ENV{PAPPUS_CA_DIR} = $self->{stack}->dir . '/ca/device';
	# The frame wants one; it is never connected to.
	local $ENV{PAPPUS_DATABASE} = 'dbname=none';
	return $self->responder('unrecorded',
	    $self->program('bench-unrecorded'));
}

# ------------------------------------------------------------------ devices

# Enrol so many devices; what identity is asked with, a token a line.
sub enroll_devices ($self, $count) {
	my $template = $self->template('prepare', 'POST /enroll',
	    "Thistle-Device-Enrollment-Token: $self->{enrollment_token}",
	    'Content-Length: 0');
	my $out = "$self->{tmp}/device-tokens";
	my $result = load_own(program => $self->program('bench-load'),
	    plan => 'request', port => $self->{port}, ca => $self->{ca},
	    connections => 32, seconds => 3600, count => $count, keep => 1,
	    template => $template, tokens_out => $out);
	die "enrolling devices failed\n" if $result->{errors};
	$self->{lines} = $out;
	$self->{tokens} = $result->{done};
	return $result;
}

# At least so many devices that have come the whole way: a file of their
# certificates and keys in turn, as bench-fleet takes it.  The keys are
# nowhere else; it is for the caller to remove.
sub identities ($self, $count) {
	my ($answers, $out) = map { "$self->{tmp}/identities.$_" } qw(json pem);
	my $result = load_own(program => $self->program('bench-load'),
	    plan => 'onboard', port => $self->{port}, ca => $self->{ca},
	    connections => 32, seconds => 3600, count => $count,
	    token => $self->{token_file}, answers_out => $answers);
	die "getting identities failed\n" if $result->{errors};
	my @ids;
	my $pem = '';
	for my $line (split /\n/, slurp($answers)) {
		my $answer = decode_json($line);
		push @ids, $answer->{device_id};
		$pem .= $answer->{device_certificate_pem}
		    . $answer->{device_private_key_pem};
	}
	unlink $answers;
	spew($out, $pem);
	return ($out, @ids);
}

# ---------------------------------------------------------------- PostgreSQL

# Each worker and the database have seen some requests.
sub warm_up ($self) {
	my $result = load_own(program => $self->program('bench-load'),
	    plan => 'onboard', port => $self->{port}, ca => $self->{ca},
	    connections => 8, seconds => 10, count => 500,
	    token => $self->{token_file});
	die "the stack answers with errors\n" if $result->{errors};
	$self->psql('VACUUM ANALYZE');
}

sub psql ($self, $sql) {
	return $self->{stack}->psql('postgres', $sql);
}

# Single-row commits of this many connections: a row like a certificate's.
sub commits ($self, $connections, $seconds) {
	my $script = "$self->{tmp}/commit.sql";
	if (!-e $script) {
		spew($script, "INSERT INTO bench_commits (address) VALUES ('::1');\n");
		$self->psql('CREATE TABLE bench_commits (serial uuid PRIMARY KEY'
		    . " DEFAULT gen_random_uuid(), spki bytea NOT NULL"
		    . " DEFAULT sha256('x'), address inet,"
		    . ' at timestamptz NOT NULL DEFAULT now())');
	}
	my ($bin) = sort glob '/usr/lib/postgresql/*/bin/pgbench';
	my $out = run_or_die('sh', '-c', 'exec "$@" 2>/dev/null', 'sh', $bin,
	    '-n', '-M', 'prepared',
	    '-h', $self->{stack}->run . '/pg', '-U', 'postgres', '-c', $connections,
	    '-j', $connections > 1 ? 2 : 1, '-T', $seconds, '-f', $script, 'pappus');
	my ($tps) = $out =~ /^tps = ([\d.]+)/m or die "pgbench: $out";
	my ($ms) = $out =~ /^latency average = ([\d.]+)/m;
	return { rate => $tps, average => $ms };
}

# The numbers of processes by what they are, for Bench::Measure::during.
sub groups ($self, %more) {
	my $stack = $self->{stack};
	return { nginx => [$stack->pid('nginx')],
		program => [map { $stack->pid($_) } qw(enroll identity)],
		PostgreSQL => [$stack->pid('postgres')], %more };
}

1;
