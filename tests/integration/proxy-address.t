# SPDX-License-Identifier: ISC
# Which address a client has: the one that nginx sees; and, in the site file's
# block for it, the one that a trusted proxy tells, and nobody else.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Pappus::Check qw(forged);
use Pappus::Load;
use Pappus::Test;
use Pappus::Workers qw(change_nginx);

my $stack = Pappus::Test->start(workers => 1);
my $project = $stack->project;
my $token = $stack->enrollment_token($project);

sub sql { return $stack->psql('postgres', "@_") }

# enroll FROM, HEADER…: by a connection from an address of this host, all of
# 127.0.0.0/8; what it is recorded with, or the kind of problem.
sub enroll
{
	my ($from, @headers) = @_;
	return address($stack->http('POST', '/enroll', curl =>
		["interface = \"$from\""], headers => [@headers,
		"Thistle-Device-Enrollment-Token: $token"]));
}

sub address
{
	my ($answer) = @_;
	return $answer->{json}{type} =~ s/.*://r if $answer->{status} != 200;
	return sql('SELECT enrolled_from FROM pappus.devices WHERE device_id ='
	    . " '$answer->{json}{device_id}'");
}

sub forwarded { return 'X-Forwarded-For: ' . shift }

# An enrolment token for these networks alone.
sub allow
{
	my $answer = $stack->admin('POST', "/projects/$project/enrollment-tokens",
	    document => { @_ ? (allowed_cidrs => [@_]) : () });
	$token = $answer->{json}{enrollment_token}
	    // die "no token: $answer->{body}\n";
}

subtest 'as shipped' => sub {
	is(enroll('127.0.0.1'), '127.0.0.1', 'whom nginx sees');
	is(enroll('127.0.0.2'), '127.0.0.2', 'whoever it is');
	is(enroll('127.0.0.1', $_), '127.0.0.1', "nobody is believed: $_") for
	    forwarded('203.0.113.9'), 'X-Real-IP: 203.0.113.9',
	    'Forwarded: for=203.0.113.9', 'Remote-Addr: 203.0.113.9';
	allow('203.0.113.0/24');
	is(enroll('127.0.0.1', forwarded('203.0.113.9')), 'address-not-allowed',
	    'whatever it would help');
	allow();
};

# As the comment in the site file says, with 127.0.0.1 for the proxy.
change_nginx($stack, sub {
	s/^\t#(set_real_ip_from )192\.0\.2\.10;/\t${1}127.0.0.1;/m
	    && s/^\t#(real_ip_header X-Forwarded-For;)/\t$1/m
	    && s/^\t#(real_ip_recursive on;)/\t$1/m });

subtest 'a trusted proxy' => sub {
	is(enroll('127.0.0.1', forwarded($$_[0])), $$_[1], "tells $$_[0]") for
	    ['203.0.113.9', '203.0.113.9'], ['2001:db8::7', '2001:db8::7'],
	    ['198.51.100.7, 203.0.113.9', '203.0.113.9'],
	    ['203.0.113.9, 127.0.0.1', '203.0.113.9'],
	    ['::ffff:203.0.113.9', '203.0.113.9'],
	    ['::FFFF:203.0.113.9', '203.0.113.9'],
	    ['::ffff:cb00:7109', '203.0.113.9'],
	    ['x, 203.0.113.9', '203.0.113.9'],
	    ['203.0.113.9, x', '127.0.0.1'], ['x', '127.0.0.1'],
	    ['203.0.113.256', '127.0.0.1'], ['unix:', '127.0.0.1'],
	    ["203.0.113.9'; --", '127.0.0.1'];
	is(enroll('127.0.0.1'), '127.0.0.1', 'tells nothing');
	is(enroll('127.0.0.1', forwarded('198.51.100.7'),
		forwarded('203.0.113.9')), '203.0.113.9', 'in two headers');
	is(enroll('127.0.0.1', 'X-Real-IP: 203.0.113.9'), '127.0.0.1',
	    'in another header');
	like($stack->log('nginx-access'), qr/ 2001:db8::7 POST \/enroll 200 /,
	    'the access log has it');
	my $enrolled = $stack->enroll($token)->{json};
	$stack->http('GET', '/identity', headers => [forwarded('203.0.113.9'),
		"Authorization: Bearer $enrolled->{device_token}"]);
	is(sql('SELECT address FROM pappus.certificates WHERE device_id ='
		. " '$enrolled->{device_id}'"), '203.0.113.9',
	    'and so has a certificate\'s record');
};

subtest 'anyone else' => sub {
	is(enroll('127.0.0.2', forwarded($_)), '127.0.0.2', "tells $_") for
	    '203.0.113.9', '127.0.0.1', '203.0.113.9, 127.0.0.1';
	my $answer = $stack->admin('POST', "/projects/$project/enrollment-tokens",
	    headers => [forwarded('203.0.113.9')]);
	$token = $answer->{json}{enrollment_token};
	is(sql('SELECT address FROM pappus.operator_actions WHERE object_id ='
		. " '$answer->{json}{enrollment_token_id}'"), '127.0.0.1',
	    'nor is the operators\' listener behind it');
};

subtest 'networks that a token is for' => sub {
	allow('203.0.113.0/24', '2001:db8::/32');
	is(enroll('127.0.0.1', forwarded($_)), $_, "$_ is in") for
	    '203.0.113.9', '2001:db8:1::7';
	is(enroll('127.0.0.1', forwarded('::ffff:203.0.113.9')), '203.0.113.9',
	    'also as it looks on a listener for IPv4 and IPv6');
	is(enroll('127.0.0.1', forwarded($_)), 'address-not-allowed', "$_ is not")
	    for '203.0.114.9', '2001:db9::7', '203.0.113.9, 198.51.100.7';
	is(enroll('127.0.0.1'), 'address-not-allowed', 'the proxy itself is not');
	is(enroll('127.0.0.2', forwarded('203.0.113.9')), 'address-not-allowed',
	    'nor who is no proxy');
	allow();
};

subtest 'limits' => sub {
	change_nginx($stack, sub { s/(zone=pappus_failed:\S+ rate=)\d+r\/s/${1}1r\/m/
	    && s/(zone=pappus_failed burst=)\d+/${1}3/ });
	my $fail = sub { $stack->http('GET', '/identity', curl =>
		["interface = \"$_[1]\""], headers => [forwarded($_[0]),
		'Authorization: Bearer ' . forged('dt_' . '0' x 26)])->{status} };
	is_deeply([map { $fail->('203.0.113.1', '127.0.0.1') } 1 .. 6],
	    [(401) x 4, (429) x 2], 'of who fails too often');
	is($fail->('203.0.113.2', '127.0.0.1'), 401, 'are by the real address');
	is_deeply([map { $fail->("203.0.113.1$_", '127.0.0.2') } 1 .. 6],
	    [(401) x 4, (429) x 2], 'which who is no proxy can\'t change');
};

# A proxy that passes TLS on as it is, after a line that says who comes.
sub pass_on
{
	my ($listener, $from, $line) = @_;
	while (my $client = $listener->accept) {
		my $server = IO::Socket::INET->new(LocalAddr => $from, PeerAddr =>
		    '127.0.0.1', PeerPort => $stack->setting('DEVICE_PORT')) or next;
		syswrite $server, $line;
		my $select = IO::Select->new($client, $server);
		my ($bytes, $open) = ('', 1);
		while ($open && (my ($ready) = $select->can_read(10))) {
			$open = sysread $ready, $bytes, 65536;
			syswrite $ready == $client ? $server : $client, $bytes if $open;
		}
		close $_ for $client, $server;
	}
}

sub enroll_over
{
	my ($from, $line) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
	    or die "listen: $!";
	my $child = Pappus::Load::child(sub { pass_on($listener, $from, $line) });
	my $answer = eval { $stack->http('POST', '/enroll', curl =>
		['connect-to = "::127.0.0.1:' . $listener->sockport . '"'],
	    headers => ["Thistle-Device-Enrollment-Token: $token"]) };
	kill 'TERM', $child;
	Pappus::Load::reap($child);
	return $answer ? address($answer) : 'refused';
}

subtest 'the PROXY protocol' => sub {
	change_nginx($stack, sub {
		my $port = $stack->setting('DEVICE_PORT');
		s/^(\tlisten \S+:$port ssl )/$1proxy_protocol /m
		    && s/^\treal_ip_header X-Forwarded-For;\n//m
		    && s/^\t#(real_ip_header proxy_protocol;)/\t$1/m });
	my $line = "PROXY TCP4 203.0.113.9 127.0.0.1 5555 443\r\n";
	is(enroll_over('127.0.0.1', $line), '203.0.113.9', 'a trusted proxy');
	is(enroll_over('127.0.0.1', "PROXY TCP6 2001:db8::7 ::1 5555 443\r\n"),
	    '2001:db8::7', 'with IPv6');
	is(enroll_over('127.0.0.2', $line), '127.0.0.2', 'anyone else');
	is(enroll_over('127.0.0.1', "PROXY UNKNOWN\r\n"), '127.0.0.1',
	    'a proxy that doesn\'t know');
	is(enroll_over('127.0.0.1', ''), 'refused', 'a proxy that says nothing');
};

done_testing;
