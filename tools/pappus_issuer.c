/* SPDX-License-Identifier: ISC */
/*
 * pappus issuer register, certificate record: tell the database of what
 * pappus-ca, which knows no database, has made.
 */
#include <openssl/x509v3.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/cert.h"
#include "cert/template.h"
#include "cert/urls.h"
#include "encoding/hex.h"
#include "tools/pappus.h"
#include "tools/root_crl.h"

enum { CERT_MAX = 64 * 1024, HEX_MAX = 2 * CERT_MAX };

/* The parameters of setup_issuer_register, in its order. */
enum {
	PURPOSE,
	PARENT_ID,
	NAME,
	CERTIFICATE,
	SKI,
	NOT_BEFORE,
	NOT_AFTER,
	CRL_URL,
	CA_URL,
	TRUST_DOMAIN,
	PROFILE_SHA256,
	SHARED,
	PARAMS
};

/* A CA as it is to be registered. */
struct registration {
	X509 *cert;
	const struct urls *urls;
	int64_t parent_id; /* 0: none */
	bool has_profile;
	uint8_t profile_sha256[TEMPLATE_DIGEST_LEN];
	bool shared;
};

static X509 *
load_cert(const char *dir, const char *name, struct err *err)
{
	struct buf text = BUF_INIT;
	X509 *cert = NULL;

	if (file_read(dir, name, CERT_MAX, &text, err))
		cert = cert_decode(text.data, text.len, err);
	buf_free(&text);
	return cert;
}

static bool
common_name(X509 *cert, char out[CERT_NAME_MAX * 4 + 1])
{
	return X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
		   NID_commonName, out, CERT_NAME_MAX * 4 + 1) > 0;
}

/* The first http: address of a CRL that a certificate names, or "". */
static void
copy_crl_url(X509 *cert, char out[URLS_MAX + 1])
{
	CRL_DIST_POINTS *points =
	    X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	const DIST_POINT *point;
	const GENERAL_NAME *name;

	out[0] = '\0';
	if (sk_DIST_POINT_num(points) > 0) {
		point = sk_DIST_POINT_value(points, 0);
		name =
		    sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0);
		snprintf(out, URLS_MAX + 1, "%.*s",
		    name->d.uniformResourceIdentifier->length,
		    (const char *)name->d.uniformResourceIdentifier->data);
	}
	CRL_DIST_POINTS_free(points);
}

static void
copy_ca_url(X509 *cert, char out[URLS_MAX + 1])
{
	AUTHORITY_INFO_ACCESS *info =
	    X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	const GENERAL_NAME *name;

	out[0] = '\0';
	if (sk_ACCESS_DESCRIPTION_num(info) > 0) {
		name = sk_ACCESS_DESCRIPTION_value(info, 0)->location;
		snprintf(out, URLS_MAX + 1, "%.*s",
		    name->d.uniformResourceIdentifier->length,
		    (const char *)name->d.uniformResourceIdentifier->data);
	}
	AUTHORITY_INFO_ACCESS_free(info);
}

/* Register one CA: its issuer_id, or 0. */
static int64_t
register_ca(struct db *db, const struct registration *r, struct err *err)
{
	const struct urls *urls = r->urls;
	X509 *cert = r->cert;
	char parent[24], not_before[24], not_after[24];
	char name[CERT_NAME_MAX * 4 + 1];
	const char *params[PARAMS] = {0};
	uint8_t ski[CERT_KEY_ID_LEN];
	struct buf der = BUF_INIT, der_hex = BUF_INIT, ski_hex = BUF_INIT;
	struct buf profile_hex = BUF_INIT;
	struct db_rows *rows;
	int64_t from, until, id = 0;

	if (!common_name(cert, name) || !cert_ski(cert, ski, err) ||
	    !cert_encode_der(cert, &der, err) ||
	    !cert_time(X509_get0_notBefore(cert), &from, err) ||
	    !cert_time(X509_get0_notAfter(cert), &until, err))
		goto out;
	snprintf(parent, sizeof(parent), "%" PRId64, r->parent_id);
	snprintf(not_before, sizeof(not_before), "%" PRId64, from);
	snprintf(not_after, sizeof(not_after), "%" PRId64, until);
	params[PURPOSE] = purpose_name(urls->purpose);
	params[PARENT_ID] = r->parent_id == 0 ? NULL : parent;
	params[NAME] = name;
	params[CERTIFICATE] = param_bytea(&der_hex, der.data, der.len);
	params[SKI] = param_bytea(&ski_hex, ski, sizeof(ski));
	params[NOT_BEFORE] = not_before;
	params[NOT_AFTER] = not_after;
	params[CRL_URL] = urls->crl_url;
	params[CA_URL] = urls->ca_url;
	if (urls->trust_domain[0] != '\0')
		params[TRUST_DOMAIN] = urls->trust_domain;
	if (r->has_profile)
		params[PROFILE_SHA256] = param_bytea(
		    &profile_hex, r->profile_sha256, TEMPLATE_DIGEST_LEN);
	params[SHARED] = r->shared ? "true" : "false";
	if (database_call(db, STATEMENT_ISSUER_REGISTER, params, &rows, err)) {
		id = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
	}
out:
	buf_free(&der);
	buf_free(&der_hex);
	buf_free(&ski_hex);
	buf_free(&profile_hex);
	return id;
}

/* What a device sub-CA will print into its leaves, as a digest. */
static bool
pin_profile(struct registration *r, struct err *err)
{
	const struct urls *urls = r->urls;
	const struct cert_template_params params = {
	    .issuer = r->cert,
	    .crl_url = urls->crl_url,
	    .ca_url = urls->ca_url,
	    .trust_domain =
		urls->trust_domain[0] == '\0' ? NULL : urls->trust_domain,
	};
	struct cert_template *template = cert_template_new(&params, err);

	if (template == NULL)
		return false;
	cert_template_digest(template, r->profile_sha256);
	cert_template_free(template);
	return true;
}

/* Whether the last list of the root, if there is one, leaves it in force. */
static bool
permitted(struct db *db, int64_t root_id, X509 *cert, struct err *err)
{
	struct registered_list registered;
	bool ok = registered_load(db, &registered, err);
	size_t i;

	for (i = 0; ok && i < registered.n; i++)
		if (registered.cas[i].id == root_id)
			ok = root_crl_permits(&registered.cas[i], cert, err);
	registered_free(&registered);
	return ok;
}

/* First the root, then the sub-CA. */
static int64_t
register_both(X509 *root, struct registration *sub, struct err *err)
{
	struct urls root_urls = {.purpose = PURPOSE_ROOT};
	const struct registration above = {
	    .cert = root, .urls = &root_urls, .shared = true};
	int64_t id = 0;
	struct db *db;

	sub->has_profile = sub->urls->purpose == PURPOSE_DEVICE;
	if (!sub->has_profile && !sub->shared) {
		err_set(err, ERR_CONFIG, "--shared no is for device sub-CAs");
		return 0;
	}
	if (!cert_check_issued(sub->cert, root, err) ||
	    (sub->has_profile && !pin_profile(sub, err)))
		return 0;
	/* A root says nowhere where its CRL is; what it signed does. */
	copy_crl_url(sub->cert, root_urls.crl_url);
	copy_ca_url(sub->cert, root_urls.ca_url);
	db = database_open();
	sub->parent_id = register_ca(db, &above, err);
	if (sub->parent_id != 0 &&
	    permitted(db, sub->parent_id, sub->cert, err))
		id = register_ca(db, sub, err);
	db_free(db);
	return id;
}

static bool
read_yes_no(const char *text, bool *out, struct err *err)
{
	*out = text == NULL || strcmp(text, "yes") == 0;
	return *out || strcmp(text, "no") == 0 ||
	       err_set(err, ERR_CONFIG, "--shared is yes or no");
}

bool
cmd_issuer_register(int argc, char **argv, struct err *err)
{
	struct option_value options[] = {
	    {"dir", NULL, true}, {"shared", NULL, false}};
	struct buf text = BUF_INIT;
	struct urls urls;
	struct registration sub = {.urls = &urls};
	X509 *root = NULL;
	const char *dir;
	int64_t id = 0;
	int n = options_read(argc, argv, options, 2, err);

	if (n < 0 || !read_yes_no(options[1].value, &sub.shared, err))
		return false;
	if (n != argc)
		return err_set(err, ERR_CONFIG, "unexpected %s", argv[n]);
	dir = options[0].value;
	if ((root = load_cert(dir, "root.crt", err)) != NULL &&
	    (sub.cert = load_cert(dir, "ca.crt", err)) != NULL &&
	    file_read(dir, "ca.urls", CERT_MAX, &text, err) &&
	    urls_parse((const char *)text.data, text.len, &urls, err))
		id = register_both(root, &sub, err);
	X509_free(root);
	X509_free(sub.cert);
	buf_free(&text);
	if (id != 0)
		printf("issuer %" PRId64 " (%s)\n", id,
		    purpose_name(urls.purpose));
	return id != 0;
}

/* Record one server certificate under the issuer that its AKI names. */
static bool
record(struct db *db, const char *path, struct err *err)
{
	X509 *cert = load_cert(".", path, err);
	const ASN1_OCTET_STRING *aki;
	char name[CERT_NAME_MAX * 4 + 1], not_before[24], not_after[24];
	uint8_t serial[SERIAL_LEN], spki[CERT_DIGEST_LEN];
	struct buf hex[3] = {0};
	struct db_rows *rows;
	int64_t from, until;
	bool ok = false;

	if (cert == NULL || !cert_serial(cert, serial, err) ||
	    !cert_spki_sha256(X509_get0_pubkey(cert), spki, err) ||
	    !cert_time(X509_get0_notBefore(cert), &from, err) ||
	    !cert_time(X509_get0_notAfter(cert), &until, err))
		goto out;
	aki = X509_get0_authority_key_id(cert);
	if (aki == NULL || !common_name(cert, name)) {
		err_set(err, ERR_MISMATCH, "no issuer or name in %s", path);
		goto out;
	}
	snprintf(not_before, sizeof(not_before), "%" PRId64, from);
	snprintf(not_after, sizeof(not_after), "%" PRId64, until);
	ok = database_call(db, STATEMENT_CERTIFICATE_RECORD,
	    (const char *[]){
		param_bytea(&hex[0], aki->data, (size_t)aki->length),
		param_bytea(&hex[1], serial, sizeof(serial)), name,
		param_bytea(&hex[2], spki, sizeof(spki)), not_before,
		not_after},
	    &rows, err);
	if (ok)
		db_rows_free(rows);
out:
	X509_free(cert);
	buf_free(&hex[0]);
	buf_free(&hex[1]);
	buf_free(&hex[2]);
	return ok;
}

bool
cmd_certificate_record(int argc, char **argv, struct err *err)
{
	struct db *db;
	bool ok = true;
	int i;

	if (argc < 2)
		return err_set(err, ERR_CONFIG, "name at least one file");
	db = database_open();
	for (i = 1; i < argc && ok; i++) {
		ok = record(db, argv[i], err);
		if (ok)
			printf("recorded %s\n", argv[i]);
	}
	db_free(db);
	return ok;
}
