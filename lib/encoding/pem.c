/* SPDX-License-Identifier: ISC */
/* PEM: see pem.h. */
#include "encoding/pem.h"

enum { LINE_BYTES = 48 }; /* make a line of 64 characters (RFC 7468 §2) */

/*
 * The base64 character of a value from 0 to 63.  A table would be shorter, but
 * the cache remembers which of its lines were read, and so parts of a key.
 * (25 - v) >> 8 and its like are all ones when v is above 25, else zero.
 */
static uint8_t
sextet(unsigned int v)
{
	unsigned int c = 'A' + v;

	c += ((25U - v) >> 8) & ('a' - 'A' - 26);
	c -= ((51U - v) >> 8) & ('a' + 26 - '0');
	c -= ((61U - v) >> 8) & ('0' + 10 - '+');
	c += ((62U - v) >> 8) & ('/' - '+' - 1);
	return (uint8_t)c;
}

/* Encode one to three bytes as four characters (RFC 4648 §4). */
static uint8_t *
encode_group(uint8_t *at, const uint8_t *in, size_t len)
{
	unsigned int bits = (unsigned int)in[0] << 16;

	if (len > 1)
		bits |= (unsigned int)in[1] << 8;
	if (len > 2)
		bits |= in[2];
	*at++ = sextet(bits >> 18 & 63);
	*at++ = sextet(bits >> 12 & 63);
	*at++ = len > 1 ? sextet(bits >> 6 & 63) : '=';
	*at++ = len > 2 ? sextet(bits & 63) : '=';
	return at;
}

void
pem_encode(struct buf *out, const char *label, const uint8_t *der, size_t len)
{
	size_t lines = (len + LINE_BYTES - 1) / LINE_BYTES;
	size_t done, group;
	uint8_t *at;

	buf_add_str(out, "-----BEGIN ");
	buf_add_str(out, label);
	buf_add_str(out, "-----\n");
	at = buf_extend(out, (len + 2) / 3 * 4 + lines);
	for (done = 0; done < len; done += group) {
		group = len - done < 3 ? len - done : 3;
		at = encode_group(at, der + done, group);
		if ((done + group) % LINE_BYTES == 0 || done + group == len)
			*at++ = '\n';
	}
	buf_add_str(out, "-----END ");
	buf_add_str(out, label);
	buf_add_str(out, "-----\n");
}
