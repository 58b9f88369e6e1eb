/* SPDX-License-Identifier: ISC */
/* Tests of ca/sign.h: what is wrapped by hand is what OpenSSL reads. */
#include "ca/sign.h"

#include "pki.h"

static void
wraps(struct signer *s, const struct pki *p, uint8_t last)
{
	struct cert_spec spec = pki_spec(PROFILE_DEVICE, p->key, p->cert, last);
	X509 *built = pki_signed(&spec, p->key), *got;
	struct buf der = BUF_INIT;
	uint8_t *tbs = NULL;
	int len = i2d_re_X509_tbs(built, &tbs);

	ck_assert_int_gt(len, 0);
	ck_assert(signer_sign_tbs(s, p->key, tbs, (size_t)len, &der, NULL));
	got = cert_decode(der.data, der.len, NULL);
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(X509_verify(got, p->key), 1);
	X509_free(got);
	X509_free(built);
	OPENSSL_free(tbs);
	buf_free(&der);
}

/* Often enough that signatures of 70, 71 and 72 octets come up. */
START_TEST(one_signer_serves_many_keys)
{
	struct signer *s = signer_new(NULL);
	struct pki a = pki_new(PROFILE_DEVICE_CA);
	struct pki b = pki_new(PROFILE_DEVICE_CA);
	uint8_t i;

	for (i = 1; i < 100; i++) {
		wraps(s, &a, i);
		wraps(s, &b, i);
	}
	pki_free(&a);
	wraps(s, &b, i); /* the signer holds a reference of its own */
	pki_free(&b);
	signer_free(s);
	signer_free(NULL);
}
END_TEST

/* Lengths on both sides of DER's short and long forms (X.690 §8.1.3). */
START_TEST(lengths_are_minimal)
{
	static const size_t lens[] = {1, 30, 40, 41, 42, 100, 150, 168, 170,
	    180, 256, 65400, 65535, 70000};
	struct signer *s = signer_new(NULL);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	const uint8_t *p;
	long content;
	size_t i;
	int tag, class;

	for (i = 0; i < COUNT(lens); i++) {
		buf_reset(&tbs);
		buf_reset(&der);
		memset(buf_extend(&tbs, lens[i]), 0, lens[i]);
		ck_assert(
		    signer_sign_tbs(s, key, tbs.data, tbs.len, &der, NULL));
		p = der.data;
		ck_assert_int_eq(
		    ASN1_get_object(&p, &content, &tag, &class, (long)der.len),
		    V_ASN1_CONSTRUCTED);
		ck_assert_int_eq(tag, V_ASN1_SEQUENCE);
		ck_assert_ptr_eq(p + content, der.data + der.len);
		ck_assert_int_eq(
		    ASN1_object_size(1, (int)content, V_ASN1_SEQUENCE),
		    (int)der.len);
	}
	EVP_PKEY_free(key);
	buf_free(&tbs);
	buf_free(&der);
	signer_free(s);
}
END_TEST

START_TEST(other_curves_are_refused)
{
	struct signer *s = signer_new(NULL);
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct err err = {.code = ERR_NONE};
	struct buf der = BUF_INIT;

	ck_assert(
	    !signer_sign_tbs(s, key, (const uint8_t *)"x", 1, &der, &err));
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_uint_eq(der.len, 0);
	EVP_PKEY_free(key);
	signer_free(s);
}
END_TEST

START_TEST(only_the_issuers_key_signs)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_spec spec = pki_spec(PROFILE_DEVICE_CA, p.key, p.root, 5);
	X509 *cert = cert_build(&spec, NULL);
	struct err err = {.code = ERR_NONE};

	ck_assert(!sign_cert(cert, p.root, p.key, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	ck_assert(sign_cert(cert, p.root, p.root_key, NULL));
	ck_assert(cert_check_issued(cert, p.root, NULL));
	X509_free(cert);
	pki_free(&p);
}
END_TEST

START_TEST(the_digest_follows_the_curve)
{
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct cert_spec spec = pki_spec(PROFILE_ROOT, key, NULL, 1);
	X509 *root = cert_build(&spec, NULL);

	ck_assert(X509_set_pubkey(root, key) == 1);
	ck_assert(sign_cert(root, root, key, NULL));
	ck_assert_int_eq(X509_get_signature_nid(root), NID_ecdsa_with_SHA384);
	X509_free(root);
	EVP_PKEY_free(key);
}
END_TEST

UNIT_MAIN("sign", one_signer_serves_many_keys, lengths_are_minimal,
    other_curves_are_refused, only_the_issuers_key_signs,
    the_digest_follows_the_curve)
