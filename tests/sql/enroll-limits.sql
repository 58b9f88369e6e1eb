-- SPDX-License-Identifier: ISC
-- What an enrolment token may be bound to: uses, addresses, time; and how many
-- devices a project may have.
\ir fixture.psql
SELECT plan(60);
CREATE FUNCTION t.token(n int, options jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT (pappus.admin_enrollment_token_regenerate(t.id('atk', 1),
		t.d('owner'), NULL, NULL, t.id('proj', 1), t.id('etk', n),
		t.d('e' || n), options || '{"grace": 604800}')).outcome
$$;
CREATE FUNCTION t.uses(n int) RETURNS int LANGUAGE sql AS $$
	SELECT uses FROM pappus.enrollment_tokens
	WHERE enrollment_token_id = t.id('etk', n)
$$;
CREATE FUNCTION t.project(changes jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT (pappus.admin_project_update(t.id('atk', 1), t.d('owner'), NULL,
		NULL, t.id('proj', 1), changes)).outcome
$$;

-- Uses.
SELECT is(t.token(3, '{"max_uses": 2}'), 'created', 'a token for two devices');
SELECT is((t.enroll(3, 'e3', 1)).outcome, 'enrolled', 'the first');
SELECT is((t.enroll(3, 'e3', 2, 'SN-2')).outcome, 'enrolled', 'the second');
SELECT is(t.uses(3), 2, 'two uses are counted');
SELECT is((t.enroll(3, 'e3', 3)).outcome, 'token_used_up', 'the third');
SELECT is((t.enroll(3, 'e3', 3, 'SN-3')).outcome, 'token_used_up',
	'... with an external_id');
SELECT is((t.enroll(3, 'x', 3)).outcome, 'invalid_token',
	'a wrong secret is just wrong');
SELECT is(t.uses(3), 2, 'none of these counts');
SELECT is(outcome, 'repeated', 'a repetition is no use'),
	is(device_id, t.id('dev', 2), '... of the device it made')
FROM t.enroll(3, 'e3', 4, 'SN-2');
SELECT is(t.uses(3), 2, '... not counted');
SELECT is((t.enroll(1, 'e1', 5, 'SN-5')).outcome, 'enrolled',
	'a device of another token');
SELECT is((t.enroll(3, 'e3', 6, 'SN-5')).outcome, 'token_used_up',
	'... is not for a token that is used up');
SELECT is(token_sha256, t.d('d5'), '... and keeps its token')
FROM pappus.devices WHERE device_id = t.id('dev', 5);
SELECT is(t.token(4, '{"max_uses": 9}'), 'created', 'a token with uses left');
SELECT is((t.enroll(4, 'e4', 7, 'SN-5')).outcome, 'repeated', '... repeats it');
SELECT is(t.uses(4), 0, '... which is no use either');
SELECT is(t.uses(1), 0, 'without a maximum nobody counts');

-- A batch comes out as if one request after the other.
SELECT is(t.token(5, '{"max_uses": 3}'), 'created', 'a token for three');
SELECT t.same(
	$$SELECT n, outcome, device_id FROM pappus.enroll(
		array_fill(t.id('etk', 5), ARRAY[8]),
		ARRAY[t.d('e5'), t.d('e5'), t.d('x'), t.d('e5'), t.d('e5'),
			t.d('e5'), t.d('e5'), t.d('e5')],
		ARRAY(SELECT t.id('dev', i) FROM generate_series(11, 18) i),
		ARRAY(SELECT t.d('d' || i) FROM generate_series(11, 18) i),
		array_fill(NULL::text, ARRAY[8]),
		ARRAY['B', 'A', NULL, 'B', 'SN-5', NULL, NULL, 'A'],
		array_fill('192.0.2.7'::inet, ARRAY[8]),
		array_fill(gen_random_uuid(), ARRAY[8]),
		array_fill(NULL::timestamptz, ARRAY[8]))$$,
	$$VALUES (1, 'enrolled', t.id('dev', 11)),
		(2, 'enrolled', t.id('dev', 12)), (3, 'invalid_token', NULL),
		(4, 'repeated', t.id('dev', 11)), (5, 'token_used_up', NULL),
		(6, 'enrolled', t.id('dev', 16)), (7, 'token_used_up', NULL),
		(8, 'repeated', t.id('dev', 12))$$,
	'a batch: what is new is counted, and no more than there may be');
SELECT is(t.uses(5), 3, '... exactly');
SELECT throws_ok($$UPDATE pappus.enrollment_tokens SET uses = 4
	WHERE enrollment_token_id = t.id('etk', 5)$$, '23514', NULL,
	'the table refuses one more');

-- Addresses.
SELECT is(t.token(6, '{"allowed_cidrs": ["192.0.2.0/25", "2001:db8::/32"]}'),
	'created', 'a token for two nets');
SELECT is((t.enroll(6, 'e6', 20 + n, NULL, address)).outcome, want,
	coalesce(host(address), 'no address'))
FROM (VALUES (1, '192.0.2.7'::inet, 'enrolled'), (2, '192.0.2.127', 'enrolled'),
	(3, '192.0.2.128', 'address_not_allowed'),
	(4, '2001:db8:ffff::1', 'enrolled'),
	(5, '2001:db9::1', 'address_not_allowed'),
	(6, '::ffff:192.0.2.7', 'address_not_allowed'),
	(7, NULL, 'address_not_allowed')) AS v (n, address, want);
SELECT is((t.enroll(6, 'x', 30, NULL, '203.0.113.1')).outcome, 'invalid_token',
	'a wrong secret is just wrong');
SELECT is((t.enroll(1, 'e1', 31, NULL, NULL)).outcome, 'enrolled',
	'where all are allowed an address is not needed');

-- Time.
SELECT is(t.token(7, '{"expires_in": 3600}'), 'created', 'a token for an hour');
SELECT is((t.enroll(7, 'e7', 32)).outcome, 'enrolled', '... works');
UPDATE pappus.enrollment_tokens SET created_at = now() - interval '2 hours',
	expires_at = now() - interval '1 hour', max_uses = 1,
	allowed_cidrs = '{10.0.0.0/8}' WHERE enrollment_token_id = t.id('etk', 7);
SELECT is((t.enroll(7, 'e7', 33)).outcome, 'token_expired',
	'... until then, which goes before all else that may be wrong');
UPDATE pappus.enrollment_tokens SET invalidated_at = now() + interval '1 second'
WHERE enrollment_token_id = t.id('etk', 6);
SELECT is((t.enroll(6, 'e6', 34)).outcome, 'enrolled', 'within its grace');
UPDATE pappus.enrollment_tokens SET invalidated_at = now()
WHERE enrollment_token_id = t.id('etk', 6);
SELECT is((t.enroll(6, 'e6', 35)).outcome, 'invalid_token', 'after its grace');

-- A request that is late does nothing.
SELECT is(outcome, 'late', 'past its deadline'), is(device_id, NULL, '... no id')
FROM t.enroll(1, 'e1', 36, NULL, '192.0.2.7', now());
SELECT is((t.enroll(1, 'x', 36, NULL, '192.0.2.7', now())).outcome, 'late',
	'... whatever it would be else');
SELECT is((t.enroll(1, 'e1', 36, NULL, '192.0.2.7',
	clock_timestamp() + interval '1 minute')).outcome, 'enrolled', 'in time');
SELECT is((t.enroll(1, 'e1', 37, 'SN-5', '192.0.2.7', now())).outcome, 'late',
	'a repetition past its deadline');
SELECT is(token_sha256, t.d('d7'), '... changes no token')
FROM pappus.devices WHERE device_id = t.id('dev', 5);
SELECT is((t.enroll(4, 'e4', 37, NULL, '192.0.2.7', now())).outcome, 'late',
	'of a token that counts');
SELECT is(t.uses(4), 0, '... is not counted');

-- Devices of a project.
SELECT count(*) AS devices FROM pappus.devices
WHERE project_id = t.id('proj', 1) \gset
SELECT is(t.project(jsonb_build_object('device_limit', :devices + 2)), 'ok',
	'room for two more');
SELECT is((t.enroll(1, 'e1', 41)).outcome, 'enrolled', 'the first');
SELECT is((t.enroll(1, 'e1', 42, 'SN-42')).outcome, 'enrolled', 'the second');
SELECT is((t.enroll(1, 'e1', 43)).outcome, 'device_limit', 'the third');
SELECT is((t.enroll(4, 'e4', 43, 'SN-43')).outcome, 'device_limit',
	'... of a token that counts');
SELECT is(t.uses(4), 0, '... is no use of it');
SELECT is((t.enroll(1, 'e1', 44, 'SN-42')).outcome, 'repeated',
	'a repetition is no device more');
SELECT is((t.enroll(2, 'e2', 45)).outcome, 'enrolled',
	'another project has its own');
SELECT is(t.project('{"device_limit": 1}'), 'ok',
	'a limit below what there is');
SELECT is((t.enroll(1, 'e1', 46)).outcome, 'device_limit', '... is no room');
UPDATE pappus.devices SET state = 'deleted', external_id = NULL
WHERE project_id = t.id('proj', 1) AND device_id > t.id('dev', 1);
SELECT is((t.enroll(1, 'e1', 46)).outcome, 'device_limit',
	'one is there still');
UPDATE pappus.devices SET state = 'deleted' WHERE device_id = t.id('dev', 1);
SELECT is((t.enroll(1, 'e1', 46)).outcome, 'enrolled',
	'deleted devices don''t count');
SELECT is(t.project('{"device_limit": null}'), 'ok', 'no limit any more');
SELECT is((t.enroll(1, 'e1', 47)).outcome, 'enrolled', '... room for all');
SELECT is(device_count, NULL, '... and nobody counts')
FROM pappus.projects WHERE project_id = t.id('proj', 1);

SELECT * FROM finish();
ROLLBACK;
