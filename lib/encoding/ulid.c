/* SPDX-License-Identifier: ISC */
/* ULIDs: see ulid.h. */
#include "encoding/ulid.h"

#include "base/rand.h"
#include "encoding/base32.h"

/* 48 bits of time fill ten digits with two bits to spare, 80 bits sixteen. */
enum { TIME_DIGITS = 10, RANDOM_BYTES = 10 };

void
ulid_generate(int64_t ms, char out[ULID_LEN + 1])
{
	uint8_t random[RANDOM_BYTES];

	rand_bytes(random, sizeof(random));
	base32_encode_int((uint64_t)ms & 0xffffffffffffU, TIME_DIGITS, out);
	base32_encode(random, sizeof(random), out + TIME_DIGITS);
}

bool
ulid_valid(const char *s, size_t len)
{
	return len == ULID_LEN && base32_valid(s, len) && s[0] <= '7';
}
