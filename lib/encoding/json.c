/* SPDX-License-Identifier: ISC */
/* Flat JSON objects: see json.h. */
#include "encoding/json.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "encoding/utf8.h"

/* An object, a list and the strings in it: json-c counts each as a level. */
enum { DEPTH = 3, NAMED_MAX = 40 };

void
json_begin(struct buf *out)
{
	buf_add_byte(out, '{');
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

/*
 * RFC 8259 §7: what must be escaped is quotes, backslashes and controls.
 * Line ends in the short form: there are devices that read an answer's PEM
 * with less than a JSON parser.
 */
static void
add_string(struct buf *out, const char *s)
{
	const char *plain;

	buf_add_byte(out, '"');
	for (; *s != '\0'; s++) {
		for (plain = s; is_plain((unsigned char)*s); s++)
			;
		buf_add(out, plain, (size_t)(s - plain));
		if (*s == '\0')
			break;
		if (*s == '"' || *s == '\\')
			buf_add_fmt(out, "\\%c", *s);
		else if (*s == '\n')
			buf_add(out, "\\n", 2);
		else
			buf_add_fmt(out, "\\u%04x", (unsigned int)*s);
	}
	buf_add_byte(out, '"');
}

static void
add_key(struct buf *out, const char *key)
{
	if (out->data[out->len - 1] != '{')
		buf_add_byte(out, ',');
	add_string(out, key);
	buf_add_byte(out, ':');
}

void
json_str(struct buf *out, const char *key, const char *value)
{
	add_key(out, key);
	if (value == NULL)
		buf_add_str(out, "null");
	else
		add_string(out, value);
}

void
json_int(struct buf *out, const char *key, int64_t value)
{
	add_key(out, key);
	buf_add_fmt(out, "%" PRId64, value);
}

void
json_end(struct buf *out)
{
	buf_add_byte(out, '}');
}

/*
 * Refuse what json-c takes even when it is strict: keys in single quotes,
 * white space that is C's but not JSON's, raw control characters in strings,
 * and \u0000, where it cuts a key short so that it looks like another; and
 * bytes outside of strings that it would blame on their encoding.  Counts the
 * strings on the way, keys included.
 */
static bool
scan(const uint8_t *data, size_t len, size_t *strings, struct err *err)
{
	static const char nul[] = "\\u0000";
	bool inside = false;
	size_t i;

	*strings = 0;
	for (i = 0; i < len; i++) {
		if (inside && (data[i] < 0x20 ||
				  (len - i >= strlen(nul) &&
				      memcmp(data + i, nul, strlen(nul)) == 0)))
			return err_set(err, ERR_ENCODING,
			    "The object has a string with control characters.");
		if (!inside &&
		    (data[i] >= 0x80 || memchr("'\v\f", data[i], 4) != NULL))
			return err_set(err, ERR_MALFORMED,
			    "The body is not a JSON object.");
		if (inside && data[i] == '\\') {
			i++;
		} else if (data[i] == '"') {
			inside = !inside;
			*strings += inside ? 1 : 0;
		}
	}
	return true;
}

static struct json_object *
parse(const uint8_t *data, size_t len, struct err *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	struct json_object *object;
	enum json_tokener_error why;

	if (tokener == NULL)
		abort();
	json_tokener_set_flags(
	    tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, (const char *)data, (int)len);
	why = json_tokener_get_error(tokener);
	if (why == json_tokener_error_parse_utf8_string)
		err_set(err, ERR_ENCODING, "The body is not UTF-8.");
	else if (why == json_tokener_error_depth)
		err_set(err, ERR_MALFORMED,
		    "The object is nested: its members must be plain.");
	else if (why != json_tokener_success ||
		 !json_object_is_type(object, json_type_object) ||
		 json_tokener_get_parse_end(tokener) != len)
		err_set(err, ERR_MALFORMED, "The body is not a JSON object.");
	else
		goto out;
	json_object_put(object);
	object = NULL;
out:
	json_tokener_free(tokener);
	return object;
}

/* An unknown name is repeated only when it can do no harm to who reads it. */
static bool
unknown(const char *key, struct err *err)
{
	size_t len = strlen(key);
	size_t i;

	for (i = 0; i < len; i++)
		if (key[i] <= 0x20 || key[i] > 0x7e || key[i] == '"')
			break;
	if (len == 0 || len > NAMED_MAX || i < len)
		return err_set(err, ERR_MALFORMED,
		    "The object has an unknown member: leave it out.");
	return err_set(err, ERR_MALFORMED,
	    "The object has an unknown member \"%s\": leave it out.", key);
}

static char *
copy(const char *text)
{
	char *mine = strdup(text);

	if (mine == NULL)
		abort();
	return mine;
}

static bool
take_text(struct json_object *value, const struct json_field *field, char **out,
    struct err *err)
{
	if (!json_object_is_type(value, json_type_string))
		return err_set(err, ERR_MALFORMED,
		    field->kind == JSON_STRINGS
			? "The member %s must be a list of strings."
			: "The member %s must be a string.",
		    field->key);
	if (!utf8_check_value("member", field->key,
		(const uint8_t *)json_object_get_string(value),
		(size_t)json_object_get_string_len(value), (size_t)field->min,
		(size_t)field->max, err))
		return false;
	*out = copy(json_object_get_string(value));
	return true;
}

static bool
take_number(
    struct json_object *value, struct json_field *field, struct err *err)
{
	/* A fraction is another type; what overflows is cut to the limit. */
	if (json_object_is_type(value, json_type_int))
		field->number = json_object_get_int64(value);
	if (!json_object_is_type(value, json_type_int) ||
	    field->number < field->min || field->number > field->max)
		return err_set(err, ERR_MALFORMED,
		    "The member %s must be a whole number from %" PRId64
		    " to %" PRId64 ".",
		    field->key, field->min, field->max);
	return true;
}

static bool
take_bool(struct json_object *value, struct json_field *field, struct err *err)
{
	if (!json_object_is_type(value, json_type_boolean))
		return err_set(err, ERR_MALFORMED,
		    "The member %s must be true or false.", field->key);
	field->number = json_object_get_boolean(value);
	return true;
}

static bool
take_list(struct json_object *value, struct json_field *field, size_t *strings,
    struct err *err)
{
	size_t i, len;

	if (!json_object_is_type(value, json_type_array) ||
	    (len = json_object_array_length(value)) == 0)
		return err_set(err, ERR_MALFORMED,
		    "The member %s must be a list of strings.", field->key);
	if (len > JSON_LIST_MAX)
		return err_set(err, ERR_TOO_LONG,
		    "The list %s has over %d members.", field->key,
		    JSON_LIST_MAX);
	field->list = calloc(len, sizeof(*field->list));
	if (field->list == NULL)
		abort();
	for (i = 0; i < len; i++) {
		if (!take_text(json_object_array_get_idx(value, i), field,
			&field->list[i], err))
			return false;
		field->list_len++;
	}
	*strings += len;
	return true;
}

/* Take one member; strings counts those that it was in the text. */
static bool
take(struct json_field *fields, size_t n, const char *key,
    struct json_object *value, size_t *strings, struct err *err)
{
	struct json_field *field;
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(fields[i].key, key) == 0)
			break;
	if (i == n)
		return unknown(key, err);
	field = &fields[i];
	field->given = true;
	*strings += 1;
	if (value == NULL && field->nullable) {
		field->is_null = true;
		return true;
	}
	switch (field->kind) {
	case JSON_STRING:
		*strings += 1;
		return take_text(value, field, &field->value, err);
	case JSON_NUMBER:
		return take_number(value, field, err);
	case JSON_BOOL:
		return take_bool(value, field, err);
	case JSON_STRINGS:
		return take_list(value, field, strings, err);
	}
	return false;
}

static bool
take_all(struct json_object *object, size_t strings, struct json_field *fields,
    size_t n, struct err *err)
{
	size_t kept = 0, i;

	json_object_object_foreach(object, key, value)
	{
		if (!take(fields, n, key, value, &kept, err))
			return false;
	}
	/*
	 * json-c keeps the last of several members of one name.  A member that
	 * it dropped was at least one more string in the text: its key.
	 */
	if (strings != kept)
		return err_set(err, ERR_DUPLICATE,
		    "The object has a member twice: give each once.");
	for (i = 0; i < n; i++)
		if (fields[i].required && !fields[i].given)
			return err_set(err, ERR_MALFORMED,
			    "The member %s is missing.", fields[i].key);
	return true;
}

static void
forget(struct json_field *field)
{
	field->value = NULL;
	field->list = NULL;
	field->list_len = 0;
	field->number = 0;
	field->given = field->is_null = false;
}

bool
json_read(const uint8_t *data, size_t len, struct json_field *fields, size_t n,
    struct err *err)
{
	struct json_object *object = NULL;
	bool ok = false;
	size_t i, strings;

	for (i = 0; i < n; i++)
		forget(&fields[i]);
	if (len > INT_MAX) {
		err_set(err, ERR_TOO_LONG, "The body is too long.");
		goto out;
	}
	if (!scan(data, len, &strings, err))
		goto out;
	object = parse(data, len, err);
	if (object == NULL)
		goto out;
	ok = take_all(object, strings, fields, n, err);
out:
	json_object_put(object);
	if (!ok)
		json_fields_free(fields, n);
	return ok;
}

void
json_fields_free(struct json_field *fields, size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		free(fields[i].value);
		for (j = 0; j < fields[i].list_len; j++)
			free(fields[i].list[j]);
		free(fields[i].list);
		forget(&fields[i]);
	}
}

static void
add_list(struct buf *out, const struct json_field *field)
{
	size_t i;

	for (i = 0; i < field->list_len; i++) {
		buf_add_byte(out, i == 0 ? '[' : ',');
		add_string(out, field->list[i]);
	}
	buf_add_byte(out, ']');
}

static void
add_field(struct buf *out, const struct json_field *field)
{
	if (field->is_null || field->kind == JSON_STRING) {
		json_str(out, field->key, field->value);
	} else if (field->kind == JSON_NUMBER) {
		json_int(out, field->key, field->number);
	} else {
		add_key(out, field->key);
		if (field->kind == JSON_STRINGS)
			add_list(out, field);
		else
			buf_add_str(out, field->number != 0 ? "true" : "false");
	}
}

void
json_fields(struct buf *out, const struct json_field *fields, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fields[i].given)
			add_field(out, &fields[i]);
}
