/* SPDX-License-Identifier: ISC */
/* Writing a deny-list's file front to back: see denylist.h. */
#include <string.h>

#include "encoding/base32.h"
#include "encoding/denylist_internal.h"

enum { GATHER = 64 * 1024 }; /* octets, before the sink gets them */

static bool
flush(struct denylist_writer *w, struct err *err)
{
	bool ok =
	    w->out.len == 0 || w->sink(w->ctx, w->out.data, w->out.len, err);

	w->out.len = 0;
	return ok;
}

static bool
put(struct denylist_writer *w, const void *data, size_t len, struct err *err)
{
	if (w->out.len + len > GATHER && !flush(w, err))
		return false;
	buf_add(&w->out, data, len);
	return true;
}

static void
add_number(struct buf *out, uint64_t value, size_t octets)
{
	for (; octets > 0; octets--, value >>= 8)
		buf_add_byte(out, value & 0xff);
}

static void
add_magic(struct buf *out)
{
	buf_add_str(out, DENYLIST_MAGIC);
	add_number(out, DENYLIST_VERSION, 4);
}

bool
denylist_write_begin(
    struct denylist_writer *w, sink_fn *sink, void *ctx, struct err *err)
{
	*w = (struct denylist_writer){.sink = sink, .ctx = ctx};
	add_magic(&w->out);
	return flush(w, err);
}

static bool
write_item(struct denylist_writer *w, enum denylist_section section,
    const void *item, struct err *err)
{
	size_t len = denylist_item_len(section);

	if (section < w->section)
		return err_set(err, ERR_MISMATCH,
		    "a deny-list's lists come in their order");
	if (w->count[section] > 0 && memcmp(w->last, item, len) >= 0)
		return err_set(err, ERR_MISMATCH,
		    "a deny-list's items come sorted, none twice");
	w->section = section;
	w->count[section]++;
	memcpy(w->last, item, len);
	return put(w, item, len, err);
}

bool
denylist_write_device(struct denylist_writer *w, enum denylist_section section,
    const char digits[DENYLIST_DEVICE_LEN], struct err *err)
{
	if (section > DENYLIST_DEVICES_REMOVED ||
	    !base32_valid(digits, DENYLIST_DEVICE_LEN))
		return err_set(
		    err, ERR_MISMATCH, "no device id, or no list of devices");
	return write_item(w, section, digits, err);
}

bool
denylist_write_serial(struct denylist_writer *w, enum denylist_section section,
    const uint8_t serial[DENYLIST_SERIAL_LEN], struct err *err)
{
	if (section < DENYLIST_SERIALS_ADDED ||
	    section > DENYLIST_SERIALS_REMOVED)
		return err_set(err, ERR_MISMATCH, "no list of serials");
	return write_item(w, section, serial, err);
}

static bool
put_issuer(struct denylist_writer *w, const struct denylist_issuer *issuer,
    struct buf *scratch, struct err *err)
{
	if (!denylist_issuer_check(issuer, err))
		return false;
	scratch->len = 0;
	add_number(scratch, issuer->purpose, 1);
	add_number(scratch, issuer->closed, 1);
	add_number(scratch, issuer->crl_url_len, 2);
	add_number(scratch, issuer->certificate_len, 2);
	buf_add(scratch, issuer->crl_url, issuer->crl_url_len);
	buf_add(scratch, issuer->certificate, issuer->certificate_len);
	return put(w, scratch->data, scratch->len, err);
}

bool
denylist_write_end(struct denylist_writer *w, uint64_t from, uint64_t to,
    int64_t time_ms, const struct denylist_issuer *issuers, size_t n,
    struct err *err)
{
	struct buf scratch = BUF_INIT;
	uint64_t issuers_len = 0;
	bool ok = true;
	size_t i;

	if (from > to || time_ms < 0 || n > DENYLIST_ISSUERS_MAX)
		return err_set(err, ERR_MISMATCH,
		    "a deny-list's sequence numbers, its time or the number "
		    "of its issuers is impossible");
	for (i = 0; ok && i < n; i++) {
		ok = put_issuer(w, &issuers[i], &scratch, err);
		issuers_len += scratch.len;
	}
	scratch.len = 0;
	add_number(&scratch, from, 8);
	add_number(&scratch, to, 8);
	add_number(&scratch, (uint64_t)time_ms, 8);
	for (i = 0; i < DENYLIST_SECTIONS; i++)
		add_number(&scratch, w->count[i], 8);
	add_number(&scratch, issuers_len, 8);
	add_magic(&scratch);
	ok = ok && put(w, scratch.data, scratch.len, err) && flush(w, err);
	buf_free(&scratch);
	return ok;
}

void
denylist_writer_free(struct denylist_writer *w)
{
	buf_free(&w->out);
}
