# SPDX-License-Identifier: ISC
# Hierarchies made by pappus-ca in a temporary folder, without servers; and
# device certificates with whatever times a test wants.
#
#	my $pki = Pappus::Ceremony->new;
#	$pki->root('root');
#	$pki->sub_ca('root', 'device');
#	my ($device) = $pki->devices('device', [$from, $to]);
package Pappus::Ceremony;
use strict;
use warnings;

use File::Temp qw(tempdir);
use Pappus::DER qw(der_of_pem);
use Pappus::Test;

sub new
{
	my ($class) = @_;
	return bless { dir => tempdir('/tmp/pappus-pki.XXXXXX', CLEANUP => 1),
		build => $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n",
		around => [] }, $class;
}

sub path { return "$_[0]{dir}/$_[1]" }
sub pem { return Pappus::Test::slurp($_[0]->path($_[1])) }
sub der { return (der_of_pem($_[0]->pem($_[1]), 'CERTIFICATE'))[0] }

# What a command prints; dies when it fails.
sub run
{
	my ($self, $input, @command) = @_;
	my ($status, $out, $err) = Pappus::Test::run_command($input, @command);
	die "@command: $out$err" if $status != 0;
	return $out;
}

# pappus-ca, in the folder of this hierarchy; at => '2049-12-31 00:00:00'
# before the arguments: as if it was then.
sub ca
{
	my ($self, @args) = @_;
	my @at = $args[0] eq 'at' ? ('faketime', (splice @args, 0, 2)[1]) : ();
	return $self->run('', @at, "$self->{build}/pappus-ca", @args);
}

sub urls
{
	return ('--crl-url', "http://pki.example/crl/$_[0].crl", '--ca-url',
		"http://pki.example/ca/$_[0].cer");
}

sub root
{
	my ($self, $name, @more) = @_;
	$self->ca('root', '--dir', $self->path($name), '--name', "Root $name",
		'--org', 'Example', urls($name), @more);
}

# A sub-CA of a root, in a folder of its name.  The purpose is its name, or
# purpose => given; domain => its trust domain; pass => the file of its key's
# passphrase; at => when it is signed.
sub sub_ca
{
	my ($self, $root, $name, %option) = @_;
	my ($dir, $cert) = map { $self->path($_) } $name, "$name.crt";
	my @purpose = ('--purpose', $option{purpose} // $name);
	my @pass = $option{pass} ? ('--passphrase-file', $option{pass}) : ();
	$self->ca('request', '--dir', $dir, '--name', "Sub-CA $name", '--org',
		'Ünïcode', @pass);
	$self->ca($option{at} ? (at => $option{at}) : (), 'sign', '--dir',
		$self->path($root), '--request', "$dir/ca.csr", '--out', $cert,
		@purpose);
	$self->ca('install', '--dir', $dir, '--cert', $cert, '--root',
		$self->path("$root/root.crt"), @purpose, urls($name), @pass,
		$option{domain} ? ('--trust-domain', $option{domain}) : ());
}

# Devices of a sub-CA, one for each [not before, not after] in unix seconds:
# {id, project, serial (hex), key and certificate (PEM), der}, or {refused}.
sub devices
{
	my ($self, $name, @times) = @_;
	my $program = 'tests/integration/issue_devices';
	$self->run('', 'make', '-s', '-C', $self->{build}, $program)
	    if !$self->{made}++;
	my $out = $self->run(join("\n", map { "@$_" } @times),
		"$self->{build}/$program", $self->path($name));
	return map { device($_) }
	    $out =~ /^((?:dev_|refused).*\n(?:(?!dev_|refused).*\n)*)/mg;
}

sub device
{
	my ($text) = @_;
	return { refused => $1 } if $text =~ /^refused: (.*)/;
	my %device = (der => der_of_pem($text, 'CERTIFICATE'));
	@device{qw(id project serial)} = $text =~ /\A(\S+) (\S+) (\S+)\n/;
	($device{key}) = $text =~ /^(-----BEGIN PRIVATE.*?END PRIVATE KEY-----\n)/ms;
	($device{certificate}) = $text =~ /^(-----BEGIN CERT.*\n)\z/ms;
	Pappus::Test::secret($device{key}, 'device key');
	return \%device;
}

1;
