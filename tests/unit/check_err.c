/* SPDX-License-Identifier: ISC */
/* Tests of base/err.h. */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

START_TEST(sets_code_and_detail)
{
	struct err err = {0};

	ck_assert(!err_set(&err, ERR_MALFORMED, "line %d of %s", 7, "x"));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert_str_eq(err.detail, "line 7 of x");
}
END_TEST

START_TEST(keeps_the_first_cause)
{
	struct err err = {0};

	err_set(&err, ERR_CRYPTO, "first");
	err_set(&err, ERR_SYSTEM, "second");
	errno = ENOENT;
	err_set_errno(&err, "third");
	ck_assert_int_eq(err.code, ERR_CRYPTO);
	ck_assert_str_eq(err.detail, "first");
}
END_TEST

START_TEST(clears)
{
	struct err err = {0};

	err_set(&err, ERR_CRYPTO, "first");
	err_clear(&err);
	ck_assert_int_eq(err.code, ERR_NONE);
	ck_assert_str_eq(err.detail, "");
	err_set(&err, ERR_SYSTEM, "second");
	ck_assert_str_eq(err.detail, "second");
}
END_TEST

START_TEST(needs_no_struct)
{
	ck_assert(!err_set(NULL, ERR_MALFORMED, "x"));
	ck_assert(!err_set_errno(NULL, "x"));
}
END_TEST

START_TEST(adds_errno)
{
	struct err err = {0};

	errno = ENOENT;
	ck_assert(!err_set_errno(&err, "open %s", "f"));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_str_eq(err.detail, "open f: No such file or directory");
}
END_TEST

START_TEST(cuts_a_long_detail)
{
	struct err err = {0};
	char text[2 * sizeof(err.detail)];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	errno = ENOENT;
	err_set_errno(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.detail), sizeof(err.detail) - 1);
}
END_TEST

START_TEST(names_every_code)
{
	int a, b;

	for (a = ERR_NONE; a <= ERR_MISMATCH; a++) {
		ck_assert_ptr_nonnull(err_name((enum err_code)a));
		for (b = ERR_NONE; b < a; b++)
			ck_assert_str_ne(err_name((enum err_code)a),
			    err_name((enum err_code)b));
	}
}
END_TEST

UNIT_MAIN("err", sets_code_and_detail, keeps_the_first_cause, clears,
    needs_no_struct, adds_errno, cuts_a_long_detail, names_every_code)
