/* SPDX-License-Identifier: ISC */
/*
 * The sub-CAs as they stood at one moment: those that can sign here, being
 * registered as issuing with their keys at hand, and what devices of any need.
 * Read-only once made; many threads may hold it.
 */
#ifndef PAPPUS_CA_ISSUER_LIST_H
#define PAPPUS_CA_ISSUER_LIST_H

#include "ca/issue.h"
#include "ca/keystore.h"
#include "world/db.h"

struct issuer_list;

/*
 * Make a list of the rows of STATEMENT_ISSUERS, held once.  An issuer that
 * can't be used is left out and logged; so are the days that each has left.
 */
struct issuer_list *issuer_list_new(
    const struct db_rows *rows, const struct keystore *keys);

/* Hold it once more, and let go; the last one frees it.  NULL is fine. */
struct issuer_list *issuer_list_hold(struct issuer_list *list);
void issuer_list_release(struct issuer_list *list);

/* How many can sign. */
size_t issuer_list_count(const struct issuer_list *list);

/* The ids of those that can sign, as an array literal for PostgreSQL. */
const char *issuer_list_ids(const struct issuer_list *list);

/* One that can sign, by its id, or NULL. */
const struct issuer *issuer_list_find(const struct issuer_list *list, int id);

/* All registered roots as PEM: what devices verify a broker with. */
const char *issuer_list_roots_pem(const struct issuer_list *list);

/*
 * The certificates of a device sub-CA, which may have ceased to issue, and of
 * its root, as PEM; NULL when there is none of this id.
 */
const char *issuer_list_chain_pem(const struct issuer_list *list, int id);

#endif
