/* SPDX-License-Identifier: ISC */
/*
 * Serial numbers: 48 bits of time and 80 of chance, so that the index over
 * them grows at its right edge and nobody can guess one.  Sixteen octets, the
 * first from 01 to 7f: positive and minimal as a DER INTEGER, below the
 * limit of 20 octets (RFC 5280 §4.1.2.2).
 */
#ifndef PAPPUS_CERT_SERIAL_H
#define PAPPUS_CERT_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
	SERIAL_LEN = 16,
	SERIAL_HEX_LEN = 2 * SERIAL_LEN /* without the NUL */
};

/*
 * Write a fresh serial: ms (unix milliseconds) as six octets big-endian, then
 * ten random ones.  Any ms from November 2004 to the year 6429 makes a good
 * first octet; outside of that the clock is wrong: ERR_SYSTEM.
 */
bool serial_generate(int64_t ms, uint8_t out[SERIAL_LEN], struct err *err);

/* Whether the first octet is 01 to 7f, as every serial of ours has it. */
bool serial_is_valid(const uint8_t serial[SERIAL_LEN]);

/* Write the serial as 32 lower-case hexadecimal digits and a NUL. */
void serial_hex(const uint8_t serial[SERIAL_LEN], char out[SERIAL_HEX_LEN + 1]);

#endif
