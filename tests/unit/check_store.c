/* SPDX-License-Identifier: ISC */
/* The public folder: nothing in it is ever half there. */
#include <sys/wait.h>

#include <errno.h>

#include "daemon/store.h"
#include "folder.h"

/* SHA-256 of "one". */
#define ONE "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"

static struct store *store;
static struct err err;

static void
setup(void)
{
	folder_make();
	err = (struct err){.code = ERR_NONE};
	store = store_open(folder, &err);
	ck_assert_msg(store != NULL, "%s", err.detail);
}

static void
teardown(void)
{
	store_free(store);
	folder_remove();
}

START_TEST(test_put)
{
	struct stat first, again;

	setup();
	ck_assert(store_put(store, "crl/deep/a.crl", "one", 3, &err));
	ck_assert_str_eq(folder_read("crl/deep/a.crl"), "one");
	ck_assert_int_eq(stat(folder_path("crl/deep/a.crl"), &first), 0);
	ck_assert_uint_eq(first.st_mode & 0777, 0644);
	/* The same octets are not written again. */
	ck_assert(store_put(store, "crl/deep/a.crl", "one", 3, &err));
	ck_assert_int_eq(stat(folder_path("crl/deep/a.crl"), &again), 0);
	ck_assert_uint_eq(first.st_ino, again.st_ino);
	ck_assert(store_put(store, "crl/deep/a.crl", "other", 5, &err));
	ck_assert_str_eq(folder_read("crl/deep/a.crl"), "other");
	ck_assert(store_put(store, "empty", "", 0, &err));
	ck_assert_str_eq(folder_read("empty"), "");
	ck_assert_int_eq(folder_count("crl/deep"), 1);
	teardown();
}
END_TEST

START_TEST(test_content)
{
	char name[FEED_NAME_LEN + 1];
	struct store_file file;
	struct store_map map;

	setup();
	ck_assert(store_begin(store, NULL, &file, &err));
	ck_assert(store_write(&file, "o", 1, &err));
	ck_assert(store_write(&file, "ne", 2, &err));
	ck_assert(store_map_file(&file, &map, &err));
	ck_assert_uint_eq(map.len, 3);
	ck_assert_mem_eq(map.data, "one", 3);
	store_unmap(&map);
	ck_assert_msg(
	    store_commit_content(&file, name, &err), "%s", err.detail);
	ck_assert_str_eq(name, ONE);
	ck_assert_str_eq(folder_read("feed/" ONE), "one");
	ck_assert_int_eq(folder_count("feed"), 1);
	/* Two names of one file; then of another. */
	ck_assert(store_link(store, ONE, "crl/a.crl", &err));
	ck_assert(store_link(store, ONE, "crl/a.crl", &err));
	ck_assert_str_eq(folder_read("crl/a.crl"), "one");
	ck_assert_int_eq(folder_count("crl"), 1);
	ck_assert(store_put(store, "crl/a.crl", "two", 3, &err));
	ck_assert_str_eq(folder_read("feed/" ONE), "one");
	ck_assert(store_map_content(store, ONE, &map, &err));
	ck_assert_uint_eq(map.len, 3);
	store_unmap(&map);
	ck_assert(!store_map(store, "nothing", &map, &err));
	ck_assert_int_eq(err.code, ERR_NONE);
	ck_assert(!store_map(store, "crl", &map, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	teardown();
}
END_TEST

static bool
gather(void *ctx, const void *data, size_t len, struct err *error)
{
	(void)error;
	buf_add(ctx, data, len);
	return true;
}

START_TEST(test_pour)
{
	char name[FEED_NAME_LEN + 1];
	struct buf want = BUF_INIT, got = BUF_INIT;
	struct store_file file;
	int i;

	setup();
	for (i = 0; i < 200000; i++)
		buf_add_byte(&want, (uint8_t)(i * 7 >> 3));
	ck_assert(store_begin(store, NULL, &file, &err));
	ck_assert(store_write(&file, want.data, want.len, &err));
	ck_assert(store_commit_content(&file, name, &err));
	ck_assert(store_pour(store, name, gather, &got, &err));
	ck_assert_uint_eq(got.len, want.len);
	ck_assert_mem_eq(got.data, want.data, want.len);
	ck_assert(!store_pour(store, ONE, gather, &got, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	buf_free(&want);
	buf_free(&got);
	teardown();
}
END_TEST

START_TEST(test_abort)
{
	struct store_file file;

	setup();
	ck_assert(store_begin(store, "crl/a.crl", &file, &err));
	ck_assert(store_write(&file, "one", 3, &err));
	ck_assert_int_eq(folder_count("crl"), 1);
	store_abort(&file);
	ck_assert_int_eq(folder_count("crl"), 0);
	store_abort(&file); /* closed: nothing to do */
	/* A path that can't be: a file stands where a folder should. */
	ck_assert(store_put(store, "file", "one", 3, &err));
	ck_assert(!store_put(store, "file/below", "one", 3, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	teardown();
}
END_TEST

/* One at a time, with a name that stays. */
START_TEST(test_lock)
{
	char holder[STORE_HOLDER_LEN + 1];
	struct err other = {.code = ERR_NONE};

	setup();
	ck_assert_uint_eq(strlen(store_holder(store)), STORE_HOLDER_LEN);
	strcpy(holder, store_holder(store));
	ck_assert_ptr_null(store_open(folder, &other));
	ck_assert_int_eq(other.code, ERR_UNAVAILABLE);
	store_free(store);
	/* What an earlier life was at goes; what is another's stays. */
	folder_write("feed/.crld-0011223344556677", "half");
	folder_write(".crld-0011223344556677", "half");
	folder_write("feed/.other", "whole");
	store = store_open(folder, &err);
	ck_assert_ptr_nonnull(store);
	ck_assert_str_eq(store_holder(store), holder);
	ck_assert(!folder_has("feed/.crld-0011223344556677"));
	ck_assert(!folder_has(".crld-0011223344556677"));
	ck_assert(folder_has("feed/.other"));
	store_free(store);
	/* A name that was cut gets another. */
	folder_write(".pappus-crld", "0123");
	store = store_open(folder, &err);
	ck_assert_ptr_nonnull(store);
	ck_assert_uint_eq(strlen(store_holder(store)), STORE_HOLDER_LEN);
	ck_assert_str_ne(store_holder(store), holder);
	teardown();
}
END_TEST

START_TEST(test_held)
{
	setup();
	ck_assert(!store_is_held(store));
	store_hold(store, false);
	store_hold(store, true);
	store_hold(store, true);
	ck_assert(store_is_held(store));
	store_free(store);
	store = store_open(folder, &err);
	ck_assert_ptr_nonnull(store);
	ck_assert(store_is_held(store));
	store_hold(store, false);
	ck_assert(!store_is_held(store));
	teardown();
}
END_TEST

START_TEST(test_check)
{
	setup();
	ck_assert(store_check(folder, &err));
	ck_assert(!store_check(folder_path("nothing"), &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	err_clear(&err);
	folder_write("file", "");
	chmod(folder_path("file"), 0700);
	ck_assert(!store_check(folder_path("file"), &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	teardown();
}
END_TEST

UNIT_MAIN("store", test_put, test_content, test_pour, test_abort, test_lock,
    test_held, test_check)
