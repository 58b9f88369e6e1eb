/* SPDX-License-Identifier: ISC */
/*
 * Tests of cert/template.h: a filled template is the certificate that the
 * long way builds, byte for byte, and OpenSSL reads it as meant.
 */
#include "cert/template.h"

#include <stdio.h>

#include <openssl/x509v3.h>

#include "ca/sign.h"
#include "template.h"

/* The last second of UTCTime, and the first of GeneralizedTime. */
static const int64_t last_utc = INT64_C(2524607999);
static const int64_t first_general = INT64_C(2524608000);
static const int64_t in_2056 = INT64_C(2742221220);
static const int64_t in_2051 = INT64_C(2556143999);

/* One pair for each template, and both sides of each boundary. */
static const int64_t validities[][2] = {
    {INT64_C(1795446420), INT64_C(2000000000)}, /* UTC, UTC */
    {INT64_C(1795446420), INT64_C(2524607999)},
    {INT64_C(1795446420), INT64_C(2524608000)}, /* UTC, Generalized */
    {INT64_C(1795446420), INT64_C(2742221220)},
    {INT64_C(2524607999), INT64_C(2524608000)},
    {INT64_C(2524608000), INT64_C(2742221220)}, /* Generalized twice */
    {INT64_C(2524608000), INT64_C(2524608000)},
};

/* The same certificate, extension by extension. */
static X509 *
long_way(const struct pki *p, const struct cert_fields *f, EVP_PKEY *key,
    const char *domain)
{
	struct cert_spec spec = pki_spec(PROFILE_DEVICE, key, p->cert, 0);
	struct ext_name name = {EXT_NAME_URI, NULL};
	char uri[256];

	memcpy(spec.serial, f->serial, SERIAL_LEN);
	spec.not_before = f->not_before;
	spec.not_after = f->not_after;
	spec.common_name = f->device_id;
	if (domain != NULL) {
		snprintf(uri, sizeof(uri), "spiffe://%s/%s/%s", domain,
		    f->project_id, f->device_id);
		name.value = uri;
		spec.names = &name;
		spec.name_count = 1;
	}
	return pki_signed(&spec, p->key);
}

static X509 *
fill_and_sign(const struct pki *p, const struct cert_template *t,
    const struct cert_fields *f)
{
	struct buf tbs = BUF_INIT, der = BUF_INIT;
	struct err err = {.code = ERR_NONE};
	struct signer *signer = signer_new(&err);
	X509 *cert;

	ck_assert_msg(cert_template_fill(t, f, &tbs, &err), "%s", err.detail);
	ck_assert(
	    signer_sign_tbs(signer, p->key, tbs.data, tbs.len, &der, &err));
	cert = cert_decode(der.data, der.len, &err);
	ck_assert_msg(cert != NULL, "%s", err.detail);
	signer_free(signer);
	buf_free(&tbs);
	buf_free(&der);
	return cert;
}

static void
same_bytes(
    const struct cert_template *t, const struct cert_fields *f, X509 *expected)
{
	struct buf tbs = BUF_INIT;
	uint8_t *der = NULL;
	int len = i2d_re_X509_tbs(expected, &der);

	ck_assert_int_gt(len, 0);
	ck_assert(cert_template_fill(t, f, &tbs, NULL));
	ck_assert_uint_eq(tbs.len, (size_t)len);
	ck_assert_mem_eq(tbs.data, der, tbs.len);
	OPENSSL_free(der);
	buf_free(&tbs);
}

static void
same_extensions(X509 *a, X509 *b)
{
	X509_EXTENSION *x, *y;
	int i;

	ck_assert_int_eq(X509_get_ext_count(a), X509_get_ext_count(b));
	for (i = 0; i < X509_get_ext_count(a); i++) {
		x = X509_get_ext(a, i);
		y = X509_get_ext(b, i);
		ck_assert_int_eq(OBJ_cmp(X509_EXTENSION_get_object(x),
				     X509_EXTENSION_get_object(y)),
		    0);
		ck_assert_int_eq(X509_EXTENSION_get_critical(x),
		    X509_EXTENSION_get_critical(y));
		ck_assert_int_eq(
		    ASN1_OCTET_STRING_cmp(
			X509_EXTENSION_get_data(x), X509_EXTENSION_get_data(y)),
		    0);
	}
}

static void
same_fields(X509 *a, X509 *b)
{
	const X509_ALGOR *x, *y;

	ck_assert_int_eq(X509_get_version(a), X509_get_version(b));
	ck_assert_int_eq(ASN1_INTEGER_cmp(X509_get0_serialNumber(a),
			     X509_get0_serialNumber(b)),
	    0);
	ck_assert_int_eq(
	    X509_NAME_cmp(X509_get_issuer_name(a), X509_get_issuer_name(b)), 0);
	ck_assert_int_eq(
	    X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)),
	    0);
	ck_assert_int_eq(
	    ASN1_STRING_cmp(X509_get0_notBefore(a), X509_get0_notBefore(b)), 0);
	ck_assert_int_eq(
	    ASN1_STRING_cmp(X509_get0_notAfter(a), X509_get0_notAfter(b)), 0);
	ck_assert_int_eq(
	    EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)), 1);
	X509_get0_signature(NULL, &x, a);
	X509_get0_signature(NULL, &y, b);
	ck_assert_int_eq(X509_ALGOR_cmp(x, y), 0);
	ck_assert_int_eq(X509_ALGOR_cmp(X509_get0_tbs_sigalg(a), x), 0);
	same_extensions(a, b);
}

static void
compare_all(const char *domain)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_template *t = template_for(p.cert, domain);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct cert_fields f;
	X509 *filled, *built;
	size_t i;

	fields_for(&f, key);
	for (i = 0; i < COUNT(validities); i++) {
		f.not_before = validities[i][0];
		f.not_after = validities[i][1];
		built = long_way(&p, &f, key, domain);
		same_bytes(t, &f, built);
		filled = fill_and_sign(&p, t, &f);
		same_fields(filled, built);
		X509_free(filled);
		X509_free(built);
	}
	EVP_PKEY_free(key);
	cert_template_free(t);
	pki_free(&p);
}

START_TEST(equals_the_long_way_with_uri)
{
	compare_all(DOMAIN);
}
END_TEST

START_TEST(equals_the_long_way_without)
{
	compare_all(NULL);
}
END_TEST

/* Said once in plain words, not by comparison with our own builder. */
START_TEST(reads_as_the_profile_says)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_template *t = template_for(p.cert, DOMAIN);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	uint8_t ski[EVP_MAX_MD_SIZE];
	unsigned int ski_len = 0;
	struct cert_fields f;
	GENERAL_NAMES *san;
	X509_NAME_ENTRY *cn;
	X509 *cert;

	fields_for(&f, key);
	cert = fill_and_sign(&p, t, &f);
	ck_assert_int_eq(X509_get_ext_count(cert), 7);
	ck_assert_uint_eq(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
	ck_assert_uint_eq(X509_get_extended_key_usage(cert), XKU_SSL_CLIENT);
	ck_assert_int_eq(
	    X509_get_ext_by_NID(cert, NID_basic_constraints, -1), -1);
	ck_assert_int_eq(X509_NAME_entry_count(X509_get_subject_name(cert)), 1);
	cn = X509_NAME_get_entry(X509_get_subject_name(cert), 0);
	ck_assert_int_eq(
	    ASN1_STRING_type(X509_NAME_ENTRY_get_data(cn)), V_ASN1_UTF8STRING);
	ck_assert_mem_eq(
	    ASN1_STRING_get0_data(X509_NAME_ENTRY_get_data(cn)), DEVICE, 30);
	X509_pubkey_digest(cert, EVP_sha1(), ski, &ski_len);
	ck_assert_mem_eq(
	    ASN1_STRING_get0_data(X509_get0_subject_key_id(cert)), ski, 20);
	ck_assert_int_eq(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert),
			     X509_get0_subject_key_id(p.cert)),
	    0);
	san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	ck_assert_int_eq(sk_GENERAL_NAME_num(san), 1);
	ck_assert_str_eq(
	    (const char *)ASN1_STRING_get0_data(
		sk_GENERAL_NAME_value(san, 0)->d.uniformResourceIdentifier),
	    "spiffe://" DOMAIN "/" PROJECT "/" DEVICE);
	ck_assert_int_eq(
	    ASN1_STRING_type(X509_get0_notBefore(cert)), V_ASN1_UTCTIME);
	ck_assert_int_eq(
	    ASN1_STRING_type(X509_get0_notAfter(cert)), V_ASN1_GENERALIZEDTIME);
	GENERAL_NAMES_free(san);
	X509_free(cert);
	EVP_PKEY_free(key);
	cert_template_free(t);
	pki_free(&p);
}
END_TEST

START_TEST(verifies_until_its_last_second)
{
	static const struct {
		int64_t at;
		int rc;
	} cases[] = {
	    {INT64_C(1795450019), X509_V_ERR_CERT_NOT_YET_VALID},
	    {INT64_C(1795450020), X509_V_OK},
	    {INT64_C(2524607999), X509_V_OK}, /* 2049 ends */
	    {INT64_C(2524608000), X509_V_OK}, /* 2050 begins */
	    {INT64_C(2708000000), X509_V_OK}, /* 2055 */
	    {INT64_C(2742221219), X509_V_OK},
	    {INT64_C(2742221221), X509_V_ERR_CERT_HAS_EXPIRED},
	};
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_template *t = template_for(p.cert, DOMAIN);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct cert_fields f;
	X509 *cert;
	size_t i;

	fields_for(&f, key);
	cert = fill_and_sign(&p, t, &f);
	for (i = 0; i < COUNT(cases); i++)
		ck_assert_int_eq(
		    pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, cases[i].at),
		    cases[i].rc);
	ck_assert_int_eq(pki_verify(&p, cert, X509_PURPOSE_SSL_SERVER, pki_now),
	    X509_V_ERR_INVALID_PURPOSE);
	X509_free(cert);
	/* All three templates hold under a strict reader. */
	f.not_after = last_utc;
	cert = fill_and_sign(&p, t, &f);
	ck_assert_int_eq(
	    pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, last_utc - 1),
	    X509_V_OK);
	ck_assert_int_eq(pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, in_2051),
	    X509_V_ERR_CERT_HAS_EXPIRED);
	X509_free(cert);
	f.not_before = first_general;
	f.not_after = in_2056;
	cert = fill_and_sign(&p, t, &f);
	ck_assert_int_eq(
	    pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, in_2051), X509_V_OK);
	ck_assert_int_eq(
	    pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, last_utc),
	    X509_V_ERR_CERT_NOT_YET_VALID);
	X509_free(cert);
	EVP_PKEY_free(key);
	cert_template_free(t);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("template", equals_the_long_way_with_uri, equals_the_long_way_without,
    reads_as_the_profile_says, verifies_until_its_last_second)
