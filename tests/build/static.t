#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# What can be said of the sources without running them.
use v5.36;
use Test::More;

my $build = $ENV{PAPPUS_BUILDDIR} // die "PAPPUS_BUILDDIR is not set\n";

sub command ($name, @argv) {
	my $output = '';
	open(my $pipe, '-|', 'sh', '-c', '"$@" 2>&1', 'sh', @argv) or die "$argv[0]: $!";
	$output .= $_ while <$pipe>;
	ok(close($pipe), $name) or diag($output);
}

command('formatting is applied', 'make', '-s', '-C', $build, 'format-check');

my @tracked = -e '.git' ? split /\n/, `git ls-files` : glob('{*,*/*,*/*/*,*/*/*/*}');
@tracked = grep { -f && !m{^(?:configure$|build-aux/)} } @tracked;

# The first lines of a file.
sub head ($file, $lines) {
	open(my $in, '<', $file) or die "$file: $!";
	return join('', map { <$in> // '' } 1 .. $lines);
}

my @shell = grep { /\.sh$/ || head($_, 1) =~ m{^#!.*\b(?:ba)?sh\b} } @tracked;
command('shell scripts pass shellcheck', 'shellcheck', '-x', @shell);

# Perl tests and modules compile, with warnings as errors.
my @perl = grep { /\.(?:t|pm)$/ } @tracked;
my @bad = grep { system("perl -Itests/lib -Ibench/lib -wc '$_' >/dev/null 2>&1") != 0 } @perl;
is_deeply(\@bad, [], 'perl compiles');

my @naked = grep {
	/\.(?:c|h|sh|t|pm|sql|mk|conf)$/ && !m{/corpus/} && head($_, 3) !~ /SPDX-License-Identifier: ISC/
} @tracked;
is_deeply(\@naked, [], 'every source names its licence');

# Sizes: functions that no longer fit a screen want another shape.
my (@long, @large);
for my $file (grep { m{^(?:lib|cgi-bin|tools|daemon|broker)/.*\.c$} } @tracked) {
	open(my $in, '<', $file) or die "$file: $!";
	my ($start, $name);
	while (my $line = <$in>) {
		$name = $1 if $line =~ /^(\w+)\(/;
		$start = $. if $line =~ /^\{/;
		next unless $line =~ /^\}/ && $start;
		push @long, "$file: $name has " . ($. - $start + 1) . ' lines' if $. - $start + 1 > 60;
		undef $start;
	}
	push @large, "$file has $. lines" if $. > 400;
}
is_deeply(\@long, [], 'no function is over 60 lines');
is_deeply(\@large, [], 'no module is over 400 lines');

done_testing();
