-- SPDX-License-Identifier: ISC
-- The records of CRLs, and a root that revokes a sub-CA.
\ir fixture.psql
SELECT plan(55);
SELECT t.enroll(1, 'e1', i) FROM generate_series(1, 3) i \g /dev/null
SELECT t.enroll(2, 'e2', i) FROM generate_series(4, 6) i \g /dev/null
SELECT pappus.crl_lease('a', 30) AS epoch \gset

CREATE FUNCTION t.record(issuer int, number bigint, entries int DEFAULT 7)
RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', outcome, last_number)
	FROM pappus.crl_record(1, issuer, number, 1000, 2000, 30, 900, entries,
		t.d('crl' || number), '\x3003')
$$;
SELECT is_empty('SELECT FROM pappus.crl_latest()', 'no CRLs yet');
SELECT is(t.record(:first, 10), 'recorded 10', 'one is recorded');
SELECT is(t.record(:server, 5), 'recorded 5', '... another CA''s');
SELECT is(t.record(:first, 10), 'outdated 10', 'the same number again'),
	is(t.record(:first, 9), 'outdated 10', '... a smaller one'),
	is(t.record(:first, 12, 8), 'recorded 12', '... a higher one');
SELECT t.same('SELECT * FROM pappus.crl_latest()',
	format($$VALUES (%s, 12, to_timestamp(1000), to_timestamp(2000), 30,
		to_timestamp(900), 8, false, t.d('crl12'), '\x3003'::bytea),
		(%s, 5, to_timestamp(1000), to_timestamp(2000), 30, to_timestamp(900),
		7, false, t.d('crl5'), '\x3003')$$, :first, :server),
	'the last of each');
SELECT throws_ok(format('SELECT t.record(%s, 1)', :root), '23503', NULL, 'a root''s'),
	throws_ok('SELECT t.record(99, 1)', '23503', NULL, 'nobody''s');
SELECT throws_ok(format($$SELECT pappus.crl_record(1, %s, 99, %s, 0, 0, %s, %s)$$,
	:first, times, entries, rest), '23514', NULL, what)
FROM (VALUES ('2000, 2000', '0', 't.d(''x''), ''\x01''', 'no time between'),
	('1000, 2000', '-1', 't.d(''x''), ''\x01''', 'less than no entries'),
	('1000, 2000', '0', '''\x01'', ''\x01''', 'no digest'),
	('1000, 2000', '0', 't.d(''x''), ''''', 'no signature'),
	('1000, 2000', 'NULL', 't.d(''x''), ''\x01''', 'no count'))
	AS v (times, entries, rest, what);
SELECT t.record(:server, i) FROM generate_series(101, 220) i \g /dev/null
SELECT is(count(*), 100::bigint, 'a hundred are kept'),
	is(min(number), 121::bigint, '... the last')
FROM pappus.crls WHERE issuer_id = :server;
SELECT is(count(*), 2::bigint, '... of each CA') FROM pappus.crls
WHERE issuer_id = :first;
SELECT is(pappus.admin_issuer_update(:owner, :server, '{"state": "closed"}') IS NULL,
	false, 'a CA is closed');
SELECT t.record(:server, 300) \g /dev/null
SELECT t.same('SELECT number, final FROM pappus.crl_latest() ORDER BY 1',
	'VALUES (12::bigint, false), (300, true)', '... and its next CRL is final');

-- The root's own.
SELECT t.register('second', 'device', :root) AS second \gset
CREATE FUNCTION t.root_crl(number bigint, names text[],
	der bytea DEFAULT NULL, root text DEFAULT 'root')
RETURNS int LANGUAGE sql AS $$
	SELECT pappus.setup_root_crl(substr(t.d(root), 1, 20), number, 1000, 2000,
		coalesce(der, t.d('der' || number)),
		ARRAY(SELECT substr(t.d(n), 1, 20) FROM unnest(names) n))
$$;
SELECT throws_ok($$SELECT t.root_crl(1, '{}', NULL, 'first')$$, '23503', NULL,
	'a CRL of no root');
SELECT is(t.root_crl(4, '{}'), 0, 'a root''s CRL that is empty');
SELECT is(t.root_crl(4, '{}'), 0, '... again');
SELECT throws_ok($$SELECT t.root_crl(4, '{}', '\x01')$$, '23514', NULL,
	'... another of this number'),
	throws_ok($$SELECT t.root_crl(3, '{}')$$, '23514', NULL, '... a smaller one');
SELECT throws_ok($$SELECT t.root_crl(5, '{nobody}')$$, '23503', NULL,
	'a CA that is not registered'),
	throws_ok($$SELECT t.root_crl(5, '{root}')$$, '23503', NULL, 'the root itself');
SELECT t.same($$SELECT issuer_id, number, der, sequence, signature, final
		FROM pappus.crl_issuers() WHERE purpose = 'root'$$,
	format($$VALUES (%s, 4::bigint, t.d('der4'), NULL::bigint, NULL::bytea, false)$$,
		:root), 'the whole of it is there');
SELECT t.same($$SELECT issuer_id, state, number, der, crl_url, ca_url, ski, certificate,
		not_after FROM pappus.crl_issuers() WHERE parent_id IS NOT NULL$$,
	$$SELECT i.issuer_id, i.state, c.number, c.der, i.crl_url, i.ca_url, i.ski,
		i.certificate, i.not_after
	FROM pappus.issuers i LEFT JOIN pappus.crl_latest() l USING (issuer_id)
	LEFT JOIN pappus.crls c ON c.issuer_id = i.issuer_id AND c.number = l.number
	WHERE i.purpose <> 'root' ORDER BY 1$$, '... with every other CA and its last');
SELECT t.same('SELECT issuer_id, ski, certificate, revoked_at, crl_der
		FROM pappus.setup_issuers()',
	'SELECT i.issuer_id, i.ski, i.certificate, i.revoked_at, c.der
	FROM pappus.issuers i LEFT JOIN pappus.crls c
		ON c.issuer_id = i.issuer_id AND c.der IS NOT NULL ORDER BY 1',
	'local commands see them too');

-- A compromised sub-CA.  The first project has its own, the second any.
UPDATE pappus.projects SET device_issuer_id = :second
WHERE project_id = t.id('proj', 1);
SELECT is(t.issue(1, 'd1', 1) || t.issue(4, 'd4', 2), 'issuedissued', 'two devices');
SELECT is(array_agg(DISTINCT issuer_id), ARRAY[:second], '... of one sub-CA')
FROM pappus.certificates;
SELECT max(change_id) AS seen FROM pappus.changes \gset
SELECT is(t.root_crl(5, '{second,server}'), 2, 'a root revokes two');
SELECT t.same('SELECT name, state, revoked_at FROM pappus.issuers
	WHERE revoked_at IS NOT NULL ORDER BY 1',
	$$VALUES ('second', 'crl-only', now()), ('server', 'closed', now())$$,
	'... which issue no more');
SELECT is(array_agg(DISTINCT issuer_id ORDER BY issuer_id),
	ARRAY[:root, :server, :second], '... and who publishes is told')
FROM pappus.changes WHERE kind = 'issuer' AND change_id > :seen;
SELECT is(t.root_crl(5, '{second}'), 0, 'again: known'),
	is(t.root_crl(6, '{}'), 0, 'a CRL that is silent of it');
SELECT is(count(*), 2::bigint, '... takes nothing back') FROM pappus.issuers
WHERE revoked_at IS NOT NULL;
SELECT t.same($$SELECT action, object_id, after - 'sha256'
	FROM pappus.operator_actions WHERE action IN ('issuer.crl', 'issuer.revoke')
	ORDER BY action, coalesce(after ->> 'number', after ->> 'name')$$, format($$VALUES
	('issuer.crl', '%1$s', '{"number": 4, "issuer_id": %1$s}'::jsonb),
	('issuer.crl', '%1$s', '{"number": 5, "issuer_id": %1$s}'),
	('issuer.crl', '%1$s', '{"number": 6, "issuer_id": %1$s}'),
	('issuer.revoke', '%2$s', '{"name": "second", "issuer_id": %2$s, "crl_number": 5}'),
	('issuer.revoke', '%3$s', '{"name": "server", "issuer_id": %3$s, "crl_number": 5}')
	$$, :root, :second, :server), 'all of it is in the log');
SELECT is(t.issue(1, 'd1', 3), 'no_issuer', 'a project of its own issuer waits'),
	is(t.issue(4, 'd4', 4), 'issued', '... others fall to the next');
SELECT is(issuer_id, :first, '... which is not that one') FROM pappus.certificates
WHERE serial = t.serial(4);
SELECT is(outcome, 'no_issuer', 'its chain is nobody''s to have')
FROM pappus.device_ca(t.id('dev', 1), t.d('d1'), ARRAY[:second, :first]);
SELECT is(issuer_id, :first, '... also before it has asked again')
FROM pappus.device_ca(t.id('dev', 5), t.d('d5'), ARRAY[:second, :first]);
SELECT throws_ok(format($$UPDATE pappus.issuers SET state = 'issuing'
	WHERE issuer_id = %s$$, :second), '23514', NULL, 'nothing brings it back');
SELECT is((pappus.admin_issuer_update(:owner, :second, '{"state": "issuing"}'))
	.outcome, 'conflict', '... no operator'),
	is((pappus.admin_project_update(:owner, t.id('proj', 2), jsonb_build_object(
	'device_issuer_id', :second))).outcome, 'invalid', '... no project'),
	is(t.register('second', 'device', :root), :second, '... no registering');
SELECT is(t.issue(1, 'd1', 3), 'no_issuer', '... indeed');
SELECT is((pappus.admin_project_update(:owner, t.id('proj', 1), jsonb_build_object(
	'device_issuer_id', :first))).outcome, 'ok', 'the project moves');
SELECT is(t.issue(1, 'd1', 3), 'issued', '... and its devices with it');

-- What operators and auditors see.
SELECT is(i ->> 'revoked_at', to_char(now() AT TIME ZONE 'UTC',
	'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'an issuer says that it is revoked')
FROM pappus.admin_issuer_list(:auditor) l, jsonb_array_elements(l.body -> 'items') i
WHERE (i ->> 'issuer_id')::int = :second;
SELECT t.issue(2, 'd2', 5) \g /dev/null
INSERT INTO pappus.certificates (serial, issuer_id, device_id, profile,
	spki_sha256, not_before, not_after)
SELECT t.serial(n), :second, t.id('dev', 2), 'device', t.d('x'), now(),
	now() + interval '1 year' FROM generate_series(6, 7) n;
INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason, actor, origin)
VALUES (t.serial(7), :second, now(), 6, 'x', 'operator');
SELECT t.same($$SELECT serial, status FROM audit.certificates ORDER BY 1$$,
	$$VALUES (t.serial(1), 'revoked'), (t.serial(2), 'revoked'),
	(t.serial(3), 'valid'), (t.serial(4), 'valid'), (t.serial(5), 'valid'),
	(t.serial(6), 'issuer_revoked'), (t.serial(7), 'issuer_revoked')$$,
	'certificates of a revoked CA are not valid');
SELECT is(
	(SELECT array_agg(g.body ->> 'status' ORDER BY n)
	FROM generate_series(2, 7) n, LATERAL
		pappus.admin_certificate_get(:auditor,
		encode(t.serial(n), 'hex')) g),
	'{revoked,valid,valid,valid,issuer_revoked,issuer_revoked}',
	'operators see the same of each');
SELECT is(jsonb_path_query_array(g.body, '$.certificates[*].status'),
	'["valid", "issuer_revoked", "issuer_revoked"]', '... and of the device')
FROM pappus.admin_device_get(:auditor, t.id('dev', 2)) g;
SELECT t.same($$SELECT issuer, number, entries, final, octets, latest
		FROM audit.crls WHERE latest ORDER BY 1$$,
	$$VALUES ('first', 12, 8, false, NULL, true), ('root', 6, NULL, false, 32, true),
	('server', 300, 7, true, NULL, true)$$, 'CRLs');

SELECT * FROM finish();
ROLLBACK;
