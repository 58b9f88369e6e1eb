/* SPDX-License-Identifier: ISC */
/* Tests of base/conf.h.  check forks, so each has an environment of its own. */
#include "base/conf.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
set(const char *name, const char *value)
{
	ck_assert_int_eq(setenv(name, value, 1), 0);
}

/* An environment in which every program starts. */
static void
begin(void)
{
	clearenv();
	set("PAPPUS_DATABASE", "dbname=x");
	set("PAPPUS_CA_DIR", "/ca");
}

static void
refused(enum conf_program program, const char *why)
{
	struct err err = {0};

	ck_assert(!conf_load(program, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.detail, why) != NULL,
	    "\"%s\" does not say \"%s\"", err.detail, why);
}

START_TEST(has_defaults)
{
	struct err err = {0};

	begin();
	ck_assert(conf_load(CONF_IDENTITY, &err));
	ck_assert_str_eq(conf_str(CONF_DATABASE), "dbname=x");
	ck_assert_str_eq(conf_str(CONF_CA_DIR), "/ca");
	ck_assert_ptr_null(conf_str(CONF_PASSPHRASE));
	ck_assert_int_eq(conf_int(CONF_THREADS), 32);
	ck_assert_int_eq(conf_int(CONF_DEADLINE_MS), 5000);
}
END_TEST

START_TEST(takes_values_up_to_their_bounds)
{
	struct err err = {0};

	begin();
	set("PAPPUS_THREADS", "1");
	set("PAPPUS_DEADLINE_MS", "60000");
	ck_assert(conf_load(CONF_ENROLL, &err));
	ck_assert_int_eq(conf_int(CONF_THREADS), 1);
	ck_assert_int_eq(conf_int(CONF_DEADLINE_MS), 60000);
}
END_TEST

START_TEST(names_what_is_missing)
{
	begin();
	unsetenv("PAPPUS_DATABASE");
	refused(CONF_ENROLL, "PAPPUS_DATABASE is not set");
	set("PAPPUS_DATABASE", "");
	refused(CONF_ENROLL, "PAPPUS_DATABASE is empty");
}
END_TEST

START_TEST(asks_only_for_what_matters)
{
	struct err err = {0};

	begin();
	unsetenv("PAPPUS_CA_DIR");
	set("PAPPUS_THREADS", "junk");
	ck_assert(conf_load(CONF_TOOL, &err));
	set("PAPPUS_THREADS", "8");
	ck_assert(conf_load(CONF_ENROLL, &err));
	refused(CONF_IDENTITY, "PAPPUS_CA_DIR is not set");
}
END_TEST

START_TEST(refuses_impossible_numbers)
{
	static const char *const bad[] = {"0", "513", "-1", "many", "8 threads",
	    "8.0", "0x10", "99999999999999999999", "-99999999999999999999"};
	size_t i;

	begin();
	for (i = 0; i < COUNT(bad); i++) {
		set("PAPPUS_THREADS", bad[i]);
		refused(CONF_ENROLL, "PAPPUS_THREADS");
		refused(CONF_ENROLL, "from 1 to 512");
	}
	set("PAPPUS_THREADS", "");
	refused(CONF_ENROLL, "PAPPUS_THREADS is empty");
}
END_TEST

START_TEST(help_lists_a_programs_rows)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	conf_help(CONF_ENROLL, out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "PAPPUS_DATABASE"));
	ck_assert_ptr_nonnull(strstr(text, "(required)"));
	ck_assert_ptr_nonnull(strstr(text, "(1 to 512, default 32)"));
	ck_assert_ptr_null(strstr(text, "PAPPUS_CA_DIR"));
	free(text);
	out = open_memstream(&text, &len);
	conf_help(CONF_IDENTITY, out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "PAPPUS_CA_DIR"));
	ck_assert_ptr_nonnull(strstr(text, "(optional)"));
	free(text);
}
END_TEST

UNIT_MAIN("conf", has_defaults, takes_values_up_to_their_bounds,
    names_what_is_missing, asks_only_for_what_matters,
    refuses_impossible_numbers, help_lists_a_programs_rows)
