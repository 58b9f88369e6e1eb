/* SPDX-License-Identifier: ISC */
/* Hexadecimal: see hex.h. */
#include "encoding/hex.h"

void
hex_encode(const uint8_t *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (; len > 0; len--, data++) {
		*out++ = digits[*data >> 4];
		*out++ = digits[*data & 15];
	}
	*out = '\0';
}

/* The value of a digit, or -1. */
static int
value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_decode(const char *s, size_t len, uint8_t *out, size_t outlen)
{
	int high, low;

	if (len % 2 != 0 || len / 2 != outlen)
		return false;
	for (; outlen > 0; outlen--, s += 2) {
		high = value(s[0]);
		low = value(s[1]);
		if (high < 0 || low < 0)
			return false;
		*out++ = (uint8_t)(high << 4 | low);
	}
	return true;
}
