/* SPDX-License-Identifier: ISC */
/* Reading what is to be published, page by page: see publication.h. */
#include "request/publication.h"

#include <string.h>

#include "request/outcome.h"
#include "request/publication_internal.h"

/* Rows of one page, a couple of megabytes. */
enum { PAGE = 20000 };

static const char *const kinds[] = {
    [PUBLICATION_CERTIFICATE] = "certificate",
    [PUBLICATION_DEVICE] = "device",
    [PUBLICATION_ISSUER] = "issuer",
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The columns of crl_changes. */
enum {
	SEQUENCE,
	CHANGE_ID,
	KIND,
	SERIAL,
	DEVICE_ID,
	OLD_ISSUER_ID,
	OLD_NOT_AFTER,
	OLD_REASON,
	OLD_REVOKED_AT,
	ISSUER_ID,
	NOT_AFTER,
	REASON,
	REVOKED_AT,
	DENIED
};

/* As the number that it is: with zeros in front up to the full length. */
static void
take_serial(struct publication_entry *entry, const struct db_rows *rows,
    size_t row, int column)
{
	const uint8_t *bytes;
	size_t len;

	bytes = db_rows_bytes(rows, row, column, &len);
	if (len > PUBLICATION_SERIAL_LEN)
		len = PUBLICATION_SERIAL_LEN;
	memset(entry->serial, 0, PUBLICATION_SERIAL_LEN - len);
	memcpy(entry->serial + PUBLICATION_SERIAL_LEN - len, bytes, len);
	while (len > 0 && entry->serial[PUBLICATION_SERIAL_LEN - len] == 0)
		len--;
	entry->serial_len = (int)len;
}

/* Four columns from the issuer on, in the order of both functions. */
static void
take_entry(struct publication_entry *entry, const struct db_rows *rows,
    size_t row, int column)
{
	entry->issuer_id = (int)db_rows_int(rows, row, column);
	entry->not_after = db_rows_time(rows, row, column + 1);
	entry->reason = (int)db_rows_int(rows, row, column + 2);
	entry->revoked_at = db_rows_time(rows, row, column + 3);
}

static bool
give_change(const struct db_rows *rows, size_t row, publication_change_fn *fn,
    void *ctx)
{
	struct publication_change change = {0};

	change.sequence = db_rows_int(rows, row, SEQUENCE);
	change.kind = (enum publication_kind)outcome_find(
	    kinds, KINDS, db_rows_str(rows, row, KIND));
	if (change.kind == PUBLICATION_CERTIFICATE) {
		take_serial(&change.before, rows, row, SERIAL);
		take_serial(&change.after, rows, row, SERIAL);
		take_entry(&change.before, rows, row, OLD_ISSUER_ID);
		take_entry(&change.after, rows, row, ISSUER_ID);
		change.was_revoked = !db_rows_null(rows, row, OLD_REASON);
		change.is_revoked = !db_rows_null(rows, row, REASON);
	}
	outcome_copy(change.device_id, sizeof(change.device_id),
	    db_rows_str(rows, row, DEVICE_ID));
	change.denied = db_rows_int(rows, row, DENIED) != 0;
	change.issuer_id = (int)db_rows_int(rows, row, ISSUER_ID);
	return fn(ctx, &change);
}

enum publication_result
publication_changes(struct db *db, int64_t after, int64_t upto,
    publication_change_fn *fn, void *ctx)
{
	char sequence[24], change_id[24], last[24], page[24];
	const char *params[] = {publication_int(sequence, after),
	    publication_int(change_id, INT64_MAX), publication_int(last, upto),
	    publication_int(page, PAGE)};
	enum publication_result result;
	struct db_rows *rows;
	size_t n = PAGE, i;

	while (n == PAGE) {
		result = publication_call(
		    db, STATEMENT_CRL_CHANGES, params, 0, &rows);
		if (result != PUBLICATION_DONE)
			return result;
		n = db_rows_count(rows);
		for (i = 0; i < n; i++)
			if (!give_change(rows, i, fn, ctx))
				break;
		if (n > 0) {
			publication_int(
			    sequence, db_rows_int(rows, n - 1, SEQUENCE));
			publication_int(
			    change_id, db_rows_int(rows, n - 1, CHANGE_ID));
		}
		db_rows_free(rows);
		if (i < n)
			return PUBLICATION_STOPPED;
	}
	return PUBLICATION_DONE;
}

/* Whether all of a page went to fn. */
static bool
give_entries(
    const struct db_rows *rows, size_t n, publication_entry_fn *fn, void *ctx)
{
	struct publication_entry entry;
	size_t i;

	for (i = 0; i < n; i++) {
		take_serial(&entry, rows, i, 0);
		take_entry(&entry, rows, i, 1);
		if (!fn(ctx, &entry))
			return false;
	}
	return true;
}

enum publication_result
publication_entries(
    struct db *db, int64_t as_of, publication_entry_fn *fn, void *ctx)
{
	char sequence[24], after[PUBLICATION_TEXT_MAX] = "\\x", page[24];
	const char *params[] = {publication_int(sequence, as_of), after,
	    publication_int(page, PAGE)};
	enum publication_result result;
	struct db_rows *rows;
	const uint8_t *serial;
	size_t n = PAGE, len;
	bool all;

	while (n == PAGE) {
		result = publication_call(
		    db, STATEMENT_CRL_ENTRIES, params, 0, &rows);
		if (result != PUBLICATION_DONE)
			return result;
		n = db_rows_count(rows);
		all = give_entries(rows, n, fn, ctx);
		if (n > 0) {
			serial = db_rows_bytes(rows, n - 1, 0, &len);
			publication_bytes(after, serial, len);
		}
		db_rows_free(rows);
		if (!all)
			return PUBLICATION_STOPPED;
	}
	return PUBLICATION_DONE;
}

enum publication_result
publication_devices(
    struct db *db, int64_t as_of, publication_device_fn *fn, void *ctx)
{
	char sequence[24], after[NAME_MAX_LEN + 1] = "", page[24];
	const char *params[] = {publication_int(sequence, as_of), after,
	    publication_int(page, PAGE)};
	enum publication_result result;
	struct db_rows *rows;
	size_t n = PAGE, i;

	while (n == PAGE) {
		result = publication_call(
		    db, STATEMENT_CRL_DEVICES, params, 0, &rows);
		if (result != PUBLICATION_DONE)
			return result;
		n = db_rows_count(rows);
		for (i = 0; i < n; i++)
			if (!fn(ctx, db_rows_str(rows, i, 0)))
				break;
		if (n > 0)
			outcome_copy(
			    after, sizeof(after), db_rows_str(rows, n - 1, 0));
		db_rows_free(rows);
		if (i < n)
			return PUBLICATION_STOPPED;
	}
	return PUBLICATION_DONE;
}
