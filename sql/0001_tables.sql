-- SPDX-License-Identifier: ISC
-- The tables.  No program reads or writes them: the functions of the next
-- migrations do, as pappus_owner.
--
-- Ids are text in the "C" collation: compared by bytes, ordered by time.
--
-- Foreign keys stand where rows are made rarely.  devices, certificates and
-- revocations have none: each insert would take FOR KEY SHARE on its project's
-- or issuer's row, so that every enrolment of a project writes the same row
-- (a multixact, once two do so at a time) and any change of that row waits for
-- all of them.  What these columns name is the functions' job.

-- Whatever the owner makes, here and in later migrations, is nobody's until
-- it is granted.  Not IN SCHEMA: that could only add to the built-in default.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;

-- Certificate authorities as registered by `pappus issuer register`.  What is
-- printed into certificates (addresses, trust domain, profile) is fixed here.
CREATE TABLE pappus.issuers (
	issuer_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	parent_id int REFERENCES pappus.issuers,
	purpose text NOT NULL
		CHECK (purpose IN ('root', 'device', 'server', 'service')),
	state text NOT NULL DEFAULT 'issuing'
		CHECK (state IN ('issuing', 'crl-only', 'closed')),
	name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
	certificate bytea NOT NULL
		CHECK (octet_length(certificate) BETWEEN 64 AND 8192),
	ski bytea NOT NULL CHECK (octet_length(ski) BETWEEN 1 AND 64),
	not_before timestamptz NOT NULL,
	not_after timestamptz NOT NULL,
	crl_url text NOT NULL CHECK (char_length(crl_url) <= 512),
	ca_url text NOT NULL CHECK (char_length(ca_url) <= 512),
	trust_domain text CHECK (char_length(trust_domain) BETWEEN 1 AND 255),
	profile_sha256 bytea CHECK (octet_length(profile_sha256) = 32),
	-- Whether it issues to projects that name no issuer, too.
	shared boolean NOT NULL DEFAULT true,
	registered_at timestamptz NOT NULL DEFAULT now(),
	-- The root has said that this CA is no more.  Nothing takes that back,
	-- and no function lets such a CA issue again.
	revoked_at timestamptz,
	CONSTRAINT issuers_ski_key UNIQUE (ski),
	CONSTRAINT issuers_revoked
		CHECK (revoked_at IS NULL OR state <> 'issuing'),
	CHECK (not_before < not_after),
	CHECK ((purpose = 'root') = (parent_id IS NULL)),
	-- What the leaves were promised to look like is fixed with the issuer.
	CHECK (purpose <> 'device' OR profile_sha256 IS NOT NULL),
	CHECK (purpose = 'device' OR shared)
);

CREATE TABLE pappus.projects (
	project_id text COLLATE "C" PRIMARY KEY
		CHECK (project_id ~ '^proj_[0-9a-hjkmnp-tv-z]{26}$'),
	name text NOT NULL
		CHECK (char_length(name) BETWEEN 1 AND 128)
		CHECK (name !~ '[\u0001-\u001f\u007f-\u009f]'),
	state text NOT NULL DEFAULT 'active'
		CHECK (state IN ('active', 'disabled')),
	reissue_policy text NOT NULL DEFAULT 'replace'
		CHECK (reissue_policy IN ('replace', 'keep', 'once')),
	-- Certificates per device and hour.
	issue_limit int NOT NULL DEFAULT 30
		CHECK (issue_limit BETWEEN 1 AND 1000),
	-- Devices, those that are deleted apart; null: as many as come.
	device_limit int CHECK (device_limit > 0),
	-- Kept only while there is a limit, or this row were hot.  Null: count
	-- them each time.  For when the limit comes enrolments may be under way
	-- that saw none and that a count doesn't see; once all transactions before
	-- count_after have ended the count is good to keep.
	device_count int,
	count_after xid8,
	-- Null: the newest issuing device issuer that is shared.
	device_issuer_id int REFERENCES pappus.issuers,
	created_at timestamptz NOT NULL DEFAULT now(),
	CHECK (device_limit IS NOT NULL
		OR (device_count IS NULL AND count_after IS NULL))
);

CREATE TABLE pappus.admin_tokens (
	admin_token_id text COLLATE "C" PRIMARY KEY
		CHECK (admin_token_id ~ '^atk_[0-9a-hjkmnp-tv-z]{26}$'),
	token_sha256 bytea NOT NULL CHECK (octet_length(token_sha256) = 32),
	role text NOT NULL CHECK (role IN ('owner', 'operator', 'auditor')),
	name text NOT NULL
		CHECK (char_length(name) BETWEEN 1 AND 128)
		CHECK (name !~ '[\u0001-\u001f\u007f-\u009f]'),
	-- Null: all projects.
	project_id text COLLATE "C" REFERENCES pappus.projects,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz,
	invalidated_at timestamptz
);

CREATE TABLE pappus.enrollment_tokens (
	enrollment_token_id text COLLATE "C" PRIMARY KEY
		CHECK (enrollment_token_id ~ '^etk_[0-9a-hjkmnp-tv-z]{26}$'),
	project_id text COLLATE "C" NOT NULL REFERENCES pappus.projects,
	token_sha256 bytea NOT NULL CHECK (octet_length(token_sha256) = 32),
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL DEFAULT now() + interval '1 year',
	-- May lie ahead: the grace that a regeneration gave.
	invalidated_at timestamptz,
	-- Null: no maximum, and then nobody counts (the row would be hot).
	max_uses int CHECK (max_uses > 0),
	uses int NOT NULL DEFAULT 0,
	-- Where it may be used from; null: anywhere.
	allowed_cidrs cidr[] CHECK (cardinality(allowed_cidrs) BETWEEN 1 AND 64),
	CHECK (created_at < expires_at),
	CHECK (CASE WHEN max_uses IS NULL THEN uses = 0
		ELSE uses BETWEEN 0 AND max_uses END)
);
CREATE INDEX enrollment_tokens_by_project
	ON pappus.enrollment_tokens (project_id, enrollment_token_id);

CREATE TABLE pappus.devices (
	device_id text COLLATE "C" PRIMARY KEY
		CHECK (device_id ~ '^dev_[0-9a-hjkmnp-tv-z]{26}$'),
	project_id text COLLATE "C" NOT NULL,
	-- Null: recovered from its certificate.
	enrollment_token_id text COLLATE "C",
	-- Null: no token will do, until a reset.
	token_sha256 bytea CHECK (octet_length(token_sha256) = 32),
	-- docs/states.md
	state text NOT NULL DEFAULT 'active'
		CHECK (state IN ('active', 'denied', 'revoked', 'deleted')),
	label text
		CHECK (char_length(label) <= 128)
		CHECK (label !~ '[\u0001-\u001f\u007f-\u009f]'),
	external_id text COLLATE "C"
		CHECK (char_length(external_id) BETWEEN 1 AND 128)
		CHECK (external_id !~ '[\u0001-\u001f\u007f-\u009f]'),
	enrolled_at timestamptz NOT NULL DEFAULT now(),
	enrolled_from inet,
	request_id uuid,
	-- The first time; null again after a reset.  While null, all that it ever
	-- had is revoked for good.
	identity_issued_at timestamptz,
	-- No certificate issued before this is valid: each has expired or is
	-- revoked for good.  So a device that has asked ten thousand times costs
	-- no more than another.
	live_since timestamptz NOT NULL DEFAULT '-infinity',
	-- Another device may have it then.
	CHECK (state <> 'deleted' OR external_id IS NULL)
)
-- A certificate updates its device's row: room to do so in the page.
WITH (fillfactor = 85);
CREATE INDEX devices_by_project ON pappus.devices (project_id, device_id);
CREATE INDEX devices_by_enrollment_token
	ON pappus.devices (enrollment_token_id, device_id);
CREATE UNIQUE INDEX devices_external_id_key
	ON pappus.devices (external_id, project_id)
	WHERE external_id IS NOT NULL;
CREATE INDEX devices_by_label
	ON pappus.devices (label, device_id)
	WHERE label IS NOT NULL;
-- Most are active.
CREATE INDEX devices_by_state
	ON pappus.devices (state, device_id)
	WHERE state <> 'active';

-- Devices that were denied though the database knows nothing of them: after a
-- restore there are some.
CREATE TABLE pappus.unknown_devices (
	device_id text COLLATE "C" PRIMARY KEY
		CHECK (device_id ~ '^dev_[0-9a-hjkmnp-tv-z]{26}$'),
	state text NOT NULL CHECK (state IN ('denied', 'revoked')),
	-- RFC 5280 5.3.1, for the certificates of one that is revoked.
	reason smallint NOT NULL DEFAULT 0,
	denied_at timestamptz NOT NULL DEFAULT now(),
	actor text COLLATE "C" NOT NULL CHECK (char_length(actor) <= 128),
	comment text CHECK (char_length(comment) <= 1024)
);

-- Every certificate, recorded before it is signed; never changed afterwards.
CREATE TABLE pappus.certificates (
	-- RFC 5280 4.1.2.2: positive, at most 20 octets; unique over all issuers.
	serial bytea PRIMARY KEY
		CHECK (octet_length(serial) BETWEEN 1 AND 20)
		CHECK (get_byte(serial, 0) BETWEEN 1 AND 127),
	issuer_id int NOT NULL,
	device_id text COLLATE "C",
	-- The common name where there is no device: servers.
	subject text CHECK (char_length(subject) BETWEEN 1 AND 255),
	profile text NOT NULL CHECK (profile IN ('device', 'server', 'service')),
	spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
	not_before timestamptz NOT NULL,
	not_after timestamptz NOT NULL,
	-- Never before its device's live_since, whatever the clock does.
	issued_at timestamptz NOT NULL DEFAULT now(),
	request_id uuid,
	address inet,
	CHECK (not_before < not_after),
	CHECK ((device_id IS NULL) <> (subject IS NULL)),
	CHECK ((device_id IS NOT NULL) = (profile = 'device'))
);
CREATE INDEX certificates_by_device
	ON pappus.certificates (device_id, issued_at)
	WHERE device_id IS NOT NULL;
CREATE INDEX certificates_by_issuer
	ON pappus.certificates (issuer_id, serial);
CREATE INDEX certificates_by_spki
	ON pappus.certificates USING hash (spki_sha256);
-- For auditors; costs next to nothing, as rows come in this order.
CREATE INDEX certificates_by_time
	ON pappus.certificates USING brin (issued_at)
	WITH (autosummarize = on);

-- A row stands for a certificate that is revoked or on hold.  Apart from the
-- certificates, for it is what CRLs are made of, and small.
CREATE TABLE pappus.revocations (
	serial bytea PRIMARY KEY
		CHECK (octet_length(serial) BETWEEN 1 AND 20),
	-- Null where the database knows no such certificate (any more).
	issuer_id int,
	not_after timestamptz,
	-- RFC 5280 5.3.1; 7 is unused and 8 (removeFromCRL) is for delta CRLs.
	-- 6, certificateHold, is the only one that can be taken back.
	reason smallint NOT NULL
		CHECK (reason IN (0, 1, 2, 3, 4, 5, 6, 9, 10)),
	revoked_at timestamptz NOT NULL DEFAULT now(),
	-- An admin token's id, or the device's own when it asked again.
	actor text COLLATE "C" NOT NULL CHECK (char_length(actor) <= 128),
	-- What did it: the device asked again; an operator's act on the device
	-- (deny, revoke, reset) or on this certificate; `pappus recover`.
	origin text NOT NULL CHECK (origin IN
		('reissue', 'deny', 'revoke', 'reset', 'operator', 'recover')),
	comment text CHECK (char_length(comment) <= 1024),
	CHECK (origin <> 'deny' OR reason = 6),
	CHECK (origin NOT IN ('revoke', 'reset') OR reason <> 6),
	CHECK (origin <> 'reissue' OR reason = 4),
	CHECK (not_after IS NULL OR issuer_id IS NOT NULL)
);

-- The names of RFC 5280 5.3.1, for people.
CREATE TABLE pappus.reasons (
	reason smallint PRIMARY KEY,
	name text NOT NULL
);
INSERT INTO pappus.reasons VALUES
	(0, 'unspecified'), (1, 'keyCompromise'), (2, 'cACompromise'),
	(3, 'affiliationChanged'), (4, 'superseded'), (5, 'cessationOfOperation'),
	(6, 'certificateHold'), (9, 'privilegeWithdrawn'), (10, 'aACompromise');

-- What operators did.  Only ever added to; the chain of hashes that is to
-- come seals ranges of action_id in a table of its own.
CREATE TABLE pappus.operator_actions (
	action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	acted_at timestamptz NOT NULL DEFAULT now(),
	-- An admin token's id, or 'setup' for a local command.
	actor text COLLATE "C" NOT NULL CHECK (char_length(actor) <= 128),
	database_role name NOT NULL DEFAULT session_user,
	address inet,
	request_id uuid,
	action text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
	object_id text COLLATE "C" NOT NULL
		CHECK (char_length(object_id) BETWEEN 1 AND 128),
	project_id text COLLATE "C",
	reason text CHECK (char_length(reason) <= 1024),
	before jsonb,
	after jsonb
);
CREATE INDEX operator_actions_by_object
	ON pappus.operator_actions (object_id, action_id);

CREATE FUNCTION pappus.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pappus, pg_temp AS $$
BEGIN
	RAISE 'pappus.% is only ever added to', TG_TABLE_NAME
		USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER operator_actions_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON pappus.operator_actions
	FOR EACH STATEMENT EXECUTE FUNCTION pappus.refuse_change();
-- Also under session_replication_role.
ALTER TABLE pappus.operator_actions
	ENABLE ALWAYS TRIGGER operator_actions_append_only;
-- The owner as well, hence the functions, which run as the owner.
REVOKE UPDATE, DELETE, TRUNCATE ON pappus.operator_actions FROM pappus_owner;

-- The highest migration: what /readyz of each program asks.
CREATE FUNCTION pappus.version() RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pappus, pg_temp
AS $$
	SELECT max(version) FROM pappus.schema_migrations
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pappus FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pappus.version() TO pappus_enroll,
	pappus_identity, pappus_admin, pappus_crl, pappus_ocsp, pappus_setup;
