/* SPDX-License-Identifier: ISC */
/* Keeping the lists up to date by the changes that are claimed: lists.h. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/lists_internal.h"

enum { BATCH = 20000 };

/* A change of one list, with its place among them. */
struct step {
	struct crl_change change;
	uint32_t order;
};

/* What is to be done to one list. */
struct steps {
	struct step *list;
	size_t count;
	size_t room;
};

struct following {
	struct lists *lists;
	struct steps *steps; /* of each CA; the last are the strays' */
	size_t gathered;
	bool applied; /* some were */
	enum lists_result result;
};

static void
add(struct steps *steps, const struct crl_item *item, bool removed)
{
	struct step *step;

	if (steps->count == steps->room) {
		steps->room = steps->room == 0 ? 64 : 2 * steps->room;
		steps->list = reallocarray(
		    steps->list, steps->room, sizeof(*steps->list));
		if (steps->list == NULL)
			abort();
	}
	step = &steps->list[steps->count];
	step->change.item = *item;
	step->change.removed = removed;
	step->order = (uint32_t)steps->count++;
}

static int
by_serial_and_order(const void *a, const void *b)
{
	const struct step *x = a, *y = b;
	int rc = memcmp(
	    x->change.item.serial, y->change.item.serial, CRL_SERIAL_MAX);

	return rc != 0 ? rc : (x->order > y->order) - (x->order < y->order);
}

/* Sorted, and of several changes of one serial the last alone. */
static struct crl_change *
final_changes(struct steps *steps, size_t *count)
{
	struct crl_change *changes = calloc(steps->count, sizeof(*changes));
	size_t i, n = 0;

	if (changes == NULL)
		abort();
	qsort(steps->list, steps->count, sizeof(*steps->list),
	    by_serial_and_order);
	for (i = 0; i < steps->count; i++) {
		if (n > 0 &&
		    memcmp(changes[n - 1].item.serial,
			steps->list[i].change.item.serial, CRL_SERIAL_MAX) == 0)
			n--;
		changes[n++] = steps->list[i].change;
	}
	*count = n;
	return changes;
}

static bool
apply_to(struct crl_list *list, struct steps *steps)
{
	struct err err = {.code = ERR_NONE};
	struct crl_change *changes;
	size_t count;
	bool ok;

	changes = final_changes(steps, &count);
	ok = crl_list_apply(list, changes, count, &err);
	if (!ok)
		log_msg(LOG_LEVEL_ERROR, "lists-unusable", "%s", err.detail);
	free(changes);
	steps->count = 0;
	return ok;
}

static bool
apply(struct following *f)
{
	struct cas *cas = f->lists->cas;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < cas->count; i++) {
		if (f->steps[i].count == 0)
			continue;
		f->applied = true;
		ok = apply_to(cas->list[i]->list, &f->steps[i]);
		cas->list[i]->changed = true;
	}
	if (ok && f->steps[cas->count].count > 0) {
		f->applied = true;
		ok = apply_to(f->lists->stray, &f->steps[cas->count]);
	}
	f->gathered = 0;
	if (!ok)
		f->result = LISTS_FAILED;
	return ok;
}

/* Whether an entry of that issuer belongs into this CA's list. */
static bool
is_for(const struct ca *ca, int issuer_id)
{
	return issuer_id == 0 || issuer_id == ca->id;
}

static void
gather(struct following *f, const struct publication_change *change)
{
	const struct cas *cas = f->lists->cas;
	const struct ca *ca;
	struct crl_item item;
	bool was_stray, is_stray;
	size_t i;

	lists_item(
	    change->is_revoked ? &change->after : &change->before, &item);
	memcpy(item.serial, change->after.serial, CRL_SERIAL_MAX);
	for (i = 0; i < cas->count; i++) {
		ca = cas->list[i];
		if (ca->list == NULL)
			continue;
		if (change->is_revoked && is_for(ca, change->after.issuer_id))
			/* What has ended isn't listed any more. */
			add(&f->steps[i], &item,
			    item.not_after < ca->expired_before);
		else if (change->was_revoked &&
			 is_for(ca, change->before.issuer_id))
			add(&f->steps[i], &item, true);
	}
	was_stray = change->was_revoked && change->before.issuer_id == 0;
	is_stray = change->is_revoked && change->after.issuer_id == 0;
	if (was_stray || is_stray)
		add(&f->steps[cas->count], &item, !is_stray);
}

/* Whether the CA of an entry is known. */
static bool
is_known(const struct cas *cas, bool there, const struct publication_entry *e)
{
	return !there || e->issuer_id == 0 ||
	       cas_find(cas, e->issuer_id) != NULL;
}

static bool
take(void *ctx, const struct publication_change *change)
{
	struct following *f = ctx;

	if (change->kind == PUBLICATION_ISSUER)
		f->result = LISTS_ISSUERS;
	if (change->kind != PUBLICATION_CERTIFICATE)
		return true;
	if (!is_known(f->lists->cas, change->is_revoked, &change->after) ||
	    !is_known(f->lists->cas, change->was_revoked, &change->before)) {
		f->result = LISTS_ISSUERS;
		return false;
	}
	gather(f, change);
	return ++f->gathered < BATCH || apply(f);
}

enum lists_result
lists_follow(struct lists *lists, struct db *db, int64_t upto)
{
	struct following f = {.lists = lists, .result = LISTS_DONE};
	enum publication_result read;
	size_t i;

	if (upto <= lists->sequence)
		return LISTS_DONE;
	f.steps = calloc(lists->cas->count + 1, sizeof(*f.steps));
	if (f.steps == NULL)
		abort();
	read = publication_changes(db, lists->sequence, upto, take, &f);
	if (read == PUBLICATION_PRUNED)
		f.result = LISTS_PRUNED;
	else if (read == PUBLICATION_DONE && apply(&f))
		lists->sequence = upto;
	else if (f.result == LISTS_DONE || read != PUBLICATION_STOPPED)
		f.result = LISTS_FAILED;
	/* Applied in part, they are as of no sequence, until all are. */
	lists->torn = lists->sequence != upto && (lists->torn || f.applied);
	for (i = 0; i <= lists->cas->count; i++)
		free(f.steps[i].list);
	free(f.steps);
	return f.result;
}
