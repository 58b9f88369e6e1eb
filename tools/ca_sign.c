/* SPDX-License-Identifier: ISC */
/* pappus-ca sign: the root makes a sub-CA of a request. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca/sign.h"
#include "cert/cert.h"
#include "cert/csr.h"
#include "tools/ca_tool.h"

static X509_REQ *
read_request(const char *path, struct err *err)
{
	struct err why = {.code = ERR_NONE};
	struct buf data = BUF_INIT;
	X509_REQ *csr = NULL;

	if (ca_file_read(path, &data, err)) {
		csr = csr_decode(data.data, data.len, &why);
		if (csr == NULL)
			err_set(err, why.code, "%s: %s", path, why.detail);
	}
	buf_free(&data);
	return csr;
}

/* A subject that stood for two keys could not be told apart in a chain. */
static bool
check_unlike(X509_REQ *csr, X509 *earlier, const char *path, struct err *err)
{
	if (X509_NAME_cmp(X509_REQ_get_subject_name(csr),
		X509_get_subject_name(earlier)) == 0)
		return err_set(err, ERR_REFUSED,
		    "the request's subject is that of %s: a subject is never "
		    "used again",
		    path);
	if (EVP_PKEY_eq(X509_REQ_get0_pubkey(csr), X509_get0_pubkey(earlier)) ==
	    1)
		return err_set(err, ERR_REFUSED,
		    "the request's key is that of %s: a key is never used "
		    "again",
		    path);
	return true;
}

/* Compare a request with every certificate that the root signed. */
static bool
check_issued(X509_REQ *csr, const char *issued, struct err *err)
{
	DIR *folder = opendir(issued);
	struct dirent *entry;
	bool ok = true;
	char *path;
	X509 *cert;

	if (folder == NULL)
		return err_set_errno(err, "%s", issued);
	while (ok && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		path = ca_path(issued, entry->d_name);
		cert = ca_cert_read(path, err);
		ok = cert != NULL && check_unlike(csr, cert, path, err);
		X509_free(cert);
		free(path);
	}
	closedir(folder);
	return ok;
}

static X509 *
make_cert(const struct ca_folder *root, enum purpose purpose, X509_REQ *csr,
    const struct ca_ceremony *c, struct err *err)
{
	struct buf common_name = BUF_INIT, organization = BUF_INIT;
	struct cert_spec spec = {.profile = profile_ca(purpose),
	    .issuer = root->cert,
	    .public_key = X509_REQ_get0_pubkey(csr),
	    .crl_url = root->urls.crl_url,
	    .ca_url = root->urls.ca_url};
	X509 *cert = NULL;

	profile_validity(
	    spec.profile, c->now, &spec.not_before, &spec.not_after);
	if (!csr_subject(csr, &common_name, &organization, err) ||
	    !serial_generate(c->now_ms, spec.serial, err))
		goto out;
	spec.common_name = buf_str(&common_name);
	spec.organization = buf_str(&organization);
	cert = cert_build(&spec, err);
	if (cert != NULL && !sign_cert(cert, root->cert, root->key, err)) {
		X509_free(cert);
		cert = NULL;
	}
out:
	buf_free(&common_name);
	buf_free(&organization);
	return cert;
}

static bool
make_files(struct ca_ceremony *c, X509 *cert, enum purpose purpose,
    const char *issued, const char *out, struct err *err)
{
	char name[SERIAL_HEX_LEN + 8], hex[SERIAL_HEX_LEN + 1];
	uint8_t serial[SERIAL_LEN];
	struct buf pem = BUF_INIT, same = BUF_INIT;

	if (!cert_serial(cert, serial, err) ||
	    !cert_encode_pem(cert, &pem, err))
		return false;
	buf_add(&same, pem.data, pem.len);
	serial_hex(serial, hex);
	snprintf(name, sizeof(name), "%s.crt", hex);
	ca_ceremony_output(c, issued, name, &pem);
	ca_ceremony_output(c, NULL, out, &same);
	buf_add_fmt(
	    &c->text, "  The root signed a %s.\n\n", profile_ca(purpose)->name);
	ca_describe_cert(&c->text, cert);
	return true;
}

static bool
check_args(const struct ca_args *args, enum purpose *purpose, struct err *err)
{
	const char *text = args->value[CA_OPT_PURPOSE];

	if (!purpose_parse(text, purpose) || *purpose == PURPOSE_ROOT)
		return err_set(err, ERR_MALFORMED,
		    "--purpose is \"%.40s\", but must be device, server or "
		    "service",
		    text);
	return ca_file_absent(args->value[CA_OPT_OUT], err);
}

static bool
run(const struct ca_args *args, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	const char *request = args->value[CA_OPT_REQUEST];
	char *issued = ca_path(dir, "issued");
	struct ca_folder root = {.cert = NULL};
	struct ca_ceremony c;
	enum purpose purpose;
	X509_REQ *csr = NULL;
	X509 *cert = NULL;
	bool ok = false;

	ca_ceremony_begin(&c, "sign");
	if (!check_args(args, &purpose, err))
		goto out;
	csr = read_request(request, err);
	if (csr == NULL ||
	    !ca_folder_open(&root, dir, "root", PURPOSE_ROOT, args, err) ||
	    !ca_folder_make(issued, err) ||
	    !check_unlike(csr, root.cert, "the root", err) ||
	    !check_issued(csr, issued, err))
		goto out;
	cert = make_cert(&root, purpose, csr, &c, err);
	ok = cert != NULL &&
	     make_files(
		 &c, cert, purpose, issued, args->value[CA_OPT_OUT], err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Carry the certificate and root.crt to the host that has "
		 "the key and\n"
		 "  install it there (pappus-ca install).\n",
		 err);
out:
	X509_REQ_free(csr);
	X509_free(cert);
	ca_folder_close(&root);
	ca_ceremony_end(&c);
	free(issued);
	return ok;
}

const struct ca_command ca_cmd_sign = {
    .name = "sign",
    .summary = "Sign a sub-CA's request with the root, for 35 years",
    .details = "Writes the certificate to --out and a copy to DIR/issued. A "
	       "subject and\n"
	       "a key are signed once and never again.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_REQUEST) |
	     CA_BIT(CA_OPT_PURPOSE) | CA_BIT(CA_OPT_OUT),
    .takes = CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
