-- SPDX-License-Identifier: ISC
-- What local commands call: issuers, the first admin token, the certificates
-- of servers.  And the functions that read issuers.
\ir fixture.psql
SELECT plan(38);

SELECT is(t.register('first', 'device', :root), :first,
	'the same certificate again has the same id');
SELECT is(count(*), 3::bigint, '... and no second row') FROM pappus.issuers;
SELECT is(pappus.setup_issuer_by_ski(substr(t.d('first'), 1, 20)), :first,
	'an issuer is found by its key');
SELECT is(pappus.setup_issuer_by_ski('\x00'), NULL, 'an unknown key is none');
PREPARE register (text, int, bytea, bytea, bigint) AS
	SELECT pappus.setup_issuer_register($1, $2, 'name', $3, $4, 0, $5,
		'http://ca.example/a.crl', 'http://ca.example/a.crt', NULL,
		CASE WHEN $1 = 'device' THEN t.d('profile') END);
SELECT throws_ok(format(
	$$EXECUTE register('device', %s, convert_to(repeat('x', 99), 'UTF8'),
		substr(t.d('first'), 1, 20), 100)$$, :root),
	'23505', NULL, 'another certificate of a registered key');
-- What is fixed.
CREATE FUNCTION t.again(name text, purpose text DEFAULT 'device',
	crl_url text DEFAULT NULL, ca_url text DEFAULT NULL,
	trust_domain text DEFAULT NULL, profile text DEFAULT 'profile')
RETURNS int LANGUAGE sql AS $$
	SELECT pappus.setup_issuer_register(again.purpose, i.parent_id, i.name,
		i.certificate, i.ski, extract(epoch FROM i.not_before)::bigint,
		extract(epoch FROM i.not_after)::bigint,
		coalesce(again.crl_url, i.crl_url), coalesce(again.ca_url, i.ca_url),
		again.trust_domain, t.d(again.profile))
	FROM pappus.issuers i WHERE i.name = again.name
$$;
SELECT is(t.again('first'), :first, 'again as it is');
SELECT throws_ok('SELECT t.again(''first'', ' || change || ')', '23505',
	'it is registered already, with addresses, a trust domain or a profile'
	' that can''t be changed any more', 'again, with ' || change)
FROM (VALUES ('crl_url => ''http://ca.example/x.crl'''),
	('ca_url => ''http://ca.example/x.crt'''),
	('trust_domain => ''fleet.example'''), ('profile => ''x''')) AS v (change);
SELECT throws_ok('SELECT t.again(''first'', ''service'')', '23505',
	'it is registered already, for device', '... or for another purpose');
SELECT is(t.again('root', 'root', crl_url => 'http://ca.example/x.crl'), :root,
	'a root''s addresses are those that came first');
SELECT is(shared, true, 'a device issuer is for all') FROM pappus.issuers
WHERE issuer_id = :first;
SELECT pappus.setup_issuer_register('device', :root, 'own',
	convert_to(repeat('y', 99), 'UTF8'), '\x98', 0, 100, 'u', 'u', NULL,
	t.d('profile'), false) \g /dev/null
SELECT is(shared, false, '... or for those who name it') FROM pappus.issuers
WHERE ski = '\x98';
DELETE FROM pappus.issuers WHERE ski = '\x98';
SELECT throws_ok(format($$SELECT pappus.setup_issuer_register('server', %s,
	'own', convert_to(repeat('y', 99), 'UTF8'), '\x98', 0, 100, 'u', 'u', NULL,
	NULL, false)$$, :root), '23514', NULL, '... unlike those of other purposes');
SELECT throws_ok(format(
	$$EXECUTE register('device', %s, convert_to(repeat('x', 99), 'UTF8'),
		'\x99', 100)$$, :first),
	'23503', NULL, 'a parent that is no root');
SELECT throws_ok(
	$$EXECUTE register('device', 99, convert_to(repeat('x', 99), 'UTF8'),
		'\x99', 100)$$, '23503', NULL, 'a parent that is not there');
SELECT throws_ok(
	$$EXECUTE register('device', NULL, convert_to(repeat('x', 99), 'UTF8'),
		'\x99', 100)$$, '23514', NULL, 'a sub-CA without a parent');
SELECT throws_ok(format(
	$$EXECUTE register('root', %s, convert_to(repeat('x', 99), 'UTF8'),
		'\x99', 100)$$, :root), '23514', NULL, 'a root with one');
SELECT throws_ok(format(
	$$EXECUTE register('broker', %s, convert_to(repeat('x', 99), 'UTF8'),
		'\x99', 100)$$, :root), '23514', NULL, 'an unknown purpose');
SELECT throws_ok(
	$$EXECUTE register('root', NULL, convert_to(repeat('x', 99), 'UTF8'),
		'\x99', 0)$$, '23514', NULL, 'an end before the beginning');

SELECT t.same(
	$$SELECT purpose, state, octet_length(certificate), crl_url, ca_url,
		trust_domain, profile_sha256 FROM pappus.issuers()$$,
	$$VALUES
		('root', 'issuing', 256, 'http://ca.example/root.crl',
			'http://ca.example/root.crt', NULL, NULL),
		('device', 'issuing', 320, 'http://ca.example/first.crl',
			'http://ca.example/first.crt', NULL, t.d('profile')),
		('server', 'issuing', 384, 'http://ca.example/server.crl',
			'http://ca.example/server.crt', NULL, t.d('profile'))$$,
	'identity sees every issuer, roots included');
SELECT is(count(*), 3::bigint, '... each below its parent')
FROM pappus.issuers() i
WHERE (i.purpose = 'root' AND i.parent_id IS NULL) OR i.parent_id = :root;

SELECT throws_ok(
	$$SELECT pappus.setup_admin_token_create(t.id('atk', 1), t.d('x'), 'owner', 'x')$$,
	'23505', NULL, 'an admin token''s id that is taken');
SELECT throws_ok(
	$$SELECT pappus.setup_admin_token_create(t.id('atk', 8), t.d('x'), 'god', 'x')$$,
	'23514', NULL, 'an unknown role');
SELECT throws_ok(
	$$SELECT pappus.setup_admin_token_create(t.id('dev', 8), t.d('x'), 'owner', 'x')$$,
	'23514', NULL, 'an id of the wrong kind');
SELECT t.same(
	$$SELECT actor, database_role, object_id, after FROM pappus.operator_actions
	WHERE action = 'admin_token.create' ORDER BY action_id LIMIT 1$$,
	$$VALUES ('setup', session_user, t.id('atk', 1), jsonb_build_object(
		'admin_token_id', t.id('atk', 1), 'role', 'owner',
		'name', 'The owner'))$$,
	'making one is an act like any other, without its digest');

PREPARE record (bytea, bytea, text, bytea) AS
	SELECT pappus.setup_certificate_record($1, $2, $3, $4, 0, 31536000);
SELECT lives_ok(
	$$EXECUTE record(substr(t.d('server'), 1, 20), t.serial(1), 'broker', t.d('k'))$$,
	'a server''s certificate is recorded');
SELECT t.same(
	$$SELECT serial, issuer_id, device_id, subject, profile, spki_sha256,
		not_after FROM pappus.certificates$$,
	format($$VALUES (t.serial(1), %s, NULL, 'broker', 'server', t.d('k'),
		timestamptz '1971-01-01 00:00+0')$$, :server), '... as it is');
SELECT count(*) AS actions FROM pappus.operator_actions \gset
SELECT lives_ok(
	$$EXECUTE record(substr(t.d('server'), 1, 20), t.serial(1), 'broker', t.d('k'))$$,
	'... once more is the same');
SELECT is(count(*), :actions::bigint, '... and no second act')
FROM pappus.operator_actions;
SELECT throws_ok(
	$$EXECUTE record(substr(t.d('server'), 1, 20), t.serial(1), 'broker', t.d('l'))$$,
	'23505', NULL, 'another certificate of that serial');
SELECT throws_ok(
	$$EXECUTE record('\x00', t.serial(2), 'broker', t.d('k'))$$,
	'23503', NULL, 'an unknown issuer');
SELECT throws_ok(
	$$EXECUTE record(substr(t.d('first'), 1, 20), t.serial(2), 'broker', t.d('k'))$$,
	'23514', NULL, 'a device issuer''s are recorded by issue alone');
SELECT throws_ok(
	$$EXECUTE record(substr(t.d('server'), 1, 20), '\x80', 'broker', t.d('k'))$$,
	'23514', NULL, 'a negative serial');
SELECT throws_ok(
	$$EXECUTE record(substr(t.d('server'), 1, 20), '\x0001', 'broker', t.d('k'))$$,
	'23514', NULL, 'a serial with an octet too many');
SELECT throws_ok(
	$$EXECUTE record(substr(t.d('server'), 1, 20),
		decode(repeat('01', 21), 'hex'), 'broker', t.d('k'))$$,
	'23514', NULL, 'a serial of 21 octets');

SELECT is(pappus.version(), max(version), 'the version is the last migration''s')
FROM pappus.schema_migrations;

SELECT * FROM finish();
ROLLBACK;
