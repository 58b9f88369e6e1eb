/* SPDX-License-Identifier: ISC */
/* Issuers and the records of their CRLs: see publication.h. */
#include "request/publication.h"

#include <stdlib.h>
#include <string.h>

#include "request/outcome.h"
#include "request/publication_internal.h"

static const char *const outcomes[] = {
    [PUBLICATION_DONE] = "recorded",
    [PUBLICATION_LOST] = "lost",
    [PUBLICATION_OUTDATED] = "outdated",
};

enum { OUTCOMES = sizeof(outcomes) / sizeof(outcomes[0]) };

static const char *const purposes[] = {
    [PUBLICATION_ROOT] = "root",
    [PUBLICATION_FOR_DEVICES] = "device",
    [PUBLICATION_FOR_SERVERS] = "server",
    [PUBLICATION_FOR_SERVICES] = "service",
};

enum { PURPOSES = sizeof(purposes) / sizeof(purposes[0]) };

static const char *const states[] = {
    [PUBLICATION_ISSUING] = "issuing",
    [PUBLICATION_CRL_ONLY] = "crl-only",
    [PUBLICATION_CLOSED] = "closed",
};

enum { STATES = sizeof(states) / sizeof(states[0]) };

enum publication_result
publication_record(struct db *db, int64_t epoch,
    const struct publication_crl *crl, int64_t *last)
{
	char number[8][24], sha256[PUBLICATION_TEXT_MAX];
	char signature[PUBLICATION_TEXT_MAX];
	const char *params[] = {publication_int(number[0], epoch),
	    publication_int(number[1], crl->issuer_id),
	    publication_int(number[2], crl->number),
	    publication_int(number[3], crl->this_update),
	    publication_int(number[4], crl->next_update),
	    publication_int(number[5], crl->sequence),
	    publication_int(number[6], crl->expired_before),
	    publication_int(number[7], crl->entries),
	    publication_bytes(sha256, crl->sha256, sizeof(crl->sha256)),
	    publication_bytes(signature, crl->signature, crl->signature_len)};
	enum publication_result result;
	struct db_rows *rows;
	size_t outcome;

	*last = 0;
	result = publication_call(db, STATEMENT_CRL_RECORD, params, 1, &rows);
	if (result != PUBLICATION_DONE)
		return result;
	outcome = outcome_find(outcomes, OUTCOMES, db_rows_str(rows, 0, 0));
	result = outcome < OUTCOMES ? (enum publication_result)outcome
				    : PUBLICATION_FAILED;
	*last = db_rows_int(rows, 0, 1);
	db_rows_free(rows);
	return result;
}

/* A bytea field of at most size octets; how many it has. */
static size_t
take_bytes(const struct db_rows *rows, size_t row, int column, uint8_t *out,
    size_t size)
{
	const uint8_t *bytes;
	size_t len;

	bytes = db_rows_bytes(rows, row, column, &len);
	if (len > size)
		len = size;
	memcpy(out, bytes, len);
	return len;
}

/* The first ten columns, which both functions have in common. */
static void
take_crl(const struct db_rows *rows, size_t row, struct publication_crl *crl)
{
	crl->issuer_id = (int)db_rows_int(rows, row, 0);
	crl->number = db_rows_int(rows, row, 1);
	crl->this_update = db_rows_time(rows, row, 2);
	crl->next_update = db_rows_time(rows, row, 3);
	crl->sequence = db_rows_int(rows, row, 4);
	crl->expired_before = db_rows_time(rows, row, 5);
	crl->entries = db_rows_int(rows, row, 6);
	crl->final = db_rows_int(rows, row, 7) != 0;
	take_bytes(rows, row, 8, crl->sha256, sizeof(crl->sha256));
	crl->signature_len =
	    take_bytes(rows, row, 9, crl->signature, sizeof(crl->signature));
}

/* An array of n elements, all zero; never NULL. */
static void *
array(size_t n, size_t size)
{
	void *all = calloc(n + 1, size);

	if (all == NULL)
		abort();
	return all;
}

enum publication_result
publication_latest(struct db *db, struct publication_crl **out, size_t *n)
{
	enum publication_result result;
	struct db_rows *rows;
	size_t i;

	*out = NULL;
	*n = 0;
	result = publication_call(db, STATEMENT_CRL_LATEST, NULL, 0, &rows);
	if (result != PUBLICATION_DONE)
		return result;
	*n = db_rows_count(rows);
	*out = array(*n, sizeof(**out));
	for (i = 0; i < *n; i++)
		take_crl(rows, i, &(*out)[i]);
	db_rows_free(rows);
	return PUBLICATION_DONE;
}

static char *
copy(const char *s)
{
	char *copied = strdup(s == NULL ? "" : s);

	if (copied == NULL)
		abort();
	return copied;
}

static void
take_issuer(
    const struct db_rows *rows, size_t row, struct publication_issuer *issuer)
{
	issuer->id = (int)db_rows_int(rows, row, 0);
	take_crl(rows, row, &issuer->crl);
	db_rows_bytea(rows, row, 10, &issuer->crl_der);
	issuer->parent_id = (int)db_rows_int(rows, row, 11);
	issuer->purpose = (enum publication_purpose)outcome_find(
	    purposes, PURPOSES, db_rows_str(rows, row, 12));
	issuer->state = (enum publication_state)outcome_find(
	    states, STATES, db_rows_str(rows, row, 13));
	issuer->revoked_at = db_rows_time(rows, row, 14);
	issuer->not_after = db_rows_time(rows, row, 15);
	issuer->ski_len =
	    take_bytes(rows, row, 16, issuer->ski, sizeof(issuer->ski));
	db_rows_bytea(rows, row, 17, &issuer->certificate);
	issuer->crl_url = copy(db_rows_str(rows, row, 18));
	issuer->ca_url = copy(db_rows_str(rows, row, 19));
}

enum publication_result
publication_issuers(struct db *db, struct publication_issuer **out, size_t *n)
{
	enum publication_result result;
	struct db_rows *rows;
	size_t i;

	*out = NULL;
	*n = 0;
	result = publication_call(db, STATEMENT_CRL_ISSUERS, NULL, 0, &rows);
	if (result != PUBLICATION_DONE)
		return result;
	*n = db_rows_count(rows);
	*out = array(*n, sizeof(**out));
	for (i = 0; i < *n; i++)
		take_issuer(rows, i, &(*out)[i]);
	db_rows_free(rows);
	return PUBLICATION_DONE;
}

void
publication_issuers_free(struct publication_issuer *issuers, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_free(&issuers[i].certificate);
		buf_free(&issuers[i].crl_der);
		free(issuers[i].crl_url);
		free(issuers[i].ca_url);
	}
	free(issuers);
}
