/* SPDX-License-Identifier: ISC */
/* The thread of the CRLs: see crld.h.  What is done when. */
#include "daemon/crls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "daemon/deny_file.h"

#define TICK_US SECOND_US
#define LATEST_US (SECOND_US / 2)
#define LOAD_AGAIN_US (10 * SECOND_US)
#define HELD_AGAIN_US (30 * SECOND_US)

enum { BUSY = 9 };

/* ----------------------------------------------------------------- lists */

/* What came out of reading or following; true when there are lists. */
static bool
judge(struct crls *s, enum lists_result result)
{
	switch (result) {
	case LISTS_DONE:
		return true;
	case LISTS_ISSUERS:
		s->issuers_us = 0;
		break;
	case LISTS_PRUNED:
		s->want_load = true;
		s->load_as_of = 0;
		break;
	case LISTS_FAILED:
		break;
	}
	return false;
}

static bool
load_is_due(const struct crls *s, int64_t now)
{
	return now >= s->load_us &&
	       (!s->lists.loaded || s->want_load || now >= s->rebuild_us);
}

/* Whether the lists are new ones. */
static bool
load(struct crls *s)
{
	int64_t as_of = s->want_load && s->load_as_of > 0 ? s->load_as_of
							  : s->work.sequence;
	int64_t started = clock_mono_us(), now;
	struct lists_found found;
	enum lists_result result;

	/* What differs then is an error; later changes are none. */
	if (s->lists.loaded && as_of == s->work.sequence)
		judge(s, lists_follow(&s->lists, s->db, as_of));
	result =
	    lists_load(&s->lists, s->db, as_of, clock_wall_ms() / 1000, &found);
	now = clock_mono_us();
	s->load_us = now + (result == LISTS_FAILED ? LOAD_AGAIN_US : SECOND_US);
	s->load_failing = result == LISTS_FAILED;
	if (!judge(s, result))
		return false;
	s->differed = found.differences > 0;
	if (s->differed)
		log_msg(LOG_LEVEL_ERROR, "lists-differed",
		    "%zu entries were otherwise in memory than in the database",
		    found.differences);
	s->want_load = false;
	s->load_us = now + BUSY * (now - started);
	if (as_of == s->work.sequence) {
		s->want_base = true;
		s->base_us = 0;
		s->rebuild_us = now + conf_int(CONF_REBUILD_S) * SECOND_US;
	}
	log_event(LOG_LEVEL_INFO, "lists-read",
	    (const struct log_field[]){
		LOG_I("sequence", as_of),
		LOG_I("entries", found.entries),
		LOG_I("us", now - started),
		{.type = LOG_END},
	    });
	return true;
}

/* ------------------------------------------------------------------ base */

/*
 * A database that is older than what is published here has lost denials: what
 * is published stays until it has them again.
 */
static bool
is_held(struct crls *s, const struct board_base *base)
{
	struct feed_state *published;
	char example[64];
	size_t missing;

	if (!store_is_held(s->d->store))
		return false;
	published = calloc(1, sizeof(*published));
	if (published == NULL)
		abort();
	front_state(s->d->front, published);
	missing =
	    deny_missing(s->d->store, published, &s->lists, base, example);
	free(published);
	if (missing == 0) {
		log_msg(LOG_LEVEL_INFO, "database-complete",
		    "all that is published is in the database again");
		store_hold(s->d->store, false);
		return false;
	}
	log_msg(LOG_LEVEL_ERROR, "database-behind",
	    "%zu that are denied in the published list are not in the "
	    "database, which is older (such as %s): run pappus recover",
	    missing, example);
	s->want_load = true;
	s->load_as_of = 0;
	s->load_us = clock_mono_us() + HELD_AGAIN_US;
	return true;
}

static void
make_base(struct crls *s)
{
	int64_t started = clock_mono_us(), now;
	struct err err = {.code = ERR_NONE};
	struct board_base base;
	bool ok;

	if (!s->want_base || started < s->base_us)
		return;
	/* One as of long ago would have no delta any more. */
	if (!judge(s, lists_follow(&s->lists, s->db, s->work.sequence)))
		return;
	ok = deny_write_base(
	    s->d->store, &s->lists, s->db, clock_wall_ms(), &base, &err);
	now = clock_mono_us();
	s->base_us = now + BUSY * (now - started);
	s->base_failing = !ok;
	if (!ok) {
		s->base_us += SECOND_US;
		log_msg(LOG_LEVEL_ERROR, "base-failed", "%s", err.detail);
		return;
	}
	s->want_base = false;
	if (is_held(s, &base))
		return;
	base.generation = ++s->generation;
	board_put_base(s->d->board, &base);
	log_event(LOG_LEVEL_INFO, "base",
	    (const struct log_field[]){
		LOG_I("sequence", base.sequence),
		LOG_I("items", base.items),
		LOG_I("us", now - started),
		{.type = LOG_END},
	    });
}

/* ------------------------------------------------------------------ CRLs */

static int
by_sequence(const void *a, const void *b)
{
	const struct ca *const *x = a, *const *y = b;

	return ((*x)->recorded.sequence > (*y)->recorded.sequence) -
	       ((*x)->recorded.sequence < (*y)->recorded.sequence);
}

/* What others recorded meanwhile. */
static void
ask_latest(struct crls *s, int64_t now)
{
	struct publication_crl *latest;
	struct ca *ca;
	size_t i, n;

	if (now < s->latest_us)
		return;
	s->latest_us = now + LATEST_US;
	if (publication_latest(s->db, &latest, &n) != PUBLICATION_DONE)
		return;
	s->want_latest = false;
	for (i = 0; i < n; i++) {
		ca = cas_find(&s->cas, latest[i].issuer_id);
		if (ca != NULL && ca->is != NULL &&
		    ca->is->purpose != PUBLICATION_ROOT &&
		    (latest[i].number > ca->recorded.number ||
			ca->recorded.signature_len == 0))
			ca->recorded = latest[i];
	}
	free(latest);
}

/*
 * Publish what is recorded, the oldest first: the lists go along with it and
 * no further, or they would no longer be what was signed.
 */
static void
publish_recorded(struct crls *s)
{
	struct ca **order = calloc(s->cas.count + 1, sizeof(*order));
	bool leads = s->work.epoch > 0;
	size_t i;

	if (order == NULL)
		abort();
	if (s->cas.count > 0)
		memcpy(order, s->cas.list, s->cas.count * sizeof(struct ca *));
	qsort(order, s->cas.count, sizeof(struct ca *), by_sequence);
	for (i = 0; i < s->cas.count; i++) {
		if (!leads && s->lists.loaded &&
		    order[i]->recorded.sequence > s->lists.sequence &&
		    (uint64_t)order[i]->recorded.number >
			order[i]->published.number &&
		    !judge(s, lists_follow(&s->lists, s->db,
				  order[i]->recorded.sequence)))
			break;
		/* Who leads and makes a newer one needs no older one. */
		if (!leads || !(order[i]->changed || order[i]->rebuilt) ||
		    !order[i]->finished)
			crls_publish(s, order[i]);
	}
	free(order);
}

/* The lists are as of what was recorded and differed: before they go on. */
static void
publish_past(struct crls *s)
{
	size_t i;

	for (i = 0; i < s->cas.count; i++)
		s->cas.list[i]->tried = 0;
	publish_recorded(s);
}

/* Make what is due; *next is when something will be, if that is sooner. */
static void
make_due(struct crls *s, int64_t *next)
{
	struct ca *ca;
	int64_t when;
	size_t i;

	for (i = 0; i < s->cas.count && !board_stopping(s->d->board); i++) {
		ca = s->cas.list[i];
		when = INT64_MAX;
		if (crls_is_due(s, ca, &when)) {
			crls_make(s, ca);
			when = ca->next_us;
			if (!ca->failing)
				continue;
		}
		if (when < *next)
			*next = when;
	}
}

/* ------------------------------------------------------------------- all */

static void
tell(struct crls *s)
{
	struct board_crl *crls = calloc(s->cas.count + 1, sizeof(*crls));
	bool failing = s->combine_failing;
	const struct ca *ca;
	size_t i, n = 0;

	if (crls == NULL)
		abort();
	for (i = 0; i < s->cas.count; i++) {
		ca = s->cas.list[i];
		if (!ca_is_good(ca))
			continue;
		crls[n] = (struct board_crl){
		    .issuer_id = ca->id,
		    .failing = ca->failing,
		    .number = ca->published.number,
		    .this_update = ca->published.this_update,
		    .next_update = ca->published.next_update,
		    .bytes = ca->published.bytes,
		    .entries = ca->published.entries,
		};
		memcpy(crls[n++].ski, ca->ski, sizeof(ca->ski));
		failing = failing || ca->failing;
	}
	board_put_crls(s->d->board, crls, n);
	board_alarm(s->d->board, ALARM_LISTS,
	    s->load_failing || s->base_failing || s->differed ||
		store_is_held(s->d->store));
	board_alarm(s->d->board, ALARM_CRLS, failing);
	free(crls);
}

/* One look at all that may be to do; returns when to look again. */
static int64_t
step(struct crls *s)
{
	int64_t now = clock_mono_us(), next = now + TICK_US;
	bool leads = s->work.epoch > 0;

	if (!crls_issuers(s) || s->work.sequence < 0)
		return next;
	crls_look(s);
	if (leads && !s->led)
		s->want_latest = true;
	s->led = leads;
	if (!leads || s->want_latest)
		ask_latest(s, now);
	if (load_is_due(s, now) && load(s) &&
	    s->lists.sequence < s->work.sequence)
		publish_past(s);
	if (leads && s->lists.loaded && !s->want_load)
		judge(s, lists_follow(&s->lists, s->db, s->work.sequence));
	if (s->lists.loaded) {
		make_base(s);
		publish_recorded(s);
		if (leads && !s->want_latest && !store_is_held(s->d->store))
			make_due(s, &next);
		crls_combine(s);
		if (s->combine && s->combine_us < next)
			next = s->combine_us;
	}
	tell(s);
	if (!leads && next > now + LATEST_US)
		next = now + LATEST_US;
	return next;
}

void *
crls_main(void *crld)
{
	struct crls s = {.d = crld};
	int64_t next = clock_mono_us();
	uint64_t issuers = 0;

	s.db = db_new(conf_str(CONF_DATABASE), "pappus-crld");
	lists_init(&s.lists, &s.cas);
	while (board_wait(s.d->board, next, &s.work)) {
		if (s.work.issuers != issuers)
			s.issuers_us = 0;
		issuers = s.work.issuers;
		if (s.work.want_base)
			s.want_base = true;
		if (s.work.want_load) {
			s.want_load = true;
			s.load_as_of = 0;
		}
		next = step(&s);
	}
	cas_free(&s.cas);
	lists_free(&s.lists);
	db_free(s.db);
	return NULL;
}
