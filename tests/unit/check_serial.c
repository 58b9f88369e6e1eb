/* SPDX-License-Identifier: ISC */
/* Tests of cert/serial.h. */
#include "cert/serial.h"

#include <string.h>

#include "unit.h"

static const int64_t now = INT64_C(1795450020123);

START_TEST(begins_with_the_time)
{
	uint8_t a[SERIAL_LEN];
	int64_t ms = 0;
	int i;

	ck_assert(serial_generate(now, a, NULL));
	for (i = 0; i < 6; i++)
		ms = ms << 8 | a[i];
	ck_assert_int_eq(ms, now);
	ck_assert(serial_is_valid(a));
}
END_TEST

START_TEST(sorts_by_time)
{
	uint8_t a[SERIAL_LEN], b[SERIAL_LEN];
	int64_t ms = now;
	int i;

	ck_assert(serial_generate(ms, a, NULL));
	for (i = 0; i < 1000; i++) {
		ms += 1 + i * i;
		ck_assert(serial_generate(ms, b, NULL));
		ck_assert_int_lt(memcmp(a, b, SERIAL_LEN), 0);
		memcpy(a, b, SERIAL_LEN);
	}
}
END_TEST

/* Every one of the 80 bits is seen both ways among serials of one moment. */
START_TEST(is_random_behind_the_time)
{
	uint8_t s[SERIAL_LEN], ones[SERIAL_LEN] = {0}, zeros[SERIAL_LEN] = {0};
	int i, j;

	for (i = 0; i < 200; i++) {
		ck_assert(serial_generate(now, s, NULL));
		for (j = 0; j < SERIAL_LEN; j++) {
			ones[j] |= s[j];
			zeros[j] |= (uint8_t)~s[j];
		}
	}
	for (j = 6; j < SERIAL_LEN; j++) {
		ck_assert_uint_eq(ones[j], 0xff);
		ck_assert_uint_eq(zeros[j], 0xff);
	}
}
END_TEST

START_TEST(keeps_the_first_octet_from_01_to_7f)
{
	static const int64_t good[] = {
	    INT64_C(1) << 40, now, (INT64_C(1) << 47) - 1};
	static const int64_t bad[] = {
	    -1, 0, (INT64_C(1) << 40) - 1, INT64_C(1) << 47, INT64_MAX};
	uint8_t s[SERIAL_LEN];
	struct err err;
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		ck_assert(serial_generate(good[i], s, NULL));
		ck_assert(serial_is_valid(s));
	}
	for (i = 0; i < COUNT(bad); i++) {
		err_clear(&err);
		ck_assert(!serial_generate(bad[i], s, &err));
		ck_assert_int_eq(err.code, ERR_SYSTEM);
	}
	s[0] = 0;
	ck_assert(!serial_is_valid(s));
	s[0] = 0x80;
	ck_assert(!serial_is_valid(s));
}
END_TEST

START_TEST(is_written_as_hex)
{
	uint8_t s[SERIAL_LEN];
	char hex[SERIAL_HEX_LEN + 1];

	memset(s, 0xa5, sizeof(s));
	s[0] = 0x01;
	serial_hex(s, hex);
	ck_assert_str_eq(hex, "01a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
}
END_TEST

UNIT_MAIN("serial", begins_with_the_time, sorts_by_time,
    is_random_behind_the_time, keeps_the_first_octet_from_01_to_7f,
    is_written_as_hex)
