/* SPDX-License-Identifier: ISC */
/* What the harnesses of both kinds of form share. */
#ifndef PAPPUS_TESTS_FUZZ_FORM_H
#define PAPPUS_TESTS_FUZZ_FORM_H

#include "base/buf.h"
#include "encoding/form.h"
#include "encoding/utf8.h"
#include "fuzz.h"

enum { FIELDS = 2 };

/* The fields of POST /enroll. */
static inline void
form_fields_init(struct form_field fields[FIELDS])
{
	fields[0] = (struct form_field){"label", 0, 128, NULL};
	fields[1] = (struct form_field){"external_id", 1, 64, NULL};
}

/* What was taken is text within its bounds. */
static inline void
must_be_in_bounds(const struct form_field *f)
{
	size_t chars;

	if (f->value == NULL)
		return;
	MUST(utf8_valid_text(
	    (const uint8_t *)f->value, strlen(f->value), &chars));
	MUST(chars >= 1 && chars >= f->min_chars && chars <= f->max_chars);
}

/* The values, escaped byte by byte, are taken again and are the same. */
static inline void
must_survive(const struct form_field fields[FIELDS])
{
	struct form_field again[FIELDS];
	struct buf body = BUF_INIT;
	struct err err = {0};
	const char *c;
	int i;

	for (i = 0; i < FIELDS; i++) {
		if (fields[i].value == NULL)
			continue;
		buf_add_fmt(&body, "&%s=", fields[i].name);
		for (c = fields[i].value; *c != '\0'; c++)
			buf_add_fmt(&body, "%%%02X", (unsigned char)*c);
	}
	form_fields_init(again);
	MUST(form_parse("application/x-www-form-urlencoded", body.data,
	    body.len, again, FIELDS, &err));
	for (i = 0; i < FIELDS; i++)
		MUST(same_text(fields[i].value, again[i].value));
	form_fields_free(again, FIELDS);
	buf_free(&body);
}

static inline void
form_fuzz(const char *type, const uint8_t *body, size_t len)
{
	struct form_field fields[FIELDS];
	struct err err = {0};
	int i;

	form_fields_init(fields);
	if (form_parse(type, body, len, fields, FIELDS, &err)) {
		MUST(err.code == ERR_NONE);
		for (i = 0; i < FIELDS; i++)
			must_be_in_bounds(&fields[i]);
		must_survive(fields);
	} else {
		must_explain(&err);
		for (i = 0; i < FIELDS; i++)
			MUST(fields[i].value == NULL);
	}
	form_fields_free(fields, FIELDS);
}

#endif
