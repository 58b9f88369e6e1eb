/* SPDX-License-Identifier: ISC */
/* pappus-ca root: the key and the certificate everything hangs from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca/key.h"
#include "ca/sign.h"
#include "cert/cert.h"
#include "tools/ca_tool.h"

static bool
root_urls(const struct ca_args *args, struct urls *urls, struct err *err)
{
	const char *crl = args->value[CA_OPT_CRL_URL];
	const char *ca = args->value[CA_OPT_CA_URL];

	if (!urls_check_url("--crl-url", crl, err) ||
	    !urls_check_url("--ca-url", ca, err))
		return false;
	memset(urls, 0, sizeof(*urls));
	urls->purpose = PURPOSE_ROOT;
	snprintf(urls->crl_url, sizeof(urls->crl_url), "%s", crl);
	snprintf(urls->ca_url, sizeof(urls->ca_url), "%s", ca);
	return true;
}

static X509 *
make_cert(const struct ca_args *args, const struct ca_ceremony *c,
    EVP_PKEY *key, struct err *err)
{
	struct cert_spec spec = {.profile = profile_get(PROFILE_ROOT),
	    .public_key = key,
	    .common_name = args->value[CA_OPT_NAME],
	    .organization = args->value[CA_OPT_ORG]};
	X509 *cert;

	profile_validity(
	    spec.profile, c->now, &spec.not_before, &spec.not_after);
	if (!serial_generate(c->now_ms, spec.serial, err))
		return NULL;
	cert = cert_build(&spec, err);
	if (cert != NULL && !sign_cert(cert, cert, key, err)) {
		X509_free(cert);
		cert = NULL;
	}
	return cert;
}

static bool
make_files(const struct ca_args *args, struct ca_ceremony *c, EVP_PKEY *key,
    X509 *cert, const struct urls *urls, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	struct buf pem = BUF_INIT;

	if (!ca_key_seal(args, key, &pem, err))
		return false;
	buf_add_fmt(&c->text,
	    "  A root certification authority was made: a key%s and a\n"
	    "  certificate that it signed itself.\n\n",
	    strstr(buf_str(&pem), "ENCRYPTED") != NULL
		? " under a passphrase"
		: " WITHOUT a passphrase");
	ca_ceremony_output(c, dir, "root.key", &pem);
	ca_describe_cert(&c->text, cert);
	if (!cert_encode_pem(cert, &pem, err)) {
		buf_free(&pem);
		return false;
	}
	ca_ceremony_output(c, dir, "root.crt", &pem);
	buf_add_fmt(&c->text, "\nAddresses its sub-CAs will hold\n");
	urls_format(urls, &c->text);
	urls_format(urls, &pem);
	ca_ceremony_output(c, dir, "root.urls", &pem);
	return true;
}

/* Before anybody is asked for a passphrase. */
static bool
prepare(const char *dir, struct err *err)
{
	static const char *const names[] = {
	    "root.key", "root.crt", "root.urls"};
	char *path;
	bool ok = ca_folder_make(dir, err) && ca_folder_lock(dir, err);
	size_t i;

	for (i = 0; ok && i < sizeof(names) / sizeof(names[0]); i++) {
		path = ca_path(dir, names[i]);
		ok = ca_file_absent(path, err);
		free(path);
	}
	return ok;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	const char *curve = args->value[CA_OPT_CURVE];
	struct ca_ceremony c;
	struct urls urls;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	bool ok = false;

	ca_ceremony_begin(&c, "root");
	if (!root_urls(args, &urls, err) || !prepare(dir, err))
		goto out;
	key = key_generate(curve != NULL ? curve : "P-256", err);
	if (key == NULL)
		goto out;
	cert = make_cert(args, &c, key, err);
	ok = cert != NULL && make_files(args, &c, key, cert, &urls, err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Compare the fingerprints, then take this folder offline: "
		 "whoever\n"
		 "  reads root.key can make any device, server or service. "
		 "Keep copies\n"
		 "  of it in two places. Only root.crt leaves it.\n",
		 err);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	ca_ceremony_end(&c);
	return ok;
}

const struct ca_command ca_cmd_root = {
    .name = "root",
    .summary = "Make a root: its key and its certificate, for 40 years",
    .details =
	"Writes DIR/root.key, DIR/root.crt and DIR/root.urls. The addresses "
	"go\n"
	"into every sub-CA that this root signs and cannot be changed later.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_NAME) | CA_BIT(CA_OPT_ORG) |
	     CA_BIT(CA_OPT_CRL_URL) | CA_BIT(CA_OPT_CA_URL),
    .takes = CA_BIT(CA_OPT_CURVE) | CA_BIT(CA_OPT_PASSPHRASE_FILE) |
	     CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
