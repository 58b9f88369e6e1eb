/* SPDX-License-Identifier: ISC */
/*
 * Deny-lists that were published, for pappus recover: newer than any CRL, and
 * they know the denied devices.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encoding/denylist.h"
#include "encoding/json.h"
#include "tools/recover.h"

/* Takes an item that is shut out. */
typedef bool item_fn(void *ctx, const uint8_t *item, struct err *err);

/* Whether the base's item still stands. */
static bool
stands(const struct denylist *list, enum denylist_section added,
    const uint8_t *item)
{
	if (added == DENYLIST_DEVICES_ADDED)
		return denylist_has_device(list, (const char *)item);
	return denylist_has_serial(list, item, DENYLIST_SERIAL_LEN);
}

/* All of one kind that a base and its delta shut out, in order, each once. */
static bool
each(const struct denylist *list, enum denylist_section added, item_fn *fn,
    void *ctx, struct err *err)
{
	size_t item = added == DENYLIST_DEVICES_ADDED ? DENYLIST_DEVICE_LEN
						      : DENYLIST_SERIAL_LEN;
	const uint8_t *base = list->base.at[added];
	const uint8_t *delta = list->delta.at[added];
	const uint8_t *base_end = base + list->base.count[added] * item;
	const uint8_t *delta_end = delta + list->delta.count[added] * item;
	bool ok = true;
	int order;

	while (ok && (base < base_end || delta < delta_end)) {
		order = base == base_end     ? 1
			: delta == delta_end ? -1
					     : memcmp(base, delta, item);
		if (order < 0) {
			ok = !stands(list, added, base) || fn(ctx, base, err);
		} else {
			ok = fn(ctx, delta, err);
			delta += item;
		}
		if (order <= 0)
			base += item;
	}
	return ok;
}

/* A deny-list that is being merged. */
struct deny {
	struct recovery *r;
	const char *path;
	size_t devices;
	int64_t made_at; /* unix seconds */
	struct recover_serials serials;
};

static bool
deny_device(void *ctx, const uint8_t *item, struct err *err)
{
	char id[sizeof("dev_") + DENYLIST_DEVICE_LEN];
	struct deny *d = ctx;

	snprintf(id, sizeof(id), "dev_%.*s", DENYLIST_DEVICE_LEN,
	    (const char *)item);
	recover_item(d->r, ++d->devices);
	json_str(&d->r->chunk, "device_id", id);
	json_end(&d->r->chunk);
	return recover_send_full(
	    d->r, d->path, d->devices, STATEMENT_RECOVER_DENIALS, err);
}

/* When and why it was revoked is on a CRL, which went before. */
static bool
deny_serial(void *ctx, const uint8_t *item, struct err *err)
{
	struct deny *d = ctx;

	return recover_serial(
	    d->r, &d->serials, item, CRL_UNSPECIFIED, d->made_at, err);
}

/* A CA that the list doesn't have was revoked when it was made. */
static void
look_for_cas(const struct recovery *r, const struct denylist *list)
{
	const struct denylist_issuer *issuer;
	struct buf der = BUF_INIT;
	bool found;
	size_t i, j;

	for (i = 0; i < r->registered.n; i++) {
		buf_reset(&der);
		found = r->registered.cas[i].revoked ||
			!cert_encode_der(r->registered.cas[i].cert, &der, NULL);
		for (j = 0; !found && j < list->delta.issuer_count; j++) {
			issuer = &list->delta.issuers[j];
			found =
			    issuer->certificate_len == der.len &&
			    memcmp(issuer->certificate, der.data, der.len) == 0;
		}
		if (!found)
			fprintf(stderr,
			    "pappus: issuer %" PRId64
			    " is not on the deny-list's list of CAs: was it "
			    "revoked? Then import its root's CRL\n",
			    r->registered.cas[i].id);
	}
	buf_free(&der);
}

static bool
merge_deny_list(struct recovery *r, const char *path,
    const struct denylist *list, struct err *err)
{
	struct deny d = {.r = r,
	    .path = path,
	    .made_at = list->delta.time_ms / 1000,
	    .serials = {.path = path}};
	bool ok;

	look_for_cas(r, list);
	/* Devices first: their certificates are then on hold, not revoked. */
	ok = each(list, DENYLIST_DEVICES_ADDED, deny_device, &d, err) &&
	     recover_send(r, path, d.devices, STATEMENT_RECOVER_DENIALS, err) &&
	     each(list, DENYLIST_SERIALS_ADDED, deny_serial, &d, err) &&
	     recover_serials_end(r, &d.serials, err);
	recover_serials_free(&d.serials);
	return ok;
}

/* A base and its delta, all of which was looked at. */
struct pair {
	struct recover_mapping base;
	struct recover_mapping delta;
	struct denylist list;
};

static bool
pair_open(struct pair *p, const char *base, const char *delta, struct err *err)
{
	struct err why = {.code = ERR_NONE};

	*p = (struct pair){.base = {NULL, 0}};
	if (!recover_map(base, &p->base, err) ||
	    !recover_map(delta, &p->delta, err))
		return false;
	if (denylist_read(p->base.data, p->base.len, p->delta.data,
		p->delta.len, &p->list, &why) &&
	    denylist_file_verify(&p->list.base, &why) &&
	    denylist_file_verify(&p->list.delta, &why))
		return true;
	return err_set(err, why.code, "%s, %s: %s", base, delta, why.detail);
}

static void
pair_close(struct pair *p)
{
	recover_unmap(&p->base);
	recover_unmap(&p->delta);
}

bool
recover_check_deny_list(const char *base, const char *delta, struct err *err)
{
	struct pair p;
	bool ok = pair_open(&p, base, delta, err);

	pair_close(&p);
	return ok;
}

bool
recover_deny_list(
    struct recovery *r, const char *base, const char *delta, struct err *err)
{
	struct pair p;
	bool ok = pair_open(&p, base, delta, err) &&
		  merge_deny_list(r, delta, &p.list, err);

	pair_close(&p);
	return ok;
}
