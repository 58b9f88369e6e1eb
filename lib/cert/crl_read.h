/* SPDX-License-Identifier: ISC */
/*
 * Reading a certificate revocation list of any size where it lies (mmap): no
 * copy, no object per entry.  Takes complete lists of version 2 alone, as
 * Pappus makes them (RFC 5280 §5): one CA's own, ECDSA with SHA-256 or
 * SHA-384, nextUpdate, AKI and CRLNumber there.  DER is read strictly; what is
 * cut, longer than it says, or otherwise encoded than DER wants is refused.
 */
#ifndef PAPPUS_CERT_CRL_READ_H
#define PAPPUS_CERT_CRL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "base/sink.h"
#include "cert/crl_list.h"

/* A part of the list's octets. */
struct crl_part {
	const uint8_t *at;
	size_t len;
};

struct crl_read {
	struct crl_part der;
	struct crl_part tbs;	   /* what is signed */
	struct crl_part issuer;	   /* the Name in DER */
	struct crl_part key_id;	   /* AKI's keyIdentifier */
	struct crl_part url;	   /* IDP's fullName; len 0: no IDP */
	struct crl_part entries;   /* one after the other; len 0: none */
	struct crl_part signature; /* ECDSA-Sig-Value */
	size_t count;		   /* of entries */
	bool sorted;		   /* each serial greater than the one before */
	bool sha384;		   /* else SHA-256 */
	bool mapped;
	bool number_there;   /* while it is being read */
	int64_t this_update; /* unix seconds */
	int64_t next_update;
	uint64_t number; /* RFC 5280 §5.2.3, at most 63 bits */
};

/*
 * An entry; not_after is CRL_NEVER, as a list doesn't say.  Returns false
 * to end the walk, with *err set when that is a failure.
 */
typedef bool crl_read_fn(
    void *ctx, const struct crl_item *item, struct err *err);

/*
 * Read a list in DER, all entries included; data must stay.  mapped: it is a
 * file's mapping, of which read pages may be given back to the system while
 * a long list is passed (MADV_DONTNEED).  ERR_MALFORMED when it is no such
 * list, ERR_UNSUPPORTED when it is one of another kind (delta or indirect
 * list, another algorithm, an unknown critical extension).
 */
bool crl_read_open(const uint8_t *data, size_t len, bool mapped,
    struct crl_read *out, struct err *err);

/*
 * Likewise, and give each entry to fn as it is read: a list of a million is
 * passed once then.  Nothing says yet that the CA signed it.  When fn returned
 * false, out holds all but count and sorted.
 */
bool crl_read_open_each(const uint8_t *data, size_t len, bool mapped,
    crl_read_fn *fn, void *ctx, struct crl_read *out, struct err *err);

/*
 * Whether that CA signed it: its name, key identifier, keyUsage and signature.
 * ERR_MISMATCH otherwise.  Says nothing of times and of the number.
 */
bool crl_read_verify(const struct crl_read *crl, X509 *issuer, struct err *err);

/*
 * Whether its IDP names that address and no other (RFC 5280 §5.2.5): with any
 * other than the certificates' CDP it refuses everybody.  ERR_MISMATCH.
 */
bool crl_read_check_url(
    const struct crl_read *crl, const char *url, struct err *err);

/* Walk the entries in the order of the list; false when fn said so. */
bool crl_read_each(
    const struct crl_read *crl, crl_read_fn *fn, void *ctx, struct err *err);

/* Look for a serial by walking; false when it is not there. */
bool crl_read_find(const struct crl_read *crl,
    const uint8_t serial[CRL_SERIAL_MAX], struct crl_item *out);

/*
 * Pass on the list as it lies there, by pieces: to a file, or as PEM
 * (encoding/pem_writer.h).
 */
bool crl_read_pour(
    const struct crl_read *crl, sink_fn *sink, void *ctx, struct err *err);

#endif
