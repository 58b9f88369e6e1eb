/* SPDX-License-Identifier: ISC */
/*
 * The thread of the feed: holds the lease, claims what has changed and
 * publishes it, before any CRL and without waiting for one.  See crld.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "daemon/deny_file.h"
#include "daemon/feed.h"

#define GAP_MAX_US (250 * MS)
#define AGAIN_US (1000 * MS)
#define WAIT_MAX_US (250 * MS)

enum {
	RENEW_MS = 5000, /* the state's time; ten seconds are promised */
	DELTA_MIN = 10000,
	DELTA_PART = 10, /* of the base's items */
	BUSY = 9
};

/* --------------------------------------------------------------- following */

static bool
take_change(void *ctx, const struct publication_change *change)
{
	struct feed *f = ctx;

	switch (change->kind) {
	case PUBLICATION_CERTIFICATE:
		delta_serial(
		    f->delta, change->after.serial, change->is_revoked);
		break;
	case PUBLICATION_DEVICE:
		delta_device(f->delta, change->device_id + strlen("dev_"),
		    change->denied);
		break;
	case PUBLICATION_ISSUER:
		f->issuers_stale = true;
		board_issuers_changed(f->d->board);
		break;
	}
	return true;
}

static bool
read_issuers(struct feed *f)
{
	struct publication_issuer *issuers;
	uint64_t closed = board_closed_count(f->d->board);
	enum publication_result result;
	size_t n;

	if (!f->issuers_stale && closed == f->closed)
		return true;
	result = publication_issuers(f->db, &issuers, &n);
	feed_heard(f, result);
	if (result != PUBLICATION_DONE)
		return false;
	publication_issuers_free(f->issuers, f->issuer_count);
	f->issuers = issuers;
	f->issuer_count = n;
	f->issuers_stale = false;
	f->closed = closed;
	f->dirty = true;
	return true;
}

/* Bring the delta up to what is claimed; false when that isn't all done. */
static bool
follow(struct feed *f)
{
	enum publication_result result;
	struct board_base base;

	board_get_base(f->d->board, &base);
	if (base.generation > f->seen) {
		f->base = base;
		f->seen = base.generation;
		f->sequence = (int64_t)base.sequence;
		f->issuers_stale = f->dirty = true;
		delta_clear(f->delta);
	}
	if (f->base.generation == 0)
		return false;
	if (f->known > f->sequence) {
		result = publication_changes(
		    f->db, f->sequence, f->known, take_change, f);
		feed_heard(f, result);
		if (result == PUBLICATION_PRUNED)
			board_want_load(f->d->board);
		if (result != PUBLICATION_DONE)
			return false;
		f->sequence = f->known;
		f->dirty = true;
	}
	return read_issuers(f);
}

/* -------------------------------------------------------------- publishing */

static bool
put(struct feed *f, struct err *err)
{
	struct denylist_issuer issuers[DENYLIST_ISSUERS_MAX];
	size_t n = deny_issuers(f->issuers, f->issuer_count, issuers);
	char name[FEED_NAME_LEN + 1];

	return deny_write_delta(f->d->store, f->delta, f->base.sequence,
		   (uint64_t)f->sequence, clock_wall_ms(), issuers, n, name,
		   err) &&
	       front_deny(
		   f->d->front, (uint64_t)f->sequence, f->base.name, name, err);
}

static void
publish(struct feed *f)
{
	int64_t started = clock_mono_us(), took;
	struct err err = {.code = ERR_NONE};
	size_t items;

	/* Behind what was published: the next claim passes it. */
	if (!f->dirty || started < f->publish_us ||
	    f->sequence < (int64_t)front_sequence(f->d->front))
		return;
	if (!put(f, &err)) {
		f->publish_us = clock_mono_us() + AGAIN_US;
		f->failing = true;
		board_alarm(f->d->board, ALARM_FEED, true);
		log_msg(LOG_LEVEL_ERROR, "feed-failed", "%s", err.detail);
		return;
	}
	took = clock_mono_us() - started;
	f->publish_us = started + took +
			(BUSY * took < GAP_MAX_US ? BUSY * took : GAP_MAX_US);
	f->dirty = f->failing = false;
	board_alarm(f->d->board, ALARM_FEED, false);
	items = delta_count(f->delta);
	if (items > DELTA_MIN && items > f->base.items / DELTA_PART)
		board_want_base(f->d->board);
	log_event(LOG_LEVEL_INFO, "feed",
	    (const struct log_field[]){
		LOG_I("sequence", f->sequence),
		LOG_I("items", items),
		LOG_I("us", took),
		{.type = LOG_END},
	    });
}

/* Say that there is nothing new, while the database says so. */
static void
renew(struct feed *f)
{
	int64_t written = front_time_ms(f->d->front), now = clock_wall_ms();
	struct err err = {.code = ERR_NONE};

	if (written == 0 || f->dirty || !f->answers || f->sequence < f->known ||
	    store_is_held(f->d->store) ||
	    (now >= written && now - written < RENEW_MS))
		return;
	if (front_renew(f->d->front, &err))
		return;
	f->dirty = true; /* again, with its delays and alarm */
	f->publish_us = clock_mono_us() + AGAIN_US;
	board_alarm(f->d->board, ALARM_FEED, true);
	log_msg(LOG_LEVEL_ERROR, "feed-failed", "%s", err.detail);
}

/* --------------------------------------------------------------------- all */

static int64_t
earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
wait(struct feed *f)
{
	int64_t now = clock_mono_us(), until = now + WAIT_MAX_US;

	until = earliest(until, f->lease_us);
	until = earliest(
	    until, f->look_us > f->publish_us ? f->look_us : f->publish_us);
	if (f->dirty || f->woken)
		until = earliest(until, f->publish_us);
	/* Something is always done about once a millisecond at most. */
	if (until < now + MS)
		until = now + MS;
	if (db_wait(f->db, until - now))
		f->woken = true;
}

void *
feed_main(void *crld)
{
	struct feed f = {.d = crld, .delta = delta_new()};
	int64_t now;

	f.db = db_new(conf_str(CONF_DATABASE), "pappus-crld");
	db_listen(f.db, "pappus_changes");
	while (!board_stopping(f.d->board)) {
		now = clock_mono_us();
		feed_take_lease(&f, now);
		if (f.answers) {
			feed_look(&f, now);
			if (follow(&f) && !store_is_held(f.d->store))
				publish(&f);
			renew(&f);
			feed_prune(&f, now);
		}
		wait(&f);
	}
	if (f.epoch > 0)
		publication_release(f.db, f.epoch);
	publication_issuers_free(f.issuers, f.issuer_count);
	delta_free(f.delta);
	db_free(f.db);
	return NULL;
}
