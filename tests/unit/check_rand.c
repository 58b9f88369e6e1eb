/* SPDX-License-Identifier: ISC */
/* Tests of base/rand.h: only that it fills, and fills anew. */
#include "base/rand.h"

#include <stdint.h>
#include <string.h>

#include "unit.h"

START_TEST(fills_every_byte)
{
	uint8_t data[1000];
	uint8_t seen[1000] = {0};
	size_t i;
	int round;

	/* A byte stays zero in 16 rounds once in 2^128. */
	for (round = 0; round < 16; round++) {
		memset(data, 0, sizeof(data));
		rand_bytes(data, sizeof(data));
		for (i = 0; i < sizeof(data); i++)
			seen[i] |= data[i];
	}
	for (i = 0; i < sizeof(seen); i++)
		ck_assert_uint_ne(seen[i], 0);
}
END_TEST

START_TEST(fills_no_more)
{
	uint8_t data[32] = {0};
	static const uint8_t zeros[16] = {0};

	rand_bytes(data, 16);
	ck_assert_mem_eq(data + 16, zeros, 16);
	rand_bytes(data + 16, 0);
	ck_assert_mem_eq(data + 16, zeros, 16);
}
END_TEST

START_TEST(differs_each_time)
{
	uint8_t a[16], b[16];

	rand_bytes(a, sizeof(a));
	rand_bytes(b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

UNIT_MAIN("rand", fills_every_byte, fills_no_more, differs_each_time)
