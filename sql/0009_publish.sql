-- SPDX-License-Identifier: ISC
-- What brokers are told, and by whom: the outbox of changes, the lease of the
-- one that publishes, the records of what it signed, and the root's own CRL.
--
-- pappus-crld must know of every change, however late its transaction commits,
-- and must be able to read what stood at one moment without a transaction that
-- lasts as long as the reading.  So each change of the truth leaves a row in
-- pappus.changes, in the same transaction, with what was there before.  The
-- leader *claims* the rows that it sees: they get the next sequence number, one
-- for all.  "As of" a number is then the truth less every change that has a
-- higher number or none, whichever snapshot reads it.

-- (No CHECKs: each costs a statement of issue ten microseconds, and only the
-- triggers below write here.)
CREATE TABLE pappus.changes (
	-- Changes of one certificate or device wait for each other by its row's
	-- lock, and this is drawn behind it: so it is their order.
	change_id bigint GENERATED ALWAYS AS IDENTITY,
	transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
	changed_at timestamptz NOT NULL DEFAULT now(),
	-- Null until it is claimed.
	sequence bigint,
	claimed_at timestamptz,
	kind text NOT NULL,	-- certificate, device or issuer
	serial bytea,
	device_id text COLLATE "C",
	-- Of a certificate what pappus.revocations had and has; reason is null
	-- where there is no row.  Of an issuer that something has changed.
	old_issuer_id int,
	old_not_after timestamptz,
	old_reason smallint,
	old_revoked_at timestamptz,
	issuer_id int,
	not_after timestamptz,
	reason smallint,
	revoked_at timestamptz,
	-- Of a device whether it was shut out, and is.
	old_denied boolean,
	denied boolean
)
-- Each row is written twice and deleted.
WITH (autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_threshold = 1000,
	autovacuum_vacuum_insert_scale_factor = 0.02);
CREATE INDEX changes_unclaimed
	ON pappus.changes (transaction_id, change_id) WHERE sequence IS NULL;
CREATE UNIQUE INDEX changes_claimed
	ON pappus.changes (sequence, change_id) WHERE sequence IS NOT NULL;

-- Who leads, and how far it has come: one row, which only the functions for
-- pappus_crl reach.  (An advisory lock could be taken by any role.)
CREATE TABLE pappus.publication (
	single boolean PRIMARY KEY DEFAULT true CHECK (single),
	-- Up whenever the lease changes hands: what a leader that has slept
	-- still wants to write names an epoch that is over.
	epoch bigint NOT NULL DEFAULT 0,
	holder text CHECK (octet_length(holder) BETWEEN 1 AND 128),
	expires_at timestamptz NOT NULL DEFAULT '-infinity',
	-- The last that was claimed.
	sequence bigint NOT NULL DEFAULT 0,
	-- Of changes up to here some are deleted.
	pruned bigint NOT NULL DEFAULT 0,
	-- Whom the last claim saw: all transactions below seen_below, but for
	-- those that were under way.  What it saw it has claimed, so the next
	-- need not look there.  (The index is no help in this: while anybody
	-- holds an old snapshot, rows long claimed stay in it.)
	seen_below xid8 NOT NULL DEFAULT '0',
	under_way xid8[] NOT NULL DEFAULT '{}',
	-- A claim has left some; these two are of one before it.
	behind boolean NOT NULL DEFAULT false,
	CHECK (pruned <= sequence)
)
WITH (fillfactor = 10);
INSERT INTO pappus.publication DEFAULT VALUES;

-- CRLs that were signed, the last hundred of each issuer.  The bytes of ours
-- can be made again: entries as of a sequence, and the signature.
CREATE TABLE pappus.crls (
	issuer_id int NOT NULL REFERENCES pappus.issuers,
	-- RFC 5280 5.2.3
	number bigint NOT NULL CHECK (number >= 0),
	this_update timestamptz NOT NULL,
	next_update timestamptz NOT NULL,
	sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
	recorded_at timestamptz NOT NULL DEFAULT now(),
	-- The issuer was closed by then: there will be no other.
	final boolean NOT NULL DEFAULT false,
	-- All of a root's, which comes from a ceremony.
	der bytea CHECK (octet_length(der) BETWEEN 1 AND 1048576),
	-- Of ours.  Certificates that expired earlier than expired_before are
	-- not listed (RFC 5280 3.3).
	sequence bigint,
	expired_before timestamptz,
	entries bigint CHECK (entries >= 0),
	signature bytea CHECK (octet_length(signature) BETWEEN 1 AND 512),
	PRIMARY KEY (issuer_id, number),
	CHECK (this_update < next_update),
	CHECK (num_nulls(sequence, expired_before, entries, signature) =
		CASE WHEN der IS NULL THEN 0 ELSE 4 END)
);

-- A number has one spelling.  (Not of what recover may have brought already.)
ALTER TABLE pappus.revocations DROP CONSTRAINT revocations_serial_check;
ALTER TABLE pappus.revocations ADD CONSTRAINT revocations_serial_check
	CHECK (octet_length(serial) BETWEEN 1 AND 20
		AND get_byte(serial, 0) BETWEEN 1 AND 127) NOT VALID;

-- A million of these are read in the order of serials: from the index alone.
ALTER TABLE pappus.revocations DROP CONSTRAINT revocations_pkey;
ALTER TABLE pappus.revocations ADD CONSTRAINT revocations_pkey
	PRIMARY KEY (serial) INCLUDE (issuer_id, not_after, reason, revoked_at);
-- ... for which vacuum must have seen the table.
ALTER TABLE pappus.revocations
	SET (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Filling the outbox.  A statement's new revocations at once, for issue makes
-- many; all else is rare, and there it matters what was before.  These have
-- their caller's search_path, hence the names in full.

CREATE FUNCTION pappus.revocations_added() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pappus.changes (kind, serial, issuer_id, not_after, reason,
		revoked_at)
	SELECT 'certificate', a.serial, a.issuer_id, a.not_after, a.reason,
		a.revoked_at
	FROM added a;
	RETURN NULL;
END
$$;

CREATE FUNCTION pappus.revocation_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'UPDATE' AND NEW.serial <> OLD.serial THEN
		RAISE 'the serial of a revocation never changes'
			USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	INSERT INTO pappus.changes (kind, serial, old_issuer_id, old_not_after,
		old_reason, old_revoked_at, issuer_id, not_after, reason,
		revoked_at)
	VALUES ('certificate', OLD.serial, OLD.issuer_id, OLD.not_after,
		OLD.reason, OLD.revoked_at, NEW.issuer_id, NEW.not_after,
		NEW.reason, NEW.revoked_at);
	RETURN NULL;
END
$$;

CREATE TRIGGER revocations_publish_added
	AFTER INSERT ON pappus.revocations
	REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION pappus.revocations_added();
CREATE TRIGGER revocations_publish_changed
	AFTER UPDATE ON pappus.revocations FOR EACH ROW
	WHEN ((OLD.serial, OLD.issuer_id, OLD.not_after, OLD.reason,
		OLD.revoked_at) IS DISTINCT FROM (NEW.serial, NEW.issuer_id,
		NEW.not_after, NEW.reason, NEW.revoked_at))
	EXECUTE FUNCTION pappus.revocation_changed();
CREATE TRIGGER revocations_publish_released
	AFTER DELETE ON pappus.revocations FOR EACH ROW
	EXECUTE FUNCTION pappus.revocation_changed();

-- A device is denied by its own row or by one in unknown_devices.  Both are
-- looked at: one that is recovered moves from one to the other, and was at no
-- time let in.
CREATE FUNCTION pappus.device_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	changed_id text COLLATE "C";
	before boolean := false;
	after boolean := false;
BEGIN
	IF TG_OP <> 'INSERT' THEN
		changed_id := OLD.device_id;
		before := OLD.state <> 'active';
	END IF;
	IF TG_OP <> 'DELETE' THEN
		changed_id := NEW.device_id;
		after := NEW.state <> 'active';
	END IF;
	-- By the other table it was denied before and is still.
	IF before = after OR (TG_TABLE_NAME = 'unknown_devices' AND EXISTS
		(SELECT FROM pappus.devices d
		WHERE d.device_id = changed_id AND d.state <> 'active'))
		OR (TG_TABLE_NAME = 'devices' AND EXISTS
		(SELECT FROM pappus.unknown_devices u
		WHERE u.device_id = changed_id)) THEN
		RETURN NULL;
	END IF;
	INSERT INTO pappus.changes (kind, device_id, old_denied, denied)
	VALUES ('device', changed_id, before, after);
	RETURN NULL;
END
$$;

-- Not for the enrolments and issues of good devices.
CREATE TRIGGER devices_publish_added
	AFTER INSERT ON pappus.devices FOR EACH ROW
	WHEN (NEW.state <> 'active')
	EXECUTE FUNCTION pappus.device_changed();
CREATE TRIGGER devices_publish_changed
	AFTER UPDATE OF state ON pappus.devices FOR EACH ROW
	WHEN (OLD.state <> NEW.state)
	EXECUTE FUNCTION pappus.device_changed();
CREATE TRIGGER devices_publish_deleted
	AFTER DELETE ON pappus.devices FOR EACH ROW
	WHEN (OLD.state <> 'active')
	EXECUTE FUNCTION pappus.device_changed();
CREATE TRIGGER unknown_devices_publish
	AFTER INSERT OR DELETE ON pappus.unknown_devices FOR EACH ROW
	EXECUTE FUNCTION pappus.device_changed();

CREATE FUNCTION pappus.issuer_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pappus.changes (kind, issuer_id)
	VALUES ('issuer', NEW.issuer_id);
	RETURN NULL;
END
$$;

CREATE TRIGGER issuers_publish
	AFTER INSERT OR UPDATE ON pappus.issuers FOR EACH ROW
	EXECUTE FUNCTION pappus.issuer_changed();

-- Wakes crld, which looks each second anyway.  On the log of operators' acts,
-- never in a hot function: NOTIFY takes turns at commit.  Any role may fill
-- the queue of notifications; a commit that notifies then warns, and in the
-- end fails.  An act must not.
CREATE FUNCTION pappus.changes_notify() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF pg_notification_queue_usage() < 0.4 THEN
		PERFORM pg_notify('pappus_changes', '');
	END IF;
	RETURN NULL;
END
$$;

CREATE TRIGGER operator_actions_notify
	AFTER INSERT ON pappus.operator_actions
	FOR EACH STATEMENT EXECUTE FUNCTION pappus.changes_notify();

-- The lease.

-- The publication's row, locked, if this epoch is the current one; else null.
CREATE FUNCTION pappus.crl_hold(wanted_epoch bigint)
RETURNS pappus.publication
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	present pappus.publication;
BEGIN
	SELECT p.* INTO present
	FROM pappus.publication p
	WHERE p.single
	FOR UPDATE;
	IF present.epoch = wanted_epoch THEN
		RETURN present;
	END IF;
	RETURN NULL;
END
$$;

-- Takes the lease or renews it: its epoch, or null while another has it.  One
-- that has expired is a new one, also for who had it last.
CREATE FUNCTION pappus.crl_lease(new_holder text, seconds int)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	present pappus.publication;
	at timestamptz;
BEGIN
	IF (seconds BETWEEN 1 AND 3600) IS NOT TRUE OR new_holder IS NULL THEN
		RAISE 'a lease has a holder and is for 1 to 3600 seconds'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT p.* INTO present
	FROM pappus.publication p
	WHERE p.single
	FOR UPDATE;
	at := clock_timestamp();	-- it may have waited
	IF present.expires_at <= at THEN
		-- The next claim looks everywhere: transaction ids are of this
		-- cluster, and the row may come from another, in a dump.
		UPDATE pappus.publication p
		SET epoch = p.epoch + 1, holder = new_holder,
			expires_at = at + seconds * interval '1 second',
			seen_below = '0', under_way = '{}'
		WHERE p.single
		RETURNING p.* INTO present;
	ELSIF present.holder = new_holder THEN
		UPDATE pappus.publication p
		SET expires_at = at + seconds * interval '1 second'
		WHERE p.single;
	ELSE
		RETURN NULL;
	END IF;
	RETURN present.epoch;
END
$$;

-- Whether it was this epoch's to give up.
CREATE FUNCTION pappus.crl_release(epoch bigint) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
	UPDATE pappus.publication p
	SET expires_at = '-infinity'
	WHERE p.single AND p.epoch = crl_release.epoch
	RETURNING true
$$;

-- Changes without a number.
CREATE FUNCTION pappus.changes_unclaimed(p pappus.publication)
RETURNS SETOF pappus.changes
LANGUAGE sql STABLE AS $$
	SELECT c.*
	FROM pappus.changes c
	WHERE c.sequence IS NULL AND c.transaction_id >= p.seen_below
	UNION ALL
	SELECT c.*
	FROM pappus.changes c
	WHERE c.sequence IS NULL AND c.transaction_id = ANY (p.under_way)
		AND c.transaction_id < p.seen_below
$$;

-- How publishing stands.  unclaimed goes up to 10,000.
CREATE FUNCTION pappus.crl_status(OUT epoch bigint, OUT holder text,
	OUT expires_ms bigint, OUT sequence bigint, OUT pruned bigint,
	OUT unclaimed bigint, OUT unclaimed_age bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
	present pappus.publication;
BEGIN
	SELECT p.* INTO present FROM pappus.publication p WHERE p.single;
	epoch := present.epoch;
	holder := present.holder;
	-- A year, where it never was one's.
	expires_ms := extract(epoch FROM greatest(present.expires_at,
		clock_timestamp() - interval '1 year') - clock_timestamp()) * 1000;
	sequence := present.sequence;
	pruned := present.pruned;
	SELECT count(*), coalesce(floor(extract(epoch FROM
		greatest(interval '0', clock_timestamp() - min(u.changed_at)))), 0)
	INTO unclaimed, unclaimed_age
	FROM
		(SELECT c.changed_at
		FROM pappus.changes_unclaimed(present) c
		LIMIT 10000) u;
END
$$;

-- Numbers what has changed and answers the last number and how many changes
-- got it; nulls when the lease is another's.  At most at_most changes, oldest
-- first: then again.
--
-- Numbers are milliseconds since 1970 where the clock allows it, and above
-- what the caller has published: a database that was restored counts on, and
-- doesn't say things under a number that stood for others.
CREATE FUNCTION pappus.crl_claim(epoch bigint, published bigint, at_most int,
	OUT sequence bigint, OUT claimed bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
	present pappus.publication := pappus.crl_hold(crl_claim.epoch);
	next bigint;
	seen pg_snapshot;
BEGIN
	IF present.epoch IS NULL THEN
		RETURN;
	END IF;
	next := greatest(present.sequence, published,
		floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1) + 1;
	-- In one statement: the changes, and whom it saw.  What one finds by
	-- ctid here is nobody else's to move.
	WITH marked AS
		(UPDATE pappus.changes c
		SET sequence = next, claimed_at = clock_timestamp()
		WHERE c.ctid = ANY (ARRAY
			(SELECT u.at
			FROM
				(SELECT c.ctid AS at, c.change_id
				FROM pappus.changes c
				WHERE c.sequence IS NULL
					AND c.transaction_id >= present.seen_below
				UNION ALL
				SELECT c.ctid, c.change_id
				FROM pappus.changes c
				WHERE c.sequence IS NULL
					AND c.transaction_id = ANY (present.under_way)
					AND c.transaction_id < present.seen_below) u
			ORDER BY u.change_id
			LIMIT at_most))
		RETURNING 1)
	SELECT pg_current_snapshot(), (SELECT count(*) FROM marked)
	INTO seen, claimed;
	sequence := present.sequence;
	IF claimed > 0 OR present.sequence < published THEN
		sequence := next;
		UPDATE pappus.publication p
		SET sequence = next, behind = present.behind OR claimed = at_most
		WHERE p.single;
	END IF;
	IF claimed < at_most AND (claimed > 0 OR present.behind) THEN
		-- This transaction's own changes can only be a test's.
		UPDATE pappus.publication p
		SET seen_below = pg_snapshot_xmax(seen),
			under_way = ARRAY(SELECT pg_snapshot_xip(seen))
				|| pg_current_xact_id(),
			behind = false
		WHERE p.single;
	END IF;
END
$$;

-- The publication's row as the calling statement sees it.  What a sequence
-- stood for must be known: nothing above it is deleted, and it has been given
-- out.
CREATE FUNCTION pappus.crl_known(wanted_sequence bigint)
RETURNS pappus.publication
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
	present pappus.publication;
BEGIN
	SELECT p.* INTO present FROM pappus.publication p WHERE p.single;
	IF (wanted_sequence BETWEEN present.pruned AND present.sequence)
		IS NOT TRUE THEN
		RAISE 'sequence % is not from % to %', wanted_sequence,
			present.pruned, present.sequence
			USING ERRCODE = 'snapshot_too_old';
	END IF;
	RETURN present;
END
$$;

-- Changes that a sequence doesn't contain: later ones and those without one.
CREATE FUNCTION pappus.changes_since(p pappus.publication,
	after_sequence bigint)
RETURNS SETOF pappus.changes
LANGUAGE sql STABLE AS $$
	SELECT c.*
	FROM pappus.changes c
	WHERE c.sequence > after_sequence
	UNION ALL
	SELECT c.*
	FROM pappus.changes c
	WHERE c.sequence IS NULL AND c.transaction_id >= p.seen_below
	UNION ALL
	SELECT c.*
	FROM pappus.changes c
	WHERE c.sequence IS NULL AND c.transaction_id = ANY (p.under_way)
		AND c.transaction_id < p.seen_below
$$;

-- A page of claimed changes above (after_sequence, after_change_id) and up to
-- a sequence.
CREATE FUNCTION pappus.crl_changes(after_sequence bigint,
	after_change_id bigint, upto bigint, page_size int)
RETURNS TABLE (sequence bigint, change_id bigint, kind text, serial bytea,
	device_id text, old_issuer_id int, old_not_after timestamptz,
	old_reason smallint, old_revoked_at timestamptz, issuer_id int,
	not_after timestamptz, reason smallint, revoked_at timestamptz,
	denied boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
AS $$
#variable_conflict use_column
BEGIN
	PERFORM pappus.crl_known(after_sequence);
	RETURN QUERY
	SELECT c.sequence, c.change_id, c.kind, c.serial, c.device_id,
		c.old_issuer_id, c.old_not_after, c.old_reason, c.old_revoked_at,
		c.issuer_id, c.not_after, c.reason, c.revoked_at, c.denied
	FROM pappus.changes c
	WHERE (c.sequence, c.change_id) > (after_sequence, after_change_id)
		AND c.sequence <= upto
	ORDER BY c.sequence, c.change_id
	LIMIT page_size;
END
$$;

-- A page of what was revoked or on hold as of a sequence, in the order of
-- serials.  Both sides are sorted, so a merge reads no more than the page; a
-- hash of so few changes would make the planner sort all revocations.
CREATE FUNCTION pappus.crl_entries(as_of bigint, after_serial bytea,
	page_size int)
RETURNS TABLE (serial bytea, issuer_id int, not_after timestamptz,
	reason smallint, revoked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	present pappus.publication := pappus.crl_known(as_of);
BEGIN
	RETURN QUERY
	WITH undone AS MATERIALIZED
		(SELECT DISTINCT ON (c.serial) c.serial, c.old_issuer_id,
			c.old_not_after, c.old_reason, c.old_revoked_at
		FROM pappus.changes_since(present, as_of) c
		WHERE c.kind = 'certificate' AND c.serial > after_serial
		ORDER BY c.serial, c.change_id)
	(SELECT r.serial, r.issuer_id, r.not_after, r.reason, r.revoked_at
	FROM pappus.revocations r
	WHERE r.serial > after_serial
		AND NOT EXISTS (SELECT FROM undone u WHERE u.serial = r.serial)
	ORDER BY r.serial
	LIMIT page_size)
	UNION ALL
	(SELECT u.serial, u.old_issuer_id, u.old_not_after, u.old_reason,
		u.old_revoked_at
	FROM undone u
	WHERE u.old_reason IS NOT NULL
	ORDER BY u.serial
	LIMIT page_size)
	ORDER BY 1
	LIMIT page_size;
END
$$;

-- ... and of the devices that were denied, in the order of ids.
CREATE FUNCTION pappus.crl_devices(as_of bigint, after_device_id text,
	page_size int)
RETURNS TABLE (device_id text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	present pappus.publication := pappus.crl_known(as_of);
	after_id text COLLATE "C" := after_device_id;
BEGIN
	RETURN QUERY
	WITH undone AS MATERIALIZED
		(SELECT DISTINCT ON (c.device_id) c.device_id, c.old_denied
		FROM pappus.changes_since(present, as_of) c
		WHERE c.kind = 'device' AND c.device_id > after_id
		ORDER BY c.device_id, c.change_id)
	SELECT DISTINCT s.device_id
	FROM
		((SELECT t.device_id
		FROM
			-- One index for all three would need another for each.
			(SELECT d.device_id
			FROM pappus.devices d
			WHERE d.state = 'denied' AND d.state <> 'active'
			UNION ALL
			SELECT d.device_id
			FROM pappus.devices d
			WHERE d.state = 'revoked' AND d.state <> 'active'
			UNION ALL
			SELECT d.device_id
			FROM pappus.devices d
			WHERE d.state = 'deleted' AND d.state <> 'active'
			UNION ALL
			SELECT d.device_id
			FROM pappus.unknown_devices d) t
		WHERE t.device_id > after_id
			AND NOT EXISTS (SELECT FROM undone u
				WHERE u.device_id = t.device_id)
		ORDER BY t.device_id
		LIMIT page_size)
		UNION ALL
		(SELECT u.device_id
		FROM undone u
		WHERE u.old_denied
		ORDER BY u.device_id
		LIMIT page_size)) s
	ORDER BY s.device_id
	LIMIT page_size;
END
$$;

-- Deletes the oldest changes, up to a sequence, that were claimed more than an
-- hour ago, at most 50,000; answers how many, null when the lease is another's.
CREATE FUNCTION pappus.crl_prune(epoch bigint, below bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
	present pappus.publication := pappus.crl_hold(crl_prune.epoch);
	deleted bigint;
	last bigint;
BEGIN
	IF present.epoch IS NULL THEN
		RETURN NULL;
	END IF;
	WITH gone AS
		(DELETE FROM pappus.changes c
		WHERE c.ctid = ANY (ARRAY
			(SELECT c.ctid
			FROM pappus.changes c
			WHERE c.sequence <= below
				AND c.claimed_at < now() - interval '1 hour'
			ORDER BY c.sequence, c.change_id
			LIMIT 50000))
		RETURNING c.sequence)
	SELECT count(*), max(g.sequence) INTO deleted, last FROM gone g;
	IF deleted > 0 THEN
		UPDATE pappus.publication p
		SET pruned = greatest(p.pruned, last)
		WHERE p.single;
	END IF;
	RETURN deleted;
END
$$;

-- The CRLs.

-- Deletes all but an issuer's last hundred.
CREATE FUNCTION pappus.crls_forget(wanted_issuer_id int) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off AS $$
	DELETE FROM pappus.crls c
	WHERE c.issuer_id = wanted_issuer_id AND c.number <=
		(SELECT o.number
		FROM pappus.crls o
		WHERE o.issuer_id = wanted_issuer_id
		ORDER BY o.number DESC
		OFFSET 100 LIMIT 1)
$$;

-- Records a CRL that was signed: "recorded", or "lost" (the lease is
-- another's), or "outdated" (last_number is not below its number).  Times are
-- unix seconds.
CREATE FUNCTION pappus.crl_record(epoch bigint, issuer_id int, number bigint,
	this_update bigint, next_update bigint, sequence bigint,
	expired_before bigint, entries bigint, sha256 bytea, signature bytea,
	OUT outcome text, OUT last_number bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_variable
DECLARE
	present pappus.publication := pappus.crl_hold(crl_record.epoch);
	issuer pappus.issuers;
BEGIN
	IF present.epoch IS NULL THEN
		outcome := 'lost';
		RETURN;
	END IF;
	SELECT i.* INTO issuer
	FROM pappus.issuers i WHERE i.issuer_id = crl_record.issuer_id;
	IF (issuer.purpose <> 'root') IS NOT TRUE THEN
		RAISE 'issuer % has no CRLs of ours', issuer_id
			USING ERRCODE = 'foreign_key_violation';
	END IF;
	SELECT c.number INTO last_number
	FROM pappus.crls c
	WHERE c.issuer_id = crl_record.issuer_id
	ORDER BY c.number DESC
	LIMIT 1;
	IF number <= last_number THEN
		outcome := 'outdated';
		RETURN;
	END IF;
	INSERT INTO pappus.crls (issuer_id, number, this_update, next_update,
		sha256, final, sequence, expired_before, entries, signature)
	VALUES (issuer_id, number, to_timestamp(this_update),
		to_timestamp(next_update), sha256, issuer.state = 'closed',
		sequence, to_timestamp(expired_before), entries, signature);
	PERFORM pappus.crls_forget(issuer_id);
	outcome := 'recorded';
	last_number := number;
END
$$;

-- The last CRL of each issuer that has one.
CREATE FUNCTION pappus.crl_latest()
RETURNS TABLE (issuer_id int, number bigint, this_update timestamptz,
	next_update timestamptz, sequence bigint, expired_before timestamptz,
	entries bigint, final boolean, sha256 bytea, signature bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_bitmapscan = off
AS $$
	SELECT c.issuer_id, c.number, c.this_update, c.next_update, c.sequence,
		c.expired_before, c.entries, c.final, c.sha256, c.signature
	FROM pappus.issuers i
	CROSS JOIN LATERAL
		(SELECT *
		FROM pappus.crls c
		WHERE c.issuer_id = i.issuer_id
		ORDER BY c.number DESC
		LIMIT 1) c
	ORDER BY c.issuer_id
$$;

-- Every issuer, with its last CRL, all of it where it is a root's.
CREATE FUNCTION pappus.crl_issuers()
RETURNS TABLE (issuer_id int, number bigint, this_update timestamptz,
	next_update timestamptz, sequence bigint, expired_before timestamptz,
	entries bigint, final boolean, sha256 bytea, signature bytea,
	der bytea, parent_id int, purpose text, state text,
	revoked_at timestamptz, not_after timestamptz, ski bytea,
	certificate bytea, crl_url text, ca_url text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_bitmapscan = off
AS $$
	SELECT i.issuer_id, c.number, c.this_update, c.next_update, c.sequence,
		c.expired_before, c.entries, c.final, c.sha256, c.signature,
		c.der, i.parent_id, i.purpose, i.state, i.revoked_at,
		i.not_after, i.ski, i.certificate, i.crl_url, i.ca_url
	FROM pappus.issuers i
	LEFT JOIN LATERAL
		(SELECT *
		FROM pappus.crls c
		WHERE c.issuer_id = i.issuer_id
		ORDER BY c.number DESC
		LIMIT 1) c ON true
	ORDER BY i.issuer_id
$$;

-- Every issuer, for local commands: whose certificate has which serial and who
-- signed a root's CRL is in the certificates.
CREATE FUNCTION pappus.setup_issuers()
RETURNS TABLE (issuer_id int, parent_id int, purpose text, state text,
	ski bytea, certificate bytea, crl_url text, revoked_at timestamptz,
	crl_number bigint, crl_der bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
	SELECT i.issuer_id, i.parent_id, i.purpose, i.state, i.ski,
		i.certificate, i.crl_url, i.revoked_at, i.number, i.der
	FROM pappus.crl_issuers() i
	ORDER BY i.issuer_id
$$;

-- Takes a root's CRL, which the caller has verified, and answers how many of
-- the CAs that it revokes were not known to be.  Those are crl-only from now
-- on, at least.  The same CRL again is fine, one with a smaller number is
-- not.  Times are unix seconds.
CREATE FUNCTION pappus.setup_root_crl(root_ski bytea, number bigint,
	this_update bigint, next_update bigint, der bytea, revoked_skis bytea[])
RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	root pappus.issuers;
	last pappus.crls;
	issuer pappus.issuers;
	wanted bytea;
	revoked int := 0;
BEGIN
	-- Two imports one after the other.
	SELECT i.* INTO root
	FROM pappus.issuers i
	WHERE i.ski = root_ski AND i.purpose = 'root'
	FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE 'its issuer is not a registered root'
			USING ERRCODE = 'foreign_key_violation';
	END IF;
	SELECT c.* INTO last
	FROM pappus.crls c
	WHERE c.issuer_id = root.issuer_id
	ORDER BY c.number DESC
	LIMIT 1;
	IF number < last.number OR (number = last.number AND der <> last.der)
	THEN
		RAISE 'CRL % is not above the last one, %', number, last.number
			USING ERRCODE = 'check_violation';
	END IF;
	IF (number = last.number) IS NOT TRUE THEN
		INSERT INTO pappus.crls (issuer_id, number, this_update,
			next_update, sha256, der)
		VALUES (root.issuer_id, number, to_timestamp(this_update),
			to_timestamp(next_update), sha256(der), der);
		PERFORM pappus.crls_forget(root.issuer_id);
		-- For who publishes it.
		INSERT INTO pappus.changes (kind, issuer_id)
		VALUES ('issuer', root.issuer_id);
		PERFORM pappus.setup_record('issuer.crl', root.issuer_id::text,
			jsonb_build_object('issuer_id', root.issuer_id,
			'number', number, 'sha256', encode(sha256(der), 'hex')));
	END IF;
	FOR wanted IN SELECT DISTINCT s FROM unnest(revoked_skis) s ORDER BY s
	LOOP
		SELECT i.* INTO issuer
		FROM pappus.issuers i
		WHERE i.ski = wanted AND i.parent_id = root.issuer_id
		FOR NO KEY UPDATE;
		IF NOT FOUND THEN
			RAISE 'no CA of this root has the SKI %', encode(wanted, 'hex')
				USING ERRCODE = 'foreign_key_violation';
		END IF;
		CONTINUE WHEN issuer.revoked_at IS NOT NULL;
		UPDATE pappus.issuers i
		SET revoked_at = now(), state = CASE i.state
			WHEN 'issuing' THEN 'crl-only' ELSE i.state END
		WHERE i.issuer_id = issuer.issuer_id;
		revoked := revoked + 1;
		PERFORM pappus.setup_record('issuer.revoke',
			issuer.issuer_id::text, jsonb_build_object('issuer_id',
			issuer.issuer_id, 'name', issuer.name, 'crl_number', number));
	END LOOP;
	RETURN revoked;
END
$$;

-- What auditors see of it: the last hundred of each issuer.
CREATE VIEW audit.crls AS
SELECT c.issuer_id, i.name AS issuer, i.purpose AS issuer_purpose,
	i.state AS issuer_state, c.number, c.this_update, c.next_update,
	c.entries, c.final, c.sha256, octet_length(c.der) AS octets,
	c.recorded_at,
	c.number = (SELECT max(o.number) FROM pappus.crls o
		WHERE o.issuer_id = c.issuer_id) AS latest
FROM pappus.crls c
JOIN pappus.issuers i USING (issuer_id);
GRANT SELECT ON audit.crls TO pappus_auditor;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.crl_lease,
	pappus.crl_release,
	pappus.crl_status,
	pappus.crl_claim,
	pappus.crl_changes,
	pappus.crl_entries,
	pappus.crl_devices,
	pappus.crl_prune,
	pappus.crl_record,
	pappus.crl_latest,
	pappus.crl_issuers
	TO pappus_crl;
GRANT EXECUTE ON FUNCTION
	pappus.setup_issuers,
	pappus.setup_root_crl
	TO pappus_setup;
