/* SPDX-License-Identifier: ISC */
/* Tests of world/statement.h: the table agrees with itself. */
#include "world/statement.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* The highest $n in a text. */
static int
highest_param(const char *sql)
{
	int highest = 0, n;

	while ((sql = strchr(sql, '$')) != NULL) {
		n = atoi(++sql);
		if (n > highest)
			highest = n;
	}
	return highest;
}

START_TEST(test_counts_agree_with_texts)
{
	int i;

	for (i = 0; i < STATEMENT_MAX; i++) {
		ck_assert_ptr_nonnull(statement_sql((enum statement)i));
		ck_assert_int_eq(statement_params((enum statement)i),
		    highest_param(statement_sql((enum statement)i)));
		ck_assert_int_le(
		    statement_params((enum statement)i), STATEMENT_PARAMS_MAX);
	}
}
END_TEST

START_TEST(test_names_are_unique)
{
	int i, j;

	for (i = 0; i < STATEMENT_MAX; i++)
		for (j = 0; j < i; j++)
			ck_assert_str_ne(statement_name((enum statement)i),
			    statement_name((enum statement)j));
}
END_TEST

UNIT_MAIN("statement", test_counts_agree_with_texts, test_names_are_unique)
