/* SPDX-License-Identifier: ISC */
/*
 * The certificate profiles of Pappus as one table: what each kind of
 * certificate holds, how long it lasts, which key it may have.  Everything
 * that builds or checks a certificate reads this table and nothing else.
 */
#ifndef PAPPUS_CERT_PROFILE_H
#define PAPPUS_CERT_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"

/* What a certification authority's leaves are for. */
enum purpose { PURPOSE_ROOT, PURPOSE_DEVICE, PURPOSE_SERVER, PURPOSE_SERVICE };

enum profile_id {
	PROFILE_ROOT,
	PROFILE_DEVICE_CA,
	PROFILE_SERVER_CA,
	PROFILE_SERVICE_CA,
	PROFILE_DEVICE,
	PROFILE_SERVER,
	PROFILE_SERVICE,
	PROFILE_MAX
};

/* What the subjectAltName of a profile holds. */
enum profile_san {
	PROFILE_SAN_NONE,
	PROFILE_SAN_SPIFFE, /* one URI, where there is a trust domain */
	PROFILE_SAN_HOST    /* dNSName and iPAddress, at least one */
};

struct profile {
	const char *name; /* for people: "device sub-CA" */
	enum purpose purpose;
	bool ca;
	int path_len;	    /* -1: no pathLenConstraint */
	uint32_t key_usage; /* KU_… of OpenSSL, or-ed; always critical */
	int ext_key_usage;  /* a NID; NID_undef: no extension */
	enum profile_san san;
	bool organization; /* the subject holds O beside CN */
	bool locators;	   /* CDP and AIA, the issuer's */
	bool p384;	   /* the key may be P-384; P-256 always may */
	int years;	   /* validity, calendar years */
};

/* notBefore lies this many seconds back, for clocks that are slow. */
enum { PROFILE_BACKDATE_S = 3600 };

/* One row of the table; never NULL. */
const struct profile *profile_get(enum profile_id id);

/* The sub-CA's row of a purpose; PURPOSE_ROOT gives the root's. */
const struct profile *profile_ca(enum purpose purpose);

/* "root", "device", "server", "service": as in files and the database. */
const char *purpose_name(enum purpose purpose);

/* The reverse; false when the name is none of them. */
bool purpose_parse(const char *name, enum purpose *out);

/*
 * The validity of a certificate made now (unix seconds): notBefore back-dated,
 * notAfter the same calendar date and time after profile->years (29 February
 * becomes 28 where there is none).  Both in unix seconds.
 */
void profile_validity(const struct profile *profile, int64_t now,
    int64_t *not_before, int64_t *not_after);

/*
 * Whether a CA certificate follows its profile: basicConstraints, keyUsage,
 * extKeyUsage and the curve of its key.  ERR_MISMATCH says what differs.
 */
bool profile_check_ca(
    const struct profile *profile, X509 *cert, struct err *err);

/*
 * The purpose of a CA certificate by its extKeyUsage (RFC 5280 §4.2.1.12):
 * none is a root, serverAuth a server sub-CA, clientAuth a device sub-CA.  A
 * service sub-CA looks like a device's; only who made it can tell them apart.
 */
bool profile_ca_purpose(X509 *cert, enum purpose *out, struct err *err);

#endif
