/* SPDX-License-Identifier: ISC */
/* The rows of an answer from the database: see db.h. */
#include "world/db.h"

#include <libpq-fe.h>
#include <stdlib.h>

/* db_rows is libpq's PGresult under a name that asks for no libpq header. */

size_t
db_rows_count(const struct db_rows *rows)
{
	return (size_t)PQntuples((const PGresult *)rows);
}

const char *
db_rows_str(const struct db_rows *rows, size_t row, int column)
{
	const PGresult *res = (const PGresult *)rows;

	if (PQgetisnull(res, (int)row, column))
		return NULL;
	return PQgetvalue(res, (int)row, column);
}

int64_t
db_rows_int(const struct db_rows *rows, size_t row, int column)
{
	const char *text = db_rows_str(rows, row, column);

	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

void
db_rows_bytea(
    const struct db_rows *rows, size_t row, int column, struct buf *out)
{
	const char *text = db_rows_str(rows, row, column);
	unsigned char *bytes;
	size_t len;

	if (text == NULL)
		return;
	bytes = PQunescapeBytea((const unsigned char *)text, &len);
	if (bytes == NULL)
		abort();
	buf_add(out, bytes, len);
	PQfreemem(bytes);
}

void
db_rows_free(struct db_rows *rows)
{
	PQclear((PGresult *)rows);
}
