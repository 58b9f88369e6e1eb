/* SPDX-License-Identifier: ISC */
/*
 * What is published of the database: the functions pappus.crl_… of
 * sql/0009_publish.sql, which pappus-crld calls.  Whatever changes what brokers
 * must know is a row in an outbox; the leader claims those that it sees, all
 * under one new sequence number.  What was revoked or denied *as of* a number
 * can be read in pages, without one transaction for all of them.
 *
 * The lease says who leads.  Its epoch goes up whenever it changes hands, and
 * each write names the epoch, so that a leader that slept can't write.
 *
 * Times are unix seconds unless they say otherwise.  What fails is logged here;
 * the loss of the database by lib/world/db, once.
 */
#ifndef PAPPUS_REQUEST_PUBLICATION_H
#define PAPPUS_REQUEST_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "encoding/name.h"
#include "world/db.h"

enum publication_result {
	PUBLICATION_DONE,
	PUBLICATION_LOST,     /* the lease is another's: nothing was written */
	PUBLICATION_OUTDATED, /* the CRL's number is not above the last */
	PUBLICATION_PRUNED,   /* that sequence is too long ago: load again */
	PUBLICATION_STOPPED,  /* a callback returned false */
	PUBLICATION_FAILED    /* no good answer; a write may or may not stand */
};

enum {
	PUBLICATION_SERIAL_LEN = 20, /* RFC 5280 §4.1.2.2 */
	PUBLICATION_SKI_MAX = 64,
	PUBLICATION_SIGNATURE_MAX = 512
};

/* ------------------------------------------------------------- the lease */

/* Who leads, and how far publishing has come. */
struct publication_status {
	int64_t epoch;
	char holder[128 + 1];
	int64_t expires_ms;    /* until the lease expires; below 0: it has */
	int64_t sequence;      /* the last that was claimed; 0: none yet */
	int64_t pruned;	       /* as of a lower sequence nothing can be read */
	int64_t unclaimed;     /* changes that wait, counted up to 10,000 */
	int64_t unclaimed_age; /* of the oldest of them; seconds */
};

enum publication_result publication_status(
    struct db *db, struct publication_status *out);

/*
 * Take the lease, or renew it, for so many seconds.  *epoch stays while it is
 * renewed in time.  LOST: another has it.  holder: at most 128 octets.
 */
enum publication_result publication_lease(
    struct db *db, const char *holder, int seconds, int64_t *epoch);

/* Give the lease up, so that another needn't wait. */
enum publication_result publication_release(struct db *db, int64_t epoch);

/* ----------------------------------------------------------- the changes */

/*
 * Number what has changed: at most max changes, in the order in which they
 * were made, under one new sequence number.  *sequence is then the last number,
 * which is as before when there was nothing, and *claimed how many got it;
 * as many as max: call again.
 *
 * published is the number that the caller has published last, or 0: a number
 * below it (the database was restored) is passed over, so that what is
 * published only grows.
 */
enum publication_result publication_claim(struct db *db, int64_t epoch,
    int64_t published, int max, int64_t *sequence, int64_t *claimed);

/* A certificate that is revoked or on hold. */
struct publication_entry {
	uint8_t serial[PUBLICATION_SERIAL_LEN]; /* zeros in front */
	int serial_len;				/* without them */
	int reason;				/* RFC 5280 §5.3.1 */
	int issuer_id;				/* 0: not known */
	int64_t not_after;			/* 0: not known */
	int64_t revoked_at;
};

enum publication_kind {
	PUBLICATION_CERTIFICATE,
	PUBLICATION_DEVICE,
	PUBLICATION_ISSUER
};

struct publication_change {
	int64_t sequence;
	enum publication_kind kind;

	/* PUBLICATION_CERTIFICATE.  before and after have the serial always. */
	bool was_revoked;
	bool is_revoked;
	struct publication_entry before; /* when it was revoked */
	struct publication_entry after;	 /* when it is */

	/* PUBLICATION_DEVICE */
	char device_id[NAME_MAX_LEN + 1];
	bool denied; /* now */

	/* PUBLICATION_ISSUER: read them again. */
	int issuer_id;
};

/* Takes what is read, one by one; false ends the reading. */
typedef bool publication_change_fn(
    void *ctx, const struct publication_change *change);
typedef bool publication_entry_fn(
    void *ctx, const struct publication_entry *entry);
typedef bool publication_device_fn(void *ctx, const char *device_id);

/*
 * All changes with a sequence above after and up to upto (of a claim or a
 * status), in their order.
 */
enum publication_result publication_changes(struct db *db, int64_t after,
    int64_t upto, publication_change_fn *fn, void *ctx);

/*
 * Everything that was revoked as of a sequence (of a claim or a status), in
 * the order of memcmp over serial_len octets: serials of one length are
 * sorted.  Those of expired certificates too.
 */
enum publication_result publication_entries(
    struct db *db, int64_t as_of, publication_entry_fn *fn, void *ctx);

/* Every device that was denied as of a sequence, in the order of ids. */
enum publication_result publication_devices(
    struct db *db, int64_t as_of, publication_device_fn *fn, void *ctx);

/*
 * Forget the changes up to below that were claimed more than an hour ago:
 * nobody reads as of then any more.
 */
enum publication_result publication_prune(
    struct db *db, int64_t epoch, int64_t below);

/* -------------------------------------------------------------- the CRLs */

/* A CRL that was signed, as it is recorded.  number 0: none yet. */
struct publication_crl {
	int issuer_id;
	int64_t number; /* RFC 5280 §5.2.3 */
	int64_t this_update;
	int64_t next_update;
	int64_t sequence;	/* its entries are as of this */
	int64_t expired_before; /* certificates that expired earlier are not
				   listed; RFC 5280 §3.3 */
	int64_t entries;
	bool final;	    /* made when the issuer was closed: the last */
	uint8_t sha256[32]; /* of the DER */
	uint8_t signature[PUBLICATION_SIGNATURE_MAX]; /* none for a root's */
	size_t signature_len;
};

/*
 * Record a signed CRL; final is the database's word.  Its number must be above
 * the last: OUTDATED otherwise, and *last says which that is.
 */
enum publication_result publication_record(struct db *db, int64_t epoch,
    const struct publication_crl *crl, int64_t *last);

/* The last CRL of each issuer that has one; *out is for free(). */
enum publication_result publication_latest(
    struct db *db, struct publication_crl **out, size_t *n);

enum publication_purpose {
	PUBLICATION_ROOT,
	PUBLICATION_FOR_DEVICES,
	PUBLICATION_FOR_SERVERS,
	PUBLICATION_FOR_SERVICES
};

enum publication_state {
	PUBLICATION_ISSUING,
	PUBLICATION_CRL_ONLY,
	PUBLICATION_CLOSED
};

struct publication_issuer {
	int id;
	int parent_id; /* 0: a root */
	enum publication_purpose purpose;
	enum publication_state state;
	int64_t revoked_at; /* when its root said so; 0: it has not */
	int64_t not_after;
	uint8_t ski[PUBLICATION_SKI_MAX];
	size_t ski_len;
	struct buf certificate; /* DER */
	char *crl_url;
	char *ca_url;
	struct publication_crl crl; /* the last */
	struct buf crl_der;	    /* a root's last; empty: none was given */
};

/* Every issuer, roots too, by id; for publication_issuers_free. */
enum publication_result publication_issuers(
    struct db *db, struct publication_issuer **out, size_t *n);
void publication_issuers_free(struct publication_issuer *issuers, size_t n);

#endif
