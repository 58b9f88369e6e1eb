/* SPDX-License-Identifier: ISC */
/*
 * The X.509 extensions of our profiles, one function each.  All return false
 * with ERR_CRYPTO when OpenSSL refuses, ERR_MALFORMED when a value is not
 * what its extension may hold.
 */
#ifndef PAPPUS_CERT_EXT_H
#define PAPPUS_CERT_EXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/err.h"

/* A name of a subjectAltName (RFC 5280 §4.2.1.6). */
enum ext_name_type { EXT_NAME_DNS, EXT_NAME_IP, EXT_NAME_URI };

struct ext_name {
	enum ext_name_type type;
	const char *value; /* an IP address in its usual text form */
};

/* RFC 5280 §4.2.1.9, critical.  path_len -1: no constraint. */
bool ext_add_basic_constraints(X509 *cert, int path_len, struct err *err);

/* RFC 5280 §4.2.1.3, critical.  bits are OpenSSL's KU_…, or-ed. */
bool ext_add_key_usage(X509 *cert, uint32_t bits, struct err *err);

/* RFC 5280 §4.2.1.12: one purpose, by NID. */
bool ext_add_ext_key_usage(X509 *cert, int nid, struct err *err);

/*
 * RFC 5280 §4.2.1.2 method (1): SHA-1 over the value of the BIT STRING
 * subjectPublicKey.  The public key must be set.
 */
bool ext_add_ski(X509 *cert, struct err *err);

/* RFC 5280 §4.2.1.1: the issuer's SKI as it stands in its certificate. */
bool ext_add_aki(X509 *cert, X509 *issuer, struct err *err);

/* RFC 5280 §4.2.1.13: one distribution point with one URI. */
bool ext_add_cdp(X509 *cert, const char *url, struct err *err);

/* RFC 5280 §4.2.2.1: caIssuers, one URI. */
bool ext_add_aia(X509 *cert, const char *url, struct err *err);

/* RFC 5280 §4.2.1.6, not critical, as the subject is never empty. */
bool ext_add_san(
    X509 *cert, const struct ext_name *names, size_t count, struct err *err);

/* RFC 5280 §5.2.1: authorityKeyIdentifier of a CRL. */
bool ext_crl_add_aki(X509_CRL *crl, X509 *issuer, struct err *err);

/* RFC 5280 §5.2.3: CRLNumber; grows, at most 20 octets. */
bool ext_crl_add_number(X509_CRL *crl, uint64_t number, struct err *err);

/* RFC 5280 §5.2.5: critical; its name equals the certificates' CDP. */
bool ext_crl_add_idp(X509_CRL *crl, const char *url, struct err *err);

#endif
