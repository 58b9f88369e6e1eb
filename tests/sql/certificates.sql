-- SPDX-License-Identifier: ISC
-- What operators see of certificates and issuers, and do with them.  What comes
-- of a revocation in which state is in docs/states.md.
\ir fixture.psql
SELECT plan(65);
SELECT t.enroll(1, 'e1', 1), t.enroll(2, 'e2', 2) \g /dev/null
SELECT t.issue(1, 'd1', 1), t.issue(1, 'd1', 2), t.issue(2, 'd2', 3) \g /dev/null
SELECT pappus.setup_certificate_record(substr(t.d('server'), 1, 20),
	t.serial(5), 'broker', t.d('k'), 0, 31536000) \g /dev/null
SELECT encode(t.serial(1), 'hex') AS one, encode(t.serial(2), 'hex') AS two,
	encode(t.serial(3), 'hex') AS three, encode(t.serial(5), 'hex') AS five \gset

-- Shown.
SELECT is(outcome, 'ok', 'a certificate can be shown'),
	is(body - '{not_before,not_after,issued_at}'::text[], jsonb_build_object(
		'serial', :'two', 'issuer_id', :first, 'profile', 'device',
		'device_id', t.id('dev', 1), 'project_id', t.id('proj', 1),
		'subject', t.id('dev', 1), 'spki_sha256', encode(t.d('key2'), 'hex'),
		'status', 'valid', 'reason', NULL, 'revoked_at', NULL), '... all of it'),
	is(body ->> 'issued_at', pappus.json_time(now()), '... with its times'),
	is((body ->> 'not_after')::timestamptz,
		((body ->> 'not_before')::timestamptz AT TIME ZONE 'UTC'
		+ interval '30 years') AT TIME ZONE 'UTC', '... as it is valid')
FROM pappus.admin_certificate_get(:auditor, :'two');
SELECT is(body ->> 'serial', :'two', 'by a serial in capitals')
FROM pappus.admin_certificate_get(:auditor, upper(:'two'));
SELECT is(body ->> 'status', 'revoked', 'a superseded one'),
	is(body -> 'reason', '4', '... and why'),
	is(body ->> 'revoked_at', pappus.json_time(now()), '... and when')
FROM pappus.admin_certificate_get(:auditor, :'one');
SELECT is(body -> 'device_id', 'null', 'a server''s'),
	is(body ->> 'subject', 'broker', '... has a name')
FROM pappus.admin_certificate_get(:auditor, :'five');
SELECT is((pappus.admin_certificate_get(:auditor, s)).outcome, 'not_found',
	'none: ' || s)
FROM (VALUES ('0199'), ('x'), (''), ('00' || :'two')) AS v (s);
SELECT is((pappus.admin_certificate_get(:bound, :'three')).outcome, 'ok',
	'a bound token sees its devices'''),
	is((pappus.admin_certificate_get(:bound, :'two')).outcome, 'not_found',
	'... not those of others'),
	is((pappus.admin_certificate_get(:bound, :'five')).outcome, 'not_found',
	'... nor of servers');

-- Revoked.
SELECT is(outcome, 'ok', 'revoked'), is(body ->> 'status', 'revoked', '... as shown'),
	is(body -> 'reason', '1', '... and why')
FROM pappus.admin_certificate_revoke(:operator, upper(:'two'), 'Found on a bus', 1);
SELECT t.same($$SELECT serial, issuer_id, reason::int, actor, origin, comment,
		not_after > now() FROM pappus.revocations WHERE serial = t.serial(2)$$,
	format($$VALUES (t.serial(2), %s, 1, t.id('atk', 2), 'operator',
		'Found on a bus', true)$$, :first), '... recorded with all that lists need');
SELECT t.same($$SELECT actor, host(address), request_id, action, object_id,
		project_id, reason, before ->> 'status', after ->> 'status'
	FROM pappus.operator_actions ORDER BY action_id DESC LIMIT 1$$,
	format($$VALUES (t.id('atk', 2), '192.0.2.1',
		'00000000-0000-4000-8000-000000000002'::uuid, 'certificate.revoke', %L,
		t.id('proj', 1), 'Found on a bus', 'valid', 'revoked')$$, :'two'),
	'... and in the log, before and after');
SELECT is(state, 'active', '... its device goes on')
FROM pappus.devices WHERE device_id = t.id('dev', 1);
SELECT is(t.issue(1, 'd1', 6), 'issued', '... and gets another');
SELECT is(body ->> 'status', 'revoked', 'a server''s is revoked likewise')
FROM pappus.admin_certificate_revoke(:owner, :'five', 'x', 0);
SELECT is(outcome, 'not_found', 'a bound token: not of others')
FROM pappus.admin_certificate_revoke(:bound, :'two', 'x', 1);
SELECT is(outcome, 'not_found', '... nor what nobody knows')
FROM pappus.admin_certificate_revoke(:bound, '0199', 'x', 1);
SELECT is(outcome, 'ok', '... but its own')
FROM pappus.admin_certificate_revoke(:bound, :'three', 'x', 6);

-- One that nobody knows, as after a restore.
SELECT is(outcome, 'ok', 'unknown'), is(body - 'revoked_at', jsonb_build_object(
	'serial', '0199', 'issuer_id', NULL, 'profile', NULL, 'device_id', NULL,
	'project_id', NULL, 'subject', NULL, 'spki_sha256', NULL, 'not_before', NULL,
	'not_after', NULL, 'issued_at', NULL, 'status', 'revoked', 'reason', 1),
	'... is shown as far as known')
FROM pappus.admin_certificate_revoke(:owner, '0199', 'x', 1);
SELECT is((pappus.admin_certificate_get(:auditor, '0199')).outcome, 'ok',
	'... afterwards, too'),
	is((pappus.admin_certificate_get(:bound, '0199')).outcome, 'not_found',
	'... but not to a bound token');
SELECT is(count(*), 1::bigint, '... and in the log') FROM pappus.operator_actions
WHERE object_id = '0199';

-- Issuers.
SELECT t.register('short', 'device', :root, 31) AS short \gset
SELECT t.register('over', 'device', :root, 20) AS over \gset
CREATE TEMP TABLE issuer AS
SELECT i.* FROM pappus.admin_issuer_list(:auditor) l,
	jsonb_array_elements(l.body -> 'items') i (i);
SELECT is(array_agg((i ->> 'issuer_id')::int),
	ARRAY[:root, :first, :server, :short, :over], 'all issuers') FROM issuer;
SELECT is(i - '{not_before,not_after,registered_at,days_left,full_length_days_left}'::text[],
	jsonb_build_object('issuer_id', :first, 'parent_id', :root,
		'purpose', 'device', 'state', 'issuing', 'name', 'first',
		'ski', encode(substr(t.d('first'), 1, 20), 'hex'),
		'crl_url', 'http://ca.example/first.crl',
		'ca_url', 'http://ca.example/first.crt', 'trust_domain', NULL,
		'shared', true, 'revoked_at', NULL),
	'... and what is fixed with each')
FROM issuer WHERE (i ->> 'issuer_id')::int = :first;
SELECT is((i ->> 'days_left')::int,
	floor(extract(epoch FROM not_after - now()) / 86400)::int,
	i ->> 'name' || ': days left')
FROM issuer JOIN pappus.issuers ON issuer_id = (i ->> 'issuer_id')::int
WHERE issuer_id <> :server;
-- The last day of issuing in full length, to the second.
UPDATE pappus.issuers SET not_after = date_trunc('second',
	((now() - interval '1 hour') AT TIME ZONE 'UTC' + interval '30 years'
	+ interval '1 day 1 second') AT TIME ZONE 'UTC') WHERE issuer_id = :short;
CREATE FUNCTION t.days(issuer int) RETURNS int LANGUAGE sql AS $$
	SELECT (i ->> 'full_length_days_left')::int
	FROM pappus.admin_issuer_list(t.id('atk', 1), t.d('owner'), NULL, NULL) l,
		jsonb_array_elements(l.body -> 'items') i (i)
	WHERE (i ->> 'issuer_id')::int = issuer
$$;
SELECT is(t.days(:short), 1, 'a leaf of 30 years fits for one more day');
UPDATE pappus.issuers SET not_after = not_after - interval '2 seconds'
WHERE issuer_id = :short;
SELECT is(t.days(:short), 0, '... for less than a day');
SELECT is(t.issue(1, 'd1', 7, ARRAY[:short]), 'issued', '... and so it does');
UPDATE pappus.issuers SET not_after = not_after - interval '1 day'
WHERE issuer_id = :short;
SELECT is(t.days(:short), 0, '... no more');
SELECT is(t.issue(1, 'd1', 8, ARRAY[:short]), 'issuer_expiring', '... and doesn''t');
SELECT is(t.days(:over), 0, 'long since: never below none');

-- Their states go forward only.
SELECT is(coalesce(outcome || ' ' || (body ->> 'state'), outcome), want,
	format('%s: %s to %s', n, was, change))
FROM (VALUES (1, 'issuing', 'issuing', 'ok issuing'),
	(2, 'issuing', 'crl-only', 'ok crl-only'),
	(3, 'crl-only', 'issuing', 'conflict'),
	(4, 'crl-only', 'crl-only', 'ok crl-only'),
	(5, 'crl-only', 'closed', 'ok closed'), (6, 'closed', 'crl-only', 'conflict'),
	(7, 'closed', 'issuing', 'conflict'), (8, 'closed', 'gone', 'invalid'))
	AS v (n, was, change, want),
	LATERAL pappus.admin_issuer_update(t.id('atk', 1), t.d('owner'), NULL, NULL,
		:over, jsonb_build_object('state', change));
SELECT is(outcome, 'invalid', 'nothing else changes')
FROM pappus.admin_issuer_update(:owner, :first, '{"name": "x"}');
-- Whether they are shared.
SELECT is(coalesce(outcome || ' ' || (body ->> 'shared'), outcome), want,
	format('%s: shared %s', n, change))
FROM (VALUES (1, :first, true, 'ok true'), (2, :first, false, 'ok false'),
	(3, :first, false, 'ok false'), (4, :first, true, 'ok true'),
	(5, :server, true, 'ok true'), (6, :server, false, 'invalid'))
	AS v (n, issuer, change, want),
	LATERAL pappus.admin_issuer_update(t.id('atk', 1), t.d('owner'), NULL, NULL,
		issuer, jsonb_build_object('shared', change));
SELECT t.same($$SELECT object_id, before ->> 'shared', after ->> 'shared'
	FROM pappus.operator_actions WHERE action = 'issuer.update'
	AND before -> 'shared' <> after -> 'shared' ORDER BY action_id$$,
	format($$VALUES ('%1$s', 'true', 'false'), ('%1$s', 'false', 'true')$$,
		:first), 'each change is in the log');
SELECT is(outcome, 'not_found', 'an unknown issuer')
FROM pappus.admin_issuer_update(:owner, 99, '{"state": "closed"}');
SELECT t.same($$SELECT object_id, before ->> 'state', after ->> 'state'
	FROM pappus.operator_actions WHERE action = 'issuer.update'
	AND before -> 'state' <> after -> 'state' ORDER BY action_id$$,
	format($$VALUES ('%1$s', 'issuing', 'crl-only'), ('%1$s', 'crl-only', 'closed')$$,
		:over), 'each step is in the log');
SELECT is(t.issue(1, 'd1', 9, ARRAY[:over]), 'no_issuer', 'it issues no more');
SELECT is(t.issue(1, 'd1', 9, ARRAY[:over, :first]), 'issued', '... another does');

SELECT * FROM finish();
ROLLBACK;
