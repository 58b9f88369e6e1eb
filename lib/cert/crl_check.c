/* SPDX-License-Identifier: ISC */
/* What a signer makes sure of before a CRL replaces another: see crl_check.h.
 */
#include "cert/crl_check.h"

#include <string.h>

#include "cert/crl_list_impl.h"
#include "encoding/hex.h"

/* Name a serial in an error. */
static bool
wrong(const uint8_t serial[CRL_SERIAL_MAX], const char *what, struct err *err)
{
	char hex[HEX_LEN(CRL_SERIAL_MAX) + 1];
	size_t len;
	const uint8_t *octets = crl_serial_octets(serial, &len);

	hex_encode(octets, len, hex);
	return err_set(err, ERR_MISMATCH, "serial %s %s", hex, what);
}

/* ----------------------------------------------------------------- same */

struct same {
	const struct crl_list *list;
	size_t at;
};

static bool
same_item(void *ctx, const struct crl_item *item, struct err *err)
{
	struct same *s = ctx;
	const struct crl_record *want;

	if (s->at == s->list->count)
		return wrong(item->serial, "should not be in the CRL", err);
	want = &s->list->records[s->at++];
	if (memcmp(item->serial, want->serial, CRL_SERIAL_MAX) != 0)
		return wrong(
		    want->serial, "is not where it belongs in the CRL", err);
	if ((unsigned int)item->reason != want->reason ||
	    item->revoked_at != crl_record_revoked_at(want))
		return wrong(
		    want->serial, "has another reason or time in the CRL", err);
	return true;
}

bool
crl_check_written(const uint8_t *data, size_t len, bool mapped,
    const struct crl_list *list, struct crl_read *out, struct err *err)
{
	struct same s = {.list = list};

	if (!crl_read_open_each(data, len, mapped, same_item, &s, out, err))
		return false;
	return s.at == list->count ||
	       wrong(list->records[s.at].serial, "is not in the CRL", err);
}

/* ----------------------------------------------------------------- kept */

struct kept {
	const struct crl_list *new;
	size_t at; /* where the last one was looked for */
	uint8_t last[CRL_SERIAL_MAX];
	int64_t old_this_update;
	crl_gone_fn *gone;
	void *ctx;
};

static bool
kept_item(void *ctx, const struct crl_item *item, struct err *err)
{
	struct kept *k = ctx;
	const struct crl_record *found = NULL;
	bool there;

	/* A list that others made may be in any order. */
	if (memcmp(k->last, item->serial, CRL_SERIAL_MAX) > 0)
		k->at = 0;
	memcpy(k->last, item->serial, CRL_SERIAL_MAX);
	k->at = crl_list_seek(k->new, k->at, item->serial);
	if (k->at < k->new->count)
		found = &k->new->records[k->at];
	there = found != NULL &&
		memcmp(found->serial, item->serial, CRL_SERIAL_MAX) == 0;
	if (item->reason == CRL_HOLD)
		return true;
	if (there && found->reason == CRL_HOLD)
		return wrong(item->serial,
		    "would become a hold, but is revoked for good", err);
	if (there || item->not_after < k->old_this_update ||
	    (k->gone != NULL && k->gone(k->ctx, item)))
		return true;
	return wrong(item->serial, "would be lost from the CRL", err);
}

bool
crl_check_kept(const struct crl_list *old, int64_t old_this_update,
    const struct crl_list *new, crl_gone_fn *gone, void *ctx, struct err *err)
{
	struct kept k = {.new = new,
	    .old_this_update = old_this_update,
	    .gone = gone,
	    .ctx = ctx};
	size_t count = crl_list_count(old), i;
	struct crl_item item;

	for (i = 0; i < count; i++) {
		crl_list_get(old, i, &item);
		if (!kept_item(&k, &item, err))
			return false;
	}
	return true;
}

bool
crl_check_published(const uint8_t *data, size_t len, bool mapped,
    const struct crl_list *new, crl_gone_fn *gone, void *ctx,
    struct crl_read *out, struct err *err)
{
	/* None of its items has an end before that. */
	struct kept k = {
	    .new = new, .old_this_update = 0, .gone = gone, .ctx = ctx};

	return crl_read_open_each(data, len, mapped, kept_item, &k, out, err);
}
