/* SPDX-License-Identifier: ISC */
/* The one rule for text that comes from outside and is kept. */
#ifndef PAPPUS_ENCODING_UTF8_H
#define PAPPUS_ENCODING_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Whether len bytes are well-formed UTF-8 (RFC 3629 §4: shortest form, no
 * surrogates, nothing above U+10FFFF) without control characters (U+0000 to
 * U+001F, U+007F to U+009F) and without noncharacters (U+FDD0 to U+FDEF and
 * the last two of each plane).  Empty text is valid.  When it is valid and
 * chars is not NULL, *chars is the number of code points, which is also what
 * PostgreSQL's char_length says.
 */
bool utf8_valid_text(const uint8_t *s, size_t len, size_t *chars);

/*
 * Check the value of a named field of a form or of an object: the rule above,
 * then from min to max code points.  The error says so of "the <what> <name>",
 * repeats nothing of the value, and is fit for the eyes of whoever sent it:
 * ERR_ENCODING, ERR_MALFORMED (too short), ERR_TOO_LONG.
 */
bool utf8_check_value(const char *what, const char *name, const uint8_t *s,
    size_t len, size_t min, size_t max, struct err *err);

#endif
