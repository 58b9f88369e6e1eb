# SPDX-License-Identifier: ISC
# Certificates, field by field: what the design promises of the root, the
# sub-CAs, servers and devices, read from their DER; and what OpenSSL and the
# broker say of them.
use strict;
use warnings;
use Digest::SHA qw(sha1);
use IO::Select;
use IPC::Open3;
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use Test::More;
use Time::Local qw(timegm);
use Pappus::Check qw(is_problem at_once);
use Pappus::Test qw(slurp spew wait_until);

# --------------------------------------------------------------- a DER reader

# The elements of DER as [tag, content, the whole]; dies of what is not DER.
sub der
{
	my ($der) = @_;
	my @elements;
	while (length $der) {
		my ($tag, $len) = unpack 'CC', $der;
		my $head = 2;
		if ($len & 0x80) {
			my $octets = $len & 0x7f;
			my $bytes = substr $der, 2, $octets;
			$len = hex unpack 'H*', $bytes;
			$head += $octets;
			die "not the shortest length\n"
			    if $len < 0x80 || $bytes =~ /^\0/;
		}
		die "cut short\n" if length $der < $head + $len;
		push @elements, [$tag, substr($der, $head, $len),
			substr($der, 0, $head + $len)];
		substr $der, 0, $head + $len, '';
	}
	return @elements;
}

# The only element, which must have this tag: its elements, or its content.
sub inside { return der(only(@_)) }

sub only
{
	my ($der, $tag) = @_;
	my @elements = der($der);
	die "not one element\n" if @elements != 1;
	die sprintf "tag %02x, not %02x\n", $elements[0][0], $tag
	    if $elements[0][0] != $tag;
	return $elements[0][1];
}

sub oid
{
	my (@arcs) = unpack 'w*', $_[0];
	my $first = shift @arcs;
	return join '.', int $first / 40, $first % 40, @arcs;
}

my %extension = ('2.5.29.14' => 'ski', '2.5.29.15' => 'key usage',
	'2.5.29.17' => 'san', '2.5.29.19' => 'basic constraints',
	'2.5.29.31' => 'cdp', '2.5.29.35' => 'aki', '2.5.29.37' => 'eku',
	'1.3.6.1.5.5.7.1.1' => 'aia');

# A time as [tag, unix seconds, year].
sub validity
{
	my ($time) = @_;
	my ($tag, $text) = @$time;
	my ($year, @rest) = $text =~ ($tag == 0x17
		? qr/^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z\z/
		: qr/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z\z/)
	    or die "a time of the wrong form: $text\n";
	# RFC 5280 §4.1.2.5.1
	$year += $year < 50 ? 2000 : 1900 if $tag == 0x17;
	my ($month, $day, $hour, $min, $sec) = @rest;
	return [$tag, timegm($sec, $min, $hour, $day, $month - 1, $year), $year];
}

# A name as [[attribute, string tag, value], …], each RDN of one attribute.
sub name
{
	my ($der) = @_;
	my %known = ('2.5.4.3' => 'CN', '2.5.4.10' => 'O');
	return [map {
		my @attributes = der($$_[1]);
		die "an RDN of several attributes\n" if @attributes != 1;
		my ($type, $value) = der($attributes[0][1]);
		[$known{oid($type->[1])} // oid($type->[1]), $value->[0],
			$value->[1]];
	} der($der)];
}

# RFC 5280 §4.1: a certificate's fields.
sub certificate
{
	my ($der) = @_;
	my %c = (der => $der);
	my ($tbs, $algorithm) = inside($der, 0x30);
	my ($version, $serial, $inner, $issuer, $validity, $subject, $spki, @more)
	    = der($tbs->[1]);
	$c{version} = unpack 'H*', $version->[2];
	$c{serial} = $serial->[1];
	@c{qw(algorithm inner_algorithm)} =
	    map { unpack 'H*', $_->[1] } $algorithm, $inner;
	@c{qw(issuer subject)} = ($issuer->[1], $subject->[1]);
	$c{attributes} = name($subject->[1]);
	@c{qw(not_before not_after)} = map { validity($_) } der($validity->[1]);
	my ($key_algorithm, $key) = der($spki->[1]);
	$c{key_algorithm} = join ' ', map { oid($_->[1]) } der($key_algorithm->[1]);
	$c{key} = substr $key->[1], 1;
	# [3], explicit; unique identifiers, [1] and [2], must not be there.
	die "not just extensions\n" if @more != 1 || $more[0][0] != 0xa3;
	for (inside($more[0][1], 0x30)) {
		my ($id, @rest) = der($_->[1]);
		my $oid = oid($id->[1]);
		my $called = $extension{$oid} // $oid;
		die "$called twice\n" if $c{extension}{$called};
		# DER leaves FALSE, the default, out.
		my $critical = @rest == 2 ? unpack 'H*', $rest[0][2] : '';
		die "critical: $critical\n" if $critical !~ /^(?:0101ff)?\z/;
		$c{extension}{$called} = $rest[-1][1];
		push @{$c{extensions}}, $called . ($critical ? ', critical' : '');
	}
	return \%c;
}

sub from_pem
{
	return map { certificate(decode_base64($_)) }
	    "@_" =~ /BEGIN CERTIFICATE-----\n(.*?)-----END/sg;
}

# ------------------------------------------------------------------ the stack

my $stack = Pappus::Test->start;
my $dir = $stack->dir;
my $tmp = $stack->tmp;
my $project = $stack->project;
my $token = $stack->enrollment_token($project);
my $before = time;
my $enrolled = $stack->enroll($token)->{json};
my $id = $enrolled->{device_id};
my $identity = $stack->identity($enrolled->{device_token})->{json};
my $after = time;

my ($root) = from_pem(slurp($stack->root_file));
my %ca = map { $_ => (from_pem(slurp("$dir/ca/$_/ca.crt")))[0] }
    qw(device server);
my %server = map { $_ => (from_pem(slurp("$dir/server/$_.crt")))[0] }
    qw(nginx mosquitto);
my ($leaf) = from_pem($identity->{device_certificate_pem});

# What is fixed in the record of a CA.
sub urls
{
	my ($file) = @_;
	return slurp($file) =~ /^(crl-url|ca-url)=(\S+)$/mg;
}

# --------------------------------------------- what several profiles have alike

my %ec = ('ecdsa-with-SHA256' => '06082a8648ce3d040302',
	'P-256' => '1.2.840.10045.2.1 1.2.840.10045.3.1.7');
my %eku = (client => '300a06082b06010505070302',
	server => '300a06082b06010505070301');

sub is_field
{
	my ($c, $extension, $hex, $name) = @_;
	return is(unpack('H*', $c->{extension}{$extension} // ''), $hex, $name);
}

sub has_profile
{
	my ($c, $issuer, $years, @extensions) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($c->{version}, 'a003020102', 'version 3');
	is($c->{$_}, $ec{'ecdsa-with-SHA256'}, $_)
	    for qw(algorithm inner_algorithm);
	is($c->{key_algorithm}, $ec{'P-256'}, 'P-256');
	like(unpack('H*', $c->{key}), qr/^04[0-9a-f]{128}\z/,
	    'an uncompressed point');
	is($c->{issuer}, $issuer->{subject}, 'issuer is the subject of its issuer');
	is_deeply([sort @{$c->{extensions}}], [sort @extensions], 'extensions')
	    or diag(explain($c->{extensions}));
	# RFC 5280 §4.2.1.2: a key identifier for each, the issuer's in AKI.
	is(only($c->{extension}{ski}, 0x04), sha1($c->{key}), 'SKI: of the key');
	if ($c != $issuer) {
		is($c->{extension}{aki}, "\x30\x16\x80\x14"
		    . only($issuer->{extension}{ski}, 0x04), 'AKI: the issuer\'s');
	}
	has_serial($c);
	my ($from, $to) = @$c{qw(not_before not_after)};
	is($from->[0], 0x17, 'notBefore is a UTCTime');
	is($to->[0], $to->[2] < 2050 ? 0x17 : 0x18, 'notAfter: by its year');
	# From notBefore on, or from the moment that it lies back of.
	cmp_ok(abs($to->[1] - after_years($from->[1], $years) - 1800), '<=', 1800,
	    "$years years, to the hour");
	cmp_ok($to->[1], '<=', $issuer->{not_after}[1], 'not beyond the issuer\'s');
	cmp_ok($from->[1], '<', $before, 'notBefore lies back');
	cmp_ok($from->[1], '>', $before - 7200, 'a little');
}

# The same date and time after so many years; 29 February becomes the 28th.
sub after_years
{
	my ($time, $years) = @_;
	my ($sec, $min, $hour, $day, $month, $year) = gmtime $time;
	$year += 1900 + $years;
	$day = 28 if $month == 1 && $day == 29
	    && ($year % 4 || !($year % 100) && $year % 400);
	return timegm($sec, $min, $hour, $day, $month, $year);
}

sub has_serial
{
	my ($c) = @_;
	my $serial = $c->{serial};
	cmp_ok(length $serial, '<=', 20, 'serial: at most 20 octets');
	like($serial, qr/^[\x01-\x7f]/, 'positive, and no octet too much');
	my $ms = unpack 'Q>', "\0\0" . substr $serial, 0, 6;
	cmp_ok(abs($ms / 1000 - $after), '<', 600, 'begins with the time');
	cmp_ok(length $serial, '>=', 6 + 8, 'goes on with 64 bits or more');
}

# CDP and AIA (RFC 5280 §4.2.1.13, §4.2.2.1): one http name each.
sub has_locators
{
	my ($c, %url) = @_;
	my ($point) = inside($c->{extension}{cdp}, 0x30);
	is(scalar(inside($c->{extension}{cdp}, 0x30)), 1, 'CDP: one point');
	my $full_name = only(only($point->[1], 0xa0), 0xa0);
	is(only($full_name, 0x86), $url{'crl-url'}, 'CDP: one name');
	my @access = inside($c->{extension}{aia}, 0x30);
	is(@access, 1, 'AIA: one');
	my ($method, $location) = der($access[0][1]);
	is(oid($method->[1]), '1.3.6.1.5.5.7.48.2', 'AIA: caIssuers');
	is_deeply([@$location[0, 1]], [0x86, $url{'ca-url'}], 'AIA: name');
	like($url{$_}, qr{^http://}, "$_: http") for qw(crl-url ca-url);
}

# ----------------------------------------------------------------- the profiles

my $ca_usage = '03020106';	# keyCertSign, cRLSign
my $leaf_usage = '03020780';	# digitalSignature

subtest 'root' => sub {
	has_profile($root, $root, 40, 'basic constraints, critical',
	    'key usage, critical', 'ski');
	is_field($root, 'basic constraints', '30030101ff', 'a CA');
	is_field($root, 'key usage', $ca_usage, 'keyCertSign, cRLSign');
	is_deeply([sort map { $$_[0] } @{$root->{attributes}}], [qw(CN O)],
	    'subject');
};

for my $purpose (qw(device server)) {
	subtest "sub-CA: $purpose" => sub {
		my $ca = $ca{$purpose};
		has_profile($ca, $root, 35, 'basic constraints, critical',
		    'key usage, critical', qw(eku ski aki cdp aia));
		is_field($ca, 'basic constraints', '30060101ff020100',
		    'a CA, pathlen 0');
		is_field($ca, 'key usage', $ca_usage, 'keyCertSign, cRLSign');
		is_field($ca, 'eku', $eku{$purpose eq 'device' ? 'client' : 'server'},
		    'extKeyUsage');
		has_locators($ca, urls("$dir/root/root.urls"));
		is_deeply([sort map { $$_[0] } @{$ca->{attributes}}], [qw(CN O)],
		    'subject');
	};
}
isnt($ca{device}{subject}, $ca{server}{subject}, 'the sub-CAs have two names');
isnt($ca{device}{key}, $ca{server}{key}, 'and two keys');

for my $name (sort keys %server) {
	subtest "server: $name" => sub {
		my $c = $server{$name};
		has_profile($c, $ca{server}, 1, 'key usage, critical',
		    qw(eku ski aki san cdp aia));
		is_field($c, 'key usage', $leaf_usage, 'digitalSignature');
		is_field($c, 'eku', $eku{server}, 'serverAuth');
		has_locators($c, urls("$dir/ca/server/ca.urls"));
		is_deeply($c->{attributes}, [['CN', 0x0c, $name]], 'subject');
		is_deeply([map { [@$_[0, 1]] } inside($c->{extension}{san}, 0x30)],
		    [[0x82, 'localhost'], [0x87, "\x7f\0\0\1"],
			[0x87, "\0" x 15 . "\1"]], 'DNS and IP names');
	};
}

subtest 'device' => sub {
	has_profile($leaf, $ca{device}, 30, 'key usage, critical',
	    qw(eku ski aki cdp aia));
	is_field($leaf, 'key usage', $leaf_usage, 'digitalSignature');
	is_field($leaf, 'eku', $eku{client}, 'clientAuth');
	has_locators($leaf, urls("$dir/ca/device/ca.urls"));
	is($leaf->{not_after}[1], after_years($leaf->{not_before}[1], 30),
	    '30 years to the second');
	is_deeply($leaf->{attributes}, [['CN', 0x0c, $id]],
	    'subject: the device id as a UTF8String, and nothing else');
	is($leaf->{not_after}[0], 0x18, 'notAfter is a GeneralizedTime');
	is($leaf->{not_after}[2], 30 + strftime('%Y', gmtime $before - 3600),
	    'in 30 years');
};

subtest 'serials of many devices' => sub {
	my @tokens = map { $_->{json}{device_token} } at_once($stack, map {
		['POST', '/enroll', headers =>
			["Thistle-Device-Enrollment-Token: $token"]] } 1 .. 50);
	my @serials = map { (from_pem($_->{json}{device_certificate_pem}))[0]
		->{serial} } at_once($stack, map { ['GET', '/identity',
		headers => ["Authorization: Bearer $_"]] } @tokens);
	is(@serials, 50, 'issued at once');
	my %random = map { substr($_, 6) => 1 } @serials;
	is(keys %random, 50, 'whatever the millisecond, the rest differs');
	# A bit that chance sets is both 0 and 1 in fifty draws.
	my ($and, $or) = ("\xff" x 10, "\0" x 10);
	for (keys %random) {
		$and &= $_;
		$or |= $_;
	}
	is(unpack('%32b*', $or) - unpack('%32b*', $and), 80, '80 bits are chance');
};

# ------------------------------------------------------------ what others say

spew("$tmp/leaf.pem", $identity->{device_certificate_pem});
spew("$tmp/leaf.key", $identity->{device_private_key_pem});
my ($sub_ca_pem, $root_pem) = $identity->{ca_chain_pem}
    =~ /(-----BEGIN.*?END CERTIFICATE-----\n)/sg;
spew("$tmp/sub-ca.pem", $sub_ca_pem);
spew("$tmp/root.pem", $root_pem);

# openssl verify of a file: what it complains of, '' when it is content.
sub complaint
{
	my ($file, @options) = @_;
	my ($status, $out, $err) = Pappus::Test::run_command('', 'openssl',
	    'verify', '-x509_strict', '-CAfile', "$tmp/root.pem", @options, $file);
	return $status == 0 ? '' : $err || $out || 'fails';
}

subtest 'openssl verify' => sub {
	my @chain = ('-untrusted', "$tmp/sub-ca.pem");
	is(complaint("$tmp/leaf.pem", @chain, '-purpose', 'sslclient'), '',
	    'a device is a client');
	like(complaint("$tmp/leaf.pem", @chain, '-purpose', 'sslserver'),
	    qr/unsuitable certificate purpose|invalid purpose/, 'not a server');
	isnt(complaint("$tmp/leaf.pem"), '', 'without the sub-CA: no');
	is(complaint("$tmp/leaf.pem", @chain, '-purpose', 'sslclient', '-attime',
		timegm(0, 0, 0, 1, 0, 2056)), '', 'in January 2056 still');
	like(complaint("$tmp/leaf.pem", @chain, '-attime',
		$leaf->{not_after}[1] + 1), qr/expired/, 'then no more');
	my @server = ('-untrusted', "$dir/ca/server/ca.crt");
	my $nginx = "$dir/server/nginx.crt";
	is(complaint($nginx, @server, '-purpose', 'sslserver', '-verify_hostname',
		'localhost'), '', 'a server is a server');
	isnt(complaint($nginx, @server, '-purpose', 'sslclient'), '',
	    'not a client');
	like(complaint($nginx, @server, '-verify_hostname', 'nginx'),
	    qr/hostname mismatch/, 'its CN is no host\'s name');
	isnt(complaint("$tmp/leaf.pem", @server), '', 'nor whose device it likes');

	my (undef, $crl) = Pappus::Test::run_command('', 'openssl', 'crl',
	    '-inform', 'DER', '-in', "$dir/public/crl/root.crl");
	spew("$tmp/root.crl", $crl);
	is(complaint("$tmp/sub-ca.pem", '-crl_check', '-CRLfile',
		"$tmp/root.crl"), '', 'a sub-CA is not in the root\'s CRL');
};

subtest 'the addresses in certificates' => sub {
	my %of = (urls("$dir/ca/device/ca.urls"));
	my ($path) = $of{'ca-url'} =~ m{^http://localhost:\d+(/.*)};
	is($stack->http('GET', $path, to => 'public')->{body}, $ca{device}{der},
	    'AIA of a leaf: the sub-CA, as DER');
	%of = (urls("$dir/root/root.urls"));
	($path) = $of{'ca-url'} =~ m{^http://localhost:\d+(/.*)};
	is($stack->http('GET', $path, to => 'public')->{body}, $root->{der},
	    'AIA of a sub-CA: the root');
	($path) = $of{'crl-url'} =~ m{^http://localhost:\d+(/.*)};
	my $crl = $stack->http('GET', $path, to => 'public')->{body};
	my ($list) = inside($crl, 0x30);
	is((der($list->[1]))[2][1], $root->{subject},
	    'CDP of a sub-CA: the root\'s CRL');
};

# MQTT over TLS by openssl, which verifies the broker; what CONNACK said, undef
# when none came (MQTT 3.1.1 §3.1, §3.2).
sub connack
{
	my (@options) = @_;
	my $port = $stack->setting('MQTT_PORT');
	my $pid = open3(my $in, my $out, undef, 'openssl', 's_client', '-quiet',
	    '-connect', "127.0.0.1:$port", '-verify_return_error',
	    '-verify_hostname', 'localhost', @options);
	local $SIG{PIPE} = 'IGNORE';
	my $rest = pack 'n/a C C n n/a', 'MQTT', 4, 2, 10, $id;
	syswrite $in, pack 'C C/a', 0x10, $rest;
	my ($got, $end) = ('', time + 10);
	my $select = IO::Select->new($out);
	while ($got !~ /\x20\x02\0./s && time < $end && $select->can_read(10)) {
		sysread($out, $got, 4096, length $got) or last;
	}
	kill 'TERM', $pid;
	waitpid $pid, 0;
	return $got =~ /\x20\x02\0(.)/s ? ord $1 : undef;
}

subtest 'a handshake with the broker' => sub {
	spew("$tmp/mqtt-ca.pem", $identity->{mqtt_server_ca_pem});
	my @trust = ('-CAfile', "$tmp/mqtt-ca.pem");
	my @device = ('-cert', "$tmp/leaf.pem", '-key', "$tmp/leaf.key");
	is(connack(@trust, @device, $_), 0, "both verify: $_")
	    for qw(-tls1_2 -tls1_3);
	is(connack(@trust, @device, '-cert_chain', "$tmp/sub-ca.pem"), 0,
	    'with the chain');
	is(connack(@trust), undef, 'without a certificate');
	is(connack(@device, '-CAfile', "$tmp/sub-ca.pem"), undef,
	    'not trusting the root');
	is(connack(@trust, '-cert', "$dir/server/nginx.crt", '-key',
		"$dir/server/nginx.key"), undef, 'with a server\'s certificate');
};

# ------------------------------------------------------------ further sub-CAs

sub command
{
	my ($program, @args) = @_;
	local $ENV{PAPPUS_DATABASE} = 'host=' . $stack->run . '/pg dbname=pappus'
	    . ' user=pappus_setup passfile=' . $stack->run . '/pgpass';
	my ($status, $out, $err) = Pappus::Test::run_command('',
	    "$ENV{PAPPUS_BUILDDIR}/$program", @args);
	die "$program @args: $out$err" if $status != 0;
}

# One more device sub-CA that identity signs with: the newest is the default.
# sign gets its request's and its certificate's file.
sub further_sub_ca
{
	my ($name, $sign, @install) = @_;
	my $ca = "$tmp/$name";
	mkdir $ca, 0700;
	command('pappus-ca', 'request', '--dir', $ca, '--name', $name, '--org', 'x');
	$sign->("$ca/ca.csr", "$ca.crt");
	command('pappus-ca', 'install', '--dir', $ca, '--cert', "$ca.crt", '--root',
	    "$dir/root/root.crt", '--crl-url', "http://x.example/$name.crl",
	    '--ca-url', "http://x.example/$name.cer", @install);
	command('pappus', 'issuer', 'register', '--dir', $ca);
	spew("$dir/ca/device/$name.key", slurp("$ca/ca.key"));
	$stack->stack('restart', 'identity');
	return (from_pem(slurp("$ca/ca.crt")))[0];
}

sub next_identity
{
	return $stack->identity($stack->enroll($token)->{json}{device_token});
}

subtest 'a sub-CA with a trust domain' => sub {
	my $ca = further_sub_ca('fleet', sub { command('pappus-ca', 'sign', '--dir',
		"$dir/root", '--request', $_[0], '--purpose', 'device', '--out',
		$_[1]) }, '--trust-domain', 'fleet.example');
	($before, $after) = (time, time);
	my $json = next_identity()->{json};
	my ($c, $subject) = (from_pem($json->{device_certificate_pem}))[0];
	has_profile($c, $ca, 30, 'key usage, critical', qw(eku ski aki san cdp aia));
	is_deeply([map { [@$_[0, 1]] } inside($c->{extension}{san}, 0x30)],
	    [[0x86, "spiffe://fleet.example/$project/$json->{device_id}"]],
	    'subjectAltName: one URI, a SPIFFE ID');
	has_locators($c, 'crl-url' => 'http://x.example/fleet.crl',
	    'ca-url' => 'http://x.example/fleet.cer');
	is((from_pem($json->{ca_chain_pem}))[0]{der}, $ca->{der}, 'its chain');

	$stack->psql('postgres', 'UPDATE pappus.projects SET device_issuer_id ='
	    . " (SELECT min(issuer_id) FROM pappus.issuers WHERE purpose ="
	    . " 'device')");
	($c) = from_pem(next_identity()->{json}{device_certificate_pem});
	is($c->{issuer}, $ca{device}{subject}, 'a project can name another');
	$stack->psql('postgres',
	    'UPDATE pappus.projects SET device_issuer_id = NULL');
};

# pappus-ca makes none of these, but a root's owner may.
subtest 'a sub-CA that a leaf would outlive' => sub {
	further_sub_ca('short', sub {
		my ($request, $out) = @_;
		my %url = urls("$dir/root/root.urls");
		spew("$tmp/ext", <<"		EXT");
			basicConstraints=critical,CA:true,pathlen:0
			keyUsage=critical,keyCertSign,cRLSign
			extendedKeyUsage=clientAuth
			subjectKeyIdentifier=hash
			authorityKeyIdentifier=keyid
			crlDistributionPoints=URI:$url{'crl-url'}
			authorityInfoAccess=caIssuers;URI:$url{'ca-url'}
		EXT
		my ($status, undef, $err) = Pappus::Test::run_command('', 'openssl',
		    'x509', '-req', '-in', $request, '-CA', "$dir/root/root.crt",
		    '-CAkey', "$dir/root/root.key", '-days', 29 * 365, '-extfile',
		    "$tmp/ext", '-set_serial', '0x7f01', '-out', $out);
		die $err if $status != 0;
	});
	my $count = $stack->psql('postgres',
	    'SELECT count(*) FROM pappus.certificates');
	is_problem('issues nothing', next_identity(), 503, 'unavailable');
	like($stack->log('identity'), qr/would outlive the sub-CA/,
	    'the log says why');
	is($stack->psql('postgres', 'SELECT count(*) FROM pappus.certificates'),
	    $count, 'nothing was recorded');
};

done_testing;
