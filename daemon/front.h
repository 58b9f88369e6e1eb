/* SPDX-License-Identifier: ISC */
/*
 * The feed's state as it is published: the one file that changes.  The feed
 * and the CRLs are made by two threads, and each writes the whole of it.
 * Before the deny-list is there nothing is written, and what an earlier life
 * published stays.
 */
#ifndef PAPPUS_DAEMON_FRONT_H
#define PAPPUS_DAEMON_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "daemon/store.h"
#include "encoding/feed.h"

struct front;

/*
 * Read what was published.  One that is no state is as none: its number is
 * not known, and the database's counts.
 */
struct front *front_new(struct store *store);
void front_free(struct front *front);

/* The sequence that is published, of an earlier life too; 0: none. */
uint64_t front_sequence(struct front *front);

/* When the state was written by this process; clock_wall_ms, 0: not yet. */
int64_t front_time_ms(struct front *front);

/* A copy of the state that is published, or would be. */
void front_state(struct front *front, struct feed_state *out);

/*
 * Publish another deny-list: both files are in feed/.  ERR_REFUSED when the
 * sequence is below the one that is published.
 */
bool front_deny(struct front *front, uint64_t sequence, const char *base,
    const char *delta, struct err *err);

/* Publish the same once more, with the time. */
bool front_renew(struct front *front, struct err *err);

/* Publish a CA's CRL, which is in feed/; an older one of it goes. */
bool front_crl(
    struct front *front, const struct feed_crl *crl, struct err *err);

/* Publish the PEM file of all CRLs. */
bool front_crls(struct front *front, const char *name, struct err *err);

/* Whether a CA's CRL is to be named; asked with its SKI. */
typedef bool front_keep_fn(void *ctx, const char *ski);

/* Leave out the CRLs that are not to be named any more. */
bool front_keep(
    struct front *front, front_keep_fn *keep, void *ctx, struct err *err);

/* Whether the state names a file of feed/. */
bool front_names(struct front *front, const char *name);

#endif
