/* SPDX-License-Identifier: ISC */
/* The lease, claims and the calls themselves: see publication.h. */
#include "request/publication.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "encoding/hex.h"
#include "request/outcome.h"
#include "request/publication_internal.h"

enum {
	SEND_US = 3 * 1000 * 1000,
	/* A cold page of revocations, or a claim of very many changes. */
	PATIENCE_US = 30 * 1000 * 1000
};

const char *
publication_int(char text[24], int64_t value)
{
	snprintf(text, 24, "%" PRId64, value);
	return text;
}

const char *
publication_bytes(
    char text[PUBLICATION_TEXT_MAX], const uint8_t *bytes, size_t len)
{
	memcpy(text, "\\x", 2);
	hex_encode(bytes, len, text + 2);
	return text;
}

enum publication_result
publication_call(struct db *db, enum statement statement,
    const char *const *params, size_t least, struct db_rows **rows)
{
	struct err err = {0};
	enum db_result result = db_call(db, statement, params,
	    clock_mono_us() + SEND_US, PATIENCE_US, rows, &err);

	if (result == DB_OK && db_rows_count(*rows) >= least)
		return PUBLICATION_DONE;
	/* snapshot_too_old */
	if (result == DB_ROLLED_BACK && strcmp(db_sqlstate(db), "72000") == 0)
		return PUBLICATION_PRUNED;
	if (result == DB_OK)
		err_set(&err, ERR_MISMATCH, "no row");
	/* That it is down has been said when it went. */
	if (result != DB_DOWN)
		log_msg(LOG_LEVEL_WARN, "database-call", "%s: %s",
		    statement_name(statement), err.detail);
	db_rows_free(*rows);
	*rows = NULL;
	return PUBLICATION_FAILED;
}

enum publication_result
publication_status(struct db *db, struct publication_status *out)
{
	enum publication_result result;
	struct db_rows *rows;

	memset(out, 0, sizeof(*out));
	result = publication_call(db, STATEMENT_CRL_STATUS, NULL, 1, &rows);
	if (result != PUBLICATION_DONE)
		return result;
	out->epoch = db_rows_int(rows, 0, 0);
	outcome_copy(out->holder, sizeof(out->holder), db_rows_str(rows, 0, 1));
	out->expires_ms = db_rows_int(rows, 0, 2);
	out->sequence = db_rows_int(rows, 0, 3);
	out->pruned = db_rows_int(rows, 0, 4);
	out->unclaimed = db_rows_int(rows, 0, 5);
	out->unclaimed_age = db_rows_int(rows, 0, 6);
	db_rows_free(rows);
	return PUBLICATION_DONE;
}

enum publication_result
publication_lease(
    struct db *db, const char *holder, int seconds, int64_t *epoch)
{
	char number[24];
	const char *params[] = {holder, publication_int(number, seconds)};
	enum publication_result result;
	struct db_rows *rows;

	result = publication_call(db, STATEMENT_CRL_LEASE, params, 1, &rows);
	if (result != PUBLICATION_DONE)
		return result;
	if (db_rows_null(rows, 0, 0))
		result = PUBLICATION_LOST;
	else
		*epoch = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return result;
}

/* A function of the epoch that answers null when that is over. */
static enum publication_result
call_leading(struct db *db, enum statement statement, int64_t epoch,
    const char **params, struct db_rows **rows)
{
	enum publication_result result;
	char number[24];

	params[0] = publication_int(number, epoch);
	result = publication_call(db, statement, params, 1, rows);
	if (result == PUBLICATION_DONE && db_rows_null(*rows, 0, 0)) {
		db_rows_free(*rows);
		*rows = NULL;
		result = PUBLICATION_LOST;
	}
	return result;
}

enum publication_result
publication_release(struct db *db, int64_t epoch)
{
	const char *params[] = {NULL};
	enum publication_result result;
	struct db_rows *rows;

	result = call_leading(db, STATEMENT_CRL_RELEASE, epoch, params, &rows);
	db_rows_free(rows);
	return result;
}

enum publication_result
publication_claim(struct db *db, int64_t epoch, int64_t published, int max,
    int64_t *sequence, int64_t *claimed)
{
	char above[24], most[24];
	const char *params[] = {NULL, publication_int(above, published),
	    publication_int(most, max)};
	enum publication_result result;
	struct db_rows *rows;

	result = call_leading(db, STATEMENT_CRL_CLAIM, epoch, params, &rows);
	if (result != PUBLICATION_DONE)
		return result;
	*sequence = db_rows_int(rows, 0, 0);
	*claimed = db_rows_int(rows, 0, 1);
	db_rows_free(rows);
	return PUBLICATION_DONE;
}

enum publication_result
publication_prune(struct db *db, int64_t epoch, int64_t below)
{
	char text[24];
	const char *params[] = {NULL, publication_int(text, below)};
	enum publication_result result;
	struct db_rows *rows;
	int64_t deleted = 1;

	do {
		result =
		    call_leading(db, STATEMENT_CRL_PRUNE, epoch, params, &rows);
		if (result != PUBLICATION_DONE)
			break;
		deleted = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
	} while (deleted > 0);
	return result;
}
