/* SPDX-License-Identifier: ISC */
/*
 * bench-crl-list: a list of many revoked certificates, made, signed, written,
 * read again and checked, then the same with one more: by what pappus-crld
 * does, or by OpenSSL's own functions.  A process of its own for each, so
 * that the memory is that of the list and nothing else.
 *
 *	bench-crl-list pappus|openssl|none COUNT FILE
 *
 * "none" does nothing: what a process with these libraries takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "ca/sign.h"
#include "cert/crl_check.h"
#include "cert/crl_write.h"
#include "encoding/pem_writer.h"

#define CRL_URL "http://pki.example/crl/device.crl"
#define CA_URL "http://pki.example/ca/device.cer"

struct bench {
	EVP_PKEY *key; /* the sub-CA's */
	X509 *cert;
	uint64_t count;
	const char *file;
	int64_t now; /* unix seconds */
	uint64_t der_len;
	double fill_ms; /* from rows to a list in memory */
	double write_ms;
	double check_ms;
	double pem_ms;
	double more_ms; /* one more: changed, written and checked */
};

static void
must(bool ok, const struct err *err)
{
	if (!ok) {
		fprintf(stderr, "bench-crl-list: %s\n",
		    err != NULL ? err->detail : "OpenSSL failed");
		exit(EXIT_FAILURE);
	}
}

static X509 *
make_ca(enum profile_id id, EVP_PKEY *key, X509 *issuer, EVP_PKEY *signer)
{
	struct err err = {.code = ERR_NONE};
	struct cert_spec spec = {.profile = profile_get(id),
	    .issuer = issuer,
	    .public_key = key,
	    .common_name = profile_get(id)->name,
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
	X509 *root = make_ca(PROFILE_ROOT, root_key, NULL, root_key);

	b->key = EVP_EC_gen("P-256");
	b->cert = make_ca(PROFILE_DEVICE_CA, b->key, root, root_key);
	b->now = clock_wall_ms() / 1000;
	X509_free(root);
	EVP_PKEY_free(root_key);
}

static double
ms_since(int64_t *us)
{
	int64_t now = clock_mono_us();
	double ms = (double)(now - *us) / 1e3;

	*us = now;
	return ms;
}

static struct crl_spec
spec_of(const struct bench *b)
{
	struct crl_spec spec = {.issuer = b->cert,
	    .number = (uint64_t)clock_wall_ms(),
	    .this_update = b->now - CRL_BACKDATE_S,
	    .next_update = b->now + 7 * 86400,
	    .url = CRL_URL};

	return spec;
}

/*
 * The n-th of a year's revocations: sixteen octets in the order of time, the
 * rest of them spread; superseded, as a reissue leaves it.
 */
static void
item_of(const struct bench *b, uint64_t n, struct crl_item *item)
{
	uint64_t ms = (uint64_t)b->now * 1000 - (b->count - n) * 30;
	uint64_t spread = n * UINT64_C(0x9e3779b97f4a7c15);
	uint8_t *at = item->serial + CRL_SERIAL_MAX - SERIAL_LEN;
	int i;

	memset(item->serial, 0, sizeof(item->serial));
	for (i = 0; i < 6; i++)
		at[i] = (uint8_t)(ms >> (8 * (5 - i)));
	for (i = 6; i < SERIAL_LEN; i++)
		at[i] = (uint8_t)(spread >> (8 * (i % 8)));
	item->revoked_at = b->now - (int64_t)(b->count - n);
	item->not_after = b->now + INT64_C(30) * 365 * 86400;
	item->reason = CRL_SUPERSEDED;
}

/* ------------------------------------------------------------------ pappus */

static bool
to_file(void *ctx, const void *data, size_t len, struct err *err)
{
	return fwrite(data, 1, len, ctx) == len || err_set_errno(err, "write");
}

/* Sign and write, to a file of its own. */
static void
write_list(struct bench *b, const struct crl_list *list)
{
	struct crl_spec spec = spec_of(b);
	struct err err = {.code = ERR_NONE};
	struct crl_draft *draft = crl_draft_new(&spec, list, &err);
	FILE *out = fopen(b->file, "we");
	struct crl_signature signature;
	struct crl_written written;

	must(out != NULL || err_set_errno(&err, "%s", b->file), &err);
	must(draft != NULL && sign_crl_draft(draft, b->key, &signature, &err) &&
		 crl_draft_write(
		     draft, &signature, to_file, out, &written, &err),
	    &err);
	must(fclose(out) == 0, &err);
	b->der_len = written.len;
	crl_draft_free(draft);
}

/* A file of ours, mapped. */
static const uint8_t *
map_list(const struct bench *b)
{
	struct err err = {.code = ERR_NONE};
	int fd = open(b->file, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, b->der_len, PROT_READ, MAP_SHARED, fd, 0);

	must(map != MAP_FAILED || err_set_errno(&err, "%s", b->file), &err);
	close(fd);
	return map;
}

static void
unmap_list(const struct bench *b, const uint8_t *map)
{
	munmap((void *)(uintptr_t)map, b->der_len);
}

/* What a signer looks at before it publishes its list. */
static void
check_list(const struct bench *b, const struct crl_list *list)
{
	struct err err = {.code = ERR_NONE};
	const uint8_t *map = map_list(b);
	struct crl_read crl;

	must(crl_check_written(map, b->der_len, true, list, &crl, &err) &&
		 crl_read_verify(&crl, b->cert, &err) &&
		 crl_read_check_url(&crl, CRL_URL, &err) &&
		 crl_check_published(
		     map, b->der_len, true, list, NULL, NULL, &crl, &err),
	    &err);
	unmap_list(b, map);
}

static void
write_pem(const struct bench *b)
{
	static struct pem_writer pem;
	struct err err = {.code = ERR_NONE};
	const uint8_t *map = map_list(b);
	struct crl_read crl;
	FILE *out = tmpfile();

	must(out != NULL && crl_read_open(map, b->der_len, true, &crl, &err),
	    &err);
	pem_writer_begin(&pem, "X509 CRL", to_file, out);
	must(crl_read_pour(&crl, pem_writer_add, &pem, &err) &&
		 pem_writer_end(&pem, &err),
	    &err);
	fclose(out);
	unmap_list(b, map);
}

static void
pappus(struct bench *b)
{
	struct crl_list *list = crl_list_new();
	struct crl_change change = {.removed = false};
	struct err err = {.code = ERR_NONE};
	int64_t us = clock_mono_us();
	struct crl_item item;
	uint64_t n;

	for (n = 0; n < b->count; n++) {
		item_of(b, n, &item);
		must(crl_list_append(list, &item, &err), &err);
	}
	must(crl_list_sort(list, &err), &err);
	b->fill_ms = ms_since(&us);
	write_list(b, list);
	b->write_ms = ms_since(&us);
	check_list(b, list);
	b->check_ms = ms_since(&us);
	item_of(b, b->count, &change.item);
	must(crl_list_apply(list, &change, 1, &err), &err);
	write_list(b, list);
	check_list(b, list);
	b->more_ms = ms_since(&us);
	write_pem(b);
	b->pem_ms = ms_since(&us);
	crl_list_free(list);
}

/* ----------------------------------------------------------------- OpenSSL */

static void
openssl_add(X509_CRL *crl, const struct crl_item *item)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)item->revoked_at);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();

	must(ASN1_STRING_set(serial, item->serial + CRL_SERIAL_MAX - SERIAL_LEN,
		 SERIAL_LEN) == 1 &&
		 ASN1_ENUMERATED_set(reason, (long)item->reason) == 1 &&
		 X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
		 X509_REVOKED_set_revocationDate(entry, time) == 1 &&
		 X509_REVOKED_add1_ext_i2d(
		     entry, NID_crl_reason, reason, 0, 0) == 1 &&
		 X509_CRL_add0_revoked(crl, entry) == 1,
	    NULL);
	ASN1_INTEGER_free(serial);
	ASN1_TIME_free(time);
	ASN1_ENUMERATED_free(reason);
}

static void
openssl_write(struct bench *b, X509_CRL *crl)
{
	BIO *out = BIO_new_file(b->file, "w");

	X509_CRL_sort(crl);
	must(X509_CRL_sign(crl, b->key, EVP_sha256()) > 0, NULL);
	must(i2d_X509_CRL_bio(out, crl) == 1, NULL);
	b->der_len = BIO_number_written(out);
	BIO_free(out);
}

static void
openssl_check(struct bench *b)
{
	BIO *in = BIO_new_file(b->file, "r");
	X509_CRL *crl = d2i_X509_CRL_bio(in, NULL);

	must(crl != NULL && X509_CRL_verify(crl, b->key) == 1, NULL);
	X509_CRL_free(crl);
	BIO_free(in);
}

static void
openssl(struct bench *b)
{
	struct crl_spec spec = spec_of(b);
	struct err err = {.code = ERR_NONE};
	X509_CRL *crl = crl_build(&spec, &err);
	int64_t us = clock_mono_us();
	struct crl_item item;
	BIO *out;
	uint64_t n;

	must(crl != NULL, &err);
	for (n = 0; n < b->count; n++) {
		item_of(b, n, &item);
		openssl_add(crl, &item);
	}
	b->fill_ms = ms_since(&us);
	openssl_write(b, crl);
	b->write_ms = ms_since(&us);
	openssl_check(b);
	b->check_ms = ms_since(&us);
	item_of(b, b->count, &item);
	openssl_add(crl, &item);
	openssl_write(b, crl);
	openssl_check(b);
	b->more_ms = ms_since(&us);
	out = BIO_new_fp(tmpfile(), BIO_CLOSE);
	must(PEM_write_bio_X509_CRL(out, crl) == 1, NULL);
	BIO_free(out);
	b->pem_ms = ms_since(&us);
	X509_CRL_free(crl);
}

static void
nothing(struct bench *b)
{
	b->der_len = 0;
}

/* Not getrusage's: that remembers who started this process, too. */
static double
peak_mb(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	long kb = 0;

	must(status != NULL, NULL);
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	fclose(status);
	return (double)kb / 1024;
}

static const struct {
	const char *name;
	void (*run)(struct bench *b);
} ways[] = {
    {"pappus", pappus},
    {"openssl", openssl},
    {"none", nothing},
};

int
main(int argc, char **argv)
{
	struct bench b = {.key = NULL};
	size_t i, way = sizeof(ways) / sizeof(ways[0]);

	for (i = 0; argc == 4 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			way = i;
	if (way == sizeof(ways) / sizeof(ways[0])) {
		fputs("usage: bench-crl-list pappus|openssl|none COUNT FILE\n",
		    stderr);
		return 2;
	}
	b.count = strtoull(argv[2], NULL, 10);
	b.file = argv[3];
	set_up(&b);
	ways[way].run(&b);
	printf("fill=%.1f write=%.1f check=%.1f more=%.1f pem=%.1f rss=%.1f "
	       "size=%.0f\n",
	    b.fill_ms, b.write_ms, b.check_ms, b.more_ms, b.pem_ms, peak_mb(),
	    (double)b.der_len);
	EVP_PKEY_free(b.key);
	X509_free(b.cert);
	return 0;
}
