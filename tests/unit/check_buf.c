/* SPDX-License-Identifier: ISC */
/* Tests of base/buf.h. */
#include "base/buf.h"

#include <string.h>

#include "unit.h"

START_TEST(appends)
{
	struct buf b = BUF_INIT;

	buf_add(&b, "ab\0c", 4);
	buf_add(&b, NULL, 0);
	buf_add_byte(&b, 'd');
	buf_add_str(&b, "ef");
	buf_add_fmt(&b, "%d%s", 42, "!");
	ck_assert_uint_eq(b.len, 10);
	ck_assert_mem_eq(b.data, "ab\0cdef42!", 10);
	buf_free(&b);
}
END_TEST

START_TEST(str_ends_with_nul_that_does_not_count)
{
	struct buf b = BUF_INIT;

	ck_assert_str_eq(buf_str(&b), "");
	buf_add_str(&b, "abc");
	ck_assert_str_eq(buf_str(&b), "abc");
	ck_assert_uint_eq(b.len, 3);
	buf_add_str(&b, "d");
	ck_assert_str_eq(buf_str(&b), "abcd");
	buf_free(&b);
}
END_TEST

START_TEST(grows_byte_by_byte)
{
	struct buf b = BUF_INIT;
	size_t i;

	for (i = 0; i < 100000; i++)
		buf_add_byte(&b, (uint8_t)(i * 7));
	ck_assert_uint_eq(b.len, 100000);
	ck_assert_uint_ge(b.cap, b.len);
	for (i = 0; i < 100000; i++)
		ck_assert_uint_eq(b.data[i], (uint8_t)(i * 7));
	buf_free(&b);
}
END_TEST

START_TEST(grows_at_once)
{
	struct buf b = BUF_INIT;

	memset(buf_extend(&b, 5000), 'x', 5000);
	memset(buf_extend(&b, 70000), 'y', 70000);
	ck_assert_uint_eq(b.len, 75000);
	ck_assert_uint_eq(b.data[4999], 'x');
	ck_assert_uint_eq(b.data[5000], 'y');
	buf_free(&b);
}
END_TEST

START_TEST(reset_wipes_and_keeps_the_memory)
{
	struct buf b = BUF_INIT;
	size_t cap, i;

	buf_add_str(&b, "a secret");
	cap = b.cap;
	buf_reset(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.cap, cap);
	for (i = 0; i < cap; i++)
		ck_assert_uint_eq(b.data[i], 0);
	buf_free(&b);
}
END_TEST

START_TEST(can_be_freed_twice_and_used_again)
{
	struct buf b = BUF_INIT;

	buf_free(&b);
	buf_add_str(&b, "x");
	buf_free(&b);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.cap, 0);
	buf_add_str(&b, "y");
	ck_assert_str_eq(buf_str(&b), "y");
	buf_free(&b);
}
END_TEST

UNIT_MAIN("buf", appends, str_ends_with_nul_that_does_not_count,
    grows_byte_by_byte, grows_at_once, reset_wipes_and_keeps_the_memory,
    can_be_freed_twice_and_used_again)
