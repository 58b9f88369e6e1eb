/* SPDX-License-Identifier: ISC */
/* Three packets of MQTT 3.1.1: see brokerd_mqtt.h. */
#include "broker/brokerd_mqtt.h"

#include <string.h>

enum {
	PACKET_CONNECT = 0x10,
	PACKET_CONNACK = 0x20,
	PACKET_DISCONNECT = 0xe0,
	LEVEL = 4, /* §3.1.2.2: 3.1.1 */
	CLEAN_SESSION = 0x02,
	VARIABLE_HEADER_LEN = 10,
	CODE_MAX = 5
};

/* §2.2.3: seven bits an octet, the least significant first. */
static void
add_remaining_length(struct buf *out, size_t len)
{
	uint8_t octet;

	do {
		octet = len & 0x7f;
		len >>= 7;
		buf_add_byte(out, len > 0 ? octet | 0x80 : octet);
	} while (len > 0);
}

static void
add_u16(struct buf *out, size_t value)
{
	buf_add_byte(out, (uint8_t)(value >> 8));
	buf_add_byte(out, (uint8_t)(value & 0xff));
}

/* §1.5.3 */
static void
add_string(struct buf *out, const char *s)
{
	add_u16(out, strlen(s));
	buf_add_str(out, s);
}

bool
mqtt_add_connect(struct buf *out, const char *client_id, uint16_t keep_alive_s)
{
	size_t len = strlen(client_id);

	if (len > MQTT_CLIENT_ID_MAX)
		return false;
	buf_add_byte(out, PACKET_CONNECT);
	add_remaining_length(out, VARIABLE_HEADER_LEN + 2 + len);
	add_string(out, "MQTT");
	buf_add_byte(out, LEVEL);
	buf_add_byte(out, CLEAN_SESSION);
	add_u16(out, keep_alive_s);
	add_string(out, client_id);
	return true;
}

void
mqtt_add_disconnect(struct buf *out)
{
	buf_add_byte(out, PACKET_DISCONNECT);
	buf_add_byte(out, 0);
}

enum mqtt_answer
mqtt_read_connack(const uint8_t *data, size_t len, uint8_t *code)
{
	if ((len > 0 && data[0] != PACKET_CONNACK) ||
	    (len > 1 && data[1] != MQTT_CONNACK_LEN - 2))
		return MQTT_NONSENSE;
	if (len < MQTT_CONNACK_LEN)
		return MQTT_MORE;
	/* §3.2.2.1: one flag; none of a session that should be clean. */
	if (data[2] != 0 || data[3] > CODE_MAX)
		return MQTT_NONSENSE;
	*code = data[3];
	return data[3] == 0 ? MQTT_ACCEPTED : MQTT_REFUSED;
}
