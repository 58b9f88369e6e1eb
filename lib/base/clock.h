/* SPDX-License-Identifier: ISC */
/* Two clocks: the wall's, for what is written down, and one for waiting. */
#ifndef PAPPUS_BASE_CLOCK_H
#define PAPPUS_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. */
int64_t clock_wall_ms(void);

/* Microseconds since some moment; never goes back.  For durations. */
int64_t clock_mono_us(void);

enum { CLOCK_RFC3339_LEN = 24 };

/*
 * Write "2026-11-23T16:07:00.123Z" (RFC 3339 §5.6, UTC, milliseconds) and a
 * NUL.  ms is the wall's time, from year 0 to 9999.
 */
void clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_LEN + 1]);

#endif
