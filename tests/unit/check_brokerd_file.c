/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_file.h. */
#include "broker/brokerd_file.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define ABC_DIGEST                         \
	"ba7816bf8f01cfea414140de5dae2223" \
	"b00361a396177a9cb410ff61f20015ad" /* FIPS 180-4 */

static char dir[] = "/tmp/pappus-check.XXXXXX";
static int folder;
static struct err err;

static void
begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	folder = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(folder, 0);
	umask(077);
}

/* How many files there are. */
static int
count(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.' ||
		     strncmp(entry->d_name, FILE_TEMP_PREFIX,
			 strlen(FILE_TEMP_PREFIX)) == 0;
	closedir(d);
	return n;
}

static void
end(void)
{
	char command[128];

	close(folder);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(a_draft_is_nowhere_until_it_is_kept)
{
	char digest[FEED_NAME_LEN + 1];
	struct file_draft draft;
	struct file_map *map;
	struct stat st;

	begin();
	ck_assert(file_draft_begin(&draft, folder, 0644, &err));
	ck_assert(file_draft_add(&draft, "a", 1, &err));
	ck_assert(file_draft_add(&draft, "bc", 2, &err));
	ck_assert_int_ne(faccessat(folder, "x", F_OK, 0), 0);
	file_draft_digest(&draft, digest);
	ck_assert_str_eq(digest, ABC_DIGEST);
	map = file_map_draft(&draft, &err);
	ck_assert_ptr_nonnull(map);
	ck_assert(file_draft_keep(&draft, "x", true, &err));
	file_draft_drop(&draft);
	ck_assert_mem_eq(file_map_data(map), "abc", 3);
	ck_assert(file_map_equals(map, folder, "x"));
	file_map_unref(map);
	ck_assert_int_eq(fstatat(folder, "x", &st, 0), 0);
	/* whatever the umask */
	ck_assert_int_eq(st.st_mode & 0777, 0644);
	ck_assert_int_eq(count(), 1);
	end();
}
END_TEST

START_TEST(a_draft_that_is_dropped_leaves_nothing)
{
	struct file_draft draft, none = {.fd = -1}, zero = {0};

	begin();
	ck_assert(file_draft_begin(&draft, folder, 0600, &err));
	ck_assert(file_draft_add(&draft, "abc", 3, &err));
	file_draft_drop(&draft);
	file_draft_drop(&draft);
	file_draft_drop(&none);
	file_draft_drop(&zero);
	ck_assert_int_eq(fcntl(0, F_GETFD), 0);
	ck_assert_int_eq(count(), 0);
	end();
}
END_TEST

START_TEST(what_can_not_be_renamed_leaves_nothing)
{
	struct file_draft draft;

	begin();
	ck_assert_int_eq(mkdirat(folder, "taken", 0700), 0);
	ck_assert(file_draft_begin(&draft, folder, 0600, &err));
	ck_assert(!file_draft_keep(&draft, "taken", true, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_int_eq(count(), 1);
	end();
}
END_TEST

/* The disk is full. */
START_TEST(what_can_not_be_written_is_an_error)
{
	struct file_draft draft;

	begin();
	ck_assert(file_draft_begin(&draft, folder, 0600, &err));
	close(draft.fd);
	draft.fd = open("/dev/full", O_WRONLY);
	ck_assert_int_ge(draft.fd, 0);
	ck_assert(!file_draft_add(&draft, "abc", 3, &err));
	ck_assert_ptr_nonnull(strstr(err.detail, "No space"));
	file_draft_drop(&draft);
	ck_assert_int_eq(count(), 0);
	end();
}
END_TEST

START_TEST(an_old_map_outlives_its_file)
{
	struct file_map *map, *again;

	begin();
	ck_assert(file_replace(folder, "x", 0600, "old", 3, false, &err));
	map = file_map_open(folder, "x", &err);
	again = file_map_ref(map);
	ck_assert(file_replace(folder, "x", 0600, "newer", 5, false, &err));
	file_map_unref(map);
	ck_assert_uint_eq(file_map_len(again), 3);
	ck_assert_mem_eq(file_map_data(again), "old", 3);
	ck_assert(!file_map_equals(again, folder, "x"));
	ck_assert(!file_map_equals(again, folder, "y"));
	file_map_unref(again);
	file_map_unref(NULL);
	end();
}
END_TEST

START_TEST(no_map_of_what_is_no_file)
{
	begin();
	ck_assert_ptr_null(file_map_open(folder, "x", &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	err_clear(&err);
	ck_assert(file_replace(folder, "x", 0600, "", 0, false, &err));
	ck_assert_ptr_null(file_map_open(folder, "x", &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	err_clear(&err);
	ck_assert_int_eq(symlinkat("/etc/passwd", folder, "link"), 0);
	ck_assert_ptr_null(file_map_open(folder, "link", &err));
	end();
}
END_TEST

START_TEST(folders_of_paths)
{
	const char *name;
	char path[64];
	int fd;

	begin();
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = file_folder_open(path, &name, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "file");
	close(fd);
	fd = file_folder_open("/file", &name, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "file");
	close(fd);
	fd = file_folder_open("file", &name, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "file");
	close(fd);
	ck_assert_int_lt(file_folder_open("/nowhere/file", &name, &err), 0);
	end();
}
END_TEST

UNIT_MAIN("brokerd_file", a_draft_is_nowhere_until_it_is_kept,
    a_draft_that_is_dropped_leaves_nothing,
    what_can_not_be_renamed_leaves_nothing, what_can_not_be_written_is_an_error,
    an_old_map_outlives_its_file, no_map_of_what_is_no_file, folders_of_paths)
