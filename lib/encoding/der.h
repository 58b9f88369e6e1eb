/* SPDX-License-Identifier: ISC */
/*
 * The little of DER (X.690) that is written and read without OpenSSL: what is
 * too large or too frequent for it.  Reading is strict: tags of one octet,
 * definite lengths in their shortest form (§10.1), minimal INTEGERs (§8.3.2).
 * What a list of a million entries needs for each is inline.
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
static inline bool
der_next_is(const struct der *in, uint8_t tag)
{
	return in->len > 0 && in->at[0] == tag;
}

/* As der_take, for any length; what der_take does without a call is short. */
bool der_take_any(struct der *in, uint8_t tag, struct der *content);

/*
 * Take the next element: its content.  False when it has another tag, is cut
 * or isn't DER; in is where it was, then.
 */
static inline bool
der_take(struct der *in, uint8_t tag, struct der *content)
{
	size_t len;

	if (in->len < 2 || in->at[1] > 0x7f)
		return der_take_any(in, tag, content);
	len = in->at[1];
	if (in->at[0] != tag || in->len - 2 < len)
		return false;
	content->at = in->at + 2;
	content->len = len;
	in->at += 2 + len;
	in->len -= 2 + len;
	return true;
}

/* As der_take, with the tag and the length standing before the content. */
bool der_take_whole(struct der *in, uint8_t tag, struct der *element);

/*
 * Take an INTEGER that isn't negative: its octets without the zero in front,
 * which are none for 0.  When it is something else, in may be behind it.
 */
static inline bool
der_take_unsigned(struct der *in, struct der *octets)
{
	if (!der_take(in, DER_INTEGER, octets) || octets->len == 0 ||
	    octets->at[0] > 0x7f)
		return false;
	if (octets->at[0] == 0) {
		/* It is 0, or that zero is there for the next one's sign. */
		if (octets->len > 1 && octets->at[1] <= 0x7f)
			return false;
		octets->at++;
		octets->len--;
	}
	return true;
}

/* Take a Time as RFC 5280 §4.1.2.5 wants it, in unix seconds; likewise. */
bool der_take_time(struct der *in, int64_t *seconds);

/* Whether these are those octets. */
bool der_equals(const struct der *der, const void *octets, size_t len);

#endif
