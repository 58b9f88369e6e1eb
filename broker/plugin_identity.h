/* SPDX-License-Identifier: ISC */
/*
 * Who a client of the broker is, by its certificate alone: a device (dev_…) of
 * a device CA or a service (svc_…) of a service CA.  And which client ids are
 * whose: in MQTT whoever connects under a client id throws out the session
 * that had it, so a name opens its own client ids and no others.
 */
#ifndef PAPPUS_BROKER_PLUGIN_IDENTITY_H
#define PAPPUS_BROKER_PLUGIN_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "broker/plugin_issuers.h"
#include "encoding/denylist.h"

enum {
	IDENTITY_PREFIX_LEN = 4, /* dev_ or svc_ */
	IDENTITY_NAME_LEN = IDENTITY_PREFIX_LEN + DENYLIST_DEVICE_LEN
};

struct identity {
	char name[IDENTITY_NAME_LEN + 1];
	uint8_t serial[DENYLIST_SERIAL_LEN]; /* big-endian, zeros in front */
	uint8_t issuer[ISSUER_ID_LEN];
};

/*
 * Read a client's certificate: signed by one of the issuers, valid at now
 * (unix seconds), a positive serial of at most 20 octets, exactly one CN, and
 * that a name of the kind that its issuer issues.  ERR_REFUSED says what is
 * wrong.  Nothing is taken for granted that the TLS handshake has looked at:
 * a resumed session had none.
 */
bool identity_read(X509 *cert, const struct issuers *issuers, int64_t now,
    struct identity *out, struct err *err);

/* Whether it is a device's: dev_ and a ULID. */
bool identity_is_device(const char name[IDENTITY_NAME_LEN + 1]);

/*
 * Whether a client id belongs to a name: is it, or begins with it and goes on
 * with what no name has (none of 0-9, a-z, _).
 */
bool identity_owns(
    const char name[IDENTITY_NAME_LEN + 1], const char *client_id);

/* The name that a client id belongs to; false: to none. */
bool identity_of_client_id(
    const char *client_id, char name[IDENTITY_NAME_LEN + 1]);

#endif
