/* SPDX-License-Identifier: ISC */
/* Tests of cert/template.h: what it refuses, and what its digest pins. */
#include "cert/template.h"

#include "template.h"

START_TEST(refuses_to_outlive_the_issuer)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_template *t = template_for(p.cert, NULL);
	struct err err = {.code = ERR_NONE};
	struct buf tbs = BUF_INIT;
	struct cert_fields f;
	int64_t limit;

	fields_for(&f, p.key);
	ck_assert(cert_time(X509_get0_notAfter(p.cert), &limit, NULL));
	f.not_after = limit;
	ck_assert(cert_template_fill(t, &f, &tbs, NULL));
	buf_reset(&tbs);
	f.not_after = limit + 1;
	ck_assert(!cert_template_fill(t, &f, &tbs, &err));
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_uint_eq(tbs.len, 0);
	buf_free(&tbs);
	cert_template_free(t);
	pki_free(&p);
}
END_TEST

static void
refused(const struct cert_template *t, const struct cert_fields *f)
{
	struct err err = {.code = ERR_NONE};
	struct buf tbs = BUF_INIT;

	ck_assert(!cert_template_fill(t, f, &tbs, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert_uint_eq(tbs.len, 0);
	buf_free(&tbs);
}

START_TEST(refuses_unfit_fields)
{
	static const char *const devices[] = {NULL, "", "dev_", DEVICE "0",
	    "dev_01jd00000000000000000000z", "DEV_01JD00000000000000000000ZZ",
	    "dev_01jd0000000000000000000/zz", "etk_01jd00000000000000000000zz",
	    "dev_91jd00000000000000000000zz"};
	static const char *const projects[] = {
	    NULL, "", DEVICE, PROJECT "0", "proj_01jd00000000000000000000y"};
	static const int64_t times[][2] = {{2000, 1000}, {1000, INT64_MIN},
	    {INT64_C(-631152001), 1000}, {INT64_MIN, 1000}};
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_template *t = template_for(p.cert, DOMAIN);
	struct cert_fields good, f;
	size_t i;

	fields_for(&good, p.key);
	for (i = 0; i < COUNT(devices); i++) {
		f = good;
		f.device_id = devices[i];
		refused(t, &f);
	}
	for (i = 0; i < COUNT(projects); i++) {
		f = good;
		f.project_id = projects[i];
		refused(t, &f);
	}
	for (i = 0; i < COUNT(times); i++) {
		f = good;
		f.not_before = times[i][0];
		f.not_after = times[i][1];
		refused(t, &f);
	}
	f = good;
	f.serial[0] = 0x00;
	refused(t, &f);
	f.serial[0] = 0x80;
	refused(t, &f);
	f = good;
	f.public_key[0] = 0x02;
	refused(t, &f);
	cert_template_free(t);
	pki_free(&p);
}
END_TEST

static void
digest_of(X509 *issuer, const char *crl, const char *ca, const char *domain,
    uint8_t out[TEMPLATE_DIGEST_LEN])
{
	struct cert_template_params params = {issuer, crl, ca, domain};
	struct cert_template *t = cert_template_new(&params, NULL);

	ck_assert_ptr_nonnull(t);
	cert_template_digest(t, out);
	cert_template_free(t);
}

START_TEST(digest_pins_what_is_printed)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct pki other = pki_new(PROFILE_DEVICE_CA);
	uint8_t d[6][TEMPLATE_DIGEST_LEN], again[TEMPLATE_DIGEST_LEN];
	size_t i, j;

	digest_of(p.cert, PKI_CRL_URL, PKI_CA_URL, DOMAIN, d[0]);
	digest_of(p.cert, PKI_CRL_URL "x", PKI_CA_URL, DOMAIN, d[1]);
	digest_of(p.cert, PKI_CRL_URL, PKI_CA_URL "x", DOMAIN, d[2]);
	digest_of(p.cert, PKI_CRL_URL, PKI_CA_URL, "fleet.examplf", d[3]);
	digest_of(p.cert, PKI_CRL_URL, PKI_CA_URL, NULL, d[4]);
	digest_of(other.cert, PKI_CRL_URL, PKI_CA_URL, DOMAIN, d[5]);
	for (i = 0; i < COUNT(d); i++)
		for (j = 0; j < i; j++)
			ck_assert_mem_ne(d[i], d[j], TEMPLATE_DIGEST_LEN);
	/* The throw-away keys and markers of the making leave no trace. */
	digest_of(p.cert, PKI_CRL_URL, PKI_CA_URL, DOMAIN, again);
	ck_assert_mem_eq(d[0], again, TEMPLATE_DIGEST_LEN);
	pki_free(&p);
	pki_free(&other);
}
END_TEST

START_TEST(is_not_made_of_unfit_parameters)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct pki server = pki_new(PROFILE_SERVER_CA);
	const struct cert_template_params bad[] = {
	    {server.cert, PKI_CRL_URL, PKI_CA_URL, NULL},
	    {p.root, PKI_CRL_URL, PKI_CA_URL, NULL},
	    {p.cert, "https://pki.example/crl", PKI_CA_URL, NULL},
	    {p.cert, NULL, PKI_CA_URL, NULL},
	    {p.cert, PKI_CRL_URL, "", NULL},
	    {p.cert, PKI_CRL_URL, PKI_CA_URL, ""},
	    {p.cert, PKI_CRL_URL, PKI_CA_URL, "UPPER.example"},
	    {p.cert, PKI_CRL_URL, PKI_CA_URL, "a/b"},
	};
	struct err err;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		err_clear(&err);
		ck_assert_ptr_null(cert_template_new(&bad[i], &err));
		ck_assert_int_ne(err.code, ERR_NONE);
	}
	pki_free(&p);
	pki_free(&server);
}
END_TEST

UNIT_MAIN("template_rules", refuses_to_outlive_the_issuer, refuses_unfit_fields,
    digest_pins_what_is_printed, is_not_made_of_unfit_parameters)
