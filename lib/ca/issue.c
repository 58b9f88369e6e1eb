/* SPDX-License-Identifier: ISC */
/* A device sub-CA that can sign: see issue.h. */
#include "ca/issue.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "cert/cert.h"
#include "encoding/pem.h"

struct issuer {
	int id;
	struct cert_template *template;
	EVP_PKEY *key;
	int64_t not_after;
	struct buf chain; /* PEM, NUL-terminated */
};

static bool
check_profile(
    const struct issuer *issuer, const uint8_t *registered, struct err *err)
{
	uint8_t ours[TEMPLATE_DIGEST_LEN];

	cert_template_digest(issuer->template, ours);
	if (memcmp(ours, registered, sizeof(ours)) == 0)
		return true;
	return err_set(err, ERR_MISMATCH,
	    "issuer %d: this program would print another profile than the one "
	    "that was registered",
	    issuer->id);
}

/* Each parent has signed the one below it, the last is a root of ours. */
static bool
add_parents(struct issuer *issuer, X509 *cert,
    const struct issuer_params *params, struct err *err)
{
	X509 *below = cert, *parent;
	bool ok = X509_up_ref(below) == 1;
	size_t i;

	for (i = 0; ok && i < params->parent_count; i++) {
		parent = cert_decode(
		    params->parents[i].data, params->parents[i].len, err);
		ok = parent != NULL && cert_check_issued(below, parent, err) &&
		     cert_encode_pem(parent, &issuer->chain, err);
		X509_free(below);
		below = parent;
	}
	ok = ok && profile_check_ca(profile_get(PROFILE_ROOT), below, err) &&
	     cert_check_issued(below, below, err);
	X509_free(below);
	return ok;
}

static bool
fill(struct issuer *issuer, X509 *cert, const struct issuer_params *params,
    struct err *err)
{
	const char *domain = params->trust_domain;
	struct cert_template_params tp = {.issuer = cert,
	    .crl_url = params->crl_url,
	    .ca_url = params->ca_url,
	    .trust_domain = domain == NULL || *domain == '\0' ? NULL : domain};

	if (X509_check_private_key(cert, params->key) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_MISMATCH,
		    "issuer %d: the key is not its certificate's", issuer->id);
	}
	if (EVP_PKEY_up_ref(params->key) == 1)
		issuer->key = params->key;
	if (!cert_time(X509_get0_notAfter(cert), &issuer->not_after, err) ||
	    !cert_encode_pem(cert, &issuer->chain, err) ||
	    !add_parents(issuer, cert, params, err))
		return false;
	issuer->template = cert_template_new(&tp, err);
	if (issuer->template == NULL ||
	    !check_profile(issuer, params->profile_sha256, err))
		return false;
	buf_str(&issuer->chain);
	return true;
}

struct issuer *
issuer_new(const struct issuer_params *params, struct err *err)
{
	X509 *cert = cert_decode(params->cert.data, params->cert.len, err);
	struct issuer *issuer;

	if (cert == NULL)
		return NULL;
	issuer = calloc(1, sizeof(*issuer));
	if (issuer == NULL)
		abort();
	issuer->id = params->id;
	if (!fill(issuer, cert, params, err)) {
		issuer_free(issuer);
		issuer = NULL;
	}
	X509_free(cert);
	return issuer;
}

void
issuer_free(struct issuer *issuer)
{
	if (issuer == NULL)
		return;
	cert_template_free(issuer->template);
	EVP_PKEY_free(issuer->key);
	buf_free(&issuer->chain);
	free(issuer);
}

int
issuer_id(const struct issuer *issuer)
{
	return issuer->id;
}

int64_t
issuer_not_after(const struct issuer *issuer)
{
	return issuer->not_after;
}

const char *
issuer_chain_pem(const struct issuer *issuer)
{
	return (const char *)issuer->chain.data;
}

bool
issuer_issue(const struct issuer *issuer, struct signer *signer,
    const struct cert_fields *fields, struct buf *cert_pem, struct err *err)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	bool ok;

	ok = cert_template_fill(issuer->template, fields, &tbs, err) &&
	     signer_sign_tbs(signer, issuer->key, tbs.data, tbs.len, &der, err);
	if (ok)
		pem_encode(cert_pem, "CERTIFICATE", der.data, der.len);
	buf_free(&tbs);
	buf_free(&der);
	return ok;
}
