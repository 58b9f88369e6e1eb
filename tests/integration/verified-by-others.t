# SPDX-License-Identifier: ISC
# What this service issues before OpenSSL (strict), GnuTLS, NSS, mbedTLS and
# Go: the certificates of a device, a server and a service, keys, chains and
# the root's list, at dates from today until after the end.
use strict;
use warnings;
use MIME::Base64 ();
use Test::More;
use Time::Local qw(timegm_modern);
use Pappus::Ceremony;
use Pappus::DER qw(der_of_pem unix_time);
use Pappus::Others;
use Pappus::Profile qw(complaints fields);
use Pappus::Test qw(slurp spew);

use constant DAY => 86400;

# ------------------------------------------------------------ what is verified

my $pki = Pappus::Ceremony->new;
my $stack = Pappus::Test->start;
my $dir = $stack->dir;
my $y2050 = timegm_modern(0, 0, 0, 1, 0, 2050);
my %cert;

# From files to {leaf, chain, root, key, from, to}.
sub cert
{
	my ($name, %files) = @_;
	my ($der) = der_of_pem(slurp($files{leaf}), 'CERTIFICATE');
	my $f = fields($der);
	$cert{$name} = { %files, map { $_ => unix_time($f->{"not_$_"}) }
		qw(before after) };
}

sub file
{
	my ($name, $text) = @_;
	spew($pki->path($name), $text);
	return $pki->path($name);
}

# As /identity answers: a leaf, its key, the sub-CA and the root.
my $token = $stack->enrollment_token($stack->project);
my $identity = $stack->identity($stack->enroll($token)->{json}{device_token})
    ->{json};
my ($sub_ca, $root) = $identity->{ca_chain_pem}
    =~ /(-----BEGIN CERT.*?END CERTIFICATE-----\n)/sg;
cert(device => leaf => file('device.crt', $identity->{device_certificate_pem}),
	key => file('device.key', $identity->{device_private_key_pem}),
	chain => file('sub-ca.crt', $sub_ca), root => file('root.crt', $root));

# As nginx has it: the leaf, then the sub-CA.
my ($leaf, $chain) = slurp("$dir/server/nginx.crt")
    =~ /(-----BEGIN CERT.*?END CERTIFICATE-----\n)/sg;
cert(server => leaf => file('server.crt', $leaf), host => 'localhost',
	chain => file('server-ca.crt', $chain), key => "$dir/server/nginx.key",
	root => file('mqtt-root.crt', $identity->{mqtt_server_ca_pem}));

# A service, of a sub-CA made for this.
symlink "$dir/root", $pki->path('root') or die "symlink: $!";
$pki->sub_ca('root', 'service');
$pki->ca('service', '--dir', $pki->path('service'), '--out',
	$pki->path('reader'));
($leaf) = $pki->pem('reader.crt') =~ /\A(.*?END CERTIFICATE-----\n)/s;
cert(service => leaf => file('service.crt', $leaf), key => $pki->path('reader.key'),
	chain => $pki->path('service/ca.crt'), root => $pki->path('root.crt'));

# Devices of the same sub-CA on both sides of 2050, where the types of time change.
my %times = ('that ends in 2049' => [time - 3600, $y2050 - 1],
	'that ends as 2050 begins' => [time - 3600, $y2050],
	'that begins in 2050' => [$y2050, $y2050 + 5 * 365 * DAY]);
symlink "$dir/ca/device", $pki->path('device') or die "symlink: $!";
for my $name (sort keys %times) {
	my ($device) = $pki->devices('device', $times{$name});
	my $base = $name =~ tr/ /-/r;
	cert("device $name", leaf => file("$base.crt", $device->{certificate}),
		key => file("$base.key", $device->{key}),
		map { $_ => $cert{device}{$_} } qw(chain root));
}

my $crl = $pki->path('root.crl');
$pki->run('', 'openssl', 'crl', '-inform', 'DER', '-in',
	"$dir/public/crl/root.crl", '-out', $crl);

subtest 'our own reader of DER' => sub {
	for my $name (sort keys %cert) {
		my ($der, $issuer) = map { der_of_pem(slurp($_), 'CERTIFICATE') }
		    @{$cert{$name}}{qw(leaf chain)};
		is(join("\n", complaints($der, $name =~ s/ .*//r, $issuer)), '', $name);
	}
};

# -------------------------------------------------------- and when, and not

my @dates = (['today', time], ['in 2049', timegm_modern(0, 0, 12, 1, 6, 2049)],
	['as 2049 ends', $y2050 - 1], ['as 2050 begins', $y2050],
	['in 2055', timegm_modern(0, 0, 12, 1, 6, 2055)]);

# Both ends to the second, but for the last second itself: OpenSSL counts it as
# after the end.  NSS lets a certificate in a day before it begins.
sub dates_of
{
	my ($name) = @_;
	my ($from, $to) = @{$cert{$name}}{qw(before after)};
	return (['days before it begins', $from - 2 * DAY],
		['when it begins', $from + 1],
		$name eq 'device' ? @dates : (), ['as it ends', $to - 1],
		['after the end', $to + 1], ['years after it', $to + 3 * 365 * DAY]);
}

# The same certificate with a bit of its signature changed.
sub tampered
{
	my ($cert) = @_;
	my ($der) = der_of_pem(slurp($cert->{leaf}), 'CERTIFICATE');
	substr($der, -1) ^= "\1";
	my $base64 = MIME::Base64::encode_base64($der, '');
	return { %$cert, leaf => file('tampered.crt', join "\n",
		'-----BEGIN CERTIFICATE-----', $base64 =~ /(.{1,64})/g,
		'-----END CERTIFICATE-----', '') };
}

$pki->root('strangers');
my $stranger = $pki->path('strangers/root.crt');

sub check_leaf
{
	my ($other, $name) = @_;
	my $cert = $cert{$name};
	my $purpose = $name eq 'server' ? 'server' : 'client';
	for (dates_of($name)) {
		my ($when, $at) = @$_;
		my $wrong = $other->leaf($cert, $purpose, $at);
		if ($at >= $cert->{before} && $at <= $cert->{after}) {
			is($wrong, '', "$name, $when: accepted");
		} else {
			isnt($wrong, '', "$name, $when: refused");
		}
	}
	is($other->key($cert), '', "$name: the key is its own");
}

# What must not be accepted at any time.
sub check_refusals
{
	my ($other, $name) = @_;
	my $cert = $cert{$name};
	my ($is, $not) = $name eq 'server' ? qw(server client) : qw(client server);
	my $at = $cert->{after} - DAY;
	isnt($other->leaf($cert, $not, $at), '', "$name: is no $not");
	isnt($other->leaf(tampered($cert), $is, $at), '', "$name: not tampered with");
	isnt($other->leaf({ %$cert, root => $stranger }, $is, $at), '',
		"$name: not below another root");
	isnt($other->leaf({ %$cert, chain => $stranger }, $is, $at), '',
		"$name: not without its sub-CA");
}

# mbedTLS and NSS know no critical extension of a list, so they refuse the
# issuingDistributionPoint that RFC 5280 §5.2.5 asks for.  GnuTLS looks at the
# age of a list when asked for it alone.
my %refuses = (mbedTLS => qr/extension tag or value is invalid/,
	NSS => qr/UNKNOWN_CRITICAL_EXTENSION/);

sub check_crl
{
	my ($other) = @_;
	my $today = $other->crl($crl, $cert{device}, time);
	if (my $why = $refuses{$other->{name}}) {
		like($today, $why, 'the list: refused for its critical extension');
		return;
	}
	is($today, '', 'the list: accepted today');
	isnt($other->crl($crl, $cert{device}, time + 367 * DAY), '',
		'the list: refused after a year');
	isnt($other->crl($crl, { %{$cert{device}}, root => $stranger }, time), '',
		'the list: not of another root');
}

for my $name (Pappus::Others->names) {
	subtest $name => sub {
		my $other = Pappus::Others->new($name);
		plan skip_all => $other->missing if $other->missing;
		check_leaf($other, $_) for sort keys %cert;
		check_refusals($other, $_) for qw(device server service);
		isnt($other->leaf({ %{$cert{server}}, host => 'x.example' }, 'server',
			time), '', 'server: by no other name')
		    if $name ne 'NSS';	# vfychain takes none
		isnt($other->key({ %{$cert{device}}, key => $cert{service}{key} }), '',
			'device: not the key of another');
		check_crl($other);
	};
}

done_testing;
