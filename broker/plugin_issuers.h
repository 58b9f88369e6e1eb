/* SPDX-License-Identifier: ISC */
/*
 * The CAs whose clients the broker takes, as the feed names them: those for
 * devices and those for services.  What is below the same root but not among
 * them is foreign, whatever chain a client sends along.
 */
#ifndef PAPPUS_BROKER_PLUGIN_ISSUERS_H
#define PAPPUS_BROKER_PLUGIN_ISSUERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "encoding/denylist.h"

enum { ISSUER_ID_LEN = 32 };

struct issuer {
	enum denylist_purpose purpose; /* DENYLIST_DEVICE, DENYLIST_SERVICE */
	uint8_t id[ISSUER_ID_LEN];     /* SHA-256 of its certificate */
	X509 *cert;
};

struct issuers {
	struct issuer at[DENYLIST_ISSUERS_MAX];
	size_t count;
};

/*
 * Take those of the two purposes from a deny-list's file.  ERR_MALFORMED when
 * one is no certificate.  End with issuers_free, also when it failed.
 */
bool issuers_read(
    const struct denylist_file *file, struct issuers *out, struct err *err);

void issuers_free(struct issuers *issuers);

/*
 * Whose certificate it is: the name and the key identifier are looked at, then
 * the signature is verified (RFC 5280 §6.1.3 (a)(1) and (4)).  NULL: nobody's.
 */
const struct issuer *issuers_find(const struct issuers *issuers, X509 *cert);

/* Whether the CA of that id is (still) among them. */
bool issuers_has(
    const struct issuers *issuers, const uint8_t id[ISSUER_ID_LEN]);

#endif
