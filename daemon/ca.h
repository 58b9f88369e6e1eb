/* SPDX-License-Identifier: ISC */
/*
 * The CAs as the thread of the lists knows them: what the database says of
 * each, the list of what it revoked, what was recorded of its CRLs and what of
 * that is published here.
 */
#ifndef PAPPUS_DAEMON_CA_H
#define PAPPUS_DAEMON_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "cert/crl_list.h"
#include "daemon/url_path.h"
#include "encoding/feed.h"
#include "request/publication.h"

/* Serials, found by halving once they are sorted. */
struct serials {
	uint8_t (*list)[CRL_SERIAL_MAX];
	size_t count;
	size_t room;
	bool sorted;
};

void serials_add(struct serials *serials, const uint8_t serial[CRL_SERIAL_MAX]);
bool serials_have(
    struct serials *serials, const uint8_t serial[CRL_SERIAL_MAX]);
void serials_clear(struct serials *serials);

/* A CRL that is published on this host. */
struct published {
	uint64_t number; /* 0: none */
	int64_t this_update;
	int64_t next_update;
	uint64_t bytes;
	size_t entries;
	char name[FEED_NAME_LEN + 1]; /* in feed/ */
};

struct ca {
	int id;
	const struct publication_issuer *is; /* NULL: gone from the database */
	X509 *cert;			     /* NULL: unusable */
	char ski[FEED_SKI_LEN + 1];
	struct place place;

	/* NULL for roots, for what is revoked, and before the first load. */
	struct crl_list *list;
	int64_t expired_before; /* what ended earlier is not in it */
	struct serials gone;	/* ended since the published list */
	bool changed;		/* since the last CRL that was signed */
	bool rebuilt;		/* read anew from the database since then */

	struct publication_crl recorded;
	struct published published;
	bool finished;	  /* the state names it, and its PEM is there */
	int64_t tried;	  /* the recorded number that couldn't be made here */
	int64_t reloaded; /* ... for which all was read again */

	int64_t next_us;  /* clock_mono_us; no CRL before that */
	int64_t delay_us; /* after failures, doubling */
	bool failing;

	bool found; /* what an earlier life published has been looked for */
	bool good;  /* as it was last seen */
	bool key_missing; /* likewise */
	int64_t warned_s; /* wall, seconds: its CRL ends soon */
};

struct cas {
	struct ca **list; /* by id */
	size_t count;
	struct publication_issuer *issuers;
	size_t issuer_count;
};

/*
 * Take what the database says, which is then the cas'; CAs that were there
 * keep what they have.  One that is unusable is logged and as good as revoked.
 */
void cas_take(struct cas *cas, struct publication_issuer *issuers, size_t n);
void cas_free(struct cas *cas);

/* NULL when there is none. */
struct ca *cas_find(const struct cas *cas, int issuer_id);

/* A CA whose certificates brokers may meet: one that is not revoked. */
bool ca_is_good(const struct ca *ca);

/* Whether it is to have a list: good, and no root. */
bool ca_has_list(const struct ca *ca);

/*
 * Whether its last CRL is recorded, so that it needs no other: one that is
 * good until the CA itself ends.  A CRL that was made just before the CA was
 * closed is none, whatever the database takes it for.
 */
bool ca_is_final(const struct ca *ca);

#endif
