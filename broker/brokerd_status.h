/* SPDX-License-Identifier: ISC */
/*
 * What pappus-brokerd knows of itself: the source of the metrics file, of
 * --health, and of the lines in the log that come once per change.  Used by
 * all threads.
 */
#ifndef PAPPUS_BROKERD_STATUS_H
#define PAPPUS_BROKERD_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "encoding/feed.h"

enum {
	STATUS_DETAIL_MAX = 200,
	STATUS_HOSTS_MAX = 8,
	STATUS_SKEW_US = 60000000 /* so long does a measurement count */
};

/* Why a file that was served is not taken. */
enum refusal {
	REFUSED_UNREACHABLE, /* no connection, no answer in time, cut short */
	REFUSED_TLS,	     /* the server is not who it should be */
	REFUSED_HTTP,	     /* another status than 200, redirects too */
	REFUSED_TOO_LARGE,
	REFUSED_DIGEST,	   /* not the octets that the state names */
	REFUSED_MALFORMED, /* empty, cut, of another kind */
	REFUSED_MISMATCH,  /* good in itself, but not what belongs there */
	REFUSED_FOREIGN,   /* of a CA that we don't know or trust */
	REFUSED_SIGNATURE,
	REFUSED_NUMBER, /* an older list */
	REFUSED_IDP,
	REFUSED_EXPIRED,
	REFUSED_NOT_YET_VALID, /* by our clock: held back */
	REFUSED_LOCAL,	       /* good, but it can't be written here */
	REFUSALS
};

/* What somebody must look at. */
enum alarm {
	ALARM_NO_STATE,	     /* there is no list at all */
	ALARM_STATE_OLD,     /* the list was last confirmed over an hour ago */
	ALARM_CLOCK,	     /* ours or the feed's is wrong */
	ALARM_CANNOT_WRITE,  /* the folder or the disk */
	ALARM_CRL_HELD_BACK, /* a list that is not yet valid by our clock */
	ALARM_CRL_EXPIRES,   /* in less than a day, or has */
	ALARM_CRL_MISSING,   /* a CA whose clients the broker will refuse */
	ALARM_CRL_FILE,	     /* holds a list that should be gone */
	ALARM_BROKER,	     /* can't be told to read its lists again */
	ALARM_CANARY_GOOD,
	ALARM_CANARY_REVOKED,
	ALARMS
};

enum canary { CANARY_GOOD, CANARY_REVOKED, CANARIES };

/* What became of a canary's connection. */
enum canary_result {
	CANARY_UNKNOWN, /* not tried yet */
	CANARY_ACCEPTED,
	CANARY_REFUSED,
	CANARY_FAILED, /* the broker was not reached, or is not ours */
	CANARY_RESULTS
};

/* One CRL that we hold. */
struct status_crl {
	char ski[FEED_SKI_LEN + 1];
	uint64_t number;
	int64_t this_update; /* unix seconds */
	int64_t next_update;
	uint64_t entries;
};

/* Everything at one moment; large, hence never on the stack of a thread. */
struct status_view {
	bool have_state;
	uint64_t sequence;
	int64_t state_time_ms; /* unix milliseconds, as all _ms */
	int64_t last_success_ms;
	bool have_skew;
	int64_t skew_ms; /* a host's clock less ours, the largest of late */
	struct status_crl crl[FEED_CRLS_MAX];
	size_t crl_count;
	uint64_t refused[REFUSALS];
	uint64_t hooks_run;
	uint64_t hooks_failed;
	uint64_t hooks_waiting;
	uint64_t reloads;
	int64_t reload_cost_us;
	int64_t last_reload_ms;
	enum canary_result canary[CANARIES];
	int64_t canary_ms[CANARIES]; /* when it was last tried */
	bool alarm[ALARMS];
	char alarm_text[ALARMS][STATUS_DETAIL_MAX];
};

struct status;

struct status *status_new(void);
void status_free(struct status *status);

/* A copy of it all, at that moment of clock_mono_us. */
void status_view(
    struct status *status, int64_t now_us, struct status_view *out);

/*
 * A file was refused: from where (a URL, or NULL), what it was for ("state",
 * "deny-base", "crl <SKI>"), its name (or ""), and why.  Counted, and logged,
 * when it was last taken, or refused for another reason or under another name.
 */
void status_refuse(struct status *status, const char *from, const char *what,
    const char *name, enum refusal why, const char *detail);

/* It was taken; logged when it had been refused. */
void status_accept(struct status *status, const char *from, const char *what);

/* Whether something is refused for that at present; *detail says it. */
bool status_refuses(
    struct status *status, enum refusal why, char detail[STATUS_DETAIL_MAX]);

/*
 * Set an alarm, with a printf-like line for --health, or take it back; each
 * change is logged.  A line that differs is no change.
 */
void status_alarm(struct status *status, enum alarm alarm, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void status_quiet(struct status *status, enum alarm alarm);

/* The facts. */
void status_set_state(struct status *status, uint64_t sequence, int64_t ms);
void status_set_success(struct status *status, int64_t now_ms);
void status_set_skew(
    struct status *status, size_t host, int64_t skew_ms, int64_t now_us);
void status_set_crls(
    struct status *status, const struct status_crl *crl, size_t count);
void status_add_hooks(struct status *status, uint64_t run, uint64_t failed);
void status_set_hooks_waiting(struct status *status, uint64_t waiting);
void status_set_reload(struct status *status, int64_t cost_us, int64_t now_ms);
void status_set_canary(struct status *status, enum canary canary,
    enum canary_result result, int64_t now_ms);

/* "digest", "state-old", "revoked", "accepted". */
const char *refusal_name(enum refusal why);
const char *alarm_name(enum alarm alarm);
const char *canary_name(enum canary canary);
const char *canary_result_name(enum canary_result result);

#endif
