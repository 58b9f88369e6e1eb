/* SPDX-License-Identifier: ISC */
/* A root's list of revoked CAs, and what the database is told of it. */
#ifndef PAPPUS_TOOLS_ROOT_CRL_H
#define PAPPUS_TOOLS_ROOT_CRL_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "tools/crl_file.h"
#include "tools/registered.h"
#include "world/db.h"

/*
 * Give the database a root's list, whose signature was checked, and print what
 * came of it.  Refused are a list of another CA (ERR_MISMATCH), one that leaves
 * out what the last one named (ERR_REFUSED), and one with a smaller number.
 * Again does no harm.
 */
bool root_crl_import(struct db *db, const struct registered_list *registered,
    const struct crl_file *list, struct err *err);

/*
 * Whether the last list of a root, which may have none, leaves a certificate
 * in force; ERR_REFUSED when it names it.
 */
bool root_crl_permits(
    const struct registered *root, X509 *cert, struct err *err);

#endif
