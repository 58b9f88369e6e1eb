/* SPDX-License-Identifier: ISC */
/* Tests of cert/crl_list.h, beside a table that holds the same by brute force.
 */
#include "cert/crl_list.h"

#include <string.h>

#include "unit.h"

static const int64_t some_time = INT64_C(1795450020);

/* A serial that ends in these octets. */
static struct crl_item
item_of(unsigned int n)
{
	struct crl_item item = {.revoked_at = some_time + n,
	    .not_after = some_time + 1000 + n,
	    .reason = CRL_SUPERSEDED};

	item.serial[0] = 0x01;
	item.serial[CRL_SERIAL_MAX - 3] = (uint8_t)(n >> 16);
	item.serial[CRL_SERIAL_MAX - 2] = (uint8_t)(n >> 8);
	item.serial[CRL_SERIAL_MAX - 1] = (uint8_t)n;
	return item;
}

static void
append(struct crl_list *list, unsigned int n)
{
	struct crl_item item = item_of(n);

	ck_assert(crl_list_append(list, &item, NULL));
}

static void
is_item(const struct crl_item *a, const struct crl_item *b)
{
	ck_assert_mem_eq(a->serial, b->serial, CRL_SERIAL_MAX);
	ck_assert_int_eq(a->revoked_at, b->revoked_at);
	ck_assert_int_eq(a->not_after, b->not_after);
	ck_assert_int_eq(a->reason, b->reason);
}

static void
holds(const struct crl_list *list, const unsigned int *numbers, size_t count)
{
	struct crl_item item, want;
	size_t i;

	ck_assert_uint_eq(crl_list_count(list), count);
	for (i = 0; i < count; i++) {
		want = item_of(numbers[i]);
		crl_list_get(list, i, &item);
		is_item(&item, &want);
		ck_assert(crl_list_find(list, want.serial, &item));
		is_item(&item, &want);
	}
}

START_TEST(keeps_what_it_is_given)
{
	static const unsigned int numbers[] = {1, 5, 9, 300, 70000};
	struct crl_list *list = crl_list_new(), *copy;
	struct crl_item absent = item_of(6);
	size_t i;

	holds(list, NULL, 0);
	ck_assert(!crl_list_find(list, absent.serial, NULL));
	for (i = 0; i < COUNT(numbers); i++)
		append(list, numbers[i]);
	ck_assert(crl_list_sort(list, NULL));
	holds(list, numbers, COUNT(numbers));
	ck_assert(!crl_list_find(list, absent.serial, NULL));
	copy = crl_list_copy(list);
	crl_list_free(list);
	holds(copy, numbers, COUNT(numbers));
	crl_list_free(copy);
	crl_list_free(NULL);
}
END_TEST

START_TEST(sorts_what_came_in_any_order)
{
	static const unsigned int sorted[] = {1, 5, 9, 300, 70000};
	static const unsigned int mixed[] = {300, 1, 70000, 9, 5};
	struct crl_list *list = crl_list_new();
	struct err err = {.code = ERR_NONE};
	size_t i;

	for (i = 0; i < COUNT(mixed); i++)
		append(list, mixed[i]);
	ck_assert(crl_list_sort(list, NULL));
	holds(list, sorted, COUNT(sorted));
	append(list, 9);
	ck_assert(!crl_list_sort(list, &err));
	ck_assert_int_eq(err.code, ERR_DUPLICATE);
	crl_list_free(list);
}
END_TEST

START_TEST(the_last_one_twice_is_twice)
{
	struct crl_list *list = crl_list_new();

	append(list, 1);
	append(list, 1);
	ck_assert(!crl_list_sort(list, NULL));
	crl_list_free(list);
}
END_TEST

/* By value, whatever the length. */
START_TEST(orders_serials_as_numbers)
{
	static const char *const serials[] = {"\x02", "\x7f", "\x80", "\xff",
	    "\x01\x01", "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"};
	struct crl_list *list = crl_list_new();
	struct crl_item item = item_of(0);
	const uint8_t *octets;
	size_t i, len;

	for (i = 0; i < COUNT(serials); i++) {
		ck_assert(crl_serial_set(item.serial,
		    (const uint8_t *)serials[i], strlen(serials[i]), NULL));
		ck_assert(crl_list_append(list, &item, NULL));
	}
	ck_assert(crl_list_sort(list, NULL));
	for (i = 0; i < COUNT(serials); i++) {
		crl_list_get(list, i, &item);
		octets = crl_serial_octets(item.serial, &len);
		ck_assert_uint_eq(len, strlen(serials[i]));
		ck_assert_mem_eq(octets, serials[i], len);
	}
	crl_list_free(list);
}
END_TEST

/* RFC 5280 §4.1.2.2. */
START_TEST(serials_have_1_to_20_octets)
{
	uint8_t serial[CRL_SERIAL_MAX + 2], padded[CRL_SERIAL_MAX];
	const uint8_t *octets;
	size_t i, len;

	memset(serial, 0x7f, sizeof(serial));
	for (i = 1; i <= CRL_SERIAL_MAX; i++) {
		ck_assert(crl_serial_set(padded, serial, i, NULL));
		octets = crl_serial_octets(padded, &len);
		ck_assert_uint_eq(len, i);
		ck_assert_mem_eq(octets, serial, i);
	}
	ck_assert(!crl_serial_set(padded, serial, CRL_SERIAL_MAX + 1, NULL));
	serial[0] = 0;
	serial[1] = 0;
	ck_assert(crl_serial_set(padded, serial, CRL_SERIAL_MAX + 2, NULL));
	/* With a zero before it, for its sign, this one would have 21. */
	memset(serial, 0xff, sizeof(serial));
	ck_assert(crl_serial_set(padded, serial, CRL_SERIAL_MAX - 1, NULL));
	ck_assert(!crl_serial_set(padded, serial, CRL_SERIAL_MAX, NULL));
	memset(serial, 0, sizeof(serial));
	ck_assert(!crl_serial_set(padded, serial, 0, NULL));
	ck_assert(!crl_serial_set(padded, serial, 3, NULL));
}
END_TEST

static void
refuses(struct crl_item item)
{
	struct crl_list *list = crl_list_new();
	struct crl_change change = {item, false};
	struct err err = {.code = ERR_NONE};

	ck_assert(!crl_list_append(list, &item, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert(!crl_list_apply(list, &change, 1, NULL));
	ck_assert_uint_eq(crl_list_count(list), 0);
	crl_list_free(list);
}

START_TEST(refuses_what_a_list_cannot_say)
{
	struct crl_item item = item_of(1);

	item.revoked_at = -1;
	refuses(item);
	item.revoked_at = CRL_NEVER + 1;
	refuses(item);
	item = item_of(1);
	item.not_after = CRL_NEVER + 1;
	refuses(item);
	item = item_of(1);
	item.reason = (enum crl_reason)7;
	refuses(item);
	item.reason = (enum crl_reason)8;
	refuses(item);
	item.reason = (enum crl_reason)11;
	refuses(item);
	item = item_of(1);
	memset(item.serial, 0, sizeof(item.serial));
	refuses(item);
	memset(item.serial, 0xff, sizeof(item.serial));
	refuses(item);
}
END_TEST

START_TEST(keeps_times_until_the_year_9999)
{
	struct crl_list *list = crl_list_new();
	struct crl_item item = item_of(1), got;

	item.revoked_at = CRL_NEVER;
	item.not_after = CRL_NEVER;
	item.reason = CRL_AA_COMPROMISE;
	ck_assert(crl_list_append(list, &item, NULL));
	crl_list_get(list, 0, &got);
	is_item(&got, &item);
	crl_list_free(list);
}
END_TEST

START_TEST(seeks_from_anywhere)
{
	struct crl_list *list = crl_list_new();
	unsigned int n;
	size_t from, want;

	for (n = 0; n < 100; n++)
		append(list, 2 * n + 1);
	for (n = 0; n <= 201; n++)
		for (from = 0; from <= 100; from++) {
			struct crl_item item = item_of(n);

			want = n / 2 > from ? n / 2 : from;
			want = want < 100 ? want : 100;
			ck_assert_uint_eq(
			    crl_list_seek(list, from, item.serial), want);
		}
	crl_list_free(list);
}
END_TEST

/* -------------------------------------------------------------- changes */

enum { NUMBERS = 64 };

/* Which of the numbers are in the list, and when each was revoked. */
struct table {
	bool there[NUMBERS];
	int64_t revoked_at[NUMBERS];
};

static void
is_table(const struct crl_list *list, const struct table *table)
{
	struct crl_item item, want;
	unsigned int n;
	size_t at = 0;

	for (n = 0; n < NUMBERS; n++) {
		if (!table->there[n])
			continue;
		want = item_of(n);
		want.revoked_at = table->revoked_at[n];
		ck_assert_uint_lt(at, crl_list_count(list));
		crl_list_get(list, at++, &item);
		is_item(&item, &want);
	}
	ck_assert_uint_eq(at, crl_list_count(list));
}

/* Some of the numbers change, in the list and in the table. */
static void
change_some(struct crl_list *list, struct table *table, int round)
{
	struct crl_change changes[NUMBERS];
	int share = rand() % 8 + 1;
	unsigned int n;
	size_t count = 0;

	for (n = 0; n < NUMBERS; n++) {
		if (rand() % 8 >= share)
			continue;
		changes[count].item = item_of(n);
		changes[count].item.revoked_at = some_time + round;
		changes[count].removed = rand() % 2 == 0;
		table->there[n] = !changes[count].removed;
		table->revoked_at[n] = some_time + round;
		count++;
	}
	ck_assert(crl_list_apply(list, changes, count, NULL));
}

START_TEST(changes_as_a_table_does)
{
	struct crl_list *list = crl_list_new();
	struct table table = {{false}, {0}};
	int round;

	srand(1);
	for (round = 0; round < 5000; round++) {
		change_some(list, &table, round);
		is_table(list, &table);
	}
	crl_list_free(list);
}
END_TEST

START_TEST(changes_all_or_nothing)
{
	static const unsigned int numbers[] = {1, 5};
	struct crl_change changes[] = {
	    {item_of(1), true}, {item_of(4), false}, {item_of(3), false}};
	struct crl_list *list = crl_list_new();
	struct err err = {.code = ERR_NONE};

	append(list, 1);
	append(list, 5);
	ck_assert(!crl_list_apply(list, changes, COUNT(changes), &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	holds(list, numbers, COUNT(numbers));
	changes[2] = changes[1];
	ck_assert(!crl_list_apply(list, changes, COUNT(changes), NULL));
	changes[2].item = item_of(6);
	changes[2].item.reason = (enum crl_reason)7;
	ck_assert(!crl_list_apply(list, changes, COUNT(changes), NULL));
	holds(list, numbers, COUNT(numbers));
	ck_assert(crl_list_apply(list, changes, 0, NULL));
	holds(list, numbers, COUNT(numbers));
	crl_list_free(list);
}
END_TEST

/* Those that are told are item_of(0) and so on. */
static void
count_gone(void *ctx, const uint8_t serial[CRL_SERIAL_MAX])
{
	unsigned int *n = ctx;
	struct crl_item want = item_of((*n)++);

	ck_assert_mem_eq(serial, want.serial, CRL_SERIAL_MAX);
}

/* RFC 5280 §3.3. */
START_TEST(expires_what_ended_before)
{
	static const unsigned int rest[] = {12, 13, 14, 15, 16, 17, 18, 19};
	struct crl_list *list = crl_list_new();
	unsigned int n, gone = 0;

	for (n = 0; n < 20; n++)
		append(list, n);
	ck_assert_uint_eq(
	    crl_list_expire(list, some_time + 1000, NULL, NULL), 0);
	ck_assert_uint_eq(
	    crl_list_expire(list, some_time + 1012, count_gone, &gone), 12);
	ck_assert_uint_eq(gone, 12);
	holds(list, rest, COUNT(rest));
	ck_assert_uint_eq(crl_list_expire(list, CRL_NEVER, NULL, NULL), 8);
	ck_assert_uint_eq(crl_list_count(list), 0);
	crl_list_free(list);
}
END_TEST

START_TEST(what_is_of_an_unknown_end_stays)
{
	struct crl_list *list = crl_list_new();
	struct crl_item item = item_of(1);

	item.not_after = CRL_NEVER;
	ck_assert(crl_list_append(list, &item, NULL));
	ck_assert_uint_eq(crl_list_expire(list, CRL_NEVER, NULL, NULL), 0);
	crl_list_free(list);
}
END_TEST

UNIT_MAIN("crl_list", keeps_what_it_is_given, sorts_what_came_in_any_order,
    the_last_one_twice_is_twice, orders_serials_as_numbers,
    serials_have_1_to_20_octets, refuses_what_a_list_cannot_say,
    keeps_times_until_the_year_9999, seeks_from_anywhere,
    changes_as_a_table_does, changes_all_or_nothing, expires_what_ended_before,
    what_is_of_an_unknown_end_stays)
