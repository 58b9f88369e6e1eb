/* SPDX-License-Identifier: ISC */
/* Tests of cert/crl.h: lists as OpenSSL reads them. */
#include "cert/crl.h"

#include <openssl/x509v3.h>

#include "ca/sign.h"
#include "pki.h"

static struct crl_spec
spec_for(const struct pki *p)
{
	struct crl_spec spec = {.issuer = p->root,
	    .number = 7,
	    .this_update = pki_now - CRL_BACKDATE_S,
	    .next_update = pki_now + 86400,
	    .url = PKI_ROOT_CRL_URL};

	return spec;
}

/* Decoded again: only then OpenSSL looks at a list's extensions. */
static X509_CRL *
signed_crl(const struct pki *p, const struct crl_spec *spec)
{
	struct err err = {.code = ERR_NONE};
	X509_CRL *built = crl_build(spec, &err), *crl;
	struct buf der = BUF_INIT;

	ck_assert_msg(built != NULL, "%s", err.detail);
	ck_assert(sign_crl(built, p->root, p->root_key, NULL));
	ck_assert(crl_encode_der(built, &der, NULL));
	crl = crl_decode(der.data, der.len, NULL);
	ck_assert_ptr_nonnull(crl);
	X509_CRL_free(built);
	buf_free(&der);
	return crl;
}

/* Verify the sub-CA against the list, as a strict reader does. */
static int
verify_with(const struct pki *p, X509_CRL *crl, int64_t at)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int rc;

	X509_STORE_add_cert(store, p->root);
	X509_STORE_add_crl(store, crl);
	X509_STORE_CTX_init(ctx, store, p->cert, NULL);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(
	    param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CRL_CHECK);
	X509_VERIFY_PARAM_set_time(param, (time_t)at);
	X509_verify_cert(ctx);
	rc = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return rc;
}

START_TEST(an_empty_list_has_no_entries_at_all)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = spec_for(&p);
	X509_CRL *crl = signed_crl(&p, &spec);
	ISSUING_DIST_POINT *idp;
	uint64_t number = 0;
	int critical = 0;

	ck_assert_int_eq(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
	ck_assert_ptr_null(X509_CRL_get_REVOKED(crl));
	ck_assert(crl_number(crl, &number, NULL));
	ck_assert_uint_eq(number, 7);
	idp = X509_CRL_get_ext_d2i(
	    crl, NID_issuing_distribution_point, &critical, NULL);
	ck_assert_ptr_nonnull(idp);
	ck_assert_int_eq(critical, 1);
	ck_assert_int_eq(
	    X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1), 0);
	ck_assert_int_eq(verify_with(&p, crl, pki_now), X509_V_OK);
	ck_assert_int_eq(verify_with(&p, crl, spec.next_update + 1),
	    X509_V_ERR_CRL_HAS_EXPIRED);
	ISSUING_DIST_POINT_free(idp);
	X509_CRL_free(crl);
	pki_free(&p);
}
END_TEST

START_TEST(a_revoked_sub_ca_is_refused)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = spec_for(&p);
	struct crl_entry entries[2] = {
	    {.revoked_at = pki_now, .reason = CRL_UNSPECIFIED},
	    {.revoked_at = pki_now, .reason = CRL_CA_COMPROMISE}};
	X509_REVOKED *found = NULL;
	X509_CRL *crl;

	memset(entries[0].serial, 0x7f, SERIAL_LEN);
	ck_assert(cert_serial(p.cert, entries[1].serial, NULL));
	spec.entries = entries;
	spec.entry_count = COUNT(entries);
	crl = signed_crl(&p, &spec);
	ck_assert_int_eq(
	    verify_with(&p, crl, pki_now), X509_V_ERR_CERT_REVOKED);
	ck_assert_int_eq(X509_CRL_get0_by_cert(crl, &found, p.cert), 1);
	ck_assert_int_eq(X509_REVOKED_get_ext_count(found), 1);
	/* Reason 0 is not written (RFC 5280 §5.3.1). */
	found = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 1);
	ck_assert_int_eq(X509_REVOKED_get_ext_count(found), 0);
	X509_CRL_free(crl);
	pki_free(&p);
}
END_TEST

/* Why the name has to be the CDP's: any other refuses everybody. */
START_TEST(another_name_refuses_everybody)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = spec_for(&p);
	X509_CRL *crl;

	spec.url = PKI_ROOT_CRL_URL "x";
	crl = signed_crl(&p, &spec);
	ck_assert_int_eq(
	    verify_with(&p, crl, pki_now), X509_V_ERR_DIFFERENT_CRL_SCOPE);
	X509_CRL_free(crl);
	pki_free(&p);
}
END_TEST

START_TEST(travels_as_der_and_pem)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = spec_for(&p);
	struct buf der = BUF_INIT, pem = BUF_INIT;
	X509_CRL *crl, *a, *b;

	spec.number = UINT64_C(1795450020123);
	crl = signed_crl(&p, &spec);
	ck_assert(crl_encode_der(crl, &der, NULL));
	ck_assert(crl_encode_pem(crl, &pem, NULL));
	a = crl_decode(der.data, der.len, NULL);
	b = crl_decode(pem.data, pem.len, NULL);
	ck_assert_int_eq(X509_CRL_match(a, crl), 0);
	ck_assert_int_eq(X509_CRL_match(b, crl), 0);
	ck_assert_ptr_null(crl_decode(der.data, der.len - 1, NULL));
	buf_add_byte(&der, 0);
	ck_assert_ptr_null(crl_decode(der.data, der.len, NULL));
	ck_assert_ptr_null(crl_decode(NULL, 0, NULL));
	X509_CRL_free(crl);
	X509_CRL_free(a);
	X509_CRL_free(b);
	buf_free(&der);
	buf_free(&pem);
	pki_free(&p);
}
END_TEST

START_TEST(is_signed_by_its_issuer_alone)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = spec_for(&p);
	X509_CRL *crl = crl_build(&spec, NULL);
	struct err err = {.code = ERR_NONE};

	ck_assert(!sign_crl(crl, p.root, p.key, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	X509_CRL_free(crl);
	pki_free(&p);
}
END_TEST

START_TEST(reasons_have_names)
{
	enum crl_reason reason;

	ck_assert_str_eq(crl_reason_name(CRL_HOLD), "certificateHold");
	ck_assert_ptr_null(crl_reason_name(7));
	ck_assert_ptr_null(crl_reason_name(-1));
	ck_assert(crl_reason_parse("keyCompromise", &reason));
	ck_assert_int_eq(reason, CRL_KEY_COMPROMISE);
	ck_assert(!crl_reason_parse("keycompromise", &reason));
}
END_TEST

UNIT_MAIN("crl", an_empty_list_has_no_entries_at_all,
    a_revoked_sub_ca_is_refused, another_name_refuses_everybody,
    travels_as_der_and_pem, is_signed_by_its_issuer_alone, reasons_have_names)
