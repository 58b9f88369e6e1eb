/* SPDX-License-Identifier: ISC */
/* Roots, issuers and what they sign: see brokerd_trust.h. */
#include "broker/brokerd_trust.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "cert/cert.h"
#include "cert/ossl.h"
#include "encoding/hex.h"

struct trust {
	X509 *root[DENYLIST_ISSUERS_MAX];
	size_t count;
};

static bool
add_roots(struct trust *trust, BIO *bio, const char *ca_file, struct err *err)
{
	X509 *cert;

	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (trust->count == DENYLIST_ISSUERS_MAX ||
		    !cert_check_issued(cert, cert, err)) {
			X509_free(cert);
			return err_set(err, ERR_CONFIG,
			    "%.120s holds too many roots", ca_file);
		}
		trust->root[trust->count++] = cert;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return ossl_err(err, "cannot read a certificate");
	ERR_clear_error();
	return trust->count > 0 ||
	       err_set(err, ERR_CONFIG, "%.120s holds no certificate", ca_file);
}

struct trust *
trust_load(const char *ca_file, struct err *err)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	struct err cause = {0};
	BIO *bio;
	bool ok;

	if (trust == NULL)
		abort();
	bio = BIO_new_file(ca_file, "r");
	ok = bio != NULL ? add_roots(trust, bio, ca_file, &cause)
			 : ossl_err(&cause, "cannot open it");
	BIO_free(bio);
	if (ok)
		return trust;
	err_set(err, ERR_CONFIG, "PAPPUS_CA_FILE: %.120s: %.100s", ca_file,
	    cause.detail);
	trust_free(trust);
	return NULL;
}

void
trust_free(struct trust *trust)
{
	size_t i;

	if (trust == NULL)
		return;
	for (i = 0; i < trust->count; i++)
		X509_free(trust->root[i]);
	free(trust);
}

/* -------------------------------------------------------------- issuers */

static bool
chains(const struct trust *trust, X509 *cert, bool is_root)
{
	struct err ignored;
	size_t i;

	for (i = 0; i < trust->count; i++) {
		ignored = (struct err){0};
		if (is_root ? X509_cmp(trust->root[i], cert) == 0
			    : cert_check_issued(cert, trust->root[i], &ignored))
			return true;
	}
	return false;
}

/* Take one in, which owns all it holds. */
static bool
read_issuer(struct issuer *out, const struct trust *trust,
    const struct denylist_issuer *in, struct err *err)
{
	uint8_t ski[CERT_KEY_ID_LEN];

	*out = (struct issuer){.purpose = in->purpose, .closed = in->closed};
	out->cert = cert_decode(in->certificate, in->certificate_len, err);
	if (out->cert == NULL || !cert_ski(out->cert, ski, err))
		return false;
	hex_encode(ski, sizeof(ski), out->ski);
	out->crl_url = strndup(in->crl_url, in->crl_url_len);
	if (out->crl_url == NULL)
		abort();
	return chains(trust, out->cert, in->purpose == DENYLIST_ROOT) ||
	       err_set(err, ERR_MISMATCH,
		   "it does not come from a root of PAPPUS_CA_FILE");
}

static void
free_issuer(struct issuer *issuer)
{
	X509_free(issuer->cert);
	free(issuer->crl_url);
	*issuer = (struct issuer){0};
}

void
issuers_free(struct issuers *issuers)
{
	size_t i;

	for (i = 0; i < issuers->count; i++)
		free_issuer(&issuers->item[i]);
	issuers->count = 0;
}

/* SHA-256 over what a list says of its issuers. */
static void
digest_of(const struct denylist_file *file, uint8_t out[CERT_DIGEST_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const struct denylist_issuer *in;
	uint32_t head[4];
	size_t i;

	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort();
	for (i = 0; i < file->issuer_count; i++) {
		in = &file->issuers[i];
		head[0] = in->purpose;
		head[1] = in->closed ? 1 : 0;
		head[2] = (uint32_t)in->crl_url_len;
		head[3] = (uint32_t)in->certificate_len;
		EVP_DigestUpdate(ctx, head, sizeof(head));
		EVP_DigestUpdate(ctx, in->crl_url, in->crl_url_len);
		EVP_DigestUpdate(ctx, in->certificate, in->certificate_len);
	}
	if (EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
}

/* The next of a list, or a complaint about it. */
static void
add_issuer(struct issuers *issuers, const struct trust *trust,
    const struct denylist_file *file, size_t i, struct status *status)
{
	struct issuer *next = &issuers->item[issuers->count];
	struct err err = {0};
	char what[32];

	snprintf(what, sizeof(what), "issuer %zu", i);
	if (read_issuer(next, trust, &file->issuers[i], &err) &&
	    issuers_find(issuers, next->ski) == NULL) {
		issuers->count++;
		status_accept(status, NULL, what);
		return;
	}
	err_set(&err, ERR_DUPLICATE, "it stands there twice");
	status_refuse(status, NULL, what, next->ski,
	    err.code == ERR_MISMATCH ? REFUSED_FOREIGN : REFUSED_MALFORMED,
	    err.detail);
	free_issuer(next);
}

bool
issuers_read(struct issuers *issuers, const struct trust *trust,
    const struct denylist_file *file, struct status *status)
{
	uint8_t digest[CERT_DIGEST_LEN];
	size_t i;

	digest_of(file, digest);
	if (memcmp(digest, issuers->digest, sizeof(digest)) == 0)
		return false;
	issuers_free(issuers);
	memcpy(issuers->digest, digest, sizeof(digest));
	for (i = 0; i < file->issuer_count; i++)
		add_issuer(issuers, trust, file, i, status);
	return true;
}

const struct issuer *
issuers_find(const struct issuers *issuers, const char *ski)
{
	size_t i;

	for (i = 0; i < issuers->count; i++)
		if (strcmp(issuers->item[i].ski, ski) == 0)
			return &issuers->item[i];
	return NULL;
}

/* ----------------------------------------------------------------- CRLs */

/* RFC 5280 §5.2.1: the key that a list says it is signed with. */
static bool
names_key(const struct crl_read *crl, const struct issuer *issuer)
{
	uint8_t ski[CERT_KEY_ID_LEN];

	return hex_decode(issuer->ski, FEED_SKI_LEN, ski, sizeof(ski)) &&
	       crl->key_id.len == sizeof(ski) &&
	       memcmp(crl->key_id.at, ski, sizeof(ski)) == 0;
}

static bool
check_time(
    const struct crl_read *crl, int64_t now, enum refusal *why, struct err *err)
{
	char text[CLOCK_RFC3339_LEN + 1];

	*why = REFUSED_EXPIRED;
	clock_rfc3339(crl->next_update * 1000, text);
	if (crl->next_update <= now)
		return err_set(err, ERR_REFUSED, "its nextUpdate was %s", text);
	*why = REFUSED_NOT_YET_VALID;
	clock_rfc3339(crl->this_update * 1000, text);
	return crl->this_update <= now || err_set(err, ERR_REFUSED,
					      "its thisUpdate is %s, %" PRId64
					      " seconds ahead of our clock",
					      text, crl->this_update - now);
}

bool
trust_check_crl(const struct crl_read *crl, const struct issuer *issuer,
    uint64_t number, int64_t now, enum refusal *why, struct err *err)
{
	*why = REFUSED_FOREIGN;
	if (!names_key(crl, issuer))
		return err_set(err, ERR_MISMATCH, "it is of another CA's key");
	*why = REFUSED_SIGNATURE;
	if (!crl_read_verify(crl, issuer->cert, err))
		return false;
	*why = REFUSED_MISMATCH;
	if (crl->number != number)
		return err_set(err, ERR_MISMATCH,
		    "it has number %" PRIu64 ", the state says %" PRIu64,
		    crl->number, number);
	*why = REFUSED_IDP;
	if (!crl_read_check_url(crl, issuer->crl_url, err))
		return false;
	return check_time(crl, now, why, err);
}
