/* SPDX-License-Identifier: ISC */
/*
 * One connection to the broker as a device makes it: TLS with the device's
 * certificate, then MQTT's CONNECT under its id.
 */
#ifndef PAPPUS_BROKERD_CLIENT_H
#define PAPPUS_BROKERD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/brokerd_status.h"

struct client_target {
	const char *host; /* its name or address, which its certificate has */
	const char *port;
	const char *ca_file; /* PEM of the roots that vouch for it */
	int64_t timeout_us;  /* for all of it */
};

/*
 * Whether prefix.crt and prefix.key are a device's, with one CN, and the key
 * is closed to others.  ERR_CONFIG.
 */
bool client_check(const char *prefix, struct err *err);

/*
 * Connect with them and leave again.  CANARY_ACCEPTED: CONNACK with code 0.
 * CANARY_REFUSED: the broker answered otherwise, or ended the connection once
 * it had seen the certificate.  CANARY_FAILED: it didn't come so far.  *err
 * says why it is not CANARY_ACCEPTED.
 */
enum canary_result client_try(
    const struct client_target *target, const char *prefix, struct err *err);

#endif
