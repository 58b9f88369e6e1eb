-- SPDX-License-Identifier: ISC
-- The audit views.
\ir fixture.psql
\ir audit.psql
SELECT plan(18);
SELECT t.same(
	$$SELECT serial, status, profile, device_id, subject, project, issuer,
		issuer_state, reason, reason_name, revoked_by, revoked_how, comment
	FROM audit.certificates ORDER BY serial$$,
	$$VALUES
		(t.serial(1), 'revoked', 'device', t.id('dev', 1), NULL, 'First',
			'first', 'issuing', 4, 'superseded', t.id('dev', 1), 'reissue',
			NULL),
		(t.serial(2), 'valid', 'device', t.id('dev', 1), NULL, 'First',
			'first', 'issuing', NULL, NULL, NULL, NULL, NULL),
		(t.serial(3), 'hold', 'device', t.id('dev', 2), NULL, 'First',
			'first', 'issuing', 6, 'certificateHold', t.id('atk', 1),
			'deny', 'stolen'),
		(t.serial(4), 'valid', 'device', t.id('dev', 3), NULL, 'Second',
			'old', 'crl-only', NULL, NULL, NULL, NULL, NULL),
		(t.serial(5), 'expired', 'server', NULL, 'broker', NULL,
			'server', 'issuing', NULL, NULL, NULL, NULL, NULL),
		(t.serial(6), 'revoked', 'device', t.id('dev', 4), NULL, 'First',
			'first', 'issuing', 1, 'keyCompromise', t.id('atk', 2),
			'revoke', 'key found'),
		(t.serial(7), 'valid', 'device', t.id('dev', 5), NULL, 'First',
			'first', 'issuing', NULL, NULL, NULL, NULL, NULL),
		(t.serial(8), 'issuer_revoked', 'server', NULL, 'old broker', NULL,
			'leaked', 'crl-only', NULL, NULL, NULL, NULL, NULL)$$,
	'certificates: to whom, by which issuer, how they stand');
SELECT t.same(
	$$SELECT enrollment_token_id, project, state, max_uses, uses, devices,
		last_used_at
	FROM audit.enrollment_tokens ORDER BY 1$$,
	$$VALUES (t.id('etk', 1), 'First', 'active', NULL::int, NULL::int, 4::bigint,
			now() - interval '40 days'),
		(t.id('etk', 2), 'Second', 'active', NULL, NULL, 1, now()),
		(t.id('etk', 3), 'Second', 'active', NULL, NULL, 0, NULL),
		(t.id('etk', 4), 'Second', 'active', 1, 1, 1, now())$$,
	'enrolment tokens: how many devices each enrolled');
SELECT t.same(
	$$SELECT device_id, project, external_id, state FROM audit.devices ORDER BY 1$$,
	$$VALUES (t.id('dev', 1), 'First', 'SN-1', 'active'),
		(t.id('dev', 2), 'First', NULL, 'denied'),
		(t.id('dev', 3), 'Second', NULL, 'active'),
		(t.id('dev', 4), 'First', NULL, 'revoked'),
		(t.id('dev', 5), 'First', NULL, 'active'),
		(t.id('dev', 6), 'Second', NULL, 'active')$$, 'devices');
SELECT t.same(
	$$SELECT serial, issuer, device_id, project, reason, reason_name, actor_name,
		origin, comment
	FROM audit.revocations ORDER BY serial$$,
	$$VALUES (t.serial(1), 'first', t.id('dev', 1), 'First', 4, 'superseded',
			NULL, 'reissue', NULL),
		(t.serial(3), 'first', t.id('dev', 2), 'First', 6, 'certificateHold',
			'The owner', 'deny', 'stolen'),
		(t.serial(6), 'first', t.id('dev', 4), 'First', 1, 'keyCompromise',
			'An operator', 'revoke', 'key found'),
		('\x0199', NULL, NULL, NULL, 5, 'cessationOfOperation', 'The owner',
			'operator', 'from the old list')$$,
	'revocations, of what is not known, too');
SELECT t.same(
	$$SELECT device_id, project, state, since, actor_name, reason
	FROM audit.denied_devices ORDER BY 1$$,
	$$VALUES (t.id('dev', 2), 'First', 'denied', now(), 'The owner', 'stolen'),
		(t.id('dev', 4), 'First', 'revoked', now(), 'An operator', 'key found'),
		(t.id('dev', 77), NULL, 'denied', now(), 'The owner',
			'from the old list')$$,
	'who is shut out');
SELECT pappus.admin_device_allow(:owner, t.id('dev', 2), 'back'),
	pappus.admin_device_deny(:owner, t.id('dev', 2), 'lost again') \g /dev/null
SELECT is(reason, 'lost again', '... by the last act')
FROM audit.denied_devices WHERE device_id = t.id('dev', 2);
SELECT t.same(
	$$SELECT actor, actor_name, actor_role, object_id, reason
	FROM audit.operator_actions WHERE action = 'device.revoke'$$,
	$$VALUES (t.id('atk', 2), 'An operator', 'operator', t.id('dev', 4),
		'key found')$$,
	'operators'' actions, with the actor''s name');
SELECT t.same(
	$$SELECT issuer_id, parent_id, purpose, name, state, revoked_at
	FROM audit.issuers ORDER BY 1$$,
	format($$VALUES (%1$s, NULL, 'root', 'root', 'issuing', NULL::timestamptz),
		(%2$s, %1$s, 'device', 'first', 'issuing', NULL),
		(%3$s, %1$s, 'server', 'server', 'issuing', NULL),
		(%4$s, %1$s, 'device', 'old', 'crl-only', NULL),
		(%5$s, %1$s, 'server', 'leaked', 'crl-only', now())$$, :root, :first,
		:server, :old, :leaked), 'issuers');
SELECT t.same('SELECT issuer, number, entries, octets, latest FROM audit.crls
	ORDER BY issuer_id, number',
	$$VALUES ('root', 7::bigint, NULL::bigint, 1, true), ('old', 1, 1, NULL, false),
		('old', 2, 2, NULL, true)$$, 'CRLs');
SELECT t.same(
	$$SELECT project, state, reissue_policy, issue_limit FROM audit.projects
	ORDER BY 1$$,
	$$VALUES ('First', 'active', 'replace', 30), ('Second', 'active', 'replace', 30)$$,
	'projects');

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
SELECT is(:devices, 6, 'an auditor reads the views'),
	is(:certificates, 8, '... all of them');
SELECT throws_ok('SET LOCAL ROLE pappus_auditor; ' || statement, '42501', NULL,
	'an auditor can''t ' || statement)
FROM (VALUES ('DELETE FROM audit.issuers'),
	('UPDATE audit.issuers SET name = ''x'''),
	('INSERT INTO audit.issuers (name) VALUES (''x'')'),
	('SELECT FROM pappus.devices'),
	('SELECT pappus.version()')) AS v (statement);

SELECT * FROM finish();
ROLLBACK;
