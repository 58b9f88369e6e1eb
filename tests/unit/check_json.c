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
    [NAME] = {.key = "name", .min = 1, .max = 4, .required = true},
    [REASON] = {.key = "reason", .max = 4},
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
	refused("{\"name\":[\"a\"]}", ERR_MALFORMED, "must be a string");
	refused(
	    "{\"name\":{\"name\":\"a\"}}", ERR_MALFORMED, "must be a string");
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

/* An object of every kind of member. */
enum { COUNTER, LIMIT, RANGES, NOTE, OPEN, KINDS };

static const struct json_field kinds[KINDS] = {
    [COUNTER] = {.key = "n", .kind = JSON_NUMBER, .min = -2, .max = 99},
    [LIMIT] = {.key = "limit", .kind = JSON_NUMBER, .max = 9, .nullable = true},
    [RANGES] = {.key = "in", .kind = JSON_STRINGS, .min = 1, .max = 4},
    [NOTE] = {.key = "note", .max = 4},
    [OPEN] = {.key = "open", .kind = JSON_BOOL},
};

START_TEST(test_reads_and_writes_every_kind)
{
	static const struct {
		const char *text;
		const char *written; /* NULL: the same */
	} rows[] = {
	    {"{\"n\":-2}", NULL},
	    {"{\"n\":99,\"limit\":0}", NULL},
	    {"{\"limit\":null}", NULL},
	    {"{\"in\":[\"a\",\"bcde\"],\"note\":\"x\"}", NULL},
	    {" { \"note\" : \"\\u00fc\" , \"n\" : 1 } ",
		"{\"n\":1,\"note\":\"ü\"}"},
	    {"{\"open\":true}", NULL},
	    {"{\"note\":\"x\",\"open\":false}", NULL},
	    {"{}", NULL},
	};
	struct json_field fields[KINDS];
	struct buf out = BUF_INIT;
	struct err err = {0};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		memcpy(fields, kinds, sizeof(fields));
		ck_assert_msg(json_read((const uint8_t *)rows[i].text,
				  strlen(rows[i].text), fields, KINDS, &err),
		    "%s: %s", rows[i].text, err.detail);
		buf_reset(&out);
		json_begin(&out);
		json_fields(&out, fields, KINDS);
		json_end(&out);
		ck_assert_str_eq(buf_str(&out),
		    rows[i].written == NULL ? rows[i].text : rows[i].written);
		json_fields_free(fields, KINDS);
	}
	buf_free(&out);
}
END_TEST

START_TEST(test_refuses_what_is_of_another_kind)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *why;
	} rows[] = {
	    {"{\"n\":-3}", ERR_MALFORMED, "from -2 to 99"},
	    {"{\"n\":100}", ERR_MALFORMED, "n must be a whole number"},
	    {"{\"n\":99999999999999999999}", ERR_MALFORMED, "whole number"},
	    {"{\"n\":1.0}", ERR_MALFORMED, "whole number"},
	    {"{\"n\":\"1\"}", ERR_MALFORMED, "whole number"},
	    {"{\"n\":null}", ERR_MALFORMED, "whole number"},
	    {"{\"n\":true}", ERR_MALFORMED, "whole number"},
	    {"{\"n\":1,\"n\":1}", ERR_DUPLICATE, "twice"},
	    {"{\"limit\":null,\"limit\":1}", ERR_DUPLICATE, "twice"},
	    {"{\"in\":[]}", ERR_MALFORMED, "in must be a list of strings"},
	    {"{\"in\":\"a\"}", ERR_MALFORMED, "list of strings"},
	    {"{\"in\":[1]}", ERR_MALFORMED, "list of strings"},
	    {"{\"in\":[\"a\",null]}", ERR_MALFORMED, "list of strings"},
	    {"{\"in\":[[\"a\"]]}", ERR_MALFORMED, "nested"},
	    {"{\"in\":[\"\"]}", ERR_MALFORMED, "in"},
	    {"{\"in\":[\"abcde\"]}", ERR_TOO_LONG, "in"},
	    {"{\"in\":[\"a\"],\"in\":[\"a\"]}", ERR_DUPLICATE, "twice"},
	    {"{\"note\":{}}", ERR_MALFORMED, "note must be a string"},
	    {"{\"open\":1}", ERR_MALFORMED, "open must be true or false"},
	    {"{\"open\":\"true\"}", ERR_MALFORMED, "true or false"},
	    {"{\"open\":null}", ERR_MALFORMED, "true or false"},
	    {"{\"open\":TRUE}", ERR_MALFORMED, "not a JSON object"},
	};
	struct json_field fields[KINDS];
	struct err err;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		memcpy(fields, kinds, sizeof(fields));
		memset(&err, 0, sizeof(err));
		ck_assert_msg(!json_read((const uint8_t *)rows[i].text,
				  strlen(rows[i].text), fields, KINDS, &err),
		    "%s", rows[i].text);
		ck_assert_msg(err.code == rows[i].code &&
				  strstr(err.detail, rows[i].why) != NULL,
		    "%s: %s: %s", rows[i].text, err_name(err.code), err.detail);
	}
}
END_TEST

START_TEST(test_a_list_has_a_limit)
{
	struct json_field fields[KINDS];
	struct buf text = BUF_INIT;
	struct err err = {0};
	size_t i;

	buf_add_str(&text, "{\"in\":[\"a\"");
	for (i = 1; i < JSON_LIST_MAX; i++)
		buf_add_str(&text, ",\"a\"");
	memcpy(fields, kinds, sizeof(fields));
	buf_add_str(&text, "]}");
	ck_assert(json_read(text.data, text.len, fields, KINDS, &err));
	ck_assert_uint_eq(fields[RANGES].list_len, JSON_LIST_MAX);
	json_fields_free(fields, KINDS);
	text.len -= 2;
	buf_add_str(&text, ",\"a\"]}");
	ck_assert(!json_read(text.data, text.len, fields, KINDS, &err));
	ck_assert_int_eq(err.code, ERR_TOO_LONG);
	buf_free(&text);
}
END_TEST

UNIT_MAIN("json", test_reads_and_writes_every_kind,
    test_refuses_what_is_of_another_kind, test_a_list_has_a_limit, writes,
    writes_escapes, writes_behind_members_of_others, reads,
    refuses_what_is_no_object, refuses_other_members, refuses_members_twice,
    refuses_values_out_of_bounds, refuses_what_is_no_text,
    refuses_depth_without_end)
