/* SPDX-License-Identifier: ISC */
/* Issuances: see issuances.h, and pappus.issue in sql/. */
#include "request/issuances.h"

#include <string.h>

#include "encoding/hex.h"
#include "request/outcome.h"
#include "world/pgarray.h"

static const char *const names[ISSUANCE_OUTCOMES] = {
    [ISSUANCE_ISSUED] = "issued",
    [ISSUANCE_INVALID_TOKEN] = "invalid_token",
    [ISSUANCE_DEVICE_DENIED] = "device_denied",
    [ISSUANCE_PROJECT_DISABLED] = "project_disabled",
    [ISSUANCE_NO_ISSUER] = "no_issuer",
    [ISSUANCE_ISSUER_EXPIRING] = "issuer_expiring",
    [ISSUANCE_LATE] = "late",
    [ISSUANCE_RATE_LIMITED] = "rate_limited",
    [ISSUANCE_IDENTITY_EXISTS] = "identity_exists",
};

/* The function's parameters, in its order; the last is one for the batch. */
enum {
	DEVICE_ID,
	TOKEN_SHA256,
	SERIAL,
	SPKI_SHA256,
	ADDRESS,
	REQUEST_ID,
	DEADLINE,
	ARRAYS,
	ISSUER_IDS = ARRAYS,
	PARAMS
};

static void
add_request(
    struct buf arrays[ARRAYS], const struct issuance *i, const struct db *db)
{
	pgarray_str(&arrays[DEVICE_ID], i->token.name);
	pgarray_bytea(&arrays[TOKEN_SHA256], i->token.digest, TOKEN_DIGEST_LEN);
	pgarray_bytea(&arrays[SERIAL], i->serial, ISSUANCE_SERIAL_LEN);
	pgarray_bytea(
	    &arrays[SPKI_SHA256], i->spki_sha256, ISSUANCE_DIGEST_LEN);
	pgarray_str(&arrays[ADDRESS], i->address);
	pgarray_str(&arrays[REQUEST_ID], i->request_id);
	pgarray_time(&arrays[DEADLINE], db_wall_ms(db, i->deadline));
}

static void
take_answer(const struct db_rows *rows, size_t row, void **items, size_t n)
{
	size_t at = (size_t)db_rows_int(rows, row, 0) - 1;
	struct issuance *i;

	if (at >= n)
		return;
	i = items[at];
	i->outcome = (enum issuance_outcome)outcome_find(
	    names, ISSUANCE_OUTCOMES, db_rows_str(rows, row, 1));
	i->retry_after = db_rows_int(rows, row, 6);
	if (i->outcome != ISSUANCE_ISSUED)
		return;
	outcome_copy(
	    i->project_id, sizeof(i->project_id), db_rows_str(rows, row, 2));
	i->issuer_id = (int)db_rows_int(rows, row, 3);
	i->not_before = db_rows_int(rows, row, 4);
	i->not_after = db_rows_int(rows, row, 5);
}

enum batch_result
issuances_record(struct db *db, const char *issuer_ids, void **items, size_t n,
    int64_t send_by)
{
	struct buf arrays[ARRAYS] = {0};
	const char *params[PARAMS];
	struct db_rows *rows;
	enum batch_result result;
	size_t i;

	if (!outcome_connect(db, send_by))
		return BATCH_DOWN;
	for (i = 0; i < n; i++) {
		((struct issuance *)items[i])->outcome = ISSUANCE_OUTCOMES;
		add_request(arrays, items[i], db);
	}
	for (i = 0; i < ARRAYS; i++)
		params[i] = pgarray_end(&arrays[i]);
	params[ISSUER_IDS] = issuer_ids;
	result = outcome_call(db, STATEMENT_ISSUE, params, n, send_by, &rows);
	for (i = 0; i < n && result == BATCH_DONE; i++)
		take_answer(rows, i, items, n);
	db_rows_free(rows);
	for (i = 0; i < ARRAYS; i++)
		buf_free(&arrays[i]);
	return result;
}

enum batch_result
issuances_device_ca(struct db *db, const char *issuer_ids, struct device_ca *ca,
    int64_t send_by)
{
	char digest[2 + 2 * TOKEN_DIGEST_LEN + 1] = "\\x";
	const char *params[] = {ca->token.name, digest, issuer_ids};
	enum batch_result result;
	struct db_rows *rows;
	const char *word;

	hex_encode(ca->token.digest, TOKEN_DIGEST_LEN, digest + 2);
	result =
	    outcome_call(db, STATEMENT_DEVICE_CA, params, 1, send_by, &rows);
	if (result != BATCH_DONE)
		return result;
	word = db_rows_str(rows, 0, 0);
	if (word != NULL && strcmp(word, "ok") == 0)
		ca->outcome = ISSUANCE_ISSUED;
	else
		ca->outcome = (enum issuance_outcome)outcome_find(
		    names, ISSUANCE_OUTCOMES, word);
	ca->issuer_id = (int)db_rows_int(rows, 0, 1);
	db_rows_free(rows);
	return BATCH_DONE;
}
