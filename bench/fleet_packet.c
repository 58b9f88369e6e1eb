/* SPDX-License-Identifier: ISC */
/* MQTT 3.1.1 as far as bench-fleet speaks it, which is a canary's and pings. */
#include <string.h>

#include "broker/brokerd_mqtt.h"
#include "fleet.h"

enum { PINGRESP = 0xd0, PINGRESP_LEN = 2 };

size_t
fleet_packet_connect(
    uint8_t out[FLEET_PACKET_MAX], const char *client_id, uint16_t keepalive)
{
	struct buf packet = BUF_INIT;
	size_t len = 0;

	if (mqtt_add_connect(&packet, client_id, keepalive) &&
	    packet.len <= FLEET_PACKET_MAX) {
		len = packet.len;
		memcpy(out, packet.data, len);
	}
	buf_free(&packet);
	return len;
}

enum fleet_answer
fleet_packet_read(const uint8_t *in, size_t len, size_t *used, int *code)
{
	uint8_t returned = 0;

	if (len >= PINGRESP_LEN && in[0] == PINGRESP && in[1] == 0) {
		*used = PINGRESP_LEN;
		return FLEET_ANSWER_PINGRESP;
	}
	if (len > 0 && len < PINGRESP_LEN)
		return FLEET_ANSWER_PART;
	switch (mqtt_read_connack(in, len, &returned)) {
	case MQTT_MORE:
		return FLEET_ANSWER_PART;
	case MQTT_ACCEPTED:
	case MQTT_REFUSED:
		*used = MQTT_CONNACK_LEN;
		*code = returned;
		return FLEET_ANSWER_CONNACK;
	case MQTT_NONSENSE:
		break;
	}
	return FLEET_ANSWER_STRANGE;
}
