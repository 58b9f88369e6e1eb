/* SPDX-License-Identifier: ISC */
/* CRLs that were read: their signature, their entries.  See crl_read.h. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "cert/crl_read_impl.h"
#include "cert/ossl.h"

enum { WINDOW_LEN = 1 << 20 };

/* --------------------------------------------------------------- windows */

struct crl_window
crl_window_of(const struct crl_read *crl, const uint8_t *at)
{
	struct crl_window window = {crl->mapped ? at : NULL};

	return window;
}

void
crl_window_pass(struct crl_window *window, const uint8_t *at)
{
	uintptr_t page, from, to;

	if (window->from == NULL || at - window->from < WINDOW_LEN)
		return;
	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	from = (uintptr_t)window->from & ~(page - 1);
	to = (uintptr_t)at & ~(page - 1);
	/* Only advice: what is read again comes from the file again. */
	madvise((void *)from, to - from, MADV_DONTNEED);
	window->from = at;
}

/* --------------------------------------------------------------- entries */

bool
crl_read_each(
    const struct crl_read *crl, crl_read_fn *fn, void *ctx, struct err *err)
{
	struct der in = {crl->entries.at, crl->entries.len};
	struct crl_window window = crl_window_of(crl, in.at);
	struct crl_item item;

	while (in.len > 0) {
		if (crl_read_entry(&in, &item) != NULL)
			return err_set(err, ERR_MALFORMED,
			    "a CRL has changed since it was read");
		if (!fn(ctx, &item, err))
			return false;
		crl_window_pass(&window, in.at);
	}
	return true;
}

struct search {
	const uint8_t *serial;
	struct crl_item found;
	bool there;
};

static bool
search_item(void *ctx, const struct crl_item *item, struct err *err)
{
	struct search *s = ctx;

	(void)err;
	s->there = memcmp(item->serial, s->serial, CRL_SERIAL_MAX) == 0;
	if (s->there)
		s->found = *item;
	return !s->there;
}

bool
crl_read_find(const struct crl_read *crl, const uint8_t serial[CRL_SERIAL_MAX],
    struct crl_item *out)
{
	struct search s = {.serial = serial};

	crl_read_each(crl, search_item, &s, NULL);
	if (s.there && out != NULL)
		*out = s.found;
	return s.there;
}

/* ---------------------------------------------------------------- pieces */

/* Pass a part on, giving back what was read. */
static bool
pour(const struct crl_read *crl, struct crl_part part, sink_fn *sink, void *ctx,
    struct err *err)
{
	struct crl_window window = crl_window_of(crl, part.at);
	size_t len;

	for (; part.len > 0; part.at += len, part.len -= len) {
		len = part.len < WINDOW_LEN ? part.len : WINDOW_LEN;
		if (!sink(ctx, part.at, len, err))
			return false;
		crl_window_pass(&window, part.at + len);
	}
	return true;
}

bool
crl_read_pour(
    const struct crl_read *crl, sink_fn *sink, void *ctx, struct err *err)
{
	return pour(crl, crl->der, sink, ctx, err);
}

/* ------------------------------------------------------------- signature */

static bool
mismatch(const char *what, struct err *err)
{
	ERR_clear_error();
	return err_set(err, ERR_MISMATCH, "not a CRL of that CA: %s", what);
}

/* Byte for byte, as a CA of ours copies its own subject. */
static bool
check_name(const struct crl_read *crl, X509 *issuer, struct err *err)
{
	const uint8_t *name;
	size_t len;

	if (X509_NAME_get0_der(X509_get_subject_name(issuer), &name, &len) != 1)
		return ossl_err(err, "subject");
	if (len != crl->issuer.len || memcmp(name, crl->issuer.at, len) != 0)
		return mismatch("it names another issuer", err);
	return true;
}

static bool
check_key_id(const struct crl_read *crl, X509 *issuer, struct err *err)
{
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(issuer);

	if (ski == NULL || (size_t)ASN1_STRING_length(ski) != crl->key_id.len ||
	    memcmp(ASN1_STRING_get0_data(ski), crl->key_id.at,
		crl->key_id.len) != 0)
		return mismatch("it names another key", err);
	/* RFC 5280 §4.2.1.3; all bits where there is no keyUsage. */
	if ((X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0)
		return mismatch("its key may not sign CRLs", err);
	return true;
}

static bool
digest_piece(void *ctx, const void *data, size_t len, struct err *err)
{
	return EVP_DigestUpdate(ctx, data, len) == 1 ||
	       ossl_err(err, "digest of a CRL");
}

static bool
digest(const struct crl_read *crl, const EVP_MD *md,
    uint8_t out[EVP_MAX_MD_SIZE], struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	if (!ok)
		ossl_err(err, "digest of a CRL");
	ok = ok && pour(crl, crl->tbs, digest_piece, ctx, err) &&
	     (EVP_DigestFinal_ex(ctx, out, NULL) == 1 ||
		 ossl_err(err, "digest of a CRL"));
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool
check_signature(const struct crl_read *crl, EVP_PKEY *key, struct err *err)
{
	const EVP_MD *md = crl->sha384 ? EVP_sha384() : EVP_sha256();
	uint8_t value[EVP_MAX_MD_SIZE];
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (key == NULL || !EVP_PKEY_is_a(key, "EC"))
		return mismatch("its key is no EC key", err);
	if (!digest(crl, md, value, err))
		return false;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	     EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	     EVP_PKEY_verify(ctx, crl->signature.at, crl->signature.len, value,
		 (size_t)EVP_MD_get_size(md)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok || mismatch("the signature is wrong", err);
}

bool
crl_read_verify(const struct crl_read *crl, X509 *issuer, struct err *err)
{
	return check_name(crl, issuer, err) && check_key_id(crl, issuer, err) &&
	       check_signature(crl, X509_get0_pubkey(issuer), err);
}

bool
crl_read_check_url(const struct crl_read *crl, const char *url, struct err *err)
{
	if (crl->url.len == strlen(url) &&
	    memcmp(crl->url.at, url, crl->url.len) == 0)
		return true;
	return err_set(err, ERR_MISMATCH,
	    "the CRL's issuingDistributionPoint is not %.150s", url);
}
