-- SPDX-License-Identifier: ISC
-- What operators do.  Each function authenticates the caller's token, checks
-- the role, acts and records the act, all in the caller's transaction, and
-- answers an outcome and the JSON document for whoever asked: ok, created,
-- invalid_token, forbidden, not_found, conflict or invalid_cursor.
--
-- The first four arguments of each are the caller's token (id and digest),
-- address and request id.  A token that is bound to a project sees that
-- project alone; what belongs to others is not_found.
--
-- Lists are read in the order of ids; the cursor is the last id of the page
-- before.  (A bitmap scan would read all that follow and sort them.)

-- Helpers.  Nobody but the owner may execute them.  Those without a
-- search_path of their own have their caller's, and so can be inlined: a list
-- of 1,000 would otherwise plan each row's document.

CREATE FUNCTION pappus.json_time(at timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;

CREATE FUNCTION pappus.json_project(p pappus.projects) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'project_id', p.project_id,
		'name', p.name,
		'state', p.state,
		'reissue_policy', p.reissue_policy,
		'created_at', pappus.json_time(p.created_at))
$$;

CREATE FUNCTION pappus.json_enrollment_token(t pappus.enrollment_tokens)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'enrollment_token_id', t.enrollment_token_id,
		'project_id', t.project_id,
		'state', CASE
			WHEN t.invalidated_at IS NOT NULL THEN 'invalidated'
			WHEN t.expires_at <= now() THEN 'expired'
			ELSE 'active'
			END,
		'created_at', pappus.json_time(t.created_at),
		'expires_at', pappus.json_time(t.expires_at),
		'invalidated_at', pappus.json_time(t.invalidated_at))
$$;

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

-- With its latest certificates, 100 at most: for one device, not for lists.
CREATE FUNCTION pappus.json_device_whole(d pappus.devices) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT pappus.json_device(d) || jsonb_build_object('certificates',
		coalesce(
			(SELECT jsonb_agg(jsonb_build_object(
				'serial', encode(c.serial, 'hex'),
				'issuer_id', c.issuer_id,
				'not_before', pappus.json_time(c.not_before),
				'not_after', pappus.json_time(c.not_after),
				'status', CASE
					WHEN r.serial IS NULL THEN 'valid'
					WHEN r.reason = 6 THEN 'hold'
					ELSE 'revoked'
					END,
				'reason', r.reason) ORDER BY c.issued_at, c.serial)
			FROM
				(SELECT *
				FROM pappus.certificates o
				WHERE o.device_id = d.device_id
				ORDER BY o.issued_at DESC
				LIMIT 100) c
			LEFT JOIN pappus.revocations r ON r.serial = c.serial),
			'[]'))
$$;

-- The caller's token, all null when it is not a good one.
CREATE FUNCTION pappus.admin_caller(caller_id text, caller_sha256 bytea)
RETURNS pappus.admin_tokens
LANGUAGE sql STABLE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off AS $$
	SELECT t
	FROM pappus.admin_tokens t
	WHERE t.admin_token_id = caller_id AND t.token_sha256 = caller_sha256
		AND t.invalidated_at IS NULL
		AND (t.expires_at IS NULL OR t.expires_at > now())
$$;

-- Why a caller may not act (writes: change something); null when it may.
CREATE FUNCTION pappus.admin_refusal(caller pappus.admin_tokens,
	writes boolean)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN caller.admin_token_id IS NULL THEN 'invalid_token'
		WHEN writes AND caller.role = 'auditor' THEN 'forbidden'
		END
$$;

-- Whether a caller may see what belongs to a project.
CREATE FUNCTION pappus.admin_sees(caller pappus.admin_tokens, project_id text)
RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT caller.project_id IS NULL OR caller.project_id = project_id
$$;

CREATE FUNCTION pappus.admin_record(caller pappus.admin_tokens,
	caller_address inet, caller_request uuid, action text, object_id text,
	project_id text, reason text, before jsonb, after jsonb)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp AS $$
	INSERT INTO pappus.operator_actions (actor, address, request_id, action,
		object_id, project_id, reason, before, after)
	VALUES (caller.admin_token_id, caller_address, caller_request, action,
		object_id, project_id, reason, before, after)
$$;

-- A page out of one row more than it may hold, each row its id and document.
CREATE FUNCTION pappus.json_page(ids text[], documents jsonb[],
	page_size int)
RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_build_object(
		'items', coalesce(to_jsonb(documents[:page_size]), '[]'),
		'next_cursor', CASE
			WHEN cardinality(ids) > page_size THEN ids[page_size]
			END)
$$;

-- The functions of the API.

CREATE FUNCTION pappus.admin_authenticate(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
BEGIN
	outcome := coalesce(pappus.admin_refusal(caller, false), 'ok');
	IF outcome = 'ok' THEN
		body := jsonb_build_object(
			'admin_token_id', caller.admin_token_id,
			'role', caller.role,
			'project_id', caller.project_id);
	END IF;
END
$$;

CREATE FUNCTION pappus.admin_project_create(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, new_project_id text, new_name text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	project pappus.projects;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NULL AND caller.project_id IS NOT NULL THEN
		outcome := 'forbidden';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	INSERT INTO pappus.projects AS p (project_id, name)
	VALUES (new_project_id, new_name)
	ON CONFLICT (project_id) DO NOTHING
	RETURNING p.* INTO project;
	IF project.project_id IS NULL THEN
		outcome := 'conflict';
		RETURN;
	END IF;
	outcome := 'created';
	body := pappus.json_project(project);
	PERFORM pappus.admin_record(caller, caller_address, caller_request,
		'project.create', project.project_id, project.project_id,
		NULL, NULL, body);
END
$$;

CREATE FUNCTION pappus.admin_project_list(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, page_size int, cursor text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NULL AND cursor !~ '^proj_[0-9a-hjkmnp-tv-z]{26}$' THEN
		outcome := 'invalid_cursor';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	outcome := 'ok';
	IF caller.project_id IS NOT NULL THEN
		SELECT pappus.json_page(array_agg(p.project_id),
			array_agg(pappus.json_project(p)), page_size)
		INTO body
		FROM pappus.projects p
		WHERE p.project_id = caller.project_id
			AND p.project_id > coalesce(cursor, '');
		RETURN;
	END IF;
	SELECT pappus.json_page(array_agg(s.project_id),
		array_agg(pappus.json_project(s)), page_size)
	INTO body
	FROM
		(SELECT *
		FROM pappus.projects p
		WHERE p.project_id > coalesce(cursor, '')
		ORDER BY p.project_id
		LIMIT page_size + 1) s;
END
$$;

CREATE FUNCTION pappus.admin_project_get(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_project_id text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT pappus.json_project(p) INTO body
	FROM pappus.projects p
	WHERE p.project_id = wanted_project_id
		AND pappus.admin_sees(caller, p.project_id);
	outcome := CASE WHEN body IS NULL THEN 'not_found' ELSE 'ok' END;
END
$$;

-- A new enrolment token; every earlier one of the project is dead for calls
-- that begin after this has committed.
CREATE FUNCTION pappus.admin_enrollment_token_regenerate(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_project_id text, new_id text,
	new_sha256 bytea, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	token pappus.enrollment_tokens;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	-- Of two regenerations at once the second must see the first one's
	-- token.  Enrolments don't lock the project and so don't notice.
	PERFORM
	FROM pappus.projects p
	WHERE p.project_id = wanted_project_id
		AND pappus.admin_sees(caller, p.project_id)
	FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	PERFORM
	FROM pappus.enrollment_tokens t
	WHERE t.project_id = wanted_project_id AND t.invalidated_at IS NULL
	ORDER BY t.enrollment_token_id
	FOR UPDATE;
	WITH dead AS
		(UPDATE pappus.enrollment_tokens t
		SET invalidated_at = now()
		WHERE t.project_id = wanted_project_id AND t.invalidated_at IS NULL
		RETURNING t.enrollment_token_id)
	SELECT jsonb_agg(dead.enrollment_token_id
		ORDER BY dead.enrollment_token_id)
	INTO earlier
	FROM dead;
	INSERT INTO pappus.enrollment_tokens AS t
		(enrollment_token_id, project_id, token_sha256)
	VALUES (new_id, wanted_project_id, new_sha256)
	RETURNING t.* INTO token;
	outcome := 'created';
	body := pappus.json_enrollment_token(token);
	PERFORM pappus.admin_record(caller, caller_address, caller_request,
		'enrollment_token.regenerate', token.enrollment_token_id,
		token.project_id, NULL,
		jsonb_build_object('invalidated', coalesce(earlier, '[]')), body);
END
$$;

CREATE FUNCTION pappus.admin_enrollment_token_list(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_project_id text, page_size int, cursor text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NULL AND cursor !~ '^etk_[0-9a-hjkmnp-tv-z]{26}$' THEN
		outcome := 'invalid_cursor';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	PERFORM
	FROM pappus.projects p
	WHERE p.project_id = wanted_project_id
		AND pappus.admin_sees(caller, p.project_id);
	IF NOT FOUND THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	outcome := 'ok';
	SELECT pappus.json_page(array_agg(s.enrollment_token_id),
		array_agg(pappus.json_enrollment_token(s)), page_size)
	INTO body
	FROM
		(SELECT *
		FROM pappus.enrollment_tokens t
		WHERE t.project_id = wanted_project_id
			AND t.enrollment_token_id > coalesce(cursor, '')
		ORDER BY t.enrollment_token_id
		LIMIT page_size + 1) s;
END
$$;

CREATE FUNCTION pappus.admin_device_list(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_project_id text, page_size int, cursor text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	scope text := coalesce(wanted_project_id, caller.project_id);
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NULL AND cursor !~ '^dev_[0-9a-hjkmnp-tv-z]{26}$' THEN
		outcome := 'invalid_cursor';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	outcome := 'ok';
	-- Two statements, for one could use only one index.
	IF scope IS NULL THEN
		SELECT pappus.json_page(array_agg(s.device_id),
			array_agg(pappus.json_device(s)), page_size)
		INTO body
		FROM
			(SELECT *
			FROM pappus.devices d
			WHERE d.device_id > coalesce(cursor, '')
			ORDER BY d.device_id
			LIMIT page_size + 1) s;
		RETURN;
	END IF;
	PERFORM
	FROM pappus.projects p
	WHERE p.project_id = scope AND pappus.admin_sees(caller, p.project_id);
	IF NOT FOUND THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	SELECT pappus.json_page(array_agg(s.device_id),
		array_agg(pappus.json_device(s)), page_size)
	INTO body
	FROM
		(SELECT *
		FROM pappus.devices d
		WHERE d.project_id = scope AND d.device_id > coalesce(cursor, '')
		ORDER BY d.device_id
		LIMIT page_size + 1) s;
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
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT pappus.json_device_whole(d) INTO body
	FROM pappus.devices d
	WHERE d.device_id = wanted_device_id
		AND pappus.admin_sees(caller, d.project_id);
	outcome := CASE WHEN body IS NULL THEN 'not_found' ELSE 'ok' END;
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
	-- What it holds can be read once this lock is taken, not before: an
	-- issue that has it may be about to commit one more certificate.
	SELECT d.* INTO device
	FROM pappus.devices d
	WHERE d.device_id = wanted_device_id
		AND pappus.admin_sees(caller, d.project_id)
	FOR UPDATE;
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
		UPDATE pappus.devices d SET state = 'denied'
		WHERE d.device_id = device.device_id
		RETURNING d.* INTO device;
		INSERT INTO pappus.revocations (serial, issuer_id, not_after,
			reason, actor, origin, comment)
		SELECT c.serial, c.issuer_id, c.not_after, 6,
			caller.admin_token_id, 'deny', admin_device_deny.reason
		FROM pappus.certificates c
		WHERE c.device_id = device.device_id
			AND c.issued_at >= device.live_since AND c.not_after > now()
		ORDER BY c.serial
		-- Already revoked or on hold for a reason of its own.
		ON CONFLICT (serial) DO NOTHING;
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'device.deny', device.device_id,
			device.project_id, admin_device_deny.reason, earlier,
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
SET enable_hashjoin = off
SET enable_mergejoin = off
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
	SELECT d.* INTO device
	FROM pappus.devices d
	WHERE d.device_id = wanted_device_id
		AND pappus.admin_sees(caller, d.project_id)
	FOR UPDATE;
	outcome := CASE
		WHEN device.device_id IS NULL THEN 'not_found'
		WHEN device.state NOT IN ('active', 'denied') THEN 'conflict'
		ELSE 'ok'
		END;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	IF device.state = 'denied' THEN
		earlier := pappus.json_device_whole(device);
		UPDATE pappus.devices d SET state = 'active'
		WHERE d.device_id = device.device_id
		RETURNING d.* INTO device;
		DELETE FROM pappus.revocations r
		USING pappus.certificates c
		WHERE c.device_id = device.device_id
			AND c.issued_at >= device.live_since AND r.serial = c.serial
			AND r.origin = 'deny' AND r.reason = 6;
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'device.allow', device.device_id,
			device.project_id, admin_device_allow.reason, earlier,
			pappus.json_device_whole(device));
	END IF;
	body := pappus.json_device_whole(device);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.admin_authenticate,
	pappus.admin_project_create,
	pappus.admin_project_list,
	pappus.admin_project_get,
	pappus.admin_enrollment_token_regenerate,
	pappus.admin_enrollment_token_list,
	pappus.admin_device_list,
	pappus.admin_device_get,
	pappus.admin_device_deny,
	pappus.admin_device_allow
	TO pappus_admin;
