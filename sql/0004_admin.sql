-- SPDX-License-Identifier: ISC
-- What operators do.  Each function authenticates the caller's token, checks
-- the role, acts and records the act, all in the caller's transaction, and
-- answers an outcome and the JSON document for whoever asked: ok, created,
-- invalid_token, forbidden, not_found, conflict, invalid_cursor or invalid
-- (the document says why: {"detail": …}).  Types and lengths are the caller's
-- business, what they mean is checked here.
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
		'issue_limit', p.issue_limit,
		'device_limit', p.device_limit,
		'device_issuer_id', p.device_issuer_id,
		'created_at', pappus.json_time(p.created_at))
$$;

CREATE FUNCTION pappus.json_enrollment_token(t pappus.enrollment_tokens)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'enrollment_token_id', t.enrollment_token_id,
		'project_id', t.project_id,
		'state', CASE
			WHEN t.invalidated_at <= now() THEN 'invalidated'
			WHEN t.expires_at <= now() THEN 'expired'
			ELSE 'active'
			END,
		'created_at', pappus.json_time(t.created_at),
		'expires_at', pappus.json_time(t.expires_at),
		'invalidated_at', pappus.json_time(t.invalidated_at),
		'max_uses', t.max_uses,
		'uses', CASE WHEN t.max_uses IS NOT NULL THEN t.uses END,
		'allowed_cidrs', to_jsonb(t.allowed_cidrs))
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

-- What is wrong with a document, for outcome invalid.
CREATE FUNCTION pappus.json_detail(detail text) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_build_object('detail', detail)
$$;

-- The first member of a document that isn't one of those named.
CREATE FUNCTION pappus.json_stray(document jsonb, names text[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT min(k) FROM jsonb_object_keys(document) k WHERE k <> ALL (names)
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

-- What is wrong with a project's new members, null when nothing is.
CREATE FUNCTION pappus.project_problem(document jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pappus, pg_temp AS $$
DECLARE
	stray text := pappus.json_stray(document, ARRAY['name', 'state',
		'reissue_policy', 'issue_limit', 'device_limit',
		'device_issuer_id']);
BEGIN
	IF stray IS NOT NULL THEN
		RETURN format('%s is no member of a project.', stray);
	END IF;
	SELECT min(m.key) INTO stray
	FROM jsonb_each(document) m
	WHERE m.value = 'null'
		AND m.key NOT IN ('device_limit', 'device_issuer_id');
	IF stray IS NOT NULL THEN
		RETURN format('%s can''t be null.', stray);
	END IF;
	IF document ->> 'state' NOT IN ('active', 'disabled') THEN
		RETURN 'state is active or disabled.';
	END IF;
	IF document ->> 'reissue_policy' NOT IN ('replace', 'keep', 'once') THEN
		RETURN 'reissue_policy is replace, keep or once.';
	END IF;
	IF (document ->> 'issue_limit')::bigint NOT BETWEEN 1 AND 1000 THEN
		RETURN 'issue_limit is from 1 to 1000.';
	END IF;
	IF (document ->> 'device_limit')::bigint NOT BETWEEN 1 AND 2147483647
	THEN
		RETURN 'device_limit is from 1 to 2147483647, or null.';
	END IF;
	IF document ->> 'device_issuer_id' IS NOT NULL AND NOT EXISTS
		(SELECT FROM pappus.issuers i
		WHERE i.issuer_id = (document ->> 'device_issuer_id')::bigint
			AND i.purpose = 'device' AND i.state = 'issuing')
	THEN
		RETURN 'device_issuer_id is no device issuer that is issuing.';
	END IF;
	RETURN NULL;
END
$$;

-- A project with some members changed.
CREATE FUNCTION pappus.project_with(p pappus.projects, document jsonb)
RETURNS pappus.projects
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pappus, pg_temp
AS $$
BEGIN
	p.name := coalesce(document ->> 'name', p.name);
	p.state := coalesce(document ->> 'state', p.state);
	p.reissue_policy :=
		coalesce(document ->> 'reissue_policy', p.reissue_policy);
	p.issue_limit :=
		coalesce((document ->> 'issue_limit')::int, p.issue_limit);
	IF document ? 'device_limit' THEN
		IF p.device_limit IS NULL OR document ->> 'device_limit' IS NULL THEN
			-- Nobody counted until now, or nobody will.
			p.device_count := NULL;
			p.count_after := NULL;
		END IF;
		p.device_limit := (document ->> 'device_limit')::int;
	END IF;
	IF document ? 'device_issuer_id' THEN
		p.device_issuer_id := (document ->> 'device_issuer_id')::int;
	END IF;
	RETURN p;
END
$$;

CREATE FUNCTION pappus.project_save(project pappus.projects)
RETURNS pappus.projects
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp AS $$
	UPDATE pappus.projects p
	SET name = project.name, state = project.state,
		reissue_policy = project.reissue_policy,
		issue_limit = project.issue_limit,
		device_limit = project.device_limit,
		device_count = project.device_count,
		count_after = project.count_after,
		device_issuer_id = project.device_issuer_id
	WHERE p.project_id = project.project_id
	RETURNING p
$$;

CREATE FUNCTION pappus.admin_project_create(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, new_project_id text, document jsonb,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	detail text;
	project pappus.projects;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NULL AND caller.project_id IS NOT NULL THEN
		outcome := 'forbidden';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	detail := coalesce(pappus.project_problem(document),
		CASE WHEN NOT document ? 'name' THEN 'name is missing.' END);
	IF detail IS NOT NULL THEN
		outcome := 'invalid';
		body := pappus.json_detail(detail);
		RETURN;
	END IF;
	INSERT INTO pappus.projects AS p (project_id, name)
	VALUES (new_project_id, document ->> 'name')
	ON CONFLICT (project_id) DO NOTHING
	RETURNING p.* INTO project;
	IF project.project_id IS NULL THEN
		outcome := 'conflict';
		RETURN;
	END IF;
	project := pappus.project_save(pappus.project_with(project, document));
	outcome := 'created';
	body := pappus.json_project(project);
	PERFORM pappus.admin_record(caller, caller_address, caller_request,
		'project.create', project.project_id, project.project_id,
		NULL, NULL, body);
END
$$;

-- Changes what the document names.  A change to what is there already is ok,
-- and no act.
CREATE FUNCTION pappus.admin_project_update(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_project_id text, changes jsonb,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	detail text;
	project pappus.projects;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT p.* INTO project
	FROM pappus.projects p
	WHERE p.project_id = wanted_project_id
		AND pappus.admin_sees(caller, p.project_id)
	FOR NO KEY UPDATE;
	IF project.project_id IS NULL THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	detail := pappus.project_problem(changes);
	IF detail IS NOT NULL THEN
		outcome := 'invalid';
		body := pappus.json_detail(detail);
		RETURN;
	END IF;
	earlier := pappus.json_project(project);
	project := pappus.project_with(project, changes);
	body := pappus.json_project(project);
	outcome := 'ok';
	IF body <> earlier THEN
		PERFORM pappus.project_save(project);
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'project.update', project.project_id,
			project.project_id, NULL, earlier, body);
	END IF;
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
	SELECT pappus.json_project(p) INTO body
	FROM pappus.projects p
	WHERE p.project_id = wanted_project_id
		AND pappus.admin_sees(caller, p.project_id);
	outcome := CASE WHEN body IS NULL THEN 'not_found' ELSE 'ok' END;
END
$$;

-- What is wrong with a new enrolment token's options, null when nothing is.
CREATE FUNCTION pappus.enrollment_token_problem(options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pappus, pg_temp AS $$
DECLARE
	stray text := pappus.json_stray(options, ARRAY['expires_in', 'max_uses',
		'allowed_cidrs', 'grace']);
	cidrs jsonb := coalesce(nullif(options -> 'allowed_cidrs', 'null'), '["::/0"]');
BEGIN
	IF stray IS NOT NULL THEN
		RETURN format('%s is no option of an enrolment token.', stray);
	END IF;
	IF (options ->> 'expires_in')::bigint NOT BETWEEN 60 AND 315576000 THEN
		RETURN 'expires_in is from 60 seconds to ten years.';
	END IF;
	IF (options ->> 'max_uses')::bigint NOT BETWEEN 1 AND 2147483647 THEN
		RETURN 'max_uses is from 1 to 2147483647.';
	END IF;
	IF (options ->> 'grace')::bigint NOT BETWEEN 0 AND 604800 THEN
		RETURN 'grace is from 0 to 604800 seconds.';
	END IF;
	IF jsonb_array_length(cidrs) NOT BETWEEN 1 AND 64 THEN
		RETURN 'allowed_cidrs has from 1 to 64 elements.';
	END IF;
	FOR stray IN SELECT jsonb_array_elements_text(cidrs) LOOP
		BEGIN
			PERFORM stray::cidr;
		EXCEPTION WHEN invalid_text_representation THEN
			RETURN format('%s is not an address range such as'
				' 192.0.2.0/24 or 2001:db8::/32.', to_json(stray));
		END;
	END LOOP;
	RETURN NULL;
END
$$;

-- A new enrolment token; every earlier one of the project is dead for calls
-- that begin after this has committed, or when the grace is over.
CREATE FUNCTION pappus.admin_enrollment_token_regenerate(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_project_id text, new_id text,
	new_sha256 bytea, options jsonb, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	detail text;
	token pappus.enrollment_tokens;
	dead_at timestamptz;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	-- Of two regenerations at once the second must see the first one's
	-- token.  Enrolments don't lock the project and so don't notice, unless
	-- they have devices to count.
	PERFORM
	FROM pappus.projects p
	WHERE p.project_id = wanted_project_id
		AND pappus.admin_sees(caller, p.project_id)
	FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	detail := pappus.enrollment_token_problem(options);
	IF detail IS NOT NULL THEN
		outcome := 'invalid';
		body := pappus.json_detail(detail);
		RETURN;
	END IF;
	dead_at := now()
		+ coalesce((options ->> 'grace')::int, 0) * interval '1 second';
	PERFORM
	FROM pappus.enrollment_tokens t
	WHERE t.project_id = wanted_project_id
		AND (t.invalidated_at IS NULL OR t.invalidated_at > dead_at)
	ORDER BY t.enrollment_token_id
	FOR UPDATE;
	WITH dead AS
		(UPDATE pappus.enrollment_tokens t
		SET invalidated_at = dead_at
		WHERE t.project_id = wanted_project_id
			AND (t.invalidated_at IS NULL OR t.invalidated_at > dead_at)
		RETURNING t.enrollment_token_id)
	SELECT jsonb_agg(dead.enrollment_token_id
		ORDER BY dead.enrollment_token_id)
	INTO earlier
	FROM dead;
	INSERT INTO pappus.enrollment_tokens AS t
		(enrollment_token_id, project_id, token_sha256, expires_at,
		max_uses, allowed_cidrs)
	VALUES (new_id, wanted_project_id, new_sha256,
		now() + coalesce((options ->> 'expires_in')::int
			* interval '1 second', interval '1 year'),
		(options ->> 'max_uses')::int,
		(SELECT array_agg(c::cidr)
		FROM jsonb_array_elements_text(
			nullif(options -> 'allowed_cidrs', 'null')) c))
	RETURNING t.* INTO token;
	outcome := 'created';
	body := pappus.json_enrollment_token(token);
	PERFORM pappus.admin_record(caller, caller_address, caller_request,
		'enrollment_token.regenerate', token.enrollment_token_id,
		token.project_id, NULL,
		jsonb_build_object('invalidated', coalesce(earlier, '[]')), body);
END
$$;

-- One enrolment token alone, at once.
CREATE FUNCTION pappus.admin_enrollment_token_invalidate(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_id text, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
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
	SELECT t.* INTO token
	FROM pappus.enrollment_tokens t
	WHERE t.enrollment_token_id = wanted_id
		AND pappus.admin_sees(caller, t.project_id)
	FOR UPDATE;
	IF token.enrollment_token_id IS NULL THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	outcome := 'ok';
	IF token.invalidated_at IS NULL OR token.invalidated_at > now() THEN
		earlier := pappus.json_enrollment_token(token);
		UPDATE pappus.enrollment_tokens t SET invalidated_at = now()
		WHERE t.enrollment_token_id = token.enrollment_token_id
		RETURNING t.* INTO token;
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'enrollment_token.invalidate',
			token.enrollment_token_id, token.project_id, NULL, earlier,
			pappus.json_enrollment_token(token));
	END IF;
	body := pappus.json_enrollment_token(token);
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.admin_authenticate,
	pappus.admin_project_create,
	pappus.admin_project_update,
	pappus.admin_project_list,
	pappus.admin_project_get,
	pappus.admin_enrollment_token_regenerate,
	pappus.admin_enrollment_token_invalidate,
	pappus.admin_enrollment_token_list
	TO pappus_admin;
