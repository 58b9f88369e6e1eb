/* SPDX-License-Identifier: ISC */
/* Base32: see base32.h. */
#include "encoding/base32.h"

/* A bit per digit, of the octets from 0 and from 64; none beyond is one. */
static const uint64_t is_digit[4] = {
    UINT64_C(0x03ff000000000000), UINT64_C(0x07df6dfe00000000), 0, 0};

/*
 * The digit of a value from 0 to 31 without a look-up, whose time could tell
 * of a secret: '0' and up, and for each letter left out one step further.
 * (9 - v) >> 8 and its like are all ones when v is above 9, else zero.
 */
static char
digit(unsigned int value)
{
	unsigned int c = '0' + value;

	c += ((9U - value) >> 8) & ('a' - '0' - 10);
	c += ((17U - value) >> 8) & 1; /* i */
	c += ((19U - value) >> 8) & 1; /* l */
	c += ((21U - value) >> 8) & 1; /* o */
	c += ((26U - value) >> 8) & 1; /* u */
	return (char)c;
}

void
base32_encode(const uint8_t *data, size_t len, char *out)
{
	unsigned int bits = 0; /* read but not yet written, at the low end */
	unsigned int held = 0;

	for (; len > 0; len--) {
		bits = (bits << 8 | *data++) & 0xfff;
		for (held += 8; held >= 5; held -= 5)
			*out++ = digit(bits >> (held - 5) & 31);
	}
	if (held > 0)
		*out++ = digit(bits << (5 - held) & 31);
	*out = '\0';
}

void
base32_encode_int(uint64_t value, size_t digits, char *out)
{
	out[digits] = '\0';
	for (; digits > 0; digits--) {
		out[digits - 1] = digit(value & 31);
		value >>= 5;
	}
}

bool
base32_valid(const char *s, size_t len)
{
	uint64_t all = 1;
	unsigned char c;

	for (; len > 0; len--) {
		c = (unsigned char)*s++;
		all &= is_digit[c >> 6] >> (c & 63);
	}
	return all != 0;
}
