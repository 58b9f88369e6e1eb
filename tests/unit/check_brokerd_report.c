/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_report.h. */
#include "broker/brokerd_report.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { NOW = 1000000000 }; /* milliseconds */

static struct status_view view;

/* A view in which all is well. */
static void
begin(void)
{
	view = (struct status_view){
	    .have_state = true, .sequence = 57, .state_time_ms = NOW - 4321};
}

/* What is said of the view at that moment. */
static enum health
judged(int64_t written_ms, int64_t now_ms, const char *text)
{
	struct buf health = BUF_INIT, line = BUF_INIT;
	enum health result;

	report_health(&view, written_ms, &health);
	result = report_judge(buf_str(&health), now_ms, &line);
	ck_assert_msg(strstr(buf_str(&line), text) != NULL,
	    "\"%s\" does not say \"%s\"", buf_str(&line), text);
	ck_assert_ptr_null(strchr(buf_str(&line), '\n'));
	buf_free(&health);
	buf_free(&line);
	return result;
}

START_TEST(fine)
{
	begin();
	ck_assert_int_eq(judged(NOW, NOW, "fine: sequence 57"), HEALTH_FINE);
	ck_assert_int_eq(
	    judged(NOW, NOW + REPORT_HEALTH_MAX_MS, "fine"), HEALTH_FINE);
}
END_TEST

START_TEST(alarms_are_all_said)
{
	begin();
	view.alarm[ALARM_CANARY_REVOKED] = view.alarm[ALARM_CLOCK] = true;
	snprintf(view.alarm_text[ALARM_CLOCK], STATUS_DETAIL_MAX, "off");
	ck_assert_int_eq(judged(NOW, NOW, "alarm: clock: off; canary-revoked"),
	    HEALTH_ALARM);
	/* Nor does an alarm hide behind a list that is missing. */
	view.have_state = false;
	ck_assert_int_eq(judged(NOW, NOW, "alarm: clock"), HEALTH_ALARM);
}
END_TEST

START_TEST(an_old_list_is_an_alarm_whatever_the_report_says)
{
	begin();
	view.state_time_ms = NOW - REPORT_STATE_MAX_MS - 1;
	ck_assert_int_eq(judged(NOW, NOW, "last confirmed"), HEALTH_ALARM);
}
END_TEST

START_TEST(unknown)
{
	begin();
	ck_assert_int_eq(judged(NOW, NOW + REPORT_HEALTH_MAX_MS + 1,
			     "last reported 60 seconds ago"),
	    HEALTH_UNKNOWN);
	ck_assert_int_eq(judged(NOW + REPORT_HEALTH_MAX_MS + 1, NOW, "unknown"),
	    HEALTH_UNKNOWN);
	view.have_state = false;
	ck_assert_int_eq(judged(NOW, NOW, "no deny-list yet"), HEALTH_UNKNOWN);
}
END_TEST

/* Cut anywhere, and anything else: unknown, never fine. */
START_TEST(a_report_that_is_cut)
{
	struct buf health = BUF_INIT, line = BUF_INIT;
	static const char *const junk[] = {"", "\n", "fine\n", "end\n",
	    "pappus-brokerd-health 2\ntime 1000000000\nend\n",
	    "pappus-brokerd-health 1\nend\n"};
	char *text;
	size_t i;

	begin();
	report_health(&view, NOW, &health);
	for (i = 0; i < health.len; i++) {
		text = strndup(buf_str(&health), i);
		ck_assert_int_eq(
		    report_judge(text, NOW, &line), HEALTH_UNKNOWN);
		free(text);
	}
	for (i = 0; i < COUNT(junk); i++)
		ck_assert_int_eq(
		    report_judge(junk[i], NOW, &line), HEALTH_UNKNOWN);
	buf_free(&health);
	buf_free(&line);
}
END_TEST

static void
has(struct buf *text, const char *line)
{
	ck_assert_msg(strstr(buf_str(text), line) != NULL, "no \"%s\"", line);
}

START_TEST(metrics_say_all_there_is)
{
	struct buf text = BUF_INIT;

	begin();
	view.have_skew = true;
	view.skew_ms = -1500;
	view.crl_count = 1;
	view.crl[0] = (struct status_crl){.ski = "abcd",
	    .number = 7,
	    .this_update = NOW / 1000 - 90,
	    .next_update = NOW / 1000 + 90,
	    .entries = 3};
	view.refused[REFUSED_IDP] = 2;
	view.canary[CANARY_GOOD] = CANARY_ACCEPTED;
	view.alarm[ALARM_BROKER] = true;
	report_metrics(&view, NOW, &text);
	has(&text, "\npappus_brokerd_sequence 57\n");
	has(&text, "\npappus_brokerd_state_age_seconds 4.321\n");
	has(&text, "\npappus_brokerd_clock_skew_seconds -1.500\n");
	has(&text, "\npappus_brokerd_crl_number{ca=\"abcd\"} 7\n");
	has(&text, "\npappus_brokerd_crl_age_seconds{ca=\"abcd\"} 90\n");
	has(&text, "\npappus_brokerd_crl_entries{ca=\"abcd\"} 3\n");
	has(&text, "\npappus_brokerd_crl_next_update_timestamp_seconds"
		   "{ca=\"abcd\"} 1000090\n");
	has(&text, "\npappus_brokerd_refused_total{reason=\"idp\"} 2\n");
	has(&text, "\npappus_brokerd_refused_total{reason=\"digest\"} 0\n");
	has(&text, "\npappus_brokerd_canary{canary=\"good\","
		   "result=\"accepted\"} 1\n");
	has(&text, "\npappus_brokerd_canary{canary=\"revoked\","
		   "result=\"accepted\"} 0\n");
	has(&text, "\npappus_brokerd_alarm{alarm=\"broker\"} 1\n");
	has(&text, "\npappus_brokerd_alarm{alarm=\"clock\"} 0\n");
	ck_assert_ptr_null(strstr(buf_str(&text), "(null)"));
	buf_free(&text);
}
END_TEST

START_TEST(metrics_leave_out_what_is_not_known)
{
	struct buf text = BUF_INIT;

	view = (struct status_view){0};
	report_metrics(&view, NOW, &text);
	ck_assert_ptr_null(strstr(buf_str(&text), "state_age"));
	ck_assert_ptr_null(strstr(buf_str(&text), "clock_skew"));
	ck_assert_ptr_null(strstr(buf_str(&text), "last_success"));
	buf_free(&text);
}
END_TEST

UNIT_MAIN("brokerd_report", fine, alarms_are_all_said,
    an_old_list_is_an_alarm_whatever_the_report_says, unknown,
    a_report_that_is_cut, metrics_say_all_there_is,
    metrics_leave_out_what_is_not_known)
