-- SPDX-License-Identifier: ISC
-- The admin functions: who may, what they answer, what they leave behind.
\ir fixture.psql
SELECT plan(106);

-- Who asks.
SELECT is(outcome, 'ok', 'a good admin token'),
	is(body, jsonb_build_object('admin_token_id', t.id('atk', 1),
		'role', 'owner', 'project_id', NULL), '... and what it is')
FROM pappus.admin_authenticate(:owner);
SELECT is(body ->> 'project_id', t.id('proj', 2), 'one bound to a project')
FROM pappus.admin_authenticate(:bound);
SELECT is(outcome, 'invalid_token', 'a wrong secret'), is(body, NULL, '... nothing else')
FROM pappus.admin_authenticate(:stranger);
SAVEPOINT before;
UPDATE pappus.admin_tokens SET expires_at = now();
SELECT is(outcome, 'invalid_token', 'an expired admin token')
FROM pappus.admin_authenticate(:owner);
ROLLBACK TO before;
UPDATE pappus.admin_tokens SET invalidated_at = now();
SELECT is(outcome, 'invalid_token', 'an invalidated admin token')
FROM pappus.admin_authenticate(:owner);
ROLLBACK TO before;

-- Every function refuses a stranger, writing ones an auditor, and all hide
-- other projects from a bound token.  Generated, so that a new function comes
-- under the rule by being there.
SELECT t.enroll(1, 'e1', 1), t.enroll(2, 'e2', 2) \g /dev/null
CREATE TEMP TABLE call (name text, arguments text, writes boolean);
INSERT INTO call VALUES
	('admin_authenticate', '', false),
	('admin_project_create', $$, t.id('proj', 77), 'x'$$, true),
	('admin_project_list', ', 10, NULL', false),
	('admin_project_get', $$, t.id('proj', 1)$$, false),
	('admin_enrollment_token_regenerate',
		$$, t.id('proj', 1), t.id('etk', 77), t.d('x')$$, true),
	('admin_enrollment_token_list', $$, t.id('proj', 1), 10, NULL$$, false),
	('admin_device_list', $$, t.id('proj', 1), 10, NULL$$, false),
	('admin_device_get', $$, t.id('dev', 1)$$, false),
	('admin_device_deny', $$, t.id('dev', 1), 'x'$$, true),
	('admin_device_allow', $$, t.id('dev', 1), 'x'$$, true);
SELECT set_eq(
	$$SELECT proname::text FROM pg_proc WHERE pronamespace = 'pappus'::regnamespace
		AND prosecdef AND proname LIKE 'admin\_%'$$,
	'SELECT name FROM call', 'each admin function is tried below');
CREATE FUNCTION t.outcome(name text, caller text, arguments text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer record;
BEGIN
	EXECUTE format('SELECT outcome, body FROM pappus.%I(%s%s)', name, caller,
		arguments) INTO answer;
	IF (answer.body IS NULL) = (answer.outcome IN ('ok', 'created')) THEN
		RETURN answer.outcome || ' with the wrong body';
	END IF;
	RETURN answer.outcome;
END
$$;
SELECT count(*) AS actions FROM pappus.operator_actions \gset
SELECT is(t.outcome(name, :'stranger', arguments), 'invalid_token',
	name || ' refuses a stranger')
FROM call;
SELECT is(t.outcome(name, :'auditor', arguments),
	CASE WHEN writes THEN 'forbidden' ELSE 'ok' END,
	name || CASE WHEN writes THEN ' refuses' ELSE ' admits' END || ' an auditor')
FROM call;
SELECT is(t.outcome(name, :'bound', arguments), CASE
	WHEN name = 'admin_project_create' THEN 'forbidden'
	WHEN name IN ('admin_authenticate', 'admin_project_list') THEN 'ok'
	ELSE 'not_found'
	END, name || ' keeps another project from a bound token')
FROM call;
SELECT is(count(*), :actions::bigint, 'none of these acted')
FROM pappus.operator_actions;
SELECT ok(t.outcome(name, :'operator', arguments) IN ('ok', 'created'),
	name || ' admits an operator')
FROM call;
ROLLBACK TO before;
SELECT t.enroll(1, 'e1', 1), t.enroll(2, 'e2', 2) \g /dev/null

-- Projects.
SELECT is(outcome, 'created', 'a project is made'),
	is(body - 'created_at', jsonb_build_object('project_id', t.id('proj', 3),
		'name', 'Dritte Größe', 'state', 'active',
		'reissue_policy', 'replace'), '... as asked'),
	matches(body ->> 'created_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$',
		'... with its time in RFC 3339')
FROM pappus.admin_project_create(:operator, t.id('proj', 3), 'Dritte Größe');
SELECT is(outcome, 'conflict', 'an id that is taken'), is(body, NULL, '... no body')
FROM pappus.admin_project_create(:owner, t.id('proj', 3), 'Other');
SELECT is(outcome, 'ok', 'it can be shown'),
	is(body ->> 'name', 'Dritte Größe', '... unchanged')
FROM pappus.admin_project_get(:auditor, t.id('proj', 3));
SELECT is(outcome, 'not_found', 'an unknown project')
FROM pappus.admin_project_get(:owner, t.id('proj', 9));
SELECT is(body #>> '{items,0,project_id}', t.id('proj', 1), 'the list, first page'),
	is(jsonb_array_length(body -> 'items'), 2, '... of two'),
	is(body ->> 'next_cursor', t.id('proj', 2), '... and where it goes on')
FROM pappus.admin_project_list(:owner, 2, NULL);
SELECT is(body #>> '{items,0,project_id}', t.id('proj', 3), 'the second page'),
	is(body -> 'next_cursor', 'null', '... is the last')
FROM pappus.admin_project_list(:owner, 2, t.id('proj', 2));
SELECT is(body -> 'items', '[]', 'past the end there is nothing')
FROM pappus.admin_project_list(:owner, 2, t.id('proj', 3));
SELECT is(outcome, 'invalid_cursor', 'a cursor of another kind')
FROM pappus.admin_project_list(:owner, 2, t.id('dev', 3));
SELECT is(jsonb_path_query_array(body, '$.items[*].project_id'),
	jsonb_build_array(t.id('proj', 2)), 'a bound token sees its own alone')
FROM pappus.admin_project_list(:bound, 10, NULL);
SELECT is(body -> 'items', '[]', '... once')
FROM pappus.admin_project_list(:bound, 10, t.id('proj', 2));

-- Enrolment tokens.
SELECT is(outcome, 'created', 'regenerated'),
	is(body - '{created_at,expires_at}'::text[], jsonb_build_object(
		'enrollment_token_id', t.id('etk', 3),
		'project_id', t.id('proj', 1), 'state', 'active',
		'invalidated_at', NULL), '... shows the new one')
FROM pappus.admin_enrollment_token_regenerate(:operator, t.id('proj', 1),
	t.id('etk', 3), t.d('e3'));
SELECT is(expires_at, now() + interval '1 year', '... good for a year')
FROM pappus.enrollment_tokens WHERE enrollment_token_id = t.id('etk', 3);
SELECT is(jsonb_path_query_array(body, '$.items[*].state'),
	'["invalidated", "active"]', 'the list has both')
FROM pappus.admin_enrollment_token_list(:auditor, t.id('proj', 1), 10, NULL);
SELECT is(body #>> '{items,0,enrollment_token_id}', t.id('etk', 3), '... by pages')
FROM pappus.admin_enrollment_token_list(:auditor, t.id('proj', 1), 1,
	t.id('etk', 1));
SELECT is(outcome, 'invalid_cursor', 'a cursor of another kind')
FROM pappus.admin_enrollment_token_list(:auditor, t.id('proj', 1), 1, 'etk_');
UPDATE pappus.enrollment_tokens SET created_at = now() - interval '2 hours',
	expires_at = now() WHERE enrollment_token_id = t.id('etk', 3);
SELECT is(body #>> '{items,1,state}', 'expired', 'an expired one shows')
FROM pappus.admin_enrollment_token_list(:auditor, t.id('proj', 1), 10, NULL);
SELECT is(outcome, 'not_found', 'of an unknown project')
FROM pappus.admin_enrollment_token_regenerate(:owner, t.id('proj', 9),
	t.id('etk', 9), t.d('e9'));
SELECT is(outcome, 'not_found', '... nor its list')
FROM pappus.admin_enrollment_token_list(:owner, t.id('proj', 9), 10, NULL);
SELECT ok(position(encode(t.d('e3'), 'hex') IN string_agg(a::text, '')) = 0,
	'no digest in the log of actions')
FROM pappus.operator_actions a;

-- Devices.
SELECT is(jsonb_path_query_array(body, '$.items[*].device_id'),
	jsonb_build_array(t.id('dev', 1), t.id('dev', 2)), 'all devices')
FROM pappus.admin_device_list(:owner, NULL, 10, NULL);
SELECT is(jsonb_path_query_array(body, '$.items[*].device_id'),
	jsonb_build_array(t.id('dev', 1)), 'those of one project')
FROM pappus.admin_device_list(:owner, t.id('proj', 1), 10, NULL);
SELECT is(jsonb_path_query_array(body, '$.items[*].device_id'),
	jsonb_build_array(t.id('dev', 2)), 'those a bound token sees')
FROM pappus.admin_device_list(:bound, NULL, 10, NULL);
SELECT is(body ->> 'next_cursor', t.id('dev', 1), 'by pages')
FROM pappus.admin_device_list(:owner, NULL, 1, NULL);
SELECT is(outcome, 'invalid_cursor', 'a cursor of another kind')
FROM pappus.admin_device_list(:owner, NULL, 1, t.id('dev', 1) || 'x');
SELECT is(outcome, 'not_found', 'of an unknown project')
FROM pappus.admin_device_list(:owner, t.id('proj', 9), 1, NULL);
SELECT t.issue(1, 'd1', 1), t.issue(1, 'd1', 2) \g /dev/null
SELECT is(body - '{enrolled_at,identity_issued_at,certificates}'::text[],
	jsonb_build_object('device_id', t.id('dev', 1),
		'project_id', t.id('proj', 1), 'label', NULL, 'external_id', NULL,
		'state', 'active', 'enrollment_token_id', t.id('etk', 1)),
	'a device can be shown'),
	is(jsonb_path_query_array(body, '$.certificates[*].status'),
		'["revoked", "valid"]', '... with its certificates'),
	is(body #> '{certificates,0,serial}',
		to_jsonb(encode(t.serial(1), 'hex')), '... by serial')
FROM pappus.admin_device_get(:auditor, t.id('dev', 1));
SELECT is(outcome, 'not_found', 'an unknown device')
FROM pappus.admin_device_get(:owner, t.id('dev', 9));

-- Denying and allowing.
INSERT INTO pappus.certificates (serial, issuer_id, device_id, profile,
	spki_sha256, not_before, not_after)
SELECT t.serial(n), :first, t.id('dev', 1), 'device', t.d('key'),
	now() - interval '2 years', now() + years * interval '1 year'
FROM (VALUES (3, -1), (4, 1)) AS v (n, years);
INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason, actor, origin)
VALUES (t.serial(4), :first, now(), 6, 'x', 'operator');
CREATE TEMP TABLE revocations AS SELECT * FROM pappus.revocations;
SELECT is(outcome, 'ok', 'denied'), is(body ->> 'state', 'denied', '... as shown'),
	is(jsonb_path_query_array(body, '$.certificates[*].status'),
		'["revoked", "hold", "valid", "hold"]',
		'... its certificate on hold; those revoked, expired or held are as they were')
FROM pappus.admin_device_deny(:operator, t.id('dev', 1), 'Lost in the field');
SELECT t.same(
	$$SELECT reason::int, actor, origin, comment FROM pappus.revocations
	WHERE serial NOT IN (SELECT serial FROM revocations)$$,
	$$VALUES (6, t.id('atk', 2), 'deny', 'Lost in the field')$$,
	'... by whom and why');
SELECT t.same($$SELECT actor, host(address), request_id, action, object_id,
		project_id, reason, before ->> 'state', after ->> 'state',
		jsonb_path_query_array(before, '$.certificates[*].status'),
		jsonb_path_query_array(after, '$.certificates[*].status')
	FROM pappus.operator_actions ORDER BY action_id DESC LIMIT 1$$,
	$$VALUES (t.id('atk', 2), '192.0.2.1',
		'00000000-0000-4000-8000-000000000002'::uuid, 'device.deny',
		t.id('dev', 1), t.id('proj', 1), 'Lost in the field', 'active',
		'denied', '["revoked", "valid", "valid", "hold"]'::jsonb,
		'["revoked", "hold", "valid", "hold"]'::jsonb)$$,
	'... and in the log, before and after');
SELECT count(*) AS actions FROM pappus.operator_actions \gset
SELECT is(outcome, 'ok', 'denied again')
FROM pappus.admin_device_deny(:owner, t.id('dev', 1), 'Again');
SELECT is(count(*), :actions::bigint, '... is no second act')
FROM pappus.operator_actions;
SELECT is(t.issue(1, 'd1', 9), 'device_denied', '... and it gets no certificate');
SELECT is(outcome, 'ok', 'allowed'), is(body ->> 'state', 'active', '... as shown'),
	is(jsonb_path_query_array(body, '$.certificates[*].status'),
		'["revoked", "valid", "valid", "hold"]', '... its own holds taken back')
FROM pappus.admin_device_allow(:operator, t.id('dev', 1), 'Found');
SELECT t.same('SELECT * FROM pappus.revocations ORDER BY serial',
	'SELECT * FROM revocations ORDER BY serial',
	'... what others revoked or held is as it was');
SELECT is(outcome, 'ok', 'allowed again')
FROM pappus.admin_device_allow(:operator, t.id('dev', 1), 'Again');
SELECT is(count(*), :actions + 1::bigint, '... is no second act')
FROM pappus.operator_actions;
SELECT is(outcome, 'not_found', 'an unknown device')
FROM pappus.admin_device_deny(:owner, t.id('dev', 9), 'x');
UPDATE pappus.devices SET state = 'revoked' WHERE device_id = t.id('dev', 2);
SELECT is((pappus.admin_device_deny(:owner, t.id('dev', 2), 'x')).outcome,
	'conflict', 'a revoked device can''t be denied'),
	is((pappus.admin_device_allow(:owner, t.id('dev', 2), 'x')).outcome,
	'conflict', '... nor allowed');

-- One that asked very often.
SELECT t.issue(1, 'd1', 1000 + n) FROM generate_series(1, 120) n \g /dev/null
SELECT is(jsonb_array_length(body -> 'certificates'), 100,
	'a device shows its latest 100 certificates'),
	is(body #>> '{certificates,99,serial}', encode(t.serial(1120), 'hex'),
		'... the last one last'),
	is(body #>> '{certificates,99,status}', 'valid', '... as it stands')
FROM pappus.admin_device_get(:owner, t.id('dev', 1));

SELECT * FROM finish();
ROLLBACK;
