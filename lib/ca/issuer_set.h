/* SPDX-License-Identifier: ISC */
/*
 * The sub-CAs that this worker can sign with: those registered as issuing in
 * the database whose keys are in its folder.  Looked up again now and then,
 * so that a new sub-CA needs no restart.
 */
#ifndef PAPPUS_CA_ISSUER_SET_H
#define PAPPUS_CA_ISSUER_SET_H

#include <stdbool.h>

#include "base/err.h"
#include "ca/issue.h"
#include "world/db.h"

struct issuer_set;

/* One state of the set; it stays as it is while somebody holds it. */
struct issuer_list;

/*
 * A set that is empty until its first refresh.  The folder's keys are loaded
 * once here, so that bad ones are an error at start.  Both strings are kept,
 * passphrase_file may be NULL.
 */
struct issuer_set *issuer_set_new(
    const char *dir, const char *passphrase_file, struct err *err);
void issuer_set_free(struct issuer_set *set);

/*
 * Look up what is registered when the last look is ten seconds old, or one
 * second after issuer_set_expire; until deadline (of clock_mono_us) at most.
 * For the one thread that has the database.
 * False: the database gave no answer and there is no earlier state.
 */
bool issuer_set_refresh(
    struct issuer_set *set, struct db *db, int64_t deadline);

/* Have the next refresh look again soon: something was missing. */
void issuer_set_expire(struct issuer_set *set);

/* Hold the present state; NULL before the first refresh. */
struct issuer_list *issuer_set_hold(struct issuer_set *set);
void issuer_list_release(struct issuer_list *list);

/* The ids of the list's issuers, as an array literal for PostgreSQL. */
const char *issuer_list_ids(const struct issuer_list *list);

/* An issuer by its id, or NULL. */
const struct issuer *issuer_list_find(const struct issuer_list *list, int id);

/* All registered roots as PEM: what devices verify a broker with. */
const char *issuer_list_roots_pem(const struct issuer_list *list);

#endif
