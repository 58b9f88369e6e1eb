/* SPDX-License-Identifier: ISC */
/*
 * ULIDs: 48 bits of time in milliseconds, then 80 random bits, as one number
 * of 26 base32 digits (see base32.h; lower case).  Sorted as text they are
 * sorted by time, to the millisecond.
 */
#ifndef PAPPUS_ENCODING_ULID_H
#define PAPPUS_ENCODING_ULID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ULID_LEN = 26 };

/* Write a new one and a NUL.  ms is the wall's time, from 0 to 2^48 - 1. */
void ulid_generate(int64_t ms, char out[ULID_LEN + 1]);

/*
 * Whether s is one: its exact length, lower case, and a first digit from 0 to
 * 7, since 26 digits could hold 130 bits.
 */
bool ulid_valid(const char *s, size_t len);

#endif
