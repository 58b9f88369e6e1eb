/* SPDX-License-Identifier: ISC */
/*
 * The revoked certificates of one CA, a million or more: kept sorted by
 * serial, 32 octets each.  DER is made as it is written (crl_write.h), which
 * takes no longer than copying it.
 *
 * Read-only for a while, a list may be read by many threads.
 */
#ifndef PAPPUS_CERT_CRL_LIST_H
#define PAPPUS_CERT_CRL_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cert/crl.h"

enum { CRL_SERIAL_MAX = 20 }; /* RFC 5280 §4.1.2.2 */

/* Later than every certificate's end: an entry with it never expires. */
#define CRL_NEVER INT64_C(253402300799)

struct crl_item {
	uint8_t serial[CRL_SERIAL_MAX]; /* big-endian, zeros in front */
	int64_t revoked_at;		/* unix seconds */
	int64_t not_after;	/* of the certificate; CRL_NEVER: unknown */
	enum crl_reason reason; /* 0 to 6, 9, 10 */
};

/* What becomes of one serial. */
struct crl_change {
	struct crl_item item;
	bool removed; /* only its serial counts then */
};

struct crl_list; /* one per CA */

struct crl_list *crl_list_new(void);
void crl_list_free(struct crl_list *list);

/*
 * A serial of 1 to 20 octets, big-endian, as an item has it.  ERR_MALFORMED
 * when it is not positive or, as a DER INTEGER, over 20 octets.
 */
bool crl_serial_set(uint8_t out[CRL_SERIAL_MAX], const uint8_t *serial,
    size_t len, struct err *err);

/* Its octets without the zeros in front. */
const uint8_t *crl_serial_octets(
    const uint8_t serial[CRL_SERIAL_MAX], size_t *len);

/*
 * Append an item, best in order; any order will do until crl_list_sort.
 * ERR_MALFORMED when a time is not of the years 1970 to 9999, when a reason is
 * none that a full list may hold, or when the serial isn't one.
 */
bool crl_list_append(
    struct crl_list *list, const struct crl_item *item, struct err *err);

/*
 * Put what was appended in order: nothing to do when it came so.  Needed
 * after the last append, before anything below.  ERR_DUPLICATE when a serial
 * is there twice.
 */
bool crl_list_sort(struct crl_list *list, struct err *err);

size_t crl_list_count(const struct crl_list *list);

/* The item at a place, 0 being the smallest serial. */
void crl_list_get(const struct crl_list *list, size_t at, struct crl_item *out);

/*
 * The first place at or after from whose serial is not below that one; the
 * count when there is none.  Soon found when it is near from.
 */
size_t crl_list_seek(const struct crl_list *list, size_t from,
    const uint8_t serial[CRL_SERIAL_MAX]);

/* Look for a serial; false when it is not there.  out may be NULL. */
bool crl_list_find(const struct crl_list *list,
    const uint8_t serial[CRL_SERIAL_MAX], struct crl_item *out);

/*
 * Apply changes, sorted by serial and none twice (ERR_MISMATCH), in one pass
 * and in place: put what is there already or not, remove what is there or
 * not.  When it fails, the list is as before.
 */
bool crl_list_apply(struct crl_list *list, const struct crl_change *changes,
    size_t count, struct err *err);

/* Told of a serial that is removed. */
typedef void crl_list_gone_fn(void *ctx, const uint8_t serial[CRL_SERIAL_MAX]);

/*
 * Remove what ended before that moment, tell gone (unless NULL) of each, and
 * return how many.  RFC 5280 §3.3: an entry stays for one list beyond its
 * certificate's end, so the moment is the thisUpdate of a list that is
 * published.
 */
size_t crl_list_expire(
    struct crl_list *list, int64_t before, crl_list_gone_fn *gone, void *ctx);

/* A copy of its own. */
struct crl_list *crl_list_copy(const struct crl_list *list);

#endif
