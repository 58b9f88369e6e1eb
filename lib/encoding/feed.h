/* SPDX-License-Identifier: ISC */
/*
 * The feed's state: the one file of the feed that changes.  It is a few lines
 * that name all others by their SHA-256, under which they lie beside it:
 *
 *   pappus-feed 1
 *   sequence 57
 *   time 1764061234567
 *   deny-base <sha256>
 *   deny-delta <sha256>
 *   crls <sha256>
 *   crl <SKI of the CA> <number> <sha256>
 *   end
 *
 * sequence grows with each change of the deny-list; time (unix milliseconds)
 * is when the state was written, which is at least every ten seconds, change
 * or not.  crls, one PEM file of all lists for brokers, and the crl lines, one
 * per CA, DER, are absent before the first list is signed.  The deny-list
 * never waits for a CRL.  Numbers are decimal, without zeros in front.
 */
#ifndef PAPPUS_ENCODING_FEED_H
#define PAPPUS_ENCODING_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	FEED_NAME_LEN = 64, /* SHA-256 in lower-case hexadecimal digits */
	FEED_SKI_LEN = 40,  /* SHA-1, likewise (RFC 5280 §4.2.1.2) */
	FEED_CRLS_MAX = 256,
	FEED_STATE_MAX = 65536 /* octets of a state at most */
};

struct feed_crl {
	char ski[FEED_SKI_LEN + 1];
	uint64_t number; /* RFC 5280 §5.2.3 */
	char name[FEED_NAME_LEN + 1];
};

struct feed_state {
	uint64_t sequence;
	int64_t time_ms;
	char deny_base[FEED_NAME_LEN + 1];
	char deny_delta[FEED_NAME_LEN + 1];
	char crls[FEED_NAME_LEN + 1]; /* empty: none yet */
	struct feed_crl crl[FEED_CRLS_MAX];
	size_t crl_count;
};

/* Append a state's text, at most FEED_STATE_MAX octets. */
void feed_state_print(const struct feed_state *state, struct buf *out);

/*
 * Read a state: all lines, in this order, nothing else, "end" last; no CA
 * twice.  ERR_MALFORMED names the line.  out is written in any case.
 */
bool feed_state_parse(
    const uint8_t *text, size_t len, struct feed_state *out, struct err *err);

#endif
