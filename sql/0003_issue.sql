-- SPDX-License-Identifier: ISC
-- What devices ask of `identity`: certificates, as hot as 0002 and by its
-- rules, and what to trust.

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
	locked text[];
	outcomes text[];
	projects text[];
	issuers int[];
	replaces boolean[];
	since timestamptz[];	-- each device's live_since, before
	limits int[];		-- certificates that each may get yet
	waits int[];		-- seconds, for those that are beyond
	repeated boolean;	-- a device stands in the batch more than once
	any_older boolean;
	any_limited boolean;
BEGIN
	SELECT array_agg(l.device_id), count(*) > count(DISTINCT l.device_id)
	INTO locked, repeated
	FROM
		(SELECT d.device_id
		FROM unnest(device_ids, token_digests, deadlines)
			AS r (id, sha256, deadline)
		JOIN pappus.devices d
			ON d.device_id = r.id AND d.token_sha256 = r.sha256
		WHERE (r.deadline <= clock_timestamp()) IS NOT TRUE
		ORDER BY d.device_id
		FOR UPDATE OF d) l;

	SELECT array_agg(a.outcome), array_agg(a.project_id),
		array_agg(a.issuer_id), array_agg(a.replaces),
		array_agg(a.live_since), array_agg(a.issue_limit - a.recent),
		array_agg(a.wait), bool_or(a.replaces AND NOT a.is_first),
		bool_or(a.recent + CASE WHEN repeated THEN cardinality(device_ids)
			ELSE 1 END > a.issue_limit)
	INTO outcomes, projects, issuers, replaces, since, limits, waits,
		any_older, any_limited
	FROM
		(SELECT d.project_id, i.issuer_id, d.live_since, p.issue_limit,
			h.recent, p.reissue_policy <> 'keep' AS replaces,
			d.identity_issued_at IS NULL AS is_first,
			-- Until the oldest of those that count is an hour old.
			ceil(extract(epoch FROM coalesce(h.first_at, now())
				+ interval '1 hour' - now()))::int AS wait,
			CASE
			WHEN r.deadline <= clock_timestamp() THEN 'late'
			-- Only what the first statement locked: a token that was
			-- changed since then is the next request's.
			WHEN (d.device_id = ANY (locked)) IS NOT TRUE
				OR d.state = 'deleted' THEN 'invalid_token'
			WHEN d.state <> 'active' THEN 'device_denied'
			WHEN p.state <> 'active' THEN 'project_disabled'
			WHEN p.reissue_policy = 'once' AND d.identity_issued_at
				<= now() - interval '10 minutes' THEN 'identity_exists'
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
			ON i.issuer_id = coalesce(p.device_issuer_id,
				(SELECT max(o.issuer_id)
				FROM unnest(issuer_ids) AS k (id)
				JOIN pappus.issuers o ON o.issuer_id = k.id
				WHERE o.purpose = 'device' AND o.state = 'issuing'
					AND o.shared))
			AND i.issuer_id = ANY (issuer_ids)
			AND i.purpose = 'device' AND i.state = 'issuing'
		-- The last hour's, as many as may be.  One without an identity
		-- has none, or was reset.
		CROSS JOIN LATERAL
			(SELECT count(*) AS recent, min(c.issued_at) AS first_at
			FROM
				(SELECT o.issued_at
				FROM pappus.certificates o
				WHERE o.device_id = d.device_id
					AND o.issued_at > now() - interval '1 hour'
					AND d.identity_issued_at IS NOT NULL
				ORDER BY o.issued_at DESC
				LIMIT p.issue_limit) c) h
		ORDER BY r.n) a;

	IF any_limited THEN
		SELECT array_agg(CASE WHEN l.place > l.room THEN 'rate_limited'
			ELSE l.outcome END ORDER BY l.n)
		INTO outcomes
		FROM
			(SELECT r.n, r.outcome, r.room, CASE WHEN r.outcome = 'issued'
				THEN row_number() OVER
				(PARTITION BY r.device_id, r.outcome ORDER BY r.n)
				END AS place
			FROM unnest(outcomes, limits, device_ids) WITH ORDINALITY
				AS r (outcome, room, device_id, n)) l;
	END IF;

	-- now() may be earlier than what the device got before: by a clock that
	-- was set back, or for whoever began first and waited for the lock.
	INSERT INTO pappus.certificates (serial, issuer_id, device_id, profile,
		spki_sha256, not_before, not_after, issued_at, request_id, address)
	SELECT r.serial, r.issuer_id, r.device_id, 'device', r.spki_sha256,
		starts, ends, greatest(now(), r.since), r.request_id, r.address
	FROM unnest(outcomes, serials, issuers, device_ids, spki_digests,
		since, request_ids, addresses)
		AS r (outcome, serial, issuer_id, device_id, spki_sha256, since,
		request_id, address)
	WHERE r.outcome = 'issued';

	-- Everything a device had before its last request of this batch.
	IF any_older OR repeated THEN
		INSERT INTO pappus.revocations AS v
			(serial, issuer_id, not_after, reason, actor, origin)
		SELECT c.serial, c.issuer_id, c.not_after, 4, c.device_id,
			'reissue'
		FROM
			(SELECT DISTINCT ON (r.device_id COLLATE "C")
				r.device_id, r.serial, r.since
			FROM unnest(outcomes, replaces, device_ids, serials, since)
				WITH ORDINALITY
				AS r (outcome, replaces, device_id, serial, since, n)
			WHERE r.outcome = 'issued' AND r.replaces
			ORDER BY r.device_id COLLATE "C", r.n DESC) last
		JOIN pappus.certificates c
			ON c.device_id = last.device_id
			AND c.issued_at >= last.since AND c.serial <> last.serial
		WHERE c.not_after > now()
			AND NOT EXISTS
				(SELECT FROM pappus.revocations o
				WHERE o.serial = c.serial AND o.reason <> 6)
		ORDER BY c.serial
		-- A hold gives way to what is final, never the reverse.
		ON CONFLICT (serial) DO UPDATE
		SET reason = excluded.reason, revoked_at = excluded.revoked_at,
			actor = excluded.actor, origin = excluded.origin,
			comment = excluded.comment
		WHERE v.reason = 6;
	END IF;

	UPDATE pappus.devices d
	SET identity_issued_at = coalesce(d.identity_issued_at, now()),
		live_since = CASE WHEN r.replaces
			THEN greatest(now(), d.live_since) ELSE d.live_since END
	FROM unnest(outcomes, replaces, device_ids)
		AS r (outcome, replaces, device_id)
	WHERE r.outcome = 'issued' AND d.device_id = r.device_id
		AND (r.replaces OR d.identity_issued_at IS NULL);

	RETURN QUERY
	SELECT r.n::int, r.outcome, r.project_id, r.issuer_id,
		extract(epoch FROM starts)::bigint,
		extract(epoch FROM ends)::bigint,
		CASE WHEN r.outcome = 'rate_limited' THEN r.wait END
	FROM unnest(outcomes, projects, issuers, waits) WITH ORDINALITY
		AS r (outcome, project_id, issuer_id, wait, n);
END
$$;

-- Those of a device's certificates that may be good or on hold.
CREATE FUNCTION pappus.open_certificates(device pappus.devices)
RETURNS SETOF pappus.certificates
LANGUAGE sql STABLE ROWS 1 AS $$
	SELECT c.*
	FROM pappus.certificates c
	WHERE c.device_id = device.device_id AND c.not_after > now()
		AND c.issued_at >= coalesce(device.live_since, '-infinity')
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
	WHERE r.serial IS NULL AND
		(SELECT i.revoked_at FROM pappus.issuers i
		WHERE i.issuer_id = c.issuer_id) IS NULL
	ORDER BY c.issued_at DESC, c.serial DESC
	LIMIT 1;
	IF issuer_id IS NULL THEN
		SELECT i.issuer_id INTO issuer_id
		FROM pappus.projects p
		JOIN pappus.issuers i ON i.issuer_id = coalesce(p.device_issuer_id,
			(SELECT max(o.issuer_id)
			FROM pappus.issuers o
			WHERE o.issuer_id = ANY (issuer_ids)
				AND o.purpose = 'device' AND o.state = 'issuing'
				AND o.shared))
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
