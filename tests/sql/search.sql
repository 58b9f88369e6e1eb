-- SPDX-License-Identifier: ISC
-- Lists of devices and of certificates: each filter, all together, and page
-- after page.
\ir fixture.psql
SELECT plan(105);

-- An id of that time: as the programs make them.
CREATE FUNCTION t.at(at timestamptz, n int) RETURNS text LANGUAGE sql AS
$$ SELECT left(pappus.id_from('dev_', at), 14) || lpad(n::text, 16, '0') $$;
INSERT INTO pappus.devices (device_id, project_id, enrollment_token_id,
	token_sha256, label, external_id, state, identity_issued_at)
SELECT t.at(timestamptz '2026-03-01 00:00+0' + n * interval '1 day', n),
	t.id('proj', p), t.id('etk', p), t.d('d' || n), label, external_id, state,
	now()
FROM (VALUES
	(1, 1, 'pump', 'SN-1', 'active'), (2, 1, 'pump', 'SN-2', 'denied'),
	(3, 2, 'pump', 'SN-1', 'active'), (4, 1, 'Pump', NULL, 'revoked'),
	(5, 1, NULL, 'SN-5', 'active'), (6, 2, NULL, NULL, 'denied'),
	(7, 1, 'valve', 'SN-7', 'active'), (8, 1, 'valve', NULL, 'deleted'))
	AS v (n, p, label, external_id, state);

CREATE FUNCTION t.number(n int) RETURNS text LANGUAGE sql AS $$
	SELECT device_id FROM pappus.devices WHERE token_sha256 = t.d('d' || n)
$$;
-- The numbers on a page, or the outcome.
CREATE FUNCTION t.devices(filter jsonb, page_size int DEFAULT 100,
	cursor text DEFAULT NULL, caller int DEFAULT 1)
RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN outcome <> 'ok' THEN outcome ELSE coalesce(
		(SELECT string_agg(right(i ->> 'device_id', 2)::int::text, ' '
			ORDER BY n)
		FROM jsonb_array_elements(body -> 'items') WITH ORDINALITY
			AS i (i, n)), '')
		|| CASE WHEN body ->> 'next_cursor' IS NOT NULL THEN ' ...' ELSE ''
			END END
	FROM pappus.admin_device_list(t.id('atk', caller),
		t.d(CASE caller WHEN 1 THEN 'owner' ELSE 'bound' END), NULL, NULL,
		filter, page_size, cursor)
$$;
SELECT is(t.devices(filter), want, filter::text)
FROM (VALUES ('{}'::jsonb, '1 2 3 4 5 6 7 8'),
	(NULL, '1 2 3 4 5 6 7 8'),
	('{"label": "pump"}', '1 2 3'), ('{"label": "Pump"}', '4'),
	('{"label": "pum"}', ''), ('{"label": ""}', ''),
	('{"label": "''; DROP TABLE pappus.devices; --"}', ''),
	('{"external_id": "SN-1"}', '1 3'), ('{"external_id": "SN"}', ''),
	('{"state": "active"}', '1 3 5 7'), ('{"state": "denied"}', '2 6'),
	('{"state": "revoked"}', '4'), ('{"state": "deleted"}', '8'),
	(jsonb_build_object('device_id', t.number(4)), '4'),
	(jsonb_build_object('device_id', left(t.number(4), 29)), ''),
	(jsonb_build_object('device_id', t.number(4) || '0'), ''),
	('{"device_id": "x"}', ''),
	(jsonb_build_object('device_id', t.number(2), 'project_id', t.id('proj', 1),
	'external_id', 'SN-2', 'label', 'pump', 'state', 'denied'), '2'),
	(jsonb_build_object('device_id', t.number(2), 'external_id', 'SN-1'), ''),
	(jsonb_build_object('device_id', t.number(2), 'enrolled_after',
	'2026-03-04T00:00:00Z'), ''),
	(jsonb_build_object('project_id', t.id('proj', 2)), '3 6'),
	(jsonb_build_object('enrollment_token_id', t.id('etk', 1)), '1 2 4 5 7 8'),
	(jsonb_build_object('enrollment_token_id', t.id('etk', 9)), ''),
	('{"enrolled_after": "2026-03-06T00:00:00Z"}', '5 6 7 8'),
	('{"enrolled_after": "2026-03-06T00:00:00.001Z"}', '6 7 8'),
	('{"enrolled_after": "2026-03-06T01:00:00+01:00"}', '5 6 7 8'),
	('{"enrolled_before": "2026-03-06T00:00:00Z"}', '1 2 3 4'),
	('{"enrolled_before": "1900-01-01T00:00:00Z"}', ''),
	('{"enrolled_after": "9999-12-31T23:59:59Z"}', ''),
	('{"enrolled_after": "2026-03-03T00:00:00z",
	"enrolled_before": "2026-03-05t00:00:00Z"}', '2 3'),
	('{"enrolled_after": "2026-03-05T00:00:00Z",
	"enrolled_before": "2026-03-03T00:00:00Z"}', ''),
	(jsonb_build_object('project_id', t.id('proj', 1), 'label', 'pump',
	'external_id', 'SN-2', 'state', 'denied', 'enrollment_token_id',
	t.id('etk', 1), 'enrolled_after', '2026-03-01T00:00:00Z',
	'enrolled_before', '2026-04-01T00:00:00Z'), '2'),
	(jsonb_build_object('project_id', t.id('proj', 1), 'label', 'pump',
	'external_id', 'SN-2', 'state', 'active'), ''),
	(jsonb_build_object('project_id', t.id('proj', 1), 'label', 'pump'), '1 2'),
	('{"label": "pump", "state": "active"}', '1 3'),
	('{"label": "pump", "enrolled_before": "2026-03-04T00:00:00Z"}', '1 2'),
	(jsonb_build_object('project_id', t.id('proj', 2), 'state', 'denied'), '6'),
	('{"color": "red"}', 'invalid'), ('{"state": "gone"}', 'invalid'),
	('{"enrolled_after": "yesterday"}', 'invalid'),
	('{"enrolled_after": "2026-03-05"}', 'invalid'),
	('{"enrolled_after": "2026-02-30T00:00:00Z"}', 'invalid'),
	('{"enrolled_before": "2026-03-05T25:00:00Z"}', 'invalid'),
	('{"enrolled_before": "2026-03-05T00:00:00+99:00"}', 'invalid'),
	(jsonb_build_object('project_id', t.id('proj', 9)), 'not_found'))
	AS v (filter, want);
SELECT is(t.devices('{"label": "pump"}', caller => 4), '3',
	'a bound token sees its own alone'),
	is(t.devices('{"external_id": "SN-1"}', caller => 4), '3', '... by any filter'),
	is(t.devices(jsonb_build_object('project_id', t.id('proj', 1)), caller => 4),
	'not_found', '... and not by naming another');

-- Pages.
CREATE FUNCTION t.pages(filter jsonb, page_size int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	cursor text;
	page text;
	pages text := '';
BEGIN
	LOOP
		page := t.devices(filter, page_size, cursor);
		pages := pages || '[' || replace(page, ' ...', '') || ']';
		EXIT WHEN page !~ '\.\.\.$';
		SELECT body ->> 'next_cursor' INTO cursor
		FROM pappus.admin_device_list(t.id('atk', 1), t.d('owner'), NULL,
			NULL, filter, page_size, cursor);
	END LOOP;
	RETURN pages;
END
$$;
SELECT is(t.pages(filter, size), want, filter::text || ' by ' || size)
FROM (VALUES ('{}'::jsonb, 3, '[1 2 3][4 5 6][7 8]'),
	('{}', 4, '[1 2 3 4][5 6 7 8]'), ('{}', 1, '[1][2][3][4][5][6][7][8]'),
	('{"label": "pump"}', 2, '[1 2][3]'),
	('{"external_id": "SN-1"}', 1, '[1][3]'),
	('{"state": "active"}', 2, '[1 3][5 7]'),
	('{"state": "denied"}', 1, '[2][6]'),
	('{"enrolled_after": "2026-03-04T00:00:00Z"}', 4, '[3 4 5 6][7 8]'),
	(jsonb_build_object('project_id', t.id('proj', 1)), 4, '[1 2 4 5][7 8]'))
	AS v (filter, size, want);
SELECT is(t.devices('{}', 3, t.id('proj', 1)), 'invalid_cursor',
	'a cursor of another kind');

-- Ten thousand are looked at for a page, and then it ends.
INSERT INTO pappus.devices (device_id, project_id, enrollment_token_id,
	token_sha256, label)
SELECT t.at('2026-02-01 00:00+0', n), t.id('proj', 2), t.id('etk', 2), t.d('d'),
	'pump'
FROM generate_series(1, 10000) n;
SELECT is(jsonb_array_length(body -> 'items'), 0, 'a page can be empty'),
	is(body ->> 'next_cursor', t.at('2026-02-01 00:00+0', 10000),
		'... and not be the last')
FROM pappus.admin_device_list(:owner, jsonb_build_object('label', 'pump',
	'project_id', t.id('proj', 1)), 10, NULL);
SELECT is(t.pages(jsonb_build_object('label', 'pump', 'project_id',
	t.id('proj', 1)), 10), '[][1 2]', '... but what there is is found');
SELECT is(t.pages(jsonb_build_object('label', 'pump', 'state', 'denied'), 10),
	'[][2]', '... likewise');

-- Ids by time; the first is the ULID specification's example.
SELECT is(pappus.id_from('x_', at), want, coalesce(at::text))
FROM (VALUES (to_timestamp(1469918176.385), 'x_01aryz6s410000000000000000'),
	('1970-01-01 00:00+0', 'x_00000000000000000000000000'),
	('1960-01-01 00:00+0', 'x_00000000000000000000000000'),
	('12000-01-01 00:00+0', 'x_7zzzzzzzzz0000000000000000')) AS v (at, want);

-- Certificates.
SELECT pappus.admin_project_update(:owner, t.id('proj', 1), '{"reissue_policy":
	"keep"}') \g /dev/null
SELECT t.register('second', 'device', :root) AS second \gset
CREATE FUNCTION t.give(device int, serial int, issuer int) RETURNS text
LANGUAGE sql AS $$
	SELECT outcome FROM pappus.devices d, pappus.issue(ARRAY[d.device_id],
		ARRAY[d.token_sha256], ARRAY[t.serial(serial)],
		ARRAY[t.d('key' || serial / 10)], ARRAY[NULL::inet],
		ARRAY[NULL::uuid], ARRAY[NULL::timestamptz], ARRAY[issuer])
	WHERE right(d.device_id, 16)::int = device AND d.external_id IS NOT NULL
$$;
SELECT t.give(7, 11, :first), t.give(1, 12, :first), t.give(1, 13, :second),
	t.give(3, 14, :second), t.give(1, 21, :first) \g /dev/null
SELECT pappus.setup_certificate_record(substr(t.d('server'), 1, 20),
	t.serial(5), 'broker', t.d('k'), 0, 31536000) \g /dev/null
-- Among a device's, time goes before the serial.
UPDATE pappus.certificates SET issued_at = now() - interval '1 hour'
WHERE serial = t.serial(21);
CREATE FUNCTION t.certificates(filter jsonb, page_size int DEFAULT 100,
	cursor text DEFAULT NULL, caller int DEFAULT 1)
RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN outcome <> 'ok' THEN outcome ELSE coalesce(
		(SELECT string_agg(('x' || right(i ->> 'serial', 2))::bit(8)::int::text,
			' ' ORDER BY n)
		FROM jsonb_array_elements(body -> 'items') WITH ORDINALITY
			AS i (i, n)), '')
		|| CASE WHEN body ->> 'next_cursor' IS NOT NULL THEN ' ...' ELSE ''
			END END
	FROM pappus.admin_certificate_list(t.id('atk', caller),
		t.d(CASE caller WHEN 1 THEN 'owner' ELSE 'bound' END), NULL, NULL,
		filter, page_size, cursor)
$$;
SELECT device_id AS device FROM pappus.devices WHERE external_id = 'SN-1'
	AND project_id = t.id('proj', 1) \gset
SELECT is(t.certificates(filter), want, filter::text)
FROM (VALUES (NULL::jsonb, '5 11 12 13 14 21'),
	('{}', '5 11 12 13 14 21'),
	(jsonb_build_object('device_id', :'device'), '21 12 13'),
	(jsonb_build_object('device_id', t.id('dev', 99)), ''),
	(jsonb_build_object('issuer_id', :first::text), '11 12 21'),
	(jsonb_build_object('issuer_id', :second::text), '13 14'),
	(jsonb_build_object('issuer_id', :server::text), '5'),
	('{"issuer_id": "99"}', ''),
	(jsonb_build_object('project_id', t.id('proj', 1)), '21 12 13 11'),
	-- Ten thousand devices without any come first.
	(jsonb_build_object('project_id', t.id('proj', 2)), ' ...'),
	(jsonb_build_object('project_id', t.id('proj', 9)), 'not_found'),
	(jsonb_build_object('spki_sha256', encode(t.d('key1'), 'hex')), '11 12 13 14'),
	(jsonb_build_object('spki_sha256', upper(encode(t.d('key2'), 'hex'))), '21'),
	(jsonb_build_object('spki_sha256', repeat('00', 32)), ''),
	(jsonb_build_object('spki_sha256', encode(t.d('key1'), 'hex'), 'project_id',
	t.id('proj', 1), 'issuer_id', :second::text), '13'),
	(jsonb_build_object('spki_sha256', encode(t.d('key1'), 'hex'), 'device_id',
	:'device'), '12 13'),
	(jsonb_build_object('device_id', :'device', 'issuer_id', :first::text), '21 12'),
	(jsonb_build_object('device_id', :'device', 'project_id', t.id('proj', 2)), ''),
	(jsonb_build_object('project_id', t.id('proj', 1), 'issuer_id', :first::text),
	'21 12 11'),
	('{"serial": "01"}', 'invalid'), ('{"spki_sha256": "00"}', 'invalid'),
	('{"issuer_id": "x"}', 'invalid')) AS v (filter, want);
SELECT is(t.certificates('{}', 100, t.at('2026-02-01 00:00+0', 10000), 4), '14',
	'a bound token sees its own alone'),
	is(t.certificates(jsonb_build_object('device_id', :'device'), caller => 4), '',
	'... by any filter'),
	is(t.certificates(jsonb_build_object('spki_sha256', encode(t.d('key1'),
	'hex')), caller => 4), '14', '... likewise');
CREATE FUNCTION t.certificate_pages(filter jsonb, page_size int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	cursor text;
	page text;
	pages text := '';
BEGIN
	LOOP
		page := t.certificates(filter, page_size, cursor);
		pages := pages || '[' || replace(page, ' ...', '') || ']';
		EXIT WHEN page !~ '\.\.\.$';
		SELECT body ->> 'next_cursor' INTO cursor
		FROM pappus.admin_certificate_list(t.id('atk', 1), t.d('owner'),
			NULL, NULL, filter, page_size, cursor);
	END LOOP;
	RETURN pages;
END
$$;
SELECT is(t.certificate_pages(filter, size), want, filter::text || ' by ' || size)
FROM (VALUES ('{}'::jsonb, 4, '[5 11 12 13][14 21]'),
	('{}', 3, '[5 11 12][13 14 21]'),
	(jsonb_build_object('device_id', :'device'), 1, '[21][12][13]'),
	(jsonb_build_object('issuer_id', :first::text), 2, '[11 12][21]'),
	(jsonb_build_object('spki_sha256', encode(t.d('key1'), 'hex')), 2,
	'[11 12][13 14]'),
	(jsonb_build_object('project_id', t.id('proj', 1)), 1, '[21][12][13][11]'),
	(jsonb_build_object('project_id', t.id('proj', 1)), 2, '[21 12][13 11]'),
	(jsonb_build_object('project_id', t.id('proj', 1)), 3, '[21 12 13][11]'),
	(jsonb_build_object('project_id', t.id('proj', 2)), 9, '[][14]'))
	AS v (filter, size, want);
SELECT is(t.certificates(filter, 3, cursor), 'invalid_cursor',
	'a cursor of another kind: ' || cursor)
FROM (VALUES ('{}'::jsonb, 'x'), ('{}', '00'), ('{}', t.id('dev', 1)),
	(jsonb_build_object('project_id', t.id('proj', 1)), encode(t.serial(5), 'hex')),
	(jsonb_build_object('project_id', t.id('proj', 1)), '0199'))
	AS v (filter, cursor);

SELECT * FROM finish();
ROLLBACK;
