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

-- Whether one more device may enrol into a project, whose row the caller has
-- locked.  See pappus.projects for the counting.
CREATE FUNCTION pappus.project_has_room(wanted_project_id text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	project pappus.projects;
	top bigint := pg_current_xact_id()::text::bigint;
	sub bigint;
	at pg_snapshot;
BEGIN
	SELECT p.* INTO project
	FROM pappus.projects p WHERE p.project_id = wanted_project_id;
	IF project.device_limit IS NULL OR project.device_count IS NOT NULL THEN
		RETURN project.device_limit IS NULL
			OR project.device_count < project.device_limit;
	END IF;
	IF project.count_after IS NULL THEN
		-- A subtransaction that writes takes a new id, above all that are
		-- under way.  (A row has the lower 32 bits of it.)
		BEGIN
			UPDATE pappus.projects p SET device_count = NULL
			WHERE p.project_id = wanted_project_id;
			SELECT p.xmin::text::bigint INTO sub
			FROM pappus.projects p WHERE p.project_id = wanted_project_id;
		EXCEPTION WHEN no_data_found THEN
			RAISE;
		END;
		project.count_after :=
			(top + (sub - top & 4294967295))::text::xid8;
	END IF;
	-- In one statement: the count, and who was under way then.  There may
	-- be millions; all of them are counted in an index alone.
	SELECT pg_current_snapshot(),
		(SELECT count(*) FROM pappus.devices d
		WHERE d.project_id = wanted_project_id) -
		(SELECT count(*) FROM pappus.devices d
		WHERE d.project_id = wanted_project_id AND d.state = 'deleted')
	INTO at, project.device_count;
	UPDATE pappus.projects p
	SET count_after = project.count_after, device_count = CASE
		WHEN pg_snapshot_xmin(at) >= project.count_after
			THEN project.device_count
		END
	WHERE p.project_id = wanted_project_id;
	RETURN project.device_count < project.device_limit;
END
$$;

-- Enrols devices.  Outcomes: enrolled; repeated (this external_id is known
-- and has no identity yet: its device_id, whose token is now the new one);
-- late (its deadline has passed, nothing was done); invalid_token,
-- token_expired, address_not_allowed, project_disabled; token_used_up,
-- device_limit; identity_exists and device_denied (both of a known
-- external_id); busy (another transaction holds that device: ask again).
--
-- Enrolment tokens are read without a lock: a share lock would make the
-- token's row hot and, renewed without end by a stream of enrolments, keep
-- its regeneration waiting.  A call that begins after a regeneration was
-- answered finds the earlier tokens dead.  Only where there is a maximum of
-- uses or a limit of devices is there something to lock, and to count.
--
-- A repetition makes no device, so it is no use of a token either; but a
-- token that is used up repeats only what it enrolled itself.
CREATE FUNCTION pappus.enroll(
	token_ids text[], token_digests bytea[], new_device_ids text[],
	device_token_digests bytea[], labels text[], external_ids text[],
	addresses inet[], request_ids uuid[], deadlines timestamptz[])
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
	counts boolean;		-- something has a maximum or a limit
	locked text[];		-- projects that have, once they are locked
	made text[];
	found_device record;
	-- An id before anything is read: by it project_has_room knows who may
	-- have seen no limit.
	begun xid8 := pg_current_xact_id();
	i int;
BEGIN
	LOOP
		SELECT array_agg(a.outcome), array_agg(a.project_id),
			array_agg(now()), bool_or(a.counts AND a.outcome IS NULL)
		INTO outcomes, projects, times, counts
		FROM
			(SELECT t.project_id,
				t.max_uses IS NOT NULL OR p.device_limit IS NOT NULL
					AS counts,
				CASE
				WHEN r.deadline <= clock_timestamp() THEN 'late'
				WHEN t.enrollment_token_id IS NULL
					OR t.invalidated_at <= clock_timestamp()
					THEN 'invalid_token'
				WHEN t.expires_at <= clock_timestamp()
					THEN 'token_expired'
				WHEN NOT coalesce(r.address <<= ANY (t.allowed_cidrs),
					t.allowed_cidrs IS NULL)
					THEN 'address_not_allowed'
				WHEN p.state <> 'active' THEN 'project_disabled'
				-- A limit that came while the others were locked.
				WHEN locked IS NOT NULL AND p.device_limit IS NOT NULL
					AND p.project_id <> ALL (locked) THEN 'busy'
				WHEN r.external_id IS NULL AND t.max_uses IS NULL
					AND p.device_limit IS NULL THEN 'enrolled'
				END AS outcome
			FROM unnest(token_ids, token_digests, external_ids, addresses,
				deadlines) WITH ORDINALITY
				AS r (id, sha256, external_id, address, deadline, n)
			LEFT JOIN pappus.enrollment_tokens t
				ON t.enrollment_token_id = r.id
				AND t.token_sha256 = r.sha256
			LEFT JOIN pappus.projects p ON p.project_id = t.project_id
			ORDER BY r.n) a;
		EXIT WHEN locked IS NOT NULL OR counts IS NOT TRUE;
		-- Projects before tokens, as regenerating does, and all in the
		-- order of ids; then what they say is read again.
		SELECT coalesce(array_agg(l.project_id), '{}') INTO locked
		FROM
			(SELECT p.project_id
			FROM unnest(outcomes, projects) AS r (outcome, project_id)
			JOIN pappus.projects p ON p.project_id = r.project_id
			WHERE r.outcome IS NULL AND p.device_limit IS NOT NULL
			ORDER BY p.project_id
			FOR NO KEY UPDATE OF p) l;
		PERFORM
		FROM unnest(outcomes, token_ids) AS r (outcome, token_id)
		JOIN pappus.enrollment_tokens t
			ON t.enrollment_token_id = r.token_id
		WHERE r.outcome IS NULL AND t.max_uses IS NOT NULL
		ORDER BY t.enrollment_token_id
		FOR UPDATE OF t;
	END LOOP;

	IF array_position(outcomes, NULL) IS NOT NULL THEN
		-- Known devices, likewise.
		PERFORM
		FROM unnest(outcomes, projects, external_ids)
			AS r (outcome, project_id, external_id)
		JOIN pappus.devices d ON d.project_id = r.project_id
			AND d.external_id = r.external_id
		WHERE r.outcome IS NULL
		ORDER BY d.device_id
		FOR UPDATE OF d;
		-- Each of these may have waited.
		SELECT array_agg(CASE
			WHEN coalesce(r.outcome, 'enrolled') = 'enrolled'
				AND r.deadline <= clock_timestamp() THEN 'late'
			ELSE r.outcome
			END ORDER BY r.n)
		INTO outcomes
		FROM unnest(outcomes, deadlines) WITH ORDINALITY
			AS r (outcome, deadline, n);
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
		IF locked IS NULL THEN
			WITH inserted AS
				(INSERT INTO pappus.devices AS d (device_id, project_id,
					enrollment_token_id, token_sha256, label,
					external_id, enrolled_from, request_id)
				SELECT r.device_id, r.project_id, r.token_id, r.sha256,
					r.label, r.external_id, r.address, r.request_id
				FROM unnest(outcomes, projects, token_ids,
					new_device_ids, device_token_digests, labels,
					external_ids, addresses, request_ids)
					WITH ORDINALITY AS r (outcome, project_id, token_id,
					device_id, sha256, label, external_id, address,
					request_id, n)
				WHERE r.outcome IS NULL
				ORDER BY r.project_id COLLATE "C",
					r.external_id COLLATE "C", r.n
				ON CONFLICT (project_id, external_id)
					WHERE external_id IS NOT NULL DO NOTHING
				RETURNING d.device_id)
			SELECT array_agg(inserted.device_id) INTO made FROM inserted;
		ELSE
			-- Counted one by one.
			FOR i IN
				SELECT r.n
				FROM unnest(outcomes, projects, external_ids)
					WITH ORDINALITY AS r (outcome, project_id, external_id, n)
				WHERE r.outcome IS NULL
				ORDER BY r.project_id COLLATE "C", r.external_id COLLATE "C",
					r.n
			LOOP
				CONTINUE WHEN EXISTS
					(SELECT FROM pappus.devices d
					WHERE d.project_id = projects[i]
						AND d.external_id = external_ids[i]);
				outcomes[i] := CASE
					WHEN EXISTS (SELECT FROM pappus.enrollment_tokens t
						WHERE t.enrollment_token_id = token_ids[i]
							AND t.uses >= t.max_uses) THEN 'token_used_up'
					WHEN NOT pappus.project_has_room(projects[i])
						THEN 'device_limit'
					END;
				CONTINUE WHEN outcomes[i] IS NOT NULL;
				INSERT INTO pappus.devices (device_id, project_id,
					enrollment_token_id, token_sha256, label, external_id,
					enrolled_from, request_id)
				VALUES (new_device_ids[i], projects[i], token_ids[i],
					device_token_digests[i], labels[i], external_ids[i],
					addresses[i], request_ids[i])
				ON CONFLICT (project_id, external_id)
					WHERE external_id IS NOT NULL DO NOTHING;
				CONTINUE WHEN NOT FOUND;
				IF deadlines[i] <= clock_timestamp() THEN
					-- It has waited for its key.
					outcomes[i] := 'late';
					DELETE FROM pappus.devices d
					WHERE d.device_id = new_device_ids[i];
					CONTINUE;
				END IF;
				outcomes[i] := 'enrolled';
				UPDATE pappus.enrollment_tokens t
				SET uses = t.uses + 1
				WHERE t.enrollment_token_id = token_ids[i]
					AND t.max_uses IS NOT NULL;
				UPDATE pappus.projects p
				SET device_count = p.device_count + 1
				WHERE p.project_id = projects[i]
					AND p.device_count IS NOT NULL;
			END LOOP;
		END IF;

		-- The rest is known already, by now at least to an earlier request
		-- of this batch: one after the other, and never waiting, for out of
		-- order a wait may become a deadlock.
		FOR i IN 1 .. cardinality(outcomes) LOOP
			CONTINUE WHEN outcomes[i] IS NOT NULL;
			IF new_device_ids[i] = ANY (made) THEN
				outcomes[i] := 'enrolled';
				IF deadlines[i] <= clock_timestamp() THEN
					outcomes[i] := 'late';
					DELETE FROM pappus.devices d
					WHERE d.device_id = new_device_ids[i];
				END IF;
				CONTINUE;
			END IF;
			SELECT d.device_id, d.state, d.enrolled_at,
				d.identity_issued_at,
				t.uses >= t.max_uses AND d.enrollment_token_id
					IS DISTINCT FROM t.enrollment_token_id AS used_up
			INTO found_device
			FROM pappus.devices d, pappus.enrollment_tokens t
			WHERE d.project_id = projects[i]
				AND d.external_id = external_ids[i]
				AND t.enrollment_token_id = token_ids[i]
			FOR UPDATE OF d SKIP LOCKED;
			outcomes[i] := CASE
				WHEN deadlines[i] <= clock_timestamp() THEN 'late'
				WHEN found_device.device_id IS NULL THEN 'busy'
				WHEN found_device.used_up THEN 'token_used_up'
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pappus.enroll TO pappus_enroll;
