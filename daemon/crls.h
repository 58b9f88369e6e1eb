/* SPDX-License-Identifier: ISC */
/* What the files of the CRLs' thread share: see crld.h. */
#ifndef PAPPUS_DAEMON_CRLS_H
#define PAPPUS_DAEMON_CRLS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ca.h"
#include "daemon/crld.h"
#include "daemon/lists.h"
#include "world/db.h"

#define SECOND_US INT64_C(1000000)

struct crls {
	const struct crld *d;
	struct db *db;
	struct cas cas;
	struct lists lists;
	struct board_work work;
	bool led; /* at the last step */

	bool known;	    /* the issuers are */
	int64_t issuers_us; /* clock_mono_us: when to read them again */
	int64_t keys_us;
	bool want_latest;  /* before anything is made */
	int64_t latest_us; /* not before that is asked what is recorded */
	int64_t load_us;   /* not before that */
	int64_t rebuild_us;
	int64_t base_us;    /* no base before that */
	bool want_load;	    /* what was recorded can't be made of the lists */
	int64_t load_as_of; /* then: as of which sequence */
	bool want_base;
	uint64_t generation;
	bool load_failing;
	bool base_failing;
	bool differed; /* the lists had gone astray, until the next load */

	bool combine; /* the PEM of all is not what is published */
	int64_t combine_us;
	int64_t combine_delay_us;
	bool combine_failing;

	bool too_many;	 /* CAs for the feed */
	bool folder_bad; /* the keys couldn't be loaded again */
};

/*
 * Read the issuers again when it is time to: new ones get their paths, their
 * certificates are published, what earlier lives published is found.  False
 * while none are known.
 */
bool crls_issuers(struct crls *s);

/* Look whether keys are there and whether CRLs are about to end. */
void crls_look(struct crls *s);

/* Publish what is recorded or comes from a root and isn't published here. */
void crls_publish(struct crls *s, struct ca *ca);

/* Whether a CA's next CRL is due; if only later, *when says when. */
bool crls_is_due(const struct crls *s, const struct ca *ca, int64_t *when);

/* Make, record and publish a CA's next CRL. */
void crls_make(struct crls *s, struct ca *ca);

/* Write the PEM of all CRLs when one of them has changed. */
void crls_combine(struct crls *s);

#endif
