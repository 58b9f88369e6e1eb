# SPDX-License-Identifier: ISC
# DER, read strictly and written again (X.690): what is not the one encoding
# of a value is an error.  Written without OpenSSL, to judge what it wrote.
#
# An element is { tag, bytes } or, when constructed, { tag, kids => [...] }.
#
#	my $cert = decode($der);	# dies of what is not DER
#	$cert->{kids}[0]{kids}[1]{bytes} = "\x01";
#	my $other = encode($cert);
package Pappus::DER;
use strict;
use warnings;

use Exporter qw(import);
use MIME::Base64 qw(decode_base64);
use Time::Local qw(timegm_modern);

our @EXPORT_OK = qw(decode encode element oid oid_bytes unix_time der_of_pem);

use constant {
	BOOLEAN => 0x01, INTEGER => 0x02, BIT_STRING => 0x03,
	OCTET_STRING => 0x04, NULL => 0x05, OID => 0x06, ENUMERATED => 0x0a,
	UTF8 => 0x0c, PRINTABLE => 0x13, IA5 => 0x16, UTC_TIME => 0x17,
	GENERALIZED_TIME => 0x18, SEQUENCE => 0x30, SET => 0x31,
};

# What the contents of each primitive type must be; others are not known.
my %rule = (
	BOOLEAN, sub { return $_[0] =~ /\A[\x00\xff]\z/s
		? undef : 'a BOOLEAN that is neither 00 nor ff' },
	INTEGER, \&wrong_integer,
	ENUMERATED, \&wrong_integer,
	BIT_STRING, \&wrong_bits,
	OCTET_STRING, sub { return },
	NULL, sub { return $_[0] eq '' ? undef : 'a NULL with contents' },
	OID, sub { return $_[0] =~ /\A(?:(?!\x80)[\x80-\xff]*[\x00-\x7f])+\z/s
		? undef : 'an OBJECT IDENTIFIER that is not minimal' },
	UTF8, sub { my $copy = $_[0]; return utf8::decode($copy)
		? undef : 'a UTF8String that is none' },
	PRINTABLE, sub { return $_[0] =~ m{\A[A-Za-z0-9 '()+,./:=?-]*\z}
		? undef : 'a PrintableString that is none' },
	IA5, sub { return $_[0] =~ /\A[\x00-\x7f]*\z/
		? undef : 'an IA5String that is none' },
	UTC_TIME, sub { return wrong_time($_[0], qr/\A\d\d/) },
	GENERALIZED_TIME, sub { return wrong_time($_[0], qr/\A\d{4}/) },
);

# X.690 §8.3.2
sub wrong_integer
{
	my ($bytes) = @_;
	return 'an INTEGER without contents' if $bytes eq '';
	return $bytes =~ /\A(?:\x00[\x00-\x7f]|\xff[\x80-\xff])/s
	    ? 'an INTEGER that is not minimal' : undef;
}

# X.690 §8.6.2, §11.2.1
sub wrong_bits
{
	my ($bytes) = @_;
	return 'a BIT STRING without contents' if $bytes eq '';
	my ($unused, $last) = (ord $bytes, ord substr $bytes, -1);
	return 'a BIT STRING with more unused bits than it has'
	    if $unused > 7 || ($unused && length $bytes == 1);
	return $last & ((1 << $unused) - 1) && length $bytes > 1
	    ? 'a BIT STRING with unused bits set' : undef;
}

# RFC 5280 §4.1.2.5: Zulu, with seconds, without fractions.
sub wrong_time
{
	my ($bytes, $year) = @_;
	my ($month, $day, $hour, $min, $sec) = $bytes
	    =~ /$year(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z\z/
	    or return 'a time that is not of seconds in Zulu';
	return $month >= 1 && $month <= 12 && $day >= 1 && $day <= 31
	    && $hour <= 23 && $min <= 59 && $sec <= 59
	    ? undef : 'a time that never comes';
}

# Take a tag and a length off the front of $$rest: (tag, contents).
sub take
{
	my ($rest) = @_;
	die "cut short\n" if length $$rest < 2;
	my ($tag, $len) = unpack 'CC', substr $$rest, 0, 2, '';
	die "a tag of several octets\n" if ($tag & 0x1f) == 0x1f;
	die "an indefinite length\n" if $len == 0x80;
	if ($len > 0x80) {
		my $count = $len & 0x7f;
		die "a length of $count octets\n" if $count > 4;
		die "cut short\n" if length $$rest < $count;
		my $octets = substr $$rest, 0, $count, '';
		$len = unpack 'N', substr "\0\0\0$octets", -4;
		# X.690 §10.1
		die "a length that is not minimal\n"
		    if $octets =~ /\A\0/ || $len < 0x80;
	}
	die "cut short\n" if length $$rest < $len;
	return ($tag, substr $$rest, 0, $len, '');
}

sub elements
{
	my ($bytes) = @_;
	my @elements;
	while ($bytes ne '') {
		my ($tag, $content) = take(\$bytes);
		push @elements, parse($tag, $content);
	}
	return \@elements;
}

sub parse
{
	my ($tag, $content) = @_;
	my $constructed = $tag & 0x20;
	if (($tag & 0xc0) == 0) {
		my $wrong = $constructed || !$rule{$tag}
		    ? $tag != SEQUENCE && $tag != SET && sprintf 'tag %02x', $tag
		    : $rule{$tag}->($content);
		die "$wrong\n" if $wrong;
	}
	return { tag => $tag, bytes => $content } if !$constructed;
	my $kids = elements($content);
	# X.690 §11.6: a SET OF in ascending order.
	my @order = map { encode($_) } @$kids;
	die "a SET that is not in order\n"
	    if $tag == SET && "@order" ne join ' ', sort @order;
	return { tag => $tag, kids => $kids };
}

# The one element that these bytes are.
sub decode
{
	my ($bytes) = @_;
	die "nothing there\n" if $bytes eq '';
	my ($tag, $content) = take(\$bytes);
	die "something behind the end\n" if $bytes ne '';
	return parse($tag, $content);
}

# The bytes of an element; { raw } stands for itself.
sub encode
{
	my ($element) = @_;
	return $element->{raw} if defined $element->{raw};
	my $content = $element->{kids}
	    ? join '', map { encode($_) } @{$element->{kids}} : $element->{bytes};
	my $len = length $content;
	my $octets = $len < 0x80 ? '' : pack('N', $len) =~ s/\A\0+//r;
	return pack('C', $element->{tag})
	    . ($len < 0x80 ? pack 'C', $len : pack('C', 0x80 | length $octets) . $octets)
	    . $content;
}

# element TAG, KIDS... or element TAG, BYTES.
sub element
{
	my ($tag, @content) = @_;
	return $tag & 0x20 ? { tag => $tag, kids => [@content] }
	    : { tag => $tag, bytes => $content[0] };
}

sub oid
{
	my ($bytes) = @_;
	my ($first, @arcs) = unpack 'w*', $bytes;
	return join '.', $first < 80 ? (int $first / 40, $first % 40)
	    : (2, $first - 80), @arcs;
}

sub oid_bytes
{
	my ($first, $second, @arcs) = split /\./, $_[0];
	return pack 'w*', $first * 40 + $second, @arcs;
}

# Seconds of a UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5.1 and .2).
sub unix_time
{
	my ($element) = @_;
	my ($year, @rest) = $element->{bytes}
	    =~ /\A(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z\z/;
	$year += $year < 50 ? 2000 : 1900 if $element->{tag} == UTC_TIME;
	my ($month, $day, $hour, $min, $sec) = @rest;
	return eval { timegm_modern($sec, $min, $hour, $day, $month - 1, $year) }
	    // die "a time that never comes\n";
}

# The DER of every PEM block with that label.
sub der_of_pem
{
	my ($pem, $label) = @_;
	return map { decode_base64($_) }
	    $pem =~ /^-----BEGIN $label-----\n([A-Za-z0-9+\/=\n]+)-----END $label-----\n/mg;
}

1;
