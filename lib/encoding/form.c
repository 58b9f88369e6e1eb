/* SPDX-License-Identifier: ISC */
/* Forms, what both encodings have in common: see form.h. */
#include "encoding/form.h"

#include <stdlib.h>
#include <string.h>

#include "encoding/form_internal.h"
#include "encoding/mime.h"
#include "encoding/utf8.h"

struct form_field *
form_find(struct form_reader *r, const struct buf *name)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strlen(r->fields[i].name) == name->len &&
		    memcmp(r->fields[i].name, name->data, name->len) == 0)
			return &r->fields[i];
	return NULL;
}

bool
form_check_name(struct form_reader *r, const struct buf *name)
{
	if (name->len == 0)
		return err_set(r->err, ERR_MALFORMED,
		    "The form has a field without a name.");
	if (!utf8_valid_text(name->data, name->len, NULL))
		return err_set(r->err, ERR_ENCODING,
		    "The form has a field whose name is not plain text: send "
		    "UTF-8 without control characters.");
	return true;
}

static bool
keep(struct form_reader *r, struct form_field *field, const uint8_t *value,
    size_t len)
{
	uint64_t bit = UINT64_C(1) << (field - r->fields);

	if ((r->seen & bit) != 0)
		return err_set(r->err, ERR_DUPLICATE,
		    "The field %s is there twice: send it once.", field->name);
	r->seen |= bit;
	if (!utf8_check_value("field", field->name, value, len,
		field->min_chars, field->max_chars, r->err))
		return false;
	if (len == 0 && field->min_chars == 0)
		return true;
	field->value = strndup((const char *)value, len);
	if (field->value == NULL)
		abort();
	return true;
}

/* The names are ours to give, not the caller's to have repeated. */
static bool
unknown(struct form_reader *r)
{
	struct buf names = BUF_INIT;
	size_t i;

	for (i = 0; i < r->n; i++)
		buf_add_fmt(
		    &names, "%s%s", i == 0 ? "" : ", ", r->fields[i].name);
	err_set(r->err, ERR_MALFORMED, "The query takes only: %s.",
	    buf_str(&names));
	buf_free(&names);
	return false;
}

bool
form_take(struct form_reader *r, const struct buf *name, const uint8_t *value,
    size_t len)
{
	struct form_field *field;

	if (!form_check_name(r, name))
		return false;
	field = form_find(r, name);
	if (field != NULL)
		return keep(r, field, value, len);
	if (r->strict)
		return unknown(r);
	if (!utf8_valid_text(value, len, NULL))
		return err_set(r->err, ERR_ENCODING,
		    "The form has a field that is not plain text: send UTF-8 "
		    "without control characters.");
	return true;
}

/*
 * Read the parameters of the body's type: the charset is checked, the boundary
 * kept (it stays empty when there is none).
 */
static bool
read_params(struct form_reader *r, struct mime *type, struct buf *boundary)
{
	enum mime_step step;

	while ((step = mime_next(type)) == MIME_PARAM) {
		if (mime_name_is(type, "charset") && !mime_value_is_utf8(type))
			return err_set(r->err, ERR_UNSUPPORTED,
			    "The form's charset is not taken: send UTF-8.");
		if (!mime_name_is(type, "boundary"))
			continue;
		if (boundary->len > 0)
			return err_set(r->err, ERR_MALFORMED,
			    "The Content-Type names two boundaries.");
		buf_add(boundary, type->value.data, type->value.len);
	}
	if (step == MIME_MALFORMED)
		return err_set(r->err, ERR_MALFORMED,
		    "The Content-Type has a parameter that can't be read.");
	return true;
}

static bool
read_body(struct form_reader *r, struct mime *type, struct buf *boundary,
    const uint8_t *body, size_t len)
{
	if (mime_word_is(type, "application/x-www-form-urlencoded"))
		return read_params(r, type, boundary) &&
		       form_read_urlencoded(r, body, len);
	if (mime_word_is(type, "multipart/form-data"))
		return read_params(r, type, boundary) &&
		       form_read_multipart(r, boundary, body, len);
	return err_set(r->err, ERR_UNSUPPORTED,
	    "The body is of a type that is not taken: send "
	    "application/x-www-form-urlencoded or multipart/form-data.");
}

bool
form_parse(const char *content_type, const uint8_t *body, size_t len,
    struct form_field *fields, size_t n, struct err *err)
{
	struct form_reader r = {.fields = fields, .n = n, .err = err};
	struct buf boundary = BUF_INIT;
	struct mime type;
	size_t i;
	bool ok;

	if (n > FORM_FIELDS_MAX)
		abort();
	for (i = 0; i < n; i++)
		fields[i].value = NULL;
	if (len == 0)
		return true;
	if (content_type == NULL)
		content_type = "";
	mime_begin(&type, content_type, strlen(content_type));
	ok = read_body(&r, &type, &boundary, body, len);
	mime_free(&type);
	buf_free(&boundary);
	if (!ok)
		form_fields_free(fields, n);
	return ok;
}

bool
form_parse_query(
    const char *query, struct form_field *fields, size_t n, struct err *err)
{
	struct form_reader r = {
	    .fields = fields, .n = n, .strict = true, .err = err};
	size_t i;

	if (n > FORM_FIELDS_MAX)
		abort();
	for (i = 0; i < n; i++)
		fields[i].value = NULL;
	if (query == NULL ||
	    form_read_urlencoded(&r, (const uint8_t *)query, strlen(query)))
		return true;
	form_fields_free(fields, n);
	return false;
}

void
form_fields_free(struct form_field *fields, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(fields[i].value);
		fields[i].value = NULL;
	}
}
