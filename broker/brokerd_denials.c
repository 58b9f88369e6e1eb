/* SPDX-License-Identifier: ISC */
/* A verified deny-list: see brokerd_denials.h. */
#include "broker/brokerd_denials.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct denials {
	atomic_uint refs;
	struct file_map *base;
	struct file_map *delta;
	char base_name[FEED_NAME_LEN + 1];
	char delta_name[FEED_NAME_LEN + 1];
	struct denylist list;
};

static bool
verify(struct denials *d, const struct denials *old,
    const struct feed_state *state, enum refusal *why, const char **what,
    struct err *err)
{
	struct denylist *list = &d->list;

	*why = REFUSED_MALFORMED;
	*what = "deny-base";
	if (!denylist_file_read(file_map_data(d->base), file_map_len(d->base),
		&list->base, err))
		return false;
	if ((old == NULL || old->base != d->base) &&
	    !denylist_file_verify(&list->base, err))
		return false;
	*what = "deny-delta";
	if (!denylist_file_read(file_map_data(d->delta), file_map_len(d->delta),
		&list->delta, err) ||
	    !denylist_file_verify(&list->delta, err))
		return false;
	*why = REFUSED_MISMATCH;
	if (!denylist_read(file_map_data(d->base), file_map_len(d->base),
		file_map_data(d->delta), file_map_len(d->delta), list, err))
		return false;
	return list->delta.to == state->sequence ||
	       err_set(err, ERR_MISMATCH,
		   "it leads to sequence %" PRIu64 ", the state says %" PRIu64,
		   list->delta.to, state->sequence);
}

struct denials *
denials_new(const struct denials *old, struct file_map *base,
    struct file_map *delta, const struct feed_state *state, enum refusal *why,
    const char **what, struct err *err)
{
	struct denials *d = calloc(1, sizeof(*d));

	if (d == NULL)
		abort();
	atomic_init(&d->refs, 1);
	d->base = base;
	d->delta = delta;
	memcpy(d->base_name, state->deny_base, sizeof(d->base_name));
	memcpy(d->delta_name, state->deny_delta, sizeof(d->delta_name));
	if (verify(d, old, state, why, what, err))
		return d;
	denials_unref(d);
	return NULL;
}

struct denials *
denials_ref(struct denials *denials)
{
	if (denials != NULL)
		atomic_fetch_add(&denials->refs, 1);
	return denials;
}

void
denials_unref(struct denials *denials)
{
	if (denials == NULL || atomic_fetch_sub(&denials->refs, 1) != 1)
		return;
	file_map_unref(denials->base);
	file_map_unref(denials->delta);
	free(denials);
}

const struct denylist *
denials_list(const struct denials *denials)
{
	return &denials->list;
}

const char *
denials_base_name(const struct denials *denials)
{
	return denials->base_name;
}

const char *
denials_delta_name(const struct denials *denials)
{
	return denials->delta_name;
}

struct file_map *
denials_base(const struct denials *denials)
{
	return denials->base;
}

/* ---------------------------------------------------------- differences */

/* What is looked through for devices that are new. */
struct search {
	const struct denylist *old;
	const struct denylist *new;
	denials_device_fn *fn;
	void *ctx;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, DENYLIST_DEVICE_LEN);
}

static bool
is_added(const struct denylist_file *file, const void *digits)
{
	size_t n = file->count[DENYLIST_DEVICES_ADDED];

	return n > 0 && bsearch(digits, file->at[DENYLIST_DEVICES_ADDED], n,
			    DENYLIST_DEVICE_LEN, compare) != NULL;
}

/*
 * Those of one list of one file.  What the new delta adds is found there, so
 * anywhere else it would be found twice.
 */
static void
search_section(const struct search *in, const struct denylist_file *file,
    enum denylist_section s)
{
	bool elsewhere = file != &in->new->delta;
	const char *digits;
	size_t i;

	for (i = 0; i < file->count[s]; i++) {
		digits = (const char *)file->at[s] + i * DENYLIST_DEVICE_LEN;
		if (!denylist_has_device(in->old, digits) &&
		    denylist_has_device(in->new, digits) &&
		    !(elsewhere && is_added(&in->new->delta, digits)))
			in->fn(in->ctx, digits);
	}
}

void
denials_each_new(const struct denials *old, const struct denials *new,
    denials_device_fn *fn, void *ctx)
{
	const struct search in = {&old->list, &new->list, fn, ctx};

	search_section(&in, &new->list.delta, DENYLIST_DEVICES_ADDED);
	/*
	 * Of the base, what the new delta no longer takes away: with the same
	 * base, what the old one did.
	 */
	if (strcmp(old->base_name, new->base_name) == 0)
		search_section(&in, &old->list.delta, DENYLIST_DEVICES_REMOVED);
	else
		search_section(&in, &new->list.base, DENYLIST_DEVICES_ADDED);
}
