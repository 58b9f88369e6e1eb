/* SPDX-License-Identifier: ISC */
/* Tests of encoding/hex.h. */
#include "encoding/hex.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

START_TEST(goes_there_and_back)
{
	uint8_t bytes[256], back[256];
	char text[HEX_LEN(256) + 1], two[3];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	hex_encode(bytes, sizeof(bytes), text);
	ck_assert_uint_eq(strlen(text), 512);
	for (i = 0; i < sizeof(bytes); i++) {
		snprintf(two, sizeof(two), "%02x", (unsigned int)i);
		ck_assert_mem_eq(text + 2 * i, two, 2);
	}
	ck_assert(hex_decode(text, 512, back, sizeof(back)));
	ck_assert_mem_eq(bytes, back, sizeof(bytes));
}
END_TEST

START_TEST(reads_either_case)
{
	uint8_t out[2];

	ck_assert(hex_decode("aBFc", 4, out, 2));
	ck_assert_mem_eq(out, "\xab\xfc", 2);
}
END_TEST

START_TEST(takes_nothing_as_nothing)
{
	uint8_t none;
	char text[1] = "";

	ck_assert(hex_decode("", 0, &none, 0));
	hex_encode(&none, 0, text);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(refuses)
{
	uint8_t out[4];

	ck_assert(!hex_decode("abc", 3, out, 1));
	ck_assert(!hex_decode("abc", 3, out, 2));
	ck_assert(!hex_decode("abcd", 4, out, 1));
	ck_assert(!hex_decode("abcd", 4, out, 3));
	ck_assert(!hex_decode("0x12", 4, out, 2));
	ck_assert(!hex_decode("ag", 2, out, 1));
	ck_assert(!hex_decode("ga", 2, out, 1));
	ck_assert(!hex_decode(" 1", 2, out, 1));
	ck_assert(!hex_decode("+1", 2, out, 1));
	ck_assert(!hex_decode("1\0", 2, out, 1));
	ck_assert(!hex_decode("/:", 2, out, 1));
	ck_assert(!hex_decode("@`", 2, out, 1));
}
END_TEST

UNIT_MAIN("hex", goes_there_and_back, reads_either_case,
    takes_nothing_as_nothing, refuses)
