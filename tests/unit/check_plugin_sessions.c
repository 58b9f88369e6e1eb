/* SPDX-License-Identifier: ISC */
/* Tests of broker/plugin_sessions.h. */
#include "broker/plugin_sessions.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* Clients are addresses, never looked into. */
static const char clients[100000];

static const struct identity nobody = {.name = ""};

static void
add(struct sessions *s, size_t n, uint64_t checked)
{
	struct identity who = nobody;
	char id[32];

	snprintf(id, sizeof(id), "client %zu", n);
	snprintf(who.name, sizeof(who.name), "name %zu", n);
	ck_assert(sessions_add(s, &clients[n], id, &who, checked));
}

START_TEST(finds_what_was_added)
{
	struct sessions *s = sessions_new();
	const struct session *session;

	ck_assert_ptr_null(sessions_find(s, &clients[1]));
	ck_assert_ptr_null(sessions_oldest(s));
	add(s, 1, 7);
	session = sessions_find(s, &clients[1]);
	ck_assert_ptr_nonnull(session);
	ck_assert_str_eq(session->client_id, "client 1");
	ck_assert_str_eq(session->who.name, "name 1");
	ck_assert_uint_eq(session->checked, 7);
	ck_assert(!session->barred);
	ck_assert_ptr_null(sessions_find(s, &clients[2]));
	ck_assert_uint_eq(sessions_count(s), 1);
	sessions_free(s);
}
END_TEST

START_TEST(removes)
{
	struct sessions *s = sessions_new();

	add(s, 1, 0);
	add(s, 2, 0);
	add(s, 3, 0);
	sessions_remove(s, &clients[2]);
	sessions_remove(s, &clients[2]);
	sessions_remove(s, &clients[9]);
	ck_assert_ptr_null(sessions_find(s, &clients[2]));
	ck_assert_ptr_nonnull(sessions_find(s, &clients[1]));
	ck_assert_ptr_nonnull(sessions_find(s, &clients[3]));
	ck_assert_uint_eq(sessions_count(s), 2);
	sessions_remove(s, &clients[1]);
	ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[3]);
	sessions_remove(s, &clients[3]);
	ck_assert_ptr_null(sessions_oldest(s));
	add(s, 4, 0);
	ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[4]);
	sessions_free(s);
}
END_TEST

/* For a moment a device's new session and its old one have one client id. */
START_TEST(keeps_two_of_one_client_id)
{
	struct sessions *s = sessions_new();

	ck_assert(sessions_add(s, &clients[1], "same", &nobody, 1));
	ck_assert(sessions_add(s, &clients[2], "same", &nobody, 2));
	sessions_remove(s, &clients[1]);
	ck_assert_ptr_null(sessions_find(s, &clients[1]));
	ck_assert_uint_eq(sessions_find(s, &clients[2])->checked, 2);
	sessions_free(s);
}
END_TEST

START_TEST(replaces_one_of_the_same_client)
{
	struct sessions *s = sessions_new();

	add(s, 1, 1);
	sessions_find(s, &clients[1])->barred = true;
	ck_assert(sessions_add(s, &clients[1], "other", &nobody, 2));
	ck_assert_uint_eq(sessions_count(s), 1);
	ck_assert_str_eq(sessions_find(s, &clients[1])->client_id, "other");
	ck_assert(!sessions_find(s, &clients[1])->barred);
	sessions_free(s);
}
END_TEST

START_TEST(queues_by_check)
{
	struct sessions *s = sessions_new();
	size_t n;

	for (n = 0; n < 5; n++)
		add(s, n, 1);
	ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[0]);
	sessions_checked(s, sessions_find(s, &clients[0]), 2);
	sessions_checked(s, sessions_find(s, &clients[2]), 2);
	/* The last goes to where it is. */
	sessions_checked(s, sessions_find(s, &clients[2]), 3);
	for (n = 1; n < 5; n++) {
		if (n == 2)
			continue;
		ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[n]);
		ck_assert_uint_eq(sessions_oldest(s)->checked, 1);
		sessions_checked(s, sessions_find(s, &clients[n]), 4);
	}
	ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[0]);
	sessions_remove(s, &clients[0]);
	ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[2]);
	ck_assert_uint_eq(sessions_oldest(s)->checked, 3);
	sessions_free(s);
}
END_TEST

START_TEST(grows)
{
	struct sessions *s = sessions_new();
	size_t n;

	for (n = 0; n < sizeof(clients); n++)
		add(s, n, n);
	ck_assert_uint_eq(sessions_count(s), sizeof(clients));
	for (n = 0; n < sizeof(clients); n++)
		ck_assert_uint_eq(sessions_find(s, &clients[n])->checked, n);
	for (n = 0; n < sizeof(clients); n += 2)
		sessions_remove(s, &clients[n]);
	for (n = 0; n < sizeof(clients); n++)
		ck_assert_int_eq(
		    sessions_find(s, &clients[n]) != NULL, n % 2 == 1);
	ck_assert_ptr_eq(sessions_oldest(s)->client, &clients[1]);
	sessions_free(s);
	sessions_free(NULL);
}
END_TEST

UNIT_MAIN("plugin_sessions", finds_what_was_added, removes,
    keeps_two_of_one_client_id, replaces_one_of_the_same_client,
    queues_by_check, grows)
