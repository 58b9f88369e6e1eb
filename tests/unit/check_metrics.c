/* SPDX-License-Identifier: ISC */
/* Metrics as text, and as a file. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "unit.h"

static struct board_numbers numbers;

static void
fill(void)
{
	memset(&numbers, 0, sizeof(numbers));
	numbers.epoch = 7;
	numbers.sequence = 1795601033191;
	numbers.unclaimed = 3;
	numbers.unclaimed_s = 2;
	numbers.alarms[ALARM_CRLS] = true;
	numbers.crl_count = 2;
	numbers.crls[0] = (struct board_crl){.ski = "aa",
	    .issuer_id = 2,
	    .number = 12,
	    .this_update = 900,
	    .next_update = 2000,
	    .bytes = 400,
	    .entries = 5};
	numbers.crls[1] =
	    (struct board_crl){.ski = "bb", .issuer_id = 4, .failing = true};
}

static bool
has(struct buf *text, const char *line)
{
	const char *all = buf_str(text), *at = all;
	size_t len = strlen(line);

	for (; (at = strstr(at, line)) != NULL; at++)
		if ((at == all || at[-1] == '\n') && at[len] == '\n')
			return true;
	return false;
}

START_TEST(test_text)
{
	struct buf text = BUF_INIT;
	const char *line, *end;

	fill();
	metrics_print(&numbers, 1795601033190, 999000, 1000000, &text);
	ck_assert(has(&text, "pappus_crld_leader 1"));
	ck_assert(has(&text, "pappus_crld_epoch 7"));
	ck_assert(has(&text, "pappus_crld_sequence_claimed 1795601033191"));
	ck_assert(has(&text, "pappus_crld_sequence_published 1795601033190"));
	ck_assert(has(&text, "pappus_crld_changes_unclaimed 3"));
	ck_assert(has(&text, "pappus_crld_changes_unclaimed_seconds 2"));
	ck_assert(has(&text, "pappus_crld_state_timestamp_seconds 999"));
	ck_assert(has(&text, "pappus_crld_alarm{what=\"crls\"} 1"));
	ck_assert(has(&text, "pappus_crld_alarm{what=\"feed\"} 0"));
	ck_assert(has(&text, "pappus_crl_number{issuer=\"2\",ski=\"aa\"} 12"));
	ck_assert(
	    has(&text, "pappus_crl_age_seconds{issuer=\"2\",ski=\"aa\"} 100"));
	ck_assert(has(
	    &text, "pappus_crl_seconds_left{issuer=\"2\",ski=\"aa\"} 1000"));
	ck_assert(has(&text, "pappus_crl_bytes{issuer=\"2\",ski=\"aa\"} 400"));
	ck_assert(has(&text, "pappus_crl_entries{issuer=\"2\",ski=\"aa\"} 5"));
	/* One that is not published: that it isn't, and nothing else. */
	ck_assert(has(&text, "pappus_crl_number{issuer=\"4\",ski=\"bb\"} 0"));
	ck_assert(has(&text, "pappus_crl_failing{issuer=\"4\",ski=\"bb\"} 1"));
	ck_assert_ptr_null(
	    strstr(buf_str(&text), "crl_age_seconds{issuer=\"4\""));
	/* Each line is a comment, or a name and a number. */
	for (line = buf_str(&text); *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		ck_assert_ptr_nonnull(end);
		ck_assert(*line == '#' || strncmp(line, "pappus_", 7) == 0);
	}
	buf_free(&text);
}
END_TEST

START_TEST(test_file)
{
	char dir[] = "/tmp/check_metrics.XXXXXX", path[64], first[16] = "";
	struct err err = {.code = ERR_NONE};
	struct buf text = BUF_INIT;
	struct stat st;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.prom", dir);
	buf_add_str(&text, "one\n");
	ck_assert_msg(metrics_write(path, &text, &err), "%s", err.detail);
	buf_reset(&text);
	buf_add_str(&text, "2\n");
	ck_assert_msg(metrics_write(path, &text, &err), "%s", err.detail);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(first, sizeof(first), f));
	ck_assert_str_eq(first, "2\n");
	ck_assert_ptr_null(fgets(first, sizeof(first), f));
	fclose(f);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0400, 0400);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing else is in it */
	ck_assert(!metrics_write(path, &text, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	buf_free(&text);
}
END_TEST

UNIT_MAIN("metrics", test_text, test_file)
