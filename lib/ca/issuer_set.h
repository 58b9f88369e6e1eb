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
#include "ca/issuer_list.h"
#include "world/db.h"

struct issuer_set;

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
 * A bad key in the folder leaves the list as it was.
 * False: the database gave no answer, or the folder no keys, and there is no
 * earlier list.
 */
bool issuer_set_refresh(
    struct issuer_set *set, struct db *db, int64_t deadline);

/* Have the next refresh look again soon: something was missing. */
void issuer_set_expire(struct issuer_set *set);

/* Hold the present list, to issuer_list_release; NULL before the first. */
struct issuer_list *issuer_set_hold(struct issuer_set *set);

#endif
