/* SPDX-License-Identifier: ISC */
/*
 * Reading the deny-list in place: see denylist.h.  Nothing is copied and
 * nothing allocated, so opening a file costs the same whatever its size.
 */
#include <inttypes.h>
#include <string.h>

#include "encoding/base32.h"
#include "encoding/denylist_internal.h"

static const char *const section_names[] = {
    [DENYLIST_DEVICES_ADDED] = "devices added",
    [DENYLIST_DEVICES_REMOVED] = "devices removed",
    [DENYLIST_SERIALS_ADDED] = "serials added",
    [DENYLIST_SERIALS_REMOVED] = "serials removed",
};

/* What is left of a file, or of a part of it. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

/* The next len octets, of which the caller knows that they are there. */
static const uint8_t *
take(struct cursor *in, size_t len)
{
	const uint8_t *at = in->at;

	in->at += len;
	in->left -= len;
	return at;
}

/* The next octets as a little-endian number; as for take. */
static uint64_t
take_number(struct cursor *in, size_t octets)
{
	const uint8_t *at = take(in, octets);
	uint64_t value = 0;

	while (octets > 0)
		value = value << 8 | at[--octets];
	return value;
}

static bool
read_magic(struct cursor *in, const char *which, struct err *err)
{
	uint64_t version;

	if (memcmp(take(in, sizeof(DENYLIST_MAGIC) - 1), DENYLIST_MAGIC,
		sizeof(DENYLIST_MAGIC) - 1) != 0)
		return err_set(err, ERR_MALFORMED,
		    "no deny-list: its %s octets are others", which);
	version = take_number(in, 4);
	if (version != DENYLIST_VERSION)
		return err_set(err, ERR_MALFORMED,
		    "a deny-list of version %" PRIu64 ", not %d", version,
		    DENYLIST_VERSION);
	return true;
}

bool
denylist_issuer_check(const struct denylist_issuer *issuer, struct err *err)
{
	size_t i;

	if (issuer->purpose >= DENYLIST_PURPOSES)
		return err_set(err, ERR_MALFORMED, "an issuer's purpose is %d",
		    (int)issuer->purpose);
	if (issuer->crl_url_len > UINT16_MAX ||
	    issuer->certificate_len > UINT16_MAX)
		return err_set(
		    err, ERR_MALFORMED, "an issuer's data is too long");
	if (issuer->certificate_len == 0)
		return err_set(
		    err, ERR_MALFORMED, "an issuer has no certificate");
	for (i = 0; i < issuer->crl_url_len; i++)
		if (issuer->crl_url[i] <= ' ' || issuer->crl_url[i] > '~')
			return err_set(err, ERR_MALFORMED,
			    "an issuer's URL is not of visible ASCII");
	return true;
}

static bool
read_issuer(struct cursor *in, struct denylist_issuer *issuer, struct err *err)
{
	uint64_t purpose, closed, url_len, certificate_len;

	if (in->left < DENYLIST_ISSUER_LEN)
		return err_set(err, ERR_MALFORMED, "an issuer is cut short");
	purpose = take_number(in, 1);
	closed = take_number(in, 1);
	url_len = take_number(in, 2);
	certificate_len = take_number(in, 2);
	if (url_len + certificate_len > in->left)
		return err_set(err, ERR_MALFORMED, "an issuer is cut short");
	if (closed > 1)
		return err_set(
		    err, ERR_MALFORMED, "an issuer is neither closed nor not");
	issuer->purpose = (enum denylist_purpose)purpose;
	issuer->closed = closed == 1;
	issuer->crl_url_len = (size_t)url_len;
	issuer->crl_url = (const char *)take(in, issuer->crl_url_len);
	issuer->certificate_len = (size_t)certificate_len;
	issuer->certificate = take(in, issuer->certificate_len);
	return denylist_issuer_check(issuer, err);
}

static bool
read_issuers(struct cursor *in, struct denylist_file *out, struct err *err)
{
	for (out->issuer_count = 0; in->left > 0; out->issuer_count++) {
		if (out->issuer_count == DENYLIST_ISSUERS_MAX)
			return err_set(err, ERR_MALFORMED,
			    "more than %d issuers", DENYLIST_ISSUERS_MAX);
		if (!read_issuer(in, &out->issuers[out->issuer_count], err))
			return false;
	}
	return true;
}

/*
 * Where each list lies.  A count is compared before it is multiplied, so none
 * is too large.
 */
static bool
place(struct cursor *body, const uint64_t count[DENYLIST_SECTIONS],
    struct denylist_file *out, struct err *err)
{
	enum denylist_section s;
	size_t item;

	for (s = 0; s < DENYLIST_SECTIONS; s++) {
		item = denylist_item_len(s);
		if (count[s] > body->left / item)
			return err_set(err, ERR_MALFORMED,
			    "cut short: there is no room for its %s",
			    section_names[s]);
		out->count[s] = (size_t)count[s];
		out->at[s] = take(body, out->count[s] * item);
	}
	return true;
}

static bool
read_footer(struct cursor *in, struct cursor *body, struct denylist_file *out,
    struct err *err)
{
	uint64_t count[DENYLIST_SECTIONS], time_ms, issuers_len;
	size_t s;

	out->from = take_number(in, 8);
	out->to = take_number(in, 8);
	time_ms = take_number(in, 8);
	for (s = 0; s < DENYLIST_SECTIONS; s++)
		count[s] = take_number(in, 8);
	issuers_len = take_number(in, 8);
	if (!read_magic(in, "last", err) || !place(body, count, out, err))
		return false;
	if (issuers_len != body->left)
		return err_set(err, ERR_MALFORMED,
		    "its length is not what its counts say");
	if (out->from > out->to || time_ms > INT64_MAX)
		return err_set(err, ERR_MALFORMED,
		    "its sequence numbers or its time are impossible");
	out->time_ms = (int64_t)time_ms;
	return true;
}

bool
denylist_file_read(
    const uint8_t *data, size_t len, struct denylist_file *out, struct err *err)
{
	struct cursor head = {data, len}, footer, body;

	if (len < DENYLIST_MAGIC_LEN + DENYLIST_FOOTER_LEN)
		return err_set(err, ERR_MALFORMED,
		    "no deny-list: %zu octets are too few", len);
	if (!read_magic(&head, "first", err))
		return false;
	body = (struct cursor){head.at, head.left - DENYLIST_FOOTER_LEN};
	footer = (struct cursor){body.at + body.left, DENYLIST_FOOTER_LEN};
	return read_footer(&footer, &body, out, err) &&
	       read_issuers(&body, out, err);
}

/* One after the other: each item above the last, devices of digits. */
static bool
verify_section(
    const struct denylist_file *file, enum denylist_section s, struct err *err)
{
	size_t item = denylist_item_len(s), i;
	const uint8_t *at = file->at[s];

	for (i = 0; i < file->count[s]; i++, at += item) {
		if (i > 0 && memcmp(at - item, at, item) >= 0)
			return err_set(err, ERR_MALFORMED,
			    "not sorted: number %zu of its %s", i,
			    section_names[s]);
		if (item == DENYLIST_DEVICE_LEN &&
		    !base32_valid((const char *)at, item))
			return err_set(err, ERR_MALFORMED,
			    "no device id: number %zu of its %s", i,
			    section_names[s]);
	}
	return true;
}

/* Nothing is both added and removed; both lists are sorted. */
static bool
verify_apart(const struct denylist_file *file, enum denylist_section added,
    enum denylist_section removed, struct err *err)
{
	size_t item = denylist_item_len(added), i = 0, j = 0;
	int order;

	while (i < file->count[added] && j < file->count[removed]) {
		order = memcmp(file->at[added] + i * item,
		    file->at[removed] + j * item, item);
		if (order == 0)
			return err_set(err, ERR_MALFORMED,
			    "number %zu of its %s is removed as well", i,
			    section_names[added]);
		if (order < 0)
			i++;
		else
			j++;
	}
	return true;
}

bool
denylist_file_verify(const struct denylist_file *file, struct err *err)
{
	enum denylist_section s;

	for (s = 0; s < DENYLIST_SECTIONS; s++)
		if (!verify_section(file, s, err))
			return false;
	return verify_apart(file, DENYLIST_DEVICES_ADDED,
		   DENYLIST_DEVICES_REMOVED, err) &&
	       verify_apart(
		   file, DENYLIST_SERIALS_ADDED, DENYLIST_SERIALS_REMOVED, err);
}

bool
denylist_read(const uint8_t *base, size_t base_len, const uint8_t *delta,
    size_t delta_len, struct denylist *out, struct err *err)
{
	if (!denylist_file_read(base, base_len, &out->base, err) ||
	    !denylist_file_read(delta, delta_len, &out->delta, err))
		return false;
	if (out->base.from != 0 ||
	    out->base.count[DENYLIST_DEVICES_REMOVED] > 0 ||
	    out->base.count[DENYLIST_SERIALS_REMOVED] > 0)
		return err_set(err, ERR_MISMATCH, "the base is a delta");
	if (out->delta.from != out->base.to)
		return err_set(err, ERR_MISMATCH,
		    "the delta stands on sequence %" PRIu64
		    ", the base is of %" PRIu64,
		    out->delta.from, out->base.to);
	return true;
}

static bool
has(const struct denylist_file *file, enum denylist_section section,
    const void *wanted)
{
	size_t item = denylist_item_len(section);
	size_t low = 0, high = file->count[section], middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = memcmp(wanted, file->at[section] + middle * item, item);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* What is added last counts first, so that doubt shuts out. */
static bool
is_listed(const struct denylist *list, enum denylist_section added,
    enum denylist_section removed, const void *item)
{
	if (has(&list->delta, added, item))
		return true;
	if (has(&list->delta, removed, item))
		return false;
	return has(&list->base, added, item);
}

bool
denylist_has_device(
    const struct denylist *list, const char digits[DENYLIST_DEVICE_LEN])
{
	return is_listed(
	    list, DENYLIST_DEVICES_ADDED, DENYLIST_DEVICES_REMOVED, digits);
}

bool
denylist_has_serial(
    const struct denylist *list, const uint8_t *serial, size_t len)
{
	uint8_t whole[DENYLIST_SERIAL_LEN] = {0};

	for (; len > 0 && *serial == 0; len--)
		serial++;
	if (len > sizeof(whole))
		return true;
	if (len > 0)
		memcpy(whole + sizeof(whole) - len, serial, len);
	return is_listed(
	    list, DENYLIST_SERIALS_ADDED, DENYLIST_SERIALS_REMOVED, whole);
}
