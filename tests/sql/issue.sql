-- SPDX-License-Identifier: ISC
-- pappus.issue: each outcome, superseding, and batches.
\ir fixture.psql
SELECT plan(44);
SELECT t.enroll(1, 'e1', i) FROM generate_series(1, 9) i \g /dev/null

-- A first certificate.
CREATE TEMP TABLE answer AS
SELECT * FROM pappus.issue(ARRAY[t.id('dev', 1)], ARRAY[t.d('d1')],
	ARRAY[t.serial(1)], ARRAY[t.d('key')], ARRAY['192.0.2.9'::inet],
	ARRAY['00000000-0000-4000-8000-00000000000a'::uuid],
	ARRAY['infinity'::timestamptz], ARRAY[:root, :first, :server]);
SELECT is(outcome, 'issued', 'a good token gets a certificate'),
	is(project_id, t.id('proj', 1), '... of its project'),
	is(issuer_id, :first, '... by the device issuer'),
	is(to_timestamp(not_before),
		date_trunc('second', now() - interval '1 hour'),
		'... back-dated an hour'),
	is(to_timestamp(not_after) AT TIME ZONE 'UTC',
		to_timestamp(not_before) AT TIME ZONE 'UTC' + interval '30 years',
		'... for 30 years')
FROM answer;
SELECT t.same(
	$$SELECT c.serial, c.issuer_id, c.device_id, c.subject, c.profile,
		c.spki_sha256, extract(epoch FROM c.not_before)::bigint,
		extract(epoch FROM c.not_after)::bigint, c.issued_at,
		c.request_id, c.address FROM pappus.certificates c$$,
	$$SELECT t.serial(1), issuer_id, t.id('dev', 1), NULL, 'device',
		t.d('key'), not_before, not_after, now(),
		uuid '00000000-0000-4000-8000-00000000000a', inet '192.0.2.9'
	FROM answer$$,
	'all of it is recorded as answered');
SELECT is(identity_issued_at, now(), 'and the device has an identity')
FROM pappus.devices WHERE device_id = t.id('dev', 1);
SELECT is_empty('SELECT FROM pappus.revocations', 'nothing is superseded');

-- Once more: the earlier one is superseded.
SELECT is(t.issue(1, 'd1', 2), 'issued', 'a second certificate');
SELECT is(t.valid(1), ARRAY[2], '... is the only valid one');
SELECT t.same(
	$$SELECT serial, issuer_id, reason::int, actor, origin, revoked_at
	FROM pappus.revocations$$,
	format($$VALUES (t.serial(1), %s, 4, t.id('dev', 1), 'reissue', now())$$,
		:first),
	'... the first is revoked as superseded');
UPDATE pappus.devices SET identity_issued_at = 'yesterday'
WHERE device_id = t.id('dev', 1);
SELECT is(t.issue(1, 'd1', 3), 'issued', 'a third');
SELECT is(t.valid(1), ARRAY[3], '... likewise');
SELECT is(identity_issued_at, 'yesterday', '... the time of the first stays')
FROM pappus.devices WHERE device_id = t.id('dev', 1);

-- A clock that was set back, or another host's after a fail-over.
UPDATE pappus.devices SET live_since = now() + interval '1 hour'
WHERE device_id = t.id('dev', 8);
SELECT t.issue(8, 'd8', n) FROM generate_series(801, 803) n \g /dev/null
SELECT is(t.valid(8), ARRAY[803], 'one stays valid when the clock goes back');

-- Refusals.
SELECT is(t.issue(1, 'wrong', 50), 'invalid_token', 'a wrong secret');
SELECT is(t.issue(99, 'd1', 50), 'invalid_token', 'an unknown device');
SELECT is(t.issue(2, 'd1', 50), 'invalid_token', 'another device''s secret');
SAVEPOINT before;
UPDATE pappus.devices SET state = 'denied' WHERE device_id = t.id('dev', 1);
SELECT is(t.issue(1, 'd1', 50), 'device_denied', 'a denied device');
UPDATE pappus.devices SET state = 'revoked' WHERE device_id = t.id('dev', 1);
SELECT is(t.issue(1, 'd1', 50), 'device_denied', 'a revoked device');
UPDATE pappus.devices SET state = 'deleted' WHERE device_id = t.id('dev', 1);
SELECT is(t.issue(1, 'd1', 50), 'invalid_token', 'a deleted device');
ROLLBACK TO before;
UPDATE pappus.projects SET state = 'disabled';
SELECT is(t.issue(1, 'd1', 50), 'project_disabled', 'a disabled project');
ROLLBACK TO before;
SELECT is(t.issue(1, 'd1', 50, '{}'), 'no_issuer', 'a worker without keys');
SELECT is(t.issue(1, 'd1', 50, ARRAY[:root, :server]), 'no_issuer',
	'... or with keys for other purposes');
UPDATE pappus.issuers SET state = 'crl-only' WHERE issuer_id = :first;
SELECT is(t.issue(1, 'd1', 50), 'no_issuer', 'an issuer that has stopped');
ROLLBACK TO before;
UPDATE pappus.issuers SET not_after = now() + interval '29 years'
WHERE issuer_id = :first;
SELECT is(t.issue(1, 'd1', 50), 'issuer_expiring',
	'an issuer that would not outlive the leaf');
ROLLBACK TO before;
SELECT is(count(*), 0::bigint, 'none of these left a certificate')
FROM pappus.certificates
WHERE serial BETWEEN t.serial(50) AND t.serial(800);
SELECT is(t.valid(1), ARRAY[3], '... or revoked one');

-- Which issuer.
SELECT t.register('second', 'device', :root) AS second \gset
SELECT is(issuer_id, :second, 'by default the newest device issuer')
FROM pappus.issue(ARRAY[t.id('dev', 2)], ARRAY[t.d('d2')],
	ARRAY[t.serial(60)], ARRAY[t.d('key')], ARRAY[NULL::inet],
	ARRAY[NULL::uuid], ARRAY[NULL::timestamptz], ARRAY[:second, :first]);
SELECT is(issuer_id, :first, '... that the worker has')
FROM pappus.issue(ARRAY[t.id('dev', 2)], ARRAY[t.d('d2')],
	ARRAY[t.serial(61)], ARRAY[t.d('key')], ARRAY[NULL::inet],
	ARRAY[NULL::uuid], ARRAY[NULL::timestamptz], ARRAY[:first]);
SAVEPOINT unshared;
UPDATE pappus.issuers SET shared = false WHERE issuer_id = :second;
SELECT is(issuer_id, :first, '... that is shared')
FROM pappus.issue(ARRAY[t.id('dev', 2)], ARRAY[t.d('d2')],
	ARRAY[t.serial(64)], ARRAY[t.d('key')], ARRAY[NULL::inet],
	ARRAY[NULL::uuid], ARRAY[NULL::timestamptz], ARRAY[:second, :first]);
SELECT is(t.issue(2, 'd2', 65, ARRAY[:second]), 'no_issuer', '... or none');
UPDATE pappus.projects SET device_issuer_id = :second;
SELECT is(issuer_id, :second, '... but where a project names it')
FROM pappus.issue(ARRAY[t.id('dev', 2)], ARRAY[t.d('d2')],
	ARRAY[t.serial(66)], ARRAY[t.d('key')], ARRAY[NULL::inet],
	ARRAY[NULL::uuid], ARRAY[NULL::timestamptz], ARRAY[:second, :first]);
ROLLBACK TO unshared;
UPDATE pappus.projects SET device_issuer_id = :first;
SELECT is(issuer_id, :first, 'a project''s own comes before')
FROM pappus.issue(ARRAY[t.id('dev', 2)], ARRAY[t.d('d2')],
	ARRAY[t.serial(62)], ARRAY[t.d('key')], ARRAY[NULL::inet],
	ARRAY[NULL::uuid], ARRAY[NULL::timestamptz], ARRAY[:second, :first]);
SELECT is(t.issue(2, 'd2', 63, ARRAY[:second]), 'no_issuer',
	'... and none other will do');
SAVEPOINT own;
UPDATE pappus.issuers SET state = 'crl-only' WHERE issuer_id = :first;
SELECT is(t.issue(2, 'd2', 63), 'no_issuer', '... also once it has stopped');
UPDATE pappus.projects SET device_issuer_id = :server;
SELECT is(t.issue(2, 'd2', 63), 'no_issuer', '... or is for other purposes');
ROLLBACK TO own;

-- Holds give way to final revocations, never the reverse.
INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason, actor,
	origin)
VALUES (t.serial(3), :first, now() + interval '30 years', 6, 'x', 'operator');
UPDATE pappus.revocations SET reason = 1, origin = 'operator'
WHERE serial = t.serial(2);
SELECT is(t.issue(1, 'd1', 4), 'issued', 'a certificate after a hold');
SELECT t.same(
	$$SELECT serial, reason::int, origin FROM pappus.revocations
	WHERE serial <= t.serial(3) ORDER BY serial$$,
	$$VALUES (t.serial(1), 4, 'reissue'), (t.serial(2), 1, 'operator'),
		(t.serial(3), 4, 'reissue')$$,
	'... makes the hold final and leaves what is final alone');

-- A batch, one device three times, once with a token of another's.
SELECT t.same(
	format($$SELECT n, outcome FROM pappus.issue(
		ARRAY[t.id('dev', 5), t.id('dev', 4), t.id('dev', 5),
			t.id('dev', 5), t.id('dev', 3), t.id('dev', 5)],
		ARRAY[t.d('d5'), t.d('d4'), t.d('d5'), t.d('d4'), t.d('d3'),
			t.d('d5')],
		ARRAY(SELECT t.serial(i) FROM generate_series(101, 106) i),
		ARRAY(SELECT t.d('k' || i) FROM generate_series(101, 106) i),
		array_fill(NULL::inet, ARRAY[6]),
		array_fill(NULL::uuid, ARRAY[6]),
		array_fill(NULL::timestamptz, ARRAY[6]), ARRAY[%s])$$, :first),
	$$VALUES (1, 'issued'), (2, 'issued'), (3, 'issued'),
		(4, 'invalid_token'), (5, 'issued'), (6, 'issued')$$,
	'a batch has an outcome for each request');
SELECT is(ARRAY[t.valid(3), t.valid(4), t.valid(5)],
	ARRAY[ARRAY[105], ARRAY[102], ARRAY[106]],
	'... and of one device only the last certificate stays');
SELECT is(count(*), 3::bigint, '... though each is recorded')
FROM pappus.certificates WHERE device_id = t.id('dev', 5);

-- The other policy.
UPDATE pappus.projects SET reissue_policy = 'keep';
SELECT t.issue(5, 'd5', 107) \g /dev/null
SELECT is(t.valid(5), ARRAY[106, 107], 'under keep the older stay valid');
UPDATE pappus.projects SET reissue_policy = 'replace';
SELECT t.issue(5, 'd5', 108) \g /dev/null
SELECT is(t.valid(5), ARRAY[108], '... until the policy is replace again');

SELECT * FROM finish();
ROLLBACK;
