/* SPDX-License-Identifier: ISC */
/*
 * The keys that CRLs are signed with, from one folder: the only file of
 * pappus-crld that touches a CA's private key is keys.c.
 */
#ifndef PAPPUS_DAEMON_KEYS_H
#define PAPPUS_DAEMON_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "cert/crl_write.h"

struct keys;

/* Load every *.key of a folder, as identity does.  Both strings are kept. */
struct keys *keys_new(
    const char *dir, const char *passphrase_file, struct err *err);
void keys_free(struct keys *keys);

/*
 * Load them again when the folder has changed.  When that fails the earlier
 * ones stay.
 */
bool keys_refresh(struct keys *keys, struct err *err);

size_t keys_count(const struct keys *keys);

/* Whether the key of a CA's certificate is here. */
bool keys_have(const struct keys *keys, X509 *cert);

/* Sign a list with its issuer's key; ERR_CONFIG when that isn't here. */
bool keys_sign(const struct keys *keys, X509 *issuer, struct crl_draft *draft,
    struct crl_signature *out, struct err *err);

#endif
