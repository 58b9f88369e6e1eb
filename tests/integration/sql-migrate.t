#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# roles.sql and the migrations: again without harm, from two hosts at once,
# without a superuser, and all of them or none.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Cluster;
use POSIX qw(_exit);
use Test::More;

my $sql = $ENV{PAPPUS_TEST_SQL} // "$FindBin::Bin/../../sql";
my @migration = glob "$sql/[0-9]*.sql";
my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });

# What the database consists of: the same twice is no change.
sub shape {
	my ($session) = @_;
	return $session->value(<<'END');
SELECT c.oid::regclass, c.xmin, c.relacl FROM pg_class c
	WHERE c.relnamespace::regnamespace::text IN ('pappus', 'audit') ORDER BY 1;
SELECT p.oid::regprocedure, p.xmin FROM pg_proc p
	WHERE p.pronamespace::regnamespace::text IN ('pappus', 'audit') ORDER BY 1;
SELECT n.nspname, n.xmin FROM pg_namespace n ORDER BY 1;
SELECT r.rolname, s.xmin, s.setconfig FROM pg_roles r LEFT JOIN
	pg_db_role_setting s ON s.setrole = r.oid ORDER BY 1, s.setdatabase;
SELECT d.datname, d.xmin, d.datacl FROM pg_database d ORDER BY 1;
SELECT * FROM pappus.schema_migrations ORDER BY 1;
END
}

subtest 'two hosts at once' => sub {
	my @child;
	for (1 .. 3) {
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			my $applied = eval { $cluster->migrate };
			print STDERR $@ if $@;
			_exit($@ ? 255 : $applied);
		}
		push @child, $pid;
	}
	my @applied = sort map { waitpid $_, 0; $? >> 8 } @child;
	is("@applied", '0 0 ' . @migration, 'one applies them, once');
	is($cluster->psql('SELECT count(*), max(version), pappus.version()'
	    . ' FROM pappus.schema_migrations'),
	    join('|', (scalar @migration) x 3), 'each is recorded');
};

subtest 'again' => sub {
	my $db = $cluster->session;
	my $before = shape($db);
	is($cluster->migrate, 0, 'nothing is pending');
	is(shape($db), $before, 'nothing at all has changed');
};

subtest 'what an operator sets otherwise' => sub {
	my $db = $cluster->session;
	$db->value(<<"END");
ALTER ROLE pappus_admin SET lock_timeout = 0;
ALTER ROLE pappus_enroll IN DATABASE $cluster->{database}
	SET lock_timeout = '77ms';
END
	$cluster->migrate;
	is($cluster->session(user => 'pappus_admin')->value('SHOW lock_timeout'),
	    '2s', 'a role\'s bounds are ours');
	is($cluster->session(user => 'pappus_enroll')->value('SHOW lock_timeout'),
	    '77ms', '... those for this database the operator\'s');
};

subtest 'without a superuser' => sub {
	my $other = Pappus::Cluster->new(settings => { fsync => 'off' });
	$other->psql("CREATE ROLE deployer LOGIN CREATEROLE; ALTER DATABASE"
	    . " $other->{database} OWNER TO deployer");
	is(eval { $other->migrate(user => 'deployer') }, scalar @migration,
	    'the database\'s owner with CREATEROLE can migrate') or diag($@);
	is(eval { $other->migrate(user => 'deployer') }, 0, '... twice');
	is($other->session(user => 'pappus_enroll')->value(
	    'SELECT pappus.version()'), scalar @migration, '... and it works');
	is($other->psql("SELECT has_database_privilege('pappus_enroll',"
	    . " current_database(), 'TEMPORARY')"), 'f', 'no temporary tables');
};

subtest 'all or nothing' => sub {
	my $other = Pappus::Cluster->new(settings => { fsync => 'off' });
	my $dir = tempdir(CLEANUP => 1);
	copy($_, $dir) or die "copy: $!" for "$sql/roles.sql", @migration;
	my $bad = sprintf '%s/%04d_bad.sql', $dir, @migration + 1;
	open my $file, '>', $bad or die "$bad: $!";
	print {$file} "CREATE TABLE pappus.half (x int);\nSELECT 1 / 0;\n";
	close $file;
	ok(!eval { $other->migrate(dir => $dir) }, 'a migration fails');
	is($other->psql("SELECT to_regclass('pappus.half'),"
	    . " to_regclass('pappus.devices'),"
	    . ' (SELECT count(*) FROM pappus.schema_migrations)'), '||0',
	    '... and leaves nothing of any');
	unlink $bad;
	is($other->migrate(dir => $dir), scalar @migration, 'mended, all apply');
};

subtest 'an encoding that would not do' => sub {
	$cluster->psql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C'"
	    . ' TEMPLATE template0');
	my $text = Pappus::Cluster::slurp("$sql/roles.sql");
	my (undef, undef, $errors) = $cluster->psql($text, database => 'latin');
	like($errors, qr/ENCODING UTF8/, 'is refused with words');
};

done_testing();
