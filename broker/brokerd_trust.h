/* SPDX-License-Identifier: ISC */
/*
 * Whose word counts: the roots we were given, the CAs of the deny-list that
 * come from them, and whether a CRL is one that may be installed.  All of it
 * by arguments, the time too.
 */
#ifndef PAPPUS_BROKERD_TRUST_H
#define PAPPUS_BROKERD_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "broker/brokerd_status.h"
#include "cert/cert.h"
#include "cert/crl_read.h"
#include "encoding/denylist.h"
#include "encoding/feed.h"

struct trust; /* the roots; read-only */

/* All certificates of a PEM file, each of which must be its own issuer. */
struct trust *trust_load(const char *ca_file, struct err *err);
void trust_free(struct trust *trust);

/* A CA that we take CRLs of. */
struct issuer {
	char ski[FEED_SKI_LEN + 1];
	X509 *cert;
	char *crl_url; /* of its CRL's IDP */
	enum denylist_purpose purpose;
	bool closed;
};

struct issuers {
	struct issuer item[DENYLIST_ISSUERS_MAX];
	size_t count;
	uint8_t digest[CERT_DIGEST_LEN]; /* of the list they were read from */
};

/*
 * Verify the issuers of a deny-list's file: each must be one of our roots or
 * signed by one.  One that isn't is left out, and refused in status by its
 * place in the list.  Replaces what issuers holds; false when that came from
 * the very same list, which is then not looked at again.
 */
bool issuers_read(struct issuers *issuers, const struct trust *trust,
    const struct denylist_file *file, struct status *status);
void issuers_free(struct issuers *issuers);

/* By its SKI in hexadecimal digits; NULL when there is none such. */
const struct issuer *issuers_find(
    const struct issuers *issuers, const char *ski);

/*
 * Whether a CRL, read, is that issuer's and may be installed at that moment
 * (unix seconds): signature, number as the state says, IDP, times.  The first
 * that is wrong is told in *why and *err; REFUSED_NOT_YET_VALID only when all
 * else is right.
 */
bool trust_check_crl(const struct crl_read *crl, const struct issuer *issuer,
    uint64_t number, int64_t now, enum refusal *why, struct err *err);

#endif
