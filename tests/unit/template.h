/* SPDX-License-Identifier: ISC */
/* Templates and the fields of one certificate, for their tests. */
#ifndef PAPPUS_TESTS_TEMPLATE_H
#define PAPPUS_TESTS_TEMPLATE_H

#include <openssl/core_names.h>

#include "cert/template.h"
#include "pki.h"

#define DEVICE "dev_01jd00000000000000000000zz"
#define PROJECT "proj_01jd00000000000000000000yy"
#define DOMAIN "fleet.example"

static inline struct cert_template *
template_for(X509 *issuer, const char *domain)
{
	struct cert_template_params params = {
	    issuer, PKI_CRL_URL, PKI_CA_URL, domain};
	struct err err = {.code = ERR_NONE};
	struct cert_template *t = cert_template_new(&params, &err);

	ck_assert_msg(t != NULL, "%s", err.detail);
	return t;
}

static inline void
fields_for(struct cert_fields *f, EVP_PKEY *key)
{
	size_t len = 0;

	memset(f, 0, sizeof(*f));
	memset(f->serial, 0x01, SERIAL_LEN);
	f->serial[SERIAL_LEN - 1] = 0x80;
	f->device_id = DEVICE;
	f->project_id = PROJECT;
	f->not_before = pki_now;
	f->not_after = INT64_C(2742221220); /* in 2056 */
	ck_assert_int_eq(
	    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
		f->public_key, TEMPLATE_POINT_LEN, &len),
	    1);
	ck_assert_uint_eq(len, TEMPLATE_POINT_LEN);
}

#endif
