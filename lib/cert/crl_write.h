/* SPDX-License-Identifier: ISC */
/*
 * A certificate revocation list of any size as DER (RFC 5280 §5), front to
 * back through a sink.  What surrounds the entries is built by OpenSSL, the
 * long way of crl.h; the entries are encoded as they pass, twice: for the
 * digest that is signed, and when written.  Takes no memory beside the list.
 *
 *	draft = crl_draft_new(&spec, list, &err);
 *	sign_crl_draft(draft, key, &signature, &err);	(ca/sign.h)
 *	crl_draft_write(draft, &signature, sink, ctx, &written, &err);
 *
 * Whoever has no key but the signature that was made for the same list and
 * the same spec writes the same octets.
 */
#ifndef PAPPUS_CERT_CRL_WRITE_H
#define PAPPUS_CERT_CRL_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "base/sink.h"
#include "cert/cert.h"
#include "cert/crl.h"
#include "cert/crl_list.h"

/* An ECDSA-Sig-Value (RFC 3279 §2.2.3) of P-384 at most. */
enum { CRL_SIGNATURE_MAX = 104 };

struct crl_signature {
	uint8_t der[CRL_SIGNATURE_MAX];
	size_t len;
};

struct crl_written {
	uint64_t len; /* octets of DER */
	uint8_t sha256[CERT_DIGEST_LEN];
};

struct crl_draft; /* one list, about to be signed and written */

/*
 * Take the frame from spec, whose entries must be none, and the entries from
 * the list, which must stay unchanged.  The issuer's key says the algorithm:
 * ecdsa-with-SHA256 for P-256, ecdsa-with-SHA384 for P-384 (RFC 5758 §3.2).
 * spec is not kept.  ERR_MALFORMED when nextUpdate isn't after thisUpdate or
 * the number over 63 bits.
 */
struct crl_draft *crl_draft_new(
    const struct crl_spec *spec, const struct crl_list *list, struct err *err);
void crl_draft_free(struct crl_draft *draft);

/* The issuer's public key; borrowed. */
EVP_PKEY *crl_draft_key(const struct crl_draft *draft);

/* The digest that a signature is made of; *len octets of out. */
bool crl_draft_digest(struct crl_draft *draft, uint8_t out[EVP_MAX_MD_SIZE],
    size_t *len, struct err *err);

/*
 * Write the list in DER through the sink, in pieces of up to 64 KiB.  Doesn't
 * look whether the signature is right: crl_read.h does, for any list.
 * ERR_MALFORMED when it is empty or too long to be one.
 */
bool crl_draft_write(struct crl_draft *draft,
    const struct crl_signature *signature, sink_fn *sink, void *ctx,
    struct crl_written *out, struct err *err);

#endif
