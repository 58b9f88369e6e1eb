/* SPDX-License-Identifier: ISC */
/* Tests of cert/cert.h, cert/ext.h: the long way and what it refuses. */
#include "cert/cert.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "pki.h"

static void
refused(const struct cert_spec *spec, enum err_code code)
{
	struct err err = {.code = ERR_NONE};

	ck_assert_ptr_null(cert_build(spec, &err));
	ck_assert_int_eq(err.code, code);
}

START_TEST(server_certificates_verify)
{
	static const struct ext_name names[] = {
	    {EXT_NAME_DNS, "broker.example"}, {EXT_NAME_DNS, "*.fleet.example"},
	    {EXT_NAME_IP, "127.0.0.1"}, {EXT_NAME_IP, "::1"}};
	struct pki p = pki_new(PROFILE_SERVER_CA);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct cert_spec spec = pki_spec(PROFILE_SERVER, key, p.cert, 3);
	X509 *cert;

	spec.names = names;
	spec.name_count = COUNT(names);
	cert = pki_signed(&spec, p.key);
	ck_assert_int_eq(
	    pki_verify(&p, cert, X509_PURPOSE_SSL_SERVER, pki_now), X509_V_OK);
	ck_assert_int_eq(pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, pki_now),
	    X509_V_ERR_INVALID_PURPOSE);
	ck_assert_int_eq(
	    X509_check_host(cert, "broker.example", 0, 0, NULL), 1);
	ck_assert_int_eq(
	    X509_check_host(cert, "a.fleet.example", 0, 0, NULL), 1);
	ck_assert_int_eq(
	    X509_check_host(cert, "a.b.fleet.example", 0, 0, NULL), 0);
	ck_assert_int_eq(X509_check_ip_asc(cert, "::1", 0), 1);
	ck_assert_int_eq(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	pki_free(&p);
}
END_TEST

START_TEST(names_of_hosts_are_checked)
{
	static const struct ext_name bad[] = {{EXT_NAME_DNS, ""},
	    {EXT_NAME_DNS, "a..b"}, {EXT_NAME_DNS, "-a"}, {EXT_NAME_DNS, "a-"},
	    {EXT_NAME_DNS, "a b"}, {EXT_NAME_DNS, "*.*.a"},
	    {EXT_NAME_DNS, "a.*"}, {EXT_NAME_DNS, "a."},
	    {EXT_NAME_DNS, "http://a"}, {EXT_NAME_DNS, "g\xc3\xbc"},
	    {EXT_NAME_DNS, "0123456789012345678901234567890123456789"
			   "012345678901234567890123.example"},
	    {EXT_NAME_IP, "127.0.0"}, {EXT_NAME_IP, "localhost"},
	    {EXT_NAME_IP, ""}, {EXT_NAME_IP, "::1::"}};
	struct pki p = pki_new(PROFILE_SERVER_CA);
	struct cert_spec spec = pki_spec(PROFILE_SERVER, p.key, p.cert, 3);
	size_t i;

	spec.name_count = 0;
	refused(&spec, ERR_MALFORMED);
	spec.name_count = 1;
	for (i = 0; i < COUNT(bad); i++) {
		spec.names = &bad[i];
		refused(&spec, ERR_MALFORMED);
	}
	pki_free(&p);
}
END_TEST

START_TEST(unfit_specifications_are_refused)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	EVP_PKEY *p384 = EVP_EC_gen("P-384");
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	const struct cert_spec good =
	    pki_spec(PROFILE_DEVICE_CA, p.key, p.root, 3);
	struct cert_spec spec = good;

	spec.public_key = p384;
	refused(&spec, ERR_REFUSED);
	spec.public_key = rsa;
	refused(&spec, ERR_REFUSED);
	spec = good;
	ck_assert(cert_time(X509_get0_notAfter(p.root), &spec.not_after, NULL));
	X509_free(pki_signed(&spec, p.root_key));
	spec.not_after++;
	refused(&spec, ERR_REFUSED);
	spec = good;
	spec.not_after = spec.not_before - 1;
	refused(&spec, ERR_MALFORMED);
	spec = good;
	spec.serial[0] = 0;
	refused(&spec, ERR_MALFORMED);
	spec = good;
	spec.crl_url = "ldap://x/";
	refused(&spec, ERR_MALFORMED);
	spec = good;
	spec.ca_url = NULL;
	refused(&spec, ERR_MALFORMED);
	spec = good;
	spec.organization = NULL;
	refused(&spec, ERR_MALFORMED);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(rsa);
	pki_free(&p);
}
END_TEST

START_TEST(subjects_are_short_clean_utf8)
{
	static const char *const bad[] = {NULL, "", "a\nb", "\xff",
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "4"};
	static const char longest[] =
	    "\xc3\xbc"
	    "123456789012345678901234567890123456789012345678901234567890123";
	X509_NAME *name;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		ck_assert_ptr_null(cert_name_new(bad[i], "O", NULL));
	ck_assert_ptr_null(cert_name_new("CN", "", NULL));
	name = cert_name_new(longest, "O", NULL);
	ck_assert_ptr_nonnull(name);
	ck_assert_int_eq(X509_NAME_entry_count(name), 2);
	ck_assert_int_eq(
	    X509_NAME_get_index_by_NID(name, NID_organizationName, -1), 0);
	X509_NAME_free(name);
}
END_TEST

START_TEST(a_root_may_be_p384)
{
	struct pki p = {.root_key = EVP_EC_gen("P-384")};
	struct cert_spec spec = pki_spec(PROFILE_ROOT, p.root_key, NULL, 1);
	X509 *root = pki_signed(&spec, p.root_key);

	ck_assert(profile_check_ca(profile_get(PROFILE_ROOT), root, NULL));
	ck_assert(cert_check_issued(root, root, NULL));
	X509_free(root);
	EVP_PKEY_free(p.root_key);
}
END_TEST

START_TEST(times_change_type_in_2050)
{
	static const struct {
		int64_t seconds;
		int type;
		const char *text;
	} cases[] = {
	    {INT64_C(-631152000), V_ASN1_UTCTIME, "500101000000Z"},
	    {INT64_C(2524607999), V_ASN1_UTCTIME, "491231235959Z"},
	    {INT64_C(2524608000), V_ASN1_GENERALIZEDTIME, "20500101000000Z"},
	    {INT64_C(253402300799), V_ASN1_GENERALIZEDTIME, "99991231235959Z"},
	};
	ASN1_TIME *t;
	int64_t back;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		t = cert_time_new(cases[i].seconds);
		ck_assert_int_eq(ASN1_STRING_type(t), cases[i].type);
		ck_assert_str_eq(
		    (const char *)ASN1_STRING_get0_data(t), cases[i].text);
		ck_assert(cert_time(t, &back, NULL));
		ck_assert_int_eq(back, cases[i].seconds);
		ASN1_TIME_free(t);
	}
	ck_assert_ptr_null(cert_time_new(INT64_C(-631152001)));
	ck_assert_ptr_null(cert_time_new(INT64_C(253402300800)));
	ck_assert_ptr_null(cert_time_new(INT64_MAX));
}
END_TEST

START_TEST(reads_der_and_pem_and_nothing_else)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct buf der = BUF_INIT, pem = BUF_INIT;
	X509 *cert;
	size_t i;

	ck_assert(cert_encode_der(p.cert, &der, NULL));
	ck_assert(cert_encode_pem(p.cert, &pem, NULL));
	cert = cert_decode(der.data, der.len, NULL);
	ck_assert_int_eq(X509_cmp(cert, p.cert), 0);
	X509_free(cert);
	cert = cert_decode(pem.data, pem.len, NULL);
	ck_assert_int_eq(X509_cmp(cert, p.cert), 0);
	X509_free(cert);
	for (i = 0; i < der.len; i++)
		ck_assert_ptr_null(cert_decode(der.data, i, NULL));
	buf_add_byte(&der, 0);
	ck_assert_ptr_null(cert_decode(der.data, der.len, NULL));
	ck_assert_ptr_null(cert_decode(pem.data, pem.len - 40, NULL));
	buf_free(&der);
	buf_free(&pem);
	pki_free(&p);
}
END_TEST

START_TEST(issuers_are_checked)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct pki q = pki_new(PROFILE_DEVICE_CA);
	struct cert_spec spec = pki_spec(PROFILE_DEVICE_CA, p.key, p.root, 9);
	struct err err = {.code = ERR_NONE};
	X509 *forged = pki_signed(&spec, q.root_key);

	ck_assert(cert_check_issued(p.cert, p.root, NULL));
	ck_assert(!cert_check_issued(p.cert, q.root, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	ck_assert(!cert_check_issued(p.root, p.cert, NULL));
	/* Right names and key identifiers, wrong signature. */
	ck_assert(!cert_check_issued(forged, p.root, NULL));
	X509_free(forged);
	pki_free(&p);
	pki_free(&q);
}
END_TEST

START_TEST(gives_serial_ski_and_fingerprints)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	uint8_t serial[SERIAL_LEN], ski[CERT_KEY_ID_LEN];
	uint8_t a[CERT_DIGEST_LEN], b[CERT_DIGEST_LEN];

	ck_assert(cert_serial(p.cert, serial, NULL));
	ck_assert_uint_eq(serial[0], 0x11);
	ck_assert_uint_eq(serial[SERIAL_LEN - 1], 2);
	ck_assert(cert_ski(p.cert, ski, NULL));
	ck_assert(cert_fingerprint(p.cert, a, NULL));
	ck_assert(cert_fingerprint(p.root, b, NULL));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert(cert_spki_sha256(p.key, a, NULL));
	ck_assert(cert_spki_sha256(X509_get0_pubkey(p.cert), b, NULL));
	ck_assert_mem_eq(a, b, sizeof(a));
	/* A negative, then a short serial. */
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), -5);
	ck_assert(!cert_serial(p.cert, serial, NULL));
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), 5);
	ck_assert(!cert_serial(p.cert, serial, NULL));
	pki_free(&p);
}
END_TEST

UNIT_MAIN("cert", server_certificates_verify, names_of_hosts_are_checked,
    unfit_specifications_are_refused, subjects_are_short_clean_utf8,
    a_root_may_be_p384, times_change_type_in_2050,
    reads_der_and_pem_and_nothing_else, issuers_are_checked,
    gives_serial_ski_and_fingerprints)
