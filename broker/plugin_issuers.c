/* SPDX-License-Identifier: ISC */
/* The CAs whose clients the broker takes: see plugin_issuers.h. */
#include "broker/plugin_issuers.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

static bool
read_issuer(
    const struct denylist_issuer *from, struct issuer *out, struct err *err)
{
	const uint8_t *at = from->certificate;

	out->purpose = from->purpose;
	out->cert = d2i_X509(NULL, &at, (long)from->certificate_len);
	if (out->cert == NULL ||
	    at != from->certificate + from->certificate_len ||
	    X509_get0_pubkey(out->cert) == NULL)
		return err_set(err, ERR_MALFORMED,
		    "an issuer's certificate cannot be read");
	if (EVP_Digest(from->certificate, from->certificate_len, out->id, NULL,
		EVP_sha256(), NULL) != 1)
		return err_set(err, ERR_CRYPTO, "SHA-256 failed");
	return true;
}

bool
issuers_read(
    const struct denylist_file *file, struct issuers *out, struct err *err)
{
	const struct denylist_issuer *from;
	struct issuer *to;
	size_t i;

	out->count = 0;
	for (i = 0; i < file->issuer_count; i++) {
		from = &file->issuers[i];
		if (from->purpose != DENYLIST_DEVICE &&
		    from->purpose != DENYLIST_SERVICE)
			continue;
		to = &out->at[out->count++];
		if (!read_issuer(from, to, err))
			return false;
	}
	return true;
}

void
issuers_free(struct issuers *issuers)
{
	while (issuers->count > 0)
		X509_free(issuers->at[--issuers->count].cert);
}

const struct issuer *
issuers_find(const struct issuers *issuers, X509 *cert)
{
	const struct issuer *issuer;
	size_t i;

	for (i = 0; i < issuers->count; i++) {
		issuer = &issuers->at[i];
		if (X509_check_issued(issuer->cert, cert) == X509_V_OK &&
		    X509_verify(cert, X509_get0_pubkey(issuer->cert)) == 1)
			return issuer;
	}
	return NULL;
}

bool
issuers_has(const struct issuers *issuers, const uint8_t id[ISSUER_ID_LEN])
{
	size_t i;

	for (i = 0; i < issuers->count; i++)
		if (memcmp(issuers->at[i].id, id, ISSUER_ID_LEN) == 0)
			return true;
	return false;
}
