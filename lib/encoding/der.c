/* SPDX-License-Identifier: ISC */
/* The little of DER that is written and read without OpenSSL: see der.h. */
#include "encoding/der.h"

#include <string.h>

enum {
	SHORT_MAX = 0x7f,     /* the longest length of one octet */
	UTC_LEN = 13,	      /* YYMMDDHHMMSSZ */
	GENERALIZED_LEN = 15, /* YYYYMMDDHHMMSSZ */
	YEAR_GENERALIZED = 2050,
	DAY_S = 86400,
	YEAR_DAYS = 365,
	FOUR_YEARS_DAYS = 1461,
	CENTURY_DAYS = 36524,
	ERA_DAYS = 146097, /* of 400 years */
	EPOCH_DAY = 719468 /* 1970-01-01, counted from 0000-03-01 */
};

/* 2050-01-01T00:00:00Z */
static const int64_t generalized_from = INT64_C(2524608000);

/* ------------------------------------------------------------- writing */

/* The octets of a length that follow the first one. */
static size_t
length_octets(size_t len)
{
	size_t octets = 0;

	if (len > SHORT_MAX)
		for (; len > 0; len >>= 8)
			octets++;
	return octets;
}

void
der_put_header(struct buf *out, uint8_t tag, size_t len)
{
	size_t octets = length_octets(len);

	buf_add_byte(out, tag);
	if (octets == 0) {
		buf_add_byte(out, (uint8_t)len);
		return;
	}
	buf_add_byte(out, (uint8_t)(0x80 | octets));
	while (octets-- > 0)
		buf_add_byte(out, (uint8_t)(len >> (8 * octets)));
}

size_t
der_element_len(size_t content)
{
	return 2 + length_octets(content) + content;
}

/* Two digits. */
static inline uint8_t *
put_two(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)('0' + value / 10);
	at[1] = (uint8_t)('0' + value % 10);
	return at + 2;
}

struct date {
	unsigned int year;
	unsigned int month; /* 1 to 12 */
	unsigned int day;   /* 1 to 31 */
};

/*
 * The date of a day counted from 1970-01-01.  Years are counted from March
 * on, so that a leap day is the last of its year, of its four years, and of
 * its four centuries: each of these is a day longer than its parts say.
 */
static inline struct date
date_of(int64_t day)
{
	uint32_t n = (uint32_t)(day + EPOCH_DAY);
	uint32_t eras = n / ERA_DAYS, centuries, fours, years, march;
	struct date d;

	n %= ERA_DAYS;
	centuries = n / CENTURY_DAYS < 3 ? n / CENTURY_DAYS : 3;
	n -= centuries * CENTURY_DAYS;
	fours = n / FOUR_YEARS_DAYS;
	n -= fours * FOUR_YEARS_DAYS;
	years = n / YEAR_DAYS < 3 ? n / YEAR_DAYS : 3;
	n -= years * YEAR_DAYS;
	/* Months of 31 and 30 days in turn, five of them 153 days. */
	march = (5 * n + 2) / 153;
	d.day = n - (153 * march + 2) / 5 + 1;
	d.month = march < 10 ? march + 3 : march - 9;
	d.year = 400 * eras + 100 * centuries + 4 * fours + years +
		 (d.month <= 2 ? 1 : 0);
	return d;
}

size_t
der_time_len(int64_t seconds)
{
	return 2 + (seconds < generalized_from ? UTC_LEN : GENERALIZED_LEN);
}

size_t
der_time(uint8_t out[DER_TIME_MAX], int64_t seconds)
{
	/* Rounded down, before 1970 too. */
	int64_t day =
	    seconds >= 0 ? seconds / DAY_S : -((-seconds + DAY_S - 1) / DAY_S);
	unsigned int second = (unsigned int)(seconds - day * DAY_S);
	struct date d = date_of(day);
	size_t len = der_time_len(seconds);
	uint8_t *at = out;

	*at++ = len == 2 + UTC_LEN ? DER_UTC_TIME : DER_GENERALIZED_TIME;
	*at++ = (uint8_t)(len - 2);
	if (len == 2 + GENERALIZED_LEN)
		at = put_two(at, d.year / 100);
	at = put_two(at, d.year % 100);
	at = put_two(at, d.month);
	at = put_two(at, d.day);
	at = put_two(at, second / 3600);
	at = put_two(at, second / 60 % 60);
	at = put_two(at, second % 60);
	*at = 'Z';
	return len;
}

/* ------------------------------------------------------------- reading */

/* The header's octets at the front, 0 when it isn't DER; *len the content's. */
static size_t
read_header(const struct der *in, uint8_t tag, size_t *len)
{
	size_t octets, i, value = 0;

	if (in->len < 2 || in->at[0] != tag)
		return 0;
	if (in->at[1] <= SHORT_MAX) {
		*len = in->at[1];
		return in->len - 2 < *len ? 0 : 2;
	}
	octets = in->at[1] & SHORT_MAX; /* 0: indefinite, which is not DER */
	if (octets == 0 || octets > sizeof(value) || in->len - 2 < octets)
		return 0;
	for (i = 0; i < octets; i++)
		value = value << 8 | in->at[2 + i];
	if (length_octets(value) != octets || in->len - 2 - octets < value)
		return 0;
	*len = value;
	return 2 + octets;
}

static void
pass(struct der *in, size_t len)
{
	in->at += len;
	in->len -= len;
}

bool
der_take_any(struct der *in, uint8_t tag, struct der *content)
{
	size_t len = 0;
	size_t header = read_header(in, tag, &len);

	if (header == 0)
		return false;
	content->at = in->at + header;
	content->len = len;
	pass(in, header + len);
	return true;
}

bool
der_take_whole(struct der *in, uint8_t tag, struct der *element)
{
	size_t len = 0;
	size_t header = read_header(in, tag, &len);

	if (header == 0)
		return false;
	element->at = in->at;
	element->len = header + len;
	pass(in, header + len);
	return true;
}

/* Two digits; false when there is anything else. */
static inline bool
read_two(const uint8_t *at, unsigned int *out)
{
	unsigned int tens = at[0] - (unsigned int)'0';
	unsigned int ones = at[1] - (unsigned int)'0';

	*out = 10 * tens + ones;
	return tens <= 9 && ones <= 9;
}

static bool
is_leap(unsigned int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline bool
date_exists(const struct date *d)
{
	static const uint8_t days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (d->month < 1 || d->month > 12 || d->day < 1)
		return false;
	return d->day <= days[d->month - 1] ||
	       (d->month == 2 && d->day == 29 && is_leap(d->year));
}

/* The inverse of date_of. */
static inline int64_t
day_of(const struct date *d)
{
	uint32_t year = d->month <= 2 ? d->year - 1 : d->year;
	uint32_t march = d->month <= 2 ? d->month + 9 : d->month - 3;
	uint32_t of_year = (153 * march + 2) / 5 + d->day - 1;

	return (int64_t)year * 365 + year / 4 - year / 100 + year / 400 +
	       of_year - EPOCH_DAY;
}

/* MMDDHHMMSSZ of a year that is known. */
static bool
read_time(const uint8_t *at, unsigned int year, int64_t *out)
{
	struct date d = {.year = year};
	unsigned int hour, minute, second;

	if (!read_two(at, &d.month) || !read_two(at + 2, &d.day) ||
	    !read_two(at + 4, &hour) || !read_two(at + 6, &minute) ||
	    !read_two(at + 8, &second) || at[10] != 'Z')
		return false;
	if (!date_exists(&d) || hour > 23 || minute > 59 || second > 59)
		return false;
	*out = day_of(&d) * DAY_S + (int64_t)hour * 3600 + minute * 60 + second;
	return true;
}

bool
der_take_time(struct der *in, int64_t *seconds)
{
	const uint8_t *at = in->at;
	unsigned int century, year;
	bool ok;

	if (in->len < 2 + UTC_LEN)
		return false;
	at += 2;
	if (in->at[0] == DER_UTC_TIME && in->at[1] == UTC_LEN) {
		ok = read_two(at, &year) &&
		     read_time(at + 2, year < 50 ? 2000 + year : 1900 + year,
			 seconds);
		pass(in, 2 + UTC_LEN);
		return ok;
	}
	if (in->len < 2 + GENERALIZED_LEN ||
	    in->at[0] != DER_GENERALIZED_TIME || in->at[1] != GENERALIZED_LEN)
		return false;
	ok = read_two(at, &century) && read_two(at + 2, &year) &&
	     100 * century + year >= YEAR_GENERALIZED &&
	     read_time(at + 4, 100 * century + year, seconds);
	pass(in, 2 + GENERALIZED_LEN);
	return ok;
}

bool
der_equals(const struct der *der, const void *octets, size_t len)
{
	return der->len == len && memcmp(der->at, octets, len) == 0;
}
