/* SPDX-License-Identifier: ISC */
/*
 * pappus recover: what its parts share.  pappus_recover.c is the command,
 * recover_text.c takes what people and devices kept; recover_crls.c,
 * recover_denylist.c and recover_feed.c take what pappus-crld had published.
 */
#ifndef PAPPUS_TOOLS_RECOVER_H
#define PAPPUS_TOOLS_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "tools/crl_file.h"
#include "tools/registered.h"
#include "world/db.h"

/* What the answers count: of setup_recover_certificates, of …_denials. */
enum { ADDED, KNOWN, DEVICES, CERTIFICATE_COUNTS };
enum { DENIED_DEVICES, DENIED_SERIALS, DENIED_ALREADY, DENIAL_COUNTS };

struct recovery {
	struct db *db;
	struct registered_list registered;
	struct crl_files lists; /* that were published */
	bool published;		/* something of that was given */
	struct buf chunk;	/* a JSON list, without its "]" */
	size_t chunk_len;
	size_t chunk_line; /* where its first item stands */
	int64_t certificates[CERTIFICATE_COUNTS];
	int64_t denials[DENIAL_COUNTS];
	size_t cas;	      /* certificates of CAs, which are not for us */
	size_t unknown;	      /* certificates whose issuer is not registered */
	size_t read_lists;    /* CRLs that were merged */
	size_t older_lists;   /* … that a later one stands for */
	size_t unknown_lists; /* … of issuers that are not registered */
	struct buf strangers; /* the SKIs that were complained of */
};

/* --- recover_chunk.c: what goes to the database at once ------------------- */

/* Begin an item of the chunk, a JSON object, that stands at a line. */
void recover_item(struct recovery *r, size_t line);

/*
 * Send what has gathered, if anything has, or only when it is enough.  path
 * and last say where it came from, for errors.
 */
bool recover_send(struct recovery *r, const char *path, size_t last,
    enum statement statement, struct err *err);
bool recover_send_full(struct recovery *r, const char *path, size_t last,
    enum statement statement, struct err *err);

/* --- recover_text.c --------------------------------------------------------
 */

/* A file of certificates, as PEM; of denials, as text. */
bool recover_certificates(
    struct recovery *r, const char *path, struct err *err);
bool recover_denials(struct recovery *r, const char *path, struct err *err);

/* --- recover_crls.c ---------------------------------------------------------
 */

/* Take the CRLs of a file, to be merged by recover_lists. */
bool recover_add_list(struct recovery *r, const char *path, struct err *err);

/* Merge the newest CRL of each CA. */
bool recover_lists(struct recovery *r, struct err *err);

/* --- recover_denylist.c ------------------------------------------------------
 */

/* Look at a base and its delta; merge them. */
bool recover_check_deny_list(
    const char *base, const char *delta, struct err *err);
bool recover_deny_list(
    struct recovery *r, const char *base, const char *delta, struct err *err);

/* --- recover_feed.c ----------------------------------------------------------
 */

/*
 * Look at a feed's folder and take the CRLs that its state names; merge its
 * deny-list.
 */
bool recover_add_feed(struct recovery *r, const char *dir, struct err *err);
bool recover_feed(struct recovery *r, const char *dir, struct err *err);

enum { RECOVER_PATH = 4096 };

/* A file in memory, as far as it is looked at; for recover_unmap. */
struct recover_mapping {
	void *data;
	size_t len;
};

bool recover_map(
    const char *path, struct recover_mapping *out, struct err *err);
void recover_unmap(struct recover_mapping *m);

/* --- recover_serials.c: revocations by arrays ------------------------------
 */

enum { RECOVER_SERIALS = 5000 };

/* Serials that go to the database at once. */
struct recover_serials {
	const char *path;
	const uint8_t *ski; /* of the CA that lists them; NULL: nobody knows */
	struct buf serials; /* array literals */
	struct buf reasons;
	struct buf times;
	size_t n;
	size_t first; /* the number of the first, from 1 */
};

/* Add one, sending what has gathered when it is enough; then the rest. */
bool recover_serial(struct recovery *r, struct recover_serials *s,
    const uint8_t serial[CRL_SERIAL_MAX], int reason, int64_t revoked_at,
    struct err *err);
bool recover_serials_end(
    struct recovery *r, struct recover_serials *s, struct err *err);
void recover_serials_free(struct recover_serials *s);

#endif
