/* SPDX-License-Identifier: ISC */
/* What every unit test needs: check, and a main that runs a list of tests. */
#ifndef PAPPUS_TESTS_UNIT_H
#define PAPPUS_TESTS_UNIT_H

#include <stddef.h>
#include <stdlib.h>

#include <check.h>

/* Elements of an array. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline int
unit_run(const char *module, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(module);
	TCase *tcase = tcase_create(module);
	SRunner *runner = srunner_create(suite);
	int failed;
	size_t i;

	for (i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* UNIT_MAIN("buf", test_grows, test_wipes) is the whole of main. */
#define UNIT_MAIN(module, ...)                                \
	int main(void)                                        \
	{                                                     \
		const TTest *const tests[] = {__VA_ARGS__};   \
		return unit_run(module, tests, COUNT(tests)); \
	}

#endif
