-- SPDX-License-Identifier: ISC
-- pappus.issue: what the project's policy and limit say to a device that asks
-- again; requests that are late; and pappus.device_ca.
\ir fixture.psql
SELECT plan(60);
SELECT t.enroll(1, 'e1', i) FROM generate_series(1, 12) i \g /dev/null
CREATE FUNCTION t.project(changes jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT (pappus.admin_project_update(t.id('atk', 1), t.d('owner'), NULL,
		NULL, t.id('proj', 1), changes)).outcome
$$;
-- As if all that a device did had been so long ago.
CREATE FUNCTION t.age(device int, by interval) RETURNS void LANGUAGE sql AS $$
	UPDATE pappus.devices SET identity_issued_at = identity_issued_at - by,
		live_since = live_since - by
	WHERE device_id = t.id('dev', device);
	UPDATE pappus.certificates SET issued_at = issued_at - by
	WHERE device_id = t.id('dev', device);
$$;
CREATE FUNCTION t.batch(device int[], serial int, issuer int)
RETURNS TABLE (n int, outcome text, retry_after int) LANGUAGE sql AS $$
	SELECT n, outcome, retry_after FROM pappus.issue(
		ARRAY(SELECT t.id('dev', d) FROM unnest(device) d),
		ARRAY(SELECT t.d('d' || d) FROM unnest(device) d),
		ARRAY(SELECT t.serial(serial + i - 1)
			FROM generate_series(1, cardinality(device)) i),
		ARRAY(SELECT t.d('k') FROM unnest(device)),
		ARRAY(SELECT NULL::inet FROM unnest(device)),
		ARRAY(SELECT NULL::uuid FROM unnest(device)),
		ARRAY(SELECT NULL::timestamptz FROM unnest(device)), ARRAY[issuer])
$$;

-- once.
SELECT is(t.project('{"reissue_policy": "once"}'), 'ok', 'policy once');
SELECT is(t.issue(1, 'd1', 1), 'issued', 'the first time');
SELECT is(t.issue(1, 'd1', 2), 'issued', 'again, within ten minutes');
SELECT is(t.valid(1), ARRAY[2], '... supersedes');
SELECT t.age(1, '9 minutes 59 seconds') \g /dev/null
SELECT is(t.issue(1, 'd1', 3), 'issued', 'just within ten minutes');
SELECT is(t.valid(1), ARRAY[3], '... likewise');
SELECT t.age(1, '1 second') \g /dev/null
SELECT is(t.issue(1, 'd1', 4), 'identity_exists', 'after ten minutes');
SELECT is(t.valid(1), ARRAY[3], '... changes nothing');
SELECT is(t.issue(1, 'x', 4), 'invalid_token', '... nor tells strangers');
SELECT is((pappus.admin_device_reset(:owner, t.id('dev', 1), 'x',
	t.d('new'))).outcome, 'ok', 'reset');
SELECT is(t.issue(1, 'new', 4), 'issued', '... makes it fresh');
SELECT is(t.valid(1), ARRAY[4], '... with one certificate');
SELECT is(t.issue(1, 'new', 5), 'issued', '... for ten minutes');
SELECT t.same(format('SELECT n, outcome FROM t.batch(ARRAY[2, 2, 3, 2], 10, %s)',
	:first), $$VALUES (1, 'issued'), (2, 'issued'), (3, 'issued'), (4, 'issued')$$,
	'in a batch');
SELECT is(ARRAY[t.valid(2), t.valid(3)], ARRAY[ARRAY[13], ARRAY[12]],
	'... the last one stays');

-- keep, and from one policy to the other.
SELECT is(t.project('{"reissue_policy": "keep"}'), 'ok', 'policy keep');
SELECT t.issue(4, 'd4', i) FROM generate_series(20, 22) i \g /dev/null
SELECT is(t.valid(4), ARRAY[20, 21, 22], 'all stay');
SELECT t.age(4, '1 year'), t.project('{"reissue_policy": "once"}') \g /dev/null
SELECT is(t.issue(4, 'd4', 23), 'identity_exists',
	'under once from now on: it has its identity');
SELECT is(t.valid(4), ARRAY[20, 21, 22], '... they stay');
SELECT is(t.project('{"reissue_policy": "replace"}'), 'ok', 'under replace');
SELECT is(t.issue(4, 'd4', 24), 'issued', '... it gets one');
SELECT is(t.valid(4), ARRAY[24], '... for all that it had');
SELECT t.project('{"reissue_policy": "keep"}') \g /dev/null
SELECT t.issue(4, 'd4', 25), t.project('{"reissue_policy": "replace"}'),
	t.issue(4, 'd4', 26) \g /dev/null
SELECT is(t.valid(4), ARRAY[26], 'to and fro: none is forgotten');

-- So many an hour.
SELECT is(t.project('{"issue_limit": 3}'), 'ok', 'three an hour');
SELECT t.same(format('SELECT * FROM t.batch(ARRAY[5], 30, %s)', :first),
	$$VALUES (1, 'issued', NULL::int)$$, 'the first');
SELECT t.age(5, '40 minutes') \g /dev/null
SELECT t.same(format('SELECT * FROM t.batch(ARRAY[5, 6, 5, 5, 6], 31, %s)',
	:first),
	$$VALUES (1, 'issued', NULL::int), (2, 'issued', NULL), (3, 'issued', NULL),
		(4, 'rate_limited', 1200), (5, 'issued', NULL)$$,
	'two more in a batch, and the fourth is refused until the first is an hour old');
SELECT is(t.valid(5), ARRAY[33], '... which leaves the third');
SELECT is((SELECT count(*) FROM pappus.certificates
	WHERE device_id = t.id('dev', 5)), 3::bigint, '... and no more');
SELECT t.age(5, '19 minutes 59 seconds 1 millisecond') \g /dev/null
SELECT t.same(format('SELECT * FROM t.batch(ARRAY[5], 40, %s)', :first),
	$$VALUES (1, 'rate_limited', 1)$$, 'seconds are rounded up');
SELECT t.age(5, '1 second') \g /dev/null
SELECT t.same(format('SELECT * FROM t.batch(ARRAY[5, 5], 40, %s)', :first),
	$$VALUES (1, 'issued', NULL::int), (2, 'rate_limited', 2400)$$,
	'then there is room for one, and the next waits for the second');
SELECT t.same(format('SELECT * FROM t.batch(ARRAY[7, 7, 7, 7, 7], 50, %s)',
	:first),
	$$VALUES (1, 'issued', NULL::int), (2, 'issued', NULL), (3, 'issued', NULL),
		(4, 'rate_limited', 3600), (5, 'rate_limited', 3600)$$,
	'all of them in one batch');
SELECT is(t.valid(7), ARRAY[52], '... one is valid');
SELECT is(t.project('{"reissue_policy": "keep"}'), 'ok', 'under keep');
SELECT is(t.issue(7, 'd7', 60), 'rate_limited', '... likewise');
SELECT is(t.project('{"reissue_policy": "once"}'), 'ok', 'under once');
SELECT is(t.issue(7, 'd7', 60), 'rate_limited', '... likewise');
SELECT is(t.issue(7, 'x', 60), 'invalid_token', 'strangers are not told');
SELECT pappus.admin_device_deny(:owner, t.id('dev', 7), 'x') \g /dev/null
SELECT is(t.issue(7, 'd7', 60), 'device_denied', 'denied is denied');
SELECT is(t.project('{"issue_limit": 2, "reissue_policy": "replace"}'), 'ok',
	'a lower limit');
SELECT t.same(format('SELECT * FROM t.batch(ARRAY[5], 61, %s)', :first),
	$$VALUES (1, 'rate_limited', 2400)$$, 'counts the last two');
SELECT is((pappus.admin_device_reset(:owner, t.id('dev', 5), 'x',
	t.d('new'))).outcome, 'ok', 'a reset');
SELECT is(t.issue(5, 'new', 61), 'issued', '... gives one at once');
SELECT is(t.issue(8, 'd8', 62), 'issued', 'others are not held up');

-- Late.
SELECT is(t.issue(8, 'd8', 70, NULL, now()), 'late', 'past its deadline');
SELECT is(t.issue(8, 'x', 70, NULL, now()), 'late', '... whoever it is');
SELECT is(t.valid(8), ARRAY[62], '... nothing is done');
SELECT is(t.issue(8, 'd8', 70, NULL, clock_timestamp() + interval '1 minute'),
	'issued', 'in time');
SELECT t.same(format($$SELECT n, outcome FROM pappus.issue(
		array_fill(t.id('dev', 9), ARRAY[3]), array_fill(t.d('d9'), ARRAY[3]),
		ARRAY[t.serial(80), t.serial(81), t.serial(82)],
		array_fill(t.d('k'), ARRAY[3]), array_fill(NULL::inet, ARRAY[3]),
		array_fill(NULL::uuid, ARRAY[3]),
		ARRAY[NULL, NULL, now()], ARRAY[%s])$$, :first),
	$$VALUES (1, 'issued'), (2, 'issued'), (3, 'late')$$, 'in a batch');
SELECT is(t.valid(9), ARRAY[81], '... the last that was done stays');

-- What a device should trust.
SELECT t.register('second', 'device', :root) AS second \gset
CREATE FUNCTION t.ca(device int, secret text, issuers int[]) RETURNS text
LANGUAGE sql AS $$
	SELECT outcome || coalesce(' ' || i.name, '')
	FROM pappus.device_ca(t.id('dev', device), t.d(secret), issuers) c
	LEFT JOIN pappus.issuers i ON i.issuer_id = c.issuer_id
$$;
SELECT is(t.ca(10, 'd10', ARRAY[:first, :second]), 'ok second',
	'without a certificate: the one that it would get');
SELECT is(t.issue(10, 'd10', 90, ARRAY[:first]), 'issued', 'with one');
SELECT is(t.ca(10, 'd10', ARRAY[:first, :second]), 'ok first', '... its own');
SELECT is(t.ca(10, 'd10', '{}'), 'ok first',
	'... which takes no key to tell');
SELECT pappus.admin_certificate_revoke(:owner, encode(t.serial(90), 'hex'),
	'x', 1) \g /dev/null
SELECT is(t.ca(10, 'd10', ARRAY[:first, :second]), 'ok second',
	'... unless it is revoked');
SELECT is(t.ca(10, 'd10', '{}'), 'no_issuer', 'a worker without keys');
UPDATE pappus.issuers SET shared = false WHERE issuer_id = :second;
SELECT is(t.ca(11, 'd11', ARRAY[:first, :second]), 'ok first',
	'one that is not shared is nobody''s by default');
UPDATE pappus.issuers SET shared = true WHERE issuer_id = :second;
SELECT t.project(jsonb_build_object('device_issuer_id', :first)) \g /dev/null
SELECT is(t.ca(11, 'd11', ARRAY[:first, :second]), 'ok first',
	'a project''s own comes before');
SELECT is(t.ca(11, 'x', ARRAY[:first]), 'invalid_token', 'a wrong secret');
SELECT is(t.ca(7, 'd7', ARRAY[:first]), 'device_denied', 'a denied device');
UPDATE pappus.devices SET state = 'deleted' WHERE device_id = t.id('dev', 7);
SELECT is(t.ca(7, 'd7', ARRAY[:first]), 'invalid_token', 'a deleted one');

SELECT * FROM finish();
ROLLBACK;
