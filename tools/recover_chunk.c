/* SPDX-License-Identifier: ISC */
/*
 * What pappus recover sends at once: some hundreds of items in a JSON list, one
 * transaction.
 */
#include <stdio.h>
#include <string.h>

#include "encoding/json.h"
#include "tools/pappus.h"
#include "tools/recover.h"

enum { CHUNK = 1000 };

void
recover_item(struct recovery *r, size_t line)
{
	if (r->chunk_len++ == 0)
		r->chunk_line = line;
	buf_add_byte(&r->chunk, r->chunk.len == 0 ? '[' : ',');
	json_begin(&r->chunk);
}

/* Add the numbers of an answer to those so far. */
static bool
add_counts(const struct db_rows *rows, const char *const *keys, size_t n,
    int64_t *counts, struct err *err)
{
	struct json_field fields[CERTIFICATE_COUNTS] = {0};
	const char *text = db_rows_str(rows, 0, 0);
	size_t i;

	for (i = 0; i < n; i++)
		fields[i] = (struct json_field){.key = keys[i],
		    .kind = JSON_NUMBER,
		    .max = INT32_MAX,
		    .required = true};
	if (!json_read((const uint8_t *)text, strlen(text), fields, n, err))
		return false;
	for (i = 0; i < n; i++)
		counts[i] += fields[i].number;
	json_fields_free(fields, n);
	return true;
}

bool
recover_send(struct recovery *r, const char *path, size_t last,
    enum statement statement, struct err *err)
{
	static const char *const certificates[] = {
	    [ADDED] = "added", [KNOWN] = "known", [DEVICES] = "devices"};
	static const char *const denials[] = {[DENIED_DEVICES] = "devices",
	    [DENIED_SERIALS] = "serials",
	    [DENIED_ALREADY] = "known"};
	struct err cause = {0};
	struct db_rows *rows;
	const char *params[1];
	bool ok;

	if (r->chunk_len == 0)
		return true;
	buf_add_byte(&r->chunk, ']');
	params[0] = buf_str(&r->chunk);
	if (!database_call(r->db, statement, params, &rows, &cause))
		return err_set(err, cause.code, "%s:%zu to %zu: %s", path,
		    r->chunk_line, last, cause.detail);
	if (statement == STATEMENT_RECOVER_CERTIFICATES)
		ok = add_counts(rows, certificates, CERTIFICATE_COUNTS,
		    r->certificates, err);
	else
		ok = add_counts(rows, denials, DENIAL_COUNTS, r->denials, err);
	db_rows_free(rows);
	buf_reset(&r->chunk);
	r->chunk_len = 0;
	return ok;
}

bool
recover_send_full(struct recovery *r, const char *path, size_t last,
    enum statement statement, struct err *err)
{
	return r->chunk_len < CHUNK ||
	       recover_send(r, path, last, statement, err);
}
