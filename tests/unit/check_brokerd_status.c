/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_status.h: what is counted and logged, and how often.
 */
#include "broker/brokerd_status.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static struct status_view view; /* check forks: each test has its own */
static int log_fd;

/* The log goes to a file. */
static struct status *
begin(void)
{
	char path[] = "/tmp/pappus-check.XXXXXX";

	log_fd = mkstemp(path);
	ck_assert_int_ge(log_fd, 0);
	unlink(path);
	ck_assert_int_ge(dup2(log_fd, STDERR_FILENO), 0);
	return status_new();
}

/* Lines of the log so far that hold the text. */
static int
logged(const char *text)
{
	static char log[1 << 20];
	ssize_t n = pread(log_fd, log, sizeof(log) - 1, 0);
	char *line, *save = NULL;
	int count = 0;

	ck_assert_int_ge(n, 0);
	log[n] = '\0';
	for (line = strtok_r(log, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		count += strstr(line, text) != NULL;
	return count;
}

START_TEST(a_refusal_is_told_once_a_change)
{
	struct status *s = begin();
	int i;

	for (i = 0; i < 100; i++)
		status_refuse(s, "https://a/", "crl 1", "n1", REFUSED_DIGEST,
		    "its SHA-256 is other");
	ck_assert_int_eq(logged("event=refused"), 1);
	ck_assert_int_eq(logged("reason=digest"), 1);
	/* another file, another reason, another host */
	status_refuse(s, "https://a/", "crl 1", "n2", REFUSED_DIGEST, "x");
	status_refuse(s, "https://a/", "crl 1", "n2", REFUSED_IDP, "x");
	status_refuse(s, "https://b/", "crl 1", "n2", REFUSED_IDP, "x");
	ck_assert_int_eq(logged("event=refused"), 4);
	status_view(s, 0, &view);
	ck_assert_uint_eq(view.refused[REFUSED_DIGEST], 2);
	ck_assert_uint_eq(view.refused[REFUSED_IDP], 2);
	ck_assert_uint_eq(view.refused[REFUSED_TLS], 0);
	status_free(s);
}
END_TEST

START_TEST(that_it_is_taken_again_is_told_too)
{
	struct status *s = begin();

	status_accept(s, "https://a/", "state");
	ck_assert_int_eq(logged("event=accepted"), 0);
	status_refuse(s, "https://a/", "state", "", REFUSED_HTTP, "500");
	status_accept(s, "https://b/", "state");
	status_accept(s, "https://a/", "deny-base");
	ck_assert_int_eq(logged("event=accepted"), 0);
	status_accept(s, "https://a/", "state");
	status_accept(s, "https://a/", "state");
	ck_assert_int_eq(logged("event=accepted"), 1);
	status_refuse(s, "https://a/", "state", "", REFUSED_HTTP, "500");
	ck_assert_int_eq(logged("event=refused"), 2);
	status_free(s);
}
END_TEST

START_TEST(what_is_refused_at_present)
{
	char detail[STATUS_DETAIL_MAX];
	struct status *s = begin();

	ck_assert(!status_refuses(s, REFUSED_LOCAL, detail));
	status_refuse(s, NULL, "crl 1", "", REFUSED_LOCAL, "disk full");
	status_refuse(s, NULL, "crl 2", "", REFUSED_HTTP, "404");
	ck_assert(status_refuses(s, REFUSED_LOCAL, detail));
	ck_assert_str_eq(detail, "disk full");
	status_accept(s, NULL, "crl 1");
	ck_assert(!status_refuses(s, REFUSED_LOCAL, detail));
	ck_assert(status_refuses(s, REFUSED_HTTP, detail));
	status_free(s);
}
END_TEST

/* A host that names ever new things costs neither memory nor a crash. */
START_TEST(complaints_without_end)
{
	struct status *s = begin();
	char what[32];
	int i;

	for (i = 0; i < 5000; i++) {
		snprintf(what, sizeof(what), "crl %d", i);
		status_refuse(s, "https://a/", what, "", REFUSED_FOREIGN, "x");
	}
	status_view(s, 0, &view);
	ck_assert_uint_eq(view.refused[REFUSED_FOREIGN], 5000);
	status_free(s);
}
END_TEST

START_TEST(an_alarm_is_told_when_it_comes_and_goes)
{
	struct status *s = begin();

	status_quiet(s, ALARM_CLOCK);
	ck_assert_int_eq(logged("alarm"), 0);
	status_alarm(s, ALARM_CLOCK, "off by %d", 61);
	status_alarm(s, ALARM_CLOCK, "off by %d", 62);
	ck_assert_int_eq(logged("event=alarm "), 1);
	ck_assert_int_eq(logged("level=error"), 1);
	status_view(s, 0, &view);
	ck_assert(view.alarm[ALARM_CLOCK]);
	ck_assert(!view.alarm[ALARM_BROKER]);
	ck_assert_str_eq(view.alarm_text[ALARM_CLOCK], "off by 62");
	status_quiet(s, ALARM_CLOCK);
	status_quiet(s, ALARM_CLOCK);
	ck_assert_int_eq(logged("event=alarm-over"), 1);
	status_view(s, 0, &view);
	ck_assert(!view.alarm[ALARM_CLOCK]);
	status_free(s);
}
END_TEST

START_TEST(an_alarm_is_one_line)
{
	struct status *s = begin();

	status_alarm(s, ALARM_BROKER, "a\nend\nb\x1b");
	status_view(s, 0, &view);
	ck_assert_str_eq(view.alarm_text[ALARM_BROKER], "a end b ");
	status_free(s);
}
END_TEST

START_TEST(of_several_clocks_the_worst_counts_for_a_while)
{
	struct status *s = begin();

	status_view(s, 0, &view);
	ck_assert(!view.have_skew);
	status_set_skew(s, 0, 10, 1000);
	status_set_skew(s, 3, -70000, 2000);
	status_set_skew(s, 7, 500, 3000);
	status_view(s, 3000, &view);
	ck_assert(view.have_skew);
	ck_assert_int_eq(view.skew_ms, -70000);
	status_view(s, 2001 + STATUS_SKEW_US, &view);
	ck_assert_int_eq(view.skew_ms, 500);
	status_view(s, 3001 + STATUS_SKEW_US, &view);
	ck_assert(!view.have_skew);
	status_set_skew(s, 3, 0, 4000);
	status_view(s, 4000, &view);
	ck_assert(view.have_skew);
	ck_assert_int_eq(view.skew_ms, 500);
	status_free(s);
}
END_TEST

UNIT_MAIN("brokerd_status", an_alarm_is_one_line,
    of_several_clocks_the_worst_counts_for_a_while,
    a_refusal_is_told_once_a_change, that_it_is_taken_again_is_told_too,
    what_is_refused_at_present, complaints_without_end,
    an_alarm_is_told_when_it_comes_and_goes)
