/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_folder.h. */
#include "broker/brokerd_folder.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

static char base[] = "/tmp/pappus-check.XXXXXX";
static char path[64];
static struct folder folder;
static struct err err;

static void
begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/feed", base);
	ck_assert_msg(folder_open(&folder, path, &err), "%s", err.detail);
}

static void
end(void)
{
	char command[128];

	folder_close(&folder);
	snprintf(command, sizeof(command), "rm -r %s", base);
	ck_assert_int_eq(system(command), 0);
}

/* A file of that age in seconds, whose name is its digest. */
static void
put(const char *text, int64_t age_s, char name[FEED_NAME_LEN + 1])
{
	const struct timespec times[2] = {
	    {.tv_sec = time(NULL) - age_s}, {.tv_sec = time(NULL) - age_s}};
	struct file_draft draft;

	ck_assert(file_draft_begin(&draft, folder.fd, 0640, &err));
	ck_assert(file_draft_add(&draft, text, strlen(text), &err));
	file_draft_digest(&draft, name);
	ck_assert(file_draft_keep(&draft, name, false, &err));
	ck_assert_int_eq(utimensat(folder.fd, name, times, 0), 0);
}

static bool
there(const char *name)
{
	return faccessat(folder.fd, name, F_OK, 0) == 0;
}

START_TEST(one_at_a_time)
{
	struct folder second;
	struct stat st;

	begin();
	ck_assert_int_eq(fstat(folder.fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 0027, 0);
	ck_assert(!folder_open(&second, path, &err));
	ck_assert_ptr_nonnull(strstr(err.detail, "another pappus-brokerd"));
	folder_close(&folder);
	err_clear(&err);
	ck_assert(folder_open(&folder, path, &err));
	end();
}
END_TEST

START_TEST(a_state_is_read_as_it_was_written)
{
	struct feed_state state = {.sequence = 57, .time_ms = 1234}, got;

	begin();
	ck_assert(!folder_read_state(&folder, &got, &err));
	err_clear(&err);
	put("base", 0, state.deny_base);
	put("delta", 0, state.deny_delta);
	ck_assert(folder_write_state(&folder, NULL, &state, &err));
	ck_assert(folder_read_state(&folder, &got, &err));
	ck_assert_uint_eq(got.sequence, 57);
	ck_assert_str_eq(got.deny_delta, state.deny_delta);
	ck_assert(folder_state_names(&got, state.deny_base));
	ck_assert(!folder_state_names(&got, "x"));
	end();
}
END_TEST

START_TEST(a_damaged_file_is_found_and_removed)
{
	char name[FEED_NAME_LEN + 1];
	struct file_map *map;

	begin();
	put("content", 0, name);
	map = folder_map(&folder, name, &err);
	ck_assert_ptr_nonnull(map);
	file_map_unref(map);
	ck_assert(
	    file_replace(folder.fd, name, 0640, "contents", 8, false, &err));
	ck_assert_ptr_null(folder_map(&folder, name, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert(!there(name));
	end();
}
END_TEST

/* What is no longer named stays for ten minutes from then on. */
START_TEST(garbage)
{
	struct feed_state old = {.sequence = 1}, new = {.sequence = 2};
	char names[4][FEED_NAME_LEN + 1];
	char extra[1][FEED_NAME_LEN + 1];

	begin();
	put("base", 100000, old.deny_base);
	put("delta 1", 100000, old.deny_delta);
	put("crl 1", 100000, old.crl[0].name);
	old.crl_count = 1;
	ck_assert(folder_write_state(&folder, NULL, &old, &err));
	new = old;
	put("delta 2", 0, new.deny_delta);
	put("crl 2", 0, new.crl[0].name);
	ck_assert(folder_write_state(&folder, &old, &new, &err));
	put("young", FOLDER_GARBAGE_S - 5, names[0]);
	put("old", FOLDER_GARBAGE_S + 5, names[1]);
	put("extra", FOLDER_GARBAGE_S + 5, names[2]);
	put("of tomorrow", -86400, names[3]);
	memcpy(extra[0], names[2], sizeof(extra[0]));
	ck_assert_uint_eq(folder_sweep(&folder, &new, (const char(*)[65])extra,
			      1, FOLDER_GARBAGE_S),
	    2);
	ck_assert(!there(names[1]) && !there(names[3]));
	ck_assert(there(names[0]) && there(names[2]));
	/* Named for long, and until just now. */
	ck_assert(there(old.deny_delta) && there(old.crl[0].name));
	ck_assert(there(new.deny_base) && there(new.deny_delta));
	ck_assert(there("state") && there("lock"));
	end();
}
END_TEST

START_TEST(what_was_half_written_goes_at_the_start)
{
	struct file_draft draft;

	begin();
	ck_assert(file_draft_begin(&draft, folder.fd, 0640, &err));
	ck_assert(there(draft.temp));
	folder_sweep_temps(&folder);
	ck_assert(!there(draft.temp));
	ck_assert(there("lock"));
	file_draft_drop(&draft);
	end();
}
END_TEST

UNIT_MAIN("brokerd_folder", one_at_a_time, a_state_is_read_as_it_was_written,
    a_damaged_file_is_found_and_removed, garbage,
    what_was_half_written_goes_at_the_start)
