/* SPDX-License-Identifier: ISC */
/* The layout of a deny-list's file; only for denylist*.c. */
#ifndef PAPPUS_ENCODING_DENYLIST_INTERNAL_H
#define PAPPUS_ENCODING_DENYLIST_INTERNAL_H

#include "encoding/denylist.h"

/* Eight octets, then the version, which is also the last of the file. */
#define DENYLIST_MAGIC "PAPPUSDL"

enum {
	DENYLIST_VERSION = 1,
	DENYLIST_MAGIC_LEN = 12,
	/* from, to, time, a count per list, octets of issuers, magic */
	DENYLIST_FOOTER_LEN =
	    3 * 8 + DENYLIST_SECTIONS * 8 + 8 + DENYLIST_MAGIC_LEN,
	/* purpose, closed, length of the URL (2), of the certificate (2) */
	DENYLIST_ISSUER_LEN = 6
};

/* How long an item of a list is. */
static inline size_t
denylist_item_len(enum denylist_section section)
{
	return section <= DENYLIST_DEVICES_REMOVED ? DENYLIST_DEVICE_LEN
						   : DENYLIST_SERIAL_LEN;
}

/* Whether an issuer can stand in a file; *err says what is wrong. */
bool denylist_issuer_check(
    const struct denylist_issuer *issuer, struct err *err);

#endif
