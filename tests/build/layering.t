#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# The layers of lib/ (CONTRIBUTING.md): a module includes only modules of its
# own layer or below, and what each outside library is seen by; and what the
# programs' own folders may see of one another.
use v5.36;
use Test::More;

my %rank = (base => 0, encoding => 1, cert => 2, world => 3, request => 4, ca => 5);

# Who may include what, as patterns over "file include".
my @only = (
	[qr{^fcgi},               qr{^lib/world/http\.c$},     'libfcgi'],
	[qr{^libpq|^postgresql/}, qr{^lib/world/db_\w+\.[ch]$}, 'libpq'],
	[qr{^json},               qr{^lib/encoding/json\.c$},  'json-c'],
	[qr{^ca/},                qr{^lib/ca/|^cgi-bin/identity|^tools/(?:ca_|pappus_ca)|^daemon/keys\.c$}, 'the CA key archive'],
	[qr{^openssl/(?:x509|pem|asn1|evp|bio|ec)}, qr{^lib/(?:cert|ca|encoding)/|^tools/|^daemon/(?:ca|keys|store_file)\.[ch]$|^broker/}, 'OpenSSL'],
	[qr{^base/clock\.h|^sys/socket|^netinet}, qr{^lib/(?!cert/)|^cgi-bin/|^tools/|^daemon/|^broker/}, 'clock and sockets'],
	[qr{^cert/},              qr{^lib/(?:cert|ca)/|^tools/|^cgi-bin/identity|^daemon/(?:ca|crl|keys|lists)|^broker/brokerd_(?:client|lists|trust)}, 'certificates'],
	# A handler asks the database by typed calls alone.
	[qr{^world/(?:pgarray|statement)}, qr{^lib/|^tools/}, 'statements'],
	# The broker's host has no database, and mosquitto loads little.
	[qr{^world/db|^request/}, qr{^(?!broker/)},            'the database'],
	[qr{^world/},             qr{^(?!broker/plugin)},      'what is no encoding'],
	[qr{^curl/},              qr{^broker/brokerd_fetch\.c$}, 'libcurl'],
	[qr{^openssl/ssl},        qr{^broker/brokerd_client\.c$}, 'TLS'],
	[qr{^mosquitto},          qr{^broker/plugin(?:_log)?\.c$},      'mosquitto'],
	[qr{^broker/plugin},      qr{^broker/plugin},          'the plugin'],
	[qr{^broker/brokerd},     qr{^broker/brokerd},         'pappus-brokerd'],
	[qr{^daemon/},            qr{^daemon/},                'pappus-crld'],
);

my @files = grep { -f } glob('lib/*/*.[ch] cgi-bin/*.[ch] tools/*.[ch] daemon/*.[ch] broker/*.[ch]');
cmp_ok(@files, '>', 150, 'the sources are where they are looked for');

sub includes ($file) {
	open(my $in, '<', $file) or die "$file: $!";
	return map { /^\s*#\s*include\s+[<"]([^>"]+)/ ? $1 : () } <$in>;
}

my @wrong;
for my $file (@files) {
	my ($layer) = $file =~ m{^lib/(\w+)/};
	for my $included (includes($file)) {
		my ($of) = $included =~ m{^(\w+)/\w+\.h$};
		push @wrong, "$file (layer $layer) includes $included, a layer above"
			if $layer && $of && exists $rank{$of} && $rank{$of} > $rank{$layer};
		# The archive stands beside the requests, not on them.
		push @wrong, "$file includes $included" if $layer && $layer eq 'ca' && $of && $of eq 'request';
		for my $rule (@only) {
			my ($what, $who, $name) = @$rule;
			push @wrong, "$file includes $included: $name is not for it"
				if $included =~ $what && $file !~ $who && !-f "lib/base/$included";
		}
	}
}
is_deeply(\@wrong, [], 'every include goes down or sideways');

# Statement text stands in one file.
my @sql;
for my $file (grep { $_ !~ m{^lib/world/statement\.c$|^tools/pappus_migrate\.c$} } @files) {
	open(my $in, '<', $file) or die "$file: $!";
	while (my $line = <$in>) {
		push @sql, "$file:$.: $line"
			if $line =~ /"[^"]*\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b [^"]*/;
	}
}
is_deeply(\@sql, [], 'no SQL outside of the table of statements');

# What certificates say is a matter of arguments alone.
my @clock;
for my $file (grep { m{^lib/cert/} } @files) {
	open(my $in, '<', $file) or die "$file: $!";
	while (my $line = <$in>) {
		push @clock, "$file:$.: $line" if $line =~ /\b(?:time|gettimeofday|clock_gettime)\(/;
	}
}
is_deeply(\@clock, [], 'lib/cert reads no clock');

# Every folder of lib/ has its rank.
is_deeply([sort map { m{^lib/(\w+)} } grep { -d } glob('lib/*')], [sort keys %rank], 'every layer is known');

done_testing();
