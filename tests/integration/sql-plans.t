#!/usr/bin/perl
# SPDX-License-Identifier: ISC
# No request scans a table or an index: the plans of all statements inside the
# functions and the rows they touched, as auto_explain shows them, over tables
# that the planner knows nothing about yet and over the same tables analysed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(max);
use Pappus::Cluster;
use Test::More;

my $cluster = Pappus::Cluster->new(settings =>
    { fsync => 'off', autovacuum => 'off' });
$cluster->migrate;
my $db = $cluster->session;
$db->value('CREATE SCHEMA t; CREATE FUNCTION t.id(prefix text, n bigint)'
    . ' RETURNS text LANGUAGE sql IMMUTABLE AS'
    . q{ $$ SELECT prefix || '_' || lpad(n::text, 26, '0') $$});

# What each call reads.  Its arrays have several elements, as a worker's have.
my $me = "t.id('atk', 7), sha256('a'), NULL, NULL";
my $hot = "ARRAY(SELECT t.id('dev', n) FROM generate_series(%1\$d, %1\$d + 15) n),"
    . ' array_fill(sha256(\'d\'), ARRAY[16])';
my $nulls = 'array_fill(NULL::inet, ARRAY[16]), array_fill(NULL::uuid, ARRAY[16]),'
    . ' array_fill(now() + interval \'1 hour\', ARRAY[16])';
my $next = 1_000_000;
# A page of ten, and how many are on it.
sub devices {
	my ($filter, $cursor, $want) = @_;
	return 'SELECT jsonb_array_length((pappus.admin_device_list('
	    . "$me, jsonb_build_object($filter), 10, t.id('dev', $cursor)))"
	    . ".body -> 'items') = $want";
}

sub certificates {
	my ($filter, $cursor, $want) = @_;
	return 'SELECT jsonb_array_length((pappus.admin_certificate_list('
	    . "$me, jsonb_build_object($filter), 10, $cursor))"
	    . ".body -> 'items') = $want";
}

my %call = (
	enroll => sub {
		$next += 16;
		return "SELECT count(*) FILTER (WHERE outcome = 'enrolled') = 16"
		    . ' FROM pappus.enroll('
		    . "array_fill(t.id('etk', 7), ARRAY[16]),"
		    . " array_fill(sha256('e'), ARRAY[16]), " . sprintf($hot, $next)
		    . ", array_fill(NULL::text, ARRAY[16]),"
		    . " ARRAY(SELECT CASE WHEN n % 2 = 0 THEN 'SN-' || n END"
		    . " FROM generate_series($next, $next + 15) n), $nulls)";
	},
	'enroll, known' => sub {
		return "SELECT count(*) FILTER (WHERE outcome = 'repeated') = 16"
		    . ' FROM pappus.enroll('
		    . "array_fill(t.id('etk', 7), ARRAY[16]),"
		    . " array_fill(sha256('e'), ARRAY[16]), " . sprintf($hot, 1)
		    . ", array_fill(NULL::text, ARRAY[16]),"
		    . " ARRAY(SELECT 'E-' || n FROM generate_series(15001, 15016) n),"
		    . " $nulls)";
	},
	issue => sub {
		$next += 16;
		return "SELECT count(*) FILTER (WHERE outcome = 'issued') = 16"
		    . ' FROM pappus.issue(' . sprintf($hot, 4001) . ','
		    . " ARRAY(SELECT decode('01' || lpad(to_hex(n), 30, '0'), 'hex')"
		    . " FROM generate_series($next, $next + 15) n),"
		    . " array_fill(sha256('k'), ARRAY[16]), $nulls, ARRAY[2])";
	},
	admin_authenticate => "SELECT (pappus.admin_authenticate($me)).outcome = 'ok'",
	admin_project_create => sub {
		return "SELECT (pappus.admin_project_create($me, t.id('proj', "
		    . ++$next . "), '{\"name\": \"p\"}')).outcome = 'created'";
	},
	admin_project_update => sub {
		return "SELECT (pappus.admin_project_update($me, t.id('proj', 8),"
		    . " jsonb_build_object('name', 'p' || " . ++$next
		    . ", 'device_issuer_id', 200))).outcome = 'ok'";
	},
	admin_project_list => "SELECT (pappus.admin_project_list($me, 10,"
	    . " t.id('proj', 500))).body ->> 'next_cursor' IS NOT NULL",
	admin_project_get => "SELECT (pappus.admin_project_get($me,"
	    . " t.id('proj', 500))).outcome = 'ok'",
	admin_enrollment_token_regenerate => sub {
		return 'SELECT (pappus.admin_enrollment_token_regenerate('
		    . "$me, t.id('proj', 8), t.id('etk', " . ++$next
		    . "), sha256('x'), '{}')).outcome = 'created'";
	},
	admin_enrollment_token_invalidate => 'SELECT'
	    . " (pappus.admin_enrollment_token_invalidate($me,"
	    . " t.id('etk', 1900))).outcome = 'ok'",
	admin_enrollment_token_list => 'SELECT'
	    . " (pappus.admin_enrollment_token_list($me, t.id('proj', 7), 10,"
	    . " NULL)).body ->> 'next_cursor' IS NOT NULL",
	'admin_device_list, all' => devices('', 9000, 10),
	'admin_device_list, by id' => devices("'device_id', t.id('dev', 9000)", 0, 1),
	'admin_device_list, of a project' =>
	    devices("'project_id', t.id('proj', 7)", 9000, 10),
	# One in 2,000 is of this project: not to be picked out of the others.
	'admin_device_list, of a small project' =>
	    devices("'project_id', t.id('proj', 9)", 0, 6),
	'admin_device_list, by external_id' =>
	    devices("'external_id', 'E-9000'", 0, 1),
	'admin_device_list, by external_id in its project' =>
	    devices("'external_id', 'E-9000', 'project_id', t.id('proj', 7)", 0, 1),
	'admin_device_list, by external_id in another project' =>
	    devices("'external_id', 'E-9000', 'project_id', t.id('proj', 8)", 0, 0),
	'admin_device_list, by a label that few have' =>
	    devices("'label', 'L-77'", 9000, 10),
	'admin_device_list, by a label that very many have' =>
	    devices("'label', 'pump'", 0, 10),
	'admin_device_list, by token' =>
	    devices("'enrollment_token_id', t.id('etk', 7)", 9000, 10),
	'admin_device_list, by a token that few used' =>
	    devices("'enrollment_token_id', t.id('etk', 9)", 0, 10),
	'admin_device_list, by state' => devices("'state', 'denied'", 0, 10),
	'admin_device_list, by a state that none has' =>
	    devices("'state', 'revoked'", 0, 0),
	'admin_device_list, by the usual state' =>
	    devices("'state', 'active'", 9000, 10),
	'admin_device_list, by time' => devices("'enrolled_after',"
	    . " '2026-01-02T00:00:00Z', 'enrolled_before', '2026-01-02T00:05:00Z'",
	    0, 5),
	'admin_device_list, of a project by time' => devices("'project_id',"
	    . " t.id('proj', 6), 'enrolled_after', '2026-01-02T00:00:00Z',"
	    . " 'state', 'active'", 0, 10),
	admin_device_get => "SELECT (pappus.admin_device_get($me,"
	    . " t.id('dev', 9000))).outcome = 'ok'",
	admin_device_deny => "SELECT (pappus.admin_device_deny($me,"
	    . " t.id('dev', 9001), 'x')).outcome = 'ok'",
	'admin_device_deny, after 1,000' => "SELECT (pappus.admin_device_deny($me,"
	    . " t.id('dev', 4001), 'x')).outcome = 'ok'",
	admin_device_allow => "SELECT (pappus.admin_device_allow($me,"
	    . " t.id('dev', 9001), 'x')).outcome = 'ok'",
	'admin_device_revoke' => "SELECT (pappus.admin_device_revoke($me,"
	    . " t.id('dev', 4001), 'x', 1)).outcome = 'ok'",
	'admin_device_revoke, unknown' => "SELECT (pappus.admin_device_revoke($me,"
	    . " t.id('dev', 999999), 'x', 1)).outcome = 'ok'",
	'admin_device_reset' => "SELECT (pappus.admin_device_reset($me,"
	    . " t.id('dev', 4001), 'x', sha256('d'))).outcome = 'ok'",
	'admin_certificate_list, all' => certificates('', "'01' || lpad('99', 30, '0')", 10),
	'admin_certificate_list, of a device' =>
	    certificates("'device_id', t.id('dev', 9002)", 'NULL', 1),
	'admin_certificate_list, of one that asked very often' =>
	    certificates("'device_id', t.id('dev', 4002)",
	    "'02' || lpad('15985', 30, '0')", 10),
	'admin_certificate_list, of a project' =>
	    certificates("'project_id', t.id('proj', 7)",
	    "'01' || lpad('9000', 30, '0')", 10),
	'admin_certificate_list, of a project and issuer' =>
	    certificates("'project_id', t.id('proj', 7), 'issuer_id', '2'",
	    "'01' || lpad('9000', 30, '0')", 10),
	'admin_certificate_list, of an issuer' =>
	    certificates("'issuer_id', '2'", "'01' || lpad('99', 30, '0')", 10),
	'admin_certificate_list, of an issuer that made few' =>
	    certificates("'issuer_id', '3'", 'NULL', 7),
	'admin_certificate_list, by key' => certificates("'spki_sha256',"
	    . " encode(sha256('k77'), 'hex'), 'project_id', t.id('proj', 78)",
	    'NULL', 1),
	admin_certificate_get => "SELECT (pappus.admin_certificate_get($me,"
	    . " '01' || lpad('99', 30, '0'))).outcome = 'ok'",
	admin_certificate_revoke => "SELECT (pappus.admin_certificate_revoke($me,"
	    . " '01' || lpad('5000', 30, '0'), 'x', 1)).outcome = 'ok'",
	admin_issuer_update => "SELECT (pappus.admin_issuer_update($me, 100,"
	    . " '{\"state\": \"crl-only\"}')).outcome = 'ok'",
	device_ca => "SELECT (pappus.device_ca(t.id('dev', 4001), sha256('d'),"
	    . " ARRAY[2])).outcome = 'ok'",
	crl_lease => "SELECT pappus.crl_lease('planner', 3600) = 1",
	crl_release => 'SELECT pappus.crl_release(1)',
	crl_status => 'SELECT (pappus.crl_status()).unclaimed <= 1',
	crl_claim => "SELECT (pappus.admin_device_deny($me, t.id('dev', 9003), 'x'))"
	    . ".outcome = 'ok' AND (pappus.crl_claim(1, 0, 10)).claimed >= 2",
	'crl_claim, of nothing' => 'SELECT (pappus.crl_claim(1, 0, 10)).claimed <= 1',
	crl_changes => 'SELECT count(*) = 10 FROM pappus.crl_changes((SELECT min('
	    . 'sequence) FROM pappus.changes), 1000, (pappus.crl_status()).sequence, 10)',
	crl_entries => 'SELECT count(*) = 10 FROM pappus.crl_entries('
	    . "(pappus.crl_status()).sequence, '\\x02', 10)",
	'crl_entries, a little ago' => 'SELECT count(*) = 10 FROM'
	    . " pappus.crl_entries((SELECT max(sequence) - 1 FROM pappus.changes),"
	    . " '\\x01', 10)",
	crl_devices => 'SELECT count(*) = 10 FROM pappus.crl_devices('
	    . "(pappus.crl_status()).sequence, t.id('dev', 4000), 10)",
	'crl_devices, a little ago' => 'SELECT count(*) = 10 FROM'
	    . " pappus.crl_devices((SELECT max(sequence) - 1 FROM pappus.changes),"
	    . " t.id('dev', 4000), 10)",
	crl_prune => 'SELECT pappus.crl_prune(1, (pappus.crl_status()).pruned +'
	    . ' 1) = 0',
	'crl_prune, of some' => 'SELECT pappus.crl_prune(1, (SELECT min(sequence)'
	    . ' FROM pappus.changes)) = 20',
	crl_record => "SELECT (pappus.crl_record(1, 2, 200, 0, 1, 0, 0, 0,"
	    . " sha256('x'), '\\x01')).outcome = 'recorded'",
	'certificate by its key' => "SELECT count(*) = 1 FROM"
	    . " audit.certificates WHERE spki_sha256 = sha256('k77')",
	'certificate by its serial' => "SELECT count(*) = 1 FROM"
	    . " audit.certificates WHERE serial ="
	    . " '\\x01000000000000000000000000000077'",
);

my $planner = $cluster->session;
sub all_calls {
	my ($when) = @_;
	$planner = $cluster->session;
	$planner->value("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
	    . ' SET auto_explain.log_nested_statements = on;'
	    . ' SET auto_explain.log_analyze = on; SET client_min_messages = log');
	for my $name (sort keys %call) {
		my $sql = ref $call{$name} ? $call{$name}->() : $call{$name};
		# Six times, until it has a plan for good.
		for (1 .. 6) {
			my ($output, $plans) =
			    $planner->run("BEGIN; $sql; ROLLBACK;");
			my @scan = $plans =~ /((?:Parallel )?(?:Seq|Bitmap Heap)
			    \ Scan\ on\ \w+)/gx;
			my $used = () = $plans =~ /Index/g;
			# A page of 10, a batch of 16 and a device's latest 100
			# certificates have no use for more.
			my $rows = max(0, $plans =~ /Rows Removed by [^:]+: (\d+)/g,
			    $plans =~ /actual time=\S+ rows=(\d+)/g);
			next if $output eq 't' && !@scan && $used && $rows <= 100;
			is($output, 't', "$when: $name answers") or diag($plans);
			is("@scan", '', "$when: $name scans nothing") or diag($plans);
			ok($used, "$when: $name uses an index");
			cmp_ok($rows, '<=', 100, "$when: $name reads few rows")
			    or diag($plans);
			last;
		}
		pass("$when: $name was tried");
	}
	return;
}

$db->value(<<'END');
INSERT INTO pappus.issuers (purpose, parent_id, name, certificate, ski,
	not_before, not_after, crl_url, ca_url, profile_sha256)
SELECT CASE n WHEN 1 THEN 'root' ELSE 'device' END,
	CASE n WHEN 1 THEN NULL ELSE 1 END, 'CA', convert_to(repeat('x', 99), 'UTF8'),
	convert_to('ski' || n, 'UTF8'), now(), now() + interval '40 years', 'u', 'u',
	sha256('profile')
FROM generate_series(1, 300) n;
INSERT INTO pappus.projects (project_id, name)
SELECT t.id('proj', n), 'p' FROM generate_series(1, 2000) n;
INSERT INTO pappus.admin_tokens (admin_token_id, token_sha256, role, name)
SELECT t.id('atk', n), sha256('a'), 'owner', 'o' FROM generate_series(1, 2000) n;
INSERT INTO pappus.enrollment_tokens (enrollment_token_id, project_id, token_sha256)
SELECT t.id('etk', n), t.id('proj', CASE WHEN n % 9 = 7 THEN 7 ELSE n END),
	sha256('e')
FROM generate_series(1, 2000) n;
INSERT INTO pappus.devices (device_id, project_id, enrollment_token_id,
	token_sha256, external_id, label, state)
SELECT t.id('dev', n), t.id('proj', CASE WHEN n % 3 = 0 OR n > 15000 THEN 7
	ELSE n % 2000 + 1 END), t.id('etk', CASE WHEN n % 900 = 1 THEN 9 ELSE 7 END),
	sha256('d'), 'E-' || n, 'L-' || n % 200,
	CASE WHEN n % 700 = 50 THEN 'denied' ELSE 'active' END
FROM generate_series(1, 16000) n;
-- One a minute, with ids as they are.
INSERT INTO pappus.devices (device_id, project_id, enrollment_token_id,
	token_sha256, label)
SELECT left(pappus.id_from('dev_', at), 14) || lpad('7', 16, '7'),
	t.id('proj', 6), t.id('etk', 8), sha256('d'), 'pump'
FROM generate_series('2025-12-01 00:00:10+0'::timestamptz, '2026-01-31 00:00+0',
	'1 minute') at;
INSERT INTO pappus.certificates (serial, issuer_id, device_id, profile,
	spki_sha256, not_before, not_after)
SELECT decode('01' || lpad(n::text, 30, '0'), 'hex'),
	CASE WHEN n % 2000 = 5 THEN 3 ELSE 2 END, t.id('dev', n), 'device',
	sha256(convert_to('k' || n, 'UTF8')), now(), now() + interval '30 years'
FROM generate_series(1, 14000) n;
INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason, actor, origin)
SELECT serial, 2, not_after, 4, 'x', 'reissue' FROM pappus.certificates
WHERE device_id < t.id('dev', 4000);
-- Devices that have asked very often.
INSERT INTO pappus.certificates (serial, issuer_id, device_id, profile,
	spki_sha256, not_before, not_after, issued_at)
SELECT decode('02' || lpad(n::text, 30, '0'), 'hex'), 2,
	t.id('dev', 4001 + n % 16), 'device', sha256('k'), now(),
	now() + interval '30 years', now() - interval '1 day' - n * interval '1 s'
FROM generate_series(1, 16000) n;
INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason, actor, origin)
SELECT serial, 2, not_after, 4, 'x', 'reissue' FROM pappus.certificates
WHERE serial >= '\x02';
UPDATE pappus.devices SET live_since = now() - interval '1 hour',
	identity_issued_at = now() - interval '1 day'
WHERE device_id BETWEEN t.id('dev', 4001) AND t.id('dev', 4016);
-- Shut out in more than one way.
UPDATE pappus.devices SET state = 'deleted', external_id = NULL
WHERE device_id BETWEEN t.id('dev', 5100) AND t.id('dev', 8000)
	AND state <> 'active';
INSERT INTO pappus.unknown_devices (device_id, state, actor)
SELECT t.id('dev', n), 'denied', 'x' FROM generate_series(20001, 22000) n;
SELECT pappus.crl_lease('planner', 3600);
-- Twenty long ago, and all but a few.
SELECT pappus.crl_claim(1, 0, 20);
UPDATE pappus.changes SET claimed_at = now() - interval '2 hours'
WHERE sequence IS NOT NULL;
SELECT pappus.crl_claim(1, 0, 1000000);
INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason, actor, origin)
SELECT decode('03' || lpad(n::text, 30, '0'), 'hex'), 2, now(), 4, 'x', 'reissue'
FROM generate_series(1, 9) n;
SELECT pappus.crl_claim(1, 0, 20);
INSERT INTO pappus.crls (issuer_id, number, this_update, next_update, sha256,
	sequence, expired_before, entries, signature)
SELECT i, n, now(), now() + interval '1 day', sha256('x'), 1, now(), 1, '\x01'
FROM generate_series(2, 99) i, generate_series(1, 99) n;
END
all_calls('never analysed');
$db->value('ANALYZE');
all_calls('analysed');

# A worker that connected to an empty database keeps its plans.
my $fresh = Pappus::Cluster->new(settings =>
    { fsync => 'off', autovacuum => 'off' });
$fresh->migrate;
$fresh->psql('CREATE SCHEMA t; CREATE FUNCTION t.id(prefix text, n bigint)'
    . ' RETURNS text LANGUAGE sql IMMUTABLE AS'
    . q{ $$ SELECT prefix || '_' || lpad(n::text, 26, '0') $$});
$planner = $fresh->session;
$planner->value("LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
    . ' SET auto_explain.log_nested_statements = on');
$planner->value($call{$_}->()) for ('enroll', 'enroll, known', 'issue') x 6;
$planner->value('SET client_min_messages = log');
for my $name ('enroll', 'enroll, known', 'issue') {
	my (undef, $plans) = $planner->run($call{$name}->());
	unlike($plans, qr/Seq Scan on/, "planned over empty tables: $name");
	like($plans, qr/Index Scan/, '... uses an index');
}

done_testing();
