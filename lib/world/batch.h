/* SPDX-License-Identifier: ISC */
/*
 * Group commit.  Requests that wait at the same moment share one call: who
 * comes while the connection is free takes all that wait along and runs them
 * as one batch; the others sleep until their answer is there.  What a call
 * does is the caller's; this module knows queueing, leading and failing only.
 */
#ifndef PAPPUS_WORLD_BATCH_H
#define PAPPUS_WORLD_BATCH_H

#include <stddef.h>
#include <stdint.h>

/* How a call ended, and so what is known of each item in it. */
enum batch_result {
	BATCH_DONE,	   /* committed; each item holds its own answer */
	BATCH_ROLLED_BACK, /* the server said that nothing was kept */
	BATCH_UNKNOWN,	   /* it was sent, and may have been committed */
	BATCH_DOWN,	   /* nothing was sent */
	BATCH_EXPIRED	   /* the item waited past its deadline; not sent */
};

/*
 * Runs n items, at least one, as one transaction, and writes each item's
 * answer into it.  send_by (of clock_mono_us) is the earliest of their
 * deadlines: what isn't on its way by then must not be sent (BATCH_DOWN).
 * Called by one thread at a time.  Never BATCH_EXPIRED.
 */
typedef enum batch_result batch_run_fn(
    void *ctx, void **items, size_t n, int64_t send_by);

struct batch;

/* A queue in front of run; max items a call, at least 1.  Never fails. */
struct batch *batch_new(size_t max, batch_run_fn *run, void *ctx);

/* Free a queue that nobody waits in.  NULL is fine. */
void batch_free(struct batch *b);

/*
 * Have item run in a batch and wait for it.  deadline is of clock_mono_us;
 * an item that is still queued then is not run.
 *
 * A batch that was rolled back is repeated item by item, so that one bad
 * request doesn't fail its neighbours.  One that may have been committed is
 * never repeated.
 */
enum batch_result batch_submit(struct batch *b, void *item, int64_t deadline);

#endif
