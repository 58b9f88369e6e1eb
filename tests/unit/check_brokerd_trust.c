/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_trust.h. */
#include "broker/brokerd_trust.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ca/sign.h"
#include "pki.h"

static char ca_file[] = "/tmp/pappus-check.XXXXXX";
static struct err err;
static struct pki pki;
static struct trust *trust;
static struct status *status;
static struct issuers issuers;
static struct buf device_der, root_der;

static void
write_roots(const char *more)
{
	struct buf pem = BUF_INIT;
	FILE *file;

	ck_assert(cert_encode_pem(pki.root, &pem, &err));
	file = fopen(ca_file, "w");
	ck_assert_ptr_nonnull(file);
	fputs(buf_str(&pem), file);
	fputs(more, file);
	fclose(file);
	buf_free(&pem);
}

static void
begin(void)
{
	close(mkstemp(ca_file));
	pki = pki_new(PROFILE_DEVICE_CA);
	write_roots("");
	trust = trust_load(ca_file, &err);
	ck_assert_msg(trust != NULL, "%s", err.detail);
	status = status_new();
	ck_assert(cert_encode_der(pki.cert, &device_der, &err));
	ck_assert(cert_encode_der(pki.root, &root_der, &err));
}

static void
end(void)
{
	unlink(ca_file);
	issuers_free(&issuers);
	trust_free(trust);
	status_free(status);
	buf_free(&device_der);
	buf_free(&root_der);
	pki_free(&pki);
}

static void
add(struct denylist_file *list, enum denylist_purpose purpose,
    const struct buf *der, const char *url)
{
	list->issuers[list->issuer_count++] =
	    (struct denylist_issuer){.purpose = purpose,
		.crl_url = url,
		.crl_url_len = strlen(url),
		.certificate = der->data,
		.certificate_len = der->len};
}

static uint64_t
refused(enum refusal why)
{
	static struct status_view view;

	status_view(status, 0, &view);
	return view.refused[why];
}

START_TEST(issuers_that_come_from_our_roots)
{
	static struct denylist_file list;

	begin();
	add(&list, DENYLIST_ROOT, &root_der, PKI_ROOT_CRL_URL);
	add(&list, DENYLIST_DEVICE, &device_der, PKI_CRL_URL);
	ck_assert(issuers_read(&issuers, trust, &list, status));
	ck_assert_uint_eq(issuers.count, 2);
	ck_assert_str_eq(issuers.item[1].crl_url, PKI_CRL_URL);
	ck_assert_ptr_eq(
	    issuers_find(&issuers, issuers.item[1].ski), &issuers.item[1]);
	ck_assert_ptr_null(issuers_find(&issuers, "00"));
	/* the same list again; then one that differs by a URL */
	ck_assert(!issuers_read(&issuers, trust, &list, status));
	list.issuers[1].crl_url_len--;
	ck_assert(issuers_read(&issuers, trust, &list, status));
	ck_assert_uint_eq(issuers.count, 2);
	list.issuer_count = 1;
	ck_assert(issuers_read(&issuers, trust, &list, status));
	ck_assert_uint_eq(issuers.count, 1);
	end();
}
END_TEST

START_TEST(issuers_from_elsewhere_are_left_out)
{
	static struct denylist_file list;
	struct pki other;
	struct buf sub_ca = BUF_INIT, root = BUF_INIT;
	const struct buf junk = {(uint8_t[]){0x30, 0x00}, 2, 0};

	begin();
	other = pki_new(PROFILE_DEVICE_CA);
	ck_assert(cert_encode_der(other.cert, &sub_ca, &err));
	ck_assert(cert_encode_der(other.root, &root, &err));
	add(&list, DENYLIST_DEVICE, &sub_ca, PKI_CRL_URL);
	add(&list, DENYLIST_ROOT, &root, PKI_ROOT_CRL_URL);
	/* a sub-CA that is called a root */
	add(&list, DENYLIST_ROOT, &device_der, PKI_CRL_URL);
	add(&list, DENYLIST_DEVICE, &junk, PKI_CRL_URL);
	add(&list, DENYLIST_DEVICE, &device_der, PKI_CRL_URL);
	add(&list, DENYLIST_SERVICE, &device_der, PKI_CRL_URL);
	ck_assert(issuers_read(&issuers, trust, &list, status));
	ck_assert_uint_eq(issuers.count, 1);
	ck_assert_int_eq(issuers.item[0].purpose, DENYLIST_DEVICE);
	ck_assert_uint_eq(refused(REFUSED_FOREIGN), 3);
	/* junk, and the one that is there twice */
	ck_assert_uint_eq(refused(REFUSED_MALFORMED), 2);
	buf_free(&sub_ca);
	buf_free(&root);
	pki_free(&other);
	end();
}
END_TEST

START_TEST(files_of_roots)
{
	struct buf pem = BUF_INIT;

	begin();
	ck_assert_ptr_null(trust_load("/nowhere", &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.detail, "PAPPUS_CA_FILE: /nowhere"));
	err_clear(&err);
	/* a sub-CA is no root */
	ck_assert(cert_encode_pem(pki.cert, &pem, &err));
	write_roots(buf_str(&pem));
	ck_assert_ptr_null(trust_load(ca_file, &err));
	err_clear(&err);
	/* half a certificate behind a good one */
	pem.len /= 2;
	write_roots(buf_str(&pem));
	ck_assert_ptr_null(trust_load(ca_file, &err));
	err_clear(&err);
	buf_reset(&pem);
	ck_assert_int_eq(truncate(ca_file, 0), 0);
	ck_assert_ptr_null(trust_load(ca_file, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	buf_free(&pem);
	end();
}
END_TEST

/* A list of the sub-CA's, number 7, from pki_now on for a week. */
static struct buf
make_crl(const char *url, EVP_PKEY *key, X509 *issuer)
{
	const struct crl_spec spec = {.issuer = issuer,
	    .number = 7,
	    .this_update = pki_now,
	    .next_update = pki_now + 7 * 86400,
	    .url = url};
	struct buf der = BUF_INIT;
	X509_CRL *crl = crl_build(&spec, &err);

	ck_assert_msg(crl != NULL, "%s", err.detail);
	ck_assert_int_gt(X509_CRL_sign(crl, key, EVP_sha256()), 0);
	ck_assert(crl_encode_der(crl, &der, &err));
	X509_CRL_free(crl);
	return der;
}

/* What is said of it; REFUSALS: nothing, it is good. */
static enum refusal
checked(struct buf der, uint64_t number, int64_t now)
{
	static struct denylist_file list;
	enum refusal why = REFUSALS;
	struct crl_read crl;
	bool ok;

	list.issuer_count = 0;
	add(&list, DENYLIST_DEVICE, &device_der, PKI_CRL_URL);
	issuers_read(&issuers, trust, &list, status);
	err_clear(&err);
	ck_assert_msg(crl_read_open(der.data, der.len, false, &crl, &err), "%s",
	    err.detail);
	ok = trust_check_crl(&crl, &issuers.item[0], number, now, &why, &err);
	ck_assert(ok == (err.code == ERR_NONE));
	buf_free(&der);
	return ok ? REFUSALS : why;
}

START_TEST(a_crl_is_good_from_its_first_second_to_its_last)
{
	begin();
#define GOOD make_crl(PKI_CRL_URL, pki.key, pki.cert)
	ck_assert_int_eq(checked(GOOD, 7, pki_now), REFUSALS);
	ck_assert_int_eq(checked(GOOD, 7, pki_now + 7 * 86400 - 1), REFUSALS);
	ck_assert_int_eq(
	    checked(GOOD, 7, pki_now + 7 * 86400), REFUSED_EXPIRED);
	ck_assert_int_eq(checked(GOOD, 7, pki_now - 1), REFUSED_NOT_YET_VALID);
	ck_assert_ptr_nonnull(
	    strstr(err.detail, "1 seconds ahead of our clock"));
	end();
}
END_TEST

START_TEST(crls_that_are_wrong)
{
	struct pki other;

	begin();
	other = pki_new(PROFILE_DEVICE_CA);
	ck_assert_int_eq(checked(GOOD, 8, pki_now), REFUSED_MISMATCH);
	ck_assert_int_eq(checked(GOOD, 6, pki_now), REFUSED_MISMATCH);
	ck_assert_int_eq(
	    checked(make_crl("http://pki.example/other.crl", pki.key, pki.cert),
		7, pki_now),
	    REFUSED_IDP);
	/* signed by another key under our CA's name */
	ck_assert_int_eq(
	    checked(make_crl(PKI_CRL_URL, other.key, pki.cert), 7, pki_now),
	    REFUSED_SIGNATURE);
	ck_assert_int_eq(
	    checked(make_crl(PKI_CRL_URL, other.key, other.cert), 7, pki_now),
	    REFUSED_FOREIGN);
	ck_assert_int_eq(
	    checked(make_crl(PKI_CRL_URL, pki.root_key, pki.root), 7, pki_now),
	    REFUSED_FOREIGN);
	/* What is wrong in itself is never just held back. */
	ck_assert_int_eq(checked(GOOD, 8, pki_now - 1), REFUSED_MISMATCH);
	pki_free(&other);
	end();
}
END_TEST

UNIT_MAIN("brokerd_trust", issuers_that_come_from_our_roots,
    issuers_from_elsewhere_are_left_out, files_of_roots,
    a_crl_is_good_from_its_first_second_to_its_last, crls_that_are_wrong)
