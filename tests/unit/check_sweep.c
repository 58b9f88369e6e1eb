/* SPDX-License-Identifier: ISC */
/* Removing what the feed doesn't name any more. */
#include <errno.h>

#include "daemon/sweep.h"
#include "folder.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

#define SECOND INT64_C(1000000)

static const char *named; /* the only one */
static int fd;

static bool
is_named(void *ctx, const char *name)
{
	(void)ctx;
	return named != NULL && strcmp(named, name) == 0;
}

static void
setup(void)
{
	folder_make();
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
}

static void
teardown(void)
{
	close(fd);
	folder_remove();
}

START_TEST(test_ten_minutes)
{
	struct sweep *sweep = sweep_new();

	setup();
	folder_write(A, "a");
	folder_write(B, "b");
	folder_write("state", "s");
	folder_write(".crld-0011", "half");
	named = A;
	sweep_run(sweep, fd, is_named, NULL, 5 * SECOND);
	sweep_run(sweep, fd, is_named, NULL, 604 * SECOND);
	ck_assert(folder_has(A) && folder_has(B));
	/* Named once more in between: ten minutes from then on. */
	named = B;
	sweep_run(sweep, fd, is_named, NULL, 604 * SECOND);
	named = A;
	sweep_run(sweep, fd, is_named, NULL, 700 * SECOND);
	sweep_run(sweep, fd, is_named, NULL, 1299 * SECOND);
	ck_assert(folder_has(A) && folder_has(B));
	sweep_run(sweep, fd, is_named, NULL, 1300 * SECOND);
	ck_assert(folder_has(A) && !folder_has(B));
	sweep_run(sweep, fd, is_named, NULL, 9000 * SECOND);
	ck_assert(folder_has(A) && folder_has("state"));
	ck_assert(folder_has(".crld-0011"));
	sweep_free(sweep);
	sweep_free(NULL);
	teardown();
}
END_TEST

/* Too much at once: the oldest go, but never those of a moment ago. */
START_TEST(test_much)
{
	struct sweep *sweep = sweep_new();

	setup();
	named = NULL;
	folder_write(A, "");
	ck_assert_int_eq(truncate(folder_path(A), 100 << 20), 0);
	sweep_run(sweep, fd, is_named, NULL, 0);
	folder_write(B, "");
	ck_assert_int_eq(truncate(folder_path(B), 150 << 20), 0);
	sweep_run(sweep, fd, is_named, NULL, 20 * SECOND);
	ck_assert(folder_has(A) && folder_has(B));
	folder_write(C, "");
	ck_assert_int_eq(truncate(folder_path(C), 300 << 20), 0);
	sweep_run(sweep, fd, is_named, NULL, 25 * SECOND);
	ck_assert(!folder_has(A) && folder_has(B) && folder_has(C));
	sweep_run(sweep, fd, is_named, NULL, 31 * SECOND);
	ck_assert(!folder_has(B) && folder_has(C));
	/* Alone it is over the allowance. */
	sweep_run(sweep, fd, is_named, NULL, 36 * SECOND);
	ck_assert(!folder_has(C));
	sweep_run(sweep, fd, is_named, NULL, 40 * SECOND);
	sweep_free(sweep);
	teardown();
}
END_TEST

UNIT_MAIN("sweep", test_ten_minutes, test_much)
