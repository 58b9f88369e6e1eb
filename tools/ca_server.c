/* SPDX-License-Identifier: ISC */
/* pappus-ca server: key and certificate for nginx or the broker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca/key.h"
#include "ca/sign.h"
#include "cert/cert.h"
#include "tools/ca_tool.h"

static X509 *
make_cert(const struct ca_args *args, const struct ca_folder *ca,
    const struct ca_ceremony *c, EVP_PKEY *key, struct err *err)
{
	struct cert_spec spec = {.profile = profile_get(PROFILE_SERVER),
	    .issuer = ca->cert,
	    .public_key = key,
	    .common_name = args->value[CA_OPT_NAME],
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
make_files(const struct ca_args *args, const struct ca_folder *ca,
    struct ca_ceremony *c, EVP_PKEY *key, X509 *cert, struct err *err)
{
	const char *prefix = args->value[CA_OPT_OUT];
	char *issued = ca_path(args->value[CA_OPT_DIR], "issued");
	char name[SERIAL_HEX_LEN + 8], hex[SERIAL_HEX_LEN + 1];
	struct buf pem = BUF_INIT, leaf = BUF_INIT;
	uint8_t serial[SERIAL_LEN];
	bool ok = false;

	if (!ca_folder_make(issued, err) || !cert_serial(cert, serial, err) ||
	    !key_encode_pem(key, NULL, &pem, err))
		goto out;
	plan(c, prefix, ".key", &pem);
	/* RFC 8446 §4.4.2: the leaf, then who signed it; roots are known. */
	if (!cert_encode_pem(cert, &leaf, err))
		goto out;
	buf_add(&pem, leaf.data, leaf.len);
	if (!cert_encode_pem(ca->cert, &pem, err))
		goto out;
	plan(c, prefix, ".crt", &pem);
	serial_hex(serial, hex);
	snprintf(name, sizeof(name), "%s.crt", hex);
	ca_ceremony_output(c, issued, name, &leaf);
	buf_add_str(
	    &c->text, "  A server's key and certificate were made.\n\n");
	ca_describe_cert(&c->text, cert);
	ca_describe_extensions(&c->text, X509_get0_extensions(cert));
	ok = true;
out:
	buf_free(&pem);
	buf_free(&leaf);
	free(issued);
	return ok;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	struct ca_folder ca = {.cert = NULL};
	struct ca_ceremony c;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	bool ok = false;

	ca_ceremony_begin(&c, "server");
	if (args->name_count == 0) {
		err_set(err, ERR_MALFORMED,
		    "clients look for the server's name in --dns and --ip: "
		    "give at least one");
		goto out;
	}
	if (!ca_folder_open(&ca, dir, "ca", PURPOSE_SERVER, args, err))
		goto out;
	key = key_generate("P-256", err);
	if (key == NULL)
		goto out;
	cert = make_cert(args, &ca, &c, key, err);
	ok = cert != NULL && make_files(args, &ca, &c, key, cert, err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Give both files to the server that they are for, tell the "
		 "database\n"
		 "  (pappus certificate record), and renew within a year.\n",
		 err);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	ca_folder_close(&ca);
	ca_ceremony_end(&c);
	return ok;
}

const struct ca_command ca_cmd_server = {
    .name = "server",
    .summary = "Make a server's key and certificate, for 1 year",
    .details = "Writes PATH.key (without passphrase) and PATH.crt (the "
	       "certificate, then\n"
	       "the sub-CA's), and a copy to DIR/issued.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_NAME) | CA_BIT(CA_OPT_OUT),
    .takes = CA_BIT(CA_OPT_DNS) | CA_BIT(CA_OPT_IP) |
	     CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
