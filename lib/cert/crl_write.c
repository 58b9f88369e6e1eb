/* SPDX-License-Identifier: ISC */
/* A CRL of any size as DER, front to back: see crl_write.h. */
#include "cert/crl_write.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "cert/crl_list_impl.h"
#include "cert/ossl.h"
#include "encoding/der.h"

enum {
	PIECE_LEN = 65536,
	/* 30 len, 02 15 00 and 20 octets, a time, the reason: below that. */
	ENTRY_MAX = 64,
	REASON_LEN = 14,
	SIGNATURE_MIN = 8 /* 30 06 02 01 r 02 01 s */
};

/* AlgorithmIdentifiers without parameters (RFC 5758 §3.2). */
static const uint8_t ecdsa_sha256[] = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t ecdsa_sha384[] = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};

enum { ALGORITHM_LEN = sizeof(ecdsa_sha256) };

/* TBSCertList (RFC 5280 §5.1): head, the entries in a SEQUENCE, tail. */
struct crl_draft {
	const struct crl_list *list;
	EVP_PKEY *key;
	const EVP_MD *md;
	const uint8_t *algorithm;
	struct buf head; /* version, signature, issuer, the two times */
	struct buf tail; /* crlExtensions */
	size_t entries_len;
	size_t tbs_len; /* of its content */
};

/* Where pieces go, and what gathers them. */
struct pour {
	sink_fn *sink;
	void *ctx;
	size_t len;
	uint8_t piece[PIECE_LEN];
};

/* -------------------------------------------------------------- entries */

/* Of the INTEGER's content: with a zero when the sign needs it. */
static inline size_t
serial_len(const struct crl_record *r)
{
	return (size_t)(CRL_SERIAL_MAX - r->zeros) + (r->serial[r->zeros] >> 7);
}

/* revokedCertificate's content (RFC 5280 §5.1.2.6). */
static inline size_t
content_len(const struct crl_record *r)
{
	return 2 + serial_len(r) + der_time_len(crl_record_revoked_at(r)) +
	       (r->reason != CRL_UNSPECIFIED ? REASON_LEN : 0);
}

/* Write an entry; returns what is behind it.  All lengths are below 0x80. */
static uint8_t *
put_entry(uint8_t *at, const struct crl_record *r)
{
	/* Extensions {{reasonCode, ENUMERATED}}, RFC 5280 §5.3.1. */
	static const uint8_t reason[REASON_LEN] = {0x30, 0x0c, 0x30, 0x0a, 0x06,
	    0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, 0};
	size_t len = serial_len(r);
	uint8_t *start = at;

	at[0] = DER_SEQUENCE;
	at[2] = DER_INTEGER;
	at[3] = (uint8_t)len;
	at[4] = 0;
	at += 4 + len;
	memcpy(at - (CRL_SERIAL_MAX - r->zeros), r->serial + r->zeros,
	    CRL_SERIAL_MAX - r->zeros);
	at += der_time(at, crl_record_revoked_at(r));
	if (r->reason != CRL_UNSPECIFIED) {
		memcpy(at, reason, REASON_LEN);
		at += REASON_LEN;
		at[-1] = r->reason;
	}
	start[1] = (uint8_t)(at - start - 2);
	return at;
}

static size_t
entries_len(const struct crl_list *list)
{
	size_t sum = 0, i;

	for (i = 0; i < list->count; i++)
		sum += 2 + content_len(&list->records[i]);
	return sum;
}

/* -------------------------------------------------------------- pouring */

static bool
flush(struct pour *p, struct err *err)
{
	size_t len = p->len;

	p->len = 0;
	return len == 0 || p->sink(p->ctx, p->piece, len, err);
}

static bool
pour_octets(struct pour *p, const void *data, size_t len, struct err *err)
{
	if (PIECE_LEN - p->len < len && !flush(p, err))
		return false;
	if (len > PIECE_LEN)
		return p->sink(p->ctx, data, len, err);
	memcpy(p->piece + p->len, data, len);
	p->len += len;
	return true;
}

static bool
pour_header(struct pour *p, uint8_t tag, size_t len, struct err *err)
{
	struct buf header = BUF_INIT;
	bool ok;

	der_put_header(&header, tag, len);
	ok = pour_octets(p, header.data, header.len, err);
	buf_free(&header);
	return ok;
}

static bool
pour_entries(struct pour *p, const struct crl_draft *d, struct err *err)
{
	size_t count = d->list->count, i;

	if (count == 0)
		return true; /* absent (RFC 5280 §5.1.2.6) */
	if (!pour_header(p, DER_SEQUENCE, d->entries_len, err))
		return false;
	for (i = 0; i < count; i++) {
		if (PIECE_LEN - p->len < ENTRY_MAX && !flush(p, err))
			return false;
		p->len = (size_t)(put_entry(
				      p->piece + p->len, &d->list->records[i]) -
				  p->piece);
	}
	return true;
}

static bool
pour_tbs(struct pour *p, const struct crl_draft *d, struct err *err)
{
	return pour_header(p, DER_SEQUENCE, d->tbs_len, err) &&
	       pour_octets(p, d->head.data, d->head.len, err) &&
	       pour_entries(p, d, err) &&
	       pour_octets(p, d->tail.data, d->tail.len, err);
}

static struct pour *
pour_new(sink_fn *sink, void *ctx)
{
	struct pour *p = malloc(sizeof(*p));

	if (p == NULL)
		abort();
	p->sink = sink;
	p->ctx = ctx;
	p->len = 0;
	return p;
}

/* ---------------------------------------------------------------- draft */

static bool
set_algorithm(struct crl_draft *d, X509 *issuer, struct err *err)
{
	d->key = X509_get_pubkey(issuer);
	if (!cert_key_check(d->key, true, err))
		return false;
	/* As strong as the curve (RFC 5480 §4). */
	if (EVP_PKEY_get_bits(d->key) > 256) {
		d->md = EVP_sha384();
		d->algorithm = ecdsa_sha384;
	} else {
		d->md = EVP_sha256();
		d->algorithm = ecdsa_sha256;
	}
	return true;
}

static bool
spec_check(const struct crl_spec *spec, struct err *err)
{
	if (spec->entry_count != 0)
		return err_set(err, ERR_MALFORMED,
		    "the frame of a CRL has no entries of its own");
	if (spec->number > INT64_MAX)
		return err_set(
		    err, ERR_MALFORMED, "a CRL number is over 63 bits");
	if (spec->this_update < 0 || spec->next_update > CRL_NEVER ||
	    spec->this_update >= spec->next_update)
		return err_set(err, ERR_MALFORMED,
		    "nextUpdate must come after thisUpdate, both in the years "
		    "1970 to 9999");
	return true;
}

/* Append what one of OpenSSL's encoders makes of its object. */
#define APPEND(out, i2d, object)                                 \
	do {                                                     \
		int append_len = i2d(object, NULL);              \
		uint8_t *append_at;                              \
                                                                 \
		if (append_len <= 0)                             \
			return ossl_err(err, "CRL");             \
		append_at = buf_extend(out, (size_t)append_len); \
		i2d(object, &append_at);                         \
	} while (0)

/* Everything but the entries, from a list without any. */
static bool
set_frame(struct crl_draft *d, const X509_CRL *crl, struct err *err)
{
	static const uint8_t version_2[] = {DER_INTEGER, 1, 1};
	enum { EXTENSIONS = DER_CONTEXT | DER_CONSTRUCTED | 0 };
	struct buf extensions = BUF_INIT;

	buf_add(&d->head, version_2, sizeof(version_2));
	buf_add(&d->head, d->algorithm, ALGORITHM_LEN);
	APPEND(&d->head, i2d_X509_NAME, X509_CRL_get_issuer(crl));
	APPEND(&d->head, i2d_ASN1_TIME, X509_CRL_get0_lastUpdate(crl));
	APPEND(&d->head, i2d_ASN1_TIME, X509_CRL_get0_nextUpdate(crl));
	APPEND(&extensions, i2d_X509_EXTENSIONS, X509_CRL_get0_extensions(crl));
	der_put_header(&d->tail, EXTENSIONS, extensions.len);
	buf_add(&d->tail, extensions.data, extensions.len);
	buf_free(&extensions);
	return true;
}

struct crl_draft *
crl_draft_new(
    const struct crl_spec *spec, const struct crl_list *list, struct err *err)
{
	struct crl_draft *d;
	X509_CRL *crl = NULL;
	bool ok = false;

	if (!spec_check(spec, err))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		abort();
	d->list = list;
	if (!set_algorithm(d, spec->issuer, err))
		goto out;
	crl = crl_build(spec, err);
	if (crl == NULL || !set_frame(d, crl, err))
		goto out;
	d->entries_len = entries_len(list);
	d->tbs_len =
	    d->head.len + d->tail.len +
	    (crl_list_count(list) == 0 ? 0 : der_element_len(d->entries_len));
	ok = true;
out:
	X509_CRL_free(crl);
	if (!ok) {
		crl_draft_free(d);
		d = NULL;
	}
	return d;
}

void
crl_draft_free(struct crl_draft *draft)
{
	if (draft == NULL)
		return;
	EVP_PKEY_free(draft->key);
	buf_free(&draft->head);
	buf_free(&draft->tail);
	free(draft);
}

EVP_PKEY *
crl_draft_key(const struct crl_draft *draft)
{
	return draft->key;
}

/* ------------------------------------------------- digest and signed list */

static bool
digest_piece(void *ctx, const void *data, size_t len, struct err *err)
{
	return EVP_DigestUpdate(ctx, data, len) == 1 ||
	       ossl_err(err, "digest of a CRL");
}

bool
crl_draft_digest(struct crl_draft *draft, uint8_t out[EVP_MAX_MD_SIZE],
    size_t *len, struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct pour *p = pour_new(digest_piece, ctx);
	unsigned int octets = 0;
	bool ok = false;

	if (ctx == NULL || EVP_DigestInit_ex(ctx, draft->md, NULL) != 1) {
		ossl_err(err, "digest of a CRL");
		goto out;
	}
	if (!pour_tbs(p, draft, err) || !flush(p, err))
		goto out;
	ok = EVP_DigestFinal_ex(ctx, out, &octets) == 1 ||
	     ossl_err(err, "digest of a CRL");
	*len = octets;
out:
	EVP_MD_CTX_free(ctx);
	free(p);
	return ok;
}

/* The caller's sink, and what is said of the list afterwards. */
struct teller {
	EVP_MD_CTX *digest;
	sink_fn *sink;
	void *ctx;
	uint64_t len;
};

static bool
tell_piece(void *ctx, const void *data, size_t len, struct err *err)
{
	struct teller *t = ctx;

	t->len += len;
	return digest_piece(t->digest, data, len, err) &&
	       t->sink(t->ctx, data, len, err);
}

/* CertificateList (RFC 5280 §5.1).  The BIT STRING begins with 0 unused. */
static bool
pour_list(struct pour *p, const struct crl_draft *d,
    const struct crl_signature *signature, struct err *err)
{
	static const uint8_t unused = 0;
	size_t bits_len = 1 + signature->len;

	return pour_header(p, DER_SEQUENCE,
		   der_element_len(d->tbs_len) + ALGORITHM_LEN +
		       der_element_len(bits_len),
		   err) &&
	       pour_tbs(p, d, err) &&
	       pour_octets(p, d->algorithm, ALGORITHM_LEN, err) &&
	       pour_header(p, DER_BIT_STRING, bits_len, err) &&
	       pour_octets(p, &unused, 1, err) &&
	       pour_octets(p, signature->der, signature->len, err) &&
	       flush(p, err);
}

bool
crl_draft_write(struct crl_draft *draft, const struct crl_signature *signature,
    sink_fn *sink, void *ctx, struct crl_written *out, struct err *err)
{
	struct teller t = {.sink = sink, .ctx = ctx};
	struct pour *p;
	bool ok = false;

	if (signature->len < SIGNATURE_MIN ||
	    signature->len > CRL_SIGNATURE_MAX)
		return err_set(err, ERR_MALFORMED,
		    "a CRL's signature has %zu octets", signature->len);
	t.digest = EVP_MD_CTX_new();
	p = pour_new(tell_piece, &t);
	if (t.digest == NULL ||
	    EVP_DigestInit_ex(t.digest, EVP_sha256(), NULL) != 1) {
		ossl_err(err, "digest of a CRL");
		goto out;
	}
	if (!pour_list(p, draft, signature, err))
		goto out;
	ok = EVP_DigestFinal_ex(t.digest, out->sha256, NULL) == 1 ||
	     ossl_err(err, "digest of a CRL");
	out->len = t.len;
out:
	EVP_MD_CTX_free(t.digest);
	free(p);
	return ok;
}
