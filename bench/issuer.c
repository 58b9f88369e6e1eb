/* SPDX-License-Identifier: ISC */
/* A device sub-CA from its folder: see issuer.h. */
#include "issuer.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ca/key.h"
#include "cert/cert.h"
#include "cert/profile.h"
#include "cert/serial.h"
#include "cert/urls.h"

static bool
read_file(const char *dir, const char *name, struct buf *out, struct err *err)
{
	struct buf path = BUF_INIT;
	FILE *in;
	char chunk[4096];
	size_t n;

	buf_add_fmt(&path, "%s/%s", dir, name);
	in = fopen(buf_str(&path), "r");
	if (in == NULL)
		err_set_errno(err, "cannot open %s", buf_str(&path));
	buf_free(&path);
	if (in == NULL)
		return false;
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(out, chunk, n);
	fclose(in);
	return true;
}

static X509 *
read_cert(const char *dir, const char *name, struct buf *der, struct err *err)
{
	struct buf pem = BUF_INIT;
	X509 *cert = NULL;

	if (read_file(dir, name, &pem, err))
		cert = cert_decode(pem.data, pem.len, err);
	if (cert != NULL && !cert_encode_der(cert, der, err)) {
		X509_free(cert);
		cert = NULL;
	}
	buf_free(&pem);
	return cert;
}

static EVP_PKEY *
read_key(const char *dir, struct err *err)
{
	struct buf path = BUF_INIT;
	EVP_PKEY *key = NULL;

	buf_add_fmt(&path, "%s/ca.key", dir);
	key_file_load(buf_str(&path), NULL, &key, err);
	buf_free(&path);
	return key;
}

/* The database would say which profile was registered; here it is this one. */
static bool
profile_digest(X509 *cert, const struct urls *urls,
    uint8_t out[TEMPLATE_DIGEST_LEN], struct err *err)
{
	struct cert_template_params params = {
	    .issuer = cert,
	    .crl_url = urls->crl_url,
	    .ca_url = urls->ca_url,
	};
	struct cert_template *template = cert_template_new(&params, err);

	if (template == NULL)
		return false;
	cert_template_digest(template, out);
	cert_template_free(template);
	return true;
}

struct issuer *
bench_issuer_open(const char *dir, struct err *err)
{
	struct buf der = BUF_INIT, root_der = BUF_INIT, text = BUF_INIT;
	uint8_t digest[TEMPLATE_DIGEST_LEN];
	struct issuer *issuer = NULL;
	struct urls urls;
	X509 *cert = read_cert(dir, "ca.crt", &der, err);
	X509 *root = read_cert(dir, "root.crt", &root_der, err);
	EVP_PKEY *key = read_key(dir, err);

	if (cert == NULL || root == NULL || key == NULL ||
	    !read_file(dir, "ca.urls", &text, err) ||
	    !urls_parse(buf_str(&text), text.len, &urls, err) ||
	    !profile_digest(cert, &urls, digest, err))
		goto out;
	issuer = issuer_new(
	    &(struct issuer_params){
		.id = 1,
		.cert = {der.data, der.len},
		.parents = &(struct issuer_der){root_der.data, root_der.len},
		.parent_count = 1,
		.crl_url = urls.crl_url,
		.ca_url = urls.ca_url,
		.profile_sha256 = digest,
		.key = key,
	    },
	    err);
out:
	EVP_PKEY_free(key);
	X509_free(root);
	X509_free(cert);
	buf_free(&text);
	buf_free(&root_der);
	buf_free(&der);
	return issuer;
}

bool
bench_issue(const struct issuer *issuer, struct key_maker *maker,
    struct signer *signer, const char *device_id, struct buf *cert,
    struct buf *key, struct err *err)
{
	struct cert_fields fields = {
	    .device_id = device_id,
	    .project_id = "proj_00000000000000000000000000",
	};
	int64_t now = clock_wall_ms();
	struct key_pair pair = {0};
	bool ok;

	profile_validity(profile_get(PROFILE_DEVICE), now / 1000,
	    &fields.not_before, &fields.not_after);
	ok = key_make(maker, &pair, err) &&
	     serial_generate(now, fields.serial, err);
	memcpy(fields.public_key, pair.pub, sizeof(fields.public_key));
	ok = ok && issuer_issue(issuer, signer, &fields, cert, err);
	if (ok)
		key_pem(&pair, key);
	key_pair_wipe(&pair);
	return ok;
}
