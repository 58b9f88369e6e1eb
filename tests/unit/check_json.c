/* SPDX-License-Identifier: ISC */
/* Tests of encoding/json.h. */
#include "encoding/json.h"

#include <limits.h>
#include <string.h>

#include "unit.h"

START_TEST(writes)
{
	struct buf out = BUF_INIT;

	json_begin(&out);
	json_str(&out, "a", "b");
	json_int(&out, "n", -7);
	json_str(&out, "none", NULL);
	json_str(&out, "brace", "{");
	json_int(&out, "max", INT64_MAX);
	json_end(&out);
	ck_assert_str_eq(buf_str(&out),
	    "{\"a\":\"b\",\"n\":-7,\"none\":null,\"brace\":\"{\","
	    "\"max\":9223372036854775807}");
	buf_reset(&out);
	json_begin(&out);
	json_end(&out);
	ck_assert_str_eq(buf_str(&out), "{}");
	buf_free(&out);
}
END_TEST

START_TEST(writes_escapes)
{
	struct buf out = BUF_INIT;

	json_begin(&out);
	json_str(&out, "a", "q\" b\\ n\n t\t x\x1f d\x7f ü水");
	ck_assert_str_eq(buf_str(&out),
	    "{\"a\":\"q\\\" b\\\\ n\\n t\\u0009 x\\u001f d\x7f ü水\"");
	buf_free(&out);
}
END_TEST

START_TEST(writes_behind_members_of_others)
{
	struct buf out = BUF_INIT;

	buf_add_str(&out, "{\"a\":1");
	json_str(&out, "b", "c");
	json_end(&out);
	ck_assert_str_eq(buf_str(&out), "{\"a\":1,\"b\":\"c\"}");
	buf_free(&out);
}
END_TEST

/* The object that all the tests below read. */
enum { NAME, REASON, FIELDS };

static const struct json_field empty[FIELDS] = {
    [NAME] = {"name", 1, 4, true, NULL},
    [REASON] = {"reason", 0, 4, false, NULL},
};

static void
taken(const char *text, const char *name, const char *reason)
{
	struct json_field fields[FIELDS];
	struct err err = {0};

	memcpy(fields, empty, sizeof(fields));
	ck_assert_msg(json_read((const uint8_t *)text, strlen(text), fields,
			  FIELDS, &err),
	    "%s: %s", text, err.detail);
	ck_assert_str_eq(fields[NAME].value, name);
	ck_assert_pstr_eq(fields[REASON].value, reason);
	json_fields_free(fields, FIELDS);
	ck_assert_ptr_null(fields[NAME].value);
}

static void
refused_bytes(const char *text, size_t len, enum err_code code, const char *why)
{
	struct json_field fields[FIELDS];
	struct err err = {0};

	memcpy(fields, empty, sizeof(fields));
	ck_assert_msg(
	    !json_read((const uint8_t *)text, len, fields, FIELDS, &err), "%s",
	    text);
	ck_assert_msg(err.code == code && strstr(err.detail, why) != NULL,
	    "%s: %s: %s", text, err_name(err.code), err.detail);
	ck_assert_ptr_null(fields[NAME].value);
	ck_assert_ptr_null(fields[REASON].value);
}

static void
refused(const char *text, enum err_code code, const char *why)
{
	refused_bytes(text, strlen(text), code, why);
}

START_TEST(reads)
{
	taken("{\"name\":\"a\"}", "a", NULL);
	taken("{\"reason\":\"\",\"name\":\"abcd\"}", "abcd", "");
	taken(" \t\r\n{ \"name\" : \"a\" , \"reason\" : \"b\" } \n", "a", "b");
	taken("{\"name\":\"水水水水\"}", "水水水水", NULL);
	taken("{\"\\u006eame\":\"\\u00fc\\\"\\\\\\/\"}", "ü\"\\/", NULL);
	taken("{\"name\":\"\\ud83c\\udf3c\"}", "\U0001f33c", NULL);
	taken("{\"name\":\"'{},\"}", "'{},", NULL);
	/* RFC 8259 §8.2 leaves half a pair open. */
	taken("{\"name\":\"\\ud83c\"}", "\ufffd", NULL);
}
END_TEST

START_TEST(refuses_what_is_no_object)
{
	static const char *const bad[] = {"", " ", "null", "\"name\"", "1",
	    "[]", "[\"name\",\"a\"]", "{", "{\"name\"",
	    "{\"name\":", "{\"name\":\"a", "{\"name\":\"a\"",
	    "{\"name\":\"a\",}", "{,\"name\":\"a\"}", "{\"name\":\"a\"}}",
	    "{\"name\":\"a\"} x", "{\"name\":\"a\"}{\"name\":\"a\"}",
	    "{\"name\" \"a\"}", "{name:\"a\"}", "{'name':\"a\"}",
	    "{\"name\":'a'}", "{\"name\":\"a\"}//", "/**/{\"name\":\"a\"}",
	    "{\"name\":\"a\";}", "{\"name\":\"\\x\"}", "{\"name\":\"\\u12\"}",
	    "\v{\"name\":\"a\"}", "{\"name\":\"a\"\f}",
	    "\xef\xbb\xbf{\"name\":\"a\"}", "{\"name\":tru}"};
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		refused(bad[i], ERR_MALFORMED, "not a JSON object");
	refused_bytes("{\"name\":\"a\"}\0", 13, ERR_MALFORMED, "not a JSON");
	refused_bytes("\0{\"name\":\"a\"}", 13, ERR_MALFORMED, "not a JSON");
	refused_bytes("{\"name\":\0\"a\"}", 13, ERR_MALFORMED, "not a JSON");
}
END_TEST

START_TEST(refuses_other_members)
{
	refused("{}", ERR_MALFORMED, "The member name is missing.");
	refused("{\"reason\":\"a\"}", ERR_MALFORMED, "name is missing");
	refused("{\"name\":1}", ERR_MALFORMED, "name must be a string");
	refused("{\"name\":null}", ERR_MALFORMED, "name must be a string");
	refused("{\"name\":true}", ERR_MALFORMED, "name must be a string");
	refused("{\"name\":NaN}", ERR_MALFORMED, "name must be a string");
	refused("{\"name\":{}}", ERR_MALFORMED, "name must be a string");
	refused("{\"name\":[]}", ERR_MALFORMED, "name must be a string");
	refused("{\"name\":[\"a\"]}", ERR_MALFORMED, "nested");
	refused("{\"name\":{\"name\":\"a\"}}", ERR_MALFORMED, "nested");
	refused("{\"name\":\"a\",\"Name\":\"b\"}", ERR_MALFORMED,
	    "unknown member \"Name\"");
	refused(
	    "{\"name\":\"a\",\"\":\"b\"}", ERR_MALFORMED, "unknown member:");
	refused("{\"name\":\"a\",\"x\\\"y\":\"b\"}", ERR_MALFORMED,
	    "unknown member:");
	refused(
	    "{\"name\":\"a\",\"ü\":\"b\"}", ERR_MALFORMED, "unknown member:");
	refused("{\"name\":\"a\",\"a\\nb\":\"b\"}", ERR_MALFORMED,
	    "unknown member:");
	refused("{\"12345678901234567890123456789012345678901\":\"b\"}",
	    ERR_MALFORMED, "unknown member:");
}
END_TEST

START_TEST(refuses_members_twice)
{
	refused("{\"name\":\"a\",\"name\":\"a\"}", ERR_DUPLICATE, "twice");
	refused(
	    "{\"name\":\"a\",\"\\u006eame\":\"b\"}", ERR_DUPLICATE, "twice");
	refused("{\"name\":1,\"name\":\"b\"}", ERR_DUPLICATE, "twice");
	refused("{\"name\":{},\"name\":\"b\"}", ERR_DUPLICATE, "twice");
	refused("{\"reason\":null,\"name\":\"b\",\"reason\":\"b\"}",
	    ERR_DUPLICATE, "twice");
}
END_TEST

START_TEST(refuses_values_out_of_bounds)
{
	refused("{\"name\":\"\"}", ERR_MALFORMED, "name is too short");
	refused("{\"name\":\"abcde\"}", ERR_TOO_LONG, "name is too long");
	refused("{\"name\":\"水水水水水\"}", ERR_TOO_LONG, "too long");
	refused("{\"name\":\"a\",\"reason\":\"abcde\"}", ERR_TOO_LONG,
	    "reason is too long");
	/* json-c counts in int; nothing of it is read. */
	refused_bytes("{", (size_t)INT_MAX + 1, ERR_TOO_LONG, "body");
}
END_TEST

START_TEST(refuses_what_is_no_text)
{
	refused("{\"name\":\"\xff\"}", ERR_ENCODING, "not UTF-8");
	refused("{\"name\":\"\xc3\"}", ERR_ENCODING, "");
	refused("{\"name\":\"\xed\xa0\x80\"}", ERR_ENCODING, "");
	refused("{\"name\":\"a\nb\"}", ERR_ENCODING, "control");
	refused("{\"name\":\"\\n\"}", ERR_ENCODING, "name is not plain");
	refused("{\"name\":\"\\u0085\"}", ERR_ENCODING, "name is not plain");
	refused("{\"name\":\"\\u0000\"}", ERR_ENCODING, "control");
	/* json-c would read this key as "name". */
	refused("{\"name\\u0000x\":\"a\"}", ERR_ENCODING, "control");
	refused_bytes("{\"name\0\":\"a\"}", 13, ERR_ENCODING, "control");
	/* An escaped backslash before it makes it harmless. */
	refused("{\"name\":\"\\\\u0000\"}", ERR_TOO_LONG, "name is too long");
}
END_TEST

START_TEST(refuses_depth_without_end)
{
	struct buf deep = BUF_INIT;
	int i;

	buf_add_str(&deep, "{\"name\":");
	for (i = 0; i < 100000; i++)
		buf_add_byte(&deep, '[');
	refused(buf_str(&deep), ERR_MALFORMED, "nested");
	buf_free(&deep);
}
END_TEST

UNIT_MAIN("json", writes, writes_escapes, writes_behind_members_of_others,
    reads, refuses_what_is_no_object, refuses_other_members,
    refuses_members_twice, refuses_values_out_of_bounds,
    refuses_what_is_no_text, refuses_depth_without_end)
