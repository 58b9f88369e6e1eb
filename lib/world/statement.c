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
    [STATEMENT_CLOCK] = {"clock", 0,
	"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"},
    [STATEMENT_ENROLL] = {"enroll", 9,
	"SELECT n, outcome, device_id, project_id, enrolled_at"
	" FROM pappus.enroll($1,$2,$3,$4,$5,$6,$7,$8,$9)"},
    [STATEMENT_ISSUE] = {"issue", 8,
	"SELECT n, outcome, project_id, issuer_id, not_before, not_after,"
	" retry_after FROM pappus.issue($1,$2,$3,$4,$5,$6,$7,$8)"},
    [STATEMENT_ISSUERS] = {"issuers", 0,
	"SELECT issuer_id, parent_id, purpose, state, certificate, crl_url,"
	" ca_url, trust_domain, profile_sha256 FROM pappus.issuers()"
	" ORDER BY issuer_id"},
    [STATEMENT_DEVICE_CA] = {"device_ca", 3,
	"SELECT outcome, issuer_id FROM pappus.device_ca($1,$2,$3)"},
    [STATEMENT_ADMIN_AUTHENTICATE] = ADMIN("admin_authenticate", 0, ""),
    [STATEMENT_PROJECT_CREATE] = ADMIN("admin_project_create", 2, ",$5,$6"),
    [STATEMENT_PROJECT_LIST] = ADMIN("admin_project_list", 2, ",$5,$6"),
    [STATEMENT_PROJECT_GET] = ADMIN("admin_project_get", 1, ",$5"),
    [STATEMENT_PROJECT_UPDATE] = ADMIN("admin_project_update", 2, ",$5,$6"),
    [STATEMENT_ENROLLMENT_TOKEN_REGENERATE] =
	ADMIN("admin_enrollment_token_regenerate", 4, ",$5,$6,$7,$8"),
    [STATEMENT_ENROLLMENT_TOKEN_LIST] =
	ADMIN("admin_enrollment_token_list", 3, ",$5,$6,$7"),
    [STATEMENT_ENROLLMENT_TOKEN_INVALIDATE] =
	ADMIN("admin_enrollment_token_invalidate", 1, ",$5"),
    [STATEMENT_DEVICE_LIST] = ADMIN("admin_device_list", 3, ",$5,$6,$7"),
    [STATEMENT_DEVICE_GET] = ADMIN("admin_device_get", 1, ",$5"),
    [STATEMENT_DEVICE_DENY] = ADMIN("admin_device_deny", 2, ",$5,$6"),
    [STATEMENT_DEVICE_ALLOW] = ADMIN("admin_device_allow", 2, ",$5,$6"),
    [STATEMENT_DEVICE_REVOKE] = ADMIN("admin_device_revoke", 3, ",$5,$6,$7"),
    [STATEMENT_DEVICE_RESET] = ADMIN("admin_device_reset", 3, ",$5,$6,$7"),
    [STATEMENT_CERTIFICATE_LIST] =
	ADMIN("admin_certificate_list", 3, ",$5,$6,$7"),
    [STATEMENT_CERTIFICATE_GET] = ADMIN("admin_certificate_get", 1, ",$5"),
    [STATEMENT_CERTIFICATE_REVOKE] =
	ADMIN("admin_certificate_revoke", 3, ",$5,$6,$7"),
    [STATEMENT_ISSUER_LIST] = ADMIN("admin_issuer_list", 0, ""),
    [STATEMENT_ISSUER_UPDATE] = ADMIN("admin_issuer_update", 2, ",$5,$6"),
    [STATEMENT_CRL_LEASE] = {"crl_lease", 2, "SELECT pappus.crl_lease($1,$2)"},
    [STATEMENT_CRL_RELEASE] = {"crl_release", 1,
	"SELECT pappus.crl_release($1)"},
    [STATEMENT_CRL_STATUS] = {"crl_status", 0,
	"SELECT epoch, holder, expires_ms, sequence, pruned, unclaimed,"
	" unclaimed_age FROM pappus.crl_status()"},
    [STATEMENT_CRL_CLAIM] = {"crl_claim", 3,
	"SELECT sequence, claimed FROM pappus.crl_claim($1,$2,$3)"},
    [STATEMENT_CRL_CHANGES] = {"crl_changes", 4,
	"SELECT sequence, change_id, kind, serial, device_id, old_issuer_id,"
	" old_not_after, old_reason, old_revoked_at, issuer_id, not_after,"
	" reason, revoked_at, denied FROM pappus.crl_changes($1,$2,$3,$4)"},
    [STATEMENT_CRL_ENTRIES] = {"crl_entries", 3,
	"SELECT serial, issuer_id, not_after, reason, revoked_at"
	" FROM pappus.crl_entries($1,$2,$3)"},
    [STATEMENT_CRL_DEVICES] = {"crl_devices", 3,
	"SELECT device_id FROM pappus.crl_devices($1,$2,$3)"},
    [STATEMENT_CRL_PRUNE] = {"crl_prune", 2, "SELECT pappus.crl_prune($1,$2)"},
    [STATEMENT_CRL_RECORD] = {"crl_record", 10,
	"SELECT outcome, last_number"
	" FROM pappus.crl_record($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)"},
    [STATEMENT_CRL_LATEST] = {"crl_latest", 0,
	"SELECT issuer_id, number, this_update, next_update, sequence,"
	" expired_before, entries, final, sha256, signature"
	" FROM pappus.crl_latest()"},
    [STATEMENT_CRL_ISSUERS] = {"crl_issuers", 0,
	"SELECT issuer_id, number, this_update, next_update, sequence,"
	" expired_before, entries, final, sha256, signature, der, parent_id,"
	" purpose, state, revoked_at, not_after, ski, certificate, crl_url,"
	" ca_url FROM pappus.crl_issuers()"},
    [STATEMENT_ISSUER_REGISTER] = {"issuer_register", 12,
	"SELECT pappus.setup_issuer_register($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,"
	"$11,$12)"},
    [STATEMENT_ADMIN_TOKEN_CREATE] = {"admin_token_create", 4,
	"SELECT pappus.setup_admin_token_create($1,$2,$3,$4)"},
    [STATEMENT_CERTIFICATE_RECORD] = {"certificate_record", 6,
	"SELECT pappus.setup_certificate_record($1,$2,$3,$4,$5,$6)"},
    [STATEMENT_RECOVER_CERTIFICATES] = {"recover_certificates", 1,
	"SELECT pappus.setup_recover_certificates($1)"},
    [STATEMENT_RECOVER_DENIALS] = {"recover_denials", 1,
	"SELECT pappus.setup_recover_denials($1)"},
    [STATEMENT_RECOVER_REVOCATIONS] = {"recover_revocations", 4,
	"SELECT pappus.setup_recover_revocations($1,$2,$3,$4)"},
    [STATEMENT_SETUP_ISSUERS] = {"setup_issuers", 0,
	"SELECT issuer_id, parent_id, purpose, state, ski, certificate,"
	" crl_url, revoked_at, crl_number, crl_der"
	" FROM pappus.setup_issuers()"},
    [STATEMENT_ROOT_CRL] = {"root_crl", 6,
	"SELECT pappus.setup_root_crl($1,$2,$3,$4,$5,$6)"},
    [STATEMENT_MIGRATIONS] = {"migrations", 0,
	"SELECT version, encode(sha256, 'hex') FROM pappus.schema_migrations"
	" ORDER BY version"},
    [STATEMENT_MIGRATION_RECORD] = {"migration_record", 3,
	"INSERT INTO pappus.schema_migrations (version, name, sha256)"
	" VALUES ($1, $2, decode($3, 'hex'))"},
};

static const bool binary[STATEMENT_MAX] = {
    [STATEMENT_CRL_CHANGES] = true,
    [STATEMENT_CRL_ENTRIES] = true,
    [STATEMENT_CRL_DEVICES] = true,
    [STATEMENT_CRL_LATEST] = true,
    [STATEMENT_CRL_ISSUERS] = true,
    [STATEMENT_SETUP_ISSUERS] = true,
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

bool
statement_binary(enum statement statement)
{
	return binary[statement];
}
