/* SPDX-License-Identifier: ISC */
/* Tests of cert/csr.h. */
#include "cert/csr.h"

#include <openssl/x509v3.h>

#include "ca/sign.h"
#include "pki.h"

static X509_REQ *
signed_csr(const char *cn, const char *o, EVP_PKEY *key, EVP_PKEY *signer)
{
	X509_REQ *csr = csr_build(cn, o, key, NULL);

	ck_assert_ptr_nonnull(csr);
	ck_assert(sign_csr(csr, signer, NULL));
	return csr;
}

START_TEST(travels_as_pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *csr = signed_csr("gr\xc3\xbcn", "Org", key, key);
	struct buf pem = BUF_INIT, cn = BUF_INIT, o = BUF_INIT;
	X509_REQ *back;

	ck_assert(csr_encode_pem(csr, &pem, NULL));
	back = csr_decode(pem.data, pem.len, NULL);
	ck_assert_ptr_nonnull(back);
	ck_assert(csr_subject(back, &cn, &o, NULL));
	ck_assert_str_eq((const char *)cn.data, "gr\xc3\xbcn");
	ck_assert_str_eq((const char *)o.data, "Org");
	ck_assert_int_eq(EVP_PKEY_eq(X509_REQ_get0_pubkey(back), key), 1);
	X509_REQ_free(back);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	buf_free(&pem);
	buf_free(&cn);
	buf_free(&o);
}
END_TEST

START_TEST(a_wrong_signature_is_refused)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	X509_REQ *csr = signed_csr("CN", "O", key, other);
	struct err err = {.code = ERR_NONE};
	struct buf pem = BUF_INIT;

	ck_assert(csr_encode_pem(csr, &pem, NULL));
	ck_assert_ptr_null(csr_decode(pem.data, pem.len, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	buf_free(&pem);
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
	static const char *const bad[] = {"", "x", "0", "\x30\x03",
	    "-----BEGIN CERTIFICATE REQUEST-----\n",
	    ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"
	     "-----END CERTIFICATE REQUEST-----\n")};
	struct err err;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		err_clear(&err);
		ck_assert_ptr_null(
		    csr_decode((const uint8_t *)bad[i], strlen(bad[i]), &err));
		ck_assert_int_eq(err.code, ERR_MALFORMED);
	}
}
END_TEST

static void
subject_is_refused(X509_NAME *name)
{
	X509_REQ *csr = X509_REQ_new();
	struct buf cn = BUF_INIT, o = BUF_INIT;

	X509_REQ_set_subject_name(csr, name);
	ck_assert(!csr_subject(csr, &cn, &o, NULL));
	X509_REQ_free(csr);
	X509_NAME_free(name);
	buf_free(&cn);
	buf_free(&o);
}

static void
add(X509_NAME *name, const char *field, const char *value)
{
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
			     (const unsigned char *)value, -1, -1, 0),
	    1);
}

START_TEST(only_one_o_and_one_cn_are_taken)
{
	X509_NAME *name;

	subject_is_refused(X509_NAME_new());
	subject_is_refused(cert_name_new("CN", NULL, NULL));
	name = cert_name_new("CN", "O", NULL);
	add(name, "C", "DE");
	subject_is_refused(name);
	name = cert_name_new("CN", NULL, NULL);
	add(name, "CN", "other");
	subject_is_refused(name);
}
END_TEST

UNIT_MAIN("csr", travels_as_pem, a_wrong_signature_is_refused,
    what_is_no_request_is_refused, only_one_o_and_one_cn_are_taken)
