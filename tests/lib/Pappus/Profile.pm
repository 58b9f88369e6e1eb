# SPDX-License-Identifier: ISC
# Does a certificate follow its profile?  Checked on its DER by a reader of our
# own (Pappus::DER), so that neither OpenSSL's encoder nor its decoder vouches
# for itself.  Signatures are not verified here.
#
#	my @wrong = complaints($der, 'device', $issuer_der);
#
# The last is the certificate's own for a root.  A complaint begins with the
# field it is about; none is what is hoped for.
package Pappus::Profile;
use strict;
use warnings;

use Digest::SHA qw(sha1);
use Exporter qw(import);
use Math::BigInt;
use Pappus::DER qw(decode encode oid unix_time);

our @EXPORT_OK = qw(complaints fields);

my $name = qr/[0-9a-hjkmnp-tv-z]/;
my $ulid = qr/[0-7]$name{25}/;
my $ca_usage = '03020106';	# keyCertSign, cRLSign
my $leaf_usage = '03020780';	# digitalSignature
my $client = '300a06082b06010505070302';
my $server = '300a06082b06010505070301';

# Values of extensions in hexadecimal, or what reads them; ? may be missing.
my %leaf = (usage => $leaf_usage, ski => \&check_ski, aki => \&check_aki,
	cdp => \&check_cdp, aia => \&check_aia);
my %ca = (usage => $ca_usage, ski => \&check_ski);
my %sub_ca = (%ca, constraints => '30060101ff020100', aki => \&check_aki,
	cdp => \&check_cdp, aia => \&check_aia);
my %profile = (
	root => { subject => [qw(O CN)], p384 => 1,
		extensions => { %ca, constraints => '30030101ff' } },
	'device CA' => { subject => [qw(O CN)],
		extensions => { %sub_ca, eku => $client } },
	'server CA' => { subject => [qw(O CN)],
		extensions => { %sub_ca, eku => $server } },
	'service CA' => { subject => [qw(O CN)],
		extensions => { %sub_ca, eku => $client } },
	device => { subject => ['CN'], cn => qr/\Adev_$ulid\z/,
		extensions => { %leaf, eku => $client, 'san?' => \&check_spiffe } },
	server => { subject => ['CN'],
		extensions => { %leaf, eku => $server, san => \&check_hosts } },
	service => { subject => ['CN'], cn => qr/\Asvc_$ulid\z/,
		extensions => { %leaf, eku => $client } },
);

my %extension = ('2.5.29.14' => 'ski', '2.5.29.15' => 'usage',
	'2.5.29.17' => 'san', '2.5.29.19' => 'constraints', '2.5.29.31' => 'cdp',
	'2.5.29.35' => 'aki', '2.5.29.37' => 'eku', '1.3.6.1.5.5.7.1.1' => 'aia');
my %critical = (usage => 1, constraints => 1);
my %attribute = ('2.5.4.3' => 'CN', '2.5.4.10' => 'O');

# The parameters of the two curves (FIPS 186-4 D.1.2), and who signs how
# (RFC 5758 §3.2): without parameters.
my %curve = (
	'1.2.840.10045.3.1.7' => { len => 32, signs => '1.2.840.10045.4.3.2',
		p => '0xffffffff00000001000000000000000000000000ffffffffffffffff'
		    . 'ffffffff',
		b => '0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e'
		    . '27d2604b' },
	'1.3.132.0.34' => { len => 48, signs => '1.2.840.10045.4.3.3', p384 => 1,
		p => '0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffff'
		    . 'ffffffeffffffff0000000000000000ffffffff',
		b => '0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5'
		    . '013875ac656398d8a2ed19d2a85c8edd3ec2aef' },
);

my @wrong;

sub complain
{
	push @wrong, "$_[0]: $_[1]";
	return;
}

# The kids of an element, if it has that tag and so many; else a complaint.
sub kids
{
	my ($field, $element, $tag, $count) = @_;
	return @{$element->{kids}} if $element && $element->{tag} == $tag
	    && $element->{kids} && (!defined $count || $count == @{$element->{kids}});
	complain($field, 'not of its form');
	die "stop\n";
}

sub bytes
{
	my ($field, $element, $tag) = @_;
	return $element->{bytes} if $element && $element->{tag} == $tag;
	complain($field, 'not of its form');
	die "stop\n";
}

# ------------------------------------------------------------------ the fields

# RFC 5280 §4.1 as a hash of elements; extensions by name, as their bytes.
sub fields
{
	my ($der) = @_;
	my %f;
	my ($tbs, $algorithm, $signature) = kids('certificate', decode($der),
		0x30, 3);
	my @parts = kids('certificate', $tbs, 0x30);
	# Without it all else stands elsewhere.
	kids('version', $parts[0], 0xa0, 1);
	complain('certificate', sprintf 'holds a tag %02x', $_->{tag})
	    for splice @parts, 7, -1;
	@f{qw(version serial inner issuer validity subject spki extensions)} =
	    @parts;
	@f{qw(algorithm signature)} = ($algorithm, $signature);
	@f{qw(not_before not_after)} = kids('validity', $f{validity}, 0x30, 2);
	my ($key_algorithm, $key) = kids('key', $f{spki}, 0x30, 2);
	$f{key_algorithm} = [kids('key', $key_algorithm, 0x30)];
	$f{point} = bytes('key', $key, 0x03);
	$f{extension} = extensions($f{extensions});
	$f{attributes} = [map { attribute($_) } kids('subject', $f{subject}, 0x30)];
	$f{cn} = @{$f{attributes}} ? $f{attributes}[-1][2] : '';
	return \%f;
}

# An RDN of one attribute as [type, tag, value].
sub attribute
{
	my ($rdn) = @_;
	my ($pair) = kids('subject', $rdn, 0x31, 1);
	my ($type, $value) = kids('subject', $pair, 0x30, 2);
	my $oid = oid(bytes('subject', $type, 0x06));
	return [$attribute{$oid} // $oid, $value->{tag}, $value->{bytes}];
}

sub extensions
{
	my ($element) = @_;
	my %found;
	my ($list) = kids('extensions', $element, 0xa3, 1);
	for my $one (kids('extensions', $list, 0x30)) {
		my ($id, @rest) = kids('extensions', $one, 0x30);
		my $oid = oid(bytes('extensions', $id, 0x06));
		my $called = $extension{$oid} // $oid;
		my $critical = @rest == 2 ? bytes($called, shift @rest, 0x01) : '';
		# X.690 §11.5: a default value is left out.
		complain($called, 'critical FALSE is written out') if $critical eq "\0";
		complain($called, $critical{$called} ? 'is not critical'
			: 'is critical')
		    if ($critical eq "\xff") != !!$critical{$called};
		complain($called, 'is there twice') if $found{$called};
		$found{$called} = bytes($called, $rest[0], 0x04);
	}
	return \%found;
}

# ------------------------------------------------------------------ the checks

sub check_version
{
	my ($f) = @_;
	return complain('version', 'is not 3')
	    if unpack('H*', encode($f->{version})) ne 'a003020102';
}

# RFC 5280 §4.1.2.2; ours begins with 01 to 7f.
sub check_serial
{
	my ($f) = @_;
	my $serial = bytes('serial', $f->{serial}, 0x02);
	complain('serial', 'is not positive') if $serial =~ /\A[\x80-\xff]/s
	    || $serial eq "\0";
	complain('serial', 'begins with 00') if $serial =~ /\A\0./s;
	complain('serial', 'is over 20 octets') if length $serial > 20;
}

# RFC 5280 §4.1.2.5
sub check_validity
{
	my ($f, $issuer) = @_;
	for my $which (qw(not_before not_after)) {
		my $time = $f->{$which};
		my $year = 1900 + (gmtime unix_time($time))[5];
		return complain($which, sprintf 'of the year %d as tag %02x', $year,
			$time->{tag})
		    if $time->{tag} != ($year < 2050 ? 0x17 : 0x18);
	}
	complain('validity', 'ends before it begins')
	    if unix_time($f->{not_after}) < unix_time($f->{not_before});
	complain('not_after', 'is beyond the issuer\'s')
	    if unix_time($f->{not_after}) > unix_time($issuer->{not_after});
}

sub check_names
{
	my ($f, $issuer, $profile) = @_;
	complain('issuer', 'is not the issuer\'s subject')
	    if encode($f->{issuer}) ne encode($issuer->{subject});
	my @types = map { $$_[0] } @{$f->{attributes}};
	complain('subject', "is of @types") if "@types" ne "@{$profile->{subject}}";
	complain('subject', "$$_[0] is no UTF8String")
	    for grep { $$_[1] != 0x0c } @{$f->{attributes}};
	# RFC 5280 appendix A.1, ub-common-name
	complain('subject', 'is empty, or over 64 characters')
	    for grep { my $text = $$_[2] // ''; utf8::decode($text);
		$text !~ /\A.{1,64}\z/s } @{$f->{attributes}};
	complain('subject', 'has a CN of another form')
	    if $profile->{cn} && $f->{cn} !~ $profile->{cn};
}

sub curve
{
	my ($f) = @_;
	my @oids = map { $_->{tag} == 0x06 ? oid($_->{bytes}) : '' }
	    @{$f->{key_algorithm}};
	return @oids == 2 && $oids[0] eq '1.2.840.10045.2.1' ? $curve{$oids[1]}
	    : undef;
}

# RFC 5480 §2: an uncompressed point, and it lies on the curve.
sub check_key
{
	my ($f, undef, $profile) = @_;
	my $curve = curve($f);
	return complain('key', 'is on no curve for it')
	    if !$curve || $curve->{p384} && !$profile->{p384};
	my $len = $curve->{len};
	return complain('key', 'is no uncompressed point')
	    if $f->{point} !~ /\A\0\x04/ || length $f->{point} != 2 + 2 * $len;
	my ($x, $y) = map { Math::BigInt->from_hex($_) }
	    unpack "x2 (H@{[2 * $len]})2", $f->{point};
	my $p = Math::BigInt->from_hex($curve->{p});
	my $right = ($x ** 3 - 3 * $x + Math::BigInt->from_hex($curve->{b})) % $p;
	complain('key', 'is not on its curve')
	    if $x >= $p || $y >= $p || ($y * $y - $right) % $p != 0;
}

# RFC 5280 §4.1.1.2: the same inside and outside; by the issuer's curve.
sub check_signature
{
	my ($f, $issuer) = @_;
	complain('algorithm', 'is not the same inside and outside')
	    if encode($f->{algorithm}) ne encode($f->{inner});
	my ($oid) = kids('algorithm', $f->{algorithm}, 0x30, 1);
	my $curve = curve($issuer) or return;
	complain('algorithm', 'is not for the issuer\'s key')
	    if oid(bytes('algorithm', $oid, 0x06)) ne $curve->{signs};
	# RFC 3279 §2.2.3: ECDSA-Sig-Value
	my $value = bytes('signature', $f->{signature}, 0x03);
	complain('signature', 'has unused bits') if $value !~ /\A\0/;
	for my $number (kids('signature', decode(substr $value, 1), 0x30, 2)) {
		my $bytes = bytes('signature', $number, 0x02);
		complain('signature', 'has a number that is not positive')
		    if $bytes =~ /\A[\x80-\xff]/s || $bytes eq "\0";
		complain('signature', 'has a number that is too long')
		    if length($bytes =~ s/\A\0//r) > $curve->{len};
	}
}

# -------------------------------------------------------------- the extensions

sub check_extensions
{
	my ($f, $issuer, $profile) = @_;
	my %wanted = %{$profile->{extensions}};
	for my $called (sort keys %{$f->{extension}}) {
		my $rule = delete $wanted{$called} // delete $wanted{"$called?"};
		my $value = $f->{extension}{$called};
		my $element = decode($value);
		if (!defined $rule) {
			complain($called, 'is not of this profile');
		} elsif (ref $rule) {
			$rule->($f, $issuer, $element);
		} elsif (unpack('H*', $value) ne $rule) {
			complain($called, 'is ' . unpack 'H*', $value);
		}
	}
	complain($_, 'is missing') for sort grep { !/\?/ } keys %wanted;
}

# RFC 5280 §4.2.1.2 (1): SHA-1 of the BIT STRING without its first octet.
sub check_ski
{
	my ($f, undef, $value) = @_;
	complain('ski', 'is not of the key')
	    if bytes('ski', $value, 0x04) ne sha1(substr $f->{point}, 1);
}

# RFC 5280 §4.2.1.1: the issuer's, and nothing beside it.
sub check_aki
{
	my (undef, $issuer, $value) = @_;
	my ($id) = kids('aki', $value, 0x30, 1);
	complain('aki', 'is not the issuer\'s ski') if bytes('aki', $id, 0x80) ne
	    bytes('aki', decode($issuer->{extension}{ski}), 0x04);
}

sub check_url
{
	my ($field, $element) = @_;
	complain($field, 'is no address of http')
	    if bytes($field, $element, 0x86) !~ m{\Ahttp://[!-~]+\z};
}

# RFC 5280 §4.2.1.13: one point, by one name.
sub check_cdp
{
	my (undef, undef, $value) = @_;
	my ($point) = kids('cdp', $value, 0x30, 1);
	my ($name) = kids('cdp', $point, 0x30, 1);
	my ($full) = kids('cdp', $name, 0xa0, 1);
	check_url('cdp', kids('cdp', $full, 0xa0, 1));
}

# RFC 5280 §4.2.2.1: caIssuers alone.
sub check_aia
{
	my (undef, undef, $value) = @_;
	my ($access) = kids('aia', $value, 0x30, 1);
	my ($method, $location) = kids('aia', $access, 0x30, 2);
	complain('aia', 'is not caIssuers')
	    if oid(bytes('aia', $method, 0x06)) ne '1.3.6.1.5.5.7.48.2';
	check_url('aia', $location);
}

# SPIFFE-ID §2: one URI, which ends in the device of the CN.
sub check_spiffe
{
	my ($f, undef, $value) = @_;
	my ($uri) = kids('san', $value, 0x30, 1);
	complain('san', 'is no SPIFFE id of the device')
	    if bytes('san', $uri, 0x86) !~
	    m{\Aspiffe://[a-z0-9._-]{1,255}/proj_$ulid/\Q$f->{cn}\E\z};
}

# RFC 5280 §4.2.1.6: names and addresses of hosts.
sub check_hosts
{
	my (undef, undef, $value) = @_;
	my @names = kids('san', $value, 0x30);
	complain('san', 'is empty') if !@names;
	for (@names) {
		next if $_->{tag} == 0x82 && $_->{bytes} =~ /\A[A-Za-z0-9*.-]+\z/;
		next if $_->{tag} == 0x87 && $_->{bytes} =~ /\A(?:.{4}|.{16})\z/s;
		complain('san', 'holds what is no name of a host');
	}
}

sub complaints
{
	my ($der, $kind, $issuer_der) = @_;
	my $profile = $profile{$kind} // die "no profile $kind";
	@wrong = ();
	# What can't be read at all is the last complaint.
	eval {
		my $f = fields($der);
		my $issuer = $issuer_der eq $der ? $f : fields($issuer_der);
		$_->($f, $issuer, $profile) for \&check_version, \&check_serial,
		    \&check_validity, \&check_names, \&check_key,
		    \&check_signature, \&check_extensions;
		1;
	} or do {
		complain('DER', $@ =~ s/\n.*//sr) if $@ ne "stop\n";
	};
	return @wrong;
}

1;
