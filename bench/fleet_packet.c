/* SPDX-License-Identifier: ISC */
/* MQTT 3.1.1 as far as bench-fleet speaks it. */
#include <string.h>

#include "fleet.h"

enum {
	CONNECT = 0x10,
	CONNACK = 0x20,
	PINGRESP = 0xd0,
	LEVEL = 4,
	CLEAN_SESSION = 0x02,
	CONNECT_FIXED = 12 /* what follows the length and isn't the client id */
};

size_t
fleet_packet_connect(
    uint8_t out[FLEET_PACKET_MAX], const char *client_id, uint16_t keepalive)
{
	static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'};
	size_t len = strlen(client_id), at = 0;

	/* So that one octet says the length, §2.2.3. */
	if (len > FLEET_PACKET_MAX - 2 - CONNECT_FIXED)
		len = FLEET_PACKET_MAX - 2 - CONNECT_FIXED;
	out[at++] = CONNECT;
	out[at++] = (uint8_t)(CONNECT_FIXED + len);
	memcpy(out + at, name, sizeof(name));
	at += sizeof(name);
	out[at++] = LEVEL;
	out[at++] = CLEAN_SESSION;
	out[at++] = (uint8_t)(keepalive >> 8);
	out[at++] = (uint8_t)keepalive;
	out[at++] = 0;
	out[at++] = (uint8_t)len;
	memcpy(out + at, client_id, len);
	return at + len;
}

enum fleet_answer
fleet_packet_read(const uint8_t *in, size_t len, size_t *used, int *code)
{
	if (len < 2)
		return FLEET_ANSWER_PART;
	if (in[0] == PINGRESP && in[1] == 0) {
		*used = 2;
		return FLEET_ANSWER_PINGRESP;
	}
	if (in[0] != CONNACK || in[1] != 2)
		return FLEET_ANSWER_STRANGE;
	if (len < 4)
		return FLEET_ANSWER_PART;
	*used = 4;
	*code = in[3];
	return FLEET_ANSWER_CONNACK;
}
