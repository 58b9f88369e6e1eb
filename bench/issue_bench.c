/* SPDX-License-Identifier: ISC */
/*
 * The time of one core that a key, a device certificate and both as PEM take:
 * the way of most programs (text extensions, a BIO, everything anew), our
 * builder, and the template that identity uses.  The three take turns, so
 * that a machine that gets slower does so for all; the median is printed.
 *
 *	bench/issue_bench [ROUNDS [PER_ROUND]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "ca/issue.h"
#include "ca/key.h"
#include "cert/cert.h"

#define CRL_URL "http://pki.example/crl/device.crl"
#define CA_URL "http://pki.example/ca/device.cer"
#define DOMAIN "fleet.example"
#define DEVICE "dev_01jd00000000000000000000zz"
#define PROJECT "proj_01jd00000000000000000000yy"

struct bench {
	EVP_PKEY *key; /* the sub-CA's */
	X509 *cert;
	struct issuer *issuer;
	struct signer *signer;
	struct key_maker *maker;
	int64_t not_before;
	int64_t not_after;
	size_t bytes; /* of all PEM made, so that nothing is left out */
};

static void
must(bool ok, const struct err *err)
{
	if (!ok) {
		fprintf(stderr, "issue_bench: %s\n",
		    err != NULL ? err->detail : "OpenSSL failed");
		exit(EXIT_FAILURE);
	}
}

static X509 *
make_ca(enum profile_id id, const char *name, EVP_PKEY *key, X509 *issuer,
    EVP_PKEY *signer)
{
	struct err err = {.code = ERR_NONE};
	struct cert_spec spec = {.profile = profile_get(id),
	    .issuer = issuer,
	    .public_key = key,
	    .common_name = name,
	    .organization = "Bench",
	    .crl_url = CRL_URL,
	    .ca_url = CA_URL};
	int64_t now = clock_wall_ms();
	X509 *cert;

	must(serial_generate(now, spec.serial, &err), &err);
	profile_validity(
	    spec.profile, now / 1000, &spec.not_before, &spec.not_after);
	cert = cert_build(&spec, &err);
	must(cert != NULL, &err);
	must(X509_sign(cert, signer, EVP_sha256()) > 0, NULL);
	return cert;
}

static void
set_up(struct bench *b)
{
	EVP_PKEY *root_key = EVP_EC_gen("P-256");
	X509 *root =
	    make_ca(PROFILE_ROOT, "Bench root", root_key, NULL, root_key);
	struct err err = {.code = ERR_NONE};
	struct buf der = BUF_INIT, root_der = BUF_INIT;
	struct cert_template_params tp = {NULL, CRL_URL, CA_URL, DOMAIN};
	uint8_t profile[TEMPLATE_DIGEST_LEN];
	struct cert_template *t;
	struct issuer_der parent;

	b->key = EVP_EC_gen("P-256");
	b->cert =
	    make_ca(PROFILE_DEVICE_CA, "Bench sub-CA", b->key, root, root_key);
	tp.issuer = b->cert;
	t = cert_template_new(&tp, &err);
	must(t != NULL, &err);
	cert_template_digest(t, profile);
	cert_template_free(t);
	must(cert_encode_der(b->cert, &der, &err), &err);
	must(cert_encode_der(root, &root_der, &err), &err);
	parent.data = root_der.data;
	parent.len = root_der.len;
	b->issuer =
	    issuer_new(&(struct issuer_params){.cert = {der.data, der.len},
			   .parents = &parent,
			   .parent_count = 1,
			   .crl_url = CRL_URL,
			   .ca_url = CA_URL,
			   .trust_domain = DOMAIN,
			   .profile_sha256 = profile,
			   .key = b->key},
		&err);
	must(b->issuer != NULL, &err);
	b->signer = signer_new(&err);
	b->maker = key_maker_new(&err);
	must(b->signer != NULL && b->maker != NULL, &err);
	b->not_before = clock_wall_ms() / 1000 - PROFILE_BACKDATE_S;
	b->not_after = b->not_before + INT64_C(30) * 365 * 86400;
	buf_free(&der);
	buf_free(&root_der);
	X509_free(root);
	EVP_PKEY_free(root_key);
}

static void
naive_extensions(struct bench *b, X509 *cert)
{
	static const struct {
		int nid;
		const char *text;
	} texts[] = {
	    {NID_key_usage, "critical,digitalSignature"},
	    {NID_ext_key_usage, "clientAuth"},
	    {NID_subject_key_identifier, "hash"},
	    {NID_authority_key_identifier, "keyid:always"},
	    {NID_crl_distribution_points, "URI:" CRL_URL},
	    {NID_info_access, "caIssuers;URI:" CA_URL},
	    {NID_subject_alt_name,
		"URI:spiffe://" DOMAIN "/" PROJECT "/" DEVICE},
	};
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	size_t i;

	X509V3_set_ctx(&ctx, b->cert, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ext = X509V3_EXT_conf_nid(
		    NULL, &ctx, texts[i].nid, texts[i].text);
		must(ext != NULL && X509_add_ext(cert, ext, -1) == 1, NULL);
		X509_EXTENSION_free(ext);
	}
}

/* As in the manuals and most programs. */
static void
naive(struct bench *b)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIGNUM *serial = BN_new();
	X509_NAME *name = X509_NAME_new();
	X509 *cert = X509_new();
	BIO *out = BIO_new(BIO_s_mem());
	char *text;

	X509_set_version(cert, X509_VERSION_3);
	BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)DEVICE, -1, -1, 0);
	X509_set_subject_name(cert, name);
	X509_set_issuer_name(cert, X509_get_subject_name(b->cert));
	ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)b->not_before);
	ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)b->not_after);
	X509_set_pubkey(cert, key);
	naive_extensions(b, cert);
	must(X509_sign(cert, b->key, EVP_sha256()) > 0, NULL);
	must(PEM_write_bio_X509(out, cert) == 1 &&
		 PEM_write_bio_PKCS8PrivateKey(
		     out, key, NULL, NULL, 0, NULL, NULL) == 1,
	    NULL);
	b->bytes += (size_t)BIO_get_mem_data(out, &text);
	BIO_free(out);
	X509_free(cert);
	X509_NAME_free(name);
	BN_free(serial);
	EVP_PKEY_free(key);
}

static void
builder(struct bench *b)
{
	static const struct ext_name uri = {
	    EXT_NAME_URI, "spiffe://" DOMAIN "/" PROJECT "/" DEVICE};
	struct err err = {.code = ERR_NONE};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct cert_spec spec = {.profile = profile_get(PROFILE_DEVICE),
	    .issuer = b->cert,
	    .public_key = key,
	    .not_before = b->not_before,
	    .not_after = b->not_after,
	    .common_name = DEVICE,
	    .crl_url = CRL_URL,
	    .ca_url = CA_URL,
	    .names = &uri,
	    .name_count = 1};
	struct buf out = BUF_INIT;
	X509 *cert;

	must(serial_generate(clock_wall_ms(), spec.serial, &err), &err);
	cert = cert_build(&spec, &err);
	must(cert != NULL && sign_cert(cert, b->cert, b->key, &err), &err);
	must(cert_encode_pem(cert, &out, &err) &&
		 key_encode_pem(key, NULL, &out, &err),
	    &err);
	b->bytes += out.len;
	buf_free(&out);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void template(struct bench *b)
{
	struct err err = {.code = ERR_NONE};
	struct cert_fields f = {.not_before = b->not_before,
	    .not_after = b->not_after,
	    .device_id = DEVICE,
	    .project_id = PROJECT};
	struct buf out = BUF_INIT;
	struct key_pair pair;

	must(key_make(b->maker, &pair, &err), &err);
	must(serial_generate(clock_wall_ms(), f.serial, &err), &err);
	memcpy(f.public_key, pair.pub, sizeof(f.public_key));
	must(issuer_issue(b->issuer, b->signer, &f, &out, &err), &err);
	key_pem(&pair, &out);
	b->bytes += out.len;
	key_pair_wipe(&pair);
	buf_free(&out);
}

static const struct {
	const char *name;
	void (*one)(struct bench *b);
} ways[] = {
    {"text extensions, BIO, everything anew", naive},
    {"our builder, the long way", builder},
    {"the template", template},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]), ROUNDS_MAX = 99 };

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of the processor, not the wall: others may be at work on this machine. */
static double
cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Microseconds for one, over a round of n. */
static double
round_of(struct bench *b, size_t way, int n)
{
	double start = cpu_us();
	int i;

	for (i = 0; i < n; i++)
		ways[way].one(b);
	return (cpu_us() - start) / n;
}

int
main(int argc, char **argv)
{
	static double us[WAYS][ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 9;
	int n = argc > 2 ? atoi(argv[2]) : 2000;
	struct bench b = {.key = NULL};
	size_t way;
	int r;

	if (rounds < 1 || rounds > ROUNDS_MAX || n < 1) {
		fputs("usage: issue_bench [ROUNDS [PER_ROUND]]\n", stderr);
		return 2;
	}
	set_up(&b);
	for (r = 0; r < rounds; r++)
		for (way = 0; way < WAYS; way++)
			us[way][r] = round_of(&b, way, n);
	printf("key + certificate + two PEMs on one core, median of %d rounds "
	       "of %d:\n",
	    rounds, n);
	for (way = 0; way < WAYS; way++) {
		qsort(us[way], (size_t)rounds, sizeof(double), compare);
		printf("%9.1f us %8.0f/s  (%.1f to %.1f us)  %s\n",
		    us[way][rounds / 2], 1e6 / us[way][rounds / 2], us[way][0],
		    us[way][rounds - 1], ways[way].name);
	}
	issuer_free(b.issuer);
	signer_free(b.signer);
	key_maker_free(b.maker);
	X509_free(b.cert);
	EVP_PKEY_free(b.key);
	return b.bytes == 0;
}
