/* SPDX-License-Identifier: ISC */
/* Enrolments: see enrollments.h, and pappus.enroll in sql/. */
#include "request/enrollments.h"

#include "request/outcome.h"
#include "world/pgarray.h"

static const char *const names[ENROLLMENT_OUTCOMES] = {
    [ENROLLMENT_ENROLLED] = "enrolled",
    [ENROLLMENT_REPEATED] = "repeated",
    [ENROLLMENT_INVALID_TOKEN] = "invalid_token",
    [ENROLLMENT_TOKEN_EXPIRED] = "token_expired",
    [ENROLLMENT_TOKEN_USED_UP] = "token_used_up",
    [ENROLLMENT_ADDRESS_NOT_ALLOWED] = "address_not_allowed",
    [ENROLLMENT_DEVICE_LIMIT] = "device_limit",
    [ENROLLMENT_PROJECT_DISABLED] = "project_disabled",
    [ENROLLMENT_IDENTITY_EXISTS] = "identity_exists",
    [ENROLLMENT_DEVICE_DENIED] = "device_denied",
    [ENROLLMENT_BUSY] = "busy",
    [ENROLLMENT_LATE] = "late",
};

/* The function's parameters, in its order. */
enum {
	TOKEN_ID,
	TOKEN_SHA256,
	DEVICE_ID,
	DEVICE_TOKEN_SHA256,
	LABEL,
	EXTERNAL_ID,
	ADDRESS,
	REQUEST_ID,
	DEADLINE,
	PARAMS
};

static void
add_request(
    struct buf arrays[PARAMS], const struct enrollment *e, const struct db *db)
{
	pgarray_str(&arrays[TOKEN_ID], e->token.name);
	pgarray_bytea(&arrays[TOKEN_SHA256], e->token.digest, TOKEN_DIGEST_LEN);
	pgarray_str(&arrays[DEVICE_ID], e->device_id);
	pgarray_bytea(&arrays[DEVICE_TOKEN_SHA256], e->device_token_digest,
	    TOKEN_DIGEST_LEN);
	pgarray_str(&arrays[LABEL], e->label);
	pgarray_str(&arrays[EXTERNAL_ID], e->external_id);
	pgarray_str(&arrays[ADDRESS], e->address);
	pgarray_str(&arrays[REQUEST_ID], e->request_id);
	pgarray_time(&arrays[DEADLINE], db_wall_ms(db, e->deadline));
}

/* Rows come in any order; the first column says whose they are, from 1. */
static void
take_answer(const struct db_rows *rows, size_t row, void **items, size_t n)
{
	size_t at = (size_t)db_rows_int(rows, row, 0) - 1;
	struct enrollment *e;

	if (at >= n)
		return;
	e = items[at];
	e->outcome = (enum enrollment_outcome)outcome_find(
	    names, ENROLLMENT_OUTCOMES, db_rows_str(rows, row, 1));
	if (e->outcome != ENROLLMENT_ENROLLED &&
	    e->outcome != ENROLLMENT_REPEATED)
		return;
	outcome_copy(
	    e->device_id, sizeof(e->device_id), db_rows_str(rows, row, 2));
	outcome_copy(
	    e->project_id, sizeof(e->project_id), db_rows_str(rows, row, 3));
	e->enrolled_at = db_rows_int(rows, row, 4);
}

enum batch_result
enrollments_record(void *ctx, void **items, size_t n, int64_t send_by)
{
	struct buf arrays[PARAMS] = {0};
	const char *params[PARAMS];
	struct db_rows *rows;
	enum batch_result result;
	size_t i;

	if (!outcome_connect(ctx, send_by))
		return BATCH_DOWN;
	for (i = 0; i < n; i++) {
		((struct enrollment *)items[i])->outcome = ENROLLMENT_OUTCOMES;
		add_request(arrays, items[i], ctx);
	}
	for (i = 0; i < PARAMS; i++)
		params[i] = pgarray_end(&arrays[i]);
	result = outcome_call(ctx, STATEMENT_ENROLL, params, n, send_by, &rows);
	for (i = 0; i < n && result == BATCH_DONE; i++)
		take_answer(rows, i, items, n);
	db_rows_free(rows);
	for (i = 0; i < PARAMS; i++)
		buf_free(&arrays[i]);
	return result;
}
