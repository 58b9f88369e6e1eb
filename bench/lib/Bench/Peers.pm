# SPDX-License-Identifier: ISC
# The systems that bench/peers compares, each ready to be asked:
#	{name, port, ca, kept and new (templates), lines, groups, rss}
# ca verifies the server; groups are the processes of the server; rss gives
# the memory of the largest process and of all (PostgreSQL's left out).
package Bench::Peers;
use v5.36;

use Bench::Measure qw(launch run_or_die rss);
use Bench::Stack;
use Exporter qw(import);
use JSON::PP;
use Pappus::Test qw(slurp free_port wait_until);

our @EXPORT_OK = qw(pappus step_ca cfssl missing);

# ------------------------------------------------------------------- Pappus

# keep: with fastcgi_keep_conn.
sub pappus ($bench, $keep) {
	my $stack = $bench->{stack};
	my $nginx = $keep ? $bench->nginx('on', keep => 1)
	    : { port => $bench->{port}, pid => $stack->pid('nginx') };
	my @header = 'Authorization: Bearer @LINE@';
	return {
		name => $keep ? 'Pappus, keep_conn on' : 'Pappus, as shipped',
		port => $nginx->{port},
		ca => $bench->{ca},
		kept => $bench->template('pappus-kept', 'GET /identity', @header),
		new => $bench->template('pappus-new', 'GET /identity', @header,
		    'Connection: close'),
		lines => $bench->{lines},
		line_count => $bench->{tokens},
		# nginx's kept FastCGI connections hold threads for two seconds.
		pause => $keep ? 2.5 : 0,
		groups => { nginx => [$nginx->{pid}],
			program => [$stack->pid('identity')],
			PostgreSQL => [$stack->pid('postgres')] },
		rss => sub {
			return (rss($stack->pid('identity'), 'identity'),
			    memory($nginx->{pid}, $stack->pid('identity')));
		},
	};
}

# Peak memory in MB of all processes below these.
sub memory (@pids) {
	my $all = Bench::Measure::processes();
	my $sum = 0;
	for my $pid (Bench::Measure::family($all, @pids)) {
		my ($kb) = (eval { slurp("/proc/$pid/status") } // '')
		    =~ /^VmHWM:\s+(\d+)/m;
		$sum += ($kb // 0) / 1024;
	}
	return $sum;
}

# ---------------------------------------------------------- a CA for peers

# Root, intermediate, and a server certificate for localhost, by openssl: all
# P-256.  Returns the folder.
sub peer_ca ($bench) {
	my $dir = "$bench->{tmp}/peer-ca";
	return $dir if -d $dir;
	mkdir $dir, 0700 or die "$dir: $!\n";
	my %extension = (
		intermediate => "basicConstraints=critical,CA:true,pathlen:0\n"
		    . "keyUsage=critical,keyCertSign,cRLSign\n",
		server => "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
		    . "extendedKeyUsage=serverAuth\n",
	);
	openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
	    -days 3650 -subj), '/CN=bench root', '-keyout', "$dir/root.key",
	    '-out', "$dir/root.crt");
	for (['intermediate', 'root'], ['server', 'intermediate']) {
		my ($name, $issuer) = @$_;
		my $file = $bench->file("peer-$name.ext", $extension{$name});
		openssl(qw(req -new -newkey ec -pkeyopt
		    ec_paramgen_curve:P-256 -nodes -subj),
		    $name eq 'server' ? '/CN=localhost' : "/CN=bench $name",
		    '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
		openssl('x509', '-req', '-in', "$dir/$name.csr", '-CA',
		    "$dir/$issuer.crt", '-CAkey', "$dir/$issuer.key",
		    '-CAcreateserial', '-days', 365, '-extfile', $file,
		    '-out', "$dir/$name.crt");
	}
	$bench->file('peer-ca/server-chain.crt',
	    slurp("$dir/server.crt") . slurp("$dir/intermediate.crt"));
	return $dir;
}

sub openssl (@arguments) {
	run_or_die('sh', '-c', 'openssl "$@" 2>/dev/null', 'sh', @arguments);
}

sub post ($bench, $name, $path, $length) {
	my @headers = ('Content-Type: application/json',
	    "Content-Length: $length");
	return (kept => $bench->template("$name-kept", "POST $path", @headers),
	    new => $bench->template("$name-new", "POST $path", @headers,
		'Connection: close'));
}

# The headers end in an empty line, the body is the line.
sub with_body ($bench, %templates) {
	for my $file (values %templates) {
		open my $out, '>>', $file or die "$file: $!\n";
		print $out '@LINE@';
		close $out;
	}
	return %templates;
}

sub listens ($pid, $port, $what) {
	wait_until(20, sub {
		IO::Socket::INET->new("127.0.0.1:$port")
	}) or die "$what did not start\n";
}

# ------------------------------------------------------------------ step-ca

# What is not on this machine for a peer; empty when nothing is missing.
sub missing ($peer) {
	my $lib = '/usr/share/gocode/src/github.com/smallstep/certificates';
	if ($peer eq 'step-ca') {
		return 'apt-get install golang-go'
		    . ' golang-github-smallstep-certificates-dev'
		    if !-d $lib || !grep { -x "$_/go" } split /:/, $ENV{PATH};
	} elsif (!grep { -x "$_/cfssl" } split /:/, $ENV{PATH}) {
		return 'apt-get install golang-cfssl';
	}
	return '';
}

# Debian ships step-ca as a library: the program is built from it, once.
sub build_step_ca ($bench, $source) {
	my $program = $bench->program('step-ca');
	return $program if -x $program;
	print STDERR "building step-ca, about a minute\n";
	local @ENV{qw(GO111MODULE GOPATH GOCACHE GOFLAGS)} =
	    ('off', '/usr/share/gocode', "$bench->{build}/go-cache", '');
	run_or_die('sh', '-c', 'cd "$0" && exec go build -p 1 -o "$1" . 2>"$1.log"',
	    "$source/step-ca", $program);
	return $program;
}

# With what `step ca init` writes: badger, a JWK provisioner, a log line a
# request, its own TLS.  count requests are made ahead, each with a key, a
# request and a one-time token of its own.
sub step_ca ($bench, $source, $count) {
	my $program = build_step_ca($bench, $source);
	my $ca = peer_ca($bench);
	my $port = free_port();
	my $key = "$bench->{tmp}/provisioner.key";
	my $requests = $bench->program('bench-step-requests');
	openssl(qw(genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	    -out), $key);
	chmod 0600, $key;
	my $config = $bench->file('step-ca.json', encode_json({
		root => "$ca/root.crt", crt => "$ca/intermediate.crt",
		key => "$ca/intermediate.key", address => "127.0.0.1:$port",
		dnsNames => ['localhost'], logger => { format => 'text' },
		db => { type => 'badgerv2', dataSource => "$bench->{tmp}/badger" },
		authority => { provisioners => [{ type => 'JWK', name => 'bench',
			key => decode_json(run_or_die($requests, $key)) }] },
	}));
	my $pid = launch("$bench->{tmp}/step-ca.log", $program, $config);
	listens($pid, $port, 'step-ca');
	# A token made in the second of the start counts as made before.
	sleep 2;
	my $lines = $bench->file('step-lines', run_or_die($requests, $key, $count));
	my $length = index slurp($lines), "\n";
	return {
		name => 'step-ca, badger', port => $port, ca => "$ca/root.crt",
		with_body($bench, post($bench, 'step', '/1.0/sign', $length)),
		lines => $lines, line_count => $count,
		groups => { server => [$pid] },
		rss => sub { return (rss($pid, 'step-ca'), memory($pid)) },
	};
}

# -------------------------------------------------------------------- cfssl

# The columns that cfssl's statements name, as its goose migration has them.
my $cfssl_schema = <<~'SQL';
	CREATE TABLE certificates (serial_number bytea NOT NULL,
		authority_key_identifier bytea NOT NULL, ca_label bytea,
		status bytea NOT NULL, reason int, expiry timestamptz,
		revoked_at timestamptz, pem bytea NOT NULL,
		PRIMARY KEY (serial_number, authority_key_identifier));
	SQL

# serve newcert: makes key and certificate, as /identity does; TLS is its own.
# With PostgreSQL (the stack's) or without any database.
sub cfssl ($bench, $database) {
	my $ca = peer_ca($bench);
	my $port = free_port();
	my $name = $database ? 'cfssl-db' : 'cfssl';
	my $config = $bench->file("$name.json", encode_json({ signing => {
		default => { usages => ['digital signature', 'client auth'],
			expiry => '8760h' } } }));
	my @database;
	if ($database) {
		$bench->psql('CREATE DATABASE cfssl');
		run_or_die('psql', '-Xq', '-h', $bench->{stack}->run . '/pg', '-U',
		    'postgres', '-d', 'cfssl', '-c', $cfssl_schema);
		@database = ('-db-config', $bench->file('cfssl-db-config.json',
		    encode_json({ driver => 'postgres', data_source => 'host='
			. $bench->{stack}->run . '/pg user=postgres dbname=cfssl'
			. ' sslmode=disable' })));
	}
	my $pid = launch("$bench->{tmp}/$name.log", 'cfssl', 'serve', '-address',
	    '127.0.0.1', '-port', $port, '-ca', "$ca/intermediate.crt", '-ca-key',
	    "$ca/intermediate.key", '-config', $config, '-tls-cert',
	    "$ca/server-chain.crt", '-tls-key', "$ca/server.key", @database);
	listens($pid, $port, $name);
	my $body = encode_json({ request => { CN => 'device-@LINE@',
		hosts => [], key => { algo => 'ecdsa', size => 256 },
		names => [{ O => 'bench' }] } });
	my %template = post($bench, $name, '/api/v1/cfssl/newcert',
	    length($body) - length('@LINE@') + 9);
	for my $file (values %template) {
		open my $out, '>>', $file or die "$file: $!\n";
		print $out $body;
		close $out;
	}
	my $lines = $bench->file('cfssl-lines',
	    join '', map { sprintf "%09d\n", $_ } 1 .. 500000);
	return {
		name => $database ? 'cfssl, PostgreSQL' : 'cfssl, no database',
		port => $port, ca => "$ca/root.crt", %template,
		lines => $lines, line_count => 500000,
		groups => { server => [$pid], $database ? (PostgreSQL =>
			[$bench->{stack}->pid('postgres')]) : () },
		rss => sub { return (rss($pid, 'cfssl'), memory($pid)) },
	};
}

1;
