/* SPDX-License-Identifier: ISC */
/* Serial numbers: see serial.h. */
#include "cert/serial.h"

#include "base/rand.h"
#include "encoding/hex.h"

enum { TIME_LEN = 6 };

bool
serial_is_valid(const uint8_t serial[SERIAL_LEN])
{
	return serial[0] >= 0x01 && serial[0] <= 0x7f;
}

bool
serial_generate(int64_t ms, uint8_t out[SERIAL_LEN], struct err *err)
{
	/* The first octet is bits 40 to 47: 01 to 7f between these two. */
	static const int64_t least = INT64_C(1) << 40;
	static const int64_t limit = INT64_C(1) << 47;
	int i;

	if (ms < least || ms >= limit)
		return err_set(err, ERR_SYSTEM,
		    "the clock says a time before November 2004 or after the "
		    "year 6428: set it");
	for (i = 0; i < TIME_LEN; i++)
		out[i] = (uint8_t)(ms >> (8 * (TIME_LEN - 1 - i)));
	rand_bytes(out + TIME_LEN, SERIAL_LEN - TIME_LEN);
	return true;
}

void
serial_hex(const uint8_t serial[SERIAL_LEN], char out[SERIAL_HEX_LEN + 1])
{
	hex_encode(serial, SERIAL_LEN, out);
}
