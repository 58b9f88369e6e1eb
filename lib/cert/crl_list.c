/* SPDX-License-Identifier: ISC */
/* The revoked certificates of one CA: see crl_list.h. */
#include "cert/crl_list.h"

#include <stdlib.h>
#include <string.h>

#include "cert/crl_list_impl.h"

enum { CAP_MIN = 64 };

struct crl_list *
crl_list_new(void)
{
	struct crl_list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		abort();
	list->sorted = true;
	return list;
}

void
crl_list_free(struct crl_list *list)
{
	if (list == NULL)
		return;
	free(list->records);
	free(list);
}

/*
 * realloc moves memory of this size by its pages, without a copy, and what
 * has never been written takes none.
 */
static void
reserve(struct crl_list *list, size_t count)
{
	size_t cap = list->cap == 0 ? CAP_MIN : list->cap;

	if (count <= list->cap)
		return;
	while (cap < count)
		cap *= 2;
	list->records =
	    reallocarray(list->records, cap, sizeof(*list->records));
	if (list->records == NULL)
		abort();
	list->cap = cap;
}

/* What needs the order can do nothing sensible without it. */
static void
must_be_sorted(const struct crl_list *list)
{
	if (!list->sorted)
		abort();
}

static int
compare(const void *a, const void *b)
{
	return memcmp(((const struct crl_record *)a)->serial,
	    ((const struct crl_record *)b)->serial, CRL_SERIAL_MAX);
}

/* -------------------------------------------------------------- serials */

const uint8_t *
crl_serial_octets(const uint8_t serial[CRL_SERIAL_MAX], size_t *len)
{
	size_t i = 0;

	while (i < CRL_SERIAL_MAX && serial[i] == 0)
		i++;
	*len = CRL_SERIAL_MAX - i;
	return serial + i;
}

/* RFC 5280 §4.1.2.2: positive, and at most 20 octets with its sign. */
static bool
serial_check(const uint8_t serial[CRL_SERIAL_MAX], struct err *err)
{
	size_t len;

	crl_serial_octets(serial, &len);
	if (len == 0)
		return err_set(err, ERR_MALFORMED, "a serial is 0");
	if (serial[0] > 0x7f)
		return err_set(err, ERR_MALFORMED,
		    "a serial is over %d octets long", CRL_SERIAL_MAX);
	return true;
}

bool
crl_serial_set(uint8_t out[CRL_SERIAL_MAX], const uint8_t *serial, size_t len,
    struct err *err)
{
	while (len > 0 && serial[0] == 0) {
		serial++;
		len--;
	}
	if (len > CRL_SERIAL_MAX)
		return err_set(err, ERR_MALFORMED,
		    "a serial is over %d octets long", CRL_SERIAL_MAX);
	memset(out, 0, CRL_SERIAL_MAX - len);
	if (len > 0)
		memcpy(out + CRL_SERIAL_MAX - len, serial, len);
	return serial_check(out, err);
}

/* -------------------------------------------------------------- records */

static bool
time_fits(int64_t seconds)
{
	return seconds >= 0 && seconds <= CRL_NEVER;
}

static bool
pack(struct crl_record *r, const struct crl_item *item, struct err *err)
{
	size_t octets;

	if (!serial_check(item->serial, err))
		return false;
	if (!time_fits(item->revoked_at) || !time_fits(item->not_after))
		return err_set(err, ERR_MALFORMED,
		    "a revocation's time is not of the years 1970 to 9999");
	if (crl_reason_name((int)item->reason) == NULL)
		return err_set(err, ERR_MALFORMED,
		    "a revocation's reason is %d", (int)item->reason);
	crl_serial_octets(item->serial, &octets);
	memcpy(r->serial, item->serial, CRL_SERIAL_MAX);
	r->zeros = (uint8_t)(CRL_SERIAL_MAX - octets);
	r->reason = (uint8_t)item->reason;
	r->revoked_high = (uint8_t)(item->revoked_at >> 32);
	r->revoked_low = (uint32_t)item->revoked_at;
	r->ends_high = (uint8_t)(item->not_after >> 32);
	r->ends_low = (uint32_t)item->not_after;
	return true;
}

static void
unpack(const struct crl_record *r, struct crl_item *out)
{
	memcpy(out->serial, r->serial, CRL_SERIAL_MAX);
	out->reason = (enum crl_reason)r->reason;
	out->revoked_at = crl_record_revoked_at(r);
	out->not_after = crl_record_ends(r);
}

/* -------------------------------------------------------------- filling */

bool
crl_list_append(
    struct crl_list *list, const struct crl_item *item, struct err *err)
{
	struct crl_record r;

	if (!pack(&r, item, err))
		return false;
	reserve(list, list->count + 1);
	if (list->count > 0 &&
	    compare(&list->records[list->count - 1], &r) >= 0)
		list->sorted = false;
	list->records[list->count++] = r;
	return true;
}

bool
crl_list_sort(struct crl_list *list, struct err *err)
{
	size_t i;

	if (list->sorted)
		return true;
	qsort(list->records, list->count, sizeof(*list->records), compare);
	for (i = 1; i < list->count; i++)
		if (compare(&list->records[i - 1], &list->records[i]) == 0)
			return err_set(err, ERR_DUPLICATE,
			    "a serial is revoked twice in a list");
	list->sorted = true;
	return true;
}

struct crl_list *
crl_list_copy(const struct crl_list *list)
{
	struct crl_list *copy = crl_list_new();

	reserve(copy, list->count);
	if (list->count > 0)
		memcpy(copy->records, list->records,
		    list->count * sizeof(*list->records));
	copy->count = list->count;
	copy->sorted = list->sorted;
	return copy;
}

/* -------------------------------------------------------------- reading */

size_t
crl_list_count(const struct crl_list *list)
{
	return list->count;
}

void
crl_list_get(const struct crl_list *list, size_t at, struct crl_item *out)
{
	must_be_sorted(list);
	if (at >= list->count)
		abort();
	unpack(&list->records[at], out);
}

/*
 * Steps that double from where one stands, then halves: what is near is found
 * soon, so that a walk over all costs little more than one over an array.
 */
size_t
crl_list_seek(const struct crl_list *list, size_t from,
    const uint8_t serial[CRL_SERIAL_MAX])
{
	const struct crl_record *r = list->records;
	size_t step = 1, low = from, high, middle;

	must_be_sorted(list);
	while (low < list->count &&
	       memcmp(r[low].serial, serial, CRL_SERIAL_MAX) < 0) {
		from = low + 1;
		low += step;
		step *= 2;
	}
	high = low < list->count ? low : list->count;
	while (from < high) {
		middle = from + (high - from) / 2;
		if (memcmp(r[middle].serial, serial, CRL_SERIAL_MAX) < 0)
			from = middle + 1;
		else
			high = middle;
	}
	return from;
}

bool
crl_list_find(const struct crl_list *list, const uint8_t serial[CRL_SERIAL_MAX],
    struct crl_item *out)
{
	size_t at = crl_list_seek(list, 0, serial);

	if (at == list->count ||
	    memcmp(list->records[at].serial, serial, CRL_SERIAL_MAX) != 0)
		return false;
	if (out != NULL)
		unpack(&list->records[at], out);
	return true;
}

/* ------------------------------------------------------------- changing */

/* What is not there yet, and the place it gets once the rest is removed. */
struct insertion {
	struct crl_record record;
	size_t at;
};

static bool
changes_check(const struct crl_change *changes, size_t count, struct err *err)
{
	struct crl_record r;
	size_t i;

	for (i = 0; i < count; i++) {
		if (i > 0 && memcmp(changes[i - 1].item.serial,
				 changes[i].item.serial, CRL_SERIAL_MAX) >= 0)
			return err_set(err, ERR_MISMATCH,
			    "changes of a list are not in order");
		if (!changes[i].removed && !pack(&r, &changes[i].item, err))
			return false;
	}
	return true;
}

/* Move records from one place to another, further to the front or not. */
static void
move(struct crl_list *list, size_t to, size_t from, size_t count)
{
	if (to != from && count > 0)
		memmove(&list->records[to], &list->records[from],
		    count * sizeof(*list->records));
}

/*
 * Remove and replace, front to back; what is to be inserted is noted.
 * Returns how many that are.
 */
static size_t
remove_and_replace(struct crl_list *list, const struct crl_change *changes,
    size_t count, struct insertion *insertions)
{
	size_t from = 0, to = 0, noted = 0, i, at;
	bool there;

	for (i = 0; i < count; i++) {
		const uint8_t *serial = changes[i].item.serial;

		at = crl_list_seek(list, from, serial);
		move(list, to, from, at - from);
		to += at - from;
		from = at;
		there = at < list->count && memcmp(list->records[at].serial,
						serial, CRL_SERIAL_MAX) == 0;
		if (there)
			from++;
		if (changes[i].removed)
			continue;
		if (there) {
			pack(&list->records[to++], &changes[i].item, NULL);
		} else {
			pack(&insertions[noted].record, &changes[i].item, NULL);
			insertions[noted++].at = to;
		}
	}
	move(list, to, from, list->count - from);
	list->count -= from - to;
	return noted;
}

/* From the back, so that each record moves once. */
static void
insert(struct crl_list *list, const struct insertion *insertions, size_t count)
{
	size_t end = list->count;

	reserve(list, list->count + count);
	list->count += count;
	while (count-- > 0) {
		size_t at = insertions[count].at;

		move(list, at + count + 1, at, end - at);
		list->records[at + count] = insertions[count].record;
		end = at;
	}
}

bool
crl_list_apply(struct crl_list *list, const struct crl_change *changes,
    size_t count, struct err *err)
{
	struct insertion *insertions;

	must_be_sorted(list);
	if (!changes_check(changes, count, err))
		return false;
	if (count == 0)
		return true;
	insertions = reallocarray(NULL, count, sizeof(*insertions));
	if (insertions == NULL)
		abort();
	insert(list, insertions,
	    remove_and_replace(list, changes, count, insertions));
	free(insertions);
	return true;
}

size_t
crl_list_expire(
    struct crl_list *list, int64_t before, crl_list_gone_fn *gone, void *ctx)
{
	const struct crl_record *r;
	size_t from, to = 0, count;

	for (from = 0; from < list->count; from++) {
		r = &list->records[from];
		if (crl_record_ends(r) >= before) {
			/* Mostly nothing ends, and then nothing is written. */
			if (to++ != from)
				list->records[to - 1] = *r;
		} else if (gone != NULL) {
			gone(ctx, r->serial);
		}
	}
	count = list->count - to;
	list->count = to;
	return count;
}
