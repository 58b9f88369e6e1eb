/* SPDX-License-Identifier: ISC */
/* As much of MQTT 3.1.1 as a canary needs: CONNECT, CONNACK, DISCONNECT. */
#ifndef PAPPUS_BROKERD_MQTT_H
#define PAPPUS_BROKERD_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { MQTT_CONNACK_LEN = 4, MQTT_CLIENT_ID_MAX = 65535 };

/*
 * Append a CONNECT (MQTT 3.1.1 §3.1): clean session, no will, no user name.
 * False when the client id is longer than the packet can say.
 */
bool mqtt_add_connect(
    struct buf *out, const char *client_id, uint16_t keep_alive_s);

/* Append a DISCONNECT (§3.14). */
void mqtt_add_disconnect(struct buf *out);

enum mqtt_answer {
	MQTT_MORE,     /* not all of it is there */
	MQTT_ACCEPTED, /* return code 0 */
	MQTT_REFUSED,  /* 1 to 5 (§3.2.2.3) */
	MQTT_NONSENSE  /* no CONNACK */
};

/* Read what a broker answered to a CONNECT; *code when accepted or refused. */
enum mqtt_answer mqtt_read_connack(
    const uint8_t *data, size_t len, uint8_t *code);

#endif
