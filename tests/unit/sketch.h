/* SPDX-License-Identifier: ISC */
/*
 * DER from a sketch: hexadecimal octets as they stand, 'text' as its octets,
 * and a tag with braces as an element, whose length is counted here:
 *
 *	30{ 02{05} 17{'261123160700Z'} }
 */
#ifndef PAPPUS_TESTS_SKETCH_H
#define PAPPUS_TESTS_SKETCH_H

#include <string.h>

#include "encoding/der.h"
#include "encoding/hex.h"
#include "unit.h"

/* Append what a sketch says, up to its end or a closing brace. */
static inline const char *
sketch_add(const char *s, struct buf *out)
{
	struct buf content = BUF_INIT;
	uint8_t octet;

	while (*s != '\0' && *s != '}') {
		if (*s == ' ') {
			s++;
		} else if (*s == '\'') {
			for (s++; *s != '\''; s++)
				buf_add_byte(out, (uint8_t)*s);
			s++;
		} else {
			ck_assert_msg(hex_decode(s, 2, &octet, 1), "%s", s);
			s += 2;
			if (*s != '{') {
				buf_add_byte(out, octet);
				continue;
			}
			buf_reset(&content);
			s = sketch_add(s + 1, &content);
			ck_assert_int_eq(*s++, '}');
			der_put_header(out, octet, content.len);
			buf_add(out, content.data, content.len);
		}
	}
	buf_free(&content);
	return s;
}

#endif
