/* SPDX-License-Identifier: ISC */
/* Tests of broker/plugin_list.h and broker/plugin_follower.h. */
#include "broker/plugin_list.h"

#include <string.h>
#include <time.h>

#include "broker/plugin_follower.h"
#include "plugin.h"

static struct pki device_ca, service_ca;
static struct plugin_feed feed;

static void
set_up(void)
{
	device_ca = pki_new(PROFILE_DEVICE_CA);
	service_ca = pki_new(PROFILE_SERVICE_CA);
	plugin_feed_open(&feed, &device_ca, &service_ca);
}

static void
tear_down(void)
{
	plugin_feed_close(&feed);
	pki_free(&device_ca);
	pki_free(&service_ca);
}

static struct plugin_list *
load(const struct plugin_list *last)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_list *list =
	    plugin_list_load(feed.dir, last, pki_now * 1000 + 5000, &err);

	ck_assert_msg(list != NULL, "%s", err.detail);
	return list;
}

static void
refused(const struct plugin_list *last, enum err_code code, const char *why)
{
	struct err err = {.code = ERR_NONE};

	ck_assert_ptr_null(
	    plugin_list_load(feed.dir, last, pki_now * 1000, &err));
	ck_assert_msg(err.code == code && strstr(err.detail, why) != NULL,
	    "%d: %s", err.code, err.detail);
}

static struct identity
identity_of(const char *name, uint8_t serial, const struct plugin_list *list)
{
	size_t which = strncmp(name, "dev_", 4) == 0 ? 0 : 1;
	struct identity who;

	memcpy(who.name, name, sizeof(who.name));
	plugin_serial(serial, who.serial);
	memcpy(who.issuer, list->issuers.at[which].id, ISSUER_ID_LEN);
	return who;
}

START_TEST(says_who_is_shut_out)
{
	struct plugin_list *list;
	struct identity who;

	set_up();
	feed.base_device = DEVICE_A;
	feed.denied = DEVICE_B;
	feed.revoked = 7;
	plugin_feed_write(&feed);
	list = load(NULL);
	ck_assert_uint_eq(list->sequence, 2);
	who = identity_of(DEVICE_A, 1, list);
	ck_assert_ptr_nonnull(plugin_list_refuses(list, &who));
	ck_assert_ptr_nonnull(plugin_list_refuses_name(list, DEVICE_A));
	who = identity_of(DEVICE_B, 1, list);
	ck_assert_ptr_nonnull(plugin_list_refuses(list, &who));
	who = identity_of(DEVICE_C, 1, list);
	ck_assert_ptr_null(plugin_list_refuses(list, &who));
	ck_assert_ptr_null(plugin_list_refuses_name(list, DEVICE_C));
	who = identity_of(DEVICE_C, 7, list);
	ck_assert_ptr_nonnull(plugin_list_refuses(list, &who));
	who = identity_of(SERVICE_A, 1, list);
	ck_assert_ptr_null(plugin_list_refuses(list, &who));
	/* A service's digits are no device's. */
	ck_assert_ptr_null(plugin_list_refuses_name(list, SERVICE_A));
	who = identity_of(SERVICE_A, 7, list);
	ck_assert_ptr_nonnull(plugin_list_refuses(list, &who));
	who = identity_of(DEVICE_C, 1, list);
	who.issuer[31] ^= 1;
	ck_assert_ptr_nonnull(plugin_list_refuses(list, &who));
	plugin_list_free(list);
	plugin_list_free(NULL);
	tear_down();
}
END_TEST

START_TEST(shares_what_stays_the_same)
{
	struct plugin_list *one, *two, *three;

	set_up();
	feed.base_device = DEVICE_A;
	plugin_feed_write(&feed);
	one = load(NULL);
	/* Another time alone. */
	feed.state.time_ms += 1000;
	plugin_feed_write_state(&feed);
	two = load(one);
	ck_assert(plugin_list_equal(one, two));
	ck_assert_ptr_eq(one->base, two->base);
	ck_assert_ptr_eq(one->delta, two->delta);
	ck_assert_int_eq(two->time_ms, one->time_ms + 1000);
	feed.allowed = DEVICE_A;
	plugin_feed_write(&feed);
	three = load(two);
	ck_assert(!plugin_list_equal(two, three));
	ck_assert_ptr_eq(two->base, three->base);
	ck_assert_ptr_ne(two->delta, three->delta);
	plugin_list_free(one);
	plugin_list_free(two);
	ck_assert_ptr_null(plugin_list_refuses_name(three, DEVICE_A));
	plugin_list_free(three);
	tear_down();
}
END_TEST

/* A state from the future would never grow old. */
START_TEST(counts_age_from_when_it_was_seen)
{
	struct plugin_list *list;

	set_up();
	feed.time_ms = pki_now * 1000 + 86400000;
	plugin_feed_write(&feed);
	list = load(NULL);
	ck_assert_int_eq(list->time_ms, pki_now * 1000 + 5000);
	plugin_list_free(list);
	tear_down();
}
END_TEST

START_TEST(ignores_an_older_one)
{
	struct plugin_list *list;
	struct feed_state older;

	set_up();
	plugin_feed_write(&feed);
	older = feed.state;
	plugin_feed_write(&feed);
	list = load(NULL);
	feed.state = older;
	plugin_feed_write_state(&feed);
	refused(list, ERR_REFUSED, "older");
	plugin_list_free(list);
	/* To one who knows nothing it is as good as any. */
	list = load(NULL);
	plugin_list_free(list);
	tear_down();
}
END_TEST

/* A state that names this content as its base or its delta. */
static void
place(bool delta, const void *data, size_t len)
{
	struct buf content = BUF_INIT;

	buf_add(&content, data, len);
	plugin_feed_publish(&feed, &content,
	    delta ? feed.state.deny_delta : feed.state.deny_base);
	plugin_feed_write_state(&feed);
	buf_free(&content);
}

START_TEST(refuses_what_is_cut)
{
	struct buf delta = BUF_INIT, base = BUF_INIT;
	struct plugin_list *list;
	size_t len;

	set_up();
	feed.base_device = DEVICE_A;
	feed.denied = DEVICE_B;
	plugin_feed_write(&feed);
	list = load(NULL);
	plugin_feed_file(&feed, false, &base);
	plugin_feed_file(&feed, true, &delta);
	for (len = 1; len < delta.len; len += 7) {
		place(true, delta.data, len);
		refused(list, ERR_MALFORMED, "");
	}
	place(true, delta.data, delta.len);
	for (len = 1; len < base.len; len += 7) {
		place(false, base.data, len);
		refused(NULL, ERR_MALFORMED, "");
	}
	place(false, base.data, base.len);
	place(true, base.data, base.len);
	refused(list, ERR_MISMATCH, "");
	plugin_list_free(list);
	buf_free(&base);
	buf_free(&delta);
	tear_down();
}
END_TEST

START_TEST(refuses_what_is_missing_or_something_else)
{
	char path[256];

	set_up();
	refused(NULL, ERR_SYSTEM, "state");
	plugin_feed_place(&feed, "state", "", 0);
	refused(NULL, ERR_MALFORMED, "");
	plugin_feed_write(&feed);
	snprintf(path, sizeof(path), "%s/%s", feed.dir, feed.state.deny_delta);
	ck_assert_int_eq(unlink(path), 0);
	refused(NULL, ERR_SYSTEM, feed.state.deny_delta);
	plugin_feed_place(&feed, feed.state.deny_delta, "other", 5);
	refused(NULL, ERR_MISMATCH, "something else");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	refused(NULL, ERR_SYSTEM, "no regular file");
	tear_down();
}
END_TEST

/* ------------------------------------------------------------ the follower */

static void
wait_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* A list in place of that one, which is given back; it is waited for. */
static struct plugin_list *
await(struct follower *f, struct plugin_list *current)
{
	struct plugin_list *list;

	while ((list = follower_take(f)) == NULL)
		wait_a_little();
	follower_retire(f, current);
	return list;
}

static enum err_code
await_trouble(struct follower *f)
{
	struct err err;

	while (!follower_trouble(f, &err))
		wait_a_little();
	return err.code;
}

START_TEST(follows)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_list *list;
	struct follower *f;
	int i;

	set_up();
	plugin_feed_write(&feed);
	f = follower_new(feed.dir);
	ck_assert_ptr_nonnull(f);
	list = follower_take(f);
	ck_assert_ptr_nonnull(list);
	ck_assert_ptr_null(follower_take(f));
	ck_assert(!follower_trouble(f, &err));
	ck_assert_msg(follower_start(f, &err), "%s", err.detail);
	for (i = 0; i < 3; i++) {
		feed.denied = i % 2 == 0 ? DEVICE_B : NULL;
		plugin_feed_write(&feed);
		list = await(f, list);
		ck_assert_uint_eq(list->sequence, feed.sequence);
	}
	/* Trouble is told once, and that it is over. */
	plugin_feed_place(&feed, "state", "x", 1);
	ck_assert_int_eq(await_trouble(f), ERR_MALFORMED);
	for (i = 0; i < 20; i++) {
		wait_a_little();
		ck_assert(!follower_trouble(f, &err));
	}
	ck_assert_ptr_null(follower_take(f));
	plugin_feed_write_state(&feed);
	ck_assert_int_eq(await_trouble(f), ERR_NONE);
	list = await(f, list);
	/* Untaken ones are its own to free. */
	plugin_feed_write(&feed);
	for (i = 0; i < 20; i++)
		wait_a_little();
	plugin_feed_write(&feed);
	for (i = 0; i < 20; i++)
		wait_a_little();
	follower_free(f);
	ck_assert_ptr_null(plugin_list_refuses_name(list, DEVICE_C));
	plugin_list_free(list);
	follower_free(NULL);
	tear_down();
}
END_TEST

START_TEST(begins_without_a_list)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_list *list;
	struct follower *f;

	set_up();
	f = follower_new(feed.dir);
	ck_assert_ptr_null(follower_take(f));
	ck_assert(follower_trouble(f, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	err_clear(&err);
	ck_assert_msg(follower_start(f, &err), "%s", err.detail);
	plugin_feed_write(&feed);
	list = await(f, NULL);
	follower_free(f);
	plugin_list_free(list);
	tear_down();
}
END_TEST

UNIT_MAIN("plugin_list", says_who_is_shut_out, shares_what_stays_the_same,
    counts_age_from_when_it_was_seen, ignores_an_older_one, refuses_what_is_cut,
    refuses_what_is_missing_or_something_else, follows, begins_without_a_list)
