/* SPDX-License-Identifier: ISC */
/* The rows of an answer from the database: see db.h. */
#include "world/db.h"

#include <libpq-fe.h>
#include <stdlib.h>

/* db_rows is libpq's PGresult under a name that asks for no libpq header. */

/* Binary times count microseconds from 2000-01-01T00:00:00Z. */
#define EPOCH_2000_S INT64_C(946684800)

size_t
db_rows_count(const struct db_rows *rows)
{
	return (size_t)PQntuples((const PGresult *)rows);
}

bool
db_rows_null(const struct db_rows *rows, size_t row, int column)
{
	return PQgetisnull((const PGresult *)rows, (int)row, column);
}

const char *
db_rows_str(const struct db_rows *rows, size_t row, int column)
{
	const PGresult *res = (const PGresult *)rows;

	if (PQgetisnull(res, (int)row, column))
		return NULL;
	return PQgetvalue(res, (int)row, column);
}

const uint8_t *
db_rows_bytes(const struct db_rows *rows, size_t row, int column, size_t *len)
{
	const PGresult *res = (const PGresult *)rows;

	*len = (size_t)PQgetlength(res, (int)row, column);
	return (const uint8_t *)PQgetvalue(res, (int)row, column);
}

/* A big-endian integer of one, two, four or eight octets. */
static int64_t
integer(const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < len; i++)
		value = value << 8 | bytes[i];
	if (len == 2)
		return (int16_t)value;
	if (len == 4)
		return (int32_t)value;
	return (int64_t)value;
}

int64_t
db_rows_int(const struct db_rows *rows, size_t row, int column)
{
	const PGresult *res = (const PGresult *)rows;
	const uint8_t *bytes;
	size_t len;

	if (PQgetisnull(res, (int)row, column))
		return 0;
	bytes = db_rows_bytes(rows, row, column, &len);
	if (PQfformat(res, column) == 1)
		return integer(bytes, len);
	return strtoll((const char *)bytes, NULL, 10);
}

int64_t
db_rows_time(const struct db_rows *rows, size_t row, int column)
{
	int64_t us, s;

	if (db_rows_null(rows, row, column))
		return 0;
	us = db_rows_int(rows, row, column);
	s = us / 1000000;
	if (us % 1000000 < 0)
		s--;
	return s + EPOCH_2000_S;
}

void
db_rows_bytea(
    const struct db_rows *rows, size_t row, int column, struct buf *out)
{
	const char *text = db_rows_str(rows, row, column);
	const uint8_t *binary;
	unsigned char *bytes;
	size_t len;

	if (text == NULL)
		return;
	if (PQfformat((const PGresult *)rows, column) == 1) {
		binary = db_rows_bytes(rows, row, column, &len);
		buf_add(out, binary, len);
		return;
	}
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
