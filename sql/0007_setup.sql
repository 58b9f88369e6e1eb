-- SPDX-License-Identifier: ISC
-- What local commands do on the server: register issuers, make the first
-- admin token, record the certificates that `pappus-ca server` made.  Whoever
-- may log in as pappus_setup is as good as an owner, so nothing on the network
-- does.

CREATE FUNCTION pappus.setup_record(action text, object_id text, after jsonb)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pappus, pg_temp AS $$
	INSERT INTO pappus.operator_actions
		(actor, address, action, object_id, after)
	VALUES ('setup', inet_client_addr(), action, object_id, after)
$$;

-- Registers a CA's certificate and answers its issuer_id; the same
-- certificate again has the same.  Another certificate of the same key is
-- refused: what issues is known by its key.  So is the same with another
-- purpose, other addresses or another profile, which are fixed; but a root's
-- are told by whichever sub-CA comes first, and whether it is shared is for
-- operators to change.
CREATE FUNCTION pappus.setup_issuer_register(
	purpose text, parent_id int, name text, certificate bytea, ski bytea,
	not_before bigint, not_after bigint, crl_url text, ca_url text,
	trust_domain text, profile_sha256 bytea, shared boolean DEFAULT true)
RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	id int;
	known pappus.issuers;
BEGIN
	IF parent_id IS NOT NULL THEN
		PERFORM FROM pappus.issuers i
		WHERE i.issuer_id = setup_issuer_register.parent_id
			AND i.purpose = 'root';
		IF NOT FOUND THEN
			RAISE 'issuer % is not a registered root', parent_id
				USING ERRCODE = 'foreign_key_violation';
		END IF;
	END IF;
	INSERT INTO pappus.issuers AS i (purpose, parent_id, name, certificate,
		ski, not_before, not_after, crl_url, ca_url, trust_domain,
		profile_sha256, shared)
	VALUES (purpose, parent_id, name, certificate, ski,
		to_timestamp(not_before), to_timestamp(not_after), crl_url, ca_url,
		trust_domain, profile_sha256, shared)
	ON CONFLICT ON CONSTRAINT issuers_ski_key DO NOTHING
	RETURNING i.issuer_id INTO id;
	IF id IS NOT NULL THEN
		PERFORM pappus.setup_record('issuer.register', id::text,
			jsonb_build_object('issuer_id', id, 'purpose', purpose,
			'name', name, 'ski', encode(ski, 'hex')));
		RETURN id;
	END IF;
	SELECT i.* INTO known
	FROM pappus.issuers i
	WHERE i.ski = setup_issuer_register.ski;
	IF known.certificate <> setup_issuer_register.certificate THEN
		RAISE 'another certificate of this key is registered already'
			USING ERRCODE = 'unique_violation';
	END IF;
	IF known.purpose <> setup_issuer_register.purpose THEN
		RAISE 'it is registered already, for %', known.purpose
			USING ERRCODE = 'unique_violation';
	END IF;
	IF known.purpose <> 'root' AND (known.crl_url, known.ca_url,
		known.trust_domain, known.profile_sha256) IS DISTINCT FROM
		(setup_issuer_register.crl_url, setup_issuer_register.ca_url,
		setup_issuer_register.trust_domain,
		setup_issuer_register.profile_sha256)
	THEN
		RAISE 'it is registered already, with addresses, a trust domain or'
			' a profile that can''t be changed any more'
			USING ERRCODE = 'unique_violation';
	END IF;
	RETURN known.issuer_id;
END
$$;

CREATE FUNCTION pappus.setup_issuer_by_ski(ski bytea) RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
	SELECT i.issuer_id FROM pappus.issuers i
	WHERE i.ski = setup_issuer_by_ski.ski
$$;

CREATE FUNCTION pappus.setup_admin_token_create(token_id text, sha256 bytea,
	role text, name text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	INSERT INTO pappus.admin_tokens (admin_token_id, token_sha256, role, name)
	VALUES (token_id, sha256, role, name);
	PERFORM pappus.setup_record('admin_token.create', token_id,
		jsonb_build_object('admin_token_id', token_id, 'role', role,
		'name', name));
END
$$;

-- Records a server or service certificate that was made on this host; again
-- with the same content does nothing.
CREATE FUNCTION pappus.setup_certificate_record(issuer_ski bytea,
	serial bytea, subject text, spki_sha256 bytea, not_before bigint,
	not_after bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	issuer pappus.issuers;
BEGIN
	SELECT i.* INTO issuer FROM pappus.issuers i WHERE i.ski = issuer_ski;
	IF issuer.issuer_id IS NULL THEN
		RAISE 'its issuer is not registered'
			USING ERRCODE = 'foreign_key_violation';
	END IF;
	IF issuer.purpose NOT IN ('server', 'service') THEN
		RAISE 'its issuer is for %, not for servers or services',
			issuer.purpose USING ERRCODE = 'check_violation';
	END IF;
	INSERT INTO pappus.certificates AS c (serial, issuer_id, subject,
		profile, spki_sha256, not_before, not_after)
	VALUES (serial, issuer.issuer_id, subject, issuer.purpose, spki_sha256,
		to_timestamp(not_before), to_timestamp(not_after))
	ON CONFLICT ON CONSTRAINT certificates_pkey DO NOTHING;
	IF FOUND THEN
		PERFORM pappus.setup_record('certificate.record',
			encode(serial, 'hex'), jsonb_build_object('subject', subject,
			'issuer_id', issuer.issuer_id, 'profile', issuer.purpose));
		RETURN;
	END IF;
	PERFORM FROM pappus.certificates c
	WHERE c.serial = setup_certificate_record.serial
		AND c.issuer_id = issuer.issuer_id
		AND c.spki_sha256 = setup_certificate_record.spki_sha256;
	IF NOT FOUND THEN
		RAISE 'another certificate has this serial'
			USING ERRCODE = 'unique_violation';
	END IF;
END
$$;

-- After a restore: merges certificates that are known from elsewhere.  Takes an
-- array of
--   {"serial": hex, "issuer_ski": hex, "device_id" or "subject": text,
--    "project_id": text or absent, "spki_sha256": hex,
--    "not_before": unix seconds, "not_after": unix seconds}
-- and answers {"added", "known", "devices"}: how many certificates were added,
-- how many known, and how many devices added, which are those whose project is
-- named.  Such a device has no token until it is reset.  A denial of what was
-- unknown so far holds: devices keep the state, certificates what was revoked.
-- Safe to repeat, in any order; what contradicts what is known is an error.
CREATE FUNCTION pappus.setup_recover_certificates(certificates jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	r record;
	issuer pappus.issuers;
	device pappus.devices;
	unknown pappus.unknown_devices;
	added int := 0;
	known int := 0;
	devices int := 0;
	answer jsonb;
BEGIN
	-- Denials of what is unknown wait, see admin_device_lock.
	LOCK TABLE pappus.unknown_devices IN SHARE ROW EXCLUSIVE MODE;
	FOR r IN
		SELECT decode(c.serial, 'hex') AS serial,
			decode(c.issuer_ski, 'hex') AS ski, c.device_id, c.subject,
			c.project_id, decode(c.spki_sha256, 'hex') AS spki,
			to_timestamp(c.not_before) AS not_before,
			to_timestamp(c.not_after) AS not_after
		FROM jsonb_to_recordset(certificates) AS c (serial text,
			issuer_ski text, device_id text, subject text,
			project_id text, spki_sha256 text, not_before bigint,
			not_after bigint)
		ORDER BY c.device_id COLLATE "C", c.serial COLLATE "C"
	LOOP
		SELECT i.* INTO issuer FROM pappus.issuers i WHERE i.ski = r.ski;
		IF NOT FOUND THEN
			RAISE 'the issuer of % is not registered',
				encode(r.serial, 'hex')
				USING ERRCODE = 'foreign_key_violation';
		END IF;
		device := NULL;
		unknown := NULL;
		IF r.device_id IS NOT NULL THEN
			SELECT u.* INTO unknown
			FROM pappus.unknown_devices u WHERE u.device_id = r.device_id;
			INSERT INTO pappus.devices AS d (device_id, project_id, state,
				identity_issued_at)
			SELECT r.device_id, p.project_id,
				coalesce(unknown.state, 'active'), r.not_before
			FROM pappus.projects p
			WHERE p.project_id = r.project_id
			ON CONFLICT (device_id) DO NOTHING;
			IF FOUND THEN
				devices := devices + 1;
				DELETE FROM pappus.unknown_devices u
				WHERE u.device_id = r.device_id;
			END IF;
			SELECT d.* INTO device
			FROM pappus.devices d WHERE d.device_id = r.device_id
			FOR UPDATE;
		END IF;
		INSERT INTO pappus.certificates (serial, issuer_id, device_id,
			subject, profile, spki_sha256, not_before, not_after,
			issued_at)
		VALUES (r.serial, issuer.issuer_id, r.device_id, r.subject,
			issuer.purpose, r.spki, r.not_before, r.not_after,
			r.not_before)
		ON CONFLICT (serial) DO NOTHING;
		IF NOT FOUND THEN
			PERFORM FROM pappus.certificates c
			WHERE c.serial = r.serial
				AND c.issuer_id = issuer.issuer_id
				AND c.spki_sha256 = r.spki;
			IF NOT FOUND THEN
				RAISE 'another certificate has the serial %',
					encode(r.serial, 'hex')
					USING ERRCODE = 'unique_violation';
			END IF;
			known := known + 1;
			CONTINUE;
		END IF;
		added := added + 1;
		UPDATE pappus.revocations v
		SET issuer_id = issuer.issuer_id, not_after = r.not_after
		WHERE v.serial = r.serial AND v.not_after IS NULL;
		UPDATE pappus.devices d
		SET live_since = least(d.live_since, r.not_before),
			identity_issued_at =
				coalesce(d.identity_issued_at, r.not_before)
		WHERE d.device_id = r.device_id
		RETURNING d.* INTO device;
		-- What the device's denial did to its others.
		INSERT INTO pappus.revocations (serial, issuer_id, not_after,
			reason, actor, origin, comment)
		SELECT r.serial, issuer.issuer_id, r.not_after,
			CASE s.state WHEN 'denied' THEN 6
				ELSE coalesce(unknown.reason, 0) END,
			coalesce(unknown.actor, 'setup'),
			CASE s.state WHEN 'denied' THEN 'deny' ELSE 'revoke' END,
			unknown.comment
		FROM (VALUES (coalesce(device.state, unknown.state))) AS s (state)
		WHERE s.state <> 'active'
		ON CONFLICT (serial) DO NOTHING;
	END LOOP;
	answer := jsonb_build_object('added', added, 'known', known,
		'devices', devices);
	IF added + devices > 0 THEN
		PERFORM pappus.setup_record('recover.certificates', 'recover',
			answer);
	END IF;
	RETURN answer;
END
$$;

-- ... and denials.  Takes an array of
--   {"device_id": text, "state": "denied" (or absent) or "revoked",
--    "reason": text or absent} and
--   {"serial": hex, "reason_code": int or absent, "issuer_ski": hex or absent,
--    "revoked_at": unix seconds or absent, "reason": text or absent}
-- and answers {"devices", "serials", "known"}: how many changed, how many were
-- so already.  What is denied stays at least as denied as it is.
CREATE FUNCTION pappus.setup_recover_denials(denials jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	r record;
	everybody pappus.admin_tokens;	-- a caller that may see all
	device pappus.devices;
	certificate pappus.certificates;
	devices int := 0;
	serials int := 0;
	known int := 0;
	answer jsonb;
BEGIN
	LOCK TABLE pappus.unknown_devices IN SHARE ROW EXCLUSIVE MODE;
	FOR r IN
		SELECT c.device_id, coalesce(c.state, 'denied') AS state,
			decode(c.serial, 'hex') AS serial,
			coalesce(c.reason_code, 0) AS code,
			decode(c.issuer_ski, 'hex') AS ski,
			coalesce(to_timestamp(c.revoked_at), now()) AS revoked_at,
			c.reason
		FROM jsonb_to_recordset(denials) AS c (device_id text, state text,
			serial text, reason_code smallint, issuer_ski text,
			revoked_at bigint, reason text)
		ORDER BY c.device_id COLLATE "C", c.serial COLLATE "C"
	LOOP
		IF r.device_id IS NOT NULL THEN
			device := pappus.admin_device_lock(everybody, r.device_id);
			IF r.state NOT IN ('denied', 'revoked')
				OR device.device_id IS NULL THEN
				RAISE '% can''t be %', r.device_id, r.state
					USING ERRCODE = 'check_violation';
			END IF;
			IF device.state IN (r.state, 'revoked', 'deleted') THEN
				known := known + 1;
				CONTINUE;
			END IF;
			device := pappus.device_set_state(device, r.state, 'setup', 0,
				r.reason);
			IF r.state = 'denied' THEN
				PERFORM pappus.device_hold(device, 'setup', r.reason);
			ELSE
				PERFORM pappus.device_finish(device, 0, 'setup',
					'revoke', r.reason);
			END IF;
			devices := devices + 1;
			INSERT INTO pappus.operator_actions (actor, address, action,
				object_id, project_id, reason, after)
			VALUES ('setup', inet_client_addr(), CASE r.state
				WHEN 'denied' THEN 'device.deny' ELSE 'device.revoke' END,
				device.device_id, device.project_id, r.reason,
				pappus.json_device_whole(device));
			CONTINUE;
		END IF;
		SELECT c.* INTO certificate
		FROM pappus.certificates c WHERE c.serial = r.serial;
		INSERT INTO pappus.revocations AS v (serial, issuer_id, not_after,
			reason, revoked_at, actor, origin, comment)
		VALUES (r.serial, coalesce(certificate.issuer_id,
			(SELECT i.issuer_id FROM pappus.issuers i WHERE i.ski = r.ski)),
			certificate.not_after, r.code, r.revoked_at, 'setup',
			'recover', r.reason)
		ON CONFLICT (serial) DO UPDATE
		SET reason = excluded.reason, revoked_at = excluded.revoked_at,
			actor = excluded.actor, origin = excluded.origin,
			comment = excluded.comment
		WHERE v.reason = 6 AND excluded.reason <> 6;
		IF FOUND THEN
			serials := serials + 1;
		ELSE
			known := known + 1;
		END IF;
	END LOOP;
	answer := jsonb_build_object('devices', devices, 'serials', serials,
		'known', known);
	IF devices + serials > 0 THEN
		PERFORM pappus.setup_record('recover.denials', 'recover', answer);
	END IF;
	RETURN answer;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.setup_issuer_register,
	pappus.setup_issuer_by_ski,
	pappus.setup_admin_token_create,
	pappus.setup_certificate_record,
	pappus.setup_recover_certificates,
	pappus.setup_recover_denials
	TO pappus_setup;
