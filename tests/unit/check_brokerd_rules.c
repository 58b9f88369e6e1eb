/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_rules.h. */
#include "broker/brokerd_rules.h"

#include <string.h>

#include "unit.h"

/* A state; its files are named by letters. */
static struct feed_state
state(uint64_t sequence, int64_t time_ms, char base, char delta)
{
	struct feed_state s = {.sequence = sequence, .time_ms = time_ms};

	memset(s.deny_base, base, FEED_NAME_LEN);
	memset(s.deny_delta, delta, FEED_NAME_LEN);
	return s;
}

static enum rules_choice
beside_57(const struct feed_state theirs, bool same_host)
{
	const struct feed_state ours = state(57, 1000, 'a', 'b');

	return rules_choose(&ours, &theirs, same_host);
}

START_TEST(without_any_every_state_is_newer)
{
	const struct feed_state theirs = state(0, 0, 'a', 'b');

	ck_assert_int_eq(rules_choose(NULL, &theirs, false), RULES_NEWER);
}
END_TEST

START_TEST(a_smaller_sequence_never_replaces)
{
	ck_assert_int_eq(
	    beside_57(state(56, 999999, 'c', 'd'), true), RULES_OLDER);
	ck_assert_int_eq(
	    beside_57(state(0, 2000, 'a', 'b'), false), RULES_OLDER);
}
END_TEST

START_TEST(a_greater_sequence_replaces_whatever_its_time)
{
	ck_assert_int_eq(
	    beside_57(state(58, 1001, 'a', 'c'), true), RULES_NEWER);
	ck_assert_int_eq(beside_57(state(58, 0, 'c', 'd'), false), RULES_NEWER);
	ck_assert_int_eq(
	    beside_57(state(UINT64_MAX, 1, 'a', 'b'), false), RULES_NEWER);
}
END_TEST

START_TEST(of_the_same_sequence_time_decides)
{
	ck_assert_int_eq(
	    beside_57(state(57, 999, 'a', 'b'), true), RULES_OLDER);
	ck_assert_int_eq(
	    beside_57(state(57, 1000, 'c', 'd'), true), RULES_OLDER);
	ck_assert_int_eq(
	    beside_57(state(57, 1001, 'a', 'b'), true), RULES_RENEWS);
	ck_assert_int_eq(
	    beside_57(state(57, 1001, 'a', 'b'), false), RULES_RENEWS);
}
END_TEST

START_TEST(other_files_of_the_same_sequence_come_of_our_host_alone)
{
	ck_assert_int_eq(
	    beside_57(state(57, 1001, 'c', 'd'), true), RULES_NEWER);
	ck_assert_int_eq(
	    beside_57(state(57, 1001, 'a', 'd'), true), RULES_NEWER);
	ck_assert_int_eq(
	    beside_57(state(57, 1001, 'c', 'd'), false), RULES_RENEWS);
}
END_TEST

START_TEST(no_state_is_of_the_future)
{
	ck_assert_int_eq(rules_state_time(999, 1000), 999);
	ck_assert_int_eq(rules_state_time(1000, 1000), 1000);
	ck_assert_int_eq(rules_state_time(INT64_MAX, 1000), 1000);
}
END_TEST

START_TEST(a_reload_costs_by_size_or_as_measured)
{
	ck_assert_int_eq(rules_reload_cost(0, 0), 0);
	ck_assert_int_eq(rules_reload_cost(1000000, 0), 2000000);
	ck_assert_int_eq(rules_reload_cost(1000000, 1999999), 2000000);
	ck_assert_int_eq(rules_reload_cost(1000000, 3000000), 3000000);
	ck_assert_int_eq(rules_reload_cost(UINT64_MAX, 0), RULES_RELOAD_MAX_US);
	ck_assert_int_eq(rules_reload_cost(1, INT64_MAX), RULES_RELOAD_MAX_US);
}
END_TEST

/* Reloading whenever it may takes a tenth of the time, whatever it costs. */
START_TEST(a_tenth_of_the_time_at_most)
{
	static const int64_t costs[] = {0, 1, 1500, 1000000, 60000000};
	int64_t now, spent;
	size_t i, rounds;

	for (i = 0; i < COUNT(costs); i++) {
		now = 12345;
		for (rounds = 0, spent = 0; rounds < 100; rounds++) {
			spent += costs[i];
			now = rules_again_at(now, costs[i]);
		}
		ck_assert_int_le(spent * 10, now - 12345);
		ck_assert_int_eq(now - 12345, costs[i] * 10 * 100);
	}
}
END_TEST

START_TEST(retries_come_later_and_later)
{
	ck_assert_int_eq(rules_retry_us(0), 1000000);
	ck_assert_int_eq(rules_retry_us(1), 1000000);
	ck_assert_int_eq(rules_retry_us(2), 2000000);
	ck_assert_int_eq(rules_retry_us(6), 32000000);
	ck_assert_int_eq(rules_retry_us(7), 32000000);
	ck_assert_int_eq(rules_retry_us(4000000000U), 32000000);
}
END_TEST

UNIT_MAIN("brokerd_rules", without_any_every_state_is_newer,
    a_smaller_sequence_never_replaces,
    a_greater_sequence_replaces_whatever_its_time,
    of_the_same_sequence_time_decides,
    other_files_of_the_same_sequence_come_of_our_host_alone,
    no_state_is_of_the_future, a_reload_costs_by_size_or_as_measured,
    a_tenth_of_the_time_at_most, retries_come_later_and_later)
