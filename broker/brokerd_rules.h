/* SPDX-License-Identifier: ISC */
/*
 * What pappus-brokerd decides by: which of two states is the newer one, when
 * a thing that costs time may be done again, when one that failed is tried
 * again.  No clock, no file: all comes as arguments.
 */
#ifndef PAPPUS_BROKERD_RULES_H
#define PAPPUS_BROKERD_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "encoding/feed.h"

/* --------------------------------------------------------------- states */

/* What a state is beside the one that we have. */
enum rules_choice {
	RULES_OLDER,  /* a host that lags, or nothing new */
	RULES_RENEWS, /* the same deny-list, later confirmed */
	RULES_NEWER   /* take what it names */
};

/*
 * Compare a state that a host serves with ours; ours NULL: we have none.
 * A state of a smaller sequence never replaces ours, nor does one of the same
 * sequence and no later time.  same_host: ours came from that host, or we
 * don't know from which.  Two hosts may put the same sequence into different
 * files (each makes its bases when it likes), so another host's only renews
 * ours: taking turns would cost a look at a whole base each time.
 */
enum rules_choice rules_choose(const struct feed_state *ours,
    const struct feed_state *theirs, bool same_host);

/*
 * The time that a state is taken to be of, in unix milliseconds: what it says,
 * but none ahead of our clock, or a list would still pass for fresh long after
 * its host's clock was put right.
 */
int64_t rules_state_time(int64_t says_ms, int64_t now_ms);

/* -------------------------------------------------------------- spacing */

enum {
	RULES_SHARE = 10,	       /* at most a tenth of the time */
	RULES_RELOAD_MIN_US = 1000000, /* two reloads at least so far apart */
	RULES_RELOAD_ENTRY_NS = 2000,  /* what an entry costs the broker */
	RULES_RELOAD_MAX_US = 60000000 /* a measured cost is cut here */
};

/*
 * What a reload costs the broker, in microseconds: by the number of entries in
 * the lists it reads, or as it was measured, whichever is more.  0: not
 * measured.
 */
int64_t rules_reload_cost(uint64_t entries, int64_t measured_us);

/*
 * When a thing that began at that moment and costs so much may begin again, so
 * that it takes at most a tenth of the time.
 */
int64_t rules_again_at(int64_t began_us, int64_t cost_us);

/* ---------------------------------------------------------------- retry */

/* How long to wait after so many failures one after the other, from 1 on. */
int64_t rules_retry_us(unsigned int failures);

#endif
