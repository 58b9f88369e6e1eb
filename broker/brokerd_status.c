/* SPDX-License-Identifier: ISC */
/* What is known: see brokerd_status.h. */
#include "broker/brokerd_status.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { WHAT_MAX = 64, FROM_MAX = 256, COMPLAINTS_MAX = 1024 };

/* What is refused at present, so that it is said once. */
struct complaint {
	char from[FROM_MAX];
	char what[WHAT_MAX];
	char name[FEED_NAME_LEN + 1];
	char detail[STATUS_DETAIL_MAX];
	enum refusal why;
};

struct status {
	pthread_mutex_t lock;
	struct status_view now;
	struct {
		bool known;
		int64_t ms;
		int64_t at; /* of clock_mono_us */
	} skew[STATUS_HOSTS_MAX];
	struct complaint *complaints;
	size_t complaint_count;
};

static const char *const refusal_names[REFUSALS] = {
    [REFUSED_UNREACHABLE] = "unreachable",
    [REFUSED_TLS] = "tls",
    [REFUSED_HTTP] = "http",
    [REFUSED_TOO_LARGE] = "too-large",
    [REFUSED_DIGEST] = "digest",
    [REFUSED_MALFORMED] = "malformed",
    [REFUSED_MISMATCH] = "mismatch",
    [REFUSED_FOREIGN] = "foreign",
    [REFUSED_SIGNATURE] = "signature",
    [REFUSED_NUMBER] = "number",
    [REFUSED_IDP] = "idp",
    [REFUSED_EXPIRED] = "expired",
    [REFUSED_NOT_YET_VALID] = "not-yet-valid",
    [REFUSED_LOCAL] = "local",
};

static const char *const alarm_names[ALARMS] = {
    [ALARM_NO_STATE] = "no-state",
    [ALARM_STATE_OLD] = "state-old",
    [ALARM_CLOCK] = "clock",
    [ALARM_CANNOT_WRITE] = "cannot-write",
    [ALARM_CRL_HELD_BACK] = "crl-held-back",
    [ALARM_CRL_EXPIRES] = "crl-expires",
    [ALARM_CRL_MISSING] = "crl-missing",
    [ALARM_CRL_FILE] = "crl-file",
    [ALARM_BROKER] = "broker",
    [ALARM_CANARY_GOOD] = "canary-good",
    [ALARM_CANARY_REVOKED] = "canary-revoked",
};

static const char *const canary_names[CANARIES] = {
    [CANARY_GOOD] = "good",
    [CANARY_REVOKED] = "revoked",
};

static const char *const result_names[CANARY_RESULTS] = {
    [CANARY_UNKNOWN] = "unknown",
    [CANARY_ACCEPTED] = "accepted",
    [CANARY_REFUSED] = "refused",
    [CANARY_FAILED] = "failed",
};

const char *
refusal_name(enum refusal why)
{
	return refusal_names[why];
}

const char *
alarm_name(enum alarm alarm)
{
	return alarm_names[alarm];
}

const char *
canary_name(enum canary canary)
{
	return canary_names[canary];
}

const char *
canary_result_name(enum canary_result result)
{
	return result_names[result];
}

struct status *
status_new(void)
{
	struct status *status = calloc(1, sizeof(*status));

	if (status == NULL)
		abort();
	status->complaints = calloc(COMPLAINTS_MAX, sizeof(struct complaint));
	if (status->complaints == NULL)
		abort();
	pthread_mutex_init(&status->lock, NULL);
	return status;
}

void
status_free(struct status *status)
{
	if (status == NULL)
		return;
	pthread_mutex_destroy(&status->lock);
	free(status->complaints);
	free(status);
}

/* Of several hosts, the one that is off most: the alarm must not flicker. */
static void
view_skew(const struct status *status, int64_t now_us, struct status_view *out)
{
	int64_t ms;
	size_t i;

	out->have_skew = false;
	out->skew_ms = 0;
	for (i = 0; i < STATUS_HOSTS_MAX; i++) {
		if (!status->skew[i].known ||
		    now_us - status->skew[i].at > STATUS_SKEW_US)
			continue;
		ms = status->skew[i].ms;
		if (!out->have_skew || llabs(ms) > llabs(out->skew_ms))
			out->skew_ms = ms;
		out->have_skew = true;
	}
}

void
status_view(struct status *status, int64_t now_us, struct status_view *out)
{
	pthread_mutex_lock(&status->lock);
	*out = status->now;
	view_skew(status, now_us, out);
	pthread_mutex_unlock(&status->lock);
}

/* ------------------------------------------------------------- refusals */

/* The complaint about a thing; NULL when there is none. */
static struct complaint *
find(struct status *status, const char *from, const char *what)
{
	struct complaint *c;
	size_t i;

	for (i = 0; i < status->complaint_count; i++) {
		c = &status->complaints[i];
		if (strncmp(c->from, from, FROM_MAX - 1) == 0 &&
		    strncmp(c->what, what, WHAT_MAX - 1) == 0)
			return c;
	}
	return NULL;
}

/* Note a refusal; false when the very same was noted already. */
static bool
note(struct status *status, const char *from, const char *what,
    const char *name, enum refusal why, const char *detail)
{
	struct complaint *c = find(status, from, what);

	if (c != NULL && c->why == why && strcmp(c->name, name) == 0)
		return false;
	/* When there is no room, the oldest is forgotten and said again. */
	if (c == NULL && status->complaint_count == COMPLAINTS_MAX)
		c = &status->complaints[0];
	if (c == NULL)
		c = &status->complaints[status->complaint_count++];
	snprintf(c->from, sizeof(c->from), "%s", from);
	snprintf(c->what, sizeof(c->what), "%s", what);
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->detail, sizeof(c->detail), "%s", detail);
	c->why = why;
	status->now.refused[why]++;
	return true;
}

void
status_refuse(struct status *status, const char *from, const char *what,
    const char *name, enum refusal why, const char *detail)
{
	const struct log_field fields[] = {
	    LOG_S("from", from),
	    LOG_S("what", what),
	    LOG_S("name", *name == '\0' ? NULL : name),
	    LOG_S("reason", refusal_names[why]),
	    LOG_S("msg", detail),
	    {.type = LOG_END},
	};
	bool changed;

	pthread_mutex_lock(&status->lock);
	changed =
	    note(status, from == NULL ? "" : from, what, name, why, detail);
	pthread_mutex_unlock(&status->lock);
	if (changed)
		log_event(LOG_LEVEL_WARN, "refused", fields);
}

void
status_accept(struct status *status, const char *from, const char *what)
{
	const struct log_field fields[] = {
	    LOG_S("from", from),
	    LOG_S("what", what),
	    {.type = LOG_END},
	};
	struct complaint *c;

	pthread_mutex_lock(&status->lock);
	c = find(status, from == NULL ? "" : from, what);
	if (c != NULL)
		*c = status->complaints[--status->complaint_count];
	pthread_mutex_unlock(&status->lock);
	if (c != NULL)
		log_event(LOG_LEVEL_INFO, "accepted", fields);
}

bool
status_refuses(
    struct status *status, enum refusal why, char detail[STATUS_DETAIL_MAX])
{
	bool found = false;
	size_t i;

	pthread_mutex_lock(&status->lock);
	for (i = 0; !found && i < status->complaint_count; i++) {
		found = status->complaints[i].why == why;
		if (found)
			memcpy(detail, status->complaints[i].detail,
			    STATUS_DETAIL_MAX);
	}
	pthread_mutex_unlock(&status->lock);
	return found;
}

/* --------------------------------------------------------------- alarms */

/* A text that is one line, whoever it came from. */
static void
copy_line(char out[STATUS_DETAIL_MAX], const char *text)
{
	snprintf(out, STATUS_DETAIL_MAX, "%s", text);
	for (; *out != '\0'; out++)
		if ((unsigned char)*out < ' ')
			*out = ' ';
}

static void
set_alarm(struct status *status, enum alarm alarm, bool on, const char *text)
{
	const struct log_field fields[] = {
	    LOG_S("alarm", alarm_names[alarm]),
	    LOG_S("msg", text),
	    {.type = LOG_END},
	};
	bool changed;

	pthread_mutex_lock(&status->lock);
	changed = status->now.alarm[alarm] != on;
	status->now.alarm[alarm] = on;
	copy_line(status->now.alarm_text[alarm], text);
	pthread_mutex_unlock(&status->lock);
	if (changed)
		log_event(on ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		    on ? "alarm" : "alarm-over", fields);
}

void
status_alarm(struct status *status, enum alarm alarm, const char *fmt, ...)
{
	char text[STATUS_DETAIL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	set_alarm(status, alarm, true, text);
}

void
status_quiet(struct status *status, enum alarm alarm)
{
	set_alarm(status, alarm, false, "");
}

/* ---------------------------------------------------------------- facts */

void
status_set_state(struct status *status, uint64_t sequence, int64_t ms)
{
	pthread_mutex_lock(&status->lock);
	status->now.have_state = true;
	status->now.sequence = sequence;
	status->now.state_time_ms = ms;
	pthread_mutex_unlock(&status->lock);
}

void
status_set_success(struct status *status, int64_t now_ms)
{
	pthread_mutex_lock(&status->lock);
	status->now.last_success_ms = now_ms;
	pthread_mutex_unlock(&status->lock);
}

void
status_set_skew(
    struct status *status, size_t host, int64_t skew_ms, int64_t now_us)
{
	pthread_mutex_lock(&status->lock);
	status->skew[host].known = true;
	status->skew[host].ms = skew_ms;
	status->skew[host].at = now_us;
	pthread_mutex_unlock(&status->lock);
}

void
status_set_crls(
    struct status *status, const struct status_crl *crl, size_t count)
{
	pthread_mutex_lock(&status->lock);
	memcpy(status->now.crl, crl, count * sizeof(*crl));
	status->now.crl_count = count;
	pthread_mutex_unlock(&status->lock);
}

void
status_add_hooks(struct status *status, uint64_t run, uint64_t failed)
{
	pthread_mutex_lock(&status->lock);
	status->now.hooks_run += run;
	status->now.hooks_failed += failed;
	pthread_mutex_unlock(&status->lock);
}

void
status_set_hooks_waiting(struct status *status, uint64_t waiting)
{
	pthread_mutex_lock(&status->lock);
	status->now.hooks_waiting = waiting;
	pthread_mutex_unlock(&status->lock);
}

void
status_set_reload(struct status *status, int64_t cost_us, int64_t now_ms)
{
	pthread_mutex_lock(&status->lock);
	status->now.reloads++;
	status->now.reload_cost_us = cost_us;
	status->now.last_reload_ms = now_ms;
	pthread_mutex_unlock(&status->lock);
}

void
status_set_canary(struct status *status, enum canary canary,
    enum canary_result result, int64_t now_ms)
{
	pthread_mutex_lock(&status->lock);
	status->now.canary[canary] = result;
	status->now.canary_ms[canary] = now_ms;
	pthread_mutex_unlock(&status->lock);
}
