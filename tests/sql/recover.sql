-- SPDX-License-Identifier: ISC
-- After a restore: certificates and denials that the database doesn't know are
-- merged, in any order and more than once.
\ir fixture.psql
SELECT plan(66);
SELECT t.enroll(1, 'e1', 1, 'SN-1'), t.enroll(1, 'e1', 2) \g /dev/null
SELECT t.issue(1, 'd1', 1), t.issue(2, 'd2', 2) \g /dev/null

CREATE FUNCTION t.certificate(serial int, device int, project int DEFAULT NULL,
	ski text DEFAULT 'first', key text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'serial', encode(t.serial(serial), 'hex'),
		'issuer_ski', encode(substr(t.d(ski), 1, 20), 'hex'),
		'device_id', t.id('dev', device), 'project_id', t.id('proj', project),
		'spki_sha256', encode(t.d(coalesce(key, 'key' || serial)), 'hex'),
		'not_before', extract(epoch FROM timestamptz '2026-01-01 00:00+0')::bigint,
		'not_after', extract(epoch FROM timestamptz '2056-01-01 00:00+0')::bigint))
$$;
CREATE FUNCTION t.recover(VARIADIC certificates jsonb[]) RETURNS text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', a -> 'added', a -> 'known', a -> 'devices')
	FROM pappus.setup_recover_certificates(to_jsonb(certificates)) a
$$;
CREATE FUNCTION t.deny(VARIADIC denials jsonb[]) RETURNS text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', a -> 'devices', a -> 'serials', a -> 'known')
	FROM pappus.setup_recover_denials(to_jsonb(denials)) a
$$;
CREATE FUNCTION t.device(n int) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('device_id', t.id('dev', n)) $$;
CREATE FUNCTION t.serial_hex(n int) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('serial', encode(t.serial(n), 'hex')) $$;
CREATE FUNCTION t.revocation(n int) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s', reason, origin, issuer_id IS NOT NULL,
		not_after IS NOT NULL)
	FROM pappus.revocations WHERE serial = t.serial(n)
$$;

-- A known device's certificate.
SELECT is(t.recover(t.certificate(10, 1)), '1 0 0', 'one is added');
SELECT t.same($$SELECT issuer_id, device_id, subject, profile, spki_sha256,
		not_before, not_after, issued_at, request_id
	FROM pappus.certificates WHERE serial = t.serial(10)$$,
	format($$VALUES (%s, t.id('dev', 1), NULL, 'device', t.d('key10'),
		timestamptz '2026-01-01 00:00+0', timestamptz '2056-01-01 00:00+0',
		timestamptz '2026-01-01 00:00+0', NULL::uuid)$$, :first), '... as it is');
SELECT is(t.valid(1), ARRAY[1, 10], '... and is good');
SELECT is(t.recover(t.certificate(10, 1), t.certificate(1, 1)), '0 2 0',
	'again: all known');
SELECT is(t.valid(1), ARRAY[1, 10], '... nothing changes');
SELECT t.same($$SELECT actor, action, object_id, after FROM pappus.operator_actions
	WHERE action LIKE 'recover%'$$,
	$$VALUES ('setup', 'recover.certificates', 'recover',
		'{"added": 1, "known": 0, "devices": 0}'::jsonb)$$,
	'what changed something is in the log');
SELECT is(t.issue(1, 'd1', 11), 'issued', 'the device asks again');
SELECT is(t.valid(1), ARRAY[11], '... which supersedes what was recovered');
SELECT throws_ok($$SELECT t.issue(2, 'd2', 10)$$, '23505', NULL,
	'no serial is given out twice');

-- Unknown devices.
SELECT is(t.recover(t.certificate(20, 20)), '1 0 0', 'of an unknown device');
SELECT is((pappus.admin_device_get(:owner, t.id('dev', 20))).outcome, 'not_found',
	'... which is unknown still');
SELECT is(t.recover(t.certificate(21, 21, 1), t.certificate(22, 21, 1)), '2 0 1',
	'of one whose project is named');
SELECT is(body - '{certificates,enrolled_at}'::text[], jsonb_build_object(
	'device_id', t.id('dev', 21), 'project_id', t.id('proj', 1), 'label', NULL,
	'external_id', NULL, 'state', 'active', 'enrollment_token_id', NULL,
	'identity_issued_at', '2026-01-01T00:00:00Z'), '... is a device again'),
	is(jsonb_array_length(body -> 'certificates'), 2, '... with its certificates')
FROM pappus.admin_device_get(:owner, t.id('dev', 21));
SELECT is(t.issue(21, 'd21', 30), 'invalid_token', '... whose token is lost');
SELECT is((pappus.admin_device_reset(:owner, t.id('dev', 21), 'x',
	t.d('new'))).outcome, 'ok', '... until it is reset');
SELECT is(t.valid(21), '{}'::int[], '... which supersedes what it had');
SELECT is(t.issue(21, 'new', 30), 'issued', '... and then it gets one');
SELECT is(t.recover(t.certificate(20, 20, 1)), '0 1 1',
	'the project is named later');
SELECT is((pappus.admin_device_get(:owner, t.id('dev', 20))).outcome, 'ok',
	'... then it is a device');
SELECT is(t.recover(t.certificate(23, 23, 9)), '1 0 0', 'a project that is unknown');
SELECT is((pappus.admin_device_get(:owner, t.id('dev', 23))).outcome, 'not_found',
	'... makes none');
SELECT is(t.recover(t.certificate(2, 2, 2)), '0 1 0', 'another project''s name');
SELECT is(project_id, t.id('proj', 1), '... moves no device')
FROM pappus.devices WHERE device_id = t.id('dev', 2);

-- Servers and services.
SELECT is(t.recover(t.certificate(40, NULL, NULL, 'server') ||
	'{"subject": "broker"}'), '1 0 0', 'a server''s');
SELECT is(profile || subject, 'serverbroker', '... by its name')
FROM pappus.certificates WHERE serial = t.serial(40);

-- What contradicts.
SELECT throws_ok($$SELECT t.recover(t.certificate(41, 1),
	t.certificate(10, 1, NULL, 'first', 'another'))$$, '23505', NULL,
	'another key with this serial');
SELECT throws_ok($$SELECT t.recover(t.certificate(41, 1, NULL, 'nobody'))$$,
	'23503', NULL, 'an issuer that is not registered');
SELECT throws_ok($$SELECT t.recover(t.certificate(41, NULL))$$, '23514', NULL,
	'nobody''s');
SELECT is(count(*), 0::bigint, '... and nothing of that call stays')
FROM pappus.certificates WHERE serial = t.serial(41);

-- Denials of what is known.
SELECT is(t.deny(t.device(2), t.serial_hex(10)), '1 0 1',
	'a device; and a serial that is superseded already');
SELECT is(state, 'denied', '... is denied') FROM pappus.devices
WHERE device_id = t.id('dev', 2);
SELECT is(t.revocation(2), '6 deny t t', '... its certificate on hold');
SELECT is(t.revocation(10), '4 reissue t t', '... and what was final stays');
SELECT is(t.deny(t.device(2)), '0 0 1', 'again: known');
SELECT is(t.deny(t.device(2) || '{"state": "revoked", "reason": "x"}'), '1 0 0',
	'more than denied');
SELECT is(t.revocation(2), '0 revoke t t', '... its certificate revoked');
SELECT is(token_sha256, NULL, '... its token dead') FROM pappus.devices
WHERE device_id = t.id('dev', 2);
SELECT is(t.deny(t.device(2)), '0 0 1', 'less than revoked: no change');
SELECT is(t.deny(t.serial_hex(11) || '{"reason_code": 1, "reason": "list 7",
	"revoked_at": 1700000000}'), '0 1 0', 'a serial');
SELECT t.same($$SELECT reason::int, extract(epoch FROM revoked_at)::int, actor,
		origin, comment FROM pappus.revocations WHERE serial = t.serial(11)$$,
	$$VALUES (1, 1700000000, 'setup', 'recover', 'list 7')$$, '... as told');
SELECT is(t.deny(t.serial_hex(30) || '{"reason_code": 6}'), '0 1 0', 'on hold');
SELECT is(t.deny(t.serial_hex(30) || '{"reason_code": 3}'), '0 1 0', 'for good');
SELECT is(t.deny(t.serial_hex(30) || '{"reason_code": 6}'), '0 0 1',
	'... a hold is less');
SELECT is(t.revocation(30), '3 recover t t', '... and changes nothing');

-- Denied first, recovered later.
SELECT is(t.deny(t.device(50), t.device(51) || '{"state": "revoked"}',
	t.serial_hex(52), t.serial_hex(53) || jsonb_build_object('issuer_ski',
	encode(substr(t.d('first'), 1, 20), 'hex'))), '2 2 0', 'unknown ones');
SELECT is(t.revocation(52), '0 recover f f', 'a serial of whom is unknown');
SELECT is(t.revocation(53), '0 recover t f', '... or of whom is known');
SELECT is(t.recover(t.certificate(60, 50, 1), t.certificate(61, 51, 1),
	t.certificate(52, 1), t.certificate(53, 1), t.certificate(62, 50),
	t.certificate(63, 51)), '6 0 2', 'they turn up');
SELECT t.same($$SELECT device_id, state FROM pappus.devices
	WHERE device_id >= t.id('dev', 50) ORDER BY 1$$,
	$$VALUES (t.id('dev', 50), 'denied'), (t.id('dev', 51), 'revoked')$$,
	'... as they were denied');
SELECT is_empty('SELECT FROM pappus.unknown_devices', '... and known from now on');
SELECT is(ARRAY[t.revocation(60), t.revocation(61), t.revocation(62),
	t.revocation(63), t.revocation(52), t.revocation(53)],
	ARRAY['6 deny t t', '0 revoke t t', '6 deny t t', '0 revoke t t',
	'0 recover t t', '0 recover t t'], '... with all their certificates');
SELECT is((pappus.admin_device_allow(:owner, t.id('dev', 50), 'x')).outcome, 'ok',
	'such a denial can be taken back');
SELECT is(t.valid(50), ARRAY[60, 62], '... with its holds');

-- An operator denies what is unknown; it turns up without its project.
SELECT is((pappus.admin_device_deny(:owner, t.id('dev', 70), 'x')).outcome, 'ok',
	'an operator denies an unknown one');
SELECT is(t.recover(t.certificate(70, 70)), '1 0 0', '... whose certificate turns up');
SELECT is(t.revocation(70), '6 deny t t', '... on hold');
SELECT is((pappus.admin_device_revoke(:owner, t.id('dev', 70), 'x', 1)).outcome,
	'ok', '... is revoked with it');
SELECT is(t.revocation(70), '1 revoke t t', '... for good');
SELECT is(t.recover(t.certificate(71, 70)), '1 0 0', '... and one more');
SELECT is(t.revocation(71), '1 revoke t t', '... for the same reason');

SELECT throws_ok(format('SELECT t.deny(%L::jsonb)', d), '23514', NULL, 'no denial: ' || d)
FROM (VALUES ('{"device_id": "dev_1"}'),
	(jsonb_build_object('device_id', t.id('dev', 1), 'state', 'active')::text),
	('{"serial": ""}'), ('{"serial": "01", "reason_code": 7}')) AS v (d);
SELECT throws_ok($$SELECT t.deny('{}')$$, NULL, NULL, 'nothing at all');

SELECT * FROM finish();
ROLLBACK;
