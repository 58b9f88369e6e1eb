/* SPDX-License-Identifier: ISC */
/*
 * The little of DER (X.690) that is written and read without OpenSSL: what is
 * too large or too frequent for it.  Reading is strict: tags of one octet,
 * definite lengths in their shortest form (§10.1), minimal INTEGERs (§8.3.2).
 */
#ifndef PAPPUS_ENCODING_DER_H
#define PAPPUS_ENCODING_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_CONTEXT = 0x80,	/* [0], primitive; or it with the number */
	DER_CONSTRUCTED = 0x20, /* or-ed to DER_CONTEXT */
	DER_HEADER_MAX = 10,	/* octets of a tag and the longest length */
	DER_TIME_MAX = 17	/* of a GeneralizedTime with its header */
};

/* ------------------------------------------------------------- writing */

/* Append a tag and a length. */
void der_put_header(struct buf *out, uint8_t tag, size_t len);

/* The octets that an element with that much content takes. */
size_t der_element_len(size_t content);

/*
 * Write unix seconds as Time: UTCTime until 2049, GeneralizedTime from 2050
 * (RFC 5280 §4.1.2.5).  Returns its octets, der_time_len; the years are 1950
 * to 9999.
 */
size_t der_time(uint8_t out[DER_TIME_MAX], int64_t seconds);
size_t der_time_len(int64_t seconds);

/* ------------------------------------------------------------- reading */

/* Octets that are still to be read. */
struct der {
	const uint8_t *at;
	size_t len;
};

/* Whether an element with that tag comes next. */
bool der_next_is(const struct der *in, uint8_t tag);

/*
 * Take the next element: its content.  False when it has another tag, is cut
 * or isn't DER; in is where it was, then.
 */
bool der_take(struct der *in, uint8_t tag, struct der *content);

/* As der_take, with the tag and the length standing before the content. */
bool der_take_whole(struct der *in, uint8_t tag, struct der *element);

/*
 * An INTEGER that isn't negative: its octets without the zero in front, which
 * are none for 0.
 */
bool der_take_unsigned(struct der *in, struct der *octets);

/* A Time as RFC 5280 §4.1.2.5 wants it, in unix seconds. */
bool der_take_time(struct der *in, int64_t *seconds);

/* Whether these are those octets. */
bool der_equals(const struct der *der, const void *octets, size_t len);

#endif
