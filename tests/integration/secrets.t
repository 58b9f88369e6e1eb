# SPDX-License-Identifier: ISC
# Secrets stay where they belong: a stack is used in every way, tokens are put
# where they should not be, PostgreSQL logs all it can, a worker crashes; then
# each token and each private key is searched for in everything that the stack
# has written, and in what every process shows of itself.
use strict;
use warnings;
use File::Find qw(find);
use File::Temp qw(tempdir);
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(time);
use Pappus::Check qw(at_once);
use Pappus::Test qw(slurp spew wait_until);
use Pappus::Workers qw(workers wait_workers children);

my $began = time;
my $stack = Pappus::Test->start;
my $dir = $stack->dir;
# What the test itself keeps is no finding.
my $own = tempdir('/tmp/pappus-test.XXXXXX', CLEANUP => 1);

# ---------------------------------------------------------------- the register

our %secret;	# bytes to look for => what they are
my @tokens;	# as they were shown

# A token: its secret without the row's id, as it is and in capitals.
sub saw_token
{
	my ($token, $what) = @_;
	my $part = substr $token, 29, 32;
	die "not a token\n" if length $part != 32;
	@secret{$part, uc $part} = ("secret of $what") x 2;
	push @tokens, $token;
}

# A private key: each line of its PEM but a short last one, and its number
# (RFC 5915 §3), as bytes in either order and as hexadecimal digits.
sub saw_key
{
	my ($pem, $what) = @_;
	my ($base64) = $pem =~ /PRIVATE KEY-----\n(.*?)-----END/s
	    or die "not a key\n";
	my ($lines, $der) = ([split /\n/, $base64], decode_base64($base64));
	# The last line of P-256 has only the public half.
	$secret{$_} = "PEM of $what" for @$lines[0, 1];
	my ($number) = $der =~ /\x02\x01\x01\x04\x20(.{32})/s or die "no number\n";
	my $hex = unpack 'H*', $number;
	$secret{$_} = "number of $what" for $number, scalar reverse($number), $hex,
	    uc $hex, join(':', unpack '(A2)*', $hex);
}

# An answer, of which all secrets are noted.
sub seen
{
	my ($answer) = @_;
	my $json = $answer->{json} // return $answer;
	saw_token($json->{$_}, $_)
	    for grep { defined $json->{$_} } qw(enrollment_token device_token);
	saw_key($json->{device_private_key_pem}, 'a device\'s key')
	    if defined $json->{device_private_key_pem};
	return $answer;
}

# Where secrets are found below some folders: [file, what], ….
sub found
{
	my (@dirs) = @_;
	my $any = join '|', map { quotemeta } sort keys %secret;
	my @found;
	find({ no_chdir => 1, wanted => sub {
		return if -l $_ || !-f $_;
		my $content = eval { slurp($_) } // return;
		my %here;
		$here{$secret{$1}} = 1 while $content =~ /($any)/g;
		push @found, map { [$File::Find::name, $_] } sort keys %here;
	} }, @dirs);
	return @found;
}

# The same for what every process of the stack has been started with.
sub found_in_processes
{
	my $any = join '|', map { quotemeta } sort keys %secret;
	my @pids = map { $stack->pid($_) }
	    qw(enroll identity admin nginx mosquitto postgres);
	push @pids, children($_) for @pids;
	my @found = grep { (eval { slurp("/proc/$_/environ")
		. slurp("/proc/$_/cmdline") } // '') =~ /$any/ } @pids;
	return scalar(@pids), @found;
}

# ----------------------------------------------------------------- all its uses

saw_token($stack->{admin_token}, 'admin token');
my %home;	# of the keys that lie in files: where each may
for ([root => 'root/root.key'],
	[device => 'ca/device/ca.key', 'identity/keys/ca.key',
		'crld/keys/device.key'],
	[server => 'ca/server/ca.key', 'crld/keys/server.key'],
	[nginx => 'server/nginx.key', 'nginx/nginx.key'],
	[mosquitto => 'server/mosquitto.key', 'mosquitto/mosquitto.key']) {
	my ($name, $file, @copies) = @$_;
	saw_key(slurp("$dir/$file"), "$name key");
	$home{"$dir/$file"} = 1;
	$home{$stack->run . "/$_"} = 1 for @copies;
}
$home{"$dir/admin-token"} = 1;

subtest 'PostgreSQL logs all it can' => sub {
	my %setting = (log_statement => q{'all'}, log_min_duration_statement => 0,
		log_min_messages => 'debug1', log_parameter_max_length => -1,
		log_parameter_max_length_on_error => -1, log_connections => 'on',
		log_error_verbosity => 'verbose', log_duration => 'on');
	$stack->psql('postgres', "ALTER SYSTEM SET $_ = $setting{$_}")
	    for sort keys %setting;
	$stack->psql('postgres', 'SELECT pg_reload_conf()');
	$stack->enrollment_token($stack->project);
	ok(wait_until(10, sub { $stack->log('postgres')
		=~ /admin_project_list|admin_project_create.*?parameters:/s }),
	    'statements and their parameters');
};

my $project = $stack->project;
my ($old, $token) = map { seen($stack->admin('POST',
	"/projects/$project/enrollment-tokens"))->{json}{enrollment_token} } 1, 2;
my @devices = map { seen($stack->enroll($token, label => "device $_",
	external_id => "SN $_"))->{json} } 1 .. 8;
my $earlier = $devices[0]{device_token};
$devices[0] = seen($stack->enroll($token, external_id => 'SN 1'))->{json};

subtest 'the road' => sub {
	for my $device (@devices) {
		my @answers = map { seen($stack->identity($device->{device_token})) }
		    1, 2;
		is("$answers[0]{status} $answers[1]{status}", '200 200',
		    'enrolled, twice an identity');
	}
	my @answers = map { seen($_) } at_once($stack, map { ['GET', '/identity',
		headers => ["Authorization: Bearer $_->{device_token}"]] }
	    (@devices) x 4);
	cmp_ok(scalar(grep { $_->{status} == 200 } @answers), '>=', 8, 'all at once');
	my $json = $answers[-1]{json};
	spew("$own/crt", $json->{device_certificate_pem});
	spew("$own/key", $json->{device_private_key_pem});
	my ($status) = Pappus::Test::run_command('', 'mosquitto_pub', '-h',
	    'localhost', '-p', $stack->setting('MQTT_PORT'), '--cafile',
	    $stack->root_file, '--cert', "$own/crt", '--key', "$own/key", '-i',
	    $json->{device_id}, '-t', "devices/$json->{device_id}/x", '-m', 'x');
	is($status, 0, 'published');
	my $path = "/devices/$devices[1]{device_id}";
	is($stack->admin('POST', "$path/$_", document => { reason => 'test' })
	    ->{status}, 200, $_) for qw(deny allow);
	is($stack->admin('GET', $_)->{status}, 200, $_) for '/projects', '/devices',
	    $path, "/projects/$project/enrollment-tokens";
};

# A token where none belongs, in every way a client may come up with.
sub misuse
{
	my ($token) = @_;
	my @good = ("Authorization: Bearer $token",
		"Thistle-Device-Enrollment-Token: $token");
	my @requests = (
		# The address.
		(map { my $path = $_;
		map { [$path, to => $_] } qw(device admin public) }
		"/$token", "/identity/$token", "/enroll?token=$token",
		"/identity?access_token=$token&x=1", "/x?$token", "/$token/x",
		"/admin/v1/devices/$token", "/admin/v1/devices?cursor=$token",
		"/admin/v1/devices?project_id=$token", "/admin/v1/projects/$token",
		"//$token", '/' . 'a' x 110 . $token, "/%$token", "/" . uc $token,
		'/%65' . substr($token, 1), "/crl/$token", "/ca/$token.cer",
		"/x%00$token", "/x%zz$token"),
		# Headers.
		(map { my $header = $_; map { ["/$_", headers => [$header]] }
		qw(enroll identity) }
		"Authorization: $token", "Authorization: Basic $token",
		"Authorization: Bearer $token x", "Authorization: Bearer x$token",
		"Authorization: Bearer \x80$token", "Cookie: token=$token",
		"Referer: https://x.example/?$token", "User-Agent: $token",
		"X-Request-Id: $token", "X-Forwarded-For: $token",
		"Content-Type: $token", "Thistle_Device_Enrollment_Token: $token",
		"Thistle-Device-Enrollment-Token: " . uc $token,
		"Thistle-Device-Enrollment-Token: x$token", "$token: x"),
		['/identity', headers => [@good]], ['/enroll', headers => [@good]],
		['/identity', headers => [@good[0, 0]]],
		['/identity', headers => [$good[0] . 'a' x 9000]],
		['/enroll', headers => [@good[1, 1]]],
		['/admin/v1/projects', to => 'admin', headers => [@good]],
	);
	seen($_) for at_once($stack, map { my $method = $_;
		map { [$method, @$_] } @requests } qw(GET POST));
	my @bearer = ("Authorization: Bearer $stack->{admin_token}",
		'Content-Type: application/json');
	for my $body ("{\"$token\":\"x\"}", "{\"name\":\"x\",\"x\":\"$token\"}",
		$token, "{\"name\":\"$token\\u0000\"}", "{\"name\":\"\xff$token\"}") {
		$stack->http('POST', '/admin/v1/projects', to => 'admin',
		    headers => \@bearer, body => $body);
	}
	for my $body ("token=$token&label=%", "$token=\xff", $token x 200,
		"label=\x01$token", "external_id=$token" . 'x' x 128) {
		$stack->http('POST', '/enroll', headers => ['Content-Type:'
		    . ' application/x-www-form-urlencoded', $good[1]], body => $body);
	}
	# What nginx can't make sense of.
	for my $bytes ("$token\r\n\r\n", "GET $token HTTP/1.1\r\n\r\n",
		"$token /enroll HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /enroll HTTP/9.9\r\nHost: x\r\n$good[1]\r\n\r\n",
		"GET /enroll HTTP/1.1\r\nHost: $token\r\n\r\n",
		"GET /enroll HTTP/1.1\r\n$good[1]\r\n\r\n",
		"POST /enroll HTTP/1.1\r\nHost: x\r\nContent-Length: $token\r\n\r\n",
		"POST /enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: $token\r\n\r\n",
		"GET /enroll HTTP/1.1\r\nHost: x\r\n$good[1]\0\r\n\r\n") {
		$stack->raw($bytes, to => $_, timeout => 2) for qw(device admin);
	}
	$stack->raw("GET /enroll HTTP/1.1\r\nHost: x\r\n$good[1]\r\n\r\n", tls => 0);
}

subtest 'tokens in odd places' => sub {
	misuse($_) for $token, $devices[2]{device_token}, $stack->{admin_token};
	for ($old, $earlier) {
		is($stack->enroll($_)->{status}, 401, 'a dead one');
		is($stack->identity($_)->{status}, 401, 'anywhere');
	}
	pass('all asked');
};

# nginx quotes requests when it can't hand them over: those with a token in the
# address, Host or Referer as well.
subtest 'things that are down' => sub {
	my @good = (
		['POST', '/enroll', headers =>
			["Thistle-Device-Enrollment-Token: $token"]],
		['GET', '/identity', headers =>
			["Authorization: Bearer $devices[3]{device_token}"]],
		['GET', '/admin/v1/projects', headers =>
			["Authorization: Bearer $stack->{admin_token}"],
			to => 'admin']);
	my @ask = map {
		my ($method, $path, $headers, $header, @to) = @$_;
		my ($one) = $header->[0] =~ /(\S+)$/;
		($_, (map { [$method, "$path?token=$_", headers => $header, @to] }
			$one, '%65' . substr($one, 1), $one =~ s/_/%5F/r),
		(map { [$method, $path, headers => [@$header, $_], @to] }
			"Referer: https://localhost/?t=$one", "Host: $one"));
	} @good;
	for my $down (qw(postgres enroll identity admin)) {
		$stack->stack('stop', $down);
		my @status = map { seen($_)->{status} } at_once($stack, @ask);
		ok(scalar(grep { $_ == ($down eq 'postgres' ? 503 : 502) } @status),
		    "$down (@status)");
		$stack->stack('start', $down);
	}
	ok(wait_until(10, sub { seen($stack->enroll($token))->{status} == 200
		&& seen($stack->identity($devices[3]{device_token}))->{status} == 200
		&& $stack->admin('GET', '/projects')->{status} == 200 }),
	    'and back again');
};

subtest 'crashes' => sub {
	for my $program (qw(enroll identity admin)) {
		my @before = workers($stack, $program);
		# Each has just had secrets in its hands.
		seen($stack->enroll($token)) for 1 .. 4;
		seen($stack->identity($_->{device_token})) for @devices;
		$stack->admin('GET', '/projects') for 1 .. 4;
		kill 'SEGV', @before;
		ok(eval { wait_workers($stack, $program, scalar @before, @before) },
		    "$program: replaced") or diag($@);
	}
	is(seen($stack->enroll($token))->{status}, 200, 'service goes on');

	# Where the kernel would leave a core: the worker's folder, or its own.
	my ($worker) = workers($stack, 'identity');
	my $pattern = slurp('/proc/sys/kernel/core_pattern');
	# An ordinary user may not see the folder of what is not dumpable.
	my @where = (readlink "/proc/$worker/cwd" // '/', $stack->run,
	    $pattern =~ m{^(/.*)/} ? $1 : ());
	my @cores = grep { /core/ && -f $_ && (stat _)[9] >= int $began }
	    map { glob "$_/*" } @where;
	is_deeply(\@cores, [], "no core in @where");
	like(slurp("/proc/$worker/limits"), qr/^Max core file size +0 +0 /m,
	    'nor may there be one');
};

# -------------------------------------------------------------------- the search

$stack->psql('postgres', 'CHECKPOINT');
my @dirs = ($stack->tmp, $stack->run, $stack->setting('PGDATA'));
note(scalar(keys %secret) . ' strings to look for in ' . "@dirs");

subtest 'the search finds what is there' => sub {
	my $planted = $stack->tmp . '/planted';
	my ($hex) = grep { /^[0-9a-f]{64}\z/ } sort keys %secret;
	for ([$token, 'in a line'], [pack('H*', $hex), 'among bytes'],
		[$hex, 'in hexadecimal digits']) {
		spew($planted, "time=x \0\xff$$_[0]\n\n");
		my @found = grep { $$_[0] eq $planted } found($stack->tmp);
		ok(scalar @found, $$_[1]);
	}
	unlink $planted;
	# A decoy, which no other search knows, goes through the database.
	local %secret = ('decoy0decoy1decoy2decoy3decoy4de' => 'decoy');
	my ($decoy) = keys %secret;
	$stack->enroll($token, label => $decoy);
	$stack->psql('postgres', 'CHECKPOINT');
	my %in = map { $$_[0] =~ m{/(pg_wal|base|log)/} ? ($1 => 1) : () }
	    found(@dirs);
	ok($in{$_}, "in the database's $_") for qw(pg_wal base log);
	local $secret{$stack->run . '/enroll.sock'} = 'process';
	my ($count, @found) = found_in_processes();
	cmp_ok(scalar @found, '>', 0, "in the arguments of $count processes");
};

my @found = found(@dirs);
is_deeply([grep { !$home{$$_[0]} } @found], [], 'no secret lies about')
    or diag(map { "$$_[1] in $$_[0]\n" } grep { !$home{$$_[0]} } @found);
my %at = map { $$_[0] => 1 } @found;
is_deeply([sort keys %at], [sort keys %home], 'each key file has its own');
is((stat $_)[2] & 07777, 0600, "mode of $_" =~ s/\Q$dir\E//r)
    for sort keys %home;
my ($count, @processes) = found_in_processes();
is_deeply(\@processes, [], "no secret in what $count processes show");

done_testing;
