-- SPDX-License-Identifier: ISC
-- The audit views.
\ir fixture.psql
\ir audit.psql
SELECT plan(14);
SELECT t.same(
	$$SELECT serial, status, profile, device_id, subject, project, issuer,
		reason, revoked_by, revoked_how, comment
	FROM audit.certificates ORDER BY serial$$,
	$$VALUES
		(t.serial(1), 'revoked', 'device', t.id('dev', 1),
			NULL, 'First', 'first', 4, t.id('dev', 1), 'reissue', NULL),
		(t.serial(2), 'valid', 'device', t.id('dev', 1),
			NULL, 'First', 'first', NULL, NULL, NULL, NULL),
		(t.serial(3), 'hold', 'device', t.id('dev', 2),
			NULL, 'First', 'first', 6, t.id('atk', 1), 'deny', 'stolen'),
		(t.serial(4), 'valid', 'device', t.id('dev', 3),
			NULL, 'Second', 'first', NULL, NULL, NULL, NULL),
		(t.serial(5), 'expired', 'server', NULL,
			'broker', NULL, 'server', NULL, NULL, NULL, NULL)$$,
	'certificates: to whom, by which issuer, how they stand');
SELECT t.same(
	$$SELECT enrollment_token_id, project, state, devices
	FROM audit.enrollment_tokens ORDER BY 1$$,
	$$VALUES (t.id('etk', 1), 'First', 'active', 2::bigint),
		(t.id('etk', 2), 'Second', 'active', 1)$$,
	'enrolment tokens: how many devices each enrolled');
SELECT t.same(
	$$SELECT device_id, project, external_id, state FROM audit.devices ORDER BY 1$$,
	$$VALUES (t.id('dev', 1), 'First', 'SN-1', 'active'),
		(t.id('dev', 2), 'First', NULL, 'denied'),
		(t.id('dev', 3), 'Second', NULL, 'active')$$, 'devices');
SELECT t.same(
	$$SELECT serial, issuer, device_id, reason, origin, comment
	FROM audit.revocations ORDER BY serial$$,
	$$VALUES (t.serial(1), 'first', t.id('dev', 1), 4, 'reissue', NULL),
		(t.serial(3), 'first', t.id('dev', 2), 6, 'deny', 'stolen')$$,
	'revocations');
SELECT t.same(
	$$SELECT actor, actor_name, actor_role, object_id, reason
	FROM audit.operator_actions WHERE action = 'device.deny'$$,
	$$VALUES (t.id('atk', 1), 'The owner', 'owner', t.id('dev', 2), 'stolen')$$,
	'operators'' actions, with the actor''s name');
SELECT t.same(
	'SELECT issuer_id, parent_id, purpose, name FROM audit.issuers ORDER BY 1',
	format($$VALUES (%1$s, NULL, 'root', 'root'), (%2$s, %1$s, 'device', 'first'),
		(%3$s, %1$s, 'server', 'server')$$, :root, :first, :server), 'issuers');

-- No view shows the digest of a secret.
SELECT is_empty(
	$$SELECT attrelid::regclass, attname FROM pg_attribute a
	JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'audit'::regnamespace AND attname = 'token_sha256'$$,
	'no view shows a token''s digest');

-- As the auditor.
SET ROLE pappus_auditor;
SELECT count(*) AS devices FROM audit.devices \gset
SELECT count(*) AS certificates FROM audit.certificates \gset
RESET ROLE;
SELECT is(:devices, 3, 'an auditor reads the views'),
	is(:certificates, 5, '... all of them');
SELECT throws_ok('SET LOCAL ROLE pappus_auditor; ' || statement, '42501', NULL,
	'an auditor can''t ' || statement)
FROM (VALUES ('DELETE FROM audit.issuers'),
	('UPDATE audit.issuers SET name = ''x'''),
	('INSERT INTO audit.issuers (name) VALUES (''x'')'),
	('SELECT FROM pappus.devices'),
	('SELECT pappus.version()')) AS v (statement);

SELECT * FROM finish();
ROLLBACK;
