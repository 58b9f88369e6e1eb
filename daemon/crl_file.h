/* SPDX-License-Identifier: ISC */
/*
 * A CA's CRL as a file: written from its list, read back, checked as a reader
 * would, and put where it is looked for.
 */
#ifndef PAPPUS_DAEMON_CRL_FILE_H
#define PAPPUS_DAEMON_CRL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "cert/crl_read.h"
#include "daemon/ca.h"
#include "daemon/front.h"
#include "daemon/keys.h"
#include "daemon/lists.h"
#include "daemon/store.h"

/*
 * Write the list of a CA as the CRL that crl describes, into feed/ but not in
 * place yet: with keys it is signed and crl gets signature, sha256 and
 * entries; without (NULL) it has the signature of crl, and ERR_MISMATCH is
 * that its SHA-256 isn't the recorded one.
 */
bool crl_file_write(struct store *store, struct ca *ca, const struct keys *keys,
    struct publication_crl *crl, struct store_file *file, struct err *err);

/*
 * Read it back: whether the CA has signed it, number, times, address and
 * entries are what they should be, and nothing was lost that is published
 * here, before its time.
 */
bool crl_file_check(struct store *store, struct lists *lists, struct ca *ca,
    const struct publication_crl *crl, const struct store_file *file,
    struct err *err);

/*
 * Put it in place: in feed/ by its name, at the CA's address, into the state.
 * The PEM beside it, which takes longer, comes last.  The file is closed in any
 * case.  When it fails halfway, crl_file_finish does the rest.
 */
bool crl_file_publish(struct store *store, struct front *front, struct ca *ca,
    const struct publication_crl *crl, struct store_file *file,
    struct err *err);

/* Tell of a list that was read: all of out but its name in feed/. */
void crl_file_describe(const struct crl_read *read, struct published *out);

/* What is left to do of it: nothing, as a rule. */
bool crl_file_finish(
    struct store *store, struct front *front, struct ca *ca, struct err *err);

/* A root's list as its ceremony made it: check it, and publish it. */
bool crl_file_publish_root(
    struct store *store, struct front *front, struct ca *ca, struct err *err);

/*
 * Find out what an earlier life has published of a CA, at its address or in
 * feed/: what is whole and of that CA counts.
 */
void crl_file_find(struct store *store, struct front *front, struct ca *ca);

/*
 * Write one PEM file of the CRLs of all CAs that are not revoked, and name it
 * in the state.
 */
bool crl_file_combine(struct store *store, struct front *front,
    const struct cas *cas, struct err *err);

#endif
