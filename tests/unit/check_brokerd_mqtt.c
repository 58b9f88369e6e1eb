/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_mqtt.h. */
#include "broker/brokerd_mqtt.h"

#include <string.h>

#include "unit.h"

START_TEST(connect_is_as_the_standard_has_it)
{
	static const uint8_t expected[] = {0x10, 0x0f, 0, 4, 'M', 'Q', 'T', 'T',
	    4, 2, 0x01, 0x2c, 0, 3, 'd', 'e', 'v'};
	struct buf out = BUF_INIT;

	ck_assert(mqtt_add_connect(&out, "dev", 300));
	ck_assert_uint_eq(out.len, sizeof(expected));
	ck_assert_mem_eq(out.data, expected, sizeof(expected));
	buf_free(&out);
}
END_TEST

/* MQTT 3.1.1 §2.2.3: at 128 octets the length takes two. */
START_TEST(long_client_ids)
{
	static char id[MQTT_CLIENT_ID_MAX + 2];
	struct buf out = BUF_INIT;

	memset(id, 'x', 115);
	ck_assert(mqtt_add_connect(&out, id, 1));
	ck_assert_uint_eq(out.len, 2 + 127);
	ck_assert_uint_eq(out.data[1], 127);
	buf_reset(&out);
	memset(id, 'x', 116);
	ck_assert(mqtt_add_connect(&out, id, 1));
	ck_assert_uint_eq(out.len, 3 + 128);
	ck_assert_uint_eq(out.data[1], 0x80);
	ck_assert_uint_eq(out.data[2], 0x01);
	buf_reset(&out);
	memset(id, 'x', MQTT_CLIENT_ID_MAX);
	ck_assert(mqtt_add_connect(&out, id, 1));
	ck_assert_uint_eq(out.len, 1 + 3 + 12 + MQTT_CLIENT_ID_MAX);
	id[MQTT_CLIENT_ID_MAX] = 'x';
	ck_assert(!mqtt_add_connect(&out, id, 1));
	buf_free(&out);
}
END_TEST

START_TEST(disconnect)
{
	struct buf out = BUF_INIT;

	mqtt_add_disconnect(&out);
	ck_assert_uint_eq(out.len, 2);
	ck_assert_mem_eq(out.data, "\xe0\0", 2);
	buf_free(&out);
}
END_TEST

START_TEST(answers)
{
	static const struct {
		const char *octets;
		size_t len;
		enum mqtt_answer answer;
		uint8_t code;
	} cases[] = {
	    {"", 0, MQTT_MORE, 99},
	    {"\x20", 1, MQTT_MORE, 99},
	    {"\x20\x02\x00", 3, MQTT_MORE, 99},
	    {"\x20\x02\x00\x00", 4, MQTT_ACCEPTED, 0},
	    {"\x20\x02\x00\x05", 4, MQTT_REFUSED, 5},
	    {"\x20\x02\x00\x01", 4, MQTT_REFUSED, 1},
	    {"\x20\x02\x00\x06", 4, MQTT_NONSENSE, 99},
	    /* a session, where a clean one was asked for */
	    {"\x20\x02\x01\x00", 4, MQTT_NONSENSE, 99},
	    {"\x20\x03\x00\x00", 4, MQTT_NONSENSE, 99},
	    {"\x30", 1, MQTT_NONSENSE, 99},
	    {"HTTP", 4, MQTT_NONSENSE, 99},
	};
	uint8_t code;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		code = 99;
		ck_assert_int_eq(
		    mqtt_read_connack(
			(const uint8_t *)cases[i].octets, cases[i].len, &code),
		    cases[i].answer);
		ck_assert_uint_eq(code, cases[i].code);
	}
}
END_TEST

UNIT_MAIN("brokerd_mqtt", connect_is_as_the_standard_has_it, long_client_ids,
    disconnect, answers)
