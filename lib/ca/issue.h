/* SPDX-License-Identifier: ISC */
/*
 * An issuer: one device sub-CA that can sign, with its template, its key and
 * its chain.  Read-only once made, so that many threads share it; what
 * changes lives in each thread's signer.
 */
#ifndef PAPPUS_CA_ISSUE_H
#define PAPPUS_CA_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/err.h"
#include "ca/sign.h"
#include "cert/template.h"

struct issuer_der {
	const uint8_t *data;
	size_t len;
};

struct issuer_params {
	int id;			    /* pappus.issuers().issuer_id */
	struct issuer_der cert;	    /* the sub-CA's certificate */
	struct issuer_der *parents; /* who signed it, and so on to the root */
	size_t parent_count;
	const char *crl_url;
	const char *ca_url;
	const char *trust_domain;      /* NULL or empty: none */
	const uint8_t *profile_sha256; /* 32 bytes; what was registered */
	EVP_PKEY *key;		       /* kept by reference */
};

struct issuer;

/*
 * Make an issuer.  NULL with ERR_MISMATCH when key and certificate, the
 * chain, or the registered profile and the one this program would print do
 * not agree.  Nothing of params is kept but a reference to the key.
 */
struct issuer *issuer_new(const struct issuer_params *params, struct err *err);
void issuer_free(struct issuer *issuer);

int issuer_id(const struct issuer *issuer);

/* Unix seconds of the sub-CA's notAfter: no leaf may outlive it. */
int64_t issuer_not_after(const struct issuer *issuer);

/* The sub-CA's certificate, then its parents up to the root, as PEM. */
const char *issuer_chain_pem(const struct issuer *issuer);

/*
 * Append a device certificate as PEM.  ERR_REFUSED when it would outlive the
 * sub-CA, ERR_MALFORMED when a field is unfit.
 */
bool issuer_issue(const struct issuer *issuer, struct signer *signer,
    const struct cert_fields *fields, struct buf *cert_pem, struct err *err);

#endif
