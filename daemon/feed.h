/* SPDX-License-Identifier: ISC */
/* What the files of the feed's thread share: see crld.h. */
#ifndef PAPPUS_DAEMON_FEED_H
#define PAPPUS_DAEMON_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/crld.h"
#include "daemon/delta.h"
#include "request/publication.h"
#include "world/db.h"

#define MS INT64_C(1000)

struct feed {
	const struct crld *d;
	struct db *db;

	int64_t epoch; /* 0: another leads, or nobody */
	int64_t known; /* the last sequence that was claimed; 0: none */
	bool answers;  /* the database did, last time */
	bool woken;

	struct board_base base; /* generation 0: none yet */
	uint64_t seen;		/* the last generation */
	struct delta *delta;
	int64_t sequence; /* what the delta leads to */
	struct publication_issuer *issuers;
	size_t issuer_count;
	bool issuers_stale;
	uint64_t closed; /* how many CAs were closed when they were read */
	bool dirty;	 /* the delta is not what is published */
	bool failing;

	/* clock_mono_us: not before */
	int64_t lease_us;
	int64_t look_us;
	int64_t status_us;
	int64_t prune_us;
	int64_t publish_us;
	int64_t eager_us; /* until then */
};

/* What a call of the database says about the database. */
void feed_heard(struct feed *f, enum publication_result result);

/* Take the lease or renew it, when it is time to. */
void feed_take_lease(struct feed *f, int64_t now);

/* Find out what has changed, when it is time to: the leader by claiming it. */
void feed_look(struct feed *f, int64_t now);

/* Have the database forget what nobody needs any more. */
void feed_prune(struct feed *f, int64_t now);

#endif
