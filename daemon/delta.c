/* SPDX-License-Identifier: ISC */
/* What has changed since the base: see delta.h. */
#include "daemon/delta.h"

#include <stdlib.h>
#include <string.h>

enum {
	KEY_LEN = DENYLIST_DEVICE_LEN > DENYLIST_SERIAL_LEN
		      ? DENYLIST_DEVICE_LEN
		      : DENYLIST_SERIAL_LEN
};

struct item {
	uint8_t key[KEY_LEN];
	bool in;	/* shut out now */
	uint32_t order; /* among those not yet merged */
};

/* One kind of item: sorted, none twice, and behind them what came since. */
struct set {
	struct item *items;
	size_t sorted;
	size_t count;
	size_t room;
};

struct delta {
	struct set devices;
	struct set serials;
};

struct delta *
delta_new(void)
{
	struct delta *delta = calloc(1, sizeof(*delta));

	if (delta == NULL)
		abort();
	return delta;
}

void
delta_clear(struct delta *delta)
{
	free(delta->devices.items);
	free(delta->serials.items);
	memset(delta, 0, sizeof(*delta));
}

void
delta_free(struct delta *delta)
{
	if (delta == NULL)
		return;
	delta_clear(delta);
	free(delta);
}

static void
set_add(struct set *set, const void *key, size_t len, bool in)
{
	struct item *item;

	if (set->count == set->room) {
		set->room = set->room == 0 ? 64 : 2 * set->room;
		set->items =
		    reallocarray(set->items, set->room, sizeof(*set->items));
		if (set->items == NULL)
			abort();
	}
	item = &set->items[set->count];
	memset(item, 0, sizeof(*item));
	memcpy(item->key, key, len);
	item->in = in;
	item->order = (uint32_t)(set->count - set->sorted);
	set->count++;
}

static int
by_key(const struct item *a, const struct item *b)
{
	return memcmp(a->key, b->key, KEY_LEN);
}

static int
by_key_and_order(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int rc = by_key(x, y);

	return rc != 0 ? rc : (x->order > y->order) - (x->order < y->order);
}

/* Of several changes of one key the last counts.  Returns how many remain. */
static size_t
last_of_each(struct item *items, size_t count)
{
	size_t i, kept = 0;

	for (i = 0; i < count; i++)
		if (i + 1 == count || by_key(&items[i], &items[i + 1]) != 0)
			items[kept++] = items[i];
	return kept;
}

/* Merge what came since into the sorted part. */
static void
set_merge(struct set *set)
{
	size_t fresh = set->count - set->sorted, a = 0, b, n = 0;
	struct item *tail, *merged;
	int rc;

	if (fresh == 0)
		return;
	tail = set->items + set->sorted;
	qsort(tail, fresh, sizeof(*tail), by_key_and_order);
	fresh = last_of_each(tail, fresh);
	merged = calloc(set->sorted + fresh, sizeof(*merged));
	if (merged == NULL)
		abort();
	for (b = 0; a < set->sorted || b < fresh;) {
		rc = a == set->sorted ? 1
		     : b == fresh     ? -1
				      : by_key(&set->items[a], &tail[b]);
		merged[n++] = rc < 0 ? set->items[a] : tail[b];
		a += rc <= 0;
		b += rc >= 0;
	}
	free(set->items);
	set->items = merged;
	set->room = set->sorted + fresh;
	set->sorted = set->count = n;
}

void
delta_device(
    struct delta *delta, const char digits[DENYLIST_DEVICE_LEN], bool denied)
{
	set_add(&delta->devices, digits, DENYLIST_DEVICE_LEN, denied);
}

void
delta_serial(struct delta *delta, const uint8_t serial[DENYLIST_SERIAL_LEN],
    bool revoked)
{
	set_add(&delta->serials, serial, DENYLIST_SERIAL_LEN, revoked);
}

size_t
delta_count(struct delta *delta)
{
	set_merge(&delta->devices);
	set_merge(&delta->serials);
	return delta->devices.count + delta->serials.count;
}

static bool
write_devices(const struct set *set, bool in, struct denylist_writer *writer,
    enum denylist_section section, struct err *err)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < set->count; i++)
		if (set->items[i].in == in)
			ok = denylist_write_device(writer, section,
			    (const char *)set->items[i].key, err);
	return ok;
}

static bool
write_serials(const struct set *set, bool in, struct denylist_writer *writer,
    enum denylist_section section, struct err *err)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < set->count; i++)
		if (set->items[i].in == in)
			ok = denylist_write_serial(
			    writer, section, set->items[i].key, err);
	return ok;
}

bool
delta_write(
    struct delta *delta, struct denylist_writer *writer, struct err *err)
{
	delta_count(delta); /* merges */
	return write_devices(&delta->devices, true, writer,
		   DENYLIST_DEVICES_ADDED, err) &&
	       write_devices(&delta->devices, false, writer,
		   DENYLIST_DEVICES_REMOVED, err) &&
	       write_serials(&delta->serials, true, writer,
		   DENYLIST_SERIALS_ADDED, err) &&
	       write_serials(&delta->serials, false, writer,
		   DENYLIST_SERIALS_REMOVED, err);
}
