# SPDX-License-Identifier: ISC
# tests/faults, for a moment: workers killed with -9 and PostgreSQL stopped at
# once under load leave nothing untrue; and it says so of what is.
use strict;
use warnings;
use Test::More;
use Pappus::Test;

my $faults = $INC{'Pappus/Test.pm'} =~ s{lib/Pappus/Test\.pm\z}{faults}r;
my $seconds = $ENV{PAPPUS_LONG} ? 120 : 15;

my ($status, $out, $err) = Pappus::Test::run_command('', $faults, '--seconds',
    $seconds, '--seed', time % 100000);
note($out);
is($status, 0, 'all holds after faults') or diag($out);
is($err, '', 'without complaints') or diag($err);
unlike($out, qr/^FAILED/m, 'as each line says');

# A run in which nothing happened would hold as well.
my $program = qr/(?:admin|enroll|identity) workers/;
like($out, qr/^[1-9]\d* $program, .*killed with -9/m, 'workers were killed');
like($out, qr/PostgreSQL restarted [1-9]/, 'PostgreSQL was restarted');
like($out, qr{^\d+ requests of $_: .*[1-9]\d* × 200}m, "$_ was served")
    for qw(/admin/v1 /enroll /identity);
my ($certificates) = $out =~ /\] +(\d+) certificates that/;
cmp_ok($certificates // 0, '>', 10, 'certificates were looked at');

($status, $out, $err) = Pappus::Test::run_command('', $faults, '--seconds', 'x');
is($status >> 8, 2, 'a bad option is refused');
like($err, qr/^usage: tests\/faults/m, 'and explained');

done_testing;
