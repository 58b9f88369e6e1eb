/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the reader of objects, with members of every kind, and the writer: what
 * was taken is written, read as the same, and written the same.
 */
#include "fuzz.h"

#include "encoding/json.h"
#include "encoding/utf8.h"

enum { NAME, REASON, COUNT, RANGES, OPEN, FIELDS };
enum { TEXT_MAX = 4096 };

static void
fields_init(struct json_field fields[FIELDS])
{
	static const struct json_field all[FIELDS] = {
	    [NAME] = {.key = "name", .max = TEXT_MAX},
	    [REASON] = {.key = "reason", .max = 64, .required = true},
	    [COUNT] = {.key = "n",
		.kind = JSON_NUMBER,
		.min = -9,
		.max = INT64_MAX,
		.nullable = true},
	    [RANGES] = {.key = "in", .kind = JSON_STRINGS, .max = 49},
	    [OPEN] = {.key = "open", .kind = JSON_BOOL},
	};

	memcpy(fields, all, sizeof(all));
}

static void
write_all(struct buf *out, const struct json_field fields[FIELDS])
{
	json_begin(out);
	json_fields(out, fields, FIELDS);
	json_end(out);
}

static void
must_survive(const struct json_field fields[FIELDS])
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct json_field again[FIELDS];
	struct err err = {0};

	write_all(&first, fields);
	fields_init(again);
	MUST(json_read(first.data, first.len, again, FIELDS, &err));
	write_all(&second, again);
	MUST(same_text(buf_str(&first), buf_str(&second)));
	json_fields_free(again, FIELDS);
	buf_free(&first);
	buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_field fields[FIELDS];
	struct buf text = BUF_INIT;
	struct err err = {0};
	size_t i;

	fields_init(fields);
	if (json_read(data, len, fields, FIELDS, &err)) {
		MUST(err.code == ERR_NONE);
		must_survive(fields);
	} else {
		must_explain(&err);
		for (i = 0; i < FIELDS; i++)
			MUST(fields[i].value == NULL && fields[i].list == NULL);
	}
	json_fields_free(fields, FIELDS);

	if (len > 0 && len <= TEXT_MAX && utf8_valid_text(data, len, NULL)) {
		buf_add(&text, data, len);
		fields[NAME].value = strdup(buf_str(&text));
		fields[REASON].value = strdup("");
		fields[NAME].given = fields[REASON].given = true;
		must_survive(fields);
		json_fields_free(fields, FIELDS);
	}
	buf_free(&text);
	return 0;
}
