/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the reader of objects and, with what it took and with the input as a
 * string, the writer: what is written is read as the same.
 */
#include "fuzz.h"

#include "encoding/json.h"
#include "encoding/utf8.h"

enum { FIELDS = 2, TEXT_MAX = 4096 };

static void
fields_init(struct json_field fields[FIELDS])
{
	fields[0] = (struct json_field){
	    .key = "name", .min = 1, .max = TEXT_MAX, .required = true};
	fields[1] = (struct json_field){.key = "reason", .max = 64};
}

static void
must_survive(const char *name, const char *reason)
{
	struct json_field again[FIELDS];
	struct buf out = BUF_INIT;
	struct err err = {0};

	json_begin(&out);
	json_str(&out, "name", name);
	if (reason != NULL)
		json_str(&out, "reason", reason);
	json_end(&out);
	fields_init(again);
	MUST(json_read(out.data, out.len, again, FIELDS, &err));
	MUST(same_text(again[0].value, name));
	MUST(same_text(again[1].value, reason));
	json_fields_free(again, FIELDS);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_field fields[FIELDS];
	struct buf text = BUF_INIT;
	struct err err = {0};

	fields_init(fields);
	if (json_read(data, len, fields, FIELDS, &err)) {
		MUST(err.code == ERR_NONE);
		must_survive(fields[0].value, fields[1].value);
	} else {
		must_explain(&err);
		MUST(fields[0].value == NULL && fields[1].value == NULL);
	}
	json_fields_free(fields, FIELDS);

	if (len > 0 && len <= TEXT_MAX && utf8_valid_text(data, len, NULL)) {
		buf_add(&text, data, len);
		must_survive(buf_str(&text), NULL);
	}
	buf_free(&text);
	return 0;
}
