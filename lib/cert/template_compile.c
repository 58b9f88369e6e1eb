/* SPDX-License-Identifier: ISC */
/*
 * Compiling the device profile to templates: see template.h.
 *
 * A template is made by building a certificate the long way from markers,
 * values that stand nowhere else in it, and finding where each came to lie.
 * Then the template is filled with other values and compared with the long
 * way's result for these: what passes that differs from it in nothing.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "cert/cert.h"
#include "cert/ossl.h"
#include "cert/template_impl.h"
#include "cert/urls.h"

/* A certificate to be built the long way, for markers and for comparison. */
struct sample {
	struct cert_fields fields;
	const char *uri_device; /* markers differ from the CN */
	EVP_PKEY *key;
};

static const char marker_cn[] = "dev_mmmmmmmmmmmmmmmmmmmmmmmmmm";
static const char marker_uri[] = "dev_nnnnnnnnnnnnnnnnnnnnnnnnnn";
static const char marker_project[] = "proj_mmmmmmmmmmmmmmmmmmmmmmmmmm";
static const char probe_device[] = "dev_01jd00000000000000000000pq";
static const char probe_project[] = "proj_01jd00000000000000000000rs";

/* Build a sample the long way and append its TBSCertificate. */
static bool
long_way(const struct cert_template_params *params, const struct sample *s,
    struct buf *tbs, struct err *err)
{
	struct buf uri = BUF_INIT;
	struct ext_name name = {EXT_NAME_URI, NULL};
	struct cert_spec spec = {.profile = profile_get(PROFILE_DEVICE),
	    .issuer = params->issuer,
	    .public_key = s->key,
	    .common_name = s->fields.device_id,
	    .crl_url = params->crl_url,
	    .ca_url = params->ca_url,
	    .names = &name,
	    .name_count = params->trust_domain == NULL ? 0 : 1};
	ASN1_TIME *from = cert_time_new(s->fields.not_before);
	ASN1_TIME *to = cert_time_new(s->fields.not_after);
	X509 *cert = NULL;
	uint8_t *der;
	int len;
	bool ok = false;

	if (params->trust_domain != NULL)
		buf_add_fmt(&uri, "spiffe://%s/%s/%s", params->trust_domain,
		    s->fields.project_id, s->uri_device);
	name.value = buf_str(&uri);
	memcpy(spec.serial, s->fields.serial, SERIAL_LEN);
	cert = cert_build(&spec, err);
	if (cert == NULL)
		goto out;
	/*
	 * The builder was given no time, as it refuses what outlives the
	 * issuer, which these templates may.  The signature is made for the
	 * algorithm that it leaves in the TBSCertificate.
	 */
	if (from == NULL || to == NULL ||
	    X509_set1_notBefore(cert, from) != 1 ||
	    X509_set1_notAfter(cert, to) != 1 ||
	    X509_sign(cert, s->key, EVP_sha256()) <= 0 ||
	    (len = i2d_re_X509_tbs(cert, NULL)) <= 0) {
		ossl_err(err, "template");
		goto out;
	}
	der = buf_extend(tbs, (size_t)len);
	i2d_re_X509_tbs(cert, &der);
	ok = true;
out:
	X509_free(cert);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	buf_free(&uri);
	return ok;
}

/* A sample of that variant, with a throw-away key that also signs it. */
static bool
sample_make(struct sample *s, bool marker, enum variant v, struct err *err)
{
	static const int64_t times[2][VARIANT_MAX][2] = {
	    /* 2031-07-06 and 2049-12-31; 2071-08-09 and 2093-05-04 */
	    {{INT64_C(1941066123), INT64_C(2524607999)},
		{INT64_C(1941066123), INT64_C(3206241456)},
		{INT64_C(3206241456), INT64_C(3892249387)}},
	    /* 2026-11-23 and 2038-01-20; 2050-01-01 and 2112-02-29 */
	    {{INT64_C(1795450020), INT64_C(2147570047)},
		{INT64_C(1795450020), INT64_C(2524608000)},
		{INT64_C(2524608000), INT64_C(4486190645)}},
	};
	size_t len = 0;

	memset(&s->fields, 0, sizeof(s->fields));
	memset(s->fields.serial, marker ? 0x5c : 0x7f, SERIAL_LEN);
	s->fields.device_id = marker ? marker_cn : probe_device;
	s->fields.project_id = marker ? marker_project : probe_project;
	s->fields.not_before = times[marker ? 0 : 1][v][0];
	s->fields.not_after = times[marker ? 0 : 1][v][1];
	s->uri_device = marker ? marker_uri : probe_device;
	s->key = EVP_EC_gen("P-256");
	if (s->key == NULL ||
	    EVP_PKEY_get_octet_string_param(s->key, "pub", s->fields.public_key,
		TEMPLATE_POINT_LEN, &len) != 1 ||
	    len != TEMPLATE_POINT_LEN)
		return ossl_err(err, "template");
	return true;
}

/* The one place of a marker; what is there twice can't be told apart. */
static bool
find(const struct buf *der, const void *marker, size_t len, size_t *at)
{
	const uint8_t *hit = memmem(der->data, der->len, marker, len);
	const uint8_t *rest;

	if (hit == NULL)
		return false;
	*at = (size_t)(hit - der->data);
	rest = hit + 1;
	return memmem(rest, der->len - *at - 1, marker, len) == NULL;
}

/* Compile one variant: build it from markers, find them, zero them. */
static bool
compile(struct cert_template *t, const struct cert_template_params *params,
    enum variant v, struct err *err)
{
	struct tbs *tbs = &t->tbs[v];
	struct sample s = {.key = NULL};
	struct patch p;
	bool ok = false;
	size_t i;

	if (!sample_make(&s, true, v, err) ||
	    !long_way(params, &s, &tbs->der, err) ||
	    !template_patch(&p, t->sha1, &s.fields, err))
		goto out;
	p.data[FIELD_URI_DEVICE] = s.uri_device;
	for (i = 0; i < template_field_count(t); i++)
		if (!find(&tbs->der, p.data[i], p.len[i], &tbs->at[i])) {
			err_set(err, ERR_CRYPTO,
			    "template: field %zu is not found just once", i);
			goto out;
		}
	for (i = 0; i < template_field_count(t); i++)
		memset(tbs->der.data + tbs->at[i], 0, p.len[i]);
	ok = true;
out:
	EVP_PKEY_free(s.key);
	return ok;
}

/* Fill a variant and compare it with the long way's certificate. */
static bool
verify(const struct cert_template *t, const struct cert_template_params *params,
    enum variant v, struct err *err)
{
	struct buf filled = BUF_INIT, built = BUF_INIT;
	struct sample s = {.key = NULL};
	struct patch p;
	bool ok = false;

	if (!sample_make(&s, false, v, err) ||
	    !long_way(params, &s, &built, err) ||
	    !template_patch(&p, t->sha1, &s.fields, err))
		goto out;
	template_apply(t, &p, &filled);
	ok = p.variant == v && filled.len == built.len &&
	     memcmp(filled.data, built.data, built.len) == 0;
	if (!ok)
		err_set(err, ERR_CRYPTO,
		    "template: differs from what the long way builds");
out:
	EVP_PKEY_free(s.key);
	buf_free(&filled);
	buf_free(&built);
	return ok;
}

static bool
digest(struct cert_template *t, struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok =
	    ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	int v;

	/* DER says its own length, so concatenation is unambiguous. */
	for (v = 0; ok && v < VARIANT_MAX; v++)
		ok = EVP_DigestUpdate(
			 ctx, t->tbs[v].der.data, t->tbs[v].der.len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, t->digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok || ossl_err(err, "template");
}

struct cert_template *
cert_template_new(const struct cert_template_params *params, struct err *err)
{
	struct cert_template *t;
	bool ok = false;
	int v;

	if (!profile_check_ca(
		profile_get(PROFILE_DEVICE_CA), params->issuer, err) ||
	    (params->trust_domain != NULL &&
		!urls_check_trust_domain(params->trust_domain, err)))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		abort();
	t->uri = params->trust_domain != NULL;
	t->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (t->sha1 == NULL) {
		ossl_err(err, "SHA-1");
		goto out;
	}
	ok = cert_time(X509_get0_notAfter(params->issuer), &t->not_after, err);
	for (v = 0; ok && v < VARIANT_MAX; v++)
		ok = compile(t, params, (enum variant)v, err) &&
		     verify(t, params, (enum variant)v, err);
	ok = ok && digest(t, err);
out:
	if (!ok) {
		cert_template_free(t);
		t = NULL;
	}
	return t;
}
