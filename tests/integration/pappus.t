#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# The operator's command: migrations that may be run twice, from two hosts at
# once, and cut off; CAs and certificates registered; the first admin token.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use IPC::Open3;
use Test::More;
use Pappus::Cluster;

my $build = $ENV{PAPPUS_BUILDDIR} or die "PAPPUS_BUILDDIR is not set\n";
my $sql = "$Pappus::Cluster::TREE/sql";
my $tmp = tempdir('/tmp/pappus-tool.XXXXXX', CLEANUP => 1);
my $cluster = Pappus::Cluster->new;

# pappus ARGUMENTS as a role: (exit status, all that it printed).
sub pappus
{
	my ($user, @args) = @_;
	local $ENV{PAPPUS_DATABASE} = $cluster->conninfo($user);
	return program("$build/pappus", @args);
}

sub program
{
	my $pid = open3(my $in, my $out, undef, @_);
	close $in;
	my $text = do { local $/; <$out> } // '';
	waitpid $pid, 0;
	return ($? >> 8, $text);
}

sub versions
{
	return $cluster->psql('SELECT count(*) FROM pappus.schema_migrations');
}

my @files = glob "$sql/[0-9]*.sql";

subtest 'migrate' => sub {
	my ($status, $text) = pappus('postgres', 'migrate', '--sql-dir', $sql);
	is($status, 0, 'a new database is brought up to date') or diag($text);
	is(() = $text =~ /^applied /mg, @files, 'each migration is named');
	is(versions(), @files, 'and recorded');
	($status, $text) = pappus('postgres', 'migrate', '--sql-dir', $sql);
	is($status, 0, 'a second time');
	is($text, '', 'there is nothing to do');
};

subtest 'migrate from two hosts at once' => sub {
	for my $round (1 .. 3) {
		$cluster->psql("CREATE DATABASE both$round", database => 'postgres');
		$cluster->{database} = "both$round";
		my @pids = map {
			my $pid = fork // die "fork: $!";
			exit((pappus('postgres', 'migrate', '--sql-dir', $sql))[0]) if $pid == 0;
			$pid;
		} 1 .. 4;
		my @status = map { waitpid $_, 0; $? } @pids;
		is_deeply(\@status, [0, 0, 0, 0], 'all of them succeed');
		is(versions(), @files, 'each migration was applied once');
	}
	$cluster->{database} = 'pappus';
};

subtest 'migrations that went wrong' => sub {
	my $dir = "$tmp/sql";
	mkdir $dir or die "$dir: $!";
	copy($_, $dir) or die "$_: $!" for @files, "$sql/roles.sql";
	my $next = sprintf '%s/%04d_next.sql', $dir, @files + 1;
	spew($next, "CREATE TABLE pappus.half (a int);\nSELECT 1 / 0;\n");
	my ($status, $text) = pappus('postgres', 'migrate', '--sql-dir', $dir);
	isnt($status, 0, 'one that fails is an error');
	like($text, qr/next\.sql failed.*division by zero/s, 'that says which and why');
	is(versions(), @files, 'it is not recorded');
	is($cluster->psql("SELECT to_regclass('pappus.half') IS NULL"), 't', 'and left nothing');

	spew($next, "CREATE TABLE pappus.whole (a int);\n");
	($status) = pappus('postgres', 'migrate', '--sql-dir', $dir);
	is($status, 0, 'mended, it is applied');
	is($cluster->psql("SELECT tableowner FROM pg_tables WHERE tablename = 'whole'"),
	    'pappus_owner', 'as the owner');
	spew($next, "CREATE TABLE pappus.whole (b int);\n");
	($status, $text) = pappus('postgres', 'migrate', '--sql-dir', $dir);
	isnt($status, 0, 'one that was edited afterwards is refused');
	like($text, qr/was changed after it was applied/, 'with the reason');
	unlink $next;
	($status, $text) = pappus('postgres', 'migrate', '--sql-dir', $dir);
	isnt($status, 0, 'so is a database newer than the command');
	like($text, qr/newer version/, 'with the reason');
	($status, $text) = pappus('postgres', 'migrate', '--sql-dir', "$tmp/nothing");
	like($text, qr/no migrations in/, 'a folder without migrations is named');
	isnt($status, 0, 'and an error');
	($status, $text) = pappus('pappus_enroll', 'migrate', '--sql-dir', $sql);
	isnt($status, 0, "a program's role can't migrate");
};

subtest 'admin-token create' => sub {
	my $file = "$tmp/admin-token";
	my @create = ('admin-token', 'create', '--role', 'owner', '--name', 'Zoë');
	my ($status, $id) = pappus('pappus_setup', @create, '--out', $file);
	is($status, 0, 'it works as pappus_setup');
	like($id, qr/^atk_[0-9a-z]{26}\n\z/, 'it prints the id alone');
	is(sprintf('%o', (stat $file)[2] & 07777), '600', 'the file is its user\'s alone');
	my $token = slurp($file);
	like($token, qr/^at_[0-9a-z]{64}\n\z/, 'the file holds a token');
	my $secret = substr $token, 29, 32;
	is($cluster->psql('SELECT encode(token_sha256, \'hex\') FROM pappus.admin_tokens'),
	    sha256_hex($secret), 'the database its digest');
	my ($again, $text) = pappus('pappus_setup', @create, '--out', $file);
	isnt($again, 0, 'a file that exists is refused');
	like($text, qr/cannot make .*: File exists/, 'by name');
	is(slurp($file), $token, 'and left alone');
	is($cluster->psql('SELECT count(*) FROM pappus.admin_tokens'), 1,
	    'and no token was made');
	($status) = pappus('pappus_enroll', @create, '--out', "$tmp/other");
	isnt($status, 0, "a program's role can't make one");
	ok(!-e "$tmp/other", 'and no file is left');
	($status, $text) = pappus('pappus_setup', 'admin-token', 'create', '--role', 'king',
	    '--name', 'x', '--out', "$tmp/king");
	like($text, qr/--role/, 'an unknown role is refused');
	($status, $text) = pappus('pappus_setup', 'admin-token', 'create', '--role', 'owner',
	    '--name', "\x1b[31m", '--out', "$tmp/red");
	like($text, qr/--name/, 'a name with controls is refused');
};

subtest 'issuer register, certificate record' => sub {
	my ($ca, $status, $text) = ("$build/pappus-ca");
	my @url = ('--crl-url', 'http://ca.example/root.crl', '--ca-url', 'http://ca.example/root.cer');
	for my $step (
		['root', '--dir', "$tmp/root", '--name', 'Root', '--org', 'Example', @url],
		(map {
			my $dir = "$tmp/$_";
			(['request', '--dir', $dir, '--name', "The $_ CA", '--org', 'Example'],
			['sign', '--dir', "$tmp/root", '--request', "$dir/ca.csr", '--purpose', $_,
				'--out', "$tmp/$_.crt"],
			['install', '--dir', $dir, '--cert', "$tmp/$_.crt", '--root',
				"$tmp/root/root.crt", '--crl-url', "http://ca.example/$_.crl",
				'--ca-url', "http://ca.example/$_.cer"]);
		} qw(device server)),
		['server', '--dir', "$tmp/server", '--out', "$tmp/broker", '--name', 'broker',
			'--dns', 'broker.example'],
	) {
		($status, $text) = program($ca, @$step);
		is($status, 0, "pappus-ca $step->[0]") or diag($text);
	}
	($status, $text) = pappus('pappus_setup', 'certificate', 'record', "$tmp/broker.crt");
	isnt($status, 0, 'no certificate without a registered issuer');
	for my $purpose (qw(device server)) {
		($status, $text) = pappus('pappus_setup', 'issuer', 'register', '--dir', "$tmp/$purpose");
		is($status, 0, "the $purpose sub-CA is registered") or diag($text);
		like($text, qr/^issuer \d+ \($purpose\)$/, 'under a number');
		is((pappus('pappus_setup', 'issuer', 'register', '--dir', "$tmp/$purpose"))[1], $text,
		    'and the same one again');
		my $urls = slurp("$tmp/$purpose/ca.urls");
		for ([qr/\.crl/, '.x'], [qr/\.cer/, '.x'], [qr/(purpose=)\w+/, 'purpose=service']) {
			my ($old, $new) = @$_;
			my $changed = $urls =~ s/$old/$new/r;
			isnt($changed, $urls, "ca.urls with $new");
			spew("$tmp/$purpose/ca.urls", $changed);
			($status, $text) = pappus('pappus_setup', 'issuer', 'register', '--dir',
			    "$tmp/$purpose");
			isnt($status, 0, 'is refused');
			like($text, qr/it is registered already/, 'since what was registered stays');
		}
		spew("$tmp/$purpose/ca.urls", $urls);
	}
	for my $case ([['--shared', 'no'], qr/--shared no is for device sub-CAs/],
		[['--shared', 'maybe'], qr/--shared is yes or no/], [['--shared', ''], qr/yes or no/]) {
		my ($args, $why) = @$case;
		($status, $text) = pappus('pappus_setup', 'issuer', 'register', '--dir',
		    "$tmp/server", @$args);
		isnt($status, 0, "@$args: refused");
		like($text, $why, 'and it says why');
	}
	is($cluster->psql("SELECT bool_and(shared) FROM pappus.issuers"), 't',
	    'they are for all projects');
	is($cluster->psql('SELECT string_agg(purpose, \' \' ORDER BY issuer_id) FROM pappus.issuers'),
	    'root device server', 'the root came first and once');
	is($cluster->psql("SELECT crl_url FROM pappus.issuers WHERE purpose = 'root'"),
	    'http://ca.example/root.crl', 'with the address that its sub-CAs print');
	($status, $text) = pappus('pappus_setup', 'certificate', 'record', "$tmp/broker.crt");
	is($status, 0, 'a server certificate is recorded') or diag($text);
	is((pappus('pappus_setup', 'certificate', 'record', "$tmp/broker.crt"))[0], 0, 'twice');
	my $serial = lc((`openssl x509 -in '$tmp/broker.crt' -noout -serial` =~ /=(\w+)/)[0]);
	is($cluster->psql("SELECT subject FROM pappus.certificates WHERE encode(serial, 'hex') = '$serial'"),
	    'broker', 'under its serial');
	($status, $text) = pappus('pappus_setup', 'certificate', 'record', "$tmp/root.key");
	isnt($status, 0, 'what is no certificate is refused');
	($status, $text) = pappus('pappus_setup', 'issuer', 'register', '--dir', "$tmp/none");
	like($text, qr{cannot open .*none/root\.crt}, 'a missing file is named');
};

subtest 'usage' => sub {
	my ($status, $text) = pappus('postgres', '--help');
	is($status, 0, '--help');
	like($text, qr/pappus \Q$_\E/, "names $_")
		for 'migrate', 'issuer register', 'certificate record', 'admin-token create';
	like((pappus('postgres', 'admin-token', 'create', '--help'))[1], qr/--role owner/,
	    'help of one command');
	for my $case (
		[['fly'], qr/no command fly/],
		[[], qr/usage/],
		[['migrate', '--sqldir', 'x'], qr/unknown option --sqldir/],
		[['migrate', '--sql-dir'], qr/--sql-dir needs a value/],
		[['migrate', 'x'], qr/unexpected x/],
		[['issuer', 'register'], qr/--dir is missing/],
		[['issuer', 'register', '--dir', 'a', '--dir', 'b'], qr/given twice/],
		[['certificate', 'record'], qr/at least one file/],
	) {
		my ($args, $wanted) = @$case;
		($status, $text) = pappus('postgres', @$args);
		isnt($status, 0, "pappus @$args fails");
		like($text, $wanted, 'and says why');
	}
	delete local $ENV{PAPPUS_DATABASE};
	($status, $text) = program("$build/pappus", 'migrate');
	like($text, qr/PAPPUS_DATABASE is not set/, 'a missing variable is named');
	isnt($status, 0, 'and an error');
};

sub spew
{
	my ($file, $text) = @_;
	open my $out, '>', $file or die "$file: $!";
	print $out $text;
	close $out or die "$file: $!";
}

sub slurp
{
	open my $in, '<', $_[0] or die "$_[0]: $!";
	local $/;
	return <$in>;
}

done_testing();
