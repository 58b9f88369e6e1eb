/* SPDX-License-Identifier: ISC */
/* Making private keys: see key.h.  Loading them is key_file.c's. */
#include "ca/key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "base/rand.h"
#include "cert/ossl.h"
#include "encoding/pem.h"

/*
 * AlgorithmIdentifier {id-ecPublicKey, prime256v1} (RFC 5480 §2.1.1), which
 * both encodings below hold.
 */
#define ALGORITHM_P256                                                    \
	0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, \
	    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07

/* SubjectPublicKeyInfo up to the point (RFC 5280 §4.1). */
static const uint8_t spki_head[] = {
    0x30, 0x59, ALGORITHM_P256, 0x03, 0x42, 0x00};

/*
 * PrivateKeyInfo (RFC 5958 §2) version 0 with an ECPrivateKey (RFC 5915 §3)
 * version 1, up to the scalar; then what stands between it and the point.
 */
static const uint8_t pkcs8_head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00,
    ALGORITHM_P256, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t pkcs8_mid[] = {0xa1, 0x44, 0x03, 0x42, 0x00};

struct key_maker {
	EVP_PKEY_CTX *ec;
	EVP_MD_CTX *ctx;
	EVP_MD *sha256;
};

struct key_maker *
key_maker_new(struct err *err)
{
	struct key_maker *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->ec = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	m->ctx = EVP_MD_CTX_new();
	m->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (m->ec == NULL || m->ctx == NULL || m->sha256 == NULL ||
	    EVP_PKEY_keygen_init(m->ec) != 1 ||
	    EVP_PKEY_CTX_set_group_name(m->ec, "P-256") != 1) {
		ossl_err(err, "generator of keys");
		key_maker_free(m);
		return NULL;
	}
	return m;
}

void
key_maker_free(struct key_maker *m)
{
	if (m == NULL)
		return;
	EVP_PKEY_CTX_free(m->ec);
	EVP_MD_CTX_free(m->ctx);
	EVP_MD_free(m->sha256);
	free(m);
}

/* The scalar and the point, of fixed lengths, out of OpenSSL's object. */
static bool
take_bytes(EVP_PKEY *key, struct key_pair *out)
{
	enum { UNCOMPRESSED = 0x04 };
	BIGNUM *scalar = NULL;
	size_t len = 0;
	bool ok;

	ok = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
		 out->pub, sizeof(out->pub), &len) == 1 &&
	     len == KEY_PUB_LEN && out->pub[0] == UNCOMPRESSED &&
	     EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) ==
		 1 &&
	     BN_bn2binpad(scalar, out->priv, KEY_PRIV_LEN) == KEY_PRIV_LEN;
	BN_clear_free(scalar);
	return ok;
}

bool
key_make(struct key_maker *m, struct key_pair *out, struct err *err)
{
	EVP_PKEY *key = NULL;
	bool ok;

	ok = EVP_PKEY_generate(m->ec, &key) == 1 && take_bytes(key, out) &&
	     EVP_DigestInit_ex2(m->ctx, m->sha256, NULL) == 1 &&
	     EVP_DigestUpdate(m->ctx, spki_head, sizeof(spki_head)) == 1 &&
	     EVP_DigestUpdate(m->ctx, out->pub, KEY_PUB_LEN) == 1 &&
	     EVP_DigestFinal_ex(m->ctx, out->spki_sha256, NULL) == 1;
	EVP_PKEY_free(key);
	if (!ok) {
		key_pair_wipe(out);
		return ossl_err(err, "key");
	}
	return true;
}

void
key_pair_wipe(struct key_pair *pair)
{
	OPENSSL_cleanse(pair, sizeof(*pair));
}

void
key_pem(const struct key_pair *pair, struct buf *pem)
{
	uint8_t der[sizeof(pkcs8_head) + KEY_PRIV_LEN + sizeof(pkcs8_mid) +
		    KEY_PUB_LEN];
	uint8_t *p = der;

	memcpy(p, pkcs8_head, sizeof(pkcs8_head));
	p += sizeof(pkcs8_head);
	memcpy(p, pair->priv, KEY_PRIV_LEN);
	p += KEY_PRIV_LEN;
	memcpy(p, pkcs8_mid, sizeof(pkcs8_mid));
	p += sizeof(pkcs8_mid);
	memcpy(p, pair->pub, KEY_PUB_LEN);
	pem_encode(pem, "PRIVATE KEY", der, sizeof(der));
	OPENSSL_cleanse(der, sizeof(der));
}

EVP_PKEY *
key_generate(const char *curve, struct err *err)
{
	EVP_PKEY *key = NULL;

	if (strcmp(curve, "P-256") != 0 && strcmp(curve, "P-384") != 0) {
		err_set(err, ERR_MALFORMED, "the curve must be P-256 or P-384");
		return NULL;
	}
	key = EVP_EC_gen(curve);
	if (key == NULL)
		ossl_err(err, "key");
	return key;
}

/* EncryptedPrivateKeyInfo (RFC 5958 §3) by PBES2 with scrypt; NULL: error. */
static X509_SIG *
encrypt(PKCS8_PRIV_KEY_INFO *info, const char *passphrase)
{
	/* 16 MiB, half of what OpenSSL allows when it decrypts. */
	enum { SALT_LEN = 16, SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 5 };
	uint8_t salt[SALT_LEN];
	X509_ALGOR *pbe;
	X509_SIG *sealed;

	rand_bytes(salt, sizeof(salt));
	pbe = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, SALT_LEN, NULL,
	    SCRYPT_N, SCRYPT_R, SCRYPT_P);
	if (pbe == NULL)
		return NULL;
	sealed = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), info, pbe);
	if (sealed == NULL)
		X509_ALGOR_free(pbe);
	return sealed;
}

bool
key_encode_pem(
    EVP_PKEY *key, const char *passphrase, struct buf *pem, struct err *err)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	X509_SIG *sealed = NULL;
	uint8_t *der = NULL;
	int len = -1;
	bool ok = false;

	if (info == NULL)
		goto out;
	if (passphrase != NULL) {
		sealed = encrypt(info, passphrase);
		if (sealed != NULL)
			len = i2d_X509_SIG(sealed, &der);
	} else {
		len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	}
	ok = len > 0;
	if (ok)
		pem_encode(pem,
		    passphrase != NULL ? "ENCRYPTED PRIVATE KEY"
				       : "PRIVATE KEY",
		    der, (size_t)len);
out:
	OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(info);
	return ok || ossl_err(err, "encoding of the key");
}
