-- SPDX-License-Identifier: ISC
-- The roles of Pappus, the two schemas and the table of migrations: what must
-- stand before the first migration.  `pappus migrate` runs it each time, as a
-- superuser or as the database's owner with CREATEROLE.  It changes only what
-- differs, so that running it again, or on two hosts at once, does no harm.
--
-- Roles belong to the whole cluster, all the rest to this database alone.

DO $$
BEGIN
	IF current_setting('server_encoding') <> 'UTF8' THEN
		RAISE 'Pappus needs a database with ENCODING UTF8, this one has %',
			current_setting('server_encoding');
	END IF;
	IF current_setting('server_version_num')::int < 150000 THEN
		RAISE 'Pappus needs PostgreSQL 15 or later';
	END IF;
END
$$;

-- One role per program, so that a broken-in worker can do what its program
-- does and nothing else.  Nobody logs in as the owner of the tables.
DO $$
DECLARE
	wanted record;
BEGIN
	FOR wanted IN
		SELECT * FROM (VALUES
			('pappus_owner', 'NOLOGIN'),
			('pappus_auditor', 'NOLOGIN'),
			('pappus_enroll', 'LOGIN'),
			('pappus_identity', 'LOGIN'),
			('pappus_admin', 'LOGIN'),
			('pappus_crl', 'LOGIN'),
			('pappus_ocsp', 'LOGIN'),
			('pappus_setup', 'LOGIN')) AS v (name, login)
		WHERE NOT EXISTS
			(SELECT FROM pg_catalog.pg_roles WHERE rolname = v.name)
	LOOP
		BEGIN
			EXECUTE format('CREATE ROLE %I %s NOSUPERUSER NOCREATEDB'
				' NOCREATEROLE NOREPLICATION NOBYPASSRLS',
				wanted.name, wanted.login);
		EXCEPTION
			-- Another host was faster.
			WHEN duplicate_object OR unique_violation THEN
				NULL;
		END;
	END LOOP;
END
$$;

-- Migrations run as the owner; a superuser may do so anyway.
DO $$
BEGIN
	IF NOT pg_catalog.pg_has_role('pappus_owner', 'MEMBER') THEN
		EXECUTE format('GRANT pappus_owner TO %I', current_user);
	END IF;
END
$$;

-- A request that waits is a device that waits: bounds for everything.  What an
-- operator needs otherwise goes to ALTER ROLE ... IN DATABASE ... SET, which
-- comes before these.  lock_timeout is what one locked device may cost the
-- other requests of its batch.  jit costs more than any statement here takes.
DO $$
DECLARE
	wanted record;
BEGIN
	FOR wanted IN
		SELECT r.name AS role, s.name, s.value
		FROM (VALUES
			('pappus_enroll', '500ms', '5s', '5s'),
			('pappus_identity', '500ms', '5s', '5s'),
			('pappus_admin', '2s', '10s', '10s'),
			('pappus_crl', '2s', '60s', '10s'),
			('pappus_ocsp', '500ms', '5s', '5s'),
			('pappus_setup', '5s', '30s', '60s'))
			AS r (name, lock, statement, idle),
		LATERAL (VALUES
			('lock_timeout', r.lock),
			('statement_timeout', r.statement),
			('idle_in_transaction_session_timeout', r.idle),
			('default_transaction_isolation', 'read committed'),
			('jit', 'off'))
			AS s (name, value)
		WHERE NOT EXISTS
			(SELECT
			FROM pg_catalog.pg_db_role_setting g
			JOIN pg_catalog.pg_roles o ON o.oid = g.setrole
			WHERE o.rolname = r.name AND g.setdatabase = 0
			AND s.name || '=' || s.value = ANY (g.setconfig))
		ORDER BY 1, 2
	LOOP
		EXECUTE format('ALTER ROLE %I SET %I = %L',
			wanted.role, wanted.name, wanted.value);
	END LOOP;
END
$$;

-- A temporary table of a caller's must not stand in for a real one, whatever
-- a function's search_path says; nor may anyone leave objects here.
DO $$
BEGIN
	IF has_database_privilege('public', current_database(), 'TEMPORARY') THEN
		EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC',
			current_database());
	END IF;
	IF has_schema_privilege('public', 'public', 'CREATE') THEN
		REVOKE CREATE ON SCHEMA public FROM PUBLIC;
	END IF;
END
$$;

DO $$
DECLARE
	role text;
BEGIN
	IF to_regnamespace('pappus') IS NULL THEN
		CREATE SCHEMA pappus AUTHORIZATION pappus_owner;
	END IF;
	FOREACH role IN ARRAY ARRAY['pappus_enroll', 'pappus_identity',
		'pappus_admin', 'pappus_crl', 'pappus_ocsp', 'pappus_setup']
	LOOP
		IF NOT has_schema_privilege(role, 'pappus', 'USAGE') THEN
			EXECUTE format('GRANT USAGE ON SCHEMA pappus TO %I', role);
		END IF;
	END LOOP;
	IF to_regnamespace('audit') IS NULL THEN
		CREATE SCHEMA audit AUTHORIZATION pappus_owner;
		GRANT USAGE ON SCHEMA audit TO pappus_auditor;
	END IF;
	-- In this step, so that no other session ever sees it without its owner.
	IF to_regclass('pappus.schema_migrations') IS NULL THEN
		CREATE TABLE pappus.schema_migrations (
			version int PRIMARY KEY CHECK (version > 0),
			name text NOT NULL,
			sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
			applied_at timestamptz NOT NULL DEFAULT now()
		);
		ALTER TABLE pappus.schema_migrations OWNER TO pappus_owner;
	END IF;
END
$$;
