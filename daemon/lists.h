/* SPDX-License-Identifier: ISC */
/*
 * What is revoked, in memory: a list per CA, as of one sequence.  Read from
 * the database as a stream, kept up to date by the changes that are claimed.
 *
 * A revoked serial whose issuer the database doesn't know is in every list:
 * whoever reported it may have meant any of them.
 */
#ifndef PAPPUS_DAEMON_LISTS_H
#define PAPPUS_DAEMON_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ca.h"
#include "encoding/denylist.h"
#include "world/db.h"

struct lists {
	struct cas *cas;
	bool loaded;
	bool torn;		/* changes were applied in part */
	int64_t sequence;	/* what they are as of */
	struct crl_list *stray; /* those without an issuer */
};

enum lists_result {
	LISTS_DONE,
	LISTS_FAILED,  /* the database doesn't answer, or it is logged */
	LISTS_ISSUERS, /* a CA that isn't known: read them again first */
	LISTS_PRUNED   /* that is too long ago: load */
};

/* What a load found otherwise than it should have been. */
struct lists_found {
	size_t entries;
	size_t differences; /* from what was kept in memory */
};

void lists_init(struct lists *lists, struct cas *cas);
void lists_free(struct lists *lists);

/*
 * Read all as of a sequence, without what had ended for the last recorded CRL
 * of each; but with all that hasn't by now (unix seconds), whatever a clock
 * that was ahead has recorded.  What was there before is compared, when it is
 * of the same sequence, and replaced; when it fails, all is as before.
 */
enum lists_result lists_load(struct lists *lists, struct db *db, int64_t as_of,
    int64_t now, struct lists_found *found);

/* Apply what was claimed since, up to a sequence. */
enum lists_result lists_follow(
    struct lists *lists, struct db *db, int64_t upto);

/* Give CAs that are new the list that they need. */
void lists_take_cas(struct lists *lists);

/*
 * Leave out what ended before a moment and remember which it was, until
 * serials_clear(&ca->gone).
 */
void lists_expire(struct ca *ca, int64_t before);

/*
 * Whether an entry may be missing from a CA's list though it was published: it
 * has ended, or turned out to be another CA's.  A crl_gone_fn; ctx is a struct
 * lists_gone.
 */
struct lists_gone {
	struct lists *lists;
	struct ca *ca;
};
bool lists_is_gone(void *ctx, const struct crl_item *item);

/*
 * Write all serials as a base's, each once and in order; the number is added
 * to *count.
 */
bool lists_write_serials(const struct lists *lists,
    struct denylist_writer *writer, size_t *count, struct err *err);

#endif
