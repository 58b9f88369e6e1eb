/* SPDX-License-Identifier: ISC */
/*
 * The thread of the canaries: one device that must get in and one that must be
 * refused try it on a schedule, and after each reload of the broker's lists.
 */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/brokerd.h"
#include "broker/brokerd_client.h"

enum {
	TIMEOUT_US = 10 * 1000000,
	AFTER_ALARM_US = 5 * 1000000, /* so soon again when one is wrong */
	PROMPT_US = 200 * 1000,	      /* after a reload, for a measurement */
};

static void
judge(struct brokerd *b, enum canary canary, enum canary_result result,
    const struct err *err)
{
	enum alarm alarm =
	    canary == CANARY_GOOD ? ALARM_CANARY_GOOD : ALARM_CANARY_REVOKED;
	bool right = result ==
		     (canary == CANARY_GOOD ? CANARY_ACCEPTED : CANARY_REFUSED);

	status_set_canary(b->status, canary, result, clock_wall_ms());
	if (right)
		status_quiet(b->status, alarm);
	else if (result == CANARY_ACCEPTED)
		status_alarm(
		    b->status, alarm, "the broker let the revoked canary in");
	else if (result == CANARY_REFUSED)
		status_alarm(b->status, alarm,
		    "the broker refused the good canary: %s", err->detail);
	else
		status_alarm(b->status, alarm,
		    "the %s canary could not be tried: %s", canary_name(canary),
		    err->detail);
}

/* Try one that is configured. */
static enum canary_result
try_one(struct brokerd *b, enum canary canary)
{
	const struct client_target target = {
	    .host = b->conf.canary_host,
	    .port = b->conf.canary_port,
	    .ca_file = b->conf.ca_file,
	    .timeout_us = TIMEOUT_US,
	};
	enum canary_result result;
	struct err err = {0};

	result = client_try(&target, b->conf.canary[canary], &err);
	if (!atomic_load(&b->stop))
		judge(b, canary, result, &err);
	return result;
}

/*
 * The broker answers nobody while it reads its lists: how long it took the
 * good canary to get in after the signal is what the reload cost, at most.
 */
static void
measure(struct brokerd *b, int64_t began)
{
	int64_t now = clock_mono_us();

	pthread_mutex_lock(&b->lock);
	if (b->reloads > 0 && began - b->reloaded_us < PROMPT_US)
		b->reload_measured_us = now - b->reloaded_us;
	pthread_mutex_unlock(&b->lock);
}

/* Both; true when both are right. */
static bool
try_both(struct brokerd *b)
{
	int64_t began = clock_mono_us();
	bool right = true;

	if (b->conf.canary[CANARY_GOOD] != NULL) {
		right = try_one(b, CANARY_GOOD) == CANARY_ACCEPTED;
		if (right)
			measure(b, began);
	}
	if (b->conf.canary[CANARY_REVOKED] != NULL)
		right = try_one(b, CANARY_REVOKED) == CANARY_REFUSED && right;
	return right;
}

/* Wait so long, or until the broker was told to read its lists: true. */
static bool
wait_for_turn(struct brokerd *b, int64_t us, uint64_t *reloads)
{
	struct timespec end;
	bool reloaded;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += us / 1000000;
	pthread_mutex_lock(&b->lock);
	while (b->reloads == *reloads && !atomic_load(&b->stop) &&
	       pthread_cond_timedwait(&b->changed, &b->lock, &end) == 0)
		;
	reloaded = b->reloads != *reloads;
	*reloads = b->reloads;
	pthread_mutex_unlock(&b->lock);
	return reloaded;
}

void *
canary_main(void *arg)
{
	struct brokerd *b = arg;
	uint64_t reloads = 0;
	int64_t us;

	while (!atomic_load(&b->stop)) {
		us = b->conf.canary_us;
		if (!try_both(b) && us > AFTER_ALARM_US)
			us = AFTER_ALARM_US;
		/*
		 * The first after a reload may have been accepted just before
		 * it, and waited for it: that measures.  The second has seen
		 * the new lists for certain: that counts.
		 */
		if (wait_for_turn(b, us, &reloads))
			try_both(b);
	}
	return NULL;
}
