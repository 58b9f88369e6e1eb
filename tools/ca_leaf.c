/* SPDX-License-Identifier: ISC */
/*
 * Key and certificate of one server or one service, for a year: what
 * pappus-ca server and pappus-ca service have in common.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca/key.h"
#include "ca/sign.h"
#include "cert/cert.h"
#include "tools/ca_tool.h"

static X509 *
make_cert(const struct ca_leaf *leaf, const struct ca_args *args,
    const struct ca_folder *ca, const struct ca_ceremony *c, EVP_PKEY *key,
    struct err *err)
{
	struct cert_spec spec = {.profile = profile_get(leaf->profile),
	    .issuer = ca->cert,
	    .public_key = key,
	    .common_name = leaf->common_name,
	    .crl_url = ca->urls.crl_url,
	    .ca_url = ca->urls.ca_url,
	    .names = args->names,
	    .name_count = args->name_count};
	X509 *cert;

	profile_validity(
	    spec.profile, c->now, &spec.not_before, &spec.not_after);
	if (!serial_generate(c->now_ms, spec.serial, err))
		return NULL;
	cert = cert_build(&spec, err);
	if (cert != NULL && !sign_cert(cert, ca->cert, ca->key, err)) {
		X509_free(cert);
		cert = NULL;
	}
	return cert;
}

/* PREFIX and a suffix; a file of its own, as it may lie anywhere. */
static void
plan(struct ca_ceremony *c, const char *prefix, const char *suffix,
    struct buf *data)
{
	struct buf name = BUF_INIT;

	buf_add_fmt(&name, "%s%s", prefix, suffix);
	ca_ceremony_output(c, NULL, buf_str(&name), data);
	buf_free(&name);
}

static bool
make_files(const struct ca_leaf *leaf, const struct ca_args *args,
    const struct ca_folder *ca, struct ca_ceremony *c, EVP_PKEY *key,
    X509 *cert, struct err *err)
{
	const char *prefix = args->value[CA_OPT_OUT];
	char *issued = ca_path(args->value[CA_OPT_DIR], "issued");
	char name[SERIAL_HEX_LEN + 8], hex[SERIAL_HEX_LEN + 1];
	struct buf pem = BUF_INIT, copy = BUF_INIT;
	uint8_t serial[SERIAL_LEN];
	bool ok = false;

	if (!ca_folder_make(issued, err) || !cert_serial(cert, serial, err) ||
	    !key_encode_pem(key, NULL, &pem, err))
		goto out;
	plan(c, prefix, ".key", &pem);
	/* RFC 8446 §4.4.2: the leaf, then who signed it; roots are known. */
	if (!cert_encode_pem(cert, &copy, err))
		goto out;
	buf_add(&pem, copy.data, copy.len);
	if (!cert_encode_pem(ca->cert, &pem, err))
		goto out;
	plan(c, prefix, ".crt", &pem);
	serial_hex(serial, hex);
	snprintf(name, sizeof(name), "%s.crt", hex);
	ca_ceremony_output(c, issued, name, &copy);
	buf_add_fmt(&c->text, "  A %s's key and certificate were made.\n\n",
	    profile_get(leaf->profile)->name);
	ca_describe_cert(&c->text, cert);
	ca_describe_extensions(&c->text, X509_get0_extensions(cert));
	ok = true;
out:
	buf_free(&pem);
	buf_free(&copy);
	free(issued);
	return ok;
}

bool
ca_leaf_make(const struct ca_leaf *leaf, const struct ca_args *args,
    struct ca_ceremony *c, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	enum purpose purpose = profile_get(leaf->profile)->purpose;
	struct ca_folder ca = {.cert = NULL};
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	bool ok = false;

	if (!ca_folder_open(&ca, dir, "ca", purpose, args, err))
		goto out;
	key = key_generate("P-256", err);
	if (key == NULL)
		goto out;
	cert = make_cert(leaf, args, &ca, c, key, err);
	ok = cert != NULL && make_files(leaf, args, &ca, c, key, cert, err) &&
	     ca_ceremony_commit(c, dir, leaf->next, err);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	ca_folder_close(&ca);
	return ok;
}
