/* SPDX-License-Identifier: ISC */
/*
 * Flat JSON objects (RFC 8259), the only shape that requests and our own
 * answers have.  Writing goes straight into a buffer; reading is json-c's
 * work, with the rules that it leaves open settled here.
 */
#ifndef PAPPUS_ENCODING_JSON_H
#define PAPPUS_ENCODING_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Writing: json_begin, then members, then json_end.  Whether a member needs
 * a comma before it is seen from the last byte in out, so members may also be
 * added to an object that came from elsewhere and had its "}" taken off.
 * Keys are ASCII without quotes and backslashes.
 */
void json_begin(struct buf *out);

/* Add a string member; value is UTF-8.  NULL is written as null. */
void json_str(struct buf *out, const char *key, const char *value);

/* Add a number member. */
void json_int(struct buf *out, const char *key, int64_t value);

void json_end(struct buf *out);

/* Append the members of fields that were given, null ones too. */
struct json_field;
void json_fields(struct buf *out, const struct json_field *fields, size_t n);

enum json_kind {
	JSON_STRING, /* a string of min to max code points */
	JSON_NUMBER, /* a whole number from min to max */
	JSON_BOOL,   /* true or false: number is 1 or 0 */
	JSON_STRINGS /* a list of one to JSON_LIST_MAX such strings */
};

enum { JSON_LIST_MAX = 64 };

/* A member that an object to be read may have. */
struct json_field {
	const char *key;
	int64_t min;
	int64_t max;
	bool required;
	char *value; /* owned, NUL-terminated; NULL when absent */
	enum json_kind kind;
	bool nullable; /* null is taken, and means something */
	bool is_null;
	int64_t number;
	char **list; /* owned; NULL when absent */
	size_t list_len;
	bool given;
};

/*
 * Read an object into n fields, whatever these held before.  Texts follow
 * utf8_valid_text.  The whole of data must be one object (white space around
 * it is fine).  On failure no value is left, and *err says which member is
 * wrong and what to do about it, fit for the caller's eyes:
 *   ERR_MALFORMED   no JSON, no object, a member of another type, too short,
 *                   out of range, missing, or unknown (named when its name is
 *                   printable)
 *   ERR_ENCODING    not UTF-8, or control characters in a member
 *   ERR_TOO_LONG    a text over max, or a list over JSON_LIST_MAX
 *   ERR_DUPLICATE   a member given twice (RFC 8259 §4 leaves that open)
 * A \u escape that is half of a surrogate pair reads as U+FFFD.
 */
bool json_read(const uint8_t *data, size_t len, struct json_field *fields,
    size_t n, struct err *err);

/* Free the values and set them to NULL. */
void json_fields_free(struct json_field *fields, size_t n);

#endif
