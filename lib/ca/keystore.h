/* SPDX-License-Identifier: ISC */
/* The CA keys of one folder, found again by the certificate they belong to. */
#ifndef PAPPUS_CA_KEYSTORE_H
#define PAPPUS_CA_KEYSTORE_H

#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

struct keystore;

/*
 * Load every *.key of a folder; passphrase_file opens those that are
 * encrypted, NULL when none is.  NULL when there is no key or one of them
 * cannot be loaded (see key_file_load): the error names the file.
 */
struct keystore *keystore_load(
    const char *dir, const char *passphrase_file, struct err *err);
void keystore_free(struct keystore *ks);

size_t keystore_count(const struct keystore *ks);

/* The key of a certificate, owned by the keystore; NULL when not there. */
EVP_PKEY *keystore_find(const struct keystore *ks, X509 *cert);

#endif
