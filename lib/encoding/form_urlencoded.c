/* SPDX-License-Identifier: ISC */
/*
 * application/x-www-form-urlencoded, as the WHATWG URL standard §5.1 reads it,
 * except that broken escapes and bytes that are not UTF-8 are refused instead
 * of being guessed at.
 */
#include <string.h>

#include "encoding/form_internal.h"
#include "encoding/hex.h"

static bool
decode(struct form_reader *r, struct buf *out, const uint8_t *s, size_t len)
{
	uint8_t byte;
	size_t i;

	buf_reset(out);
	for (i = 0; i < len; i++) {
		byte = s[i] == '+' ? ' ' : s[i];
		if (s[i] == '%') {
			if (len - i < 3 ||
			    !hex_decode((const char *)s + i + 1, 2, &byte, 1))
				return err_set(r->err, ERR_MALFORMED,
				    "The form has a percent sign without two "
				    "hexadecimal digits: escape it as %%25.");
			i += 2;
		}
		buf_add_byte(out, byte);
	}
	return true;
}

bool
form_read_urlencoded(struct form_reader *r, const uint8_t *body, size_t len)
{
	struct buf name = BUF_INIT;
	struct buf value = BUF_INIT;
	const uint8_t *end = body + len;
	const uint8_t *stop, *equals;
	bool ok = true;

	for (; ok && body < end; body = stop + 1) {
		stop = memchr(body, '&', (size_t)(end - body));
		if (stop == NULL)
			stop = end;
		if (stop == body)
			continue;
		equals = memchr(body, '=', (size_t)(stop - body));
		if (equals == NULL) /* a name alone has an empty value */
			equals = stop;
		ok = decode(r, &name, body, (size_t)(equals - body)) &&
		     decode(r, &value, equals + (equals < stop),
			 (size_t)(stop - equals - (equals < stop))) &&
		     form_take(r, &name, value.data, value.len);
	}
	buf_free(&name);
	buf_free(&value);
	return ok;
}
