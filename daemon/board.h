/* SPDX-License-Identifier: ISC */
/*
 * What the threads of pappus-crld tell each other: the one that claims changes
 * and publishes the feed, the one that keeps the lists and makes CRLs, and the
 * one that waits for signals and writes metrics.  All else each has for
 * itself, its connection to the database too.
 */
#ifndef PAPPUS_DAEMON_BOARD_H
#define PAPPUS_DAEMON_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encoding/feed.h"

enum { BOARD_CRLS_MAX = FEED_CRLS_MAX };

/* A base of the deny-list, in feed/. */
struct board_base {
	uint64_t sequence; /* it is as of this */
	char name[FEED_NAME_LEN + 1];
	size_t items;
	uint64_t generation; /* 0: there is none yet */
};

/* What can be wrong; each is an alarm in the metrics. */
enum board_alarm {
	ALARM_DATABASE, /* it doesn't answer */
	ALARM_FEED,	/* a change could not be published */
	ALARM_LISTS,	/* the lists could not be read, or differed */
	ALARM_KEYS,	/* a CA's key is missing, or the folder unreadable */
	ALARM_PATHS,	/* an address that nothing can be published at */
	ALARM_CRLS,	/* a CRL could not be made or published */
	ALARM_STALE,	/* one will expire soon: a root's, before all */
	ALARM_MAX
};

/* A CA, for the metrics. */
struct board_crl {
	char ski[FEED_SKI_LEN + 1];
	int issuer_id;
	bool failing;
	uint64_t number; /* 0: none published */
	int64_t this_update;
	int64_t next_update;
	uint64_t bytes;
	size_t entries;
};

struct board_numbers {
	int64_t epoch; /* of the lease that this process has; 0: it has none */
	int64_t sequence;    /* the last that the database has claimed */
	int64_t unclaimed;   /* changes that wait */
	int64_t unclaimed_s; /* how long the oldest has */
	bool alarms[ALARM_MAX];
	struct board_crl crls[BOARD_CRLS_MAX];
	size_t crl_count;
};

struct board;

struct board *board_new(void);
void board_free(struct board *board);

/* The end: wakes all who wait. */
void board_stop(struct board *board);
bool board_stopping(struct board *board);

/* ------------------------------------------- the feed tells, the lists wait */

/* Who leads (0: not we) and the last sequence that was claimed. */
void board_lead(struct board *board, int64_t epoch);
void board_claimed(struct board *board, int64_t sequence);
/* How much waits to be claimed. */
void board_unclaimed(struct board *board, int64_t count, int64_t seconds);
/* There is a new issuer, or one has changed. */
void board_issuers_changed(struct board *board);
/* The delta has grown too long beside its base. */
void board_want_base(struct board *board);
/* The lists are to be read again, and a base made of them. */
void board_want_load(struct board *board);

/* What the lists' thread does next. */
struct board_work {
	int64_t epoch;
	int64_t sequence; /* below 0: not known yet */
	uint64_t issuers; /* how often they have changed */
	bool want_base;	  /* once, as the next */
	bool want_load;
};

/*
 * Wait until something of this has changed since it was last taken, or until
 * a moment of clock_mono_us.  False: it is the end.
 */
bool board_wait(struct board *board, int64_t until_us, struct board_work *work);

/* ------------------------------------------- the lists tell, the feed looks */

void board_put_base(struct board *board, const struct board_base *base);
void board_get_base(struct board *board, struct board_base *base);
/* The last CRL of a closed CA is out: the deny-list says so. */
void board_closed(struct board *board);
/* How often that was. */
uint64_t board_closed_count(struct board *board);

/* ------------------------------------------------------------- for metrics */

void board_alarm(struct board *board, enum board_alarm alarm, bool on);
void board_put_crls(
    struct board *board, const struct board_crl *crls, size_t n);
void board_numbers(struct board *board, struct board_numbers *out);
const char *board_alarm_name(enum board_alarm alarm);

#endif
