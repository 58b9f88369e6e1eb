/* SPDX-License-Identifier: ISC */
/* Enrolments: the database's function pappus.enroll, as a batch. */
#ifndef PAPPUS_REQUEST_ENROLLMENTS_H
#define PAPPUS_REQUEST_ENROLLMENTS_H

#include <stdint.h>

#include "encoding/token.h"
#include "world/batch.h"

enum enrollment_outcome {
	ENROLLMENT_ENROLLED,	  /* a new device */
	ENROLLMENT_REPEATED,	  /* the same device, with the new token */
	ENROLLMENT_INVALID_TOKEN, /* unknown, wrong or regenerated */
	ENROLLMENT_TOKEN_EXPIRED,
	ENROLLMENT_TOKEN_USED_UP,
	ENROLLMENT_ADDRESS_NOT_ALLOWED,
	ENROLLMENT_DEVICE_LIMIT, /* the project has as many as it may */
	ENROLLMENT_PROJECT_DISABLED,
	ENROLLMENT_IDENTITY_EXISTS, /* external_id has fetched an identity */
	ENROLLMENT_DEVICE_DENIED,   /* external_id is of a denied device */
	ENROLLMENT_BUSY,	    /* another is enrolling external_id */
	ENROLLMENT_LATE, /* its deadline had passed; nothing was done */
	ENROLLMENT_OUTCOMES
};

/* One enrolment: what is asked, then what came of it. */
struct enrollment {
	struct token token; /* the enrolment token presented */
	/*
	 * In: the id that a new device gets.  Out: the device's id, which is
	 * an older one when the outcome is ENROLLMENT_REPEATED.
	 */
	char device_id[NAME_MAX_LEN + 1];
	uint8_t device_token_digest[TOKEN_DIGEST_LEN];
	const char *label;	 /* UTF-8 or NULL; borrowed, as all below */
	const char *external_id; /* UTF-8 or NULL */
	const char *address;	 /* an IP address or NULL */
	const char *request_id;	 /* 32 hex digits */
	int64_t deadline;	 /* clock_mono_us; not done after it */

	enum enrollment_outcome outcome;
	char project_id[NAME_MAX_LEN + 1];
	int64_t enrolled_at; /* seconds since 1970 */
};

/*
 * Record n enrolments in one transaction; items are struct enrollment, ctx is
 * the struct db.  For batch_new.
 */
enum batch_result enrollments_record(
    void *ctx, void **items, size_t n, int64_t send_by);

#endif
