/* SPDX-License-Identifier: ISC */
/* The CAs that the database knows, for commands that are given lists of them.
 */
#ifndef PAPPUS_TOOLS_REGISTERED_H
#define PAPPUS_TOOLS_REGISTERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/cert.h"
#include "cert/profile.h"
#include "world/db.h"

struct registered {
	int64_t id;
	int64_t parent_id; /* 0: a root */
	enum purpose purpose;
	bool revoked; /* by its root */
	X509 *cert;
	uint8_t ski[CERT_KEY_ID_LEN];
	char *crl_url;
	bool has_crl;
	uint64_t crl_number; /* the last that was recorded */
	struct buf crl;	     /* the same in DER, of a root */
};

struct registered_list {
	struct registered *cas;
	size_t n;
};

/* Ask the database for all; for registered_free, also when it failed. */
bool registered_load(
    struct db *db, struct registered_list *list, struct err *err);
void registered_free(struct registered_list *list);

/* The one with that subjectKeyIdentifier, or NULL. */
const struct registered *registered_find(
    const struct registered_list *list, const uint8_t *ski, size_t len);

/* Its common name, as far as it fits in 80 octets with the NUL. */
void registered_name(const struct registered *ca, char out[80]);

#endif
