/* SPDX-License-Identifier: ISC */
/* The statements: see statement.h. */
#include "world/statement.h"

struct statement_row {
	const char *name;
	int params;
	const char *sql;
};

/* An admin function's first four arguments say who asks, and from where. */
#define ADMIN(name, n, args)                                 \
	{                                                    \
		name, (n) + 4,                               \
		    "SELECT outcome, body FROM pappus." name \
		    "($1,$2,$3,$4" args ")"                  \
	}

static const struct statement_row rows[STATEMENT_MAX] = {
    /* Without a WARNING when it has ended, and waiting until it has. */
    [STATEMENT_BACKEND_END] = {"backend_end", 1,
	"SELECT pg_terminate_backend(pid, 300) FROM pg_stat_activity"
	" WHERE pid = $1 AND usename = current_user"},
    [STATEMENT_ENROLL] = {"enroll", 8,
	"SELECT n, outcome, device_id, project_id, enrolled_at"
	" FROM pappus.enroll($1,$2,$3,$4,$5,$6,$7,$8)"},
    [STATEMENT_ISSUE] = {"issue", 7,
	"SELECT n, outcome, project_id, issuer_id, not_before, not_after"
	" FROM pappus.issue($1,$2,$3,$4,$5,$6,$7)"},
    [STATEMENT_ISSUERS] = {"issuers", 0,
	"SELECT issuer_id, parent_id, purpose, state, certificate, crl_url,"
	" ca_url, trust_domain, profile_sha256 FROM pappus.issuers()"
	" ORDER BY issuer_id"},
    [STATEMENT_ADMIN_AUTHENTICATE] = ADMIN("admin_authenticate", 0, ""),
    [STATEMENT_PROJECT_CREATE] = ADMIN("admin_project_create", 2, ",$5,$6"),
    [STATEMENT_PROJECT_LIST] = ADMIN("admin_project_list", 2, ",$5,$6"),
    [STATEMENT_PROJECT_GET] = ADMIN("admin_project_get", 1, ",$5"),
    [STATEMENT_ENROLLMENT_TOKEN_REGENERATE] =
	ADMIN("admin_enrollment_token_regenerate", 3, ",$5,$6,$7"),
    [STATEMENT_ENROLLMENT_TOKEN_LIST] =
	ADMIN("admin_enrollment_token_list", 3, ",$5,$6,$7"),
    [STATEMENT_DEVICE_LIST] = ADMIN("admin_device_list", 3, ",$5,$6,$7"),
    [STATEMENT_DEVICE_GET] = ADMIN("admin_device_get", 1, ",$5"),
    [STATEMENT_DEVICE_DENY] = ADMIN("admin_device_deny", 2, ",$5,$6"),
    [STATEMENT_DEVICE_ALLOW] = ADMIN("admin_device_allow", 2, ",$5,$6"),
    [STATEMENT_ISSUER_REGISTER] = {"issuer_register", 11,
	"SELECT pappus.setup_issuer_register($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,"
	"$11)"},
    [STATEMENT_ISSUER_BY_SKI] = {"issuer_by_ski", 1,
	"SELECT pappus.setup_issuer_by_ski($1)"},
    [STATEMENT_ADMIN_TOKEN_CREATE] = {"admin_token_create", 4,
	"SELECT pappus.setup_admin_token_create($1,$2,$3,$4)"},
    [STATEMENT_CERTIFICATE_RECORD] = {"certificate_record", 6,
	"SELECT pappus.setup_certificate_record($1,$2,$3,$4,$5,$6)"},
    [STATEMENT_MIGRATIONS] = {"migrations", 0,
	"SELECT version, encode(sha256, 'hex') FROM pappus.schema_migrations"
	" ORDER BY version"},
    [STATEMENT_MIGRATION_RECORD] = {"migration_record", 3,
	"INSERT INTO pappus.schema_migrations (version, name, sha256)"
	" VALUES ($1, $2, decode($3, 'hex'))"},
};

const char *
statement_name(enum statement statement)
{
	return rows[statement].name;
}

const char *
statement_sql(enum statement statement)
{
	return rows[statement].sql;
}

int
statement_params(enum statement statement)
{
	return rows[statement].params;
}
