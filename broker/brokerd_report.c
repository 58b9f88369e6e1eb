/* SPDX-License-Identifier: ISC */
/* Metrics and health: see brokerd_report.h. */
#include "broker/brokerd_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "pappus_brokerd_"
#define HEALTH_FIRST "pappus-brokerd-health 1\n"
#define HEALTH_LAST "end\n"

/* --------------------------------------------------------------- metrics */

static void
begin(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_add_fmt(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
	    name, help, name, type);
}

/* Milliseconds as seconds. */
static void
add_seconds(struct buf *out, const char *name, int64_t ms)
{
	buf_add_fmt(out, PREFIX "%s %s%" PRId64 ".%03d\n", name,
	    ms < 0 ? "-" : "", (ms < 0 ? -ms : ms) / 1000,
	    (int)((ms < 0 ? -ms : ms) % 1000));
}

static void
gauge_seconds(struct buf *out, const char *name, const char *help, int64_t ms)
{
	begin(out, name, "gauge", help);
	add_seconds(out, name, ms);
}

static void
counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	begin(out, name, "counter", help);
	buf_add_fmt(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void
add_state(const struct status_view *view, int64_t now_ms, struct buf *out)
{
	if (view->have_state) {
		begin(out, "sequence", "gauge",
		    "Sequence number of the deny-list.");
		buf_add_fmt(
		    out, PREFIX "sequence %" PRIu64 "\n", view->sequence);
		gauge_seconds(out, "state_age_seconds",
		    "Time since the deny-list was last confirmed.",
		    now_ms - view->state_time_ms);
	}
	if (view->last_success_ms != 0)
		gauge_seconds(out, "last_success_timestamp_seconds",
		    "When a host last served a good state.",
		    view->last_success_ms);
	if (view->have_skew)
		gauge_seconds(out, "clock_skew_seconds",
		    "The feed's clock less ours.", view->skew_ms);
}

/* One value a CRL. */
enum crl_value {
	CRL_VALUE_NUMBER,
	CRL_VALUE_AGE,
	CRL_VALUE_NEXT,
	CRL_VALUE_ENTRIES,
	CRL_VALUES
};

static const char *const crl_values[CRL_VALUES][2] = {
    [CRL_VALUE_NUMBER] = {"crl_number", "Number of the CRL that is held."},
    [CRL_VALUE_AGE] = {"crl_age_seconds", "Time since its thisUpdate."},
    [CRL_VALUE_NEXT] = {"crl_next_update_timestamp_seconds", "Its nextUpdate."},
    [CRL_VALUE_ENTRIES] = {"crl_entries", "Revoked certificates in it."},
};

static void
add_crl(const struct status_crl *crl, enum crl_value value, int64_t now_ms,
    struct buf *out)
{
	buf_add_fmt(
	    out, PREFIX "%s{ca=\"%s\"} ", crl_values[value][0], crl->ski);
	switch (value) {
	case CRL_VALUE_NUMBER:
		buf_add_fmt(out, "%" PRIu64 "\n", crl->number);
		break;
	case CRL_VALUE_AGE:
		buf_add_fmt(
		    out, "%" PRId64 "\n", now_ms / 1000 - crl->this_update);
		break;
	case CRL_VALUE_NEXT:
		buf_add_fmt(out, "%" PRId64 "\n", crl->next_update);
		break;
	case CRL_VALUE_ENTRIES:
	case CRL_VALUES:
		buf_add_fmt(out, "%" PRIu64 "\n", crl->entries);
		break;
	}
}

static void
add_crls(const struct status_view *view, int64_t now_ms, struct buf *out)
{
	enum crl_value value;
	size_t i;

	if (view->crl_count == 0)
		return;
	for (value = 0; value < CRL_VALUES; value++) {
		begin(out, crl_values[value][0], "gauge", crl_values[value][1]);
		for (i = 0; i < view->crl_count; i++)
			add_crl(&view->crl[i], value, now_ms, out);
	}
}

static void
add_broker(const struct status_view *view, struct buf *out)
{
	counter(out, "hooks_total", "Hooks that have ended.", view->hooks_run);
	counter(out, "hooks_failed_total", "Those of them that failed.",
	    view->hooks_failed);
	begin(out, "hooks_waiting", "gauge", "Hooks that wait or run.");
	buf_add_fmt(
	    out, PREFIX "hooks_waiting %" PRIu64 "\n", view->hooks_waiting);
	counter(out, "reloads_total",
	    "Times that the broker was told to read its CRLs again.",
	    view->reloads);
	if (view->reloads == 0)
		return;
	gauge_seconds(out, "last_reload_timestamp_seconds",
	    "When it was told last.", view->last_reload_ms);
	gauge_seconds(out, "reload_cost_seconds",
	    "What that is taken to cost the broker.",
	    view->reload_cost_us / 1000);
}

static void
add_canaries(const struct status_view *view, struct buf *out)
{
	enum canary_result result;
	enum canary canary;

	begin(out, "canary", "gauge",
	    "1 for what became of a canary's last connection.");
	for (canary = 0; canary < CANARIES; canary++)
		for (result = 0; result < CANARY_RESULTS; result++)
			buf_add_fmt(out,
			    PREFIX "canary{canary=\"%s\",result=\"%s\"} %d\n",
			    canary_name(canary), canary_result_name(result),
			    view->canary[canary] == result ? 1 : 0);
	begin(out, "canary_timestamp_seconds", "gauge", "When that was.");
	for (canary = 0; canary < CANARIES; canary++)
		buf_add_fmt(out,
		    PREFIX "canary_timestamp_seconds{canary=\"%s\"} %" PRId64
			   "\n",
		    canary_name(canary), view->canary_ms[canary] / 1000);
}

void
report_metrics(const struct status_view *view, int64_t now_ms, struct buf *out)
{
	enum refusal why;
	enum alarm alarm;

	add_state(view, now_ms, out);
	add_crls(view, now_ms, out);
	begin(out, "refused_total", "counter",
	    "Files that were not taken, once a change, by reason.");
	for (why = 0; why < REFUSALS; why++)
		buf_add_fmt(out,
		    PREFIX "refused_total{reason=\"%s\"} %" PRIu64 "\n",
		    refusal_name(why), view->refused[why]);
	add_broker(view, out);
	add_canaries(view, out);
	begin(out, "alarm", "gauge", "1 when somebody must look.");
	for (alarm = 0; alarm < ALARMS; alarm++)
		buf_add_fmt(out, PREFIX "alarm{alarm=\"%s\"} %d\n",
		    alarm_name(alarm), view->alarm[alarm] ? 1 : 0);
	gauge_seconds(
	    out, "timestamp_seconds", "When this was written.", now_ms);
}

/* ---------------------------------------------------------------- health */

void
report_health(const struct status_view *view, int64_t now_ms, struct buf *out)
{
	enum alarm alarm;

	buf_add_fmt(out, HEALTH_FIRST "time %" PRId64 "\n", now_ms);
	if (view->have_state)
		buf_add_fmt(out, "state %" PRIu64 " %" PRId64 "\n",
		    view->sequence, view->state_time_ms);
	for (alarm = 0; alarm < ALARMS; alarm++)
		if (view->alarm[alarm])
			buf_add_fmt(out, "alarm %s: %s\n", alarm_name(alarm),
			    view->alarm_text[alarm]);
	buf_add_str(out, HEALTH_LAST);
}

/* The number behind a name at the beginning of a line; -1: there is none. */
static int64_t
find_number(const char *text, const char *name, int field)
{
	const char *at = strstr(text, name);
	int64_t value;
	char *end;

	if (at == NULL)
		return -1;
	for (at += strlen(name);; at = end) {
		value = strtoll(at, &end, 10);
		if (end == at)
			return -1;
		if (field-- == 0)
			return value;
	}
}

/* All alarms, one after the other. */
static size_t
add_alarms(const char *text, struct buf *line)
{
	size_t count = 0, len;
	const char *at = text;

	while ((at = strstr(at, "\nalarm ")) != NULL) {
		at += strlen("\nalarm ");
		len = strcspn(at, "\n");
		buf_add_str(line, count++ == 0 ? "alarm: " : "; ");
		buf_add(line, at, len);
	}
	return count;
}

enum health
report_judge(const char *text, int64_t now_ms, struct buf *line)
{
	int64_t time_ms = find_number(text, "\ntime ", 0);
	int64_t sequence = find_number(text, "\nstate ", 0);
	int64_t age_ms = now_ms - find_number(text, "\nstate ", 1);
	size_t len = strlen(text);

	if (strncmp(text, HEALTH_FIRST, strlen(HEALTH_FIRST)) != 0 ||
	    len < strlen(HEALTH_LAST) ||
	    strcmp(text + len - strlen(HEALTH_LAST), HEALTH_LAST) != 0 ||
	    time_ms < 0) {
		buf_add_str(line, "unknown: its report can't be read");
		return HEALTH_UNKNOWN;
	}
	if (now_ms - time_ms > REPORT_HEALTH_MAX_MS ||
	    time_ms - now_ms > REPORT_HEALTH_MAX_MS) {
		buf_add_fmt(line,
		    "unknown: pappus-brokerd last reported %" PRId64
		    " seconds ago",
		    (now_ms - time_ms) / 1000);
		return HEALTH_UNKNOWN;
	}
	if (add_alarms(text, line) > 0)
		return HEALTH_ALARM;
	if (sequence < 0) {
		buf_add_str(line, "unknown: there is no deny-list yet");
		return HEALTH_UNKNOWN;
	}
	/* Should it be hung and yet report. */
	if (age_ms > REPORT_STATE_MAX_MS) {
		buf_add_fmt(line,
		    "alarm: the deny-list was last confirmed %" PRId64
		    " seconds ago",
		    age_ms / 1000);
		return HEALTH_ALARM;
	}
	buf_add_fmt(line,
	    "fine: sequence %" PRId64 ", confirmed %" PRId64 " seconds ago",
	    sequence, age_ms / 1000);
	return HEALTH_FINE;
}
