/* SPDX-License-Identifier: ISC */
/* Array literals: see pgarray.h; PostgreSQL 15 §8.15.2. */
#include "world/pgarray.h"

#include <inttypes.h>

#include "base/clock.h"

static void
separate(struct buf *array)
{
	buf_add_byte(array, array->len == 0 ? '{' : ',');
}

void
pgarray_str(struct buf *array, const char *value)
{
	separate(array);
	if (value == NULL) {
		buf_add_str(array, "NULL");
		return;
	}
	buf_add_byte(array, '"');
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_add_byte(array, '\\');
		buf_add_byte(array, (uint8_t)*value);
	}
	buf_add_byte(array, '"');
}

void
pgarray_bytea(struct buf *array, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	separate(array);
	buf_add_str(array, "\"\\\\x");
	for (i = 0; i < len; i++) {
		buf_add_byte(array, (uint8_t)digits[bytes[i] >> 4]);
		buf_add_byte(array, (uint8_t)digits[bytes[i] & 15]);
	}
	buf_add_byte(array, '"');
}

void
pgarray_int(struct buf *array, int64_t value)
{
	separate(array);
	buf_add_fmt(array, "%" PRId64, value);
}

void
pgarray_time(struct buf *array, int64_t ms)
{
	char text[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339(ms, text);
	separate(array);
	buf_add_fmt(array, "\"%s\"", text);
}

const char *
pgarray_end(struct buf *array)
{
	if (array->len == 0)
		buf_add_byte(array, '{');
	buf_add_byte(array, '}');
	return buf_str(array);
}
