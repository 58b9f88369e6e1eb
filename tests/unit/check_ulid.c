/* SPDX-License-Identifier: ISC */
/* Tests of encoding/ulid.h and of the names made of ULIDs, name.h. */
#include "encoding/ulid.h"

#include <string.h>

#include "encoding/name.h"
#include "unit.h"

static bool
valid(const char *s)
{
	return ulid_valid(s, strlen(s));
}

START_TEST(begins_with_the_time)
{
	char ulid[ULID_LEN + 1];

	ulid_generate(0, ulid);
	ck_assert_int_eq(strncmp(ulid, "0000000000", 10), 0);
	/* The example of the ULID specification: 01ARYZ6S41… */
	ulid_generate(1469918176385, ulid);
	ck_assert_int_eq(strncmp(ulid, "01aryz6s41", 10), 0);
	ulid_generate((INT64_C(1) << 48) - 1, ulid);
	ck_assert_int_eq(strncmp(ulid, "7zzzzzzzzz", 10), 0);
	ck_assert_uint_eq(strlen(ulid), ULID_LEN);
}
END_TEST

START_TEST(sorts_by_time)
{
	char last[ULID_LEN + 1], ulid[ULID_LEN + 1];
	int64_t ms;

	ulid_generate(1795449999000, last);
	for (ms = 1795449999001; ms < 1795450001000; ms++) {
		ulid_generate(ms, ulid);
		ck_assert_int_lt(strcmp(last, ulid), 0);
		memcpy(last, ulid, sizeof(last));
	}
}
END_TEST

START_TEST(differs_within_a_millisecond)
{
	char ulids[100][ULID_LEN + 1];
	size_t i, j;

	for (i = 0; i < COUNT(ulids); i++) {
		ulid_generate(1795449999000, ulids[i]);
		ck_assert(valid(ulids[i]));
		for (j = 0; j < i; j++)
			ck_assert_str_ne(ulids[i], ulids[j]);
	}
}
END_TEST

START_TEST(knows_valid_ulids)
{
	ck_assert(valid("00000000000000000000000000"));
	ck_assert(valid("7zzzzzzzzzzzzzzzzzzzzzzzzz"));
	ck_assert(valid("01aryz6s41tsv4rrffq69g5fav"));
	ck_assert(!valid("8zzzzzzzzzzzzzzzzzzzzzzzzz")); /* 131 bits */
	ck_assert(!valid("a0000000000000000000000000"));
	ck_assert(!valid("01ARYZ6S41TSV4RRFFQ69G5FAV"));
	ck_assert(!valid("01aryz6s41tsv4rrffq69g5fai"));
	ck_assert(!valid("01aryz6s41tsv4rrffq69g5fau"));
	ck_assert(!valid("01aryz6s41tsv4rrffq69g5fa"));
	ck_assert(!valid("01aryz6s41tsv4rrffq69g5fav0"));
	ck_assert(!valid("01aryz6s41tsv4rrffq69g5fa "));
	ck_assert(!valid(""));
	ck_assert(!ulid_valid("01aryz6s41tsv4rrffq69g5fa\0", ULID_LEN));
}
END_TEST

static const char *const prefixes[] = {"proj_", "dev_", "etk_", "atk_", "svc_"};

START_TEST(names_are_valid_for_their_kind_alone)
{
	char name[NAME_MAX_LEN + 1];
	size_t len;
	int a, b;

	for (a = NAME_PROJECT; a <= NAME_SERVICE; a++) {
		name_generate((enum name_kind)a, 1795449999000, name);
		len = strlen(name);
		ck_assert_uint_eq(len, strlen(prefixes[a]) + ULID_LEN);
		ck_assert_int_eq(
		    strncmp(name, prefixes[a], strlen(prefixes[a])), 0);
		for (b = NAME_PROJECT; b <= NAME_SERVICE; b++)
			ck_assert_int_eq(
			    name_valid((enum name_kind)b, name, len), a == b);
	}
}
END_TEST

START_TEST(refuses_other_names)
{
	static const char *const bad[] = {"", "d", "dev_", "DEV_",
	    "01aryz6s41tsv4rrffq69g5fav", "dev-01aryz6s41tsv4rrffq69g5fav",
	    "DEV_01aryz6s41tsv4rrffq69g5fav", "dev_01aryz6s41tsv4rrffq69g5fa",
	    "dev_01aryz6s41tsv4rrffq69g5fav0", "dev_81aryz6s41tsv4rrffq69g5fav",
	    " dev_01aryz6s41tsv4rrffq69g5fav"};
	size_t i;

	ck_assert(
	    name_valid(NAME_DEVICE, "dev_01aryz6s41tsv4rrffq69g5fav", 30));
	for (i = 0; i < COUNT(bad); i++)
		ck_assert(!name_valid(NAME_DEVICE, bad[i], strlen(bad[i])));
}
END_TEST

UNIT_MAIN("ulid", begins_with_the_time, sorts_by_time,
    differs_within_a_millisecond, knows_valid_ulids,
    names_are_valid_for_their_kind_alone, refuses_other_names)
