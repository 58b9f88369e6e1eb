/* SPDX-License-Identifier: ISC */
/* Tests of world/pgarray.h. */
#include "world/pgarray.h"

#include "unit.h"

START_TEST(test_text_is_quoted)
{
	struct buf a = BUF_INIT;

	pgarray_str(&a, "plain");
	pgarray_str(&a, "a \"b\" \\ {c},");
	pgarray_str(&a, "");
	pgarray_str(&a, NULL);
	pgarray_str(&a, "NULL");
	ck_assert_str_eq(pgarray_end(&a),
	    "{\"plain\",\"a \\\"b\\\" \\\\ {c},\",\"\",NULL,\"NULL\"}");
	buf_free(&a);
}
END_TEST

START_TEST(test_bytes_are_hex)
{
	const uint8_t bytes[] = {0x00, 0x7f, 0xff};
	struct buf a = BUF_INIT;

	pgarray_bytea(&a, bytes, sizeof(bytes));
	pgarray_bytea(&a, bytes, 0);
	ck_assert_str_eq(pgarray_end(&a), "{\"\\\\x007fff\",\"\\\\x\"}");
	buf_free(&a);
}
END_TEST

START_TEST(test_numbers_and_nothing)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	pgarray_int(&a, -1);
	pgarray_int(&a, 9223372036854775807);
	ck_assert_str_eq(pgarray_end(&a), "{-1,9223372036854775807}");
	ck_assert_str_eq(pgarray_end(&b), "{}");
	buf_free(&a);
	buf_free(&b);
}
END_TEST

UNIT_MAIN("pgarray", test_text_is_quoted, test_bytes_are_hex,
    test_numbers_and_nothing)
