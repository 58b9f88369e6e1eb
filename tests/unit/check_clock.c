/* SPDX-License-Identifier: ISC */
/* Tests of base/clock.h. */
#include "base/clock.h"

#include <time.h>

#include "unit.h"

START_TEST(formats)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
	    {0, "1970-01-01T00:00:00.000Z"},
	    {7, "1970-01-01T00:00:00.007Z"},
	    {951782399999, "2000-02-28T23:59:59.999Z"},
	    {951782400000, "2000-02-29T00:00:00.000Z"},
	    {2147483648000, "2038-01-19T03:14:08.000Z"},
	    {2724617696123, "2056-05-03T22:14:56.123Z"},
	    {253402300799999, "9999-12-31T23:59:59.999Z"},
	    {-1, "1969-12-31T23:59:59.999Z"},
	    {-1000, "1969-12-31T23:59:59.000Z"},
	    {-62135596800000, "0001-01-01T00:00:00.000Z"},
	};
	char text[CLOCK_RFC3339_LEN + 1];
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		clock_rfc3339(cases[i].ms, text);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(wall_is_the_systems)
{
	int64_t before = (int64_t)time(NULL);
	int64_t now = clock_wall_ms() / 1000;

	/* time(2) reads a coarse clock, which may lag by a tick. */
	ck_assert_int_ge(now, before);
	ck_assert_int_le(now, (int64_t)time(NULL) + 1);
}
END_TEST

START_TEST(mono_never_goes_back)
{
	const struct timespec nap = {0, 2000000};
	int64_t last = clock_mono_us();
	int64_t start = last;
	int64_t now;
	int i;

	for (i = 0; i < 10000; i++) {
		now = clock_mono_us();
		ck_assert_int_ge(now, last);
		last = now;
	}
	nanosleep(&nap, NULL);
	ck_assert_int_ge(clock_mono_us() - start, 2000);
}
END_TEST

UNIT_MAIN("clock", formats, wall_is_the_systems, mono_never_goes_back)
