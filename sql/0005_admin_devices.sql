-- SPDX-License-Identifier: ISC
-- What operators do with devices, by the rules of 0004.  docs/states.md has
-- each state, what may be done in it and what comes of it; a test reads it.
--
-- Ids that the database doesn't know can be denied and revoked, for after a
-- restore there are some: pappus.unknown_devices.

CREATE FUNCTION pappus.json_device(d pappus.devices) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'device_id', d.device_id,
		'project_id', d.project_id,
		'label', d.label,
		'external_id', d.external_id,
		'state', d.state,
		'enrollment_token_id', d.enrollment_token_id,
		'enrolled_at', pappus.json_time(d.enrolled_at),
		'identity_issued_at', pappus.json_time(d.identity_issued_at))
$$;

-- How a certificate stands, its end apart: by its own revocation, if there is
-- one, and by its CA's.
CREATE FUNCTION pappus.certificate_status(reason smallint,
	issuer_revoked_at timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN reason <> 6 THEN 'revoked'
		WHEN issuer_revoked_at IS NOT NULL THEN 'issuer_revoked'
		WHEN reason = 6 THEN 'hold'
		ELSE 'valid'
		END
$$;

-- With its last hundred certificates: for one device, not for lists.
CREATE FUNCTION pappus.json_device_whole(d pappus.devices) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT pappus.json_device(d) || jsonb_build_object('certificates',
		coalesce(
			(SELECT jsonb_agg(jsonb_build_object(
				'serial', encode(c.serial, 'hex'),
				'issuer_id', c.issuer_id,
				'not_before', pappus.json_time(c.not_before),
				'not_after', pappus.json_time(c.not_after),
				'status', pappus.certificate_status(r.reason,
					i.revoked_at),
				'reason', r.reason) ORDER BY c.issued_at, c.serial)
			FROM
				(SELECT *
				FROM pappus.certificates c
				WHERE c.device_id = d.device_id
				ORDER BY c.issued_at DESC
				LIMIT 100) c
			LEFT JOIN pappus.issuers i ON i.issuer_id = c.issuer_id
			LEFT JOIN pappus.revocations r ON r.serial = c.serial),
			'[]'))
$$;

-- A device as its caller may see it, locked until the end of the transaction.
-- What it holds can be read once this lock is taken, not before: an issue
-- that has it may be about to commit one more certificate.
--
-- One that the database doesn't know belongs to no project, and callers that
-- may see all projects may act on it: as "active", or as it was denied before.
CREATE FUNCTION pappus.admin_device_lock(caller pappus.admin_tokens,
	wanted_device_id text)
RETURNS pappus.devices
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	device pappus.devices;
BEGIN
	FOR attempt IN 1 .. 2 LOOP
		SELECT d.* INTO device
		FROM pappus.devices d
		WHERE d.device_id = wanted_device_id
			AND pappus.admin_sees(caller, d.project_id)
		FOR UPDATE;
		IF FOUND OR caller.project_id IS NOT NULL
			OR wanted_device_id !~ '^dev_[0-9a-hjkmnp-tv-z]{26}$' THEN
			RETURN device;
		END IF;
		-- Beside `pappus recover`, which takes it too, a device is either
		-- found by now or denied for it to see.
		IF attempt = 1 THEN
			LOCK TABLE pappus.unknown_devices
				IN SHARE ROW EXCLUSIVE MODE;
		END IF;
	END LOOP;
	device.device_id := wanted_device_id;
	device.state := coalesce(
		(SELECT u.state FROM pappus.unknown_devices u
		WHERE u.device_id = wanted_device_id), 'active');
	RETURN device;
END
$$;

-- Another state for a device that is locked.
CREATE FUNCTION pappus.device_set_state(device pappus.devices,
	new_state text, actor text, reason int, comment text)
RETURNS pappus.devices
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	device.state := new_state;
	IF new_state = 'revoked' THEN
		device.token_sha256 := NULL;
	END IF;
	IF device.project_id IS NOT NULL THEN
		UPDATE pappus.devices d
		SET state = device.state, token_sha256 = device.token_sha256
		WHERE d.device_id = device.device_id;
	ELSIF new_state = 'active' THEN
		DELETE FROM pappus.unknown_devices u
		WHERE u.device_id = device.device_id;
	ELSE
		INSERT INTO pappus.unknown_devices AS u
			(device_id, state, reason, actor, comment)
		VALUES (device.device_id, new_state, coalesce(reason, 0), actor,
			comment)
		ON CONFLICT ON CONSTRAINT unknown_devices_pkey DO UPDATE
		SET state = excluded.state, reason = excluded.reason,
			denied_at = excluded.denied_at, actor = excluded.actor,
			comment = excluded.comment;
	END IF;
	RETURN device;
END
$$;

-- Deny's holds on what is good; what is revoked or held already stays so.
CREATE FUNCTION pappus.device_hold(device pappus.devices, actor text,
	comment text)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp AS $$
	INSERT INTO pappus.revocations (serial, issuer_id, not_after, reason,
		actor, origin, comment)
	SELECT c.serial, c.issuer_id, c.not_after, 6, actor, 'deny', comment
	FROM pappus.open_certificates(device) c
	ORDER BY c.serial
	ON CONFLICT (serial) DO NOTHING
$$;

-- ... taken back, and no others, but for those that recover found on a CRL.  A
-- list doesn't say who made them; nearly always it was deny.
CREATE FUNCTION pappus.device_release(device pappus.devices) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
	DELETE FROM pappus.revocations r
	USING pappus.open_certificates(device) c
	WHERE r.serial = c.serial AND r.origin IN ('deny', 'recover')
		AND r.reason = 6
$$;

-- For good; holds too, whoever made them, and never what is revoked already.
CREATE FUNCTION pappus.device_finish(device pappus.devices, reason int,
	actor text, origin text, comment text)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp AS $$
	INSERT INTO pappus.revocations AS v (serial, issuer_id, not_after,
		reason, actor, origin, comment)
	SELECT c.serial, c.issuer_id, c.not_after, device_finish.reason,
		device_finish.actor, device_finish.origin, device_finish.comment
	FROM pappus.open_certificates(device) c
	ORDER BY c.serial
	ON CONFLICT (serial) DO UPDATE
	SET reason = excluded.reason, revoked_at = excluded.revoked_at,
		actor = excluded.actor, origin = excluded.origin,
		comment = excluded.comment
	WHERE v.reason = 6
$$;

-- The id below every one that was made since, for a search by time: ids begin
-- with 48 bits of milliseconds.
CREATE FUNCTION pappus.id_from(prefix text, at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT prefix || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz',
		(ms >> 5 * i & 31)::int + 1, 1), '' ORDER BY i DESC)
		|| repeat('0', 16)
	FROM
		(SELECT greatest(0, least(281474976710655,
			floor(extract(epoch FROM at) * 1000)))::bigint AS ms) t,
		generate_series(0, 9) i
$$;

-- What is wrong with a filter of devices, null when nothing is.
CREATE FUNCTION pappus.device_filter_problem(filter jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pappus, pg_temp AS $$
DECLARE
	stray text := pappus.json_stray(filter, ARRAY['project_id', 'device_id',
		'label', 'external_id', 'state', 'enrollment_token_id',
		'enrolled_after', 'enrolled_before']);
BEGIN
	IF stray IS NOT NULL THEN
		RETURN format('devices can''t be searched by %s.', stray);
	END IF;
	IF filter ->> 'state' NOT IN ('active', 'denied', 'revoked', 'deleted')
	THEN
		RETURN 'state is active, denied, revoked or deleted.';
	END IF;
	FOREACH stray IN ARRAY ARRAY['enrolled_after', 'enrolled_before'] LOOP
		-- RFC 3339 and not all else that PostgreSQL takes for a time.
		IF upper(filter ->> stray) !~ ('^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d'
			'(\.\d+)?(Z|[+-]\d\d:\d\d)$') THEN
			RETURN format('%s is no time such as 2026-11-23T16:07:00Z.',
				stray);
		END IF;
		BEGIN
			PERFORM (filter ->> stray)::timestamptz;
		EXCEPTION WHEN datetime_field_overflow
			OR invalid_datetime_format
			OR invalid_time_zone_displacement_value THEN
			RETURN format('%s is no time that exists.', stray);
		END;
	END LOOP;
	RETURN NULL;
END
$$;

-- The query of devices by one condition, in the order of ids: between $1 and
-- $2, of the filter $3 and the project $4.
CREATE FUNCTION pappus.device_source(driving text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE driving
		WHEN 'one' THEN
			'SELECT * FROM pappus.devices d'
			' WHERE d.device_id = $3 ->> ''device_id'''
			' AND d.device_id > $1 AND d.device_id < $2'
			' ORDER BY d.device_id'
		WHEN 'device_id' THEN
			'SELECT * FROM pappus.devices d'
			' WHERE d.device_id > $1 AND d.device_id < $2'
			' ORDER BY d.device_id LIMIT 10000'
		-- As many as there are projects at most.
		WHEN 'external_id' THEN
			'SELECT * FROM (SELECT * FROM pappus.devices d'
			' WHERE d.external_id = $3 ->> ''external_id'''
			' AND ($4 IS NULL OR d.project_id = $4) OFFSET 0) d'
			' WHERE d.device_id > $1 AND d.device_id < $2'
			' ORDER BY d.external_id, d.device_id'
		-- Compared as rows, so that no other index will do, however many
		-- the planner expects to have, say, this label.
		ELSE format('SELECT * FROM pappus.devices d'
			' WHERE (d.%1$I, d.device_id) > (%2$s, $1)'
			' AND (d.%1$I, d.device_id) < (%2$s, $2)%3$s'
			' ORDER BY d.%1$I, d.device_id LIMIT 10000', driving,
			CASE driving WHEN 'project_id' THEN '$4'
				ELSE format('$3 ->> %L', driving) END,
			CASE driving
				WHEN 'state' THEN ' AND d.state <> ''active'''
				WHEN 'label' THEN ' AND d.label IS NOT NULL'
				ELSE ''
				END)
		END
$$;

-- Devices in the order of ids.  The condition that is expected to leave least
-- has an index to itself that is read in that order; the others look at what
-- it brings, ten thousand rows a page at most.  A page can thus be short, and
-- even empty, and still have a next one.
CREATE FUNCTION pappus.admin_device_list(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, filter jsonb, page_size int, cursor text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	scope text := coalesce(filter ->> 'project_id', caller.project_id);
	low text := coalesce(cursor, '');
	high text := 'dev_~';	-- above all
	detail text;
	driving text;
	source text;
	ids text[];
	documents jsonb[];
	last_id text;
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NULL AND cursor !~ '^dev_[0-9a-hjkmnp-tv-z]{26}$' THEN
		outcome := 'invalid_cursor';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	filter := coalesce(filter, '{}');
	detail := pappus.device_filter_problem(filter);
	IF detail IS NOT NULL THEN
		outcome := 'invalid';
		body := pappus.json_detail(detail);
		RETURN;
	END IF;
	PERFORM
	FROM pappus.projects p
	WHERE p.project_id = scope AND pappus.admin_sees(caller, p.project_id);
	IF NOT FOUND AND scope IS NOT NULL THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	outcome := 'ok';
	IF filter ? 'enrolled_after' THEN
		-- The least id of that time, less its zeros: below it, and above
		-- all that are below.
		low := greatest(low COLLATE "C", rtrim(pappus.id_from('dev_',
			(filter ->> 'enrolled_after')::timestamptz), '0'));
	END IF;
	IF filter ? 'enrolled_before' THEN
		high := pappus.id_from('dev_',
			(filter ->> 'enrolled_before')::timestamptz);
	END IF;
	driving := CASE
		WHEN filter ? 'device_id' THEN 'device_id'
		WHEN filter ? 'external_id' THEN 'external_id'
		WHEN filter ? 'label' THEN 'label'
		WHEN filter ? 'enrollment_token_id' THEN 'enrollment_token_id'
		WHEN filter ->> 'state' <> 'active' THEN 'state'
		WHEN scope IS NOT NULL THEN 'project_id'
		ELSE 'device_id'
		END;
	source := pappus.device_source(
		CASE WHEN filter ? 'device_id' THEN 'one' ELSE driving END);
	EXECUTE format($query$
		SELECT array_agg(s.device_id), array_agg(pappus.json_device(s))
		FROM
			(SELECT *
			FROM (%s) d
			WHERE ($4 IS NULL OR d.project_id = $4)
				AND (NOT $3 ? 'external_id' OR
					d.external_id = $3 ->> 'external_id')
				AND (NOT $3 ? 'label' OR d.label = $3 ->> 'label')
				AND (NOT $3 ? 'state' OR d.state = $3 ->> 'state')
				AND (NOT $3 ? 'enrollment_token_id' OR
					d.enrollment_token_id = $3 ->> 'enrollment_token_id')
			ORDER BY d.%I, d.device_id
			LIMIT $5) s$query$, source, driving)
	INTO ids, documents
	USING low, high, filter, scope, page_size + 1;
	body := pappus.json_page(ids, documents, page_size);
	IF coalesce(cardinality(ids), 0) <= page_size THEN
		EXECUTE format('SELECT d.device_id FROM (%s) d OFFSET 9999', source)
		INTO last_id
		USING low, high, filter, scope;
		body := body || jsonb_build_object('next_cursor', last_id);
	END IF;
END
$$;

CREATE FUNCTION pappus.admin_device_get(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_device_id text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	device pappus.devices;
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT d.* INTO device
	FROM pappus.devices d
	WHERE d.device_id = wanted_device_id
		AND pappus.admin_sees(caller, d.project_id);
	IF NOT FOUND AND caller.project_id IS NULL THEN
		SELECT u.device_id, u.state INTO device.device_id, device.state
		FROM pappus.unknown_devices u
		WHERE u.device_id = wanted_device_id;
	END IF;
	IF device.device_id IS NULL THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	outcome := 'ok';
	body := pappus.json_device_whole(device);
END
$$;

-- Shuts a device out, reversibly: its certificates go on hold, and it gets
-- no new one.  Denying a denied device changes nothing and is ok.
CREATE FUNCTION pappus.admin_device_deny(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_device_id text, reason text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	device pappus.devices;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	device := pappus.admin_device_lock(caller, wanted_device_id);
	outcome := CASE
		WHEN device.device_id IS NULL THEN 'not_found'
		WHEN device.state NOT IN ('active', 'denied') THEN 'conflict'
		ELSE 'ok'
		END;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	IF device.state = 'active' THEN
		earlier := pappus.json_device_whole(device);
		device := pappus.device_set_state(device, 'denied',
			caller.admin_token_id, NULL, reason);
		PERFORM pappus.device_hold(device, caller.admin_token_id, reason);
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'device.deny', device.device_id,
			device.project_id, reason, earlier,
			pappus.json_device_whole(device));
	END IF;
	body := pappus.json_device_whole(device);
END
$$;

-- Takes a denial back, with the holds that it made and no others.
CREATE FUNCTION pappus.admin_device_allow(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_device_id text, reason text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	device pappus.devices;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	device := pappus.admin_device_lock(caller, wanted_device_id);
	outcome := CASE
		WHEN device.device_id IS NULL THEN 'not_found'
		WHEN device.project_id IS NULL AND device.state = 'active'
			THEN 'not_found'
		WHEN device.state NOT IN ('active', 'denied') THEN 'conflict'
		ELSE 'ok'
		END;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	IF device.state = 'denied' THEN
		earlier := pappus.json_device_whole(device);
		device := pappus.device_set_state(device, 'active',
			caller.admin_token_id, NULL, reason);
		PERFORM pappus.device_release(device);
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'device.allow', device.device_id,
			device.project_id, reason, earlier,
			pappus.json_device_whole(device));
	END IF;
	body := pappus.json_device_whole(device);
END
$$;

-- Shuts a device out for good: its certificates are revoked, its token is
-- dead.  Only a reset brings it back.
CREATE FUNCTION pappus.admin_device_revoke(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_device_id text, reason text,
	reason_code int, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	code int := coalesce(reason_code, 0);
	device pappus.devices;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	IF code NOT IN (0, 1, 3, 4, 5, 9) THEN
		outcome := 'invalid';
		body := pappus.json_detail('reason_code is 0, 1, 3, 4, 5 or 9; to'
			' shut a device out for a while, deny it.');
		RETURN;
	END IF;
	device := pappus.admin_device_lock(caller, wanted_device_id);
	outcome := CASE
		WHEN device.device_id IS NULL THEN 'not_found'
		WHEN device.state = 'deleted' THEN 'conflict'
		ELSE 'ok'
		END;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	IF device.state <> 'revoked' THEN
		earlier := pappus.json_device_whole(device);
		device := pappus.device_set_state(device, 'revoked',
			caller.admin_token_id, code, reason);
		PERFORM pappus.device_finish(device, code, caller.admin_token_id,
			'revoke', reason);
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'device.revoke', device.device_id,
			device.project_id, reason, earlier,
			pappus.json_device_whole(device));
	END IF;
	body := pappus.json_device_whole(device);
END
$$;

-- A fresh start: active, without identity, with a new token.  What it held
-- is superseded.
CREATE FUNCTION pappus.admin_device_reset(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_device_id text, reason text,
	new_token_sha256 bytea, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	device pappus.devices;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	device := pappus.admin_device_lock(caller, wanted_device_id);
	outcome := CASE
		WHEN device.project_id IS NULL THEN 'not_found'
		WHEN device.state = 'deleted' THEN 'conflict'
		ELSE 'ok'
		END;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	earlier := pappus.json_device_whole(device);
	PERFORM pappus.device_finish(device, 4, caller.admin_token_id, 'reset',
		reason);
	UPDATE pappus.devices d
	SET state = 'active', token_sha256 = new_token_sha256,
		identity_issued_at = NULL,
		live_since = greatest(now(), d.live_since)
	WHERE d.device_id = device.device_id
	RETURNING d.* INTO device;
	body := pappus.json_device_whole(device);
	PERFORM pappus.admin_record(caller, caller_address, caller_request,
		'device.reset', device.device_id, device.project_id, reason,
		earlier, body);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.admin_device_list,
	pappus.admin_device_get,
	pappus.admin_device_deny,
	pappus.admin_device_allow,
	pappus.admin_device_revoke,
	pappus.admin_device_reset
	TO pappus_admin;
