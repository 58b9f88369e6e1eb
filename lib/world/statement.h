/* SPDX-License-Identifier: ISC */
/*
 * Every statement that any program may send, numbered.  The text is here and
 * nowhere else; each calls one function, of schema pappus but for the first,
 * which only the role named beside it may execute.
 */
#ifndef PAPPUS_WORLD_STATEMENT_H
#define PAPPUS_WORLD_STATEMENT_H

#include <stdbool.h>

enum statement {
	/* any role */
	STATEMENT_CLOCK,
	/* pappus_enroll */
	STATEMENT_ENROLL,
	/* pappus_identity */
	STATEMENT_ISSUE,
	STATEMENT_ISSUERS,
	STATEMENT_DEVICE_CA,
	/* pappus_admin */
	STATEMENT_ADMIN_AUTHENTICATE,
	STATEMENT_PROJECT_CREATE,
	STATEMENT_PROJECT_LIST,
	STATEMENT_PROJECT_GET,
	STATEMENT_PROJECT_UPDATE,
	STATEMENT_ENROLLMENT_TOKEN_REGENERATE,
	STATEMENT_ENROLLMENT_TOKEN_LIST,
	STATEMENT_ENROLLMENT_TOKEN_INVALIDATE,
	STATEMENT_DEVICE_LIST,
	STATEMENT_DEVICE_GET,
	STATEMENT_DEVICE_DENY,
	STATEMENT_DEVICE_ALLOW,
	STATEMENT_DEVICE_REVOKE,
	STATEMENT_DEVICE_RESET,
	STATEMENT_CERTIFICATE_LIST,
	STATEMENT_CERTIFICATE_GET,
	STATEMENT_CERTIFICATE_REVOKE,
	STATEMENT_ISSUER_LIST,
	STATEMENT_ISSUER_UPDATE,
	/* pappus_crl */
	STATEMENT_CRL_LEASE,
	STATEMENT_CRL_RELEASE,
	STATEMENT_CRL_STATUS,
	STATEMENT_CRL_CLAIM,
	STATEMENT_CRL_CHANGES,
	STATEMENT_CRL_ENTRIES,
	STATEMENT_CRL_DEVICES,
	STATEMENT_CRL_PRUNE,
	STATEMENT_CRL_RECORD,
	STATEMENT_CRL_LATEST,
	STATEMENT_CRL_ISSUERS,
	/* pappus_setup */
	STATEMENT_ISSUER_REGISTER,
	STATEMENT_ADMIN_TOKEN_CREATE,
	STATEMENT_CERTIFICATE_RECORD,
	STATEMENT_RECOVER_CERTIFICATES,
	STATEMENT_RECOVER_DENIALS,
	STATEMENT_RECOVER_REVOCATIONS,
	STATEMENT_SETUP_ISSUERS,
	STATEMENT_ROOT_CRL,
	/* pappus_owner, whom pappus migrate becomes */
	STATEMENT_MIGRATIONS,
	STATEMENT_MIGRATION_RECORD,
	STATEMENT_MAX
};

enum { STATEMENT_PARAMS_MAX = 12 };

/* The name under which a connection prepares it. */
const char *statement_name(enum statement statement);

/* The text, with $1… for its parameters. */
const char *statement_sql(enum statement statement);

/* How many parameters it takes, at most STATEMENT_PARAMS_MAX. */
int statement_params(enum statement statement);

/*
 * Whether its rows come as the server's octets: those that are many or hold
 * what is binary anyway.
 */
bool statement_binary(enum statement statement);

#endif
