# SPDX-License-Identifier: ISC
# Failed authentications are limited per address: too many of them get 429,
# good requests of the same address go on, and below the limit the programs'
# own 401 comes out unchanged.
use strict;
use warnings;
use Test::More;
use Pappus::Check qw(is_problem forged log_line);
use Pappus::Test qw(slurp wait_until);
use Pappus::Workers qw(change_nginx);

my $stack = Pappus::Test->start(workers => 1);
my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my $device = $stack->enroll($token)->{json};
my $site = slurp('nginx/site.conf.in');
my ($rate) = $site =~ /zone=pappus_failed:\S+ rate=(\d+)r\/s/;
my ($burst) = $site =~ /zone=pappus_failed burst=(\d+)/;
cmp_ok($rate, '>', 0, 'there is a rate');

# ask COUNT, REQUEST LINE, HEADER, to => listener: all on one connection;
# how many answers there are of each status.
sub ask
{
	my ($count, $line, $header, %option) = @_;
	my $one = "$line HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
	    . "$header\r\n";
	my $answer = $stack->raw("$one\r\n" x ($count - 1)
	    . "${one}Connection: close\r\n\r\n", all => 1, timeout => 60,
	    to => $option{to});
	my %counts;
	$counts{$_}++ for "$answer->{head}\n$answer->{body}" =~ /HTTP\/1\.1 (\d+)/g;
	return \%counts;
}

my @bearer = ('GET /identity', 'Authorization: Bearer '
    . forged($device->{device_token}));

subtest 'below the limit the answer is the program\'s own' => sub {
	my %wrong = (enroll => ['POST', '/enroll',
		'Thistle-Device-Enrollment-Token: ', $token],
	    identity => ['GET', '/identity', 'Authorization: Bearer ',
		$device->{device_token}],
	    admin => ['GET', '/admin/v1/projects', 'Authorization: Bearer ',
		$stack->{admin_token}]);
	for my $program (sort keys %wrong) {
		my ($method, $path, $header, $good) = @{$wrong{$program}};
		my $scheme = $program eq 'enroll'
		    ? 'Thistle-Device-Enrollment-Token' : 'Bearer';
		my $to = $program eq 'admin' ? 'admin' : 'device';
		my $ask = sub { $stack->http($method, $path, to => $to,
			headers => [map { "$header$_" } @_]) };
		is_problem("$program: nothing", $ask->(), 401, 'unauthenticated',
		    'www-authenticate' => "$scheme realm=\"pappus\"");
		my $typo = $ask->(substr $good, 0, -1);
		is_problem("$program: a typing error", $typo, 401, 'invalid-token',
		    'www-authenticate' =>
		    "$scheme realm=\"pappus\", error=\"invalid_token\"");
		like($typo->{json}{detail}, qr/66 characters instead of 67/,
		    'which is told');
		is(log_line($stack, $program, $typo->{json}{request_id})->{status},
		    401, 'in the program\'s log');
		is_deeply([grep { defined } map { $typo->{headers}{$_} }
			qw(x-problem x-accel-redirect)], [],
		    'nothing is to be seen of the detour');
	}
	is_problem("$_ from outside", $stack->http('GET', $_), 404, 'not-found')
	    for '/.failed', '/.failed/401', '/.failed/429';
};

subtest 'a body with a wrong token' => sub {
	is_problem('is dropped', $stack->http('POST', '/enroll', headers =>
		['Thistle-Device-Enrollment-Token: ' . forged($token)],
		body => 'label=' . 'a' x 100), 401, 'invalid-token');
	my $answer = $stack->raw("POST /enroll HTTP/1.1\r\nHost: localhost\r\n"
	    . "Content-Length: 7\r\n\r\nlabel=aGET /nothing HTTP/1.1\r\n"
	    . "Host: localhost\r\nConnection: close\r\n\r\n", all => 1);
	is_deeply(["$answer->{head}\n$answer->{body}" =~ /HTTP\/1\.1 (\d+)/g],
	    [401, 404], 'and the connection goes on behind it');
};

subtest 'above it' => sub {
	# So that time on a slow machine forgives nothing.
	change_nginx($stack, sub { s/(zone=pappus_failed:\S+ rate=)\d+r\/s/${1}1r\/m/ });
	my $counts = ask($burst + 100, @bearer);
	is_deeply([sort keys %$counts], [401, 429], 'some are told 429');
	cmp_ok($counts->{429}, '>=', 99, 'all above the burst');
	my $refused = $stack->http('GET', '/identity', headers => [$bearer[1]]);
	is_problem('a failing one', $refused, 429, 'too-many-requests',
	    'retry-after' => 1);
	like($refused->{json}{detail}, qr/valid token/, 'which says why');
	is($refused->{headers}{'www-authenticate'}, undef, 'and asks for none');
	is_problem('without a token', $stack->http('POST', '/enroll'), 429,
	    'too-many-requests');
	is_problem('an operator\'s', $stack->admin('GET', '/projects',
		token => forged($stack->{admin_token})), 429, 'too-many-requests');
};

subtest 'good ones beside it' => sub {
	is($stack->enroll($token)->{status}, 200, '/enroll');
	is($stack->identity($device->{device_token})->{status}, 200, '/identity');
	is($stack->admin('GET', '/projects')->{status}, 200, '/admin');
	is_problem('other errors stay as they are', $stack->http('POST', '/enroll',
		headers => ["Thistle-Device-Enrollment-Token: $token"],
		body => 'label=%ff'), 400, 'bad-request');
	my $good = ask($burst + 100, 'GET /admin/v1/projects', 'Authorization: '
	    . "Bearer $stack->{admin_token}", to => 'admin');
	is_deeply($good, { 200 => $burst + 100 }, 'as many good ones as you like');
	is_problem('and failing ones are none the better for it', $stack->http(
		'GET', '/identity', headers => [$bearer[1]]), 429,
	    'too-many-requests');
};

subtest 'another address' => sub {
	# All of 127.0.0.0/8 is this host.
	my @from = (curl => ['interface = "127.0.0.2"']);
	is_problem('is told 401', $stack->http('GET', '/identity', @from,
		headers => [$bearer[1]]), 401, 'invalid-token');
	is_problem('which the first is not', $stack->http('GET', '/identity',
		headers => [$bearer[1]]), 429, 'too-many-requests');
};

subtest 'when it is over' => sub {
	change_nginx($stack, sub { s/(zone=pappus_failed:\S+ rate=)1r\/m/$1${rate}r\/s/ });
	ok(wait_until(20, sub { $stack->http('GET', '/identity',
		headers => [$bearer[1]])->{status} == 401 }), '401 again');
};

subtest 'when failures can\'t be counted' => sub {
	# Its port is nobody's then.
	change_nginx($stack, sub {
		s/^server \{\n\tlisten \S+;\n\tserver_name failed;.*?^\}\n//ms });
	is_problem('the answer is 401', $stack->http('GET', '/identity',
		headers => [$bearer[1]]), 401, 'invalid-token',
	    'www-authenticate' => 'Bearer realm="pappus", error="invalid_token"');
};

done_testing;
