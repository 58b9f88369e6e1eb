/* SPDX-License-Identifier: ISC */
/* MQTT packets (3.1.1 and 5.0), as far as the tests' clients speak it. */
#ifndef PAPPUS_TESTS_MQTT_PACKET_H
#define PAPPUS_TESTS_MQTT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum mqtt_type {
	MQTT_CONNACK = 2,
	MQTT_PUBLISH = 3,
	MQTT_PUBACK = 4,
	MQTT_SUBACK = 9,
	MQTT_DISCONNECT = 14
};

/* NULL: absent; those of 5.0 are left out in 3.1.1. */
struct mqtt_connect {
	bool v5;
	bool clean;
	uint32_t expiry_s; /* 5.0 */
	const char *client_id;
	const char *user;
	const char *auth_method; /* 5.0 */
	const char *will_topic;
	const char *will_text;
	uint32_t will_delay_s; /* 5.0 */
	bool will_retain;
};

void mqtt_put_connect(struct buf *out, const struct mqtt_connect *connect);
void mqtt_put_subscribe(
    struct buf *out, bool v5, uint16_t id, unsigned int qos, const char *topic);
void mqtt_put_publish(struct buf *out, bool v5, uint16_t id, unsigned int qos,
    bool retain, const char *topic, const char *text);
void mqtt_put_puback(struct buf *out, uint16_t id);
void mqtt_put_disconnect(struct buf *out);

struct mqtt_packet {
	enum mqtt_type type;
	size_t len;	   /* all of it */
	unsigned int code; /* of an answer; 5.0: its reason */
	bool present;	   /* CONNACK: there was a session */
	unsigned int qos;  /* PUBLISH, with what follows */
	uint16_t id;
	const char *topic;
	size_t topic_len;
	const char *text;
	size_t text_len;
};

/* The first whole packet of what came; false: there is none yet. */
bool mqtt_get(
    const uint8_t *data, size_t len, bool v5, struct mqtt_packet *out);

#endif
