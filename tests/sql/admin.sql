-- SPDX-License-Identifier: ISC
-- The admin functions: who may, what they answer, what they leave behind.
\ir fixture.psql
SELECT plan(191);

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
SELECT t.issue(1, 'd1', 1) \g /dev/null
CREATE TEMP TABLE call (name text, arguments text, writes boolean);
INSERT INTO call VALUES
	('admin_authenticate', '', false),
	('admin_project_create', $$, t.id('proj', 77), '{"name": "x"}'$$, true),
	('admin_project_update', $$, t.id('proj', 1), '{"name": "x"}'$$, true),
	('admin_project_list', ', 10, NULL', false),
	('admin_project_get', $$, t.id('proj', 1)$$, false),
	('admin_enrollment_token_regenerate',
		$$, t.id('proj', 1), t.id('etk', 77), t.d('x'), '{}'$$, true),
	('admin_enrollment_token_invalidate', $$, t.id('etk', 1)$$, true),
	('admin_enrollment_token_list', $$, t.id('proj', 1), 10, NULL$$, false),
	('admin_device_list', $$, jsonb_build_object('project_id',
		t.id('proj', 1)), 10, NULL$$, false),
	('admin_device_get', $$, t.id('dev', 1)$$, false),
	('admin_device_deny', $$, t.id('dev', 1), 'x'$$, true),
	('admin_device_allow', $$, t.id('dev', 1), 'x'$$, true),
	('admin_device_revoke', $$, t.id('dev', 1), 'x', 1$$, true),
	('admin_device_reset', $$, t.id('dev', 1), 'x', t.d('x')$$, true),
	('admin_certificate_list', $$, jsonb_build_object('project_id',
		t.id('proj', 1)), 10, NULL$$, false),
	('admin_certificate_get', $$, encode(t.serial(1), 'hex')$$, false),
	('admin_certificate_revoke', $$, encode(t.serial(1), 'hex'), 'x', 1$$,
		true),
	('admin_issuer_list', '', false),
	('admin_issuer_update', $$, 2, '{"state": "crl-only"}'$$, true);
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
	WHEN name IN ('admin_project_create', 'admin_issuer_update')
		THEN 'forbidden'
	WHEN name IN ('admin_authenticate', 'admin_project_list',
		'admin_issuer_list') THEN 'ok'
	ELSE 'not_found'
	END, name || ' keeps another project from a bound token')
FROM call;
SELECT is(count(*), :actions::bigint, 'none of these acted')
FROM pappus.operator_actions;
SELECT is(replace(t.outcome(name, :'operator', arguments), 'created', 'ok'),
	CASE WHEN name = 'admin_issuer_update' THEN 'forbidden' ELSE 'ok' END,
	name || ': an operator')
FROM call;
ROLLBACK TO before;
SELECT t.enroll(1, 'e1', 1), t.enroll(2, 'e2', 2) \g /dev/null

-- Projects.
SELECT is(outcome, 'created', 'a project is made'),
	is(body - 'created_at', jsonb_build_object('project_id', t.id('proj', 3),
		'name', 'Dritte Größe', 'state', 'active',
		'reissue_policy', 'replace', 'issue_limit', 30,
		'device_limit', NULL, 'device_issuer_id', NULL), '... as asked'),
	matches(body ->> 'created_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$',
		'... with its time in RFC 3339')
FROM pappus.admin_project_create(:operator, t.id('proj', 3), '{"name": "Dritte Größe"}');
SELECT is(outcome, 'conflict', 'an id that is taken'), is(body, NULL, '... no body')
FROM pappus.admin_project_create(:owner, t.id('proj', 3), '{"name": "Other"}');
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

-- Changed.
SELECT is(outcome, 'ok', 'a project is changed'),
	is(body - 'created_at', jsonb_build_object('project_id', t.id('proj', 3),
		'name', 'Other', 'state', 'disabled', 'reissue_policy', 'once',
		'issue_limit', 5, 'device_limit', 7, 'device_issuer_id', :first),
		'... in all that was asked')
FROM pappus.admin_project_update(:operator, t.id('proj', 3), jsonb_build_object(
	'name', 'Other', 'state', 'disabled', 'reissue_policy', 'once',
	'issue_limit', 5, 'device_limit', 7, 'device_issuer_id', :first));
SELECT t.same($$SELECT actor, action, object_id, project_id, reason,
		before -> 'device_limit', after -> 'device_limit'
	FROM pappus.operator_actions ORDER BY action_id DESC LIMIT 1$$,
	$$VALUES (t.id('atk', 2), 'project.update', t.id('proj', 3),
		t.id('proj', 3), NULL, 'null'::jsonb, '7'::jsonb)$$,
	'... which is in the log, before and after');
SELECT is(body - 'created_at', jsonb_build_object('project_id', t.id('proj', 3),
		'name', 'Other', 'state', 'active', 'reissue_policy', 'once',
		'issue_limit', 5, 'device_limit', NULL, 'device_issuer_id', NULL),
	'what is not named stays, null takes back')
FROM pappus.admin_project_update(:operator, t.id('proj', 3),
	'{"state": "active", "device_limit": null, "device_issuer_id": null}');
SELECT count(*) AS actions FROM pappus.operator_actions \gset
SELECT is(outcome, 'ok', 'a change to what is there')
FROM pappus.admin_project_update(:operator, t.id('proj', 3), '{"name": "Other"}');
SELECT is(count(*), :actions::bigint, '... is no act') FROM pappus.operator_actions;
SELECT is((pappus.admin_project_update(:owner, t.id('proj', 3), d)).outcome,
	'invalid', 'not a change: ' || d::text)
FROM (VALUES ('{"color": "red"}'::jsonb), ('{"name": null}'),
	('{"state": "gone"}'), ('{"reissue_policy": "never"}'),
	('{"issue_limit": 0}'), ('{"issue_limit": 1001}'), ('{"issue_limit": null}'),
	('{"device_limit": 0}'), ('{"device_limit": 2147483648}'),
	('{"device_issuer_id": 99}'),
	(jsonb_build_object('device_issuer_id', :server)),
	(jsonb_build_object('device_issuer_id', :root))) AS v (d);
SELECT is(body, '{"detail": "color is no member of a project."}', '... and why')
FROM pappus.admin_project_update(:owner, t.id('proj', 3), '{"color": "red"}');
SELECT is((pappus.admin_project_create(:owner, t.id('proj', 4), d)).outcome,
	'invalid', 'not a project: ' || d::text)
FROM (VALUES ('{}'::jsonb), ('{"name": "x", "state": "gone"}')) AS v (d);
SELECT is(outcome, 'created', 'made with more than a name'),
	is(body ->> 'device_limit', '4', '... as asked')
FROM pappus.admin_project_create(:owner, t.id('proj', 4),
	'{"name": "x", "reissue_policy": "keep", "device_limit": 4}');
SELECT is(outcome, 'ok', 'a bound token may change its own')
FROM pappus.admin_project_update(:bound, t.id('proj', 2), '{"issue_limit": 31}');
SELECT is(outcome, 'not_found', 'an unknown project')
FROM pappus.admin_project_update(:owner, t.id('proj', 9), '{"color": "red"}');

-- Enrolment tokens.
SELECT is(outcome, 'created', 'regenerated'),
	is(body - '{created_at,expires_at}'::text[], jsonb_build_object(
		'enrollment_token_id', t.id('etk', 3),
		'project_id', t.id('proj', 1), 'state', 'active',
		'invalidated_at', NULL, 'max_uses', NULL, 'uses', NULL,
		'allowed_cidrs', NULL), '... shows the new one')
FROM pappus.admin_enrollment_token_regenerate(:operator, t.id('proj', 1),
	t.id('etk', 3), t.d('e3'), '{}');
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
	t.id('etk', 9), t.d('e9'), '{}');
SELECT is(outcome, 'not_found', '... nor its list')
FROM pappus.admin_enrollment_token_list(:owner, t.id('proj', 9), 10, NULL);
SELECT ok(position(encode(t.d('e3'), 'hex') IN string_agg(a::text, '')) = 0,
	'no digest in the log of actions')
FROM pappus.operator_actions a;

SAVEPOINT tokens;
SELECT is(outcome, 'created', 'with everything'),
	is(body - '{created_at}'::text[], jsonb_build_object(
		'enrollment_token_id', t.id('etk', 5),
		'project_id', t.id('proj', 1), 'state', 'active',
		'invalidated_at', NULL, 'max_uses', 3, 'uses', 0,
		'expires_at', pappus.json_time(now() + interval '1 hour'),
		'allowed_cidrs', '["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]'::jsonb),
		'... as asked')
FROM pappus.admin_enrollment_token_regenerate(:operator, t.id('proj', 1),
	t.id('etk', 5), t.d('e5'), '{"expires_in": 3600, "max_uses": 3, "allowed_cidrs":
	["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"], "grace": 600}');
SELECT is((pappus.admin_enrollment_token_regenerate(:operator, t.id('proj', 1),
	t.id('etk', 6), t.d('e6'), '{"grace": 60}')).outcome, 'created',
	'regenerated, with grace');
SELECT t.same($$SELECT enrollment_token_id, state, invalidated_at
	FROM audit.enrollment_tokens WHERE project_id = t.id('proj', 1)
		AND enrollment_token_id <> t.id('etk', 3) ORDER BY 1$$,
	$$VALUES (t.id('etk', 1), 'invalidated', now()),
		(t.id('etk', 5), 'active', now() + interval '1 minute'),
		(t.id('etk', 6), 'active', NULL)$$,
	'the one before lives as long as the grace');
SELECT is((pappus.admin_enrollment_token_regenerate(:operator, t.id('proj', 1),
	t.id('etk', 7), t.d('e7'), '{"grace": 6000}')).outcome, 'created',
	'again, with a longer grace');
SELECT is(invalidated_at, now() + interval '1 minute', '... which prolongs none')
FROM pappus.enrollment_tokens WHERE enrollment_token_id = t.id('etk', 5);
SELECT is(body #> '{before,invalidated}', jsonb_build_array(t.id('etk', 6)),
	'... nor names it')
FROM (SELECT to_jsonb(a) AS body FROM pappus.operator_actions a
	ORDER BY action_id DESC LIMIT 1) s;
SELECT is(outcome, 'ok', 'one is invalidated alone'),
	is(body ->> 'state', 'invalidated', '... at once, in spite of its grace')
FROM pappus.admin_enrollment_token_invalidate(:operator, t.id('etk', 5));
SELECT t.same($$SELECT action, object_id, project_id, before ->> 'state',
		after ->> 'state'
	FROM pappus.operator_actions ORDER BY action_id DESC LIMIT 1$$,
	$$VALUES ('enrollment_token.invalidate', t.id('etk', 5), t.id('proj', 1),
		'active', 'invalidated')$$, '... which is in the log');
SELECT count(*) AS actions FROM pappus.operator_actions \gset
SELECT is(outcome, 'ok', 'once more')
FROM pappus.admin_enrollment_token_invalidate(:operator, t.id('etk', 5));
SELECT is(count(*), :actions::bigint, '... is no act') FROM pappus.operator_actions;
SELECT t.same($$SELECT enrollment_token_id FROM audit.enrollment_tokens
	WHERE project_id = t.id('proj', 1) AND state = 'active' ORDER BY 1$$,
	$$VALUES (t.id('etk', 6)), (t.id('etk', 7))$$, '... and the others live');
SELECT is(outcome, 'not_found', 'an unknown one')
FROM pappus.admin_enrollment_token_invalidate(:operator, t.id('etk', 99));
SELECT is((pappus.admin_enrollment_token_regenerate(:owner, t.id('proj', 1),
	t.id('etk', 8), t.d('e8'), d)).outcome, 'invalid', 'not an option: ' || d::text)
FROM (VALUES ('{"uses": 1}'::jsonb), ('{"expires_in": 59}'),
	('{"expires_in": 315576001}'), ('{"max_uses": 0}'),
	('{"max_uses": 2147483648}'), ('{"grace": -1}'), ('{"grace": 604801}'),
	('{"allowed_cidrs": []}'), ('{"allowed_cidrs": ["here"]}'),
	('{"allowed_cidrs": ["192.0.2.1/24"]}'), ('{"allowed_cidrs": [""]}'),
	('{"allowed_cidrs": ["192.0.2.0/33"]}')) AS v (d);
SELECT is(body, '{"detail": "\"here\" is not an address range such as 192.0.2.0/24 or 2001:db8::/32."}',
	'... and why')
FROM pappus.admin_enrollment_token_regenerate(:owner, t.id('proj', 1),
	t.id('etk', 8), t.d('e8'), '{"allowed_cidrs": ["192.0.2.0/24", "here"]}');
ROLLBACK TO tokens;

-- Devices.
SELECT is(jsonb_path_query_array(body, '$.items[*].device_id'),
	jsonb_build_array(t.id('dev', 1), t.id('dev', 2)), 'all devices')
FROM pappus.admin_device_list(:owner, NULL, 10, NULL);
SELECT is(jsonb_path_query_array(body, '$.items[*].device_id'),
	jsonb_build_array(t.id('dev', 1)), 'those of one project')
FROM pappus.admin_device_list(:owner, jsonb_build_object('project_id',
	t.id('proj', 1)), 10, NULL);
SELECT is(jsonb_path_query_array(body, '$.items[*].device_id'),
	jsonb_build_array(t.id('dev', 2)), 'those a bound token sees')
FROM pappus.admin_device_list(:bound, NULL, 10, NULL);
SELECT is(body ->> 'next_cursor', t.id('dev', 1), 'by pages')
FROM pappus.admin_device_list(:owner, NULL, 1, NULL);
SELECT is(outcome, 'invalid_cursor', 'a cursor of another kind')
FROM pappus.admin_device_list(:owner, NULL, 1, t.id('dev', 1) || 'x');
SELECT is(outcome, 'not_found', 'of an unknown project')
FROM pappus.admin_device_list(:owner, jsonb_build_object('project_id',
	t.id('proj', 9)), 1, NULL);
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
-- One that asked very often.
SELECT pappus.admin_project_update(:owner, t.id('proj', 1),
	'{"issue_limit": 1000}') \g /dev/null
SELECT t.issue(1, 'd1', 1000 + n) FROM generate_series(1, 120) n \g /dev/null
SELECT is(jsonb_array_length(body -> 'certificates'), 100,
	'a device shows its latest 100 certificates'),
	is(body #>> '{certificates,99,serial}', encode(t.serial(1120), 'hex'),
		'... the last one last'),
	is(body #>> '{certificates,99,status}', 'valid', '... as it stands')
FROM pappus.admin_device_get(:owner, t.id('dev', 1));

SELECT * FROM finish();
ROLLBACK;
