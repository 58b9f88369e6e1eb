/* SPDX-License-Identifier: ISC */
/* The two files of the deny-list, as they are written into feed/. */
#ifndef PAPPUS_DAEMON_DENY_FILE_H
#define PAPPUS_DAEMON_DENY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/board.h"
#include "daemon/delta.h"
#include "daemon/lists.h"
#include "daemon/store.h"
#include "encoding/denylist.h"
#include "request/publication.h"
#include "world/db.h"

/*
 * The issuers that brokers take clients from, and the other CAs whose CRLs
 * they need: all but those that are revoked.  The result points into issuers.
 */
size_t deny_issuers(const struct publication_issuer *issuers, size_t n,
    struct denylist_issuer out[DENYLIST_ISSUERS_MAX]);

/*
 * Write the delta that leads from its base to a sequence, and say its name.
 * now_ms is the wall's.
 */
bool deny_write_delta(struct store *store, struct delta *delta, uint64_t from,
    uint64_t to, int64_t now_ms, const struct denylist_issuer *issuers,
    size_t n, char name[FEED_NAME_LEN + 1], struct err *err);

/*
 * Write a base as of the lists' sequence: serials are theirs, devices are read
 * from the database.  base gets all but its generation.
 */
bool deny_write_base(struct store *store, const struct lists *lists,
    struct db *db, int64_t now_ms, struct board_base *base, struct err *err);

/*
 * How many devices and serials of the published deny-list, given by its state,
 * are not in a base that was made of lists, though their certificates haven't
 * ended; *example is one of them, for the log.  Says 0 when what is published
 * can't be read.
 */
size_t deny_missing(struct store *store, const struct feed_state *published,
    const struct lists *lists, const struct board_base *base, char example[64]);

#endif
