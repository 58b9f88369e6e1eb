/* SPDX-License-Identifier: ISC */
/* Clocks: see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t
clock_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_LEN + 1])
{
	int part = (int)((ms % 1000 + 1000) % 1000); /* also before 1970 */
	time_t sec = (time_t)((ms - part) / 1000);
	char text[80];
	struct tm tm;

	gmtime_r(&sec, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, part);
	snprintf(out, CLOCK_RFC3339_LEN + 1, "%.*s", CLOCK_RFC3339_LEN, text);
}
