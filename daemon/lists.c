/* SPDX-License-Identifier: ISC */
/* What is revoked, in memory: see lists.h.  Loading and asking. */
#include "daemon/lists.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/lists_internal.h"

void
lists_init(struct lists *lists, struct cas *cas)
{
	memset(lists, 0, sizeof(*lists));
	lists->cas = cas;
}

void
lists_free(struct lists *lists)
{
	crl_list_free(lists->stray);
	memset(lists, 0, sizeof(*lists));
}

void
lists_item(const struct publication_entry *entry, struct crl_item *item)
{
	memcpy(item->serial, entry->serial, CRL_SERIAL_MAX);
	item->revoked_at = entry->revoked_at;
	item->not_after = entry->not_after == 0 ? CRL_NEVER : entry->not_after;
	item->reason = (enum crl_reason)entry->reason;
}

/* -------------------------------------------------------------- loading */

/* The lists that are being read, in the order of the CAs. */
struct loading {
	struct lists *lists;
	struct crl_list **fresh; /* NULL: that CA has none */
	int64_t *expired_before; /* of each */
	struct serials *gone;
	struct crl_list *stray;
	size_t last; /* the CA of the last entry: most come in runs */
	size_t entries;
	enum lists_result result;
};

static bool
keep_entry(struct loading *l, size_t i, const struct crl_item *item)
{
	struct err err = {.code = ERR_NONE};

	if (item->not_after < l->expired_before[i]) {
		/* Until something newer is published, it is missed there. */
		serials_add(&l->gone[i], item->serial);
		return true;
	}
	if (crl_list_append(l->fresh[i], item, &err))
		return true;
	log_msg(LOG_LEVEL_ERROR, "entry-unusable", "%s", err.detail);
	l->result = LISTS_FAILED;
	return false;
}

static bool
keep_stray(struct loading *l, const struct crl_item *item)
{
	struct err err = {.code = ERR_NONE};
	size_t i;

	if (!crl_list_append(l->stray, item, &err)) {
		/* A typing error must not stop all others. */
		log_msg(LOG_LEVEL_ERROR, "entry-unusable", "%s", err.detail);
		return true;
	}
	for (i = 0; i < l->lists->cas->count; i++)
		if (l->fresh[i] != NULL && !keep_entry(l, i, item))
			return false;
	return true;
}

static bool
load_entry(void *ctx, const struct publication_entry *entry)
{
	struct loading *l = ctx;
	const struct cas *cas = l->lists->cas;
	struct crl_item item;
	size_t i;

	lists_item(entry, &item);
	l->entries++;
	if (entry->issuer_id == 0)
		return keep_stray(l, &item);
	if (l->last >= cas->count ||
	    cas->list[l->last]->id != entry->issuer_id) {
		for (i = 0; i < cas->count; i++)
			if (cas->list[i]->id == entry->issuer_id)
				break;
		if (i == cas->count) {
			l->result = LISTS_ISSUERS;
			return false;
		}
		l->last = i;
	}
	return l->fresh[l->last] == NULL || keep_entry(l, l->last, &item);
}

static void
loading_begin(struct loading *l, struct lists *lists, int64_t now)
{
	const struct cas *cas = lists->cas;
	size_t i;

	memset(l, 0, sizeof(*l));
	l->lists = lists;
	l->fresh = calloc(cas->count + 1, sizeof(*l->fresh));
	l->gone = calloc(cas->count + 1, sizeof(*l->gone));
	l->expired_before = calloc(cas->count + 1, sizeof(int64_t));
	if (l->fresh == NULL || l->gone == NULL || l->expired_before == NULL)
		abort();
	l->stray = crl_list_new();
	for (i = 0; i < cas->count; i++) {
		if (!ca_has_list(cas->list[i]))
			continue;
		l->fresh[i] = crl_list_new();
		l->expired_before[i] = cas->list[i]->recorded.expired_before;
		if (l->expired_before[i] > now)
			l->expired_before[i] = now;
	}
}

static void
loading_end(struct loading *l)
{
	size_t i;

	for (i = 0; i < l->lists->cas->count; i++) {
		crl_list_free(l->fresh[i]);
		serials_clear(&l->gone[i]);
	}
	crl_list_free(l->stray);
	free(l->fresh);
	free(l->gone);
	free(l->expired_before);
}

static bool
sort_all(struct loading *l)
{
	struct err err = {.code = ERR_NONE};
	bool ok = crl_list_sort(l->stray, &err);
	size_t i;

	for (i = 0; ok && i < l->lists->cas->count; i++)
		ok = l->fresh[i] == NULL || crl_list_sort(l->fresh[i], &err);
	if (!ok)
		log_msg(LOG_LEVEL_ERROR, "lists-unusable", "%s", err.detail);
	return ok;
}

/* How many serials are in one list alone, or not the same in both. */
static size_t
differences(const struct crl_list *a, const struct crl_list *b)
{
	size_t n = crl_list_count(a), m = crl_list_count(b), i = 0, j = 0;
	struct crl_item x, y;
	size_t sum = 0;
	int rc;

	while (i < n || j < m) {
		if (i < n)
			crl_list_get(a, i, &x);
		if (j < m)
			crl_list_get(b, j, &y);
		rc = i == n   ? 1
		     : j == m ? -1
			      : memcmp(x.serial, y.serial, CRL_SERIAL_MAX);
		if (rc != 0 || x.reason != y.reason ||
		    x.revoked_at != y.revoked_at || x.not_after != y.not_after)
			sum++;
		i += rc <= 0;
		j += rc >= 0;
	}
	return sum;
}

static void
replace(struct loading *l, bool compare, struct lists_found *found)
{
	struct lists *lists = l->lists;
	struct serials gone;
	struct ca *ca;
	size_t i;

	for (i = 0; i < lists->cas->count; i++) {
		ca = lists->cas->list[i];
		if (compare && ca->list != NULL && l->fresh[i] != NULL &&
		    ca->expired_before == l->expired_before[i])
			found->differences +=
			    differences(ca->list, l->fresh[i]);
		crl_list_free(ca->list);
		ca->list = l->fresh[i];
		l->fresh[i] = NULL;
		ca->expired_before = l->expired_before[i];
		/* All that has ended was met again. */
		gone = ca->gone;
		ca->gone = l->gone[i];
		l->gone[i] = gone;
		/* A root's is not made here, only published. */
		ca->rebuilt = ca->list != NULL;
	}
	crl_list_free(lists->stray);
	lists->stray = l->stray;
	l->stray = NULL;
}

enum lists_result
lists_load(struct lists *lists, struct db *db, int64_t as_of, int64_t now,
    struct lists_found *found)
{
	bool same = lists->loaded && !lists->torn && lists->sequence == as_of;
	enum lists_result result = LISTS_DONE;
	struct loading l;

	memset(found, 0, sizeof(*found));
	loading_begin(&l, lists, now);
	switch (publication_entries(db, as_of, load_entry, &l)) {
	case PUBLICATION_DONE:
		result = sort_all(&l) ? LISTS_DONE : LISTS_FAILED;
		break;
	case PUBLICATION_STOPPED:
		result = l.result;
		break;
	case PUBLICATION_PRUNED:
		result = LISTS_PRUNED;
		break;
	case PUBLICATION_LOST:
	case PUBLICATION_OUTDATED:
	case PUBLICATION_FAILED:
		result = LISTS_FAILED;
		break;
	}
	if (result == LISTS_DONE) {
		found->entries = l.entries;
		replace(&l, same, found);
		lists->loaded = true;
		lists->torn = false;
		lists->sequence = as_of;
	}
	loading_end(&l);
	return result;
}

void
lists_take_cas(struct lists *lists)
{
	struct ca *ca;
	size_t i;

	if (!lists->loaded)
		return;
	for (i = 0; i < lists->cas->count; i++) {
		ca = lists->cas->list[i];
		if (!ca_has_list(ca) || ca->list != NULL)
			continue;
		/* None of its own can be older than itself. */
		ca->list = crl_list_copy(lists->stray);
		ca->changed = true;
	}
}

/* --------------------------------------------------------------- ending */

static void
note_gone(void *ctx, const uint8_t serial[CRL_SERIAL_MAX])
{
	struct ca *ca = ctx;

	serials_add(&ca->gone, serial);
}

void
lists_expire(struct ca *ca, int64_t before)
{
	if (before <= ca->expired_before)
		return;
	crl_list_expire(ca->list, before, note_gone, ca);
	ca->expired_before = before;
}

bool
lists_is_gone(void *ctx, const struct crl_item *item)
{
	const struct lists_gone *gone = ctx;
	const struct cas *cas = gone->lists->cas;
	size_t i;

	if (serials_have(&gone->ca->gone, item->serial))
		return true;
	for (i = 0; i < cas->count; i++)
		if (cas->list[i] != gone->ca && cas->list[i]->list != NULL &&
		    crl_list_find(cas->list[i]->list, item->serial, NULL))
			return true;
	return false;
}

/* -------------------------------------------------------------- serials */

/* Where each list stands while all are merged. */
struct cursor {
	const struct crl_list *list;
	size_t at;
	size_t count;
	struct crl_item item;
};

static void
advance(struct cursor *c)
{
	if (c->at < c->count)
		crl_list_get(c->list, c->at, &c->item);
}

/* The smallest serial of all; NULL at the end. */
static struct cursor *
smallest(struct cursor *cursors, size_t n)
{
	struct cursor *min = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (cursors[i].at < cursors[i].count &&
		    (min == NULL || memcmp(cursors[i].item.serial,
					min->item.serial, CRL_SERIAL_MAX) < 0))
			min = &cursors[i];
	return min;
}

bool
lists_write_serials(const struct lists *lists, struct denylist_writer *writer,
    size_t *count, struct err *err)
{
	struct cursor *cursors =
	    calloc(lists->cas->count + 1, sizeof(*cursors));
	uint8_t last[CRL_SERIAL_MAX] = {0};
	struct cursor *min;
	size_t i, n = 0;
	bool ok = true;

	if (cursors == NULL)
		abort();
	cursors[n++].list = lists->stray;
	for (i = 0; i < lists->cas->count; i++)
		if (lists->cas->list[i]->list != NULL)
			cursors[n++].list = lists->cas->list[i]->list;
	for (i = 0; i < n; i++) {
		cursors[i].count = crl_list_count(cursors[i].list);
		advance(&cursors[i]);
	}
	/* No serial is 0, so nothing equals the first last. */
	while (ok && (min = smallest(cursors, n)) != NULL) {
		if (memcmp(min->item.serial, last, CRL_SERIAL_MAX) != 0) {
			memcpy(last, min->item.serial, CRL_SERIAL_MAX);
			ok = denylist_write_serial(
			    writer, DENYLIST_SERIALS_ADDED, last, err);
			++*count;
		}
		min->at++;
		advance(min);
	}
	free(cursors);
	return ok;
}
