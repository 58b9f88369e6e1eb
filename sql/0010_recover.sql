-- SPDX-License-Identifier: ISC
-- `pappus recover` from what was published: CRLs and deny-lists of a million
-- entries, hence by arrays.

-- Merges revocations that are known from elsewhere: serials, RFC 5280 5.3.1
-- reasons and unix seconds.  Answers how many changed something.
--
-- They are of one CA's CRL: what is revoked for good stays as it is; a hold
-- becomes final, not the other way round.  Or (issuer_ski null) of a deny-list,
-- which says neither whose they are nor why: what is known stays as it is.
--
-- A serial of no known certificate belongs to the CA that lists it.  One that
-- two list belongs to neither, for it was listed by all as nobody's.
CREATE FUNCTION pappus.setup_recover_revocations(issuer_ski bytea,
	serials bytea[], reasons int[], revoked_at bigint[])
RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	issuer pappus.issuers;
	changed int;
BEGIN
	-- Denials of what is unknown wait, see admin_device_lock.
	LOCK TABLE pappus.unknown_devices IN SHARE ROW EXCLUSIVE MODE;
	IF issuer_ski IS NOT NULL THEN
		SELECT i.* INTO issuer
		FROM pappus.issuers i
		WHERE i.ski = issuer_ski AND i.purpose <> 'root';
		IF NOT FOUND THEN
			RAISE 'the issuer of the list is not a registered sub-CA'
				USING ERRCODE = 'foreign_key_violation';
		END IF;
	END IF;
	INSERT INTO pappus.revocations AS v (serial, issuer_id, not_after,
		reason, revoked_at, actor, origin)
	SELECT l.serial, coalesce(c.issuer_id, issuer.issuer_id), c.not_after,
		l.reason, to_timestamp(l.at), 'setup', 'recover'
	FROM unnest(serials, reasons, setup_recover_revocations.revoked_at)
		AS l (serial, reason, at)
	LEFT JOIN pappus.certificates c ON c.serial = l.serial
	ORDER BY l.serial
	ON CONFLICT (serial) DO UPDATE
	SET issuer_id = CASE
		WHEN v.not_after IS NULL AND v.issuer_id <> excluded.issuer_id
			THEN NULL
		ELSE v.issuer_id END,
		reason = CASE v.reason WHEN 6 THEN excluded.reason
			ELSE v.reason END,
		revoked_at = CASE v.reason WHEN 6 THEN excluded.revoked_at
			ELSE v.revoked_at END,
		actor = CASE v.reason WHEN 6 THEN excluded.actor
			ELSE v.actor END,
		origin = CASE v.reason WHEN 6 THEN excluded.origin
			ELSE v.origin END,
		comment = CASE v.reason WHEN 6 THEN excluded.comment
			ELSE v.comment END
	WHERE issuer.issuer_id IS NOT NULL
		AND ((v.reason = 6 AND excluded.reason <> 6)
		OR (v.not_after IS NULL AND v.issuer_id <> excluded.issuer_id));
	GET DIAGNOSTICS changed = ROW_COUNT;
	IF changed > 0 THEN
		PERFORM pappus.setup_record('recover.revocations', 'recover',
			jsonb_build_object('serials', changed, 'issuer_id',
			issuer.issuer_id));
	END IF;
	RETURN changed;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pappus.setup_recover_revocations TO pappus_setup;
