/* SPDX-License-Identifier: ISC */
/* Signatures with a CA's key: see sign.h. */
#include "ca/sign.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "cert/cert.h"
#include "cert/ossl.h"
#include "encoding/der.h"

enum {
	SIGNATURE_MAX_LEN = 72, /* ECDSA-Sig-Value of two 33-octet integers */
	DIGEST_LEN = 32
};

/* AlgorithmIdentifier {ecdsa-with-SHA256}, no parameters (RFC 5758 §3.2). */
static const uint8_t algorithm[] = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

/* A key and a context that is ready to sign with it. */
struct slot {
	EVP_PKEY *key;
	EVP_PKEY_CTX *ctx;
};

struct signer {
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	struct slot *slots;
	size_t count;
};

struct signer *
signer_new(struct err *err)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->digest = EVP_MD_CTX_new();
	if (s->sha256 == NULL || s->digest == NULL) {
		ossl_err(err, "signer");
		signer_free(s);
		return NULL;
	}
	return s;
}

void
signer_free(struct signer *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->count; i++) {
		EVP_PKEY_CTX_free(s->slots[i].ctx);
		EVP_PKEY_free(s->slots[i].key);
	}
	free(s->slots);
	EVP_MD_CTX_free(s->digest);
	EVP_MD_free(s->sha256);
	free(s);
}

/* A ready context for a key that the signer was not used with yet. */
static EVP_PKEY_CTX *
slot_add(struct signer *s, EVP_PKEY *key, struct err *err)
{
	EVP_PKEY_CTX *ctx;
	struct slot *grown;

	if (!cert_key_check(key, false, err))
		return NULL;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, s->sha256) != 1 ||
	    EVP_PKEY_up_ref(key) != 1) {
		EVP_PKEY_CTX_free(ctx);
		ossl_err(err, "signer");
		return NULL;
	}
	grown = reallocarray(s->slots, s->count + 1, sizeof(*grown));
	if (grown == NULL)
		abort();
	s->slots = grown;
	s->slots[s->count].key = key;
	s->slots[s->count].ctx = ctx;
	s->count++;
	return ctx;
}

static EVP_PKEY_CTX *
slot_find(struct signer *s, EVP_PKEY *key, struct err *err)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (s->slots[i].key == key)
			return s->slots[i].ctx;
	return slot_add(s, key, err);
}

bool
signer_sign_tbs(struct signer *s, EVP_PKEY *key, const uint8_t *tbs, size_t len,
    struct buf *der, struct err *err)
{
	EVP_PKEY_CTX *ctx = slot_find(s, key, err);
	uint8_t digest[DIGEST_LEN], sig[SIGNATURE_MAX_LEN];
	size_t sig_len = sizeof(sig);
	size_t bits_len;

	if (ctx == NULL)
		return false;
	if (EVP_DigestInit_ex2(s->digest, s->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(s->digest, tbs, len) != 1 ||
	    EVP_DigestFinal_ex(s->digest, digest, NULL) != 1 ||
	    EVP_PKEY_sign(ctx, sig, &sig_len, digest, sizeof(digest)) != 1)
		return ossl_err(err, "signature");
	/* RFC 5280 §4.1.  The BIT STRING begins with 0 unused bits. */
	bits_len = sig_len + 1;
	der_put_header(
	    der, DER_SEQUENCE, len + sizeof(algorithm) + 2 + bits_len);
	buf_add(der, tbs, len);
	buf_add(der, algorithm, sizeof(algorithm));
	der_put_header(der, DER_BIT_STRING, bits_len);
	buf_add_byte(der, 0);
	buf_add(der, sig, sig_len);
	return true;
}

/* As strong as the curve (RFC 5480 §4): SHA-384 for P-384. */
static const EVP_MD *
digest_for(const EVP_PKEY *key)
{
	return EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256();
}

static bool
wrong_key(struct err *err)
{
	ERR_clear_error();
	return err_set(err, ERR_MISMATCH,
	    "the key does not belong to the issuer's certificate");
}

static bool
check_key(X509 *issuer, EVP_PKEY *key, struct err *err)
{
	return X509_check_private_key(issuer, key) == 1 || wrong_key(err);
}

bool
sign_cert(X509 *cert, X509 *issuer, EVP_PKEY *key, struct err *err)
{
	if (!check_key(issuer, key, err))
		return false;
	return X509_sign(cert, key, digest_for(key)) > 0 ||
	       ossl_err(err, "signature");
}

bool
sign_crl(X509_CRL *crl, X509 *issuer, EVP_PKEY *key, struct err *err)
{
	if (!check_key(issuer, key, err))
		return false;
	return X509_CRL_sign(crl, key, digest_for(key)) > 0 ||
	       ossl_err(err, "signature");
}

bool
sign_csr(X509_REQ *csr, EVP_PKEY *key, struct err *err)
{
	return X509_REQ_sign(csr, key, digest_for(key)) > 0 ||
	       ossl_err(err, "signature");
}

static bool
sign_digest(EVP_PKEY *key, const uint8_t *digest, size_t len,
    struct crl_signature *out, struct err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool ok;

	out->len = sizeof(out->der);
	ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
	     EVP_PKEY_CTX_set_signature_md(ctx, digest_for(key)) == 1 &&
	     EVP_PKEY_sign(ctx, out->der, &out->len, digest, len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok || ossl_err(err, "signature");
}

bool
sign_crl_draft(struct crl_draft *draft, EVP_PKEY *key,
    struct crl_signature *out, struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t len = 0;

	if (EVP_PKEY_eq(key, crl_draft_key(draft)) != 1)
		return wrong_key(err);
	return crl_draft_digest(draft, digest, &len, err) &&
	       sign_digest(key, digest, len, out, err);
}
