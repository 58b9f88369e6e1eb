/* SPDX-License-Identifier: ISC */
/*
 * Base32 with Crockford's alphabet in lower case, the digits of every name
 * and token: 0-9 and a-z without i, l, o and u, which are easily misread.
 * There is one spelling of everything: no upper case, no padding, no aliases.
 */
#ifndef PAPPUS_ENCODING_BASE32_H
#define PAPPUS_ENCODING_BASE32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits that n bytes take, without the NUL. */
#define BASE32_LEN(n) (((n)*8 + 4) / 5)

/*
 * Write the BASE32_LEN(len) digits of data and a NUL.  The first digit holds
 * the first five bits; the last one is filled up with zero bits.  The work
 * does not depend on what the bytes are, so they may be secret.
 */
void base32_encode(const uint8_t *data, size_t len, char *out);

/*
 * Write value as a number of exactly so many digits, most significant first,
 * and a NUL.  Bits that do not fit in the digits are dropped.
 */
void base32_encode_int(uint64_t value, size_t digits, char *out);

/* Whether all len bytes of s are digits of the alphabet. */
bool base32_valid(const char *s, size_t len);

#endif
