/* SPDX-License-Identifier: ISC */
/* A hierarchy for the tests of layers 2 and CA: a root and one sub-CA. */
#ifndef PAPPUS_TESTS_PKI_H
#define PAPPUS_TESTS_PKI_H

#include <stdint.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "cert/cert.h"
#include "unit.h"

#define PKI_CRL_URL "http://pki.example/device.crl"
#define PKI_CA_URL "http://pki.example/device.cer"
#define PKI_ROOT_CRL_URL "http://pki.example/root.crl"
#define PKI_ROOT_CA_URL "http://pki.example/root.cer"

/* 2026-11-23T16:07:00Z, when these hierarchies are made. */
static const int64_t pki_now = INT64_C(1795450020);

struct pki {
	EVP_PKEY *root_key;
	EVP_PKEY *key; /* the sub-CA's */
	X509 *root;
	X509 *cert;
};

static inline X509 *
pki_signed(const struct cert_spec *spec, EVP_PKEY *signer)
{
	struct err err = {.code = ERR_NONE};
	X509 *cert = cert_build(spec, &err);

	ck_assert_msg(cert != NULL, "%s", err.detail);
	ck_assert_int_gt(X509_sign(cert, signer, EVP_sha256()), 0);
	return cert;
}

/* A specification with what every certificate has; serials differ by last. */
static inline struct cert_spec
pki_spec(enum profile_id id, EVP_PKEY *key, X509 *issuer, uint8_t last)
{
	struct cert_spec spec = {.profile = profile_get(id),
	    .issuer = issuer,
	    .public_key = key,
	    .common_name = profile_get(id)->name,
	    .organization = "Pappus tests"};

	memset(spec.serial, 0x11, SERIAL_LEN);
	spec.serial[SERIAL_LEN - 1] = last;
	profile_validity(
	    spec.profile, pki_now, &spec.not_before, &spec.not_after);
	if (spec.profile->locators) {
		spec.crl_url =
		    spec.profile->ca ? PKI_ROOT_CRL_URL : PKI_CRL_URL;
		spec.ca_url = spec.profile->ca ? PKI_ROOT_CA_URL : PKI_CA_URL;
	}
	return spec;
}

static inline X509 *
pki_sub_ca(const struct pki *p, enum profile_id id, EVP_PKEY *key, uint8_t n)
{
	struct cert_spec spec = pki_spec(id, key, p->root, n);

	return pki_signed(&spec, p->root_key);
}

static inline struct pki
pki_new(enum profile_id id)
{
	struct pki p = {EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), NULL, NULL};
	struct cert_spec spec = pki_spec(PROFILE_ROOT, p.root_key, NULL, 1);

	p.root = pki_signed(&spec, p.root_key);
	p.cert = pki_sub_ca(&p, id, p.key, 2);
	return p;
}

static inline void
pki_free(struct pki *p)
{
	X509_free(p->root);
	X509_free(p->cert);
	EVP_PKEY_free(p->root_key);
	EVP_PKEY_free(p->key);
}

/*
 * Verify a leaf as a strict reader would at that moment; what OpenSSL says
 * (X509_V_OK or an error).  Revocation is not looked at.
 */
static inline int
pki_verify(const struct pki *p, X509 *leaf, int purpose, int64_t at)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509_VERIFY_PARAM *param;
	int rc;

	X509_STORE_add_cert(store, p->root);
	sk_X509_push(chain, p->cert);
	ck_assert_int_eq(X509_STORE_CTX_init(ctx, store, leaf, chain), 1);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT |
					       X509_V_FLAG_POLICY_CHECK |
					       X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_VERIFY_PARAM_set_purpose(param, purpose);
	X509_VERIFY_PARAM_set_time(param, (time_t)at);
	X509_verify_cert(ctx);
	rc = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	sk_X509_free(chain);
	return rc;
}

#endif
