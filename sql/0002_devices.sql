-- SPDX-License-Identifier: ISC
-- The hot functions: what a device's two requests do here, many at a time.
-- Element i of every array belongs to request i; the answer has a row for
-- each.  A batch of one and a batch of fifty are the same code.
--
-- At READ COMMITTED each statement has a snapshot of its own: the first takes
-- the locks, in the order of ids, and what depends on them is read by later
-- ones.  A single statement would keep the snapshot from before its wait.
--
-- The planner's settings: a worker's first call may find empty tables, for
-- which a hash join over a sequential scan is the best plan, and keeps that
-- plan until autovacuum looks, a minute and many thousand devices later.

-- Enrols devices.  Outcomes: enrolled; repeated (this external_id is known
-- and has no identity yet: its device_id, whose token is now the new one);
-- invalid_token, token_expired, project_disabled; identity_exists and
-- device_denied (both of a known external_id); busy (another transaction
-- holds that device: ask again).
--
-- Enrolment tokens are read without a lock: a share lock would make the
-- token's row hot and, renewed without end by a stream of enrolments, keep
-- its regeneration waiting.  A call that begins after a regeneration was
-- answered finds the earlier tokens dead.
CREATE FUNCTION pappus.enroll(
	token_ids text[], token_digests bytea[], new_device_ids text[],
	device_token_digests bytea[], labels text[], external_ids text[],
	addresses inet[], request_ids uuid[])
RETURNS TABLE (n int, outcome text, device_id text, project_id text,
	enrolled_at bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	outcomes text[];	-- null while undecided
	projects text[];
	devices text[] := new_device_ids;
	times timestamptz[];
	made text[];
	found_device record;
	i int;
BEGIN
	SELECT array_agg(a.outcome), array_agg(a.project_id), array_agg(now())
	INTO outcomes, projects, times
	FROM
		(SELECT t.project_id,
			CASE
			WHEN t.enrollment_token_id IS NULL
				OR t.invalidated_at IS NOT NULL THEN 'invalid_token'
			WHEN t.expires_at <= now() THEN 'token_expired'
			WHEN p.state <> 'active' THEN 'project_disabled'
			WHEN r.external_id IS NULL THEN 'enrolled'
			END AS outcome
		FROM unnest(token_ids, token_digests, external_ids)
			WITH ORDINALITY AS r (id, sha256, external_id, n)
		LEFT JOIN pappus.enrollment_tokens t
			ON t.enrollment_token_id = r.id AND t.token_sha256 = r.sha256
		LEFT JOIN pappus.projects p ON p.project_id = t.project_id
		ORDER BY r.n) a;

	-- Known devices, in the order of their ids, as everywhere.
	IF array_position(outcomes, NULL) IS NOT NULL THEN
		PERFORM
		FROM unnest(outcomes, projects, external_ids)
			AS r (outcome, project_id, external_id)
		JOIN pappus.devices d ON d.project_id = r.project_id
			AND d.external_id = r.external_id
		WHERE r.outcome IS NULL
		ORDER BY d.device_id
		FOR UPDATE OF d;
	END IF;

	-- Those without an external_id wait for nobody.
	INSERT INTO pappus.devices (device_id, project_id, enrollment_token_id,
		token_sha256, label, enrolled_from, request_id)
	SELECT r.device_id, r.project_id, r.token_id, r.sha256, r.label,
		r.address, r.request_id
	FROM unnest(outcomes, projects, token_ids, new_device_ids,
		device_token_digests, labels, addresses, request_ids)
		AS r (outcome, project_id, token_id, device_id, sha256, label,
		address, request_id)
	WHERE r.outcome = 'enrolled';

	IF array_position(outcomes, NULL) IS NOT NULL THEN
		-- May wait for another transaction that inserts the same key;
		-- ordered, so that two batches can't wait for each other.
		WITH inserted AS
			(INSERT INTO pappus.devices AS d (device_id, project_id,
				enrollment_token_id, token_sha256, label, external_id,
				enrolled_from, request_id)
			SELECT r.device_id, r.project_id, r.token_id, r.sha256,
				r.label, r.external_id, r.address, r.request_id
			FROM unnest(outcomes, projects, token_ids, new_device_ids,
				device_token_digests, labels, external_ids, addresses,
				request_ids) WITH ORDINALITY
				AS r (outcome, project_id, token_id, device_id, sha256,
				label, external_id, address, request_id, n)
			WHERE r.outcome IS NULL
			ORDER BY r.project_id COLLATE "C", r.external_id COLLATE "C",
				r.n
			ON CONFLICT (project_id, external_id)
				WHERE external_id IS NOT NULL DO NOTHING
			RETURNING d.device_id)
		SELECT array_agg(inserted.device_id) INTO made FROM inserted;

		-- The rest is known already, by now at least to an earlier request
		-- of this batch: one after the other, and never waiting, for out of
		-- order a wait may become a deadlock.
		FOR i IN 1 .. cardinality(outcomes) LOOP
			CONTINUE WHEN outcomes[i] IS NOT NULL;
			IF new_device_ids[i] = ANY (made) THEN
				outcomes[i] := 'enrolled';
				CONTINUE;
			END IF;
			SELECT d.device_id, d.state, d.enrolled_at, d.identity_issued_at
			INTO found_device
			FROM pappus.devices d
			WHERE d.project_id = projects[i]
				AND d.external_id = external_ids[i]
			FOR UPDATE SKIP LOCKED;
			outcomes[i] := CASE
				WHEN found_device.device_id IS NULL THEN 'busy'
				WHEN found_device.state <> 'active' THEN 'device_denied'
				WHEN found_device.identity_issued_at IS NOT NULL
					THEN 'identity_exists'
				ELSE 'repeated'
				END;
			IF outcomes[i] = 'repeated' THEN
				UPDATE pappus.devices d
				SET token_sha256 = device_token_digests[i]
				WHERE d.device_id = found_device.device_id;
				devices[i] := found_device.device_id;
				times[i] := found_device.enrolled_at;
			END IF;
		END LOOP;
	END IF;

	RETURN QUERY
	SELECT r.n::int, r.outcome,
		CASE WHEN r.outcome IN ('enrolled', 'repeated')
			THEN r.device_id END,
		r.project_id,
		CASE WHEN r.outcome IN ('enrolled', 'repeated')
			THEN floor(extract(epoch FROM r.at))::bigint END
	FROM unnest(outcomes, devices, projects, times) WITH ORDINALITY
		AS r (outcome, device_id, project_id, at, n);
END
$$;

-- Authenticates devices and records the certificate that each is about to
-- get.  Outcomes: issued; invalid_token, device_denied, project_disabled;
-- no_issuer (none of issuer_ids, what the calling worker can sign with, may
-- issue for this project); issuer_expiring (a leaf of full length would
-- outlive it).
--
-- Issuing, denying and resetting a device are serialised on its row.  A row
-- that stays locked beyond lock_timeout fails the whole call (55P03): the
-- caller then repeats it one request at a time.
CREATE FUNCTION pappus.issue(
	device_ids text[], token_digests bytea[], serials bytea[],
	spki_digests bytea[], addresses inet[], request_ids uuid[],
	issuer_ids int[])
RETURNS TABLE (n int, outcome text, project_id text, issuer_id int,
	not_before bigint, not_after bigint)
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
BEGIN
	SELECT array_agg(l.device_id) INTO locked
	FROM
		(SELECT d.device_id
		FROM unnest(device_ids, token_digests) AS r (id, sha256)
		JOIN pappus.devices d
			ON d.device_id = r.id AND d.token_sha256 = r.sha256
		ORDER BY d.device_id
		FOR UPDATE OF d) l;

	SELECT array_agg(a.outcome), array_agg(a.project_id),
		array_agg(a.issuer_id), array_agg(a.replaces),
		array_agg(a.live_since)
	INTO outcomes, projects, issuers, replaces, since
	FROM
		(SELECT d.project_id, i.issuer_id, d.live_since,
			p.reissue_policy = 'replace' AS replaces,
			CASE
			-- Only what the first statement locked: a token that was
			-- changed since then is the next request's.
			WHEN (d.device_id = ANY (locked)) IS NOT TRUE
				OR d.state = 'deleted' THEN 'invalid_token'
			WHEN d.state <> 'active' THEN 'device_denied'
			WHEN p.state <> 'active' THEN 'project_disabled'
			WHEN i.issuer_id IS NULL THEN 'no_issuer'
			WHEN i.not_after < ends THEN 'issuer_expiring'
			ELSE 'issued'
			END AS outcome
		FROM unnest(device_ids, token_digests)
			WITH ORDINALITY AS r (id, sha256, n)
		LEFT JOIN pappus.devices d
			ON d.device_id = r.id AND d.token_sha256 = r.sha256
		LEFT JOIN pappus.projects p ON p.project_id = d.project_id
		LEFT JOIN pappus.issuers i
			ON i.issuer_id = coalesce(p.device_issuer_id,
				(SELECT max(o.issuer_id)
				FROM unnest(issuer_ids) AS k (id)
				JOIN pappus.issuers o ON o.issuer_id = k.id
				WHERE o.purpose = 'device' AND o.state = 'issuing'))
			AND i.issuer_id = ANY (issuer_ids)
			AND i.purpose = 'device' AND i.state = 'issuing'
		ORDER BY r.n) a;

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
	INSERT INTO pappus.revocations AS v
		(serial, issuer_id, not_after, reason, actor, origin)
	SELECT c.serial, c.issuer_id, c.not_after, 4, c.device_id, 'reissue'
	FROM
		(SELECT DISTINCT ON (r.device_id COLLATE "C")
			r.device_id, r.serial, r.since
		FROM unnest(outcomes, replaces, device_ids, serials, since)
			WITH ORDINALITY
			AS r (outcome, replaces, device_id, serial, since, n)
		WHERE r.outcome = 'issued' AND r.replaces
		ORDER BY r.device_id COLLATE "C", r.n DESC) last
	JOIN pappus.certificates c
		ON c.device_id = last.device_id AND c.issued_at >= last.since
		AND c.serial <> last.serial
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
		live_since = CASE WHEN r.replaces
			THEN greatest(now(), d.live_since) ELSE d.live_since END
	FROM unnest(outcomes, replaces, device_ids)
		AS r (outcome, replaces, device_id)
	WHERE r.outcome = 'issued' AND d.device_id = r.device_id;

	RETURN QUERY
	SELECT r.n::int, r.outcome, r.project_id, r.issuer_id,
		extract(epoch FROM starts)::bigint, extract(epoch FROM ends)::bigint
	FROM unnest(outcomes, projects, issuers) WITH ORDINALITY
		AS r (outcome, project_id, issuer_id, n);
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
GRANT EXECUTE ON FUNCTION pappus.enroll TO pappus_enroll;
GRANT EXECUTE ON FUNCTION pappus.issue, pappus.issuers TO pappus_identity;
