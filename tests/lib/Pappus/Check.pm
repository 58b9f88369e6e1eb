# SPDX-License-Identifier: ISC
# What several test files ask of a stack: that an answer is a problem in the
# documented shape, many requests at the same moment, tokens that are none.
package Pappus::Check;
use strict;
use warnings;

use Digest::SHA qw(sha256);
use Exporter qw(import);
use Pappus::Test qw(slurp wait_until);
use Test::More;

our @EXPORT_OK = qw(is_problem at_once forged log_line serial_of);

# is_problem NAME, ANSWER, STATUS, KIND, HEADER => VALUE…: the answer is an
# RFC 9457 problem of that kind with all its members and headers.
sub is_problem
{
	my ($name, $answer, $status, $kind, %header) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return subtest $name => sub {
		ok($answer, 'is answered') or return;
		my $headers = $answer->{headers};
		my $json = $answer->{json} // {};
		is($answer->{status}, $status, 'status');
		is_deeply($headers->{'content-type'}, ['application/problem+json'],
		    'media type');
		is_deeply($headers->{'cache-control'}, ['no-store'], 'no-store');
		is_deeply([sort keys %$json], [qw(detail request_id status title type)],
		    'members');
		is($json->{type}, "urn:pappus:problem:$kind", 'type')
		    or diag($answer->{body});
		is($json->{status}, $status, 'status in the body');
		ok(length($json->{title} // '') && length($json->{detail} // ''),
		    'is explained');
		like($json->{request_id}, qr/^[0-9a-f]{32}\z/, 'request id');
		is_deeply($headers->{'x-request-id'}, [$json->{request_id}],
		    'the same id in the header');
		like($headers->{'retry-after'}[0], qr/^[1-9]\d*$/, 'Retry-After')
		    if $status == 503;
		is_deeply($headers->{$_}, [$header{$_}], $_) for sort keys %header;
	};
}

# at_once STACK, [METHOD, PATH, headers => […], body => …, to => …]…: all of
# them at the same moment, by one curl; the answers in the same order.
sub at_once
{
	my ($stack, @requests) = @_;
	my $base = $stack->tmp . "/at-once.$$";
	my @config = ('parallel', 'parallel-immediate', 'no-progress-meter',
	    'parallel-max = 300');
	for my $i (0 .. $#requests) {
		my ($method, $path, %option) = @{$requests[$i]};
		my $to = $option{to} // 'device';
		my $scheme = $to eq 'public' ? 'http' : 'https';
		my $port = $stack->setting(uc($to) . '_PORT');
		push @config, 'next' if $i > 0;
		push @config, 'silent', 'show-error', 'include', 'path-as-is',
		    'globoff', 'max-time = 30', 'noproxy = "*"', "output = \"$base.$i\"",
		    map { "$$_[0] = " . Pappus::Test::quote($$_[1]) }
		    ['cacert', $stack->root_file], ['request', $method],
		    ['url', "$scheme://localhost:$port$path"],
		    (map { ['header', $_] } @{$option{headers} // []}),
		    defined $option{body} ? ['data', $option{body}] : ();
	}
	my (undef, undef, $errors) = Pappus::Test::run_command(
	    join("\n", @config, ''), 'curl', '-q', '-K', '-');
	diag($errors) if $errors ne '';
	return map {
		my $text = -e "$base.$_" ? slurp("$base.$_") : '';
		unlink "$base.$_";
		$text eq '' ? undef : Pappus::Test::parse_answer($text);
	} 0 .. $#requests;
}

# A token as well-formed as the one given, for the same row, with another
# secret.
sub forged
{
	my ($token) = @_;
	my @digits = split //, '0123456789abcdefghjkmnpqrstvwxyz';
	my $text = substr($token, 0, 29) . '0' x 32;
	return $text . join '', map { $digits[oct "0b$_"] }
	    unpack('B30', sha256($text)) =~ /(.{5})/g;
}

# The line that a program has logged for a request, as {name => value}.  It
# comes after the answer, hence the patience.
sub log_line
{
	my ($stack, $program, $request_id) = @_;
	my $line = wait_until(5, sub {
		$stack->log($program) =~ /^(.* request_id=$request_id .*)$/m
		    ? $1 : undef;
	}) or return {};
	return { $line =~ /(\w+)=(\S+)/g };
}

# The serial of a certificate in PEM, as lower-case hexadecimal digits.
sub serial_of
{
	my ($pem) = @_;
	my (undef, $out) = Pappus::Test::run_command($pem, 'openssl', 'x509',
	    '-noout', '-serial');
	return lc($out =~ s/^serial=|\s+//gr);
}

1;
