/* SPDX-License-Identifier: ISC */
/* Tests of encoding/base32.h. */
#include "encoding/base32.h"

#include <string.h>

#include "unit.h"

START_TEST(encodes)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
	    {"", 0, ""},
	    {"\x00", 1, "00"},
	    {"\xff", 1, "zw"},
	    /* RFC 4648 §10's vectors, in this alphabet. */
	    {"f", 1, "cr"},
	    {"fo", 2, "csqg"},
	    {"foo", 3, "csqpy"},
	    {"foob", 4, "csqpyrg"},
	    {"fooba", 5, "csqpyrk1"},
	    {"foobar", 6, "csqpyrk1e8"},
	};
	char text[BASE32_LEN(6) + 1];
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		base32_encode(
		    (const uint8_t *)cases[i].bytes, cases[i].len, text);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert_uint_eq(strlen(text), BASE32_LEN(cases[i].len));
	}
}
END_TEST

START_TEST(has_the_alphabet)
{
	char text[2];
	const char *alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
	unsigned int i;

	for (i = 0; i < 32; i++) {
		base32_encode_int(i, 1, text);
		ck_assert_int_eq(text[0], alphabet[i]);
	}
}
END_TEST

START_TEST(encodes_numbers)
{
	char text[14];

	base32_encode_int(0, 10, text);
	ck_assert_str_eq(text, "0000000000");
	base32_encode_int(0xffffffffffff, 10, text);
	ck_assert_str_eq(text, "7zzzzzzzzz");
	base32_encode_int(UINT64_MAX, 13, text);
	ck_assert_str_eq(text, "fzzzzzzzzzzzz");
	base32_encode_int(33, 1, text);
	ck_assert_str_eq(text, "1");
	base32_encode_int(33, 0, text);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(knows_its_digits)
{
	const char *digits = "0123456789abcdefghjkmnpqrstvwxyz";
	char c;
	int i;

	for (i = 0; i < 256; i++) {
		c = (char)i;
		ck_assert_int_eq(
		    base32_valid(&c, 1), memchr(digits, c, 32) != NULL);
	}
	ck_assert(base32_valid("", 0));
	ck_assert(base32_valid(digits, 32));
	ck_assert(!base32_valid("0123u", 5));
	ck_assert(base32_valid("0123u", 4));
}
END_TEST

UNIT_MAIN(
    "base32", encodes, has_the_alphabet, encodes_numbers, knows_its_digits)
