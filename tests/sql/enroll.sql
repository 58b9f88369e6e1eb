-- SPDX-License-Identifier: ISC
-- pappus.enroll: each outcome, and batches.
\ir fixture.psql
SELECT plan(37);

SELECT is(outcome, 'enrolled', 'a good token enrols'),
	is(device_id, t.id('dev', 1), '... under the id that was offered'),
	is(project_id, t.id('proj', 1), '... in the token''s project')
FROM t.enroll(1, 'e1', 1);
SELECT t.same(
	$$SELECT state, token_sha256, enrollment_token_id, enrolled_from,
		identity_issued_at FROM pappus.devices$$,
	$$VALUES ('active', t.d('d1'), t.id('etk', 1), inet '192.0.2.7',
		NULL::timestamptz)$$,
	'the device is recorded');

SELECT is(outcome, 'invalid_token', 'a wrong secret'),
	is(device_id, NULL, '... makes no device')
FROM t.enroll(1, 'e2', 2);
SELECT is(outcome, 'invalid_token', 'an unknown token')
FROM t.enroll(9, 'e1', 2);
SELECT is(outcome, 'enrolled', 'another project''s token'),
	is(project_id, t.id('proj', 2), '... enrols in that project')
FROM t.enroll(2, 'e2', 2);

-- Tokens and projects that are past their time.
SAVEPOINT before;
UPDATE pappus.enrollment_tokens
SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 second';
SELECT is(outcome, 'token_expired', 'an expired token')
FROM t.enroll(1, 'e1', 3);
SELECT is(outcome, 'invalid_token', '... with a wrong secret is just wrong')
FROM t.enroll(1, 'x', 3);
ROLLBACK TO before;
UPDATE pappus.projects SET state = 'disabled';
SELECT is(outcome, 'project_disabled', 'a disabled project')
FROM t.enroll(1, 'e1', 3);
ROLLBACK TO before;
SELECT is((pappus.admin_enrollment_token_regenerate(:owner, t.id('proj', 1),
	t.id('etk', 3), t.d('e3'), NULL)).outcome, 'created', 'regenerated');
SELECT is(outcome, 'invalid_token', 'the token before is dead')
FROM t.enroll(1, 'e1', 3);
SELECT is(outcome, 'enrolled', '... the new one works')
FROM t.enroll(3, 'e3', 3);
SELECT is(outcome, 'enrolled', '... other projects'' are untouched')
FROM t.enroll(2, 'e2', 4);
ROLLBACK TO before;

-- external_id: the way to mend a lost answer.
SELECT is(outcome, 'enrolled', 'with an external_id')
FROM t.enroll(1, 'e1', 10, 'SN-1');
SELECT is(outcome, 'repeated', 'the same external_id again'),
	is(device_id, t.id('dev', 10), '... has the earlier id')
FROM t.enroll(1, 'e1', 11, 'SN-1');
SELECT is(token_sha256, t.d('d11'), '... and the new token alone')
FROM pappus.devices WHERE device_id = t.id('dev', 10);
SELECT is(count(*), 0::bigint, '... and no second device')
FROM pappus.devices WHERE device_id = t.id('dev', 11);
SELECT is(outcome, 'enrolled', 'in another project it is another device')
FROM t.enroll(2, 'e2', 12, 'SN-1');
SELECT is(t.issue(10, 'd11', 1), 'issued', 'once it has an identity');
SELECT is(outcome, 'identity_exists', '... it is refused'),
	is(device_id, NULL, '... without its id')
FROM t.enroll(1, 'e1', 13, 'SN-1');
SELECT is(token_sha256, t.d('d11'), '... and keeps its token')
FROM pappus.devices WHERE device_id = t.id('dev', 10);
SELECT is((pappus.admin_device_deny(:owner, t.id('dev', 10), 'x')).outcome,
	'ok', 'a denied device');
SELECT is(outcome, 'device_denied', '... is refused for that')
FROM t.enroll(1, 'e1', 13, 'SN-1');

-- A batch comes out as if one request after the other.
SELECT t.same(
	$$SELECT n, outcome, device_id FROM pappus.enroll(
		ARRAY[t.id('etk', 1), t.id('etk', 1), t.id('etk', 7),
			t.id('etk', 1), t.id('etk', 2), t.id('etk', 1)],
		ARRAY[t.d('e1'), t.d('e1'), t.d('e1'), t.d('e1'), t.d('e2'),
			t.d('e1')],
		ARRAY(SELECT t.id('dev', i) FROM generate_series(21, 26) i),
		ARRAY(SELECT t.d('d' || i) FROM generate_series(21, 26) i),
		ARRAY['a', 'b', 'c', NULL, 'e', 'f'],
		ARRAY['SN-2', NULL, 'SN-2', 'SN-2', 'SN-2', 'SN-1'],
		array_fill('192.0.2.7'::inet, ARRAY[6]),
		array_fill(gen_random_uuid(), ARRAY[6]),
		array_fill(NULL::timestamptz, ARRAY[6]))$$,
	$$VALUES (1, 'enrolled', t.id('dev', 21)),
		(2, 'enrolled', t.id('dev', 22)),
		(3, 'invalid_token', NULL),
		(4, 'repeated', t.id('dev', 21)),
		(5, 'enrolled', t.id('dev', 25)),
		(6, 'device_denied', NULL)$$,
	'a mixed batch: each request has its own outcome, in its own row');
SELECT t.same(
	$$SELECT device_id, token_sha256, label FROM pappus.devices
	WHERE device_id BETWEEN t.id('dev', 21) AND t.id('dev', 26)
	ORDER BY device_id$$,
	$$VALUES (t.id('dev', 21), t.d('d24'), 'a'),
		(t.id('dev', 22), t.d('d22'), 'b'),
		(t.id('dev', 25), t.d('d25'), 'e')$$,
	'... the last token of one external_id counts');
SELECT is_empty($$SELECT * FROM pappus.enroll('{}', '{}', '{}', '{}', '{}',
	'{}', '{}', '{}', '{}')$$, 'no requests, no rows');
SELECT is_empty($$SELECT * FROM pappus.enroll(NULL, NULL, NULL, NULL, NULL,
	NULL, NULL, NULL, NULL)$$, 'nothing at all, likewise');

-- What the programs should have refused, the tables refuse.
PREPARE enroll (text, text, text) AS
	SELECT * FROM pappus.enroll(ARRAY[t.id('etk', 1)], ARRAY[t.d('e1')],
		ARRAY[$1], ARRAY[t.d('x')], ARRAY[$2], ARRAY[$3],
		ARRAY[NULL::inet], ARRAY[NULL::uuid], ARRAY[NULL::timestamptz]);
SELECT throws_ok($$EXECUTE enroll('dev_1', NULL, NULL)$$, '23514', NULL,
	'an id of the wrong form');
SELECT throws_ok($$EXECUTE enroll(t.id('dev', 1), NULL, NULL)$$, '23505',
	NULL, 'an id that is taken');
SELECT throws_ok(
	$$EXECUTE enroll(t.id('dev', 31), repeat('ä', 129), NULL)$$,
	'23514', NULL, 'a label that is too long');
SELECT throws_ok($$EXECUTE enroll(t.id('dev', 31), E'a\u0085b', NULL)$$,
	'23514', NULL, 'a label with a control character');
SELECT lives_ok(
	$$EXECUTE enroll(t.id('dev', 31), repeat('ä', 128), repeat('😀', 128))$$,
	'128 characters of any size');

SELECT * FROM finish();
ROLLBACK;
