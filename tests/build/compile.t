#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# Everything builds: by gcc and clang without a warning, with sanitizers, and
# from a release tarball; the unit tests and the fuzz corpora pass each time.
use v5.36;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

my $source = getcwd();
my $tmp = tempdir('/tmp/pappus-compile.XXXXXX', CLEANUP => 1);
my $jobs = `nproc` + 0;
$ENV{TMPDIR} = $tmp;

sub run ($name, $dir, @argv) {
	my $log = "$tmp/log";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		chdir $dir or die "$dir: $!";
		open(STDOUT, '>', $log) or die "$log: $!";
		open(STDERR, '>&', \*STDOUT) or die "dup: $!";
		exec(@argv) or die "$argv[0]: $!";
	}
	waitpid($pid, 0);
	my $good = $? == 0;
	ok($good, $name) or diag(`tail -n 60 '$log'`);
	return $good;
}

sub build ($name, $environment, @options) {
	my $dir = "$tmp/$name";
	mkdir $dir or die "$dir: $!";
	local @ENV{keys %$environment} = values %$environment;
	run("$name: configure", $dir, "$source/configure", @options) or return;
	run("$name: make", $dir, 'make', '-s', '-j', $jobs) or return;
	run("$name: make check", $dir, 'make', '-s', '-j', $jobs, 'check');
	return $dir;
}

my $dir = build('gcc', {CC => 'gcc'}, '--enable-werror');
build('clang-sanitizers', {CC => 'clang', CFLAGS => '-g -O1', ASAN_OPTIONS => 'detect_leaks=1'},
	'--enable-werror', '--enable-sanitizers');

# Installed into a folder of its own, each program says what it is.
if ($dir) {
	run('make install', $dir, 'make', '-s', 'install', "DESTDIR=$tmp/root");
	for my $program (qw(bin/pappus bin/pappus-ca libexec/pappus/enroll libexec/pappus/identity
		libexec/pappus/admin)) {
		like(`$tmp/root/usr/local/$program --version 2>&1`, qr/\d+\.\d+\.\d+/, "$program is installed");
	}
	ok(-s "$tmp/root/usr/local/share/pappus/$_", "$_ is installed")
		for qw(sql/roles.sql sql/0001_tables.sql nginx/pappus-device.conf
			broker/mosquitto-plugin.conf broker/mosquitto-crlfile.conf);
	ok(-x "$tmp/root/usr/local/lib/pappus/pappus_mosquitto.so", 'the mosquitto plugin is installed');
	my $headers = `readelf -lW '$tmp/root/usr/local/libexec/pappus/identity'; readelf -dW '$tmp/root/usr/local/libexec/pappus/identity'`;
	like($headers, qr/GNU_RELRO/, 'identity: RELRO');
	like($headers, qr/BIND_NOW|FLAGS.*NOW/, 'identity: all symbols bound at start');
	like($headers, qr/GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RW\s/, 'identity: no executable stack');
	like($headers, qr/PIE/, 'identity: position independent');
	my $linked = `ldd '$tmp/root/usr/local/bin/pappus-ca'`;
	unlike($linked, qr/libpq|libfcgi|libjson/, 'pappus-ca needs OpenSSL alone');
	run('make distcheck', $dir, 'make', '-s', '-j', $jobs, 'distcheck');
}

done_testing();
