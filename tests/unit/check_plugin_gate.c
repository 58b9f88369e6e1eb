/* SPDX-License-Identifier: ISC */
/* Tests of broker/plugin_gate.h. */
#include "broker/plugin_gate.h"

#include <string.h>

#include "base/clock.h"
#include "plugin.h"

enum { MAX_AGE_S = 100 };

/* What stands for a client of the broker: its address. */
static const char clients[1000];

static struct pki device_ca, service_ca;
static struct plugin_feed feed;
static struct gate gate;

static void
set_up(void)
{
	device_ca = pki_new(PROFILE_DEVICE_CA);
	service_ca = pki_new(PROFILE_SERVICE_CA);
	plugin_feed_open(&feed, &device_ca, &service_ca);
	ck_assert(gate_init(&gate, MAX_AGE_S * INT64_C(1000)));
}

static void
tear_down(void)
{
	plugin_list_free(gate.list);
	gate_free(&gate);
	plugin_feed_close(&feed);
	pki_free(&device_ca);
	pki_free(&service_ca);
}

/* What the feed says from now on; whether it says anything else. */
static bool
write_list(void)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_list *last = gate.list, *list;
	bool news;

	plugin_feed_write(&feed);
	list = plugin_list_load(feed.dir, last, pki_now * 1000, &err);
	ck_assert_msg(list != NULL, "%s", err.detail);
	news = gate_set_list(&gate, list);
	plugin_list_free(last);
	return news;
}

/* NULL when it comes in, else why not. */
static const char *
connect_at(int64_t now, size_t client, const char *id, const char *name,
    uint8_t serial)
{
	static struct err err;
	bool device = strncmp(name, "dev_", 4) == 0;
	X509 *cert = plugin_cert(device ? &device_ca : &service_ca,
	    device ? PROFILE_DEVICE : PROFILE_SERVICE, name, serial);
	struct identity who;
	bool ok;

	err_clear(&err);
	ok = gate_connect(
	    &gate, &clients[client], id, cert, now * 1000, &who, &err);
	if (ok)
		ck_assert_str_eq(who.name, name);
	X509_free(cert);
	return ok ? NULL : err.detail;
}

static const char *
connect_as(size_t client, const char *id, const char *name, uint8_t serial)
{
	return connect_at(pki_now, client, id, name, serial);
}

static void
comes_in(size_t client, const char *name, uint8_t serial)
{
	ck_assert_ptr_null(connect_as(client, name, name, serial));
}

static bool
allows(size_t client, const char *id)
{
	return gate_allows(&gate, &clients[client], id);
}

/* The next one that is put out; NULL: none. */
static const void *
sweep(void)
{
	const struct session *session;
	const char *why = NULL;

	session = gate_sweep(&gate, clock_mono_us() + 10000000, &why);
	if (session == NULL)
		return NULL;
	ck_assert_ptr_nonnull(why);
	return session->client;
}

START_TEST(lets_nobody_in_without_a_list)
{
	set_up();
	ck_assert_ptr_nonnull(
	    strstr(connect_as(1, DEVICE_A, DEVICE_A, 1), "no deny-list"));
	ck_assert(!allows(1, DEVICE_A));
	ck_assert_ptr_null(sweep());
	ck_assert(write_list());
	comes_in(1, DEVICE_A, 1);
	ck_assert(allows(1, DEVICE_A));
	tear_down();
}
END_TEST

START_TEST(wants_a_certificate_and_its_client_id)
{
	struct err err = {.code = ERR_NONE};
	struct identity who;

	set_up();
	write_list();
	ck_assert(!gate_connect(
	    &gate, &clients[1], DEVICE_A, NULL, pki_now * 1000, &who, &err));
	ck_assert_ptr_nonnull(strstr(err.detail, "no client certificate"));
	ck_assert_ptr_nonnull(
	    strstr(connect_as(1, DEVICE_B, DEVICE_A, 1), "client id"));
	ck_assert_ptr_nonnull(
	    strstr(connect_as(1, DEVICE_A, SERVICE_A, 1), "client id"));
	ck_assert_ptr_null(connect_as(1, DEVICE_A "-1", DEVICE_A, 1));
	ck_assert_ptr_null(connect_as(2, SERVICE_A, SERVICE_A, 1));
	ck_assert_uint_eq(sessions_count(gate.sessions), 2);
	tear_down();
}
END_TEST

START_TEST(lets_nobody_new_in_by_an_old_list)
{
	set_up();
	write_list();
	ck_assert_ptr_null(
	    connect_at(pki_now + MAX_AGE_S, 1, DEVICE_A, DEVICE_A, 1));
	ck_assert_ptr_nonnull(strstr(
	    connect_at(pki_now + MAX_AGE_S + 1, 2, DEVICE_B, DEVICE_B, 2),
	    "over max_age"));
	ck_assert(allows(1, DEVICE_A));
	ck_assert_ptr_null(sweep());
	feed.denied = DEVICE_A;
	write_list();
	ck_assert(!allows(1, DEVICE_A));
	tear_down();
}
END_TEST

START_TEST(shuts_out_at_once)
{
	set_up();
	write_list();
	comes_in(1, DEVICE_A, 1);
	comes_in(2, DEVICE_B, 2);
	feed.denied = DEVICE_A;
	ck_assert(write_list());
	/* Before any sweep, and as often as it is asked. */
	ck_assert(!allows(1, DEVICE_A));
	ck_assert(!allows(1, DEVICE_A));
	ck_assert(allows(2, DEVICE_B));
	ck_assert_ptr_nonnull(
	    strstr(connect_as(3, DEVICE_A, DEVICE_A, 1), "denied"));
	ck_assert_ptr_eq(sweep(), &clients[1]);
	/* Once, and it is barred until it has gone, whatever the list says. */
	ck_assert_ptr_null(sweep());
	feed.denied = NULL;
	write_list();
	ck_assert_ptr_null(sweep());
	ck_assert(!allows(1, DEVICE_A));
	gate_leave(&gate, &clients[1]);
	gate_forget_leaver(&gate);
	comes_in(1, DEVICE_A, 1);
	ck_assert(allows(1, DEVICE_A));
	tear_down();
}
END_TEST

/* One that was asked for while it was shut out is still found. */
START_TEST(sweeps_who_was_asked_for)
{
	set_up();
	write_list();
	comes_in(1, DEVICE_A, 1);
	comes_in(2, DEVICE_B, 2);
	comes_in(3, DEVICE_C, 3);
	feed.denied = DEVICE_B;
	write_list();
	ck_assert(allows(1, DEVICE_A));
	ck_assert(!allows(2, DEVICE_B));
	ck_assert_ptr_eq(sweep(), &clients[2]);
	gate_leave(&gate, &clients[2]);
	ck_assert_ptr_null(sweep());
	ck_assert(allows(3, DEVICE_C));
	tear_down();
}
END_TEST

START_TEST(takes_the_sessions_of_a_serial)
{
	set_up();
	write_list();
	comes_in(1, DEVICE_A, 1);
	comes_in(2, DEVICE_A, 2);
	feed.revoked = 1;
	write_list();
	ck_assert_ptr_eq(sweep(), &clients[1]);
	ck_assert_ptr_null(sweep());
	ck_assert(allows(2, DEVICE_A));
	ck_assert_ptr_nonnull(
	    strstr(connect_as(3, DEVICE_A, DEVICE_A, 1), "revoked"));
	tear_down();
}
END_TEST

START_TEST(takes_the_sessions_of_a_ca)
{
	set_up();
	write_list();
	comes_in(1, DEVICE_A, 1);
	comes_in(2, SERVICE_A, 2);
	feed.device_ca = NULL;
	write_list();
	ck_assert_ptr_eq(sweep(), &clients[1]);
	ck_assert_ptr_null(sweep());
	ck_assert(allows(2, SERVICE_A));
	ck_assert_ptr_nonnull(
	    strstr(connect_as(3, DEVICE_A, DEVICE_A, 1), "no CA"));
	tear_down();
}
END_TEST

START_TEST(judges_who_is_offline_by_client_id)
{
	set_up();
	feed.denied = DEVICE_A;
	feed.revoked = 1;
	write_list();
	ck_assert(!allows(9, DEVICE_A));
	ck_assert(!allows(9, DEVICE_A "-5"));
	ck_assert(allows(9, DEVICE_B));
	ck_assert(allows(9, DEVICE_B "/x"));
	ck_assert(allows(9, SERVICE_A));
	ck_assert(!allows(9, "pump"));
	ck_assert(!allows(9, DEVICE_B "0"));
	ck_assert(!allows(9, NULL));
	tear_down();
}
END_TEST

/* The broker asks for the will when the session is gone already. */
START_TEST(remembers_who_has_just_left)
{
	set_up();
	write_list();
	comes_in(1, DEVICE_A, 1);
	comes_in(2, DEVICE_A, 2);
	feed.revoked = 1;
	write_list();
	gate_leave(&gate, &clients[1]);
	ck_assert(!allows(1, DEVICE_A));
	ck_assert(allows(2, DEVICE_A));
	gate_leave(&gate, &clients[2]);
	ck_assert(allows(2, DEVICE_A));
	/* By then by its client id. */
	gate_forget_leaver(&gate);
	ck_assert(allows(1, DEVICE_A));
	/* One that never came in leaves nothing behind. */
	gate_leave(&gate, &clients[7]);
	ck_assert_ptr_null(gate.leaver);
	tear_down();
}
END_TEST

/* A device's new session replaces its old one: both stand there for a moment.
 */
START_TEST(keeps_the_newer_of_two)
{
	set_up();
	write_list();
	comes_in(1, DEVICE_A, 1);
	comes_in(2, DEVICE_A, 2);
	gate_leave(&gate, &clients[1]);
	gate_forget_leaver(&gate);
	feed.revoked = 1;
	write_list();
	ck_assert_ptr_null(sweep());
	ck_assert(allows(2, DEVICE_A));
	feed.revoked = 2;
	write_list();
	ck_assert_ptr_eq(sweep(), &clients[2]);
	tear_down();
}
END_TEST

START_TEST(knows_when_nothing_has_changed)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_list *last, *list;
	uint64_t generation;

	set_up();
	ck_assert(write_list());
	generation = gate.generation;
	feed.state.time_ms -= 1000;
	plugin_feed_write_state(&feed);
	last = gate.list;
	list = plugin_list_load(feed.dir, last, pki_now * 1000, &err);
	ck_assert(!gate_set_list(&gate, list));
	plugin_list_free(last);
	ck_assert_uint_eq(gate.generation, generation);
	ck_assert_int_eq(gate.list->time_ms, feed.state.time_ms);
	tear_down();
}
END_TEST

/* Many sessions, lists that change all the time, and little time for each. */
START_TEST(comes_round_to_everyone)
{
	const char *why;
	size_t i, n = 0;

	set_up();
	write_list();
	for (i = 0; i < sizeof(clients); i++)
		comes_in(i, i == 500 ? DEVICE_B : DEVICE_A, 1);
	/* No time at all is no sweep. */
	feed.denied = DEVICE_B;
	write_list();
	ck_assert_ptr_null(gate_sweep(&gate, clock_mono_us() - 1, &why));
	ck_assert(sessions_oldest(gate.sessions)->checked < gate.generation);
	while (sweep() != &clients[500])
		ck_assert_uint_lt(++n, sizeof(clients));
	ck_assert_ptr_null(sweep());
	ck_assert_uint_eq(
	    sessions_oldest(gate.sessions)->checked, gate.generation);
	/* Who comes in meanwhile need not be looked at. */
	write_list();
	comes_in(500, DEVICE_C, 1);
	ck_assert_uint_eq(sessions_find(gate.sessions, &clients[500])->checked,
	    gate.generation);
	tear_down();
}
END_TEST

UNIT_MAIN("plugin_gate", lets_nobody_in_without_a_list,
    wants_a_certificate_and_its_client_id, lets_nobody_new_in_by_an_old_list,
    shuts_out_at_once, sweeps_who_was_asked_for, takes_the_sessions_of_a_serial,
    takes_the_sessions_of_a_ca, judges_who_is_offline_by_client_id,
    remembers_who_has_just_left, keeps_the_newer_of_two,
    knows_when_nothing_has_changed, comes_round_to_everyone)
