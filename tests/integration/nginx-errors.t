# SPDX-License-Identifier: ISC
# Whatever nginx refuses by itself comes as problem+json with a request id and
# no-store, in the shape of the programs' own errors.
use strict;
use warnings;
use Test::More;
use Pappus::Test qw(slurp);

my $stack = Pappus::Test->start(workers => 1, rate => '100000r/s');
my $long = 'a' x 9000;

sub problem
{
	my ($name, $answer, $status, $kind, %header) = @_;
	subtest $name => sub {
		ok($answer, 'is answered') or return;
		my $headers = $answer->{headers};
		my $json = $answer->{json} // {};
		is($answer->{status}, $status, 'status');
		is_deeply($headers->{'content-type'}, ['application/problem+json'],
		    'media type');
		is_deeply($headers->{'cache-control'}, ['no-store'], 'no-store');
		is($json->{type}, "urn:pappus:problem:$kind", 'type');
		is($json->{status}, $status, 'status in the body');
		ok(length $json->{title} && length $json->{detail}, 'is explained');
		like($json->{request_id}, qr/^[0-9a-f]{32}$/, 'request id');
		is_deeply($headers->{'x-request-id'}, [$json->{request_id}],
		    'the same id in the header');
		is_deeply($headers->{$_}, [$header{$_}], $_) for sort keys %header;
		unlike($answer->{head}, qr/^server: nginx\//im, 'no version');
	};
}

my $end = "Host: localhost\r\nConnection: close\r\n";
for my $to (qw(device admin)) {
	problem("$to: $$_[0]", $stack->raw($$_[1], to => $to), @$_[2 .. $#$_]) for
	    ['a garbage request line', "garbage\r\n\r\n", 400, 'bad-request'],
	    ['binary', "\x16\x03\x01\xff\x00\r\n\r\n", 400, 'bad-request'],
	    ['HTTP/9.9', "GET / HTTP/9.9\r\n$end\r\n", 505, 'http-version'],
	    ['%00', "GET /%00 HTTP/1.1\r\n$end\r\n", 400, 'bad-request'],
	    ['out of the tree', "GET /../x HTTP/1.1\r\n$end\r\n", 400,
		'bad-request'],
	    ['CONNECT', "CONNECT localhost:443 HTTP/1.1\r\n$end\r\n", 400,
		'bad-request'],
	    ['CONNECT with a path', "CONNECT /enroll HTTP/1.1\r\n$end\r\n", 405,
		'method-not-allowed', allow => 'POST'],
	    ['TRACE', "TRACE /identity HTTP/1.1\r\n$end\r\n", 405,
		'method-not-allowed', allow => 'GET'],
	    ['a long address', "GET /$long HTTP/1.1\r\n$end\r\n", 414,
		'uri-too-long'],
	    ['a long header', "GET / HTTP/1.1\r\n${end}A: $long\r\n\r\n", 431,
		'header-too-large'],
	    ['many headers', "GET / HTTP/1.1\r\n$end"
		. join('', map { "A$_: " . 'a' x 4000 . "\r\n" } 1 .. 10) . "\r\n",
		431, 'header-too-large'],
	    ['two Authorization headers', "GET /identity HTTP/1.1\r\n$end"
		. "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
		400, 'bad-request'],
	    ['no Host', "GET /identity HTTP/1.1\r\n\r\n", 400, 'bad-request'],
	    ['two Hosts', "GET /identity HTTP/1.1\r\n${end}Host: b\r\n\r\n", 400,
		'bad-request'],
	    ['an unknown transfer coding',
		"POST /enroll HTTP/1.1\r\n${end}Transfer-Encoding: gzip\r\n\r\n",
		501, 'not-implemented'],
	    ['two framings', "POST /enroll HTTP/1.1\r\n${end}Content-Length: 1\r\n"
		. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 'bad-request'],
	    ['a length that is no number',
		"POST /enroll HTTP/1.1\r\n${end}Content-Length: x\r\n\r\n", 400,
		'bad-request'],
	    ['an oversized body', "POST /enroll HTTP/1.1\r\n$end"
		. "Content-Length: 70000\r\n\r\n", 413, 'payload-too-large'],
	    ['an unknown path', "GET /nix HTTP/1.1\r\n$end\r\n", 404, 'not-found'],
	    ['another host name', "GET /nix HTTP/1.1\r\nHost: x.example\r\n"
		. "Connection: close\r\n\r\n", 404, 'not-found'],
	    ['the page of an error itself',
		"GET /.problem/503 HTTP/1.1\r\n$end\r\n", 404, 'not-found'],
	    ['HTTP/1.0', "GET /nix HTTP/1.0\r\n\r\n", 404, 'not-found'];
	problem("$to: plain HTTP to the TLS port",
	    $stack->raw("GET / HTTP/1.1\r\n$end\r\n", to => $to, tls => 0), 400,
	    'plain-http');
}
problem('a broken chunk', $stack->raw("POST /enroll HTTP/1.1\r\n$end"
	. "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400, 'bad-request');
problem('an oversized chunked body', $stack->http('POST', '/enroll',
	headers => ['Transfer-Encoding: chunked', 'Expect:'], body => 'a' x 17000),
    413, 'payload-too-large');
problem('admin: the devices\' address', $stack->http('POST', '/enroll',
	to => 'admin'), 404, 'not-found');
problem('device: the operators\' address', $stack->http('GET',
	'/admin/v1/projects'), 404, 'not-found');

subtest 'the largest body, in the smallest chunks, stays in memory' => sub {
	my $chunks = "1\r\na\r\n" x 8192 . "0\r\n\r\n";
	my $answer = $stack->raw("POST /enroll HTTP/1.1\r\n$end"
	    . "Content-Type: application/x-www-form-urlencoded\r\n"
	    . "Transfer-Encoding: chunked\r\n\r\n$chunks");
	is($answer->{status}, 401, 'reaches the program');
	unlike($stack->log('nginx-error'), qr/temporary file/, 'no spill');
};

subtest 'plain http: lists and CA certificates alone' => sub {
	my %type = ('/crl/root.crl' => 'application/pkix-crl',
		'/ca/root.cer' => 'application/pkix-cert',
		'/ca/device.cer' => 'application/pkix-cert',
		'/ca/root.pem' => 'application/pem-certificate-chain');
	for my $path (sort keys %type) {
		my $answer = $stack->http('GET', $path, to => 'public');
		is($answer->{status}, 200, $path);
		is($answer->{headers}{'content-type'}[0], $type{$path}, 'type');
	}
	problem($_, $stack->http('GET', $_, to => 'public'), 404, 'not-found')
	    for qw(/ /crl/ /ca/nix.cer /enroll /crl/../crl/nix);
	problem('POST', $stack->http('POST', '/crl/root.crl', to => 'public'), 405,
	    'method-not-allowed', allow => 'GET, HEAD');
	problem('If-Match', $stack->http('GET', '/crl/root.crl', to => 'public',
		headers => ['If-Match: "x"']), 412, 'precondition-failed');
};

subtest 'nothing behind nginx' => sub {
	$stack->stack('stop', 'enroll');
	problem('no socket', $stack->http('POST', '/enroll'), 502, 'bad-gateway',
	    'retry-after' => 1);
	$stack->stack('start', 'enroll');
	is($stack->http('POST', '/enroll')->{status}, 401, 'and back again');
};

subtest 'too many requests' => sub {
	$stack->stack('stop', 'nginx');
	$stack->stack('up', '--rate', '1r/s');
	# The burst is in the shipped configuration.
	my ($burst) = slurp('nginx/pappus-device.conf') =~ /burst=(\d+)/;
	my $one = "GET /identity HTTP/1.1\r\nHost: localhost\r\n\r\n";
	my $last = "GET /identity HTTP/1.1\r\n$end\r\n";
	# More than the burst, for meanwhile it recovers.
	$stack->raw($one x ($burst / 2 + 60) . $last, all => 1, timeout => 60)
	    for 1 .. 2;
	problem('after the burst', $stack->http('GET', '/identity'), 429,
	    'too-many-requests', 'retry-after' => 1);
};

subtest 'the access log' => sub {
	my $token = 'et_' . 'a' x 64;
	$stack->http('GET', "/$token?token=$token");
	$stack->http('GET', '/identity?secret');
	my $log = $stack->log('nginx-access');
	like($log, qr/ GET \(token\) \d+ /, 'a token in the path is hidden');
	like($log, qr/ GET \/identity 429 /, 'an address without its query');
	unlike($log, qr/a{27}|\?|secret/, 'nothing else');
};

done_testing;
