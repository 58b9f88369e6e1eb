-- SPDX-License-Identifier: ISC
-- What pappus-crld asks: the outbox, the lease, claims, what stood as of a
-- sequence, and the records of CRLs.
\ir fixture.psql
SELECT plan(104);
SELECT t.enroll(1, 'e1', i, 'SN-' || i) FROM generate_series(1, 9) i \g /dev/null

-- What happened to certificates and devices since the last look, by number:
-- "certificate 1: none -> 4".
CREATE TEMP TABLE looked (change_id bigint);
INSERT INTO looked SELECT coalesce(max(change_id), 0) FROM pappus.changes;
CREATE FUNCTION t.news() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	news text[];
BEGIN
	SELECT array_agg(format('%s %s: %s -> %s', c.kind,
		CASE c.kind
		WHEN 'certificate' THEN ('x' || right(encode(c.serial, 'hex'), 8))
			::bit(32)::int
		WHEN 'device' THEN right(c.device_id, 8)::int
		ELSE c.issuer_id END,
		coalesce(c.old_reason::text, c.old_denied::text, 'none'),
		coalesce(c.reason::text, c.denied::text, 'none'))
		ORDER BY c.change_id)
	INTO news
	FROM pappus.changes c, looked l
	WHERE c.change_id > l.change_id;
	UPDATE looked SET change_id = (SELECT max(change_id) FROM pappus.changes);
	RETURN coalesce(news, '{}');
END
$$;

-- What good devices do.
SELECT is(t.news(), '{}', 'an enrolment is no change');
SELECT t.issue(1, 'd1', 1) \g /dev/null
SELECT is(t.news(), '{}', 'nor is a first certificate');
SELECT t.issue(1, 'd1', 2) \g /dev/null
SELECT is(t.news(), ARRAY['certificate 1: none -> 4'], 'a second supersedes the first');
SELECT t.same($$SELECT serial, old_issuer_id, old_not_after, old_revoked_at,
		issuer_id, not_after, revoked_at, sequence, changed_at
	FROM pappus.changes ORDER BY change_id DESC LIMIT 1$$,
	$$SELECT serial, NULL::int, NULL::timestamptz, NULL::timestamptz, issuer_id,
		not_after, revoked_at, NULL::bigint, now()
	FROM pappus.revocations$$, '... with all that a CRL needs');
UPDATE pappus.devices SET label = 'x', token_sha256 = token_sha256,
	identity_issued_at = now();
SELECT is(t.news(), '{}', 'what is no state is no change');

-- Deny, allow, revoke, reset.
SELECT pappus.admin_device_deny(:owner, t.id('dev', 1), 'x') \g /dev/null
SELECT is(t.news(), ARRAY['device 1: false -> true', 'certificate 2: none -> 6'],
	'denying');
SELECT pappus.admin_device_deny(:owner, t.id('dev', 1), 'x') \g /dev/null
SELECT is(t.news(), '{}', '... again');
SELECT pappus.admin_device_allow(:owner, t.id('dev', 1), 'x') \g /dev/null
SELECT is(t.news(), ARRAY['device 1: true -> false', 'certificate 2: 6 -> none'],
	'allowing');
SELECT t.same($$SELECT old_issuer_id, old_reason::int, old_revoked_at, issuer_id,
		reason, revoked_at
	FROM pappus.changes ORDER BY change_id DESC LIMIT 1$$,
	format($$VALUES (%s, 6, now(), NULL, NULL, NULL)$$, :first),
	'... says what there was');
SELECT pappus.admin_device_deny(:owner, t.id('dev', 1), 'x') \g /dev/null
SELECT t.news() \g /dev/null
SELECT pappus.admin_device_revoke(:owner, t.id('dev', 1), 'x', 1) \g /dev/null
SELECT is(t.news(), ARRAY['certificate 2: 6 -> 1'],
	'revoking what is denied: its hold becomes final, it was out already');
SELECT pappus.admin_device_reset(:owner, t.id('dev', 1), 'x', t.d('new'))
	\g /dev/null
SELECT is(t.news(), ARRAY['device 1: true -> false'], 'a reset lets it in');
UPDATE pappus.devices SET state = 'deleted', external_id = NULL
WHERE device_id = t.id('dev', 9);
SELECT is(t.news(), ARRAY['device 9: false -> true'], 'a deleted one is out');

-- One certificate.
SELECT t.issue(2, 'd2', 3) \g /dev/null
SELECT pappus.admin_certificate_revoke(:owner, encode(t.serial(3), 'hex'), 'x', 6)
	\g /dev/null
SELECT is(t.news(), ARRAY['certificate 3: none -> 6'], 'a hold');
SELECT pappus.admin_certificate_revoke(:owner, encode(t.serial(3), 'hex'), 'x', 3)
	\g /dev/null
SELECT is(t.news(), ARRAY['certificate 3: 6 -> 3'], '... made final');
SELECT pappus.admin_certificate_revoke(:owner, encode(t.serial(3), 'hex'), 'x', 1)
	\g /dev/null
SELECT is(t.news(), '{}', '... for good');
SELECT pappus.admin_certificate_revoke(:owner, encode(t.serial(90), 'hex'), 'x', 1)
	\g /dev/null
SELECT is(t.news(), ARRAY['certificate 90: none -> 1'], 'one that nobody knows');
UPDATE pappus.revocations SET comment = 'y', actor = 'y';
SELECT is(t.news(), '{}', 'what no CRL says is no change');
SELECT throws_ok($$UPDATE pappus.revocations SET serial = '\x0177'
	WHERE serial = t.serial(90)$$, '23000', NULL, 'a serial never changes');
SELECT throws_ok(format($$INSERT INTO pappus.revocations
	(serial, reason, actor, origin) VALUES (%L, 1, 'x', 'recover')$$, s), '23514',
	NULL, 'no serial: ' || s)
FROM (VALUES ('\x'), ('\x00'), ('\x0001'), ('\x80')) AS v (s);

-- A batch in which holds give way.
SELECT t.issue(3, 'd3', 4) \g /dev/null
SELECT pappus.admin_certificate_revoke(:owner, encode(t.serial(4), 'hex'), 'x', 6)
	\g /dev/null
SELECT t.news() \g /dev/null
SELECT count(*) FROM pappus.issue(ARRAY[t.id('dev', 3), t.id('dev', 3)],
	ARRAY[t.d('d3'), t.d('d3')], ARRAY[t.serial(5), t.serial(6)],
	ARRAY[t.d('k'), t.d('k')], ARRAY[NULL::inet, NULL], ARRAY[NULL::uuid, NULL],
	ARRAY[NULL::timestamptz, NULL], ARRAY[:first]) \g /dev/null
SELECT is((SELECT array_agg(n ORDER BY n) FROM unnest(t.news()) n),
	ARRAY['certificate 4: 6 -> 4', 'certificate 5: none -> 4'], 'issue');

-- What is unknown, and turns up.
SELECT pappus.admin_device_deny(:owner, t.id('dev', i), 'x')
FROM generate_series(50, 52) i \g /dev/null
SELECT is(t.news(), ARRAY['device 50: false -> true', 'device 51: false -> true',
	'device 52: false -> true'], 'denying unknown devices');
SELECT pappus.admin_device_revoke(:owner, t.id('dev', 52), 'x', 1) \g /dev/null
SELECT is(t.news(), '{}', '... more than that');
SELECT pappus.admin_device_allow(:owner, t.id('dev', 51), 'x') \g /dev/null
SELECT is(t.news(), ARRAY['device 51: true -> false'], 'allowing one');
CREATE FUNCTION t.recover(serial int, device int, project int) RETURNS jsonb
LANGUAGE sql AS $$
	SELECT pappus.setup_recover_certificates(jsonb_build_array(
		jsonb_strip_nulls(jsonb_build_object(
		'serial', encode(t.serial(serial), 'hex'),
		'issuer_ski', encode(substr(t.d('first'), 1, 20), 'hex'),
		'device_id', t.id('dev', device), 'project_id', t.id('proj', project),
		'spki_sha256', encode(t.d('k'), 'hex'), 'not_before', 1700000000,
		'not_after', 2600000000))))
$$;
SELECT t.recover(60, 50, 1) \g /dev/null
SELECT is(t.news(), ARRAY['certificate 60: none -> 6'],
	'one that turns up was out, and is');
SELECT t.recover(61, 52, NULL) \g /dev/null
SELECT is(t.news(), ARRAY['certificate 61: none -> 1'], '... also without a project');
SELECT t.recover(90, 53, 1) \g /dev/null
SELECT is(t.news(), ARRAY['certificate 90: 1 -> 1'], 'a certificate that turns up');
SELECT t.same($$SELECT old_issuer_id, old_not_after, issuer_id, not_after
	FROM pappus.changes ORDER BY change_id DESC LIMIT 1$$,
	format($$VALUES (NULL, NULL, %s, to_timestamp(2600000000))$$, :first),
	'... of whom is known from now on');
-- Both at once can't be, but must not let anybody in.
INSERT INTO pappus.unknown_devices (device_id, state, actor)
VALUES (t.id('dev', 50), 'denied', 'x');
UPDATE pappus.devices SET state = 'active' WHERE device_id = t.id('dev', 50);
SELECT is(t.news(), '{}', 'denied by one of two');
DELETE FROM pappus.unknown_devices WHERE device_id = t.id('dev', 50);
DELETE FROM pappus.devices WHERE device_id = t.id('dev', 9);
SELECT is(t.news(), ARRAY['device 50: true -> false', 'device 9: true -> false'],
	'... and by none');

-- Issuers.
SELECT t.register('later', 'device', :root) AS later \gset
SELECT is(t.news(), ARRAY['issuer ' || :later || ': none -> none'], 'a new CA');
SELECT pappus.admin_issuer_update(:owner, :later, '{"state": "crl-only"}')
	\g /dev/null
SELECT is(t.news(), ARRAY['issuer ' || :later || ': none -> none'], '... that stops');

-- The lease.  Time moves: leases look at the clock.
SELECT throws_ok($$SELECT pappus.crl_lease('a', 0)$$, '22023', NULL, 'a lease of nothing'),
	throws_ok($$SELECT pappus.crl_lease('a', 3601)$$, '22023', NULL, '... of too much'),
	throws_ok($$SELECT pappus.crl_lease(NULL, 30)$$, '22023', NULL, '... of nobody''s');
SELECT is(pappus.crl_lease('a', 30), 1::bigint, 'the first lease');
SELECT is(pappus.crl_lease('b', 30), NULL, '... is nobody else''s');
SELECT is(pappus.crl_lease('a', 60), 1::bigint, '... renewed');
SELECT is(epoch, 1::bigint), is(holder, 'a'),
	ok(expires_ms BETWEEN 1 AND 60000, '... for a minute'),
	is(sequence, 0::bigint, 'nothing is claimed'),
	is(unclaimed, (SELECT count(*) FROM pappus.changes), '... of all there is'),
	ok(unclaimed_age BETWEEN 0 AND 59, '... just now')
FROM pappus.crl_status();
SELECT is(pappus.crl_release(0), NULL, 'another epoch releases nothing');
SELECT is(pappus.crl_lease('b', 30), NULL, '... indeed');
SELECT is(pappus.crl_release(1), true, 'given up');
SELECT is(pappus.crl_lease('b', 30), 2::bigint, '... it is another''s, at once');
UPDATE pappus.publication SET expires_at = clock_timestamp();
SELECT is(pappus.crl_lease('b', 30), 3::bigint, 'expired, it is a new one');

-- Epochs that are over.
SELECT is(sequence, NULL, 'who had the lease claims nothing')
FROM pappus.crl_claim(2, 0, 100);
SELECT is(pappus.crl_prune(2, 100), NULL, '... deletes nothing');
SELECT is(outcome, 'lost', '... records nothing')
FROM pappus.crl_record(2, :first, 1, 0, 1, 0, 0, 0, t.d('x'), '\x01');
SELECT is(count(*), 0::bigint, 'all as it was') FROM pappus.changes
WHERE sequence IS NOT NULL;

-- Claims.
SELECT count(*) AS all FROM pappus.changes \gset
SELECT sequence AS one FROM pappus.crl_claim(3, 0, 5) \gset
SELECT is(count(*), 5::bigint, 'as many as asked for'),
	is(max(change_id), (SELECT change_id FROM pappus.changes
		ORDER BY change_id OFFSET 4 LIMIT 1), '... the oldest')
FROM pappus.changes WHERE sequence = :one;
SELECT ok(:one BETWEEN extract(epoch FROM clock_timestamp()) * 1000 - 60000
	AND extract(epoch FROM clock_timestamp()) * 1000 + 1,
	'numbers are milliseconds since 1970');
SELECT sequence AS two, claimed FROM pappus.crl_claim(3, 0, 1000) \gset
SELECT is(:claimed, :all - 5, '... then the rest');
SELECT ok(:two > :one, '... above');
SELECT is(sequence, :two::bigint, 'nothing new: no number'),
	is(claimed, 0::bigint, '... of nothing')
FROM pappus.crl_claim(3, :two, 1000);
SELECT is(sequence, 9000000000001::bigint, 'above what was published, however high'),
	is(claimed, 0::bigint, '... even if nothing is new')
FROM pappus.crl_claim(3, 9000000000000, 1000);
SELECT pappus.admin_device_deny(:owner, t.id('dev', 2), 'x') \g /dev/null
SELECT is(sequence, 9000000000002::bigint, 'and on from there'),
	is(claimed, 1::bigint)
FROM pappus.crl_claim(3, 0, 1000);

-- Changes, by page.
SELECT t.same(format($$SELECT change_id, sequence FROM pappus.crl_changes(0, 0,
		9000000000009, 1000)$$), $$SELECT change_id, sequence
	FROM pappus.changes ORDER BY change_id$$, 'all changes');
SELECT t.same(format($$SELECT change_id FROM pappus.crl_changes(%s, %s, %s, 3)$$,
	:one, (SELECT max(change_id) - 1 FROM pappus.changes WHERE sequence = :one), :two),
	format($$SELECT change_id FROM pappus.changes WHERE change_id > 0 AND
		(sequence = %2$s OR change_id = (SELECT max(change_id) FROM pappus.changes
		WHERE sequence = %1$s)) ORDER BY change_id LIMIT 3$$, :one, :two),
	'... a page of them, from the middle of a claim');
SELECT t.same(format($$SELECT kind, right(device_id, 1), denied
	FROM pappus.crl_changes(%s, 9223372036854775807, 9000000000009, 9)$$, :two),
	$$VALUES ('device', '2', true)$$, '... those since');
SELECT is_empty(format($$SELECT FROM pappus.crl_changes(%s, 9223372036854775807,
	9000000000001, 9)$$, :two), '... and none above');

-- As of.
CREATE FUNCTION t.as_of(sequence bigint, size int DEFAULT 100,
	after int DEFAULT NULL)
RETURNS int[] LANGUAGE sql AS $$
	SELECT coalesce(array_agg(('x' || right(encode(e.serial, 'hex'), 8))
		::bit(32)::int), '{}')
	FROM pappus.crl_entries(sequence, coalesce(t.serial(after), ''), size) e
$$;
CREATE FUNCTION t.devices_as_of(sequence bigint, size int DEFAULT 100,
	after int DEFAULT NULL)
RETURNS int[] LANGUAGE sql AS $$
	SELECT coalesce(array_agg(right(e.device_id, 8)::int), '{}')
	FROM pappus.crl_devices(sequence, coalesce(t.id('dev', after), ''), size) e
$$;
SELECT sequence AS now FROM pappus.crl_status() \gset
SELECT is(t.as_of(:now), ARRAY[1, 2, 3, 4, 5, 60, 61, 90], 'what is revoked');
SELECT is(t.as_of(:now, 3), ARRAY[1, 2, 3], '... by page'),
	is(t.as_of(:now, 3, 3), ARRAY[4, 5, 60], '... the next'),
	is(t.as_of(:now, 3, 60), ARRAY[61, 90], '... and the last');
SELECT t.same(format($$SELECT serial, issuer_id, not_after, reason, revoked_at
		FROM pappus.crl_entries(%s, '', 100)$$, :now),
	$$SELECT serial, issuer_id, not_after, reason, revoked_at
		FROM pappus.revocations ORDER BY serial$$, '... as the truth has it');
SELECT is(t.as_of(0), '{}'::int[], 'before all'),
	is(t.devices_as_of(0), '{}'::int[], '... nobody was out');
SELECT is(t.devices_as_of(:now), ARRAY[2, 52], 'who is denied'),
	is(t.devices_as_of(:two), ARRAY[52], '... and was, one claim ago'),
	is(t.devices_as_of(:now, 1), ARRAY[2], '... by page'),
	is(t.devices_as_of(:now, 1, 2), ARRAY[52], '... the next');
-- The first five: three CAs, certificate 1 superseded, device 1 denied.
SELECT is(t.as_of(:one), ARRAY[1], 'in between'),
	is(t.devices_as_of(:one), ARRAY[1], '... who was denied then');
-- What is not claimed is not yet, whichever way it went.
UPDATE pappus.revocations SET reason = 1, revoked_at = 'yesterday',
	origin = 'operator'
WHERE serial = t.serial(60);
DELETE FROM pappus.revocations WHERE serial IN (t.serial(2), t.serial(90));
INSERT INTO pappus.revocations (serial, reason, actor, origin)
VALUES (t.serial(2), 9, 'x', 'recover'), (t.serial(7), 9, 'x', 'recover');
DELETE FROM pappus.unknown_devices;
UPDATE pappus.devices SET state = 'denied' WHERE device_id = t.id('dev', 5);
SELECT is(t.as_of(:now), ARRAY[1, 2, 3, 4, 5, 60, 61, 90],
	'unclaimed changes are none'),
	is(t.as_of(:now, 3, 5), ARRAY[60, 61, 90], '... on any page'),
	is(t.devices_as_of(:now), ARRAY[2, 52], '... of devices neither');
SELECT t.same(format($$SELECT reason::int, revoked_at
		FROM pappus.crl_entries(%s, t.serial(5), 1)$$, :now),
	$$VALUES (6, now())$$, '... as it was before');
SELECT sequence AS last FROM pappus.crl_claim(3, 0, 1000) \gset
SELECT is(t.as_of(:last), ARRAY[1, 2, 3, 4, 5, 7, 60, 61], 'claimed, they are'),
	is(t.devices_as_of(:last), ARRAY[2, 5], '... all'),
	is(t.as_of(:now), ARRAY[1, 2, 3, 4, 5, 60, 61, 90], '... and before is as it was');
SELECT throws_ok(format('SELECT FROM pappus.crl_%s(%s, %s)', f, s, r), '72000', NULL,
	f || ' as of ' || s)
FROM (VALUES ('entries', ''''', 9'), ('devices', ''''', 9')) AS v (f, r),
	(VALUES ('-1'), ('9000000000999'), ('NULL')) AS w (s);

-- Pruning.
SELECT is(pappus.crl_prune(3, :last), 0::bigint, 'nothing is old');
UPDATE pappus.changes SET claimed_at = now() - interval '61 minutes'
WHERE sequence <= :two;
SELECT is(pappus.crl_prune(3, :one), 5::bigint, 'what is old is deleted'),
	is(pappus.crl_prune(3, :last), :claimed::bigint, '... all'),
	is(pappus.crl_prune(3, :last), 0::bigint, '... and what is not, not');
SELECT is(t.devices_as_of(:two), ARRAY[52], 'as of the last that went');
SELECT throws_ok(format('SELECT t.as_of(%s)', :one), '72000', NULL, '... not before'),
	throws_ok(format('SELECT pappus.crl_changes(%s, 0, %s, 9)', :one, :two), '72000',
	NULL, '... nor changes since then');
SELECT is(t.as_of(:last), ARRAY[1, 2, 3, 4, 5, 7, 60, 61], 'what is revoked stays');

SELECT * FROM finish();
ROLLBACK;
