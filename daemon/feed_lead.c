/* SPDX-License-Identifier: ISC */
/* Leading: the lease, and what is done with it.  See feed.h. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/feed.h"

#define LEASE_US (1000 * MS) /* between renewals */
#define LOOK_US (1000 * MS)  /* between claims without a notification */
#define FOLLOW_US (250 * MS)
#define EAGER_US (30 * MS) /* of who follows, just after a notification */
#define EAGER_FOR_US (300 * MS)
#define STATUS_US (5000 * MS)
#define AGE_US (2000 * MS)
#define PRUNE_US (60000 * MS)

enum { LEASE_S = 5, CLAIM_MAX = 10000 };

void
feed_heard(struct feed *f, enum publication_result result)
{
	bool answers = result != PUBLICATION_FAILED;

	/* Whatever was notified meanwhile is lost. */
	if (answers && !f->answers)
		f->look_us = 0;
	f->answers = answers;
	board_alarm(f->d->board, ALARM_DATABASE, !answers);
}

/* ----------------------------------------------------------------- leading */

static void
know(struct feed *f, int64_t sequence)
{
	f->known = sequence;
	if (sequence > 0)
		board_claimed(f->d->board, sequence);
}

/*
 * A database whose last number is below what was published here is an older
 * one: it has been restored, or its standby took over without the last
 * commits.  It may have lost denials.
 */
static void
check_age(struct feed *f, int64_t sequence)
{
	if (sequence >= (int64_t)front_sequence(f->d->front) ||
	    store_is_held(f->d->store))
		return;
	log_msg(LOG_LEVEL_WARN, "database-older",
	    "its sequence is %" PRId64 ", but %" PRIu64 " is published",
	    sequence, front_sequence(f->d->front));
	store_hold(f->d->store, true);
	f->base.generation = 0;
	know(f, sequence);
	board_want_load(f->d->board);
	/* Others must see that, too, before a claim makes it newer. */
	f->publish_us = clock_mono_us() + AGE_US;
}

static bool
look_at_status(struct feed *f, int64_t now, struct publication_status *status)
{
	enum publication_result result = publication_status(f->db, status);

	feed_heard(f, result);
	if (result != PUBLICATION_DONE)
		return false;
	f->status_us = now + STATUS_US;
	board_unclaimed(f->d->board, status->unclaimed, status->unclaimed_age);
	check_age(f, status->sequence);
	if (f->epoch == 0)
		know(f, status->sequence);
	return true;
}

static void
set_epoch(struct feed *f, int64_t epoch)
{
	if (epoch == f->epoch)
		return;
	log_msg(LOG_LEVEL_INFO, epoch > 0 ? "leading" : "following",
	    "epoch %" PRId64, epoch > 0 ? epoch : f->epoch);
	f->epoch = epoch;
	f->look_us = 0;
	board_lead(f->d->board, epoch);
}

void
feed_take_lease(struct feed *f, int64_t now)
{
	enum publication_result result;
	int64_t epoch = 0;

	if (now < f->lease_us)
		return;
	result = publication_lease(
	    f->db, store_holder(f->d->store), LEASE_S, &epoch);
	feed_heard(f, result);
	f->lease_us = now + (f->answers ? LEASE_US : FOLLOW_US);
	if (result == PUBLICATION_LOST || result == PUBLICATION_DONE)
		set_epoch(f, epoch);
}

/* Number all that waits. */
static void
claim(struct feed *f, int64_t now)
{
	int64_t above = (int64_t)front_sequence(f->d->front);
	int64_t sequence = f->known, claimed;
	struct publication_status status;
	enum publication_result result;

	/* Look first: a claim makes an old database a newer one. */
	if (!look_at_status(f, now, &status) || now < f->publish_us)
		return;
	if (status.unclaimed == 0 && status.sequence > 0 &&
	    status.sequence >= above) {
		know(f, status.sequence);
		return;
	}
	do {
		claimed = 0;
		/* Above 0 at least: a base from 0 to 0 says nothing. */
		result = publication_claim(f->db, f->epoch,
		    above > 0 ? above : 1, CLAIM_MAX, &sequence, &claimed);
	} while (result == PUBLICATION_DONE && claimed == CLAIM_MAX);
	feed_heard(f, result);
	if (result == PUBLICATION_DONE)
		know(f, sequence);
	if (result == PUBLICATION_LOST)
		set_epoch(f, 0);
}

void
feed_prune(struct feed *f, int64_t now)
{
	if (now < f->prune_us || f->epoch == 0)
		return;
	f->prune_us = now + PRUNE_US;
	publication_prune(f->db, f->epoch, f->known);
}

/* Find out what has changed: the leader by claiming it. */
void
feed_look(struct feed *f, int64_t now)
{
	struct publication_status status;

	if (f->woken && f->epoch == 0) {
		f->eager_us = now + EAGER_FOR_US;
		f->woken = false;
	}
	if (now < f->publish_us)
		return; /* gathering */
	if (f->epoch > 0 && (f->woken || now >= f->look_us)) {
		f->look_us = now + LOOK_US;
		f->woken = false;
		claim(f, now);
	} else if (f->epoch == 0 && now >= f->look_us) {
		f->look_us = now + (now < f->eager_us ? EAGER_US : FOLLOW_US);
		look_at_status(f, now, &status);
	}
	if (now >= f->status_us)
		look_at_status(f, now, &status);
}
