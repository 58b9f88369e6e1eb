/* SPDX-License-Identifier: ISC */
/*
 * Certificate revocation lists the long way (RFC 5280 §5), for lists of a
 * ceremony's size: the root's.
 */
#ifndef PAPPUS_CERT_CRL_H
#define PAPPUS_CERT_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/serial.h"

/* thisUpdate lies this many seconds back: one ahead refuses every device. */
enum { CRL_BACKDATE_S = 60 };

/* CRLReason of RFC 5280 §5.3.1; 0 (unspecified) is left out of the list. */
enum crl_reason {
	CRL_UNSPECIFIED = 0,
	CRL_KEY_COMPROMISE = 1,
	CRL_CA_COMPROMISE = 2,
	CRL_AFFILIATION_CHANGED = 3,
	CRL_SUPERSEDED = 4,
	CRL_CESSATION = 5,
	CRL_HOLD = 6,
	CRL_PRIVILEGE_WITHDRAWN = 9, /* 8 is of delta CRLs alone, 7 unused */
	CRL_AA_COMPROMISE = 10
};

struct crl_entry {
	uint8_t serial[SERIAL_LEN];
	int64_t revoked_at; /* unix seconds */
	enum crl_reason reason;
};

struct crl_spec {
	X509 *issuer;
	uint64_t number;     /* RFC 5280 §5.2.3 */
	int64_t this_update; /* unix seconds, already back-dated */
	int64_t next_update;
	const char *url; /* of the IDP; equal to the CDP of the certificates */
	const struct crl_entry *entries;
	size_t entry_count; /* 0: revokedCertificates is absent, §5.1.2.6 */
};

/* Build the list, all but the signature; freed with X509_CRL_free. */
X509_CRL *crl_build(const struct crl_spec *spec, struct err *err);

/* One list from DER, or from the first PEM block of that label. */
X509_CRL *crl_decode(const uint8_t *data, size_t len, struct err *err);

/* Append the list as DER, or as PEM. */
bool crl_encode_der(X509_CRL *crl, struct buf *out, struct err *err);
bool crl_encode_pem(X509_CRL *crl, struct buf *out, struct err *err);

/* The CRLNumber; ERR_MISMATCH when absent or over 63 bits. */
bool crl_number(X509_CRL *crl, uint64_t *out, struct err *err);

/* "keyCompromise" and so on, as RFC 5280 spells them; NULL when unknown. */
const char *crl_reason_name(int reason);
bool crl_reason_parse(const char *name, enum crl_reason *out);

#endif
