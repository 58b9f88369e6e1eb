/* SPDX-License-Identifier: ISC */
/*
 * Fetching over HTTPS, the only way in: the server's certificate is verified
 * against the one bundle we are given, no redirect is followed, nothing else
 * than 200 counts, no proxy is asked.  The only file that sees libcurl.
 */
#ifndef PAPPUS_BROKERD_FETCH_H
#define PAPPUS_BROKERD_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sink.h"
#include "broker/brokerd_status.h"

struct fetch; /* one a thread; keeps its connections */

/* Once, before any thread; false when libcurl can't do HTTPS. */
bool fetch_init(struct err *err);

/*
 * ca_file: PEM of who may vouch for the servers.  A fetch ends early once
 * *stop is true.
 */
struct fetch *fetch_new(const char *ca_file, const atomic_bool *stop);
void fetch_free(struct fetch *f);

/* How long one answer may take, and how large it may be. */
struct fetch_limits {
	uint64_t len;
	long seconds;	    /* in all */
	long stall_seconds; /* without any progress to speak of */
};

/*
 * GET url into the sink.  False with *why and *err when there is no whole
 * answer of 200 within the limits; the sink may have been given some of one.
 */
bool fetch_get(struct fetch *f, const char *url,
    const struct fetch_limits *limits, sink_fn *sink, void *ctx,
    enum refusal *why, struct err *err);

#endif
