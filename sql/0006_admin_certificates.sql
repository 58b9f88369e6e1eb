-- SPDX-License-Identifier: ISC
-- What operators do with certificates and issuers, by the rules of 0004.

CREATE FUNCTION pappus.json_certificate(wanted_serial bytea) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'serial', encode(w.serial, 'hex'),
		'issuer_id', coalesce(c.issuer_id, r.issuer_id),
		'profile', c.profile,
		'device_id', c.device_id,
		'project_id', d.project_id,
		'subject', coalesce(c.subject, c.device_id),
		'spki_sha256', encode(c.spki_sha256, 'hex'),
		'not_before', pappus.json_time(c.not_before),
		'not_after', pappus.json_time(coalesce(c.not_after, r.not_after)),
		'issued_at', pappus.json_time(c.issued_at),
		'status', pappus.certificate_status(r.reason, i.revoked_at),
		'reason', r.reason,
		'revoked_at', pappus.json_time(r.revoked_at))
	FROM (VALUES (wanted_serial)) AS w (serial)
	LEFT JOIN pappus.certificates c ON c.serial = w.serial
	LEFT JOIN pappus.revocations r ON r.serial = w.serial
	LEFT JOIN pappus.issuers i
		ON i.issuer_id = coalesce(c.issuer_id, r.issuer_id)
	LEFT JOIN pappus.devices d ON d.device_id = c.device_id
$$;

-- Whether a caller may see a certificate: one bound to a project sees its
-- devices' alone, others see also what is revoked and not known.
CREATE FUNCTION pappus.admin_sees_certificate(caller pappus.admin_tokens,
	wanted_serial bytea)
RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
	SELECT EXISTS
		(SELECT
		FROM pappus.certificates c
		LEFT JOIN pappus.devices d ON d.device_id = c.device_id
		WHERE c.serial = wanted_serial
			AND (caller.project_id IS NULL
				OR caller.project_id = d.project_id))
	OR (caller.project_id IS NULL AND EXISTS
		(SELECT FROM pappus.revocations r WHERE r.serial = wanted_serial))
$$;

-- A serial from its hex digits; null when it can't be one.
CREATE FUNCTION pappus.serial_from(hex text) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN lower(hex) ~ '^[0-7][0-9a-f]([0-9a-f]{2}){0,19}$'
			AND hex !~ '^00' THEN decode(hex, 'hex')
		END
$$;

CREATE FUNCTION pappus.admin_certificate_get(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, serial_hex text, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	serial bytea := pappus.serial_from(serial_hex);
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NULL
		AND NOT pappus.admin_sees_certificate(caller, serial) THEN
		outcome := 'not_found';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	outcome := 'ok';
	body := pappus.json_certificate(serial);
END
$$;

-- What is wrong with a filter of certificates, null when nothing is.
CREATE FUNCTION pappus.certificate_filter_problem(filter jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pappus, pg_temp AS $$
	SELECT CASE
		WHEN s.stray IS NOT NULL
			THEN format('certificates can''t be searched by %s.', s.stray)
		WHEN filter ->> 'spki_sha256' !~* '^[0-9a-f]{64}$'
			THEN 'spki_sha256 has 64 hexadecimal digits.'
		WHEN filter ->> 'issuer_id' !~ '^[0-9]{1,9}$'
			THEN 'issuer_id is a number.'
		END
	FROM (VALUES (pappus.json_stray(filter, ARRAY['device_id', 'issuer_id',
		'spki_sha256', 'project_id']))) AS s (stray)
$$;

-- A page of serials and one more, device by device; after ten thousand devices
-- it ends early, and next_cursor is the last of them.
CREATE FUNCTION pappus.certificates_by_device(scope text, one_device text,
	issuer int, page_size int, cursor text,
	OUT outcome text, OUT serials bytea[], OUT next_cursor text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pappus, pg_temp AS $$
DECLARE
	at pappus.certificates;		-- the cursor's
	device text;
	after_at timestamptz;
	after_serial bytea;
	seen int := 0;
BEGIN
	serials := '{}';
	IF cursor ~ '^dev_[0-9a-hjkmnp-tv-z]{26}$' THEN
		at.device_id := cursor;
		at.issued_at := 'infinity';
	ELSIF cursor IS NOT NULL THEN
		SELECT c.* INTO at
		FROM pappus.certificates c
		WHERE c.serial = pappus.serial_from(cursor);
		IF at.device_id IS NULL THEN
			outcome := 'invalid_cursor';
			RETURN;
		END IF;
	END IF;
	outcome := 'ok';
	FOR device IN EXECUTE CASE WHEN one_device IS NULL THEN $query$
		SELECT d.device_id
		FROM pappus.devices d
		WHERE (d.project_id, d.device_id) >= ($1, $2)
			AND (d.project_id, d.device_id) < ($1, 'dev_~')
		ORDER BY d.project_id, d.device_id
		LIMIT 10000$query$
		-- Which need not be known, for those who may see all.
		ELSE $query$
		SELECT $3
		WHERE $3 >= $2 COLLATE "C" AND ($1 IS NULL OR EXISTS
			(SELECT FROM pappus.devices d
			WHERE d.device_id = $3 AND d.project_id = $1))$query$
		END USING scope, coalesce(at.device_id, ''), one_device
	LOOP
		after_at := '-infinity';
		after_serial := '';
		IF device = at.device_id THEN
			after_at := at.issued_at;
			after_serial := at.serial;
		END IF;
		serials := serials || ARRAY
			(SELECT c.serial
			FROM pappus.certificates c
			WHERE c.device_id = device
				AND (c.issued_at, c.serial) > (after_at, after_serial)
				AND (issuer IS NULL OR c.issuer_id = issuer)
			ORDER BY c.issued_at, c.serial
			LIMIT page_size + 1 - cardinality(serials));
		EXIT WHEN cardinality(serials) > page_size;
		seen := seen + 1;
	END LOOP;
	IF seen = 10000 THEN
		next_cursor := device;
	END IF;
END
$$;

-- A page of serials and one more, in their order.
CREATE FUNCTION pappus.certificates_by_serial(scope text, filter jsonb,
	page_size int, cursor text, OUT outcome text, OUT serials bytea[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pappus, pg_temp AS $$
BEGIN
	outcome := 'invalid_cursor';
	IF cursor IS NOT NULL AND pappus.serial_from(cursor) IS NULL THEN
		RETURN;
	END IF;
	outcome := 'ok';
	-- A key has few certificates; an issuer's are compared as rows, so that
	-- no other index will do, however many the planner takes them for.
	EXECUTE format($query$
		SELECT array_agg(s.serial)
		FROM
			(SELECT c.serial
			FROM (SELECT * FROM pappus.certificates c WHERE %s) c
			WHERE (NOT $2 ? 'issuer_id'
				OR c.issuer_id = ($2 ->> 'issuer_id')::int)
				AND (NOT $2 ? 'device_id'
				OR c.device_id = $2 ->> 'device_id')
				AND ($3 IS NULL OR EXISTS
					(SELECT FROM pappus.devices d
					WHERE d.device_id = c.device_id
						AND d.project_id = $3))
			ORDER BY %s
			LIMIT $4) s$query$,
		CASE
		WHEN filter ? 'spki_sha256' THEN
			'c.spki_sha256 = decode($2 ->> ''spki_sha256'', ''hex'')'
			' AND c.serial > $1 OFFSET 0'
		WHEN filter ? 'issuer_id' THEN
			'(c.issuer_id, c.serial) > (($2 ->> ''issuer_id'')::int, $1)'
			' AND c.issuer_id <= ($2 ->> ''issuer_id'')::int'
		ELSE 'c.serial > $1'
		END,
		CASE WHEN filter ? 'issuer_id' AND NOT filter ? 'spki_sha256'
			THEN 'c.issuer_id, c.serial' ELSE 'c.serial' END)
	INTO serials
	USING coalesce(pappus.serial_from(cursor), ''), filter, scope,
		page_size + 1;
END
$$;

-- Certificates: a device's or a project's by device and then time, all others
-- by serial.  A cursor is a serial or, after ten thousand devices that had
-- none to show, a device.
CREATE FUNCTION pappus.admin_certificate_list(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, filter jsonb, page_size int, cursor text,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	scope text := coalesce(filter ->> 'project_id', caller.project_id);
	detail text := pappus.certificate_filter_problem(filter);
	by_device boolean := NOT coalesce(filter ? 'spki_sha256', false)
		AND (scope IS NOT NULL OR coalesce(filter ? 'device_id', false));
	serials bytea[];
	next_cursor text;
BEGIN
	outcome := pappus.admin_refusal(caller, false);
	IF outcome IS NULL AND detail IS NOT NULL THEN
		outcome := 'invalid';
		body := pappus.json_detail(detail);
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	PERFORM
	FROM pappus.projects p
	WHERE p.project_id = scope AND pappus.admin_sees(caller, p.project_id);
	IF NOT FOUND AND scope IS NOT NULL THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	IF by_device THEN
		SELECT * INTO outcome, serials, next_cursor
		FROM pappus.certificates_by_device(scope, filter ->> 'device_id',
			(filter ->> 'issuer_id')::int, page_size, cursor);
	ELSE
		SELECT * INTO outcome, serials
		FROM pappus.certificates_by_serial(scope,
			coalesce(filter, '{}'), page_size, cursor);
	END IF;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	IF cardinality(serials) > page_size THEN
		next_cursor := encode(serials[page_size], 'hex');
	END IF;
	SELECT jsonb_build_object('items', coalesce(
		jsonb_agg(pappus.json_certificate(s.serial) ORDER BY s.n), '[]'),
		'next_cursor', next_cursor)
	INTO body
	FROM unnest(serials[:page_size]) WITH ORDINALITY AS s (serial, n);
END
$$;

-- Revokes one certificate, or puts it on hold (reason_code 6).  A serial that
-- the database doesn't know is recorded all the same.  What is final stays
-- as it is: a second revocation is ok, a hold then is a conflict.
CREATE FUNCTION pappus.admin_certificate_revoke(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, serial_hex text, reason text, reason_code int,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	code int := coalesce(reason_code, 0);
	wanted bytea := pappus.serial_from(serial_hex);
	certificate pappus.certificates;
	present pappus.revocations;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	body := pappus.json_detail(CASE
		WHEN wanted IS NULL THEN
			'The serial is from 2 to 40 hexadecimal digits, positive.'
		WHEN code NOT IN (0, 1, 3, 4, 5, 6, 9) THEN
			'reason_code is 0, 1, 3, 4, 5, 6 or 9.'
		END);
	IF body ->> 'detail' IS NOT NULL THEN
		outcome := 'invalid';
		RETURN;
	END IF;
	body := NULL;
	IF caller.project_id IS NOT NULL
		AND NOT pappus.admin_sees_certificate(caller, wanted) THEN
		outcome := 'not_found';
		RETURN;
	END IF;
	-- `pappus recover` takes it too: see admin_device_lock.
	SELECT c.* INTO certificate
	FROM pappus.certificates c WHERE c.serial = wanted;
	IF NOT FOUND THEN
		LOCK TABLE pappus.unknown_devices IN SHARE ROW EXCLUSIVE MODE;
		SELECT c.* INTO certificate
		FROM pappus.certificates c WHERE c.serial = wanted;
	END IF;
	SELECT r.* INTO present
	FROM pappus.revocations r WHERE r.serial = wanted FOR UPDATE;
	earlier := pappus.json_certificate(wanted);
	INSERT INTO pappus.revocations AS v (serial, issuer_id, not_after,
		reason, actor, origin, comment)
	VALUES (wanted, certificate.issuer_id, certificate.not_after, code,
		caller.admin_token_id, 'operator',
		admin_certificate_revoke.reason)
	ON CONFLICT (serial) DO UPDATE
	SET reason = excluded.reason, revoked_at = excluded.revoked_at,
		actor = excluded.actor, origin = excluded.origin,
		comment = excluded.comment
	-- A hold may become final, and deny's an operator's.
	WHERE v.reason = 6
		AND (excluded.reason <> 6 OR v.origin <> 'operator');
	IF FOUND THEN
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'certificate.revoke',
			encode(wanted, 'hex'), earlier ->> 'project_id',
			admin_certificate_revoke.reason, earlier,
			pappus.json_certificate(wanted));
	END IF;
	body := pappus.json_certificate(wanted);
	outcome := 'ok';
	IF code = 6 AND body ->> 'status' = 'revoked' THEN
		outcome := 'conflict';
		body := NULL;
	END IF;
END
$$;

-- With the whole days that are left: until it expires, and until what it signs
-- would outlive it, which is sub-CAs of 35 years, device certificates of 30
-- (back-dated an hour), others of one.  For auditors as well (0008), who may
-- call no function of ours.
CREATE VIEW audit.issuers AS
SELECT i.issuer_id, i.parent_id, i.purpose, i.state, i.name, i.ski,
	sha256(i.certificate) AS certificate_sha256, i.not_before, i.not_after,
	greatest(0, floor(extract(epoch FROM i.not_after - now()) / 86400))::int
		AS days_left,
	greatest(0, floor(extract(epoch FROM (i.not_after AT TIME ZONE 'UTC' -
		CASE i.purpose
		WHEN 'root' THEN interval '35 years'
		WHEN 'device' THEN interval '30 years' - interval '1 hour'
		ELSE interval '1 year'
		END) AT TIME ZONE 'UTC' - now()) / 86400))::int
		AS full_length_days_left,
	i.crl_url, i.ca_url, i.trust_domain, i.shared, i.registered_at,
	i.revoked_at
FROM pappus.issuers i;

CREATE FUNCTION pappus.json_issuer(i audit.issuers) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'issuer_id', i.issuer_id,
		'parent_id', i.parent_id,
		'purpose', i.purpose,
		'state', i.state,
		'name', i.name,
		'ski', encode(i.ski, 'hex'),
		'not_before', pappus.json_time(i.not_before),
		'not_after', pappus.json_time(i.not_after),
		'crl_url', i.crl_url,
		'ca_url', i.ca_url,
		'trust_domain', i.trust_domain,
		'shared', i.shared,
		'registered_at', pappus.json_time(i.registered_at),
		'revoked_at', pappus.json_time(i.revoked_at),
		'days_left', i.days_left,
		'full_length_days_left', i.full_length_days_left)
$$;

CREATE FUNCTION pappus.admin_issuer_list(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
BEGIN
	outcome := coalesce(pappus.admin_refusal(
		pappus.admin_caller(caller_id, caller_sha256), false), 'ok');
	IF outcome = 'ok' THEN
		SELECT jsonb_build_object('items', coalesce(
			jsonb_agg(pappus.json_issuer(i) ORDER BY i.issuer_id), '[]'),
			'next_cursor', NULL)
		INTO body
		FROM audit.issuers i;
	END IF;
END
$$;

-- An issuer's state goes forward only: issuing, crl-only, closed.  A device
-- issuer may be shared or not, at any time.
CREATE FUNCTION pappus.admin_issuer_update(
	caller_id text, caller_sha256 bytea, caller_address inet,
	caller_request uuid, wanted_issuer_id int, changes jsonb,
	OUT outcome text, OUT body jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
DECLARE
	caller pappus.admin_tokens :=
		pappus.admin_caller(caller_id, caller_sha256);
	states CONSTANT text[] := '{issuing,crl-only,closed}';
	present int;
	wanted int;
	shares boolean := (changes ->> 'shared')::boolean;
	issuer audit.issuers;
	earlier jsonb;
BEGIN
	outcome := pappus.admin_refusal(caller, true);
	IF outcome IS NULL
		AND (caller.role <> 'owner' OR caller.project_id IS NOT NULL) THEN
		outcome := 'forbidden';
	END IF;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	IF pappus.json_stray(changes, '{state,shared}') IS NOT NULL
		OR (changes ? 'state'
		AND (changes ->> 'state' = ANY (states)) IS NOT TRUE) THEN
		outcome := 'invalid';
		body := pappus.json_detail('What can change is state, which is'
			' issuing, crl-only or closed, and shared.');
		RETURN;
	END IF;
	PERFORM FROM pappus.issuers i WHERE i.issuer_id = wanted_issuer_id
	FOR NO KEY UPDATE;
	SELECT i.* INTO issuer
	FROM audit.issuers i WHERE i.issuer_id = wanted_issuer_id;
	present := array_position(states, issuer.state);
	wanted := coalesce(array_position(states, changes ->> 'state'), present);
	outcome := CASE
		WHEN issuer.issuer_id IS NULL THEN 'not_found'
		WHEN NOT shares AND issuer.purpose <> 'device' THEN 'invalid'
		WHEN wanted < present THEN 'conflict'
		ELSE 'ok'
		END;
	IF outcome = 'invalid' THEN
		body := pappus.json_detail(
			'shared is false for device issuers alone.');
	END IF;
	IF outcome <> 'ok' THEN
		RETURN;
	END IF;
	IF wanted > present OR shares <> issuer.shared THEN
		earlier := pappus.json_issuer(issuer);
		issuer.state := states[wanted];
		issuer.shared := coalesce(shares, issuer.shared);
		UPDATE pappus.issuers i
		SET state = issuer.state, shared = issuer.shared
		WHERE i.issuer_id = issuer.issuer_id;
		PERFORM pappus.admin_record(caller, caller_address,
			caller_request, 'issuer.update', issuer.issuer_id::text,
			NULL, NULL, earlier, pappus.json_issuer(issuer));
	END IF;
	body := pappus.json_issuer(issuer);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.admin_certificate_list,
	pappus.admin_certificate_get,
	pappus.admin_certificate_revoke,
	pappus.admin_issuer_list,
	pappus.admin_issuer_update
	TO pappus_admin;
