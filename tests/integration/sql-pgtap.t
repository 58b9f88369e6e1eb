#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# What the SQL functions answer: runs every tests/sql/*.sql on a cluster of its
# own, each a subtest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Cluster;
use TAP::Parser;
use Test::More;

my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
if (!$cluster->psql(
    "SELECT 1 FROM pg_available_extensions WHERE name = 'pgtap'")) {
	plan skip_all => 'no pgtap: apt-get install postgresql-15-pgtap';
}
$cluster->migrate;

for my $file (sort glob "$FindBin::Bin/../sql/*.sql") {
	my ($name) = $file =~ m{([^/]+)$};
	# Warnings and errors belong to the output: a file that stops halfway
	# must not look finished.
	# Columns stand on lines of their own, for a row may hold several tests.
	my $conninfo = $cluster->conninfo;
	my $output =
	    qx($cluster->{bin}/psql -XAtq -F '
' -d '$conninfo' -f '$file' 2>&1);
	my $status = $?;
	subtest $name => sub {
		my $parser = TAP::Parser->new({ tap => $output });
		while (my $result = $parser->next) {
			if ($result->is_test) {
				ok($result->is_ok, $result->description =~ s/^- //r);
			} elsif (!$result->is_plan) {
				# What pgTAP says about a failure, or psql.
				diag($result->raw) if $result->raw =~ /\S/;
			}
		}
		is($status, 0, 'psql went through');
		ok(!$parser->parse_errors, 'the plan is met')
		    or diag($parser->parse_errors);
	};
}
done_testing();
