# SPDX-License-Identifier: ISC
# The whole ceremony with pappus-ca, checked by openssl(1): root, sub-CAs,
# server certificates, CRLs, transcripts, and every refusal.
use strict;
use warnings;
use Fcntl qw(S_IMODE);
use File::Temp qw(tempdir);
use IPC::Open2;
use POSIX qw(strftime);
use Test::More;

my $build = $ENV{PAPPUS_BUILDDIR} or die "PAPPUS_BUILDDIR is not set\n";
my $program = "$build/pappus-ca";
my $tmp = tempdir('/tmp/pappus-ca.XXXXXX', CLEANUP => 1);
chdir $tmp or die "chdir: $!";

sub slurp
{
	my ($path) = @_;
	open my $in, '<:raw', $path or die "$path: $!";
	local $/;
	return scalar <$in>;
}

sub spew
{
	my ($path, $text, $mode) = @_;
	open my $out, '>:raw', $path or die "$path: $!";
	print $out $text;
	close $out or die "$path: $!";
	chmod $mode // 0600, $path or die "$path: $!";
}

# Run a command; its exit status, and all it said in $said.
my $said;

sub run
{
	my (@command) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', 'said';
		open STDERR, '>&', \*STDOUT;
		exec @command or exit 127;
	}
	waitpid $pid, 0;
	$said = slurp('said');
	return $? >> 8 || $? & 127;
}

sub good
{
	my ($name, @args) = @_;
	is(run($program, @args), 0, $name) or diag($said);
}

# Every file below a folder, with its bytes: what a refusal must not change.
sub snapshot
{
	my %files;
	my @todo = grep { -e } @_;
	while (defined(my $path = shift @todo)) {
		if (-d $path) {
			$files{$path} = 'folder';
			push @todo, glob("$path/* $path/.[!.]*");
		} else {
			$files{$path} = slurp($path);
		}
	}
	return \%files;
}

# A refusal says why, and leaves no file behind but empty folders.
sub refused
{
	my ($name, $why, @args) = @_;
	my $before = snapshot(glob('*'));
	isnt(run($program, @args), 0, "$name: refused");
	like($said, $why, "$name: says why");
	my $after = snapshot(glob('*'));
	delete $_->{said} for $before, $after;
	for my $path (grep { !exists $before->{$_} } keys %$after) {
		delete $after->{$path} if $after->{$path} eq 'folder';
	}
	is_deeply($after, $before, "$name: leaves nothing behind");
}

sub transcripts
{
	my ($dir, $command) = @_;
	return grep { /\/transcript-\d{8}T\d{6}\.\d{3}Z-$command\.txt$/ }
	    glob("$dir/transcript-*");
}

sub text { run('openssl', @_, '-noout', '-text'); return $said }
sub verify { return run('openssl', 'verify', '-x509_strict', @_) }

my @root_urls = ('--crl-url', 'http://pki.example/root.crl',
    '--ca-url', 'http://pki.example/root.cer');
my @device_urls = ('--crl-url', 'http://pki.example/device.crl',
    '--ca-url', 'http://pki.example/device.cer');
my @server_urls = ('--crl-url', 'http://pki.example/server.crl',
    '--ca-url', 'http://pki.example/server.cer');

# A sub-CA up to its installation.
sub sub_ca
{
	my ($root, $dir, $purpose, $name, %option) = @_;
	my @ca_pass = $option{ca_pass} ? ('--passphrase-file', $option{ca_pass}) : ();
	my @root_pass = $option{root_pass} ? ('--passphrase-file', $option{root_pass}) : ();
	good("$dir: request", 'request', '--dir', $dir, '--name', $name,
	    '--org', 'Example', @ca_pass);
	good("$dir: sign", 'sign', '--dir', $root, '--request', "$dir/ca.csr",
	    '--purpose', $purpose, '--out', "$dir.crt", @root_pass);
	good("$dir: install", 'install', '--dir', $dir, '--cert', "$dir.crt",
	    '--root', "$root/root.crt", @{$option{urls}}, @ca_pass,
	    @{$option{install} // []});
}

subtest 'help and version' => sub {
	good('--help', '--help');
	like($said, qr/^  $_ /m, "lists $_")
	    for qw(root request sign install server service revoke-ca crl show);
	good('--version', '--version');
	like($said, qr/^pappus-ca \d+\.\d+\.\d+$/, 'one line');
	for my $command (qw(root request sign install server service revoke-ca crl show)) {
		good("$command --help", $command, '--help');
		like($said, qr/^usage: pappus-ca $command /, 'its usage');
	}
	is(run($program), 2, 'nothing at all is wrong usage');
	is(run($program, 'frobnicate'), 2, 'so is an unknown command');
	is(run($program, 'root', '--nonsense'), 2, 'and an unknown option');
	is(run($program, 'root', '--dir'), 2, 'and an option without value');
	is(run($program, 'root', '--dir', 'x'), 2, 'and a missing one');
	like($said, qr/--name CN is missing/, 'which is named');
	is(run($program, 'show'), 2, 'and no file');
};

subtest 'a root on P-256' => sub {
	good('root', 'root', '--dir', 'R', '--name', 'Root Ünïcode', '--org',
	    'Example', @root_urls);
	like($said, qr/take this folder offline/, 'says what to do now');
	my $text = text('x509', '-in', 'R/root.crt', '-nameopt', 'utf8');
	like($text, qr/Subject: ?O ?= ?Example, CN ?= ?Root Ünïcode/, 'subject');
	like($text, qr/prime256v1/, 'curve');
	like($text, qr/Basic Constraints: critical\s+CA:TRUE\n/, 'no pathlen');
	like($text, qr/Key Usage: critical\s+Certificate Sign, CRL Sign\n/, 'keyUsage');
	unlike($text, qr/Extended Key Usage|CRL Distribution|Authority/, 'nothing else');
	my ($from, $to) = $text =~ /Not Before: .*?(\d{4}) GMT\s+Not After : .*?(\d{4}) GMT/;
	is($to - $from, 40, 'forty years');
	is(slurp('R/root.urls'), "purpose=root\ncrl-url=http://pki.example/root.crl\n"
	    . "ca-url=http://pki.example/root.cer\n", 'root.urls');
	is(verify('-CAfile', 'R/root.crt', 'R/root.crt'), 0, 'verifies') or diag $said;
	refused('the same again', qr/R\/root\.key exists/, 'root', '--dir', 'R',
	    '--name', 'Other', '--org', 'Example', @root_urls);
};

subtest 'a root on P-384 with a passphrase' => sub {
	spew('pass', "correct horse\n");
	spew('wrong', "battery staple\n");
	good('root', 'root', '--dir', 'P', '--name', 'Root 384', '--org',
	    'Example', '--curve', 'P-384', '--passphrase-file', 'pass', @root_urls);
	like(text('x509', '-in', 'P/root.crt'), qr/secp384r1/, 'curve');
	like(slurp('P/root.key'), qr/^-----BEGIN ENCRYPTED PRIVATE KEY-----$/m,
	    'the key is encrypted');
	run('openssl', 'asn1parse', '-in', 'P/root.key');
	like($said, qr/1\.3\.6\.1\.4\.1\.11591\.4\.11|scrypt/i, 'by scrypt');
	like($said, qr/aes-256-cbc/, 'and AES-256');
	is(run('openssl', 'pkey', '-in', 'P/root.key', '-passin', 'file:pass',
	    '-noout'), 0, 'openssl opens it');
	refused('no passphrase', qr/encrypted, but no passphrase/, 'crl', '--dir',
	    'P', '--out', 'p.crl');
	refused('wrong passphrase', qr/passphrase is wrong/, 'crl', '--dir', 'P',
	    '--out', 'p.crl', '--passphrase-file', 'wrong');
	chmod 0644, 'pass';
	refused('a passphrase for all to read', qr/pass: group or others/, 'crl',
	    '--dir', 'P', '--out', 'p.crl', '--passphrase-file', 'pass');
	chmod 0600, 'pass';
	refused('both ways at once', qr/exclude each other/, 'crl', '--dir', 'P',
	    '--out', 'p.crl', '--passphrase-file', 'pass', '--ask-passphrase');
	good('right passphrase', 'crl', '--dir', 'P', '--out', 'p.crl',
	    '--passphrase-file', 'pass');
	sub_ca('P', 'PD', 'device', 'Devices', urls => \@device_urls,
	    root_pass => 'pass', ca_pass => 'pass');
	like(slurp('PD/ca.key'), qr/ENCRYPTED/, "the sub-CA's key is encrypted too");
	is(verify('-CAfile', 'P/root.crt', 'PD/ca.crt'), 0, 'verifies') or diag $said;
	like(text('x509', '-in', 'PD/ca.crt'), qr/ecdsa-with-SHA384/, 'SHA-384');
};

subtest 'sub-CAs' => sub {
	sub_ca('R', 'D', 'device', 'Devices 1', urls => \@device_urls,
	    install => ['--trust-domain', 'fleet.example']);
	sub_ca('R', 'S', 'server', 'Servers 1', urls => \@server_urls);
	sub_ca('R', 'V', 'service', 'Services 1', install => ['--purpose', 'service'],
	    urls => ['--crl-url', 'http://pki.example/service.crl',
	    '--ca-url', 'http://pki.example/service.cer']);
	my %usage = (D => 'Client', S => 'Server', V => 'Client');
	for my $dir (sort keys %usage) {
		my $text = text('x509', '-in', "$dir/ca.crt");
		like($text, qr/CA:TRUE, pathlen:0/, "$dir: pathlen 0");
		like($text, qr/Extended Key Usage: \s+TLS Web $usage{$dir} Authentication\n/,
		    "$dir: extKeyUsage");
		like($text, qr{URI:http://pki\.example/root\.crl}, "$dir: the root's CDP");
		like($text, qr{CA Issuers - URI:http://pki\.example/root\.cer}, "$dir: AIA");
		my ($from, $to) = $text =~
		    /Not Before: .*?(\d{4}) GMT\s+Not After : .*?(\d{4}) GMT/;
		is($to - $from, 35, "$dir: 35 years");
		is(verify('-CAfile', 'R/root.crt', "$dir/ca.crt"), 0, "$dir: verifies")
		    or diag $said;
		is(slurp("$dir/root.crt"), slurp('R/root.crt'), "$dir: the root is there");
		my ($serial) = $text =~ /Serial Number:\s+([0-9a-f:]+)/;
		$serial =~ tr/://d;
		is(length $serial, 32, "$dir: 16 octets of serial");
		is(slurp("R/issued/$serial.crt"), slurp("$dir/ca.crt"), "$dir: a copy");
	}
	is(slurp('D/ca.urls'), "purpose=device\ncrl-url=http://pki.example/device.crl\n"
	    . "ca-url=http://pki.example/device.cer\ntrust-domain=fleet.example\n", 'ca.urls');
	like(slurp('V/ca.urls'), qr/^purpose=service$/m, 'a service says so');
};

subtest 'a request is signed once, and only a good one' => sub {
	my @sign = ('sign', '--dir', 'R', '--out', 'x.crt');
	refused('the same subject', qr/never used again/, @sign, '--request',
	    'D/ca.csr', '--purpose', 'device');
	good('a second key', 'request', '--dir', 'T', '--name', 'Devices 1', '--org',
	    'Example');
	refused('the same subject with another key', qr/a subject is never used again/,
	    @sign, '--request', 'T/ca.csr', '--purpose', 'server');
	run('openssl', 'req', '-new', '-key', 'D/ca.key', '-subj',
	    '/O=Example/CN=Devices 2', '-out', 'again.csr');
	refused('the same key', qr/a key is never used again/, @sign, '--request',
	    'again.csr', '--purpose', 'device');
	run('openssl', 'req', '-new', '-key', 'T/ca.key', '-subj',
	    '/O=Example/CN=Root Ünïcode', '-utf8', '-out', 'asroot.csr');
	refused("the root's subject", qr/never used again/, @sign, '--request',
	    'asroot.csr', '--purpose', 'device');
	for my $kind (['P-384' => 'secp384r1', qr/must be on P-256/],
	    ['P-521' => 'secp521r1', qr/must be on P-256/]) {
		my ($name, $curve, $why) = @$kind;
		run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt',
		    "ec_paramgen_curve:$curve", '-nodes', '-keyout', 'k', '-subj',
		    '/O=Example/CN=Other', '-out', 'curve.csr');
		refused($name, $why, @sign, '--request', 'curve.csr', '--purpose', 'device');
	}
	run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'k',
	    '-subj', '/O=Example/CN=Other', '-out', 'rsa.csr');
	refused('RSA', qr/no EC key/, @sign, '--request', 'rsa.csr', '--purpose', 'device');
	run('openssl', 'req', '-new', '-key', 'T/ca.key', '-subj',
	    '/C=DE/O=Example/CN=Other', '-out', 'subject.csr');
	refused('another kind of subject', qr/one O and one CN/, @sign, '--request',
	    'subject.csr', '--purpose', 'device');
	run('openssl', 'req', '-in', 'T/ca.csr', '-outform', 'DER', '-out', 't.der');
	my $der = slurp('t.der');
	substr($der, -3, 1) ^= "\x01";
	spew('forged.csr', $der);
	refused('a changed signature', qr/signature is wrong/, @sign, '--request',
	    'forged.csr', '--purpose', 'device');
	refused('no request', qr/T\/ca\.key: there is no PEM block/, @sign, '--request',
	    'T/ca.key', '--purpose', 'device');
	refused('no file', qr/nowhere: No such file/, @sign, '--request', 'nowhere',
	    '--purpose', 'device');
	for my $purpose ('root', 'Device', 'x') {
		refused("purpose $purpose", qr/must be device, server or service/, @sign,
		    '--request', 'T/ca.csr', '--purpose', $purpose);
	}
	spew('taken.crt', "mine\n");
	refused('--out exists', qr/taken\.crt exists/, 'sign', '--dir', 'R', '--out',
	    'taken.crt', '--request', 'T/ca.csr', '--purpose', 'device');
	refused('a sub-CA is no root', qr/D\/root\.urls: No such file/, 'sign', '--dir',
	    'D', '--out', 'x.crt', '--request', 'T/ca.csr', '--purpose', 'device');
};

subtest 'nothing outlives the root' => sub {
	mkdir 'O' or die;
	spew('root.cnf', "[r]\nbasicConstraints=critical,CA:true\n"
	    . "keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n");
	run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt',
	    'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'O/root.key', '-subj',
	    '/O=Example/CN=Short', '-out', 'short.csr');
	is(run('openssl', 'x509', '-req', '-in', 'short.csr', '-signkey', 'O/root.key',
	    '-days', 365, '-extfile', 'root.cnf', '-extensions', 'r', '-set_serial',
	    '0x01020304050607080910111213141516', '-out', 'O/root.crt'), 0,
	    'a root of a year') or diag $said;
	chmod 0600, 'O/root.key';
	spew('O/root.urls', slurp('R/root.urls'));
	refused('a sub-CA of 35', qr/outlive its issuer/, 'sign', '--dir', 'O', '--out',
	    'x.crt', '--request', 'T/ca.csr', '--purpose', 'device');
	spew('O/root.key', slurp('R/root.key'));
	refused('the key of another root', qr/does not belong to/, 'sign', '--dir', 'O',
	    '--out', 'x.crt', '--request', 'T/ca.csr', '--purpose', 'device');
	chmod 0640, 'O/root.key';
	refused('a key that a group can read', qr/group or others/, 'sign', '--dir', 'O',
	    '--out', 'x.crt', '--request', 'T/ca.csr', '--purpose', 'device');
};

subtest 'installation checks everything' => sub {
	my @install = ('install', '--dir', 'T', @device_urls);
	my @root = ('--root', 'R/root.crt');
	refused('the certificate of another key', qr/does not belong to T\/ca\.key/,
	    @install, '--cert', 'D/ca.crt', @root);
	refused('another root', qr/not issued by that CA/, @install, '--cert', 'D/ca.crt',
	    '--root', 'P/root.crt');
	refused('a root as sub-CA', qr/is a root's/, @install, '--cert', 'R/root.crt', @root);
	refused('a sub-CA as root', qr/are not those of a root/, @install, '--cert',
	    'D/ca.crt', '--root', 'S/ca.crt');
	refused('the wrong purpose', qr/is a device sub-CA/, @install, '--cert', 'D/ca.crt',
	    @root, '--purpose', 'server');
	refused('a purpose that is none', qr/--purpose is "x"/, @install, '--cert',
	    'D/ca.crt', @root, '--purpose', 'x');
	refused("the root's list", qr/--crl-url is the root's/, 'install', '--dir', 'T',
	    '--cert', 'D/ca.crt', @root, @root_urls);
	refused('https', qr/--crl-url must be http:/, 'install', '--dir', 'T', '--cert',
	    'D/ca.crt', @root, '--crl-url', 'https://pki.example/x', '--ca-url',
	    'http://pki.example/x');
	refused('a bad trust domain', qr/trust-domain must be/, @install, '--cert',
	    'D/ca.crt', @root, '--trust-domain', 'Fleet/1');
	refused("a server's trust domain", qr/device sub-CAs alone/, 'install', '--dir',
	    'S', @server_urls, '--cert', 'S.crt', @root, '--trust-domain', 'a.example');
	refused('again', qr/D\/ca\.crt exists/, 'install', '--dir', 'D', @device_urls,
	    '--cert', 'D.crt', @root);
	refused('no such folder', qr/nowhere: No such file/, 'install', '--dir', 'nowhere',
	    @device_urls, '--cert', 'D.crt', @root);
};

subtest 'server certificates' => sub {
	my @server = ('server', '--dir', 'S', '--name', 'broker.example');
	good('server', @server, '--out', 'broker', '--dns', 'broker.example', '--dns',
	    'localhost', '--ip', '127.0.0.1', '--ip', '::1');
	is(verify('-CAfile', 'R/root.crt', '-untrusted', 'S/ca.crt', '-purpose',
	    'sslserver', '-verify_hostname', 'localhost', 'broker.crt'), 0,
	    'verifies as a server') or diag $said;
	is(verify('-CAfile', 'R/root.crt', '-untrusted', 'S/ca.crt', '-purpose',
	    'sslserver', '-verify_ip', '::1', 'broker.crt'), 0, 'by address too')
	    or diag $said;
	isnt(verify('-CAfile', 'R/root.crt', '-untrusted', 'S/ca.crt', '-purpose',
	    'sslclient', 'broker.crt'), 0, 'but not as a client');
	my $text = text('x509', '-in', 'broker.crt');
	like($text, qr/Subject: ?CN ?= ?broker\.example\n/, 'subject');
	like($text, qr{URI:http://pki\.example/server\.crl}, "the sub-CA's CDP");
	unlike($text, qr/Basic Constraints/, 'no basicConstraints');
	is(() = slurp('broker.crt') =~ /BEGIN CERTIFICATE/g, 2, 'leaf and sub-CA');
	my $sub_ca = slurp('S/ca.crt');
	like(slurp('broker.crt'), qr/\Q$sub_ca\E\z/, 'the sub-CA last');
	is(scalar(my @copies = glob('S/issued/*.crt')), 1, 'a copy');
	is(run('openssl', 'pkey', '-in', 'broker.key', '-noout', '-check'), 0, 'key');
	refused('again', qr/broker\.key exists/, @server, '--out', 'broker', '--dns', 'a');
	unlink 'broker.key';
	refused('half of it', qr/broker\.crt exists/, @server, '--out', 'broker', '--dns', 'a');
	refused('without names', qr/give at least one/, @server, '--out', 'x');
	refused('a bad name', qr/"a b" is no name/, @server, '--out', 'x', '--dns', 'a b');
	refused('a bad address', qr/"1\.2\.3" is no name/, @server, '--out', 'x', '--ip',
	    '1.2.3');
	refused('a device sub-CA', qr/is no server sub-CA/, 'server', '--dir', 'D',
	    '--name', 'x', '--out', 'x', '--dns', 'x');
	refused('no such place', qr/No such file/, @server, '--out', 'nowhere/x', '--dns',
	    'x');
};

subtest 'service certificates' => sub {
	my @service = ('service', '--dir', 'V', '--out');
	good('service', @service, 'reader');
	my ($name) = $said =~ /\b(svc_[0-9a-z]{26})\b/ or return fail('tells its name');
	my $text = text('x509', '-in', 'reader.crt', '-nameopt', 'utf8');
	like($text, qr/Subject: ?CN ?= ?$name\n/, 'subject: its name alone');
	like($text, qr/Extended Key Usage: \s+TLS Web Client Authentication\n/, 'clientAuth');
	like($text, qr/X509v3 Key Usage: critical\s+Digital Signature\n/, 'digitalSignature');
	like($text, qr{URI:http://pki\.example/service\.crl}, "the sub-CA's CDP");
	like($text, qr{CA Issuers - URI:http://pki\.example/service\.cer}, "the sub-CA's AIA");
	unlike($text, qr/Basic Constraints|Alternative Name/, 'nothing else');
	my ($from, $to) = $text =~ /Not Before: .*?(\d{4}) GMT\s+Not After : .*?(\d{4}) GMT/;
	is($to - $from, 1, 'a year');
	my @chain = ('-CAfile', 'R/root.crt', '-untrusted', 'V/ca.crt');
	is(verify(@chain, '-purpose', 'sslclient', 'reader.crt'), 0, 'verifies as a client')
	    or diag $said;
	isnt(verify(@chain, '-purpose', 'sslserver', 'reader.crt'), 0, 'but not as a server');
	my $sub_ca = slurp('V/ca.crt');
	like(slurp('reader.crt'), qr/END CERTIFICATE-----\n\Q$sub_ca\E\z/, 'the sub-CA last');
	is(scalar(my @copies = glob('V/issued/*.crt')), 1, 'a copy');
	run('openssl', 'pkey', '-in', 'reader.key', '-pubout');
	my $public = $said;
	run('openssl', 'x509', '-in', 'reader.crt', '-noout', '-pubkey');
	is($said, $public, 'the key is its certificate\'s');
	good('show', 'show', 'reader.crt');
	like($said, qr/^  profile       service$/m, 'says what it is');

	good('the next of that name', @service, 'again', '--name', $name);
	like(text('x509', '-in', 'again.crt'), qr/CN ?= ?$name\n/, 'renews it');
	good('another', @service, 'writer');
	unlike($said, qr/$name/, 'has another name');
	is(scalar(my @t = transcripts('V', 'service')), 3, 'transcripts');
	like(slurp($t[0]), qr/A service's key and certificate were made/, 'say so');

	refused('in the same place', qr/reader\.key exists/, @service, 'reader');
	for my $bad ('backend', uc $name, "$name ", substr($name, 0, -1), 'svc_',
	    $name =~ s/svc_/dev_/r, $name =~ s/svc_./svc_8/r) {
		refused("the name $bad", qr/must be svc_ and a ULID/, @service, 'x',
		    '--name', $bad);
	}
	refused('a server sub-CA', qr/S\/ca\.crt is no service sub-CA/, 'service',
	    '--dir', 'S', '--out', 'x');
	refused('a device sub-CA', qr/D\/ca\.crt is no service sub-CA/, 'service',
	    '--dir', 'D', '--out', 'x');
	refused('a root', qr/R\/ca\.crt: No such file/, 'service', '--dir', 'R',
	    '--out', 'x');
	refused('server by a service sub-CA', qr/V\/ca\.crt is no server sub-CA/,
	    'server', '--dir', 'V', '--name', 'x', '--out', 'x', '--dns', 'x');
	refused('DNS names', qr/--dns is no option/, @service, 'x', '--dns', 'x');

	# The folder of a server sub-CA does not become a service's by its record.
	rename 'S/ca.urls', 'urls' or die;
	spew('S/ca.urls', slurp('urls') =~ s/purpose=server/purpose=service/r);
	refused('a false record', qr/S\/ca\.crt is no service sub-CA/, 'service',
	    '--dir', 'S', '--out', 'x');
	rename 'urls', 'S/ca.urls' or die;
};

subtest "what signs devices signs nothing else" => sub {
	# A sub-CA is a service's because install was told so.
	good('request', 'request', '--dir', 'W', '--name', 'Services 2', '--org', 'Example');
	good('sign', 'sign', '--dir', 'R', '--request', 'W/ca.csr', '--purpose', 'service',
	    '--out', 'W.crt');
	good('install without --purpose', 'install', '--dir', 'W', '--cert', 'W.crt',
	    '--root', 'R/root.crt', @device_urls);
	like(slurp('W/ca.urls'), qr/^purpose=device$/m, 'makes it a device sub-CA');
	refused('then a service', qr/is no service sub-CA/, 'service', '--dir', 'W',
	    '--out', 'x');
	unlink glob('W/ca.crt W/ca.urls W/root.crt');
	good('install with it', 'install', '--dir', 'W', '--cert', 'W.crt', '--root',
	    'R/root.crt', @device_urls, '--purpose', 'service');
	good('makes a service sub-CA', 'service', '--dir', 'W', '--out', 'w');
};

subtest "the root's list" => sub {
	my @crl = ('crl', '--dir', 'R', '--out');
	good('crl', @crl, 'root.crl');
	good('as PEM', @crl, 'root.crl.pem');
	like(slurp('root.crl.pem'), qr/^-----BEGIN X509 CRL-----\n/, 'is PEM');
	is(slurp('R/crl/1.crl'), slurp('root.crl'), 'a copy by number');
	ok(-f 'R/crl/2.crl', 'the number grows');
	refused('again', qr/root\.crl exists/, @crl, 'root.crl');
	is(run('openssl', 'crl', '-inform', 'DER', '-in', 'root.crl', '-CAfile',
	    'R/root.crt', '-verify', '-noout'), 0, 'verifies') or diag $said;
	like($said, qr/verify OK/, 'says openssl');
	my $text = text('crl', '-inform', 'DER', '-in', 'root.crl');
	like($text, qr/CRL Number: \s+1\n/, 'number');
	like($text, qr{Issuing Distribution Point: critical\s+Full Name:\s+URI:http://pki\.example/root\.crl}, 'IDP');
	like($text, qr/No Revoked Certificates/, 'is empty');
	is(verify('-crl_check', '-CRLfile', 'root.crl.pem', '-CAfile', 'R/root.crt',
	    'D/ca.crt'), 0, 'a sub-CA verifies against it') or diag $said;
	isnt(verify('-crl_check', '-CRLfile', 'root.crl.pem', '-CAfile', 'R/root.crt',
	    '-attime', time + 367 * 86400, 'D/ca.crt'), 0, 'not in a year');
	like($said, qr/CRL has expired/, 'because it is too old then');
};

sub serial_of
{
	my ($serial) = text('x509', '-in', $_[0]) =~ /Serial Number:\s+([0-9a-f:]+)/;
	return $serial =~ tr/://dr;
}

subtest 'revoked sub-CAs' => sub {
	my $serial = serial_of('V/ca.crt');
	mkdir 'R/revoked', 0700 or die;
	spew("R/revoked/$serial", "revoked-at=2026-01-02T03:04:05Z\nreason=keyCompromise\n");
	good('crl', 'crl', '--dir', 'R', '--out', 'revoked.pem');
	my $text = text('crl', '-in', 'revoked.pem');
	like($text, qr/Revocation Date: Jan  2 03:04:05 2026 GMT/, 'when');
	like($text, qr/Key Compromise/, 'why');
	isnt(verify('-crl_check', '-CRLfile', 'revoked.pem', '-CAfile', 'R/root.crt',
	    'V/ca.crt'), 0, 'it is refused');
	is(verify('-crl_check', '-CRLfile', 'revoked.pem', '-CAfile', 'R/root.crt',
	    'D/ca.crt'), 0, 'others are not');
	for my $bad (["R/revoked/00$serial", "revoked-at=2026-01-02T03:04:05Z\nreason=superseded\n"],
	    ["R/revoked/$serial", "reason=superseded\n"],
	    ["R/revoked/$serial", "revoked-at=2026-01-02T03:04:05Z\nreason=whim\n"]) {
		my ($path, $content) = @$bad;
		my $old = -f $path ? slurp($path) : undef;
		spew($path, $content);
		refused('a bad entry', qr/must be named by a serial/, 'crl', '--dir', 'R',
		    '--out', 'x.crl');
		defined $old ? spew($path, $old) : unlink $path;
	}
};

subtest 'revoke-ca' => sub {
	my $serial = serial_of('D/ca.crt');
	my @revoke = ('revoke-ca', '--dir', 'R', '--reason');
	refused('a reason that does not exist', qr/--reason is "whim", but must be/,
	    @revoke, 'whim', '--cert', 'D/ca.crt');
	refused('nor in other letters', qr/--reason is "keycompromise"/, @revoke,
	    'keycompromise', '--cert', 'D/ca.crt');
	refused('a hold', qr/revoked for good/, @revoke, 'certificateHold', '--cert',
	    'D/ca.crt');
	refused("another root's sub-CA", qr/PD\/ca\.crt: .*not issued by that CA/,
	    @revoke, 'superseded', '--cert', 'PD/ca.crt');
	refused('the root itself', qr/R\/root\.crt is a root: .*can't revoke itself/,
	    @revoke, 'cACompromise', '--cert', 'R/root.crt');
	refused('another root', qr/is a root/, @revoke, 'cACompromise', '--cert',
	    'P/root.crt');
	refused('a leaf of a sub-CA', qr/reader\.crt: .*not issued by that CA/, @revoke,
	    'keyCompromise', '--cert', 'reader.crt');
	refused('no certificate', qr/D\/ca\.key: /, @revoke, 'keyCompromise', '--cert',
	    'D/ca.key');
	refused('no file', qr/nowhere: No such file/, @revoke, 'keyCompromise', '--cert',
	    'nowhere');
	refused('by a sub-CA', qr/D\/root\.urls: No such file/, 'revoke-ca', '--dir', 'D',
	    '--cert', 'S/ca.crt', '--reason', 'superseded');
	is(run($program, 'revoke-ca', '--dir', 'R', '--cert', 'D/ca.crt'), 2,
	    'without a reason');

	rename 'R/root.key', 'root.key' or die;
	good('revoke-ca, which needs no key', @revoke, 'cACompromise', '--cert',
	    'D/ca.crt');
	rename 'root.key', 'R/root.key' or die;
	like($said, qr{^wrote R/revoked/$serial$}m, 'says what it wrote');
	like($said, qr/pappus-ca crl.*pappus issuer crl/s, 'and what to do now');
	my ($when, $why) = slurp("R/revoked/$serial") =~
	    /\Arevoked-at=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\nreason=(\w+)\n\z/;
	is($why, 'cACompromise', 'the reason is noted');
	my ($t) = transcripts('R', 'revoke-ca');
	my $transcript = slurp($t);
	like($transcript, qr/The root revoked a CA, for the reason cACompromise/,
	    'the transcript says so');
	like($transcript, qr/^time:     \Q$when\E$/m, 'and when, the same');
	like($transcript, qr/$serial/, 'and which');
	like($transcript, qr{^  R/revoked/$serial$}m, 'and names the file');
	is(S_IMODE((stat "R/revoked/$serial")[2]), 0600, 'which is nobody else\'s');
	refused('again', qr/revoked already: R\/revoked\/$serial/, @revoke,
	    'cACompromise', '--cert', 'D/ca.crt');
	refused('nor for another reason', qr/revoked already/, @revoke, 'superseded',
	    '--cert', "R/issued/$serial.crt");

	good('crl', 'crl', '--dir', 'R', '--out', 'revoked-2.pem');
	my $text = text('crl', '-in', 'revoked-2.pem');
	my ($entry) = $text =~ /Serial Number: \U$serial\E\n(.*?)(?=Serial Number|Signature)/s;
	like($entry, qr/CA Compromise/, 'the list names it and why');
	isnt(verify('-crl_check', '-CRLfile', 'revoked-2.pem', '-CAfile', 'R/root.crt',
	    'D/ca.crt'), 0, 'it is refused');
	is(verify('-crl_check', '-CRLfile', 'revoked-2.pem', '-CAfile', 'R/root.crt',
	    'S/ca.crt'), 0, 'others are not');
	is(() = $text =~ /Serial Number:/g, 2, 'with the one from before');
};

subtest 'show' => sub {
	good('all kinds', 'show', 'R/root.crt', 'broker.crt', 'D/ca.csr', 'root.crl',
	    'root.crl.pem', 'D/ca.key');
	is(() = $said =~ /^(?:\S+: )?Certificate$/mg, 3, 'three certificates');
	like($said, qr/Certificate request/, 'a request');
	is(() = $said =~ /Certificate revocation list/g, 2, 'two lists');
	unlike($said, qr/PRIVATE|priv:/, 'no private key');
	my ($print) = $said =~ /^  SHA-256\s+([0-9a-f:]{95})$/m;
	run('openssl', 'x509', '-in', 'R/root.crt', '-noout', '-fingerprint', '-sha256');
	like($said, qr/\Q$print\E/i, 'its fingerprint is openssl\'s');
	good('an encrypted key', 'show', '--passphrase-file', 'pass', 'P/root.key');
	like($said, qr/P-384/, 'its curve');
	refused('without passphrase', qr/no passphrase/, 'show', 'P/root.key');
	spew('junk', "junk\n");
	refused('junk', qr/junk: no certificate/, 'show', 'junk');
	spew('empty', '');
	refused('nothing', qr/empty: no certificate/, 'show', 'empty');
};

subtest 'transcripts' => sub {
	my %expected = (R => {root => 1, sign => 4, crl => 4, 'revoke-ca' => 1},
	    D => {request => 1, install => 1}, S => {request => 1, install => 1, server => 1});
	for my $dir (sort keys %expected) {
		for my $command (sort keys %{$expected{$dir}}) {
			is(scalar(my @t = transcripts($dir, $command)),
			    $expected{$dir}{$command}, "$dir: $command");
		}
	}
	my ($root) = transcripts('R', 'root');
	my $text = slurp($root);
	run('openssl', 'x509', '-in', 'R/root.crt', '-noout', '-fingerprint', '-sha256');
	my ($print) = $said =~ /=([0-9A-F:]+)/;
	like($text, qr/\Q$print\E/i, 'fingerprint');
	like($text, qr/^time:     \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m, 'time');
	like($text, qr/^program:  pappus-ca \d+\.\d+\.\d+, OpenSSL/m, 'program');
	like($text, qr/WITHOUT a passphrase/, 'says that there is no passphrase');
	like($text, qr/take this folder offline/, 'says what to do');
	like($text, qr/^  \Q$_\E$/m, "names $_") for qw(R/root.key R/root.crt R/root.urls);
	my ($with) = transcripts('P', 'root');
	like(slurp($with), qr/a key under a passphrase/, 'or that there is one');
	for my $file (map { glob("$_/transcript-*") } qw(R P D S)) {
		unlike(slurp($file), qr/PRIVATE KEY|correct horse/, "$file: no secret");
	}
};

subtest 'modes' => sub {
	my @files;
	my @todo = qw(R P D S V T broker.crt reader.crt reader.key D.crt S.crt root.crl);
	while (defined(my $path = shift @todo)) {
		push @todo, glob("$path/*") if -d $path;
		push @files, $path;
	}
	for my $path (@files) {
		my $want = -d $path ? 0700 : 0600;
		is(sprintf('%o', S_IMODE((stat $path)[2])), sprintf('%o', $want), $path);
	}
	my @left = glob('.pappus-ca-* */.pappus-ca-* */*/.pappus-ca-*');
	is("@left", '', 'no temporary file is left');
};

# The whole of a leaf's or sub-CA's time, or nothing: in the last year of a
# sub-CA, and in the last 35 of the root.
subtest 'nothing outlives what signed it' => sub {
	plan skip_all => 'faketime is not here (apt-get install faketime)'
	    if run('faketime', '1 day', 'true') != 0;
	my $today = $program;
	my $in = sub {
		my ($years) = @_;
		spew('then', "#!/bin/sh\nexec faketime '" . strftime('%Y-%m-%d %T',
			gmtime(time + $years * 365.2425 * 86400)) . "' $today \"\$@\"\n",
		    0700);
		$program = './then';
	};
	my %leaf = (server => ['server', '--dir', 'S', '--name', 'x', '--dns', 'x'],
		service => ['service', '--dir', 'V']);
	$in->(33.9);
	good("a $_ while there is a year", @{$leaf{$_}}, '--out', "late-$_")
	    for sort keys %leaf;
	$in->(34.1);
	refused("a $_ then", qr/outlive its issuer/, @{$leaf{$_}}, '--out', 'x')
	    for sort keys %leaf;
	$in->(4.9);
	good('a request', 'request', '--dir', 'L', '--name', 'Late', '--org', 'x');
	good('a sub-CA while there are 35', 'sign', '--dir', 'R', '--request',
	    'L/ca.csr', '--purpose', 'device', '--out', 'late.crt');
	$in->(5.1);
	good('another request', 'request', '--dir', 'M', '--name', 'Later', '--org',
	    'x');
	refused('a sub-CA then', qr/outlive its issuer/, 'sign', '--dir', 'R',
	    '--request', 'M/ca.csr', '--purpose', 'device', '--out', 'x');
	$program = $today;
};

subtest 'half a ceremony can be repeated' => sub {
	mkdir 'H' or die;
	my @root = ('root', '--dir', 'H', '--name', 'Half', '--org', 'Example', @root_urls);
	# A file size limit of nothing: the first write fails.
	is(run('sh', '-c', 'trap "" XFSZ; ulimit -f 0; exec "$@" >/dev/null 2>/dev/null',
	    'sh', $program, @root), 1, 'no room: fails');
	is(join(' ', glob('H/* H/.[!.]*')), '', 'and leaves nothing');
	good('then it works', @root);
	mkdir 'H/crl' or die;
	# The transcript has its place, the copy has not.
	spew('H/crl/1.crl', "mine\n");
	good('the number steps over what is there', 'crl', '--dir', 'H', '--out', 'h.crl');
	ok(-f 'H/crl/2.crl', 'to 2');
	is(slurp('H/crl/1.crl'), "mine\n", 'and leaves it alone');
};

subtest 'two ceremonies in one folder' => sub {
	is(run('flock', '-n', 'R', $program, 'crl', '--dir', 'R', '--out', 'y.crl'), 1,
	    'the second is refused');
	like($said, qr/another pappus-ca is at work/, 'and told why');
	ok(!-e 'y.crl', 'nothing is written');
};

subtest 'passphrases from the terminal' => sub {
	run('sh', '-c', 'command -v script') == 0
	    or plan skip_all => 'script(1) is not here';
	# Types each answer when its prompt stands there, as echo is off by then.
	my $asked = sub {
		my ($answers, @args) = @_;
		my $command = join ' ', map { "'$_'" } $program, @args;
		my $pid = open2(my $out, my $in, 'script', '-qec', $command, '/dev/null');
		$said = '';
		while (sysread $out, my $more, 4096) {
			$said .= $more;
			syswrite $in, shift(@$answers) . "\n"
			    if @$answers && $more =~ /: \z/;
		}
		waitpid $pid, 0;
		return $? >> 8;
	};
	my @root = ('root', '--dir', 'A', '--name', 'Asked', '--org', 'Example',
	    @root_urls, '--ask-passphrase');
	isnt($asked->(['one two', 'two three'], @root), 0, 'not the same twice');
	like($said, qr/not the same twice/, 'is said');
	isnt($asked->([''], @root), 0, 'nothing typed');
	isnt($asked->(["\cC"], @root), 0, 'interrupted');
	like($said, qr/no passphrase of 1 to 1024 bytes/, 'which ends the question alone');
	ok(!-e 'A/root.key', 'no key');
	is($asked->(['open sesame', 'open sesame'], @root), 0, 'the same twice') or diag $said;
	unlike($said, qr/open sesame/, 'is not echoed');
	spew('asked', "open sesame\n");
	good('is the passphrase', 'crl', '--dir', 'A', '--out', 'a.crl',
	    '--passphrase-file', 'asked');
	is($asked->(['open sesame'], 'crl', '--dir', 'A', '--out', 'a2.crl',
	    '--ask-passphrase'), 0, 'asked for once to use it') or diag $said;
};

subtest 'no terminal' => sub {
	is(run('setsid', '-w', $program, 'root', '--dir', 'N', '--name', 'None', '--org',
	    'Example', @root_urls, '--ask-passphrase'), 1, 'refused');
	like($said, qr/needs a terminal/, 'and told why');
};

chdir '/';
done_testing;
