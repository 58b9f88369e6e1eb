/* SPDX-License-Identifier: ISC */
/* MQTT packets for the tests: see mqtt_packet.h. */
#include "mqtt_packet.h"

#include <string.h>

/* Properties of 5.0 */
enum { SESSION_EXPIRY = 0x11, AUTH_METHOD = 0x15, WILL_DELAY = 0x18 };

static void
put_u16(struct buf *out, unsigned int n)
{
	buf_add_byte(out, (uint8_t)(n >> 8));
	buf_add_byte(out, (uint8_t)n);
}

static void
put_u32(struct buf *out, uint32_t n)
{
	put_u16(out, n >> 16);
	put_u16(out, n & 0xffff);
}

static void
put_text(struct buf *out, const char *text)
{
	put_u16(out, (unsigned int)strlen(text));
	buf_add_str(out, text);
}

static void
put_varint(struct buf *out, size_t n)
{
	for (; n > 127; n >>= 7)
		buf_add_byte(out, (uint8_t)(n | 0x80));
	buf_add_byte(out, (uint8_t)n);
}

/* Header, length, body; the body is freed. */
static void
put_packet(struct buf *out, unsigned int first, struct buf *body)
{
	buf_add_byte(out, (uint8_t)first);
	put_varint(out, body->len);
	buf_add(out, body->data, body->len);
	buf_free(body);
}

/* Their length and they; freed. */
static void
put_properties(struct buf *out, struct buf *properties)
{
	put_varint(out, properties->len);
	buf_add(out, properties->data, properties->len);
	buf_free(properties);
}

static void
put_connect_properties(struct buf *out, const struct mqtt_connect *c)
{
	struct buf properties = BUF_INIT;

	if (c->expiry_s > 0) {
		buf_add_byte(&properties, SESSION_EXPIRY);
		put_u32(&properties, c->expiry_s);
	}
	if (c->auth_method != NULL) {
		buf_add_byte(&properties, AUTH_METHOD);
		put_text(&properties, c->auth_method);
	}
	put_properties(out, &properties);
}

static void
put_will(struct buf *out, const struct mqtt_connect *c)
{
	struct buf properties = BUF_INIT;

	if (c->v5) {
		if (c->will_delay_s > 0) {
			buf_add_byte(&properties, WILL_DELAY);
			put_u32(&properties, c->will_delay_s);
		}
		put_properties(out, &properties);
	}
	put_text(out, c->will_topic);
	put_text(out, c->will_text == NULL ? "" : c->will_text);
}

void
mqtt_put_connect(struct buf *out, const struct mqtt_connect *c)
{
	struct buf body = BUF_INIT;
	unsigned int flags = 0;

	flags |= c->clean ? 0x02 : 0;
	flags |= c->will_topic != NULL ? 0x04 : 0;
	flags |= c->will_topic != NULL && c->will_retain ? 0x20 : 0;
	flags |= c->user != NULL ? 0x80 : 0;
	put_text(&body, "MQTT");
	buf_add_byte(&body, c->v5 ? 5 : 4);
	buf_add_byte(&body, (uint8_t)flags);
	put_u16(&body, 0); /* no keep-alive */
	if (c->v5)
		put_connect_properties(&body, c);
	put_text(&body, c->client_id);
	if (c->will_topic != NULL)
		put_will(&body, c);
	if (c->user != NULL)
		put_text(&body, c->user);
	put_packet(out, 0x10, &body);
}

void
mqtt_put_subscribe(
    struct buf *out, bool v5, uint16_t id, unsigned int qos, const char *topic)
{
	struct buf body = BUF_INIT;

	put_u16(&body, id);
	if (v5)
		buf_add_byte(&body, 0);
	put_text(&body, topic);
	buf_add_byte(&body, (uint8_t)qos);
	put_packet(out, 0x82, &body);
}

void
mqtt_put_publish(struct buf *out, bool v5, uint16_t id, unsigned int qos,
    bool retain, const char *topic, const char *text)
{
	struct buf body = BUF_INIT;

	put_text(&body, topic);
	if (qos > 0)
		put_u16(&body, id);
	if (v5)
		buf_add_byte(&body, 0);
	buf_add_str(&body, text);
	put_packet(out, 0x30 | qos << 1 | (retain ? 1 : 0), &body);
}

void
mqtt_put_puback(struct buf *out, uint16_t id)
{
	struct buf body = BUF_INIT;

	put_u16(&body, id);
	put_packet(out, 0x40, &body);
}

void
mqtt_put_disconnect(struct buf *out)
{
	struct buf body = BUF_INIT;

	put_packet(out, 0xe0, &body);
}

/* A variable length; how many octets it takes, 0: it is not all there. */
static size_t
get_varint(const uint8_t *data, size_t len, size_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < len && i < 4; i++) {
		*out |= (size_t)(data[i] & 0x7f) << (7 * i);
		if ((data[i] & 0x80) == 0)
			return i + 1;
	}
	return 0;
}

static void
get_publish(const uint8_t *body, size_t len, bool v5, struct mqtt_packet *out)
{
	size_t at = 2, skip;

	out->topic = (const char *)body + 2;
	out->topic_len = (size_t)body[0] << 8 | body[1];
	at += out->topic_len;
	if (out->qos > 0) {
		out->id = (uint16_t)(body[at] << 8 | body[at + 1]);
		at += 2;
	}
	if (v5) {
		at += get_varint(body + at, len - at, &skip);
		at += skip;
	}
	out->text = (const char *)body + at;
	out->text_len = len - at;
}

/* The broker is trusted to send what is well formed: it isn't under test. */
static void
get_body(const uint8_t *body, size_t len, bool v5, struct mqtt_packet *out)
{
	switch (out->type) {
	case MQTT_CONNACK:
		out->present = (body[0] & 1) != 0;
		out->code = body[1];
		break;
	case MQTT_PUBLISH:
		get_publish(body, len, v5, out);
		break;
	case MQTT_PUBACK:
		out->code = len > 2 ? body[2] : 0;
		break;
	case MQTT_SUBACK:
		out->code = body[len - 1];
		break;
	case MQTT_DISCONNECT:
		out->code = len > 0 ? body[0] : 0;
		break;
	}
}

bool
mqtt_get(const uint8_t *data, size_t len, bool v5, struct mqtt_packet *out)
{
	size_t header, body;

	if (len < 2)
		return false;
	header = get_varint(data + 1, len - 1, &body);
	if (header == 0 || len - 1 - header < body)
		return false;
	*out = (struct mqtt_packet){.type = (enum mqtt_type)(data[0] >> 4),
	    .len = 1 + header + body,
	    .qos = data[0] >> 1 & 3};
	get_body(data + 1 + header, body, v5, out);
	return true;
}
