-- SPDX-License-Identifier: ISC
-- What devices ask of `identity`: certificates, as hot as 0002 and by its
-- rules, and what to trust.

-- The device issuer of projects that name none: the newest of those that the
-- calling worker has the keys of.
CREATE FUNCTION pappus.default_issuer(issuer_ids int[]) RETURNS int
LANGUAGE sql STABLE
SET search_path = pg_catalog, pappus, pg_temp
AS $$
	SELECT max(i.issuer_id)
	FROM pappus.issuers i
	WHERE i.issuer_id = ANY (issuer_ids)
		AND i.purpose = 'device' AND i.state = 'issuing'
$$;

-- Authenticates devices and records the certificate that each is about to
-- get.  Outcomes: issued; late (its deadline has passed, nothing was done);
-- invalid_token, device_denied, project_disabled; no_issuer (none of
-- issuer_ids, what the calling worker can sign with, may issue for this
-- project); issuer_expiring (a leaf of full length would outlive it);
-- identity_exists (policy once, and its ten minutes are over); rate_limited
-- (retry_after says for how many seconds).
--
-- Issuing, denying and resetting a device are serialised on its row.  A row
-- that stays locked beyond lock_timeout fails the whole call (55P03): the
-- caller then repeats it one request at a time.
CREATE FUNCTION pappus.issue(
	device_ids text[], token_digests bytea[], serials bytea[],
	spki_digests bytea[], addresses inet[], request_ids uuid[],
	deadlines timestamptz[], issuer_ids int[])
RETURNS TABLE (n int, outcome text, project_id text, issuer_id int,
	not_before bigint, not_after bigint, retry_after int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	-- Back-dated for devices whose clocks are late.
	starts timestamptz := date_trunc('second', now() - interval '1 hour');
	ends timestamptz := (starts AT TIME ZONE 'UTC' + interval '30 years')
		AT TIME ZONE 'UTC';
	default_issuer int := pappus.default_issuer(issuer_ids);
	locked text[];
	outcomes text[];
	projects text[];
	issuers int[];
	policies text[];
	firsts boolean[];	-- the device has nothing to supersede
	soles bytea[];		-- devices.sole_serial, as it was
	waits int[];
BEGIN
	SELECT array_agg(l.device_id) INTO locked
	FROM
		(SELECT d.device_id
		FROM unnest(device_ids, token_digests, deadlines)
			AS r (id, sha256, deadline)
		JOIN pappus.devices d
			ON d.device_id = r.id AND d.token_sha256 = r.sha256
		WHERE (r.deadline <= clock_timestamp()) IS NOT TRUE
		ORDER BY d.device_id
		FOR UPDATE OF d) l;

	SELECT array_agg(CASE
			WHEN a.wait IS NOT NULL THEN 'rate_limited'
			ELSE a.outcome END ORDER BY a.n),
		array_agg(a.project_id ORDER BY a.n),
		array_agg(a.issuer_id ORDER BY a.n),
		array_agg(a.reissue_policy ORDER BY a.n),
		array_agg(a.is_first ORDER BY a.n),
		array_agg(a.sole_serial ORDER BY a.n),
		array_agg(a.wait ORDER BY a.n)
	INTO outcomes, projects, issuers, policies, firsts, soles, waits
	FROM
		(SELECT q.*,
			-- The hour is over for the oldest of the last that count.
			CASE WHEN q.outcome = 'issued'
				AND coalesce(h.recent, 0) + row_number() OVER
					(PARTITION BY q.device_id, q.outcome ORDER BY q.n)
					> q.issue_limit
				THEN ceil(extract(epoch FROM coalesce(h.since, now())
					+ interval '1 hour' - now()))::int
				END AS wait
		FROM
			(SELECT r.n, d.device_id, d.project_id, i.issuer_id,
				p.reissue_policy, p.issue_limit, d.sole_serial,
				d.identity_issued_at IS NULL AS is_first,
				CASE
				WHEN r.deadline <= clock_timestamp() THEN 'late'
				-- Only what the first statement locked: a token that
				-- was changed since then is the next request's.
				WHEN (d.device_id = ANY (locked)) IS NOT TRUE
					OR d.state = 'deleted' THEN 'invalid_token'
				WHEN d.state <> 'active' THEN 'device_denied'
				WHEN p.state <> 'active' THEN 'project_disabled'
				WHEN p.reissue_policy = 'once' AND d.identity_issued_at
					<= now() - interval '10 minutes'
					THEN 'identity_exists'
				WHEN i.issuer_id IS NULL THEN 'no_issuer'
				WHEN i.not_after < ends THEN 'issuer_expiring'
				ELSE 'issued'
				END AS outcome
			FROM unnest(device_ids, token_digests, deadlines)
				WITH ORDINALITY AS r (id, sha256, deadline, n)
			LEFT JOIN pappus.devices d
				ON d.device_id = r.id AND d.token_sha256 = r.sha256
			LEFT JOIN pappus.projects p ON p.project_id = d.project_id
			LEFT JOIN pappus.issuers i
				ON i.issuer_id =
					coalesce(p.device_issuer_id, default_issuer)
				AND i.issuer_id = ANY (issuer_ids)
				AND i.purpose = 'device' AND i.state = 'issuing') q
		-- As many as the limit at most are looked at.
		LEFT JOIN LATERAL
			(SELECT count(*) AS recent, min(s.issued_at) AS since
			FROM
				(SELECT c.issued_at
				FROM pappus.certificates c
				WHERE c.device_id = q.device_id
					AND c.issued_at > now() - interval '1 hour'
				ORDER BY c.issued_at DESC
				LIMIT q.issue_limit) s) h ON NOT q.is_first) a;

	INSERT INTO pappus.certificates (serial, issuer_id, device_id, profile,
		spki_sha256, not_before, not_after, request_id, address)
	SELECT r.serial, r.issuer_id, r.device_id, 'device', r.spki_sha256,
		starts, ends, r.request_id, r.address
	FROM unnest(outcomes, serials, issuers, device_ids, spki_digests,
		request_ids, addresses)
		AS r (outcome, serial, issuer_id, device_id, spki_sha256,
		request_id, address)
	WHERE r.outcome = 'issued';

	-- Everything a device had before its last request of this batch.
	WITH issued AS
		(SELECT r.device_id, r.serial, r.is_first, r.sole,
			r.n = max(r.n) OVER (PARTITION BY r.device_id) AS is_last
		FROM unnest(outcomes, policies, device_ids, serials, firsts, soles)
			WITH ORDINALITY
			AS r (outcome, policy, device_id, serial, is_first, sole, n)
		WHERE r.outcome = 'issued' AND r.policy <> 'keep')
	INSERT INTO pappus.revocations AS v
		(serial, issuer_id, not_after, reason, actor, origin)
	SELECT c.serial, c.issuer_id, c.not_after, 4, c.device_id, 'reissue'
	FROM
		(SELECT i.serial FROM issued i WHERE NOT i.is_last
		UNION ALL
		SELECT i.sole FROM issued i
		WHERE i.is_last AND i.sole IS NOT NULL AND NOT i.is_first
		UNION ALL
		SELECT o.serial
		FROM issued i
		JOIN pappus.certificates o ON o.device_id = i.device_id
		WHERE i.is_last AND i.sole IS NULL AND NOT i.is_first
			AND o.serial <> ALL (serials)) old
	JOIN pappus.certificates c ON c.serial = old.serial
	WHERE c.not_after > now()
		AND NOT EXISTS
			(SELECT FROM pappus.revocations o
			WHERE o.serial = c.serial AND o.reason <> 6)
	ORDER BY c.serial
	-- A hold gives way to what is final, never the reverse.
	ON CONFLICT (serial) DO UPDATE
	SET reason = excluded.reason, revoked_at = excluded.revoked_at,
		actor = excluded.actor, origin = excluded.origin
	WHERE v.reason = 6;

	UPDATE pappus.devices d
	SET identity_issued_at = coalesce(d.identity_issued_at, now()),
		sole_serial = r.sole
	FROM
		(SELECT r.device_id, CASE
			WHEN min(r.policy) <> 'keep'
				OR (count(*) = 1 AND bool_and(r.is_first))
				THEN (array_agg(r.serial ORDER BY r.n DESC))[1]
			END AS sole
		FROM unnest(outcomes, policies, device_ids, serials, firsts)
			WITH ORDINALITY
			AS r (outcome, policy, device_id, serial, is_first, n)
		WHERE r.outcome = 'issued'
		GROUP BY r.device_id) r
	WHERE d.device_id = r.device_id
		AND (d.identity_issued_at IS NULL
			OR d.sole_serial IS DISTINCT FROM r.sole);

	RETURN QUERY
	SELECT r.n::int, r.outcome, r.project_id, r.issuer_id,
		extract(epoch FROM starts)::bigint,
		extract(epoch FROM ends)::bigint, r.wait
	FROM unnest(outcomes, projects, issuers, waits) WITH ORDINALITY
		AS r (outcome, project_id, issuer_id, wait, n);
END
$$;

-- Those of a device's certificates that may be good or on hold.
CREATE FUNCTION pappus.open_certificates(device pappus.devices)
RETURNS SETOF pappus.certificates
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pappus, pg_temp
AS $$
	SELECT c.*
	FROM pappus.certificates c
	WHERE c.serial = device.sole_serial AND c.not_after > now()
	UNION ALL
	SELECT c.*
	FROM pappus.certificates c
	WHERE c.device_id = device.device_id AND c.not_after > now()
		AND device.sole_serial IS NULL
$$;

-- Which issuer's chain a device should have: that of its newest good
-- certificate, else of the next one that it would get.  Outcomes: ok,
-- invalid_token, device_denied, no_issuer.  Reads only.
CREATE FUNCTION pappus.device_ca(device_id text, token_sha256 bytea,
	issuer_ids int[], OUT outcome text, OUT issuer_id int)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	device pappus.devices;
BEGIN
	SELECT d.* INTO device
	FROM pappus.devices d
	WHERE d.device_id = device_ca.device_id
		AND d.token_sha256 = device_ca.token_sha256;
	outcome := CASE
		WHEN device.device_id IS NULL OR device.state = 'deleted'
			THEN 'invalid_token'
		WHEN device.state <> 'active' THEN 'device_denied'
		END;
	IF outcome IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT c.issuer_id INTO issuer_id
	FROM pappus.open_certificates(device) c
	LEFT JOIN pappus.revocations r ON r.serial = c.serial
	WHERE r.serial IS NULL
	ORDER BY c.issued_at DESC, c.serial DESC
	LIMIT 1;
	IF issuer_id IS NULL THEN
		SELECT i.issuer_id INTO issuer_id
		FROM pappus.projects p
		JOIN pappus.issuers i ON i.issuer_id = coalesce(p.device_issuer_id,
			pappus.default_issuer(issuer_ids))
		WHERE p.project_id = device.project_id
			AND i.issuer_id = ANY (issuer_ids)
			AND i.purpose = 'device' AND i.state = 'issuing';
	END IF;
	outcome := CASE WHEN issuer_id IS NULL THEN 'no_issuer' ELSE 'ok' END;
END
$$;

-- Every issuer, roots included: what a worker matches its keys with and
-- makes its templates and bundles of.
CREATE FUNCTION pappus.issuers()
RETURNS TABLE (issuer_id int, parent_id int, purpose text, state text,
	certificate bytea, crl_url text, ca_url text, trust_domain text,
	profile_sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
	SELECT i.issuer_id, i.parent_id, i.purpose, i.state, i.certificate,
		i.crl_url, i.ca_url, i.trust_domain, i.profile_sha256
	FROM pappus.issuers i
	ORDER BY i.issuer_id
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pappus.issue, pappus.device_ca, pappus.issuers
	TO pappus_identity;
