/* SPDX-License-Identifier: ISC */
/* Tests of ca/key.h: keys made at speed; see check_key_file.c for files. */
#include "ca/key.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "cert/cert.h"
#include "pki.h"

static EVP_PKEY *
from_pem(struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	ck_assert_ptr_nonnull(key);
	return key;
}

/* OpenSSL reads our PEM, agrees with every byte and writes the same. */
START_TEST(pkcs8_is_what_openssl_writes)
{
	struct key_maker *m = key_maker_new(NULL);
	struct key_pair pair, zero = {.pub = {0}};
	uint8_t digest[KEY_SPKI_DIGEST_LEN], pub[KEY_PUB_LEN];
	struct buf pem = BUF_INIT, theirs = BUF_INIT;
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key;
	size_t len;
	int i;

	for (i = 0; i < 300; i++) {
		buf_reset(&pem);
		buf_reset(&theirs);
		ck_assert(key_make(m, &pair, NULL));
		key_pem(&pair, &pem);
		key = from_pem(&pem);
		ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		ck_assert_int_eq(EVP_PKEY_check(ctx), 1);
		EVP_PKEY_CTX_free(ctx);
		EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub), &len);
		ck_assert_mem_eq(pub, pair.pub, KEY_PUB_LEN);
		ck_assert(cert_spki_sha256(key, digest, NULL));
		ck_assert_mem_eq(digest, pair.spki_sha256, sizeof(digest));
		ck_assert(key_encode_pem(key, NULL, &theirs, NULL));
		ck_assert_str_eq(buf_str(&theirs), buf_str(&pem));
		EVP_PKEY_free(key);
		key_pair_wipe(&pair);
		ck_assert_mem_eq(&pair, &zero, sizeof(pair));
	}
	buf_free(&pem);
	buf_free(&theirs);
	key_maker_free(m);
}
END_TEST

START_TEST(keys_differ)
{
	struct key_maker *m = key_maker_new(NULL);
	struct key_pair a, b;

	ck_assert(key_make(m, &a, NULL));
	ck_assert(key_make(m, &b, NULL));
	ck_assert_mem_ne(a.priv, b.priv, KEY_PRIV_LEN);
	ck_assert_mem_ne(a.pub, b.pub, KEY_PUB_LEN);
	key_maker_free(m);
}
END_TEST

UNIT_MAIN("key", pkcs8_is_what_openssl_writes, keys_differ)
