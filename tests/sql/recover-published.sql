-- SPDX-License-Identifier: ISC
-- After a restore, from what was published: entries of CRLs, serials of
-- deny-lists, merged in any order and more than once.
\ir fixture.psql
SELECT plan(30);
SELECT t.register('second', 'device', :root) AS second \gset
SELECT t.enroll(1, 'e1', n) FROM generate_series(1, 3) n \g /dev/null
SELECT t.issue(n, 'd' || n, n, ARRAY[:first]) FROM generate_series(1, 3) n
\g /dev/null

-- Entries (number, reason, seconds) of a CA's list; ski null: a deny-list.
CREATE FUNCTION t.list(ski text, VARIADIC entries int[]) RETURNS int
LANGUAGE sql AS $$
	SELECT pappus.setup_recover_revocations(substr(t.d(ski), 1, 20),
		array_agg(t.serial(entries[i]) ORDER BY i),
		array_agg(entries[i + 1] ORDER BY i),
		array_agg(entries[i + 2]::bigint ORDER BY i))
	FROM generate_series(1, cardinality(entries), 3) i
$$;
CREATE FUNCTION t.revocation(n int) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s %s', reason, origin, coalesce(
		(SELECT i.name FROM pappus.issuers i
		WHERE i.issuer_id = r.issuer_id), '-'), not_after IS NOT NULL,
		extract(epoch FROM revoked_at)::bigint)
	FROM pappus.revocations r WHERE serial = t.serial(n)
$$;

-- A CRL.
SELECT is(t.list('first', 1, 1, 1000, 2, 6, 2000, 9, 4, 3000, 8, 0, 4000), 4,
	'entries of a CRL');
SELECT is(ARRAY[t.revocation(1), t.revocation(2), t.revocation(9),
	t.revocation(8)], ARRAY['1 recover first t 1000',
	'6 recover first t 2000', '4 recover first f 3000',
	'0 recover first f 4000'], '... with reason, date and issuer');
SELECT is((SELECT array_agg(DISTINCT actor) FROM pappus.revocations),
	ARRAY['setup'], '... by setup');
SELECT is(t.list('first', 1, 1, 1000, 2, 6, 2000, 9, 4, 3000, 8, 0, 4000), 0,
	'again: nothing new');
SELECT is(t.list('first', 1, 4, 5000, 2, 3, 5000), 1, 'only a hold can change');
SELECT is(ARRAY[t.revocation(1), t.revocation(2)],
	ARRAY['1 recover first t 1000', '3 recover first t 5000'],
	'... and becomes final');
SELECT is(t.list('first', 2, 6, 6000), 0, '... not the other way round');
SELECT is((SELECT count(*) FROM pappus.changes WHERE kind = 'certificate'),
	5::bigint, 'each change is to be published');
SELECT is((SELECT array_agg((after ->> 'serials')::int ORDER BY action_id)
	FROM pappus.operator_actions WHERE action = 'recover.revocations'),
	ARRAY[4, 1], 'and stands in the log, when there was one');

-- What two CAs list is on all lists, for nobody knows whose it is.
SELECT is(t.list('second', 9, 4, 3000), 1, 'another CA lists it too');
SELECT is(t.revocation(9), '4 recover - f 3000', '... so it is nobody''s');
SELECT is(t.list('second', 9, 4, 3000), 0, '... again: known');
SELECT is(t.list('first', 9, 4, 3000), 0, '... by either');
SELECT is(t.list('second', 1, 1, 1000), 0, 'a known one''s issuer is known');
SELECT is(t.revocation(1), '1 recover first t 1000', '... and stays');

-- A deny-list: neither whose nor why.
SELECT is(t.list('first', 3, 6, 1000), 1, 'a hold');
SELECT is(t.list(NULL, 3, 0, 7000, 8, 0, 7000, 9, 0, 7000, 20, 0, 7000), 1,
	'a deny-list has one more');
SELECT is(ARRAY[t.revocation(3), t.revocation(8), t.revocation(9),
	t.revocation(20)], ARRAY['6 recover first t 1000',
	'0 recover first f 4000', '4 recover - f 3000', '0 recover - f 7000'],
	'... and changes nothing that is known');
SELECT is(t.list('first', 20, 1, 8000), 0, 'a CRL that comes later');
SELECT is(t.revocation(20), '0 recover - f 7000', '... neither');

-- Allowing a device releases the hold that a list told of; deny made it.
SELECT is((pappus.admin_device_deny(:owner, t.id('dev', 3), 'x')).outcome, 'ok',
	'its device is denied');
SELECT is(t.revocation(3), '6 recover first t 1000', '... and is on hold');
SELECT is((pappus.admin_device_allow(:owner, t.id('dev', 3), 'x')).outcome, 'ok',
	'it is allowed');
SELECT is(t.valid(3), ARRAY[3], '... and its certificate good again');

-- The certificate of one that was listed turns up.
SELECT is(pappus.setup_recover_certificates(jsonb_build_array(
	jsonb_build_object('serial', encode(t.serial(8), 'hex'),
	'issuer_ski', encode(substr(t.d('first'), 1, 20), 'hex'),
	'device_id', t.id('dev', 1), 'spki_sha256', encode(t.d('k'), 'hex'),
	'not_before', 1000, 'not_after', 4000000000))) ->> 'added', '1',
	'a certificate turns up');
SELECT is(t.revocation(8), '0 recover first t 4000', '... and is revoked');

-- What can't be.
SELECT throws_ok($$SELECT t.list('nobody', 1, 1, 1)$$, '23503', NULL,
	'a list of a CA that is not registered');
SELECT throws_ok($$SELECT t.list('root', 1, 1, 1)$$, '23503', NULL,
	'... of a root');
SELECT throws_ok(format('SELECT t.list(%L, 40, %s, 1)', 'first', r), '23514',
	NULL, 'reason ' || r)
FROM (VALUES (7), (8)) v (r);

SELECT * FROM finish();
ROLLBACK;
