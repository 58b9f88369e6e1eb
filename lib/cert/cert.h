/* SPDX-License-Identifier: ISC */
/*
 * Certificates the long way: built by OpenSSL, extension by extension, from a
 * profile.  Roots, sub-CAs and server certificates are made like this; device
 * certificates come from a template (template.h) that was made like this.
 */
#ifndef PAPPUS_CERT_CERT_H
#define PAPPUS_CERT_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/ext.h"
#include "cert/profile.h"
#include "cert/serial.h"

enum { CERT_KEY_ID_LEN = 20, CERT_DIGEST_LEN = 32, CERT_NAME_MAX = 64 };

struct cert_spec {
	const struct profile *profile;
	X509 *issuer;	      /* NULL: the certificate is its own issuer */
	EVP_PKEY *public_key; /* the subject's; only the public half is used */
	uint8_t serial[SERIAL_LEN];
	int64_t not_before; /* unix seconds, as not_after */
	int64_t not_after;
	const char *common_name;  /* UTF-8, 1 to 64 characters */
	const char *organization; /* likewise, where the profile has one */
	const char *crl_url;	  /* the issuer's, where it has locators */
	const char *ca_url;
	const struct ext_name *names; /* subjectAltName; none: absent */
	size_t name_count;
};

/*
 * Build the certificate that spec describes, all but the signature.  What may
 * not be is refused: ERR_REFUSED when it would outlive its issuer (or hold
 * a curve its profile forbids), ERR_MALFORMED when a value is unfit.
 * The caller frees it with X509_free.
 */
X509 *cert_build(const struct cert_spec *spec, struct err *err);

/*
 * A subject of O (when not NULL) and CN, both UTF8String (RFC 5280 §4.1.2.4;
 * ids hold "_", which PrintableString has not).  1 to 64 characters each
 * (upper bounds of appendix A.1), no control characters.
 */
X509_NAME *cert_name_new(
    const char *common_name, const char *organization, struct err *err);

/* One certificate from DER, or from the first PEM block of that label. */
X509 *cert_decode(const uint8_t *data, size_t len, struct err *err);

/* Append the certificate as DER, or as PEM. */
bool cert_encode_der(X509 *cert, struct buf *out, struct err *err);
bool cert_encode_pem(X509 *cert, struct buf *out, struct err *err);

/* Unix seconds of an ASN.1 time; ERR_MALFORMED when it is none. */
bool cert_time(const ASN1_TIME *time, int64_t *out, struct err *err);

/*
 * Unix seconds as an ASN.1 time: UTCTime until 2049, GeneralizedTime from
 * 2050 (RFC 5280 §4.1.2.5).  NULL outside the years 1950 to 9999.
 */
ASN1_TIME *cert_time_new(int64_t seconds);

/*
 * Whether issuer signed cert: names, key identifiers, keyUsage and the
 * signature.  ERR_MISMATCH otherwise.  Says nothing of validity periods.
 */
bool cert_check_issued(X509 *cert, X509 *issuer, struct err *err);

/* The serial when it has our form (16 octets); ERR_MISMATCH otherwise. */
bool cert_serial(X509 *cert, uint8_t out[SERIAL_LEN], struct err *err);

/* The subjectKeyIdentifier; ERR_MISMATCH when absent or not 20 octets. */
bool cert_ski(X509 *cert, uint8_t out[CERT_KEY_ID_LEN], struct err *err);

/* SHA-256 over the DER of the certificate, or of its SubjectPublicKeyInfo. */
bool cert_fingerprint(
    X509 *cert, uint8_t out[CERT_DIGEST_LEN], struct err *err);
bool cert_spki_sha256(
    EVP_PKEY *key, uint8_t out[CERT_DIGEST_LEN], struct err *err);

/* Whether the key is EC on P-256, or P-384 where that is allowed. */
bool cert_key_check(const EVP_PKEY *key, bool p384_too, struct err *err);

#endif
