# SPDX-License-Identifier: ISC
# pappus-crld on a real database: what operators and devices do shows in the
# deny-list and in the CRLs, and what strangers make of those.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Pappus::Check qw(serial_of);
use Pappus::Crld;
use Pappus::Test qw(slurp spew wait_until);

my $stack = Pappus::Test->start(workers => 1);
my $crld = Pappus::Crld->new($stack, 'a');
my $token = $stack->enrollment_token($stack->project);

sub padded { return '0' x (40 - length $_[0]) . $_[0] }

# A device of the whole road, with its serial.
sub device
{
	my $device = $stack->device($token);
	$device->{serial} = serial_of(slurp($device->{certificate}));
	return $device;
}

sub act
{
	my ($device, $act, %body) = @_;
	my $answer = $stack->admin('POST', "/devices/$device->{id}/$act",
	    document => { reason => 'test', %body });
	is($answer->{status}, 200, $act) or diag($answer->{body});
}

# Whether the deny-list comes to say so of a device and its serial.
sub comes
{
	my ($name, $device, $denied, $revoked) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(10, sub {
		my $all = $crld->denied or return;
		return !!$all->{devices}{$device->{id}} == !!$denied
		    && !!$all->{serials}{padded($device->{serial})} == !!$revoked;
	}), "$name: the deny-list") or diag($crld->log);
	ok(wait_until(10, sub {
		my $crl = $crld->crl('device') or return;
		my $reason = $crl->{revoked}{$device->{serial}};
		return defined $revoked && defined $reason ? $reason eq $revoked
		    : !defined $revoked && !defined $reason;
	}), "$name: the CRL") or diag($crld->log);
}

subtest 'an empty list' => sub {
	$crld->start;
	ok(wait_until(20, sub { $crld->crl('device') && $crld->crl('server')
		&& $crld->denied && $crld->denied->{crls} }), 'is published')
	    or diag($crld->log);
	my $crl = $crld->crl('device');
	like($crl->{text}, qr/No Revoked Certificates/, 'without entries');
	like($crl->{text}, qr/Version 2 \(0x1\)/, 'version 2');
	is_deeply([$crld->faults], [], 'all verifies');
};

subtest 'revoke, deny, allow, reissue' => sub {
	my $device = device();
	is($crld->verify($device->{certificate}), 'OK', 'a good device');
	act($device, 'deny');
	comes('denied', $device, 1, 'Certificate Hold');
	is($crld->verify($device->{certificate}), 'certificate revoked', 'openssl');
	act($device, 'allow');
	comes('allowed', $device, 0, undef);
	is($crld->verify($device->{certificate}), 'OK', 'openssl');
	my $before = $device->{serial};
	my $again = $stack->identity($device->{token})->{json};
	comes('superseded', $device, 0, 'Superseded');
	$device->{serial} = serial_of($again->{device_certificate_pem});
	comes('its next certificate', $device, 0, undef);
	act($device, 'revoke', reason_code => 1);
	comes('revoked', $device, 1, 'Key Compromise');
	is_deeply([$crld->faults], [], 'all verifies');
};

is($crld->stop, 0, 'it ends');
diag($crld->log) if $ENV{PAPPUS_KEEP};
done_testing;
