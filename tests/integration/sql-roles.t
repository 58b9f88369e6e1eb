#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# The role matrix of the database: every role that can log in tries every
# function, table and sequence there is.  What there is comes from the
# catalogue, so a function of a later migration fails here until it is decided
# who may call it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Pappus::Cluster;
use Test::More;

my @PROGRAM = qw(enroll identity admin crl ocsp setup);
my %MAY = (
	version => [@PROGRAM],
	enroll => ['enroll'],
	(map { $_ => ['identity'] } qw(issue issuers device_ca)),
	(map { ("admin_$_" => ['admin']) } qw(authenticate project_create
	    project_update project_list project_get
	    enrollment_token_regenerate enrollment_token_invalidate
	    enrollment_token_list device_list device_get device_deny
	    device_allow device_revoke device_reset certificate_list
	    certificate_get certificate_revoke issuer_list issuer_update)),
	(map { ("crl_$_" => ['crl']) } qw(lease release status claim changes
	    entries devices prune record latest issuers)),
	(map { ("setup_$_" => ['setup']) } qw(issuer_register issuer_by_ski
	    admin_token_create certificate_record recover_certificates
	    recover_denials recover_revocations issuers root_crl)),
);
# Helpers: for the other functions only.
my %INTERNAL = map { $_ => 1 } qw(json_time json_project json_device
    json_device_whole json_enrollment_token json_page json_detail json_stray
    json_certificate certificate_status json_issuer admin_caller admin_refusal admin_sees
    admin_sees_certificate admin_device_lock admin_record setup_record
    refuse_change project_has_room project_problem project_with project_save
    enrollment_token_problem open_certificates device_set_state device_hold
    device_release device_finish device_filter_problem device_source id_from
    certificate_filter_problem certificates_by_device certificates_by_serial
    serial_from revocations_added revocation_changed device_changed
    issuer_changed changes_notify changes_unclaimed changes_since crl_hold
    crl_known crls_forget);

my $cluster = Pappus::Cluster->new(settings => { fsync => 'off' });
$cluster->migrate;
my $db = $cluster->session;
# Someone else altogether, who is none of ours.
$db->value('CREATE ROLE stranger LOGIN; CREATE ROLE auditor LOGIN'
    . ' IN ROLE pappus_auditor');
my %session = map { $_ => $cluster->session(user => "pappus_$_") } @PROGRAM;
$session{$_} = $cluster->session(user => $_) for qw(stranger auditor);

# tries(role, sql): the SQLSTATE, 'ok' if it went through.  All is rolled back.
sub tries {
	my ($role, $sql) = @_;
	my (undef, $errors) = $session{$role}->run("BEGIN;\n$sql;\nROLLBACK;");
	return $errors =~ /(?:ERROR|FATAL):\s+(\w{5})/ ? $1 : 'ok';
}

# granted(role, 'function' and so on, object, privileges): may or may not.
sub granted {
	my ($role, $kind, $object, $privileges) = @_;
	$role = "pappus_$role" if grep { $_ eq $role } @PROGRAM;
	return $db->value("SELECT has_${kind}_privilege('$role', '$object',"
	    . " '$privileges')") eq 't' ? 'may' : 'may not';
}

# rows(sql): a list of lists.
sub rows {
	return map { [split /\|/, $_, -1] } split /\n/, $db->value($_[0]);
}

subtest 'functions' => sub {
	my $found = 0;
	for (rows(<<'END')) {
SELECT p.proname, pg_get_userbyid(p.proowner), p.prosecdef,
	array_to_string(p.proconfig, ' '), p.prorettype = 'trigger'::regtype,
	array_to_string(ARRAY(SELECT format_type(t, NULL)
		FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)
		ORDER BY n), ', ')
FROM pg_proc p
WHERE p.pronamespace IN ('pappus'::regnamespace, 'audit'::regnamespace)
ORDER BY 1
END
		my ($name, $owner, $definer, $config, $trigger, $types) = @$_;
		my $arguments = join ', ', map { "NULL::$_" } split /, /, $types;
		$found++;
		my $may = $MAY{$name};
		if (!$may && !$INTERNAL{$name}) {
			fail("$name: nobody has decided who may call it");
			next;
		}
		is($owner, 'pappus_owner', "$name: whose it is");
		# A helper may have its caller's, for no other role calls it.
		like($config, qr/(?:^| )search_path=pg_catalog, pappus, pg_temp(?: |$)/,
		    "$name: its search_path") if $may || $config =~ /search_path/;
		is($definer, $may ? 't' : 'f', "$name: as whom it runs");
		my %may = map { $_ => 1 } @{ $may // [] };
		for my $role (sort keys %session) {
			my $may = $may{$role} ? 'may' : 'may not';
			is(granted($role, 'function', "pappus.$name($types)", 'EXECUTE'),
			    $may, "$name: $role $may");
			next if $trigger eq 't';
			my $state = tries($role, "SELECT pappus.$name($arguments)");
			is($state eq '42501' ? 'may not' : 'may', $may,
			    "$name: $role $may: $state");
		}
	}
	is($found, keys(%MAY) + keys(%INTERNAL), 'each that is listed is there');
};

subtest 'tables' => sub {
	my @tables = rows(<<'END');
SELECT c.oid::regclass, c.relkind, pg_get_userbyid(c.relowner),
	(SELECT attname FROM pg_attribute a WHERE a.attrelid = c.oid
	AND a.attnum = 2)
FROM pg_class c
WHERE c.relnamespace IN ('pappus'::regnamespace, 'audit'::regnamespace)
	AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
ORDER BY 1
END
	cmp_ok(@tables, '>', 15, 'there are tables, views and sequences');
	for (@tables) {
		my ($table, $kind, $owner, $column) = @$_;
		is($owner, 'pappus_owner', "$table: whose it is");
		my @try = $kind eq 'S'
		    ? ("SELECT nextval('$table')", "SELECT setval('$table', 1)",
			"SELECT FROM $table") : (
			"SELECT FROM $table LIMIT 0",
			"SELECT count($column) FROM $table",
			"INSERT INTO $table DEFAULT VALUES",
			"UPDATE $table SET $column = DEFAULT",
			"DELETE FROM $table",
		    $kind eq 'v' ? () : ("TRUNCATE $table",
			"LOCK TABLE $table IN ACCESS SHARE MODE",
			"CREATE INDEX ON $table ($column)",
			"ALTER TABLE $table ADD x int"));
		for my $role (sort keys %session) {
			# Granted at all, even if something else is in the way.
			my ($read, $write) = $kind eq 'S'
			    ? (['sequence', 'SELECT'], ['sequence', 'USAGE, UPDATE'])
			    : (['table', 'SELECT'], ['table', 'INSERT, UPDATE,'
			    . ' DELETE, TRUNCATE, REFERENCES, TRIGGER']);
			my $may = $role eq 'auditor' && $kind eq 'v'
			    ? 'may' : 'may not';
			is(granted($role, $read->[0], $table, $read->[1]), $may,
			    "$role $may read $table");
			is(granted($role, $write->[0], $table, $write->[1]), 'may not',
			    "$role may not write $table");
			for my $sql (@try) {
				my $state = tries($role, $sql);
				if ($role eq 'auditor' && $kind eq 'v'
				    && $sql =~ /^SELECT/) {
					is($state, 'ok', "$role may: $sql");
				} elsif ($kind eq 'v') {
					# A view of a join can't be written by anyone.
					like($state, qr/^(?:42501|55000)$/,
					    "$role may not: $sql");
				} else {
					is($state, '42501', "$role may not: $sql");
				}
			}
		}
	}
};

subtest 'PUBLIC has nothing' => sub {
	is($db->value(<<'END'), '', 'of functions, tables, schemas and types');
SELECT what FROM (
	SELECT p.oid::regprocedure::text, coalesce(p.proacl,
		acldefault('f', p.proowner)), p.pronamespace FROM pg_proc p
	UNION ALL SELECT c.oid::regclass::text, coalesce(c.relacl,
		acldefault('r', c.relowner)), c.relnamespace
	FROM pg_class c WHERE c.relkind <> 'i'
	UNION ALL SELECT n.nspname, coalesce(n.nspacl,
		acldefault('n', n.nspowner)), n.oid FROM pg_namespace n
) AS o (what, acl, schema), aclexplode(acl) a
WHERE schema IN ('pappus'::regnamespace, 'audit'::regnamespace) AND a.grantee = 0
END
	is($db->value(<<'END'), 'c', 'of the database but to connect');
SELECT string_agg(CASE a.privilege_type WHEN 'CONNECT' THEN 'c' ELSE
	a.privilege_type END, ',')
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
WHERE datname = current_database() AND a.grantee = 0
END
	# Made by a later migration that forgot to say anything.
	$db->value(<<'END');
SET ROLE pappus_owner;
CREATE FUNCTION pappus.forgotten() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET ROLE;
END
	is(tries($_, 'SELECT pappus.forgotten()'), '42501',
	    "$_ may not call what a migration forgot") for sort keys %session;
	$db->value('DROP FUNCTION pappus.forgotten()');
};

subtest 'nobody leaves objects behind or becomes another' => sub {
	for my $role (sort keys %session) {
		my @others = map { "pappus_$_" } grep { $_ ne $role } @PROGRAM, 'owner';
		is(tries($role, $_), '42501', "$role may not: $_") for (
		    'CREATE TEMP TABLE devices (x int)',
		    'CREATE TABLE public.devices (x int)',
		    'CREATE TABLE pappus.x (x int)',
		    'CREATE TABLE audit.x (x int)',
		    'CREATE SCHEMA x',
		    q{CREATE FUNCTION pappus.now() RETURNS int LANGUAGE sql AS 'SELECT 1'},
		    'CREATE ROLE x', 'CREATE EXTENSION pgtap',
		    q{COPY (SELECT 1) TO '/tmp/x'},
		    q{ALTER ROLE pappus_owner LOGIN},
		    map { "SET ROLE $_" } @others);
	}
	is($db->value("SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM"
	    . " pg_roles WHERE rolname LIKE 'pappus%' AND (rolsuper OR"
	    . ' rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)'),
	    '', 'no role has powers');
	is($db->value("SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM"
	    . " pg_roles WHERE rolname LIKE 'pappus%' AND NOT rolcanlogin"),
	    'pappus_auditor pappus_owner', 'two never log in');
};

# Suppose that one may make temporary tables after all.
subtest 'a temporary table does not stand in for a real one' => sub {
	$db->value("GRANT TEMPORARY ON DATABASE $cluster->{database} TO"
	    . ' pappus_enroll');
	my $enroll = $session{enroll};
	$enroll->value(<<'END');
CREATE TEMP TABLE enrollment_tokens (enrollment_token_id text,
	project_id text, token_sha256 bytea, expires_at timestamptz,
	invalidated_at timestamptz, max_uses int, allowed_cidrs cidr[]);
CREATE TEMP TABLE projects (project_id text, state text, device_limit int);
INSERT INTO enrollment_tokens VALUES ('mine', 'mine', '\x00', 'infinity', NULL);
INSERT INTO projects VALUES ('mine', 'active', NULL);
SET search_path = pg_temp, pappus, pg_catalog;
END
	is($enroll->value(q{SELECT outcome FROM pappus.enroll('{mine}',
	    ARRAY['\x00'::bytea], '{dev}', ARRAY['\x00'::bytea], '{NULL}',
	    '{NULL}', '{NULL}', '{NULL}', '{NULL}')}), 'invalid_token',
	    'a token of the caller\'s own making');
	$enroll->value('DROP TABLE projects, enrollment_tokens');
	$db->value("REVOKE TEMPORARY ON DATABASE $cluster->{database} FROM"
	    . ' pappus_enroll');
};

subtest 'the log of actions is only ever added to' => sub {
	$db->value("SELECT pappus.setup_admin_token_create("
	    . "'atk_00000000000000000000000000', sha256('x'), 'owner', 'x')");
	my @change = ("UPDATE pappus.operator_actions SET reason = 'x'",
	    'DELETE FROM pappus.operator_actions',
	    'TRUNCATE pappus.operator_actions');
	for my $sql (@change) {
		for my $begin ('BEGIN; SET ROLE pappus_owner', 'BEGIN',
		    'BEGIN; SET session_replication_role = replica') {
			my (undef, $errors) = $db->run("$begin; $sql; ROLLBACK;");
			like($errors, qr/42501/, "$begin; $sql");
		}
	}
	is($db->value('SELECT count(*) FROM pappus.operator_actions'), 1,
	    'what was there is there');
};

subtest 'bounds on time' => sub {
	for my $role (@PROGRAM) {
		for my $name (qw(lock_timeout statement_timeout
		    idle_in_transaction_session_timeout)) {
			isnt($session{$role}->value("SHOW $name"), '0', "$role: $name");
		}
	}
};

done_testing();
