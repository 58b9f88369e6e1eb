# SPDX-License-Identifier: ISC
# Other people's X.509, each under the same three questions: is this
# certificate good for that at that moment, is this revocation list good then,
# does this key belong to that certificate.  The answer is '' or what is wrong.
#
#	my $gnutls = Pappus::Others->new('GnuTLS');
#	plan skip_all => $gnutls->missing if $gnutls->missing;
#	is($gnutls->leaf($cert, client => $at), '');
#
# A certificate is {leaf, chain, root, host, key}: files in PEM.
package Pappus::Others;
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use POSIX qw(strftime);
use Pappus::Test;

my $sources = abs_path(dirname(__FILE__)) . '/../../integration/others';
my %oid = (client => '1.3.6.1.5.5.7.3.2', server => '1.3.6.1.5.5.7.3.1');

# What each needs, as [command, Debian's package]; mbedTLS and Go have no
# command that verifies, so ours is built with their library.
my %verifier = (
	OpenSSL => { needs => [['openssl', 'openssl']],
		leaf => \&openssl_leaf, crl => \&openssl_crl, key => \&openssl_key },
	GnuTLS => { needs => [['certtool', 'gnutls-bin'], ['faketime', 'faketime']],
		leaf => \&gnutls_leaf, crl => \&gnutls_crl, key => \&gnutls_key },
	NSS => { needs => [['vfychain', 'libnss3-tools'], ['faketime', 'faketime']],
		leaf => \&nss_leaf, crl => \&nss_crl, key => \&nss_key },
	mbedTLS => { needs => [['faketime', 'faketime']],
		build => ['libmbedtls-dev', 'gcc', '-std=c17', '-Wall', '-Wextra',
			"$sources/mbedtls.c", '-lmbedx509', '-lmbedcrypto'],
		leaf => \&mbedtls_leaf, crl => \&mbedtls_crl, key => \&mbedtls_key },
	Go => { needs => [['gccgo-12', 'gccgo-12']],
		build => ['gccgo-12', 'gccgo-12', "$sources/verify.go"],
		leaf => \&go_leaf, crl => \&go_crl, key => \&go_key },
);

sub names { return qw(OpenSSL GnuTLS NSS mbedTLS Go) }

sub new
{
	my ($class, $name) = @_;
	my $self = bless { name => $name, %{$verifier{$name}},
		tmp => tempdir('/tmp/pappus-others.XXXXXX', CLEANUP => 1) }, $class;
	for my $need (@{$self->{needs}}) {
		my ($command, $package) = @$need;
		return $self if $self->{missing} = (grep { -x "$_/$command" }
			split /:/, $ENV{PATH}) ? undef
			: "$name: $command is not here (apt-get install $package)";
	}
	$self->build if $self->{build};
	return $self;
}

# Why this one can't be asked, or undef.
sub missing { return $_[0]{missing} }

sub build
{
	my ($self) = @_;
	my ($package, @command) = @{$self->{build}};
	my ($status, $out, $err) = Pappus::Test::run_command('', @command, '-o',
	    "$self->{tmp}/verify");
	my ($why) = "$out$err" =~ /^(.*(?:fatal error|cannot find).*)$/m;
	return if $status == 0;
	die "@command: $out$err" if !$why;
	$self->{missing} = "$self->{name}: $why (apt-get install $package)";
}

sub leaf { my ($self, @args) = @_; return $self->{leaf}->($self, @args) }
sub crl { my ($self, @args) = @_; return $self->{crl}->($self, @args) }
sub key { my ($self, @args) = @_; return $self->{key}->($self, @args) }

# '' or what a command said when it failed; at => seconds: as if it was then.
sub ask
{
	my ($self, @command) = @_;
	local $ENV{TZ} = 'UTC';
	# NSS waits for time to pass somewhere.
	local $ENV{FAKETIME_DONT_FAKE_MONOTONIC} = 1;
	if ($command[0] eq 'at') {
		my (undef, $at) = splice @command, 0, 2;
		unshift @command, 'faketime', '-f',
		    strftime('%Y-%m-%d %H:%M:%S', gmtime $at);
	}
	my ($status, $out, $err) = Pappus::Test::run_command('', @command);
	$self->{said} = $out;
	return $status == 0 ? '' : "$out$err" || "status $status";
}

# A file of several others.
sub joined
{
	my ($self, @files) = @_;
	my $file = "$self->{tmp}/joined";
	Pappus::Test::spew($file, join '', map { Pappus::Test::slurp($_) } @files);
	return $file;
}

# The PEM public key in what a command printed.
sub public_key
{
	my ($self, @command) = @_;
	my $wrong = $self->ask(@command);
	my ($key) = $self->{said} =~ /(-----BEGIN PUBLIC KEY-----.*?-----END)/s;
	return $key // "none: $wrong";
}

# ------------------------------------------------------------------- OpenSSL

sub openssl_leaf
{
	my ($self, $cert, $purpose, $at) = @_;
	return $self->ask('openssl', 'verify', '-x509_strict', '-check_ss_sig',
	    '-purpose', "ssl$purpose", '-attime', $at, '-CAfile', $cert->{root},
	    '-untrusted', $cert->{chain},
	    $cert->{host} ? ('-verify_hostname', $cert->{host}) : (),
	    $cert->{leaf});
}

# The list in its use: to verify a sub-CA.
sub openssl_crl
{
	my ($self, $crl, $cert, $at) = @_;
	return $self->ask('openssl', 'verify', '-x509_strict', '-crl_check',
	    '-attime', $at, '-CAfile', $cert->{root}, '-CRLfile', $crl,
	    $cert->{chain});
}

sub openssl_key
{
	my ($self, $cert) = @_;
	my $of_key = $self->public_key('openssl', 'pkey', '-in', $cert->{key},
	    '-check', '-pubout');
	my $of_cert = $self->public_key('openssl', 'x509', '-in', $cert->{leaf},
	    '-noout', '-pubkey');
	return $of_key eq $of_cert ? '' : "$of_key is not $of_cert";
}

# -------------------------------------------------------------------- GnuTLS

sub gnutls_leaf
{
	my ($self, $cert, $purpose, $at) = @_;
	return $self->ask(at => $at, 'certtool', '--verify', '--verify-profile',
	    'medium', '--verify-purpose', $oid{$purpose},
	    $cert->{host} ? ('--verify-hostname', $cert->{host}) : (),
	    '--load-ca-certificate', $cert->{root}, '--infile',
	    $self->joined($cert->{leaf}, $cert->{chain}));
}

sub gnutls_crl
{
	my ($self, $crl, $cert, $at) = @_;
	$self->ask(at => $at, 'certtool', '--verify-crl', '--load-ca-certificate',
	    $cert->{root}, '--infile', $crl);
	# It ends with 0 whatever it found.
	my ($verdict) = $self->{said} =~ /^Verification output: (.*)$/m;
	return ($verdict // 'none') =~ /^Verified\./ ? '' : $verdict;
}

sub gnutls_key
{
	my ($self, $cert) = @_;
	my $of_key = $self->public_key('certtool', '--pubkey-info',
	    '--load-privkey', $cert->{key});
	my $of_cert = $self->public_key('certtool', '--pubkey-info',
	    '--load-certificate', $cert->{leaf});
	return $of_key eq $of_cert ? '' : "$of_key is not $of_cert";
}

# ----------------------------------------------------------------------- NSS

# A database that trusts one root.
sub nss_db
{
	my ($self, $root) = @_;
	my $dir = $self->{db}{$root};
	return $dir if $dir;
	$dir = $self->{db}{$root} = "sql:$self->{tmp}/" . keys %{$self->{db}};
	mkdir substr($dir, 4), 0700;
	for (['-N', '--empty-password'],
	    ['-A', '-n', 'root', '-t', 'CT,,', '-a', '-i', $root]) {
		my $wrong = $self->ask('certutil', '-d', $dir, @$_);
		die "certutil @$_: $wrong" if $wrong;
	}
	return $dir;
}

# Both of its ways to verify, the older one and libpkix, must agree.
sub nss_leaf
{
	my ($self, $cert, $purpose, $at) = @_;
	my $db = $self->nss_db($cert->{root});
	my @verdicts = map { $self->ask(at => $at, 'vfychain', '-d', $db, @$_, '-u',
		$purpose eq 'client' ? 0 : 1, '-a', $cert->{leaf}, '-a',
		$cert->{chain}) } [], ['-pp'];
	die "NSS disagrees with itself: @verdicts"
	    if !$verdicts[0] != !$verdicts[1];
	return $verdicts[0];
}

sub nss_crl
{
	my ($self, $crl, $cert, $at) = @_;
	my $der = "$self->{tmp}/crl";
	return $self->ask('openssl', 'crl', '-in', $crl, '-outform', 'DER', '-out',
	    $der) || $self->ask(at => $at, 'crlutil', '-I', '-d',
	    $self->nss_db($cert->{root}), '-i', $der);
}

# It takes keys in PKCS#12 alone, and lists them when they have a certificate.
sub nss_key
{
	my ($self, $cert) = @_;
	my $p12 = "$self->{tmp}/p12";
	my $db = $self->nss_db($cert->{root});
	return $self->ask('openssl', 'pkcs12', '-export', '-in', $cert->{leaf},
	    '-inkey', $cert->{key}, '-name', 'leaf', '-passout', 'pass:x', '-out',
	    $p12) || $self->ask('pk12util', '-d', $db, '-i', $p12, '-W', 'x', '-K', '')
	    || $self->ask('certutil', '-d', $db, '-K', '-n', 'leaf');
}

# ------------------------------------------------------------------- mbedTLS

sub mbedtls_leaf
{
	my ($self, $cert, $purpose, $at) = @_;
	return $self->ask(at => $at, "$self->{tmp}/verify", $purpose,
	    @$cert{qw(root chain leaf)}, $cert->{host} // ());
}

sub mbedtls_crl
{
	my ($self, $crl, $cert, $at) = @_;
	return $self->ask(at => $at, "$self->{tmp}/verify", 'crl', $cert->{root},
	    $crl, $cert->{chain});
}

sub mbedtls_key
{
	my ($self, $cert) = @_;
	return $self->ask("$self->{tmp}/verify", 'key', @$cert{qw(leaf key)});
}

# ------------------------------------------------------------------------ Go

sub go_leaf
{
	my ($self, $cert, $purpose, $at) = @_;
	return $self->ask("$self->{tmp}/verify", $purpose,
	    @$cert{qw(root chain leaf)}, $at, $cert->{host} // ());
}

sub go_crl
{
	my ($self, $crl, $cert, $at) = @_;
	return $self->ask("$self->{tmp}/verify", 'crl', $cert->{root}, $crl, $at);
}

sub go_key
{
	my ($self, $cert) = @_;
	return $self->ask("$self->{tmp}/verify", 'key', @$cert{qw(leaf key)});
}

1;
