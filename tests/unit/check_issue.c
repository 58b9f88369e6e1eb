/* SPDX-License-Identifier: ISC */
/* Tests of ca/issue.h and ca/keystore.h: from folder to certificate. */
#include "ca/issue.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "ca/key.h"
#include "ca/keystore.h"
#include "pki.h"

#define DEVICE "dev_01jd00000000000000000000zz"
#define PROJECT "proj_01jd00000000000000000000yy"

/* What the database would hold of a sub-CA. */
struct record {
	struct buf cert, root;
	struct issuer_der parent;
	uint8_t profile[TEMPLATE_DIGEST_LEN];
	struct issuer_params params;
};

static void
record_make(struct record *r, const struct pki *p)
{
	struct cert_template_params tp = {
	    p->cert, PKI_CRL_URL, PKI_CA_URL, "fleet.example"};
	struct cert_template *t = cert_template_new(&tp, NULL);

	memset(r, 0, sizeof(*r));
	cert_template_digest(t, r->profile);
	cert_template_free(t);
	cert_encode_der(p->cert, &r->cert, NULL);
	cert_encode_der(p->root, &r->root, NULL);
	r->parent.data = r->root.data;
	r->parent.len = r->root.len;
	r->params.id = 42;
	r->params.cert.data = r->cert.data;
	r->params.cert.len = r->cert.len;
	r->params.parents = &r->parent;
	r->params.parent_count = 1;
	r->params.crl_url = PKI_CRL_URL;
	r->params.ca_url = PKI_CA_URL;
	r->params.trust_domain = "fleet.example";
	r->params.profile_sha256 = r->profile;
	r->params.key = p->key;
}

static void
record_free(struct record *r)
{
	buf_free(&r->cert);
	buf_free(&r->root);
}

static struct issuer *
issuer_for(const struct record *r)
{
	struct err err = {.code = ERR_NONE};
	struct issuer *issuer = issuer_new(&r->params, &err);

	ck_assert_msg(issuer != NULL, "%s", err.detail);
	return issuer;
}

static void
fields_for(struct cert_fields *f, const struct key_pair *pair)
{
	memset(f->serial, 0x22, SERIAL_LEN);
	f->not_before = pki_now;
	f->not_after = pki_now + 30 * INT64_C(365) * 86400;
	f->device_id = DEVICE;
	f->project_id = PROJECT;
	memcpy(f->public_key, pair->pub, KEY_PUB_LEN);
}

static X509 *
from_pem(struct buf *pem)
{
	X509 *cert = cert_decode(pem->data, pem->len, NULL);

	ck_assert_ptr_nonnull(cert);
	return cert;
}

START_TEST(issues_what_verifies)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct key_maker *maker = key_maker_new(NULL);
	struct signer *signer = signer_new(NULL);
	struct buf pem = BUF_INIT, key_text = BUF_INIT;
	struct issuer *issuer;
	struct key_pair pair;
	struct cert_fields f;
	struct record r;
	EVP_PKEY *key;
	X509 *cert;
	BIO *bio;

	record_make(&r, &p);
	issuer = issuer_for(&r);
	ck_assert_int_eq(issuer_id(issuer), 42);
	ck_assert(key_make(maker, &pair, NULL));
	fields_for(&f, &pair);
	ck_assert(issuer_issue(issuer, signer, &f, &pem, NULL));
	cert = from_pem(&pem);
	ck_assert_int_eq(
	    pki_verify(&p, cert, X509_PURPOSE_SSL_CLIENT, pki_now), X509_V_OK);
	key_pem(&pair, &key_text);
	bio = BIO_new_mem_buf(key_text.data, (int)key_text.len);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	ck_assert_int_eq(X509_check_private_key(cert, key), 1);
	BIO_free(bio);
	EVP_PKEY_free(key);
	X509_free(cert);
	issuer_free(issuer);
	record_free(&r);
	buf_free(&pem);
	buf_free(&key_text);
	signer_free(signer);
	key_maker_free(maker);
	pki_free(&p);
}
END_TEST

START_TEST(gives_the_chain_up_to_the_root)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct issuer *issuer;
	struct record r;
	X509 *first, *second;
	int64_t limit;
	BIO *bio;

	record_make(&r, &p);
	issuer = issuer_for(&r);
	bio = BIO_new_mem_buf(issuer_chain_pem(issuer), -1);
	first = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	second = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	ck_assert_int_eq(X509_cmp(first, p.cert), 0);
	ck_assert_int_eq(X509_cmp(second, p.root), 0);
	ck_assert_int_eq(BIO_pending(bio), 0);
	ck_assert(cert_time(X509_get0_notAfter(p.cert), &limit, NULL));
	ck_assert_int_eq(issuer_not_after(issuer), limit);
	BIO_free(bio);
	X509_free(first);
	X509_free(second);
	issuer_free(issuer);
	record_free(&r);
	pki_free(&p);
}
END_TEST

static void
refused(const struct issuer_params *params, enum err_code code)
{
	struct err err = {.code = ERR_NONE};

	ck_assert_ptr_null(issuer_new(params, &err));
	ck_assert_int_eq(err.code, code);
}

START_TEST(what_does_not_agree_is_refused)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct pki q = pki_new(PROFILE_DEVICE_CA);
	struct issuer_params params;
	struct record r, s;

	record_make(&r, &p);
	record_make(&s, &q);
	params = r.params;
	params.key = q.key;
	refused(&params, ERR_MISMATCH);
	params = r.params;
	params.parents = &s.parent; /* another root */
	refused(&params, ERR_MISMATCH);
	params.parent_count = 0; /* the chain ends at a sub-CA */
	refused(&params, ERR_MISMATCH);
	params = r.params;
	params.crl_url = PKI_CRL_URL "x"; /* not what was registered */
	refused(&params, ERR_MISMATCH);
	params = r.params;
	params.trust_domain = NULL;
	refused(&params, ERR_MISMATCH);
	params = r.params;
	params.profile_sha256 = s.profile;
	refused(&params, ERR_MISMATCH);
	params = r.params;
	params.cert.len--;
	refused(&params, ERR_MALFORMED);
	params = r.params;
	params.cert = r.parent; /* the root itself is no device sub-CA */
	params.key = p.root_key;
	refused(&params, ERR_MISMATCH);
	record_free(&r);
	record_free(&s);
	pki_free(&p);
	pki_free(&q);
}
END_TEST

START_TEST(refusals_leave_no_bytes)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct signer *signer = signer_new(NULL);
	struct key_pair pair = {.pub = {0x04}};
	struct err err = {.code = ERR_NONE};
	struct buf pem = BUF_INIT;
	struct issuer *issuer;
	struct cert_fields f;
	struct record r;

	record_make(&r, &p);
	issuer = issuer_for(&r);
	fields_for(&f, &pair);
	f.not_after = issuer_not_after(issuer) + 1;
	ck_assert(!issuer_issue(issuer, signer, &f, &pem, &err));
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_uint_eq(pem.len, 0);
	issuer_free(issuer);
	record_free(&r);
	signer_free(signer);
	pki_free(&p);
}
END_TEST

struct job {
	const struct issuer *issuer;
	EVP_PKEY *key;
	int good;
};

/* One thread of a worker: its own signer and maker, the shared issuer. */
static void *
issue_many(void *arg)
{
	struct job *job = arg;
	struct signer *signer = signer_new(NULL);
	struct key_maker *maker = key_maker_new(NULL);
	struct buf pem = BUF_INIT;
	struct key_pair pair;
	struct cert_fields f;
	X509 *cert;
	int i;

	for (i = 0; i < 50; i++) {
		buf_reset(&pem);
		if (!key_make(maker, &pair, NULL))
			break;
		fields_for(&f, &pair);
		if (!issuer_issue(job->issuer, signer, &f, &pem, NULL))
			break;
		cert = cert_decode(pem.data, pem.len, NULL);
		if (cert != NULL && X509_verify(cert, job->key) == 1)
			job->good++;
		X509_free(cert);
	}
	buf_free(&pem);
	signer_free(signer);
	key_maker_free(maker);
	return NULL;
}

START_TEST(threads_share_an_issuer)
{
	enum { THREADS = 8 };
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct job jobs[THREADS];
	pthread_t threads[THREADS];
	struct issuer *issuer;
	struct record r;
	int i;

	record_make(&r, &p);
	issuer = issuer_for(&r);
	for (i = 0; i < THREADS; i++) {
		jobs[i].issuer = issuer;
		jobs[i].key = p.key;
		jobs[i].good = 0;
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, issue_many, &jobs[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(jobs[i].good, 50);
	}
	issuer_free(issuer);
	record_free(&r);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("issue", issues_what_verifies, gives_the_chain_up_to_the_root,
    what_does_not_agree_is_refused, refusals_leave_no_bytes,
    threads_share_an_issuer)
