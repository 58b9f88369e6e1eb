/* SPDX-License-Identifier: ISC */
/*
 * Certificate requests (PKCS#10, RFC 2986): how a sub-CA's host asks the root
 * for its certificate.  A request says who asks and proves that it has the
 * key; what the certificate will hold is the profile's business, so
 * extensions in a request count for nothing.
 */
#ifndef PAPPUS_CERT_CSR_H
#define PAPPUS_CERT_CSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"

/* A request for O and CN with this key, all but the signature. */
X509_REQ *csr_build(const char *common_name, const char *organization,
    EVP_PKEY *key, struct err *err);

/*
 * One request from DER, or from the first PEM block of that label, with its
 * signature verified: ERR_MISMATCH when it is wrong.
 */
X509_REQ *csr_decode(const uint8_t *data, size_t len, struct err *err);

/*
 * The subject's O and CN, NUL-terminated UTF-8.  ERR_MALFORMED when the
 * subject is anything but one O and one CN of our form.
 */
bool csr_subject(X509_REQ *csr, struct buf *common_name,
    struct buf *organization, struct err *err);

/* Append the request as PEM. */
bool csr_encode_pem(X509_REQ *csr, struct buf *out, struct err *err);

#endif
