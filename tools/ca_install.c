/* SPDX-License-Identifier: ISC */
/* pappus-ca install: a signed sub-CA comes home to its key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "cert/cert.h"
#include "tools/ca_tool.h"

/* Both sub-CAs of clients look alike: only --purpose makes one a service's. */
static bool
find_purpose(const struct ca_args *args, X509 *cert, enum purpose *purpose,
    struct err *err)
{
	const char *text = args->value[CA_OPT_PURPOSE];
	enum purpose said;

	if (!profile_ca_purpose(cert, purpose, err))
		return false;
	if (*purpose == PURPOSE_ROOT)
		return err_set(
		    err, ERR_MISMATCH, "the certificate is a root's");
	if (text == NULL)
		return true;
	if (!purpose_parse(text, &said) ||
	    !profile_check_ca(profile_ca(said), cert, NULL))
		return err_set(err, ERR_MISMATCH,
		    "--purpose is \"%.40s\", but the certificate is a %s", text,
		    profile_ca(*purpose)->name);
	*purpose = said;
	return true;
}

static bool
make_urls(const struct ca_args *args, enum purpose purpose, struct urls *urls,
    struct err *err)
{
	const char *crl = args->value[CA_OPT_CRL_URL];
	const char *ca = args->value[CA_OPT_CA_URL];
	const char *domain = args->value[CA_OPT_TRUST_DOMAIN];

	if (!urls_check_url("--crl-url", crl, err) ||
	    !urls_check_url("--ca-url", ca, err))
		return false;
	if (domain != NULL && purpose != PURPOSE_DEVICE)
		return err_set(err, ERR_MISMATCH,
		    "--trust-domain is for device sub-CAs alone");
	if (domain != NULL && !urls_check_trust_domain(domain, err))
		return false;
	memset(urls, 0, sizeof(*urls));
	urls->purpose = purpose;
	snprintf(urls->crl_url, sizeof(urls->crl_url), "%s", crl);
	snprintf(urls->ca_url, sizeof(urls->ca_url), "%s", ca);
	snprintf(urls->trust_domain, sizeof(urls->trust_domain), "%s",
	    domain != NULL ? domain : "");
	return true;
}

/*
 * The sub-CA's own certificate names the root's list; its leaves must not, or
 * they would be looked up in the wrong one.
 */
static bool
check_own_list(X509 *cert, const char *crl_url, struct err *err)
{
	CRL_DIST_POINTS *points =
	    X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	DIST_POINT *point = sk_DIST_POINT_value(points, 0);
	GENERAL_NAME *name =
	    point == NULL || point->distpoint == NULL
		? NULL
		: sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0);
	const ASN1_IA5STRING *uri =
	    name == NULL ? NULL : GENERAL_NAME_get0_value(name, NULL);
	bool same =
	    uri != NULL && (size_t)ASN1_STRING_length(uri) == strlen(crl_url) &&
	    memcmp(ASN1_STRING_get0_data(uri), crl_url, strlen(crl_url)) == 0;

	CRL_DIST_POINTS_free(points);
	return !same ||
	       err_set(err, ERR_MISMATCH,
		   "--crl-url is the root's; this sub-CA needs one of its own");
}

static bool
check_chain(X509 *cert, X509 *root, int64_t now, struct err *err)
{
	int64_t until;

	if (!profile_check_ca(profile_get(PROFILE_ROOT), root, err) ||
	    !cert_check_issued(root, root, err) ||
	    !cert_check_issued(cert, root, err) ||
	    !cert_time(X509_get0_notAfter(cert), &until, err))
		return false;
	return until > now ||
	       err_set(err, ERR_REFUSED, "the certificate has expired");
}

static bool
check_key(const struct ca_args *args, X509 *cert, struct err *err)
{
	char *path = ca_path(args->value[CA_OPT_DIR], "ca.key");
	EVP_PKEY *key = ca_key_open(args, path, err);
	bool ok = key != NULL && X509_check_private_key(cert, key) == 1;

	if (key != NULL && !ok)
		err_set(err, ERR_MISMATCH, "%s does not belong to %s",
		    args->value[CA_OPT_CERT], path);
	EVP_PKEY_free(key);
	free(path);
	ERR_clear_error();
	return ok;
}

static bool
make_files(const struct ca_args *args, struct ca_ceremony *c, X509 *cert,
    X509 *root, const struct urls *urls, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	struct buf data = BUF_INIT;

	buf_add_fmt(&c->text,
	    "  A %s was installed: its key, its certificate and the root's\n"
	    "  belong together.\n\n",
	    profile_ca(urls->purpose)->name);
	ca_describe_cert(&c->text, cert);
	buf_add_str(&c->text, "\n");
	ca_describe_cert(&c->text, root);
	buf_add_str(&c->text, "\nWhat its leaves will hold, for good\n");
	urls_format(urls, &c->text);
	if (!cert_encode_pem(cert, &data, err))
		return false;
	ca_ceremony_output(c, dir, "ca.crt", &data);
	if (!cert_encode_pem(root, &data, err))
		return false;
	ca_ceremony_output(c, dir, "root.crt", &data);
	urls_format(urls, &data);
	ca_ceremony_output(c, dir, "ca.urls", &data);
	return true;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	struct ca_ceremony c;
	struct urls urls;
	enum purpose purpose;
	X509 *cert = NULL, *root = NULL;
	bool ok = false;

	ca_ceremony_begin(&c, "install");
	if (!ca_folder_lock(dir, err))
		goto out;
	cert = ca_cert_read(args->value[CA_OPT_CERT], err);
	root =
	    cert == NULL ? NULL : ca_cert_read(args->value[CA_OPT_ROOT], err);
	ok = root != NULL && find_purpose(args, cert, &purpose, err) &&
	     make_urls(args, purpose, &urls, err) &&
	     check_own_list(cert, urls.crl_url, err) &&
	     check_chain(cert, root, c.now, err) &&
	     check_key(args, cert, err) &&
	     make_files(args, &c, cert, root, &urls, err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Tell the database of it: pappus issuer register.\n", err);
out:
	X509_free(cert);
	X509_free(root);
	ca_ceremony_end(&c);
	return ok;
}

const struct ca_command ca_cmd_install = {
    .name = "install",
    .summary = "Put a signed sub-CA beside its key, after checking all",
    .details =
	"Writes DIR/ca.crt, DIR/root.crt and DIR/ca.urls. The addresses and "
	"the\n"
	"trust domain go into every leaf and cannot be changed later. A "
	"service\n"
	"sub-CA needs --purpose service: it looks like a device sub-CA.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_CERT) | CA_BIT(CA_OPT_ROOT) |
	     CA_BIT(CA_OPT_CRL_URL) | CA_BIT(CA_OPT_CA_URL),
    .takes = CA_BIT(CA_OPT_TRUST_DOMAIN) | CA_BIT(CA_OPT_PURPOSE) |
	     CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
