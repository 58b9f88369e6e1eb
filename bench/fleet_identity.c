/* SPDX-License-Identifier: ISC */
/* What bench-fleet's devices come with: certificates, keys, TLS. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "fleet.h"

static void
add(struct fleet *fleet, X509 *certificate, EVP_PKEY *key)
{
	struct fleet_identity *identity;

	/* By powers of two. */
	if ((fleet->count & (fleet->count - 1)) == 0) {
		fleet->identities = reallocarray(fleet->identities,
		    fleet->count == 0 ? 1 : 2 * fleet->count,
		    sizeof(*fleet->identities));
		if (fleet->identities == NULL)
			abort();
	}
	identity = &fleet->identities[fleet->count++];
	identity->certificate = certificate;
	identity->key = key;
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
	    NID_commonName, identity->id, sizeof(identity->id));
}

bool
fleet_read_identities(const char *path, struct fleet *fleet, struct err *err)
{
	FILE *in = fopen(path, "r");
	X509 *certificate;
	EVP_PKEY *key;
	bool ok = true;

	if (in == NULL)
		return err_set_errno(err, "cannot open %s", path);
	while (ok && (certificate = PEM_read_X509(in, NULL, NULL, NULL))) {
		key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
		ok = key != NULL && X509_check_private_key(certificate, key);
		if (ok)
			add(fleet, certificate, key);
	}
	fclose(in);
	/* The end of the file, as OpenSSL sees it. */
	ERR_clear_error();
	if (!ok)
		return err_set(err, ERR_MALFORMED,
		    "%s: certificate %zu is not followed by its key", path,
		    fleet->count + 1);
	if (fleet->count == 0)
		return err_set(err, ERR_MALFORMED, "%s: no certificate", path);
	return true;
}

bool
fleet_tls(struct fleet *fleet, const char *ca_file, struct err *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL)
		abort();
	if (SSL_CTX_load_verify_file(tls, ca_file) != 1) {
		SSL_CTX_free(tls);
		return err_set(
		    err, ERR_CRYPTO, "no CA certificates in %s", ca_file);
	}
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	/* Each connection is a full handshake. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Ten thousand that are silent shall fit. */
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	fleet->tls = tls;
	return true;
}
