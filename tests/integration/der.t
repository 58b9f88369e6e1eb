# SPDX-License-Identifier: ISC
# Certificates of all profiles before a DER checker of our own; and devices in
# numbers, with times on both sides of 2050.
use strict;
use warnings;
use Test::More;
use Time::Local qw(timegm_modern);
use Pappus::Ceremony;
use Pappus::DER qw(unix_time);
use Pappus::Profile qw(complaints fields);

my $pki = Pappus::Ceremony->new;

sub follows
{
	my ($name, @certificate) = @_;
	is(join("\n", complaints(@certificate)), '', $name);
}

$pki->root('root');
$pki->root('root-384', '--curve', 'P-384');
$pki->sub_ca('root', $_) for qw(device server service);
$pki->sub_ca('root', 'fleet', purpose => 'device', domain => 'fleet.example');
$pki->sub_ca('root-384', 'device-384', purpose => 'device');
my %root = map { $_ => $pki->der("$_/root.crt") } qw(root root-384);
my %ca = map { $_ => $pki->der("$_/ca.crt") }
    qw(device fleet server service device-384);

subtest 'what pappus-ca makes' => sub {
	$pki->ca('server', '--dir', $pki->path('server'), '--name', 'broker',
		'--out', $pki->path('broker'), '--dns', 'broker.example', '--ip',
		'127.0.0.1', '--ip', '::1');
	$pki->ca('service', '--dir', $pki->path('service'), '--out',
		$pki->path('reader'));
	follows($_, $root{$_}, 'root', $root{$_}) for sort keys %root;
	follows("$_ CA", $ca{$_}, "$_ CA", $root{root}) for qw(device server service);
	follows('device CA with a trust domain', $ca{fleet}, 'device CA', $root{root});
	follows('device CA of a P-384 root', $ca{'device-384'}, 'device CA',
		$root{'root-384'});
	follows('server', $pki->der('broker.crt'), 'server', $ca{server});
	follows('service', $pki->der('reader.crt'), 'service', $ca{service});
};

# ---------------------------------------------------------- devices in numbers

my $y2050 = timegm_modern(0, 0, 0, 1, 0, 2050);
my $end = unix_time(fields($ca{device})->{not_after});
my $seed = $ENV{PAPPUS_SEED} // time;
srand $seed;
note("PAPPUS_SEED=$seed");

# Any second that a sub-CA lives, mostly near the change of time types.
sub some_time
{
	my $kind = int rand 4;
	return $y2050 + int(rand 7) - 3 if $kind == 0;
	return $y2050 + int(rand 2 * 86400) - 86400 if $kind == 1;
	return $y2050 + int(rand 2 * 365 * 86400) - 365 * 86400 if $kind == 2;
	return time + int rand $end - time;
}

sub check_device
{
	my ($device, $from, $to, $issuer) = @_;
	return $device->{refused} if $device->{refused};
	my @wrong = complaints($device->{der}, 'device', $issuer);
	my $f = fields($device->{der});
	push @wrong, 'not the device' if $f->{cn} ne $device->{id};
	push @wrong, 'not the serial'
	    if unpack('H*', $f->{serial}{bytes}) ne $device->{serial};
	push @wrong, 'not the times' if unix_time($f->{not_before}) != $from
	    || unix_time($f->{not_after}) != $to;
	return map { "$from to $to: $_" } @wrong;
}

for my $dir (qw(device fleet device-384)) {
	subtest "devices of $dir" => sub {
		my $count = $ENV{PAPPUS_LONG} ? 3000 : 150;
		my @times = map { [sort { $a <=> $b } some_time(), some_time()] }
		    1 .. $count;
		push @times, map { my $from = $_; map { [$from, $_] }
			grep { $_ >= $from } $y2050 - 1, $y2050, $y2050 + 1 }
		    $y2050 - 1, $y2050, $y2050 + 1;
		my @devices = $pki->devices($dir, @times);
		is(@devices, @times, 'an answer each');
		my @wrong = map { check_device($devices[$_], @{$times[$_]},
			$ca{$dir}) } 0 .. $#times;
		is(join("\n", @wrong), '', 'all follow the profile');
		my @fields = map { fields($_->{der}) } @devices;
		my %types = map { sprintf('%02x %02x', $_->{not_before}{tag},
			$_->{not_after}{tag}) => 1 } @fields;
		is_deeply([sort keys %types], ['17 17', '17 18', '18 18'],
			'all pairs of time types were among them');
		my %serials = map { $_->{serial}{bytes} => 1 } @fields;
		is(keys %serials, @times, 'each has a serial of its own');
	};
}

subtest 'nothing outlives its issuer' => sub {
	my ($last, $beyond) = $pki->devices('device', [$y2050, $end],
		[$y2050, $end + 1]);
	follows('until its last second', $last->{der}, 'device', $ca{device});
	like($beyond->{refused}, qr/outlive its sub-CA/, 'not one more');
};

done_testing;
