# SPDX-License-Identifier: ISC
# The DER checker of the tests (Pappus::DER, Pappus::Profile) on certificates
# broken on purpose: each of its rules is seen to find what breaks it.
use strict;
use warnings;
use Test::More;
use Pappus::Ceremony;
use Pappus::DER qw(decode encode element oid oid_bytes unix_time);
use Pappus::Profile qw(complaints fields);

my $pki = Pappus::Ceremony->new;
$pki->root('root');
$pki->sub_ca('root', $_) for qw(device server service);
$pki->sub_ca('root', 'fleet', purpose => 'device', domain => 'fleet.example');
$pki->ca('server', '--dir', $pki->path('server'), '--name', 'broker', '--out',
	$pki->path('broker'), '--dns', 'broker.example', '--ip', '127.0.0.1');
$pki->ca('service', '--dir', $pki->path('service'), '--out',
	$pki->path('reader'));

my $root = $pki->der('root/root.crt');
my %ca = map { $_ => $pki->der("$_/ca.crt") } qw(device fleet server service);
my $server = $pki->der('broker.crt');
my $service = $pki->der('reader.crt');
my $good = ($pki->devices('fleet', [time, 2524608000]))[0]{der};

sub follows
{
	my ($name, @certificate) = @_;
	is(join("\n", complaints(@certificate)), '', $name);
}

follows('a good one', $good, 'device', $ca{fleet});
is(unpack('H*', encode(decode($good))), unpack('H*', $good),
	'reading and writing it again changes nothing');

# A certificate as a tree, with its fields by name, for changes.
sub tree
{
	my ($der) = @_;
	my $t = decode($der);
	my $tbs = $t->{kids}[0];
	my %t = (tree => $t, tbs => $tbs);
	@t{qw(version serial inner issuer validity subject spki extensions)} =
	    @{$tbs->{kids}};
	@t{qw(not_before not_after)} = @{$t{validity}{kids}};
	@t{qw(algorithm signature)} = @{$t->{kids}}[1, 2];
	$t{list} = $t{extensions}{kids}[0];
	$t{extension} = { map { oid($_->{kids}[0]{bytes}) => $_ }
	    @{$t{list}{kids}} };
	$t{cn} = $t{subject}{kids}[-1]{kids}[0]{kids}[1];
	return \%t;
}

# broken FIELD, NAME, CHANGE, OF...: the checker complains of that field.
sub broken
{
	my ($complaint, $name, $change, $der, $profile, $issuer) = @_;
	my $t = tree($der //= $good);
	$change->($t);
	my $bytes = encode($t->{tree});
	isnt($bytes, $der, "$name: was changed") or return;
	like(join("\n", complaints($bytes, $profile // 'device',
		$issuer // $ca{fleet})), qr/^$complaint/m, $name);
}

sub raw { $_[0]{raw} = $_[1] }
sub hex_bytes { return pack 'H*', $_[0] }

my %id = (ski => '2.5.29.14', usage => '2.5.29.15', san => '2.5.29.17',
	constraints => '2.5.29.19', cdp => '2.5.29.31', aki => '2.5.29.35',
	eku => '2.5.29.37', aia => '1.3.6.1.5.5.7.1.1');

# Change what an extension's OCTET STRING holds.
sub value
{
	my ($called, $change) = @_;
	return sub {
		my $octets = $_[0]{extension}{$id{$called}}{kids}[-1];
		my $inner = decode($octets->{bytes});
		$change->($inner);
		$octets->{bytes} = encode($inner);
	};
}

sub to_hex { my ($hex) = @_; return sub { raw($_[0], hex_bytes($hex)) } }

subtest 'DER' => sub {
	my %not = (
		'a length that is not minimal' => ['04810100', '0482000100', '30820000'],
		'an indefinite length' => ['30800000'],
		'cut short' => ['30', '3001', '040201', '3081', '048201'],
		'something behind the end' => ['050000', '05000500'],
		'nothing there' => [''],
		'a tag of several octets' => ['1f0100'],
		'a length of 5' => ['04850000000001'],
		'a BOOLEAN that is neither' => ['010101', '0100', '0102ffff'],
		'an INTEGER that is not minimal' => ['02020001', '0202ffff', '0203007f00'],
		'an INTEGER without' => ['0200', '0a00'],
		'a BIT STRING with unused bits set' => ['03020781', '0302017f'],
		'a BIT STRING with more' => ['03020880', '030101'],
		'a BIT STRING without' => ['0300'],
		'a NULL with contents' => ['050100'],
		'an OBJECT IDENTIFIER that' => ['0600', '06028001', '06032a8001', '06022a86'],
		'a UTF8String that is none' => ['0c01ff', '0c02c080'],
		'a PrintableString that is none' => ['13015f', '130140'],
		'an IA5String that is none' => ['160180'],
		'a SET that is not in order' => ['3106020102020101'],
		'tag 24' => ['2403040100'],
		'tag 10' => ['1000'],
	);
	for my $why (sort keys %not) {
		for my $hex (@{$not{$why}}) {
			is(eval { decode(hex_bytes($hex)); 1 }, undef, "$hex: refused");
			like($@, qr/^$why/, $why);
		}
	}
	for my $hex ('0500', '0101ff', '020100', '02020080', '0201ff', '03020780',
	    '030100', '06032a8101', '3000', '3106020101020102', '048180' . '00' x 128) {
		is(unpack('H*', encode(decode(hex_bytes($hex)))), $hex,
			substr($hex, 0, 16) . ': is read and written');
	}
	for my $oid ('2.5.29.15', '1.2.840.10045.4.3.2', '2.999.1') {
		is(oid(oid_bytes($oid)), $oid, $oid);
	}
	my %time = ('2611231607Z' => 23, '261123160700+0000' => 23,
		'261123160700' => 23, '261123160700.5Z' => 23, '20261123160700Z' => 23,
		'261323160700Z' => 23, '261100160700Z' => 23, '261123240000Z' => 23,
		'261123160060Z' => 23, '20501123160700.5Z' => 24, '205011231607Z' => 24,
		'501123160700Z' => 24);
	for my $text (sort keys %time) {
		my $der = encode(element($time{$text} == 23 ? 0x17 : 0x18, $text));
		is(eval { decode($der); 1 }, undef, "$text: refused");
		like($@, qr/^a time that/, 'for its form');
	}
};

subtest 'DER inside of a certificate' => sub {
	broken('DER: a length', 'the outermost length', sub {
		my $bytes = encode($_[0]{tree});
		raw($_[0]{tree}, $bytes =~ s/\A\x30\x82/\x30\x83\0/r) });
	broken('DER: a length', 'a length in an extension', value('eku',
		to_hex('30810a06082b06010505070302')));
	broken('DER: something', 'a byte too much', sub {
		raw($_[0]{tree}, encode($_[0]{tree}) . "\0") });
	broken('DER: cut', 'a byte too few', sub {
		raw($_[0]{tree}, substr encode($_[0]{tree}), 0, -1) });
	broken('DER: a BOOLEAN', 'critical as 01', sub {
		$_[0]{extension}{$id{usage}}{kids}[1]{bytes} = "\1" });
	broken('DER: an INTEGER', 'a serial with 00 before it', sub {
		$_[0]{serial}{bytes} = "\0$_[0]{serial}{bytes}" });
	broken('DER: a time', 'a time without seconds', sub {
		$_[0]{not_before}{bytes} =~ s/..Z/Z/ });
	broken('DER: a time', 'a time of a zone', sub {
		$_[0]{not_before}{bytes} =~ s/Z/+0100/ });
	broken('DER: a time that never', 'a 30 February', sub {
		$_[0]{not_after}{bytes} =~ s/\A(....).{4}/${1}0230/ });
	broken('DER: a UTF8String', 'a CN in Latin-1', sub {
		$_[0]{cn}{bytes} = "dev\xe9" });
};

subtest 'version, serial, unique ids' => sub {
	broken('version: is not 3', 'version 2', sub {
		$_[0]{version}{kids}[0]{bytes} = "\1" });
	broken('version: not of its form', 'version 1', sub {
		shift @{$_[0]{tbs}{kids}}; });
	broken('version: is not 3', 'version 1, written out', sub {
		$_[0]{version}{kids}[0]{bytes} = "\0" });
	broken('serial: is not positive', 'a negative serial', sub {
		$_[0]{serial}{bytes} =~ s/\A./\x81/s });
	broken('serial: is not positive', 'no serial', sub {
		$_[0]{serial}{bytes} = "\0" });
	broken('serial: begins with 00', 'a serial that needs 00', sub {
		$_[0]{serial}{bytes} = "\0\xff" . 'x' x 10 });
	broken('serial: is over', 'a serial of 21 octets', sub {
		$_[0]{serial}{bytes} = 'x' x 21 });
	for my $tag (0x81, 0x82) {
		broken(sprintf('certificate: holds a tag %02x', $tag), 'a unique id',
			sub { splice @{$_[0]{tbs}{kids}}, -1, 0,
			element($tag, "\0id") });
	}
	broken('extensions: not of its form', 'something at the end', sub {
		push @{$_[0]{tbs}{kids}}, element(0x05, '') });
};

subtest 'validity' => sub {
	my $time = sub {
		my ($which, $tag, $text) = @_;
		return sub { @{$_[0]{$which}}{qw(tag bytes)} = ($tag, $text) };
	};
	broken('not_before: of the year 2026 as tag 18', 'GeneralizedTime too early',
		$time->('not_before', 0x18, '20260101000000Z'));
	broken('not_after: of the year 2049 as tag 18', 'by a second',
		$time->('not_after', 0x18, '20491231235959Z'));
	broken('validity: ends before', 'UTCTime too late is 1950',
		$time->('not_after', 0x17, '500101000000Z'));
	broken('validity: ends before', 'times the wrong way round', sub {
		@{$_[0]{validity}{kids}} = reverse @{$_[0]{validity}{kids}} });
	my $beyond = unix_time(fields($ca{fleet})->{not_after}) + 1;
	my ($sec, $min, $hour, $day, $month, $year) = gmtime $beyond;
	broken('not_after: is beyond', "a second more than the issuer's",
		$time->('not_after', 0x18, sprintf('%04d%02d%02d%02d%02d%02dZ',
		$year + 1900, $month + 1, $day, $hour, $min, $sec)));
	broken('validity: not of its form', 'three times', sub {
		push @{$_[0]{validity}{kids}}, $_[0]{not_after} });
};

subtest 'names' => sub {
	broken('issuer: is not', 'the issuer by another name', sub {
		$_[0]{issuer}{kids}[1]{kids}[0]{kids}[1]{bytes} = 'x' });
	broken('subject: CN is no UTF8String', 'a PrintableString', sub {
		@{$_[0]{cn}}{qw(tag bytes)} = (0x13, 'dev') });
	broken('subject: is of O CN', 'an organization', sub {
		unshift @{$_[0]{subject}{kids}}, $_[0]{issuer}{kids}[0] });
	broken('subject: is of 2.5.4.5', 'another attribute', sub {
		$_[0]{subject}{kids}[0]{kids}[0]{kids}[0]{bytes} = oid_bytes('2.5.4.5') });
	broken('subject: is of $', 'no subject', sub { $_[0]{subject}{kids} = [] });
	broken('subject: has a CN', 'not a device', sub {
		$_[0]{cn}{bytes} =~ s/dev_/svc_/ });
	broken('subject: has a CN', 'upper case', sub {
		$_[0]{cn}{bytes} = uc $_[0]{cn}{bytes} });
	broken('subject: not of its form', 'two attributes at once', sub {
		my $rdn = $_[0]{subject}{kids}[0];
		push @{$rdn->{kids}}, element(0x30, element(0x06, oid_bytes('2.5.4.10')),
			element(0x0c, 'x' x 40)) });
	broken('subject: is empty, or over', 'a CN of 65', sub {
		$_[0]{cn}{bytes} = 'x' x 65 }, $server, 'server', $ca{server});
	broken('subject: is empty, or over', 'an empty CN', sub {
		$_[0]{cn}{bytes} = '' }, $server, 'server', $ca{server});
};

subtest 'key' => sub {
	my $point = sub { my ($change) = @_;
		return sub { $change->($_[0]{spki}{kids}[1]{bytes}) } };
	broken('key: is no uncompressed', 'compressed', $point->(sub {
		$_[0] = "\0\x02" . substr $_[0], 2, 32 }));
	broken('key: is no uncompressed', 'hybrid', $point->(sub {
		$_[0] =~ s/\A\0\x04/\0\x06/ }));
	broken('key: is no uncompressed', 'short', $point->(sub { chop $_[0] }));
	broken('key: is not on its curve', 'a point beside it', $point->(sub {
		substr($_[0], -1) ^= "\1" }));
	broken('key: is on no curve', 'P-384 by its name', sub {
		$_[0]{spki}{kids}[0]{kids}[1]{bytes} = oid_bytes('1.3.132.0.34') });
	broken('key: is on no curve', 'another algorithm', sub {
		$_[0]{spki}{kids}[0]{kids}[0]{bytes} = oid_bytes('1.2.840.113549.1.1.1') });
	broken('key: is on no curve', 'no parameters', sub {
		pop @{$_[0]{spki}{kids}[0]{kids}} });
};

subtest 'algorithm and signature' => sub {
	my $sha384 = oid_bytes('1.2.840.10045.4.3.3');
	broken('algorithm: is not the same', 'another inside', sub {
		$_[0]{inner}{kids}[0]{bytes} = $sha384 });
	broken('algorithm: is not the same', 'another outside', sub {
		$_[0]{algorithm}{kids}[0]{bytes} = $sha384 });
	broken('algorithm: is not for', 'another on both sides', sub {
		$_->{kids}[0]{bytes} = $sha384 for @{$_[0]}{qw(inner algorithm)} });
	broken('algorithm: not of its form', 'parameters', sub {
		push @{$_->{kids}}, element(0x05, '') for @{$_[0]}{qw(inner algorithm)} });
	my $number = sub { my ($bytes) = @_;
		return sub { $_[0]{signature}{bytes} = "\0" . encode(element(0x30,
			element(0x02, $bytes), element(0x02, "\1"))) } };
	broken('signature: has a number that is not', 'nought', $number->("\0"));
	broken('signature: has a number that is not', 'negative', $number->("\x80"));
	broken('signature: has a number that is too', 'long', $number->('x' x 33));
	broken('signature: not of its form', 'three numbers', sub {
		my $s = decode(substr $_[0]{signature}{bytes}, 1);
		push @{$s->{kids}}, element(0x02, "\1");
		$_[0]{signature}{bytes} = "\0" . encode($s) });
	broken('signature: has unused', 'unused bits', sub {
		$_[0]{signature}{bytes} =~ s/\A.(.*).\z/\x01$1\0/s });
	broken('DER: an INTEGER', 'a number that is not minimal', $number->("\0\1"));
};

subtest 'extensions: which' => sub {
	for my $called (grep { $_ ne 'constraints' && $_ ne 'san' } sort keys %id) {
		broken("$called: is missing", "without $called", sub {
			my ($t) = @_;
			$t->{list}{kids} = [grep { $_ != $t->{extension}{$id{$called}} }
				@{$t->{list}{kids}}] });
	}
	for my $called (grep { $_ ne 'constraints' } sort keys %id) {
		broken("$called: is there twice", "$called twice", sub {
			push @{$_[0]{list}{kids}}, $_[0]{extension}{$id{$called}} });
	}
	my $add = sub { my ($oid, $hex) = @_;
		return sub { push @{$_[0]{list}{kids}}, element(0x30,
			element(0x06, oid_bytes($oid)), element(0x04, hex_bytes($hex))) } };
	broken('2\.5\.29\.32: is not of this', 'policies', $add->('2.5.29.32',
		'300830060604551d2000'));
	broken('constraints: is not of this', 'basicConstraints',
		$add->($id{constraints}, '3000'));
	broken('san: is not of this', 'a name in a service', $add->($id{san},
		'3003820161'), $service, 'service', $ca{service});
	broken('aki: is not of this', 'AKI in a root', $add->($id{aki}, '3000'),
		$root, 'root', $root);
	broken('extensions: not of its form', 'none at all', sub {
		$_[0]{extensions}{kids} = [] });
	# The order says nothing.
	my $t = tree($good);
	$t->{list}{kids} = [reverse @{$t->{list}{kids}}];
	follows('in another order', encode($t->{tree}), 'device', $ca{fleet});
};

subtest 'extensions: critical' => sub {
	my $set = sub { my ($called, @critical) = @_;
		return sub { my $kids = $_[0]{extension}{$id{$called}}{kids};
			@$kids = ($kids->[0], @critical, $kids->[-1]) } };
	for my $called (grep { $_ ne 'usage' && $_ ne 'constraints' } sort keys %id) {
		broken("$called: is critical", "$called", $set->($called,
			element(0x01, "\xff")));
	}
	broken('usage: is not critical', 'usage', $set->('usage'));
	broken('usage: is not critical', 'usage FALSE', $set->('usage',
		element(0x01, "\0")));
	broken('constraints: is not critical', 'constraints', $set->('constraints'),
		$ca{fleet}, 'device CA', $root);
	broken('ski: critical FALSE', 'FALSE written out', $set->('ski',
		element(0x01, "\0")));
};

subtest 'extensions: what' => sub {
	broken('ski: is not of the key', 'another SKI', value('ski', sub {
		$_[0]{bytes} ^= "\1" }));
	broken('aki: is not the issuer', 'another AKI', value('aki', sub {
		$_[0]{kids}[0]{bytes} ^= "\1" }));
	broken('aki: not of its form', 'AKI with a serial', value('aki', sub {
		push @{$_[0]{kids}}, element(0x82, "\1") }));
	broken('usage: is 03020106', 'the usage of a CA', value('usage',
		to_hex('03020106')));
	broken('usage: is 0303', 'trailing bits', value('usage',
		to_hex('0303078000')));
	broken('eku: is 3014', 'both purposes', value('eku',
		to_hex('301406082b0601050507030206082b06010505070301')));
	broken('eku: is 300a06082b06010505070302', 'the purpose of a client',
		value('eku', to_hex('300a06082b06010505070302')), $server, 'server',
		$ca{server});
	my $url = sub { my ($text) = @_; return sub {
		$_[0]{kids}[0]{kids}[0]{kids}[0]{kids}[0]{bytes} = $text } };
	broken('cdp: is no address', $_, value('cdp', $url->($_)))
	    for 'https://pki.example/x', 'ldap://x', 'http://a b', 'http://';
	broken('cdp: not of its form', 'two points', value('cdp', sub {
		push @{$_[0]{kids}}, $_[0]{kids}[0] }));
	broken('cdp: not of its form', 'reasons', value('cdp', sub {
		push @{$_[0]{kids}[0]{kids}}, element(0x81, "\1\2") }));
	broken('cdp: not of its form', 'two names', value('cdp', sub {
		my $names = $_[0]{kids}[0]{kids}[0]{kids}[0]{kids};
		push @$names, $names->[0] }));
	broken('aia: is not caIssuers', 'OCSP', value('aia', sub {
		$_[0]{kids}[0]{kids}[0]{bytes} = oid_bytes('1.3.6.1.5.5.7.48.1') }));
	broken('aia: is no address', 'https', value('aia', sub {
		$_[0]{kids}[0]{kids}[1]{bytes} = 'https://x/' }));
	broken('aia: not of its form', 'two', value('aia', sub {
		push @{$_[0]{kids}}, $_[0]{kids}[0] }));
	for my $change (sub { s/dev_./dev_7/ }, sub { s/proj_/dev_/ },
	    sub { s/fleet/Fleet/ }, sub { s/\z/x/ }, sub { s/spiffe/http/ }) {
		broken('san: is no SPIFFE', 'another URI', value('san', sub {
			$change->() for $_[0]{kids}[0]{bytes} }));
	}
	broken('san: not of its form', 'two URIs', value('san', sub {
		push @{$_[0]{kids}}, $_[0]{kids}[0] }));
	my @server = ($server, 'server', $ca{server});
	broken('san: is empty', 'no host', value('san', sub { $_[0]{kids} = [] }),
		@server);
	broken('san: holds', 'five octets of address', value('san', sub {
		$_[0]{kids}[1]{bytes} .= 'x' }), @server);
	broken('san: holds', 'a URI of a server', value('san', sub {
		$_[0]{kids}[0]{tag} = 0x86 }), @server);
	my @ca = ($ca{fleet}, 'device CA', $root);
	broken('constraints: is 30030101ff', 'no pathlen', value('constraints',
		to_hex('30030101ff')), @ca);
	broken('constraints: is 30060101ff020101', 'pathlen 1', value('constraints',
		to_hex('30060101ff020101')), @ca);
	broken('constraints: is 3000', 'no CA', value('constraints',
		to_hex('3000')), @ca);
	broken('usage: is 03020780', 'the usage of a leaf', value('usage',
		to_hex('03020780')), @ca);
	broken('eku: is 300a', 'the other purpose', value('eku',
		to_hex('300a06082b06010505070301')), @ca);
};

subtest 'one profile is not another' => sub {
	my %made = ('device CA' => [$ca{device}, $root],
		'server CA' => [$ca{server}, $root], root => [$root, $root],
		device => [$good, $ca{fleet}], server => [$server, $ca{server}],
		service => [$service, $ca{service}]);
	for my $is (sort keys %made) {
		for my $said (grep { $_ ne $is } sort keys %made) {
			isnt(scalar(complaints($made{$is}[0], $said, $made{$is}[1])), 0,
				"a $is is no $said");
		}
	}
	isnt(scalar(complaints($good, 'device', $ca{device})), 0, 'nor of another CA');
};

done_testing;
