/* SPDX-License-Identifier: ISC */
/* What the modules that use OpenSSL share: its errors, and PEM or DER. */
#ifndef PAPPUS_CERT_OSSL_H
#define PAPPUS_CERT_OSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Set ERR_CRYPTO with what was tried and OpenSSL's last reason, and empty its
 * queue of errors.  Returns false.
 */
bool ossl_err(struct err *err, const char *what);

/*
 * The DER in data, which holds either DER, recognised by its first octet
 * (SEQUENCE), or PEM, of which the first block with that label is taken.
 * The caller frees it with OPENSSL_clear_free.  NULL with ERR_MALFORMED.
 */
uint8_t *ossl_der_of(const uint8_t *data, size_t len, const char *label,
    size_t *der_len, struct err *err);

#endif
