/* SPDX-License-Identifier: ISC */
/*
 * Removing what the feed doesn't name any more.  Whoever has just read a state
 * still comes for what it named, so a file stays for ten minutes after it
 * was seen unnamed first; sooner, oldest first, go those beyond 256 MiB
 * together, or a list of a million would fill the disk as it changes.
 */
#ifndef PAPPUS_DAEMON_SWEEP_H
#define PAPPUS_DAEMON_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct sweep;

struct sweep *sweep_new(void);
void sweep_free(struct sweep *sweep);

/* Whether the present state names a file. */
typedef bool sweep_named_fn(void *ctx, const char *name);

/*
 * Look through the open folder feed/ and remove what it is time for; now_us is
 * of clock_mono_us.  Files whose name is no SHA-256 are left alone.
 */
void sweep_run(struct sweep *sweep, int feed, sweep_named_fn *named, void *ctx,
    int64_t now_us);

#endif
