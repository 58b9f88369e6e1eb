/* SPDX-License-Identifier: ISC */
/*
 * Device certificates with the times that are asked for, as identity issues
 * them, but without a database: for tests that look at what comes out.
 *
 *	issue_devices CA <TIMES
 *
 * CA is a device sub-CA's folder as pappus-ca install leaves it, its key
 * without passphrase.  For each line "NOT_BEFORE NOT_AFTER" of unix seconds
 * it prints "DEVICE PROJECT SERIAL", the key and the certificate as PEM; or
 * "refused: " and why.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ca/issue.h"
#include "ca/key.h"
#include "cert/cert.h"
#include "cert/urls.h"
#include "encoding/name.h"

struct ca {
	struct issuer *issuer;
	struct signer *signer;
	struct key_maker *maker;
};

static void
must(bool ok, const struct err *err)
{
	if (!ok) {
		fprintf(stderr, "issue_devices: %s\n", err->detail);
		exit(EXIT_FAILURE);
	}
}

/* A file of the folder, as a string. */
static void
slurp(const char *dir, const char *name, struct buf *out)
{
	enum { FILE_MAX = 64 * 1024 };
	struct err err = {.code = ERR_NONE};
	char path[1024];
	FILE *in;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	in = fopen(path, "re");
	must(in != NULL || err_set_errno(&err, "%s", path), &err);
	n = fread(buf_extend(out, FILE_MAX), 1, FILE_MAX, in);
	out->len = n;
	buf_str(out);
	fclose(in);
}

static X509 *
read_cert(const char *dir, const char *name, struct buf *der)
{
	struct err err = {.code = ERR_NONE};
	struct buf pem = BUF_INIT;
	X509 *cert;

	slurp(dir, name, &pem);
	cert = cert_decode(pem.data, pem.len, &err);
	must(cert != NULL && cert_encode_der(cert, der, &err), &err);
	buf_free(&pem);
	return cert;
}

/* The digest that pappus issuer register would record. */
static void
pin_profile(X509 *cert, const struct urls *urls, uint8_t *digest)
{
	const char *domain = urls->trust_domain;
	struct cert_template_params params = {
	    cert, urls->crl_url, urls->ca_url, *domain == '\0' ? NULL : domain};
	struct err err = {.code = ERR_NONE};
	struct cert_template *template = cert_template_new(&params, &err);

	must(template != NULL, &err);
	cert_template_digest(template, digest);
	cert_template_free(template);
}

static void
open_ca(struct ca *ca, const char *dir)
{
	struct buf der = BUF_INIT, root_der = BUF_INIT, text = BUF_INIT;
	X509 *cert = read_cert(dir, "ca.crt", &der);
	X509 *root = read_cert(dir, "root.crt", &root_der);
	struct issuer_der parent = {root_der.data, root_der.len};
	struct err err = {.code = ERR_NONE};
	uint8_t profile[TEMPLATE_DIGEST_LEN];
	EVP_PKEY *key = NULL;
	struct urls urls;
	char path[1024];

	snprintf(path, sizeof(path), "%s/ca.key", dir);
	slurp(dir, "ca.urls", &text);
	must(urls_parse(buf_str(&text), text.len, &urls, &err) &&
		 key_file_load(path, NULL, &key, &err),
	    &err);
	pin_profile(cert, &urls, profile);
	ca->issuer =
	    issuer_new(&(struct issuer_params){.cert = {der.data, der.len},
			   .parents = &parent,
			   .parent_count = 1,
			   .crl_url = urls.crl_url,
			   .ca_url = urls.ca_url,
			   .trust_domain = urls.trust_domain,
			   .profile_sha256 = profile,
			   .key = key},
		&err);
	must(ca->issuer != NULL, &err);
	ca->signer = signer_new(&err);
	ca->maker = key_maker_new(&err);
	must(ca->signer != NULL && ca->maker != NULL, &err);
	EVP_PKEY_free(key);
	X509_free(cert);
	X509_free(root);
	buf_free(&der);
	buf_free(&root_der);
	buf_free(&text);
}

static void
issue(struct ca *ca, int64_t not_before, int64_t not_after)
{
	char device[NAME_MAX_LEN + 1], project[NAME_MAX_LEN + 1];
	struct cert_fields fields = {.not_before = not_before,
	    .not_after = not_after,
	    .device_id = device,
	    .project_id = project};
	struct err err = {.code = ERR_NONE};
	char hex[SERIAL_HEX_LEN + 1];
	struct buf pem = BUF_INIT;
	struct key_pair pair;

	name_generate(NAME_DEVICE, clock_wall_ms(), device);
	name_generate(NAME_PROJECT, clock_wall_ms(), project);
	must(serial_generate(clock_wall_ms(), fields.serial, &err) &&
		 key_make(ca->maker, &pair, &err),
	    &err);
	memcpy(fields.public_key, pair.pub, KEY_PUB_LEN);
	serial_hex(fields.serial, hex);
	key_pem(&pair, &pem);
	if (issuer_issue(ca->issuer, ca->signer, &fields, &pem, &err))
		printf("%s %s %s\n%s", device, project, hex, buf_str(&pem));
	else
		printf("refused: %s\n", err.detail);
	buf_free(&pem);
}

int
main(int argc, char **argv)
{
	int64_t not_before, not_after;
	struct ca ca = {NULL, NULL, NULL};

	if (argc != 2) {
		fputs("usage: issue_devices CA <TIMES\n", stderr);
		return 2;
	}
	open_ca(&ca, argv[1]);
	while (scanf("%" SCNd64 " %" SCNd64, &not_before, &not_after) == 2)
		issue(&ca, not_before, not_after);
	issuer_free(ca.issuer);
	signer_free(ca.signer);
	key_maker_free(ca.maker);
	return 0;
}
