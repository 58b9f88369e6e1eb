/* SPDX-License-Identifier: ISC */
/* What the two readers of forms share; only for form*.c. */
#ifndef PAPPUS_ENCODING_FORM_INTERNAL_H
#define PAPPUS_ENCODING_FORM_INTERNAL_H

#include "base/buf.h"
#include "encoding/form.h"

enum { FORM_FIELDS_MAX = 64 };

/* The fields of a form that is being read. */
struct form_reader {
	struct form_field *fields;
	size_t n;
	uint64_t seen; /* a bit per field, since a seen one may be absent */
	bool strict;   /* unknown fields are refused */
	struct err *err;
};

/* The field of that name, or NULL when it is not one of ours. */
struct form_field *form_find(struct form_reader *r, const struct buf *name);

/*
 * Take one field of the body: check the name and the value and keep the value
 * of a field of ours.
 */
bool form_take(struct form_reader *r, const struct buf *name,
    const uint8_t *value, size_t len);

/* Check a field's name alone. */
bool form_check_name(struct form_reader *r, const struct buf *name);

/* Read application/x-www-form-urlencoded. */
bool form_read_urlencoded(
    struct form_reader *r, const uint8_t *body, size_t len);

/* Read multipart/form-data with the boundary that its type names. */
bool form_read_multipart(struct form_reader *r, const struct buf *boundary,
    const uint8_t *body, size_t len);

#endif
