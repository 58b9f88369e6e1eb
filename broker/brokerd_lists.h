/* SPDX-License-Identifier: ISC */
/* The CRLs that are held, one a CA; of the thread that keeps them. */
#ifndef PAPPUS_BROKERD_LISTS_H
#define PAPPUS_BROKERD_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/brokerd.h"
#include "broker/brokerd_crl_file.h"
#include "broker/brokerd_fetch.h"
#include "broker/brokerd_trust.h"

/* A CA's list, and what we are about to do about the next one. */
struct list {
	char ski[FEED_SKI_LEN + 1];
	char name[FEED_NAME_LEN + 1];
	struct file_map *map; /* NULL: none yet */
	uint64_t number;
	int64_t this_update; /* unix seconds */
	int64_t next_update;
	uint64_t entries;
	int64_t again_at;		   /* of clock_mono_us */
	char failed[FEED_NAME_LEN + 1];	   /* what could not be taken last */
	unsigned int failures;		   /* one after the other */
	int64_t retry_at;		   /* then it is tried again */
	char held_back[FEED_NAME_LEN + 1]; /* good, but not yet valid */
	int64_t valid_from;		   /* unix seconds */
};

/* What hosts serve for a CA that is newer than what we hold. */
struct list_offer {
	uint64_t number;
	char name[FEED_NAME_LEN + 1];
	bool host[BROKERD_HOSTS_MAX]; /* who has it */
};

struct lists {
	struct brokerd *b;
	struct fetch *fetch;
	struct issuers *issuers;
	struct list *item; /* FEED_CRLS_MAX of them */
	size_t count;
	struct crl_file *file; /* NULL: nobody wants one */
	struct {
		unsigned int failures;
		int64_t retry_at; /* of clock_mono_us */
	} host[BROKERD_HOSTS_MAX];
	bool restored;
	bool dirty; /* the folder's state names one that is gone */
};

/* ------------------------------------------------- brokerd_lists_offers.c */

/*
 * Look at what all hosts serve for a CA.  True with the greatest number, when
 * it is beyond the list's.  A host whose state is no older than ours and
 * that serves a smaller number, or other octets under the same one, is refused
 * in the log.
 */
bool lists_find_offer(
    struct lists *lists, const struct list *list, struct list_offer *out);

/* Refuse, in the log, CRLs of CAs that our deny-list doesn't have. */
void lists_refuse_foreign(struct lists *lists);

/* ------------------------------------------------- brokerd_lists_update.c */

/*
 * Fetch, verify and install what is offered, from whoever has it, unless it is
 * too early for that.
 */
void lists_take_offer(struct lists *lists, struct list *list,
    const struct issuer *issuer, const struct list_offer *offer);

/* Hold a list that was read, whose map is taken over; the old is let go of. */
void lists_hold(struct list *list, const struct crl_read *crl, const char *name,
    struct file_map *map);

/* Say why one was not taken. */
void lists_refuse(struct lists *lists, const char *from, const char *ski,
    const char *name, enum refusal why, const struct err *err);

/* Write into the state of the folder what is held now. */
bool lists_put(struct lists *lists, struct err *err);

/* ------------------------------------------------ brokerd_lists_restore.c */

/*
 * Take over the lists in the folder that its state names, whatever the clock
 * says: they were good when they were installed.  What is missing there is
 * looked for in the broker's file.
 */
void lists_restore(struct lists *lists);

/* --------------------------------------------------------- brokerd_lists.c */

/* A CA's list; NULL: there is none. */
struct list *lists_find(struct lists *lists, const char *ski);

/* "crl" and the SKI: what a list is called in the log. */
enum { LISTS_WHAT_LEN = 4 + FEED_SKI_LEN };
void lists_what(const char *ski, char out[LISTS_WHAT_LEN + 1]);

#endif
