/* SPDX-License-Identifier: ISC */
/*
 * Form data as a device posts it, in either encoding:
 * application/x-www-form-urlencoded (the WHATWG URL standard, §5) and
 * multipart/form-data (RFC 7578, with the boundaries of RFC 2046 §5.1).
 */
#ifndef PAPPUS_ENCODING_FORM_H
#define PAPPUS_ENCODING_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A field that a form may have. */
struct form_field {
	const char *name;
	size_t min_chars; /* code points; 0: an empty value means absent */
	size_t max_chars;
	char *value; /* owned, NUL-terminated; NULL when absent */
};

/*
 * Read a body into the values of n fields (at most 64), whatever these held
 * before.  content_type is the header's value, or NULL without one.  An empty
 * body is an empty form whatever its type.  The values follow
 * utf8_valid_text.  Fields that are not asked for are ignored, but must be
 * well-formed; the content of files among them is not looked at.
 *
 * On failure no value is left, and *err says which field is wrong and what to
 * do about it, fit for the caller's eyes: of the input it repeats nothing.
 *   ERR_UNSUPPORTED  another media type or none, or a charset but UTF-8
 *   ERR_MALFORMED    percent escapes, boundaries, part headers; multipart cut
 *                    short or nested; no name; a value that is too short, a
 *                    file, or under a transfer encoding that changes bytes
 *   ERR_ENCODING     not UTF-8, or control characters, NUL among them
 *   ERR_TOO_LONG     a value over max_chars
 *   ERR_DUPLICATE    a field of ours given twice
 */
bool form_parse(const char *content_type, const uint8_t *body, size_t len,
    struct form_field *fields, size_t n, struct err *err);

/*
 * Read the query of an address, which is encoded like a form, but of which
 * every field must be one of fields: a filter that was mistyped would show
 * too much.  query may be NULL.  Errors as above.
 */
bool form_parse_query(
    const char *query, struct form_field *fields, size_t n, struct err *err);

/* Free the values and set them to NULL. */
void form_fields_free(struct form_field *fields, size_t n);

#endif
