/* SPDX-License-Identifier: ISC */
/* Tests of encoding/utf8.h. */
#include "encoding/utf8.h"

#include <string.h>

#include "unit.h"

struct sample {
	const char *bytes;
	size_t len;
	size_t chars;
};

/* Without the NUL. */
#define SAMPLE(literal, chars)                      \
	{                                           \
		literal, sizeof(literal) - 1, chars \
	}

START_TEST(takes_text)
{
	static const struct sample good[] = {
	    SAMPLE("", 0),
	    SAMPLE("pump 7~", 7),
	    SAMPLE(" \u00a0", 2),
	    SAMPLE("Gerät", 5),
	    SAMPLE("\u07ff\u0800\ud7ff\ue000", 4),
	    SAMPLE("水ポンプ", 4),
	    SAMPLE("\ufdcf\ufdf0\ufffd", 3),
	    SAMPLE("\U00010000\U0001f33c\U0010fffd", 3),
	    SAMPLE("\ufeff", 1),
	    SAMPLE("e\u0301", 2),
	};
	size_t i, chars;

	for (i = 0; i < COUNT(good); i++) {
		ck_assert(utf8_valid_text(
		    (const uint8_t *)good[i].bytes, good[i].len, &chars));
		ck_assert_uint_eq(chars, good[i].chars);
		ck_assert(utf8_valid_text(
		    (const uint8_t *)good[i].bytes, good[i].len, NULL));
	}
}
END_TEST

START_TEST(refuses_what_is_no_text)
{
	static const struct sample bad[] = {
	    SAMPLE("\0", 0), SAMPLE("a\0b", 0), SAMPLE("\t", 0),
	    SAMPLE("a\r\n", 0), SAMPLE("\x1f", 0), SAMPLE("\x7f", 0),
	    SAMPLE("\xc2\x80", 0),			      /* C1 */
	    SAMPLE("\xc2\x9f", 0), SAMPLE("\xef\xb7\x90", 0), /* U+FDD0 */
	    SAMPLE("\xef\xb7\xaf", 0),			      /* U+FDEF */
	    SAMPLE("\xef\xbf\xbe", 0),			      /* U+FFFE */
	    SAMPLE("\xef\xbf\xbf", 0),
	    SAMPLE("\xf0\x9f\xbf\xbe", 0),	   /* U+1FFFE */
	    SAMPLE("\xf4\x8f\xbf\xbf", 0),	   /* U+10FFFF */
	    SAMPLE("\x80", 0),			   /* a tail alone */
	    SAMPLE("a\xbf", 0), SAMPLE("\xc3", 0), /* cut short */
	    SAMPLE("\xe2\x82", 0), SAMPLE("\xf0\x9f\x8c", 0),
	    SAMPLE("\xc3(", 0), /* no tail */
	    SAMPLE("\xe2\x82(", 0), SAMPLE("\xe2(\xac", 0),
	    SAMPLE("\xf0\x9f\x8c(", 0),
	    SAMPLE("\xc0\x80", 0), /* not the shortest */
	    SAMPLE("\xc1\xbf", 0), SAMPLE("\xe0\x9f\xbf", 0),
	    SAMPLE("\xf0\x8f\xbf\xbd", 0),
	    SAMPLE("\xed\xa0\x80", 0), /* surrogates */
	    SAMPLE("\xed\xbf\xbf", 0),
	    SAMPLE("\xf4\x90\x80\x80", 0), /* U+110000 */
	    SAMPLE("\xf5\x80\x80\x80", 0),
	    SAMPLE("\xf8\x88\x80\x80\x80", 0), /* five bytes */
	    SAMPLE("\xfe", 0), SAMPLE("\xff", 0),
	    SAMPLE("caf\xe9", 0), /* ISO 8859-1 */
	};
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!utf8_valid_text((const uint8_t *)bad[i].bytes,
				  bad[i].len, NULL),
		    "sample %zu", i);
}
END_TEST

static size_t
encode(uint32_t point, uint8_t out[4])
{
	if (point < 0x80) {
		out[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (uint8_t)(0xc0 | point >> 6);
		out[1] = (uint8_t)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (uint8_t)(0xe0 | point >> 12);
		out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | point >> 18);
	out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (point & 0x3f));
	return 4;
}

/* 0x110000 less 65 controls, 2,048 surrogates and 66 noncharacters. */
START_TEST(knows_every_code_point)
{
	uint32_t point, valid = 0;
	uint8_t bytes[4];
	size_t len;

	for (point = 0; point <= 0x10ffff; point++) {
		len = encode(point, bytes);
		valid += utf8_valid_text(bytes, len, NULL) ? 1 : 0;
	}
	ck_assert_uint_eq(valid, 0x110000 - 65 - 2048 - 66);
}
END_TEST

static void
check_value(const char *value, size_t min, size_t max, enum err_code code,
    const char *detail)
{
	struct err err = {0};

	ck_assert_int_eq(
	    utf8_check_value("field", "label", (const uint8_t *)value,
		strlen(value), min, max, &err),
	    code == ERR_NONE);
	ck_assert_int_eq(err.code, code);
	ck_assert_str_eq(err.detail, detail);
}

START_TEST(checks_values)
{
	check_value("ab", 2, 2, ERR_NONE, "");
	check_value("水水", 2, 2, ERR_NONE, "");
	check_value("", 0, 2, ERR_NONE, "");
	check_value("a", 2, 2, ERR_MALFORMED,
	    "The field label is too short: its least length is 2.");
	check_value("水水水", 2, 2, ERR_TOO_LONG,
	    "The field label is too long: shorten it to 2 characters.");
	check_value("a\n", 2, 2, ERR_ENCODING,
	    "The field label is not plain text: send UTF-8 without control "
	    "characters.");
}
END_TEST

UNIT_MAIN("utf8", takes_text, refuses_what_is_no_text, knows_every_code_point,
    checks_values)
