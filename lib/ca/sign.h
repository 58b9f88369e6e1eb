/* SPDX-License-Identifier: ISC */
/*
 * Signatures with a CA's key.  A signer belongs to one thread and keeps a
 * ready OpenSSL context for each key it was used with.
 */
#ifndef PAPPUS_CA_SIGN_H
#define PAPPUS_CA_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/crl_write.h"

struct signer; /* not for use by two threads at once */

struct signer *signer_new(struct err *err);
void signer_free(struct signer *s);

/*
 * Append the certificate for a TBSCertificate in DER: the tbs, the algorithm
 * ecdsa-with-SHA256 (RFC 5758 §3.2) and the signature.  The key must be
 * P-256.  The signer keeps a reference to it.
 */
bool signer_sign_tbs(struct signer *s, EVP_PKEY *key, const uint8_t *tbs,
    size_t len, struct buf *der, struct err *err);

/*
 * Sign what was built the long way: with SHA-256 under a P-256 key, SHA-384
 * under P-384.  The first two refuse a key that is not the issuer's.
 */
bool sign_cert(X509 *cert, X509 *issuer, EVP_PKEY *key, struct err *err);
bool sign_crl(X509_CRL *crl, X509 *issuer, EVP_PKEY *key, struct err *err);
bool sign_csr(X509_REQ *csr, EVP_PKEY *key, struct err *err);

/*
 * Sign a list that is written piece by piece, by the same rules; refuses a
 * key that is not its issuer's.
 */
bool sign_crl_draft(struct crl_draft *draft, EVP_PKEY *key,
    struct crl_signature *out, struct err *err);

#endif
