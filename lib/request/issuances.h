/* SPDX-License-Identifier: ISC */
/*
 * Issuances: the database's function pappus.issue, as a batch.  It
 * authenticates the device, applies its project's policy and records the
 * certificate; only then may it be signed.
 */
#ifndef PAPPUS_REQUEST_ISSUANCES_H
#define PAPPUS_REQUEST_ISSUANCES_H

#include <stdint.h>

#include "encoding/token.h"
#include "world/batch.h"
#include "world/db.h"

enum issuance_outcome {
	ISSUANCE_ISSUED,
	ISSUANCE_INVALID_TOKEN, /* unknown or wrong */
	ISSUANCE_DEVICE_DENIED,
	ISSUANCE_PROJECT_DISABLED,
	ISSUANCE_NO_ISSUER,	  /* none that this worker has the key of */
	ISSUANCE_ISSUER_EXPIRING, /* the leaf would outlive its sub-CA */
	ISSUANCE_LATE,	       /* its deadline had passed; nothing was done */
	ISSUANCE_RATE_LIMITED, /* too many this hour; see retry_after */
	ISSUANCE_IDENTITY_EXISTS, /* the policy says once */
	ISSUANCE_OUTCOMES
};

enum { ISSUANCE_SERIAL_LEN = 16, ISSUANCE_DIGEST_LEN = 32 };

/* One issuance: what is asked, then what was recorded. */
struct issuance {
	struct token token; /* the device token presented */
	uint8_t serial[ISSUANCE_SERIAL_LEN];
	uint8_t spki_sha256[ISSUANCE_DIGEST_LEN]; /* of the new public key */
	const char *address;	/* an IP address or NULL; borrowed */
	const char *request_id; /* 32 hex digits; borrowed */
	int64_t deadline;	/* clock_mono_us; not done after it */

	enum issuance_outcome outcome;
	char project_id[NAME_MAX_LEN + 1];
	int issuer_id;
	int64_t not_before; /* seconds since 1970 */
	int64_t not_after;
	int64_t retry_after; /* seconds */
};

/*
 * Record n issuances in one transaction; items are struct issuance.
 * issuer_ids is an array literal of the issuers whose keys are at hand.
 */
enum batch_result issuances_record(struct db *db, const char *issuer_ids,
    void **items, size_t n, int64_t send_by);

/* A question for the sub-CA of a device, for GET /ca. */
struct device_ca {
	struct token token; /* the device token presented */

	enum issuance_outcome outcome; /* ISSUANCE_ISSUED: there is one */
	int issuer_id;
};

/* Look it up; nothing is written. */
enum batch_result issuances_device_ca(struct db *db, const char *issuer_ids,
    struct device_ca *ca, int64_t send_by);

#endif
