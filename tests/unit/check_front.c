/* SPDX-License-Identifier: ISC */
/* The feed's state as it is published. */
#include <errno.h>

#include "daemon/front.h"
#include "folder.h"

#define SKI "00112233445566778899aabbccddeeff00112233"
#define SKI2 "ff112233445566778899aabbccddeeff00112233"

static struct store *store;
static struct front *front;
static struct err err;

/* A file of feed/ with that text; its name. */
static void
content(const char *text, char name[FEED_NAME_LEN + 1])
{
	struct store_file file;

	ck_assert(store_begin(store, NULL, &file, &err));
	ck_assert(store_write(&file, text, strlen(text), &err));
	ck_assert(store_commit_content(&file, name, &err));
}

static void
begin(void)
{
	err = (struct err){.code = ERR_NONE};
	store = store_open(folder, &err);
	ck_assert_ptr_nonnull(store);
	front = front_new(store);
}

static void
end(void)
{
	front_free(front);
	store_free(store);
}

/* What is published, read as others do. */
static struct feed_state
published(void)
{
	struct feed_state state;
	const char *text = folder_read("feed/state");

	ck_assert_msg(
	    feed_state_parse((const uint8_t *)text, strlen(text), &state, &err),
	    "%s", err.detail);
	return state;
}

START_TEST(test_state)
{
	char base[FEED_NAME_LEN + 1], delta[FEED_NAME_LEN + 1];
	struct feed_crl crl = {.ski = SKI, .number = 5};
	struct feed_state state;

	folder_make();
	begin();
	content("base", base);
	content("delta", delta);
	content("crl", crl.name);
	/* Nothing before there is a deny-list. */
	ck_assert(front_renew(front, &err));
	ck_assert(front_crl(front, &crl, &err));
	ck_assert(!folder_has("feed/state"));
	ck_assert_int_eq(front_time_ms(front), 0);
	ck_assert(front_deny(front, 100, base, delta, &err));
	state = published();
	ck_assert_uint_eq(state.sequence, 100);
	ck_assert_str_eq(state.deny_base, base);
	ck_assert_str_eq(state.deny_delta, delta);
	ck_assert_str_eq(state.crls, "");
	ck_assert_uint_eq(state.crl_count, 1);
	ck_assert_uint_eq(state.crl[0].number, 5);
	ck_assert_int_eq(state.time_ms, front_time_ms(front));
	/* Never back. */
	ck_assert(!front_deny(front, 99, base, delta, &err));
	ck_assert_int_eq(err.code, ERR_REFUSED);
	err_clear(&err);
	ck_assert_uint_eq(published().sequence, 100);
	/* Another of the same CA, one of another; then that one goes. */
	crl.number = 6;
	ck_assert(front_crl(front, &crl, &err));
	strcpy(crl.ski, SKI2);
	ck_assert(front_crl(front, &crl, &err));
	ck_assert_uint_eq(published().crl_count, 2);
	ck_assert(front_crls(front, delta, &err));
	ck_assert_str_eq(published().crls, delta);
	ck_assert(front_names(front, base) && front_names(front, delta));
	ck_assert(front_names(front, crl.name));
	ck_assert(!front_names(front, SKI));
	end();
	folder_remove();
}
END_TEST

static bool
is_first(void *ctx, const char *ski)
{
	(void)ctx;
	return strcmp(ski, SKI) == 0;
}

/* What an earlier life published stays until there is something newer. */
START_TEST(test_again)
{
	char base[FEED_NAME_LEN + 1], delta[FEED_NAME_LEN + 1];
	struct feed_crl crl = {.ski = SKI, .number = 5};
	char before[4096];

	folder_make();
	begin();
	content("base", base);
	content("delta", delta);
	content("crl", crl.name);
	ck_assert(front_crl(front, &crl, &err));
	strcpy(crl.ski, SKI2);
	ck_assert(front_crl(front, &crl, &err));
	ck_assert(front_deny(front, 100, base, delta, &err));
	end();
	strcpy(before, folder_read("feed/state"));
	begin();
	ck_assert_uint_eq(front_sequence(front), 100);
	ck_assert(front_names(front, base));
	ck_assert(front_renew(front, &err));
	ck_assert(front_keep(front, is_first, NULL, &err));
	ck_assert_str_eq(folder_read("feed/state"), before);
	ck_assert(!front_deny(front, 99, base, delta, &err));
	ck_assert_str_eq(folder_read("feed/state"), before);
	err_clear(&err);
	ck_assert(front_deny(front, 100, base, delta, &err));
	ck_assert_uint_eq(published().crl_count, 1);
	ck_assert_str_eq(published().crl[0].ski, SKI);
	end();
	/* A file that is gone isn't named. */
	ck_assert_int_eq(unlink(folder_path("feed/state")), 0);
	folder_write("feed/state", before);
	snprintf(before, sizeof(before), "feed/%s", crl.name);
	ck_assert_int_eq(unlink(folder_path(before)), 0);
	begin();
	ck_assert(front_deny(front, 100, base, delta, &err));
	ck_assert_uint_eq(published().crl_count, 0);
	end();
	/* Nor is one that is no state believed. */
	folder_write("feed/state", "pappus-feed 1\nsequence 7\n");
	begin();
	ck_assert_uint_eq(front_sequence(front), 0);
	end();
	folder_remove();
}
END_TEST

UNIT_MAIN("front", test_state, test_again)
