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
-- refused: what issues is known by its key.
CREATE FUNCTION pappus.setup_issuer_register(
	purpose text, parent_id int, name text, certificate bytea, ski bytea,
	not_before bigint, not_after bigint, crl_url text, ca_url text,
	trust_domain text, profile_sha256 bytea)
RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	id int;
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
		profile_sha256)
	VALUES (purpose, parent_id, name, certificate, ski,
		to_timestamp(not_before), to_timestamp(not_after), crl_url, ca_url,
		trust_domain, profile_sha256)
	ON CONFLICT ON CONSTRAINT issuers_ski_key DO NOTHING
	RETURNING i.issuer_id INTO id;
	IF id IS NOT NULL THEN
		PERFORM pappus.setup_record('issuer.register', id::text,
			jsonb_build_object('issuer_id', id, 'purpose', purpose,
			'name', name, 'ski', encode(ski, 'hex')));
		RETURN id;
	END IF;
	SELECT i.issuer_id INTO id
	FROM pappus.issuers i
	WHERE i.ski = setup_issuer_register.ski
		AND i.certificate = setup_issuer_register.certificate;
	IF id IS NULL THEN
		RAISE 'another certificate of this key is registered already'
			USING ERRCODE = 'unique_violation';
	END IF;
	RETURN id;
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	pappus.setup_issuer_register,
	pappus.setup_issuer_by_ski,
	pappus.setup_admin_token_create,
	pappus.setup_certificate_record
	TO pappus_setup;
