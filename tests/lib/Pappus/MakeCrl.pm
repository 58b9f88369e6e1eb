# SPDX-License-Identifier: ISC
# CRLs of a hierarchy (Pappus::Ceremony) as a test wants them, right or wrong,
# made by openssl with the CA's key.
#
#	my $lists = Pappus::MakeCrl->new($pki);
#	my $file = $lists->make('device', number => 5, serials => ['01ab…']);
#
# Options: number, serials (hex), url, this and next (unix seconds), signer =>
# [certificate's file, key's file].
package Pappus::MakeCrl;
use strict;
use warnings;

use Pappus::Ceremony;
use Pappus::Test qw(spew);
use POSIX qw(strftime);

sub new
{
	my ($class, $pki) = @_;
	my $dir = $pki->path('crls');
	mkdir $dir or die "$dir: $!";
	return bless { pki => $pki, dir => $dir, made => 0 }, $class;
}

sub at { return strftime('%Y%m%d%H%M%SZ', gmtime $_[0]) }

sub url { return "http://pki.example/crl/$_[1].crl" }

# The file, DER.
sub make
{
	my ($self, $ca, %option) = @_;
	my $base = "$self->{dir}/" . ++$self->{made};
	my $name = $ca eq 'root' ? 'root' : 'ca';
	my ($certificate, $key) = @{$option{signer}
	    // [map { $self->{pki}->path("$ca/$name.$_") } qw(crt key)]};
	my $url = $option{url} // $self->url($ca);
	my $hex = sprintf '%x', $option{number};
	spew("$base.number", (length($hex) % 2 ? "0$hex" : $hex) . "\n");
	spew("$base.index", join '', map {
		"R\t" . strftime('%y%m%d%H%M%SZ', gmtime(time + 86400 * 365)) . "\t"
		    . strftime('%y%m%d%H%M%SZ', gmtime(time - 60)) . "\t"
		    . uc($_) . "\tunknown\t/CN=x\n" } @{$option{serials} // []});
	spew("$base.conf", <<"END");
[ca]
default_ca = it
[it]
database = $base.index
crlnumber = $base.number
certificate = $certificate
private_key = $key
default_md = sha256
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical, \@idp
[idp]
fullname = URI:$url
END
	my @command = ('openssl', 'ca', '-config', "$base.conf");
	Pappus::Ceremony->run('', @command, '-gencrl', '-out', "$base.pem",
		'-crl_lastupdate', at($option{this} // time - 60),
		'-crl_nextupdate', at($option{next} // time + 86400 * 7));
	Pappus::Ceremony->run('', 'openssl', 'crl', '-in', "$base.pem",
		'-outform', 'DER', '-out', "$base.crl");
	return "$base.crl";
}

# One of so many entries beside serials, by tests/integration/make_crl.
sub large
{
	my ($self, $ca, $number, $count, @serials) = @_;
	my $file = "$self->{dir}/" . ++$self->{made} . '.crl';
	my $build = $ENV{PAPPUS_BUILDDIR};
	Pappus::Ceremony->run('', 'make', '-s', '-C', $build,
		'tests/integration/make_crl');
	Pappus::Ceremony->run(join("\n", "generate $count",
		'url ' . $self->url($ca), (map { "$_ 0 " . (time - 60) } @serials), ''),
		"$build/tests/integration/make_crl", $self->{pki}->path($ca), $number,
		$file);
	return $file;
}

1;
