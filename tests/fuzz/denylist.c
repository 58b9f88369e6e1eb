/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the reader of the deny-list.  What verifies is found by the search and
 * is, when written again, the same to the octet: a file has one spelling.
 */
#include "fuzz.h"

#include "encoding/denylist.h"

enum { TRIED = 64 }; /* items of a list that are searched for */

static bool
sink_buf(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

/* Every octet that is promised can be read, and each item found. */
static void
must_find(const struct denylist *list, const struct denylist_file *file)
{
	const uint8_t *device = file->at[DENYLIST_DEVICES_ADDED];
	const uint8_t *serial = file->at[DENYLIST_SERIALS_ADDED];
	size_t i;

	for (i = 0; i < file->count[DENYLIST_DEVICES_ADDED] && i < TRIED; i++)
		MUST(denylist_has_device(
		    list, (const char *)device + i * DENYLIST_DEVICE_LEN));
	for (i = 0; i < file->count[DENYLIST_SERIALS_ADDED] && i < TRIED; i++)
		MUST(denylist_has_serial(list, serial + i * DENYLIST_SERIAL_LEN,
		    DENYLIST_SERIAL_LEN));
}

static void
must_rewrite(const struct denylist_file *file, const uint8_t *data, size_t len)
{
	struct err err = {.code = ERR_NONE};
	struct buf out = BUF_INIT;
	struct denylist_writer w;
	enum denylist_section s;
	const uint8_t *at;
	size_t i;

	MUST(denylist_write_begin(&w, sink_buf, &out, &err));
	for (s = 0; s < DENYLIST_SECTIONS; s++) {
		at = file->at[s];
		for (i = 0; i < file->count[s]; i++) {
			if (s <= DENYLIST_DEVICES_REMOVED) {
				MUST(denylist_write_device(
				    &w, s, (const char *)at, &err));
				at += DENYLIST_DEVICE_LEN;
			} else {
				MUST(denylist_write_serial(&w, s, at, &err));
				at += DENYLIST_SERIAL_LEN;
			}
		}
	}
	MUST(denylist_write_end(&w, file->from, file->to, file->time_ms,
	    file->issuers, file->issuer_count, &err));
	MUST(out.len == len && memcmp(out.data, data, len) == 0);
	denylist_writer_free(&w);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char zeros[DENYLIST_DEVICE_LEN];
	struct err err = {.code = ERR_NONE};
	struct denylist_file file;
	struct denylist list = {0};

	if (!denylist_file_read(data, len, &file, &err)) {
		must_explain(&err);
		return 0;
	}
	list.delta = file;
	/* Zeros are no digits: found only where nothing was verified. */
	MUST(!denylist_has_device(&list, zeros) ||
	     !denylist_file_verify(&file, NULL));
	if (denylist_file_verify(&file, &err)) {
		must_find(&list, &file);
		must_rewrite(&file, data, len);
	} else {
		must_explain(&err);
	}
	err_clear(&err);
	if (denylist_read(data, len, data, len, &list, &err))
		MUST(file.from == 0 && file.to == 0);
	else
		must_explain(&err);
	return 0;
}
