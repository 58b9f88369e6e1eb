/* SPDX-License-Identifier: ISC */
/*
 * multipart/form-data (RFC 7578): the body is cut at the boundary (RFC 2046
 * §5.1.1), each part is headers, an empty line and a field's value.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "encoding/form_internal.h"
#include "encoding/mime.h"
#include "encoding/utf8.h"

enum { BOUNDARY_MAX = 70 }; /* RFC 2046 §5.1.1 */

/* A stretch of the body that is still to be read. */
struct span {
	const uint8_t *at;
	size_t len;
};

/* What the headers of a part said. */
struct part {
	struct buf name;
	bool disposed; /* there was a Content-Disposition */
	bool named;
	bool file;
	bool foreign; /* in a charset that is not UTF-8 */
};

static void
skip(struct span *s, size_t len)
{
	s->at += len;
	s->len -= len;
}

static bool
skip_text(struct span *s, const char *text, size_t len)
{
	if (s->len < len || memcmp(s->at, text, len) != 0)
		return false;
	skip(s, len);
	return true;
}

static bool
skip_crlf(struct span *s)
{
	return skip_text(s, "\r\n", 2);
}

static bool
boundary_valid(const struct buf *b)
{
	static const char marks[] = "'()+_,-./:=? ";
	size_t i;

	if (b->len == 0 || b->len > BOUNDARY_MAX || b->data[b->len - 1] == ' ')
		return false;
	for (i = 0; i < b->len; i++)
		if (b->data[i] >= 0x80 ||
		    (!isalnum(b->data[i]) &&
			memchr(marks, b->data[i], sizeof(marks) - 1) == NULL))
			return false;
	return true;
}

static bool
read_disposition(struct form_reader *r, struct part *part, struct mime *m)
{
	enum mime_step step;

	if (part->disposed || !mime_word_is(m, "form-data"))
		return err_set(r->err, ERR_MALFORMED,
		    "A part of the form must have one Content-Disposition, "
		    "which is form-data.");
	part->disposed = true;
	while ((step = mime_next(m)) == MIME_PARAM) {
		if (mime_name_is(m, "filename") || mime_name_is(m, "filename*"))
			part->file = true;
		if (!mime_name_is(m, "name"))
			continue;
		if (part->named)
			return err_set(r->err, ERR_MALFORMED,
			    "A part of the form has two names.");
		part->named = true;
		buf_add(&part->name, m->value.data, m->value.len);
	}
	if (step == MIME_MALFORMED)
		return err_set(r->err, ERR_MALFORMED,
		    "A part of the form has a Content-Disposition that can't "
		    "be read.");
	return true;
}

/* RFC 7578 §4.3: several files are several parts, not a nested multipart. */
static bool
read_type(struct form_reader *r, struct part *part, struct mime *m)
{
	enum mime_step step;

	if (mime_word_begins(m, "multipart/"))
		return err_set(r->err, ERR_MALFORMED,
		    "A part of the form is multipart itself: send each field "
		    "as a part of its own.");
	while ((step = mime_next(m)) == MIME_PARAM)
		if (mime_name_is(m, "charset") && !mime_value_is_utf8(m))
			part->foreign = true;
	if (step == MIME_MALFORMED)
		return err_set(r->err, ERR_MALFORMED,
		    "A part of the form has a Content-Type that can't be "
		    "read.");
	return true;
}

/* RFC 7578 §4.7 deprecates it; what leaves the bytes alone does no harm. */
static bool
read_transfer_encoding(struct form_reader *r, struct part *part, struct mime *m)
{
	(void)part;
	if (!mime_word_is(m, "7bit") && !mime_word_is(m, "8bit") &&
	    !mime_word_is(m, "binary"))
		return err_set(r->err, ERR_MALFORMED,
		    "A part of the form has a Content-Transfer-Encoding: send "
		    "the value as it is, without one.");
	return true;
}

/* RFC 7578 §4.8: all other headers are ignored. */
static const struct {
	const char *name;
	bool (*read)(struct form_reader *, struct part *, struct mime *);
} headers[] = {
    {"Content-Disposition", read_disposition},
    {"Content-Type", read_type},
    {"Content-Transfer-Encoding", read_transfer_encoding},
};

static bool
read_header(
    struct form_reader *r, struct part *part, const uint8_t *line, size_t len)
{
	const uint8_t *colon = memchr(line, ':', len);
	const char *name = (const char *)line;
	struct mime m;
	size_t i, name_len;
	bool ok = true;

	/* A line that begins with a space would continue the one before. */
	if (colon == NULL || colon == line || !isgraph(line[0]))
		return err_set(r->err, ERR_MALFORMED,
		    "A part of the form has a header that can't be read.");
	if (!utf8_valid_text(line, len, NULL))
		return err_set(r->err, ERR_ENCODING,
		    "A part of the form has a header that is not plain text: "
		    "send UTF-8 without control characters.");
	name_len = (size_t)(colon - line);
	mime_begin(&m, name + name_len + 1, len - name_len - 1);
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (strlen(headers[i].name) == name_len &&
		    strncasecmp(headers[i].name, name, name_len) == 0)
			ok = headers[i].read(r, part, &m);
	mime_free(&m);
	return ok;
}

/*
 * Read the headers and the empty line.  RFC 2046 §5.1 lets a part without
 * content go without the empty line as well.
 */
static bool
read_headers(struct form_reader *r, struct part *part, struct span *s)
{
	const uint8_t *eol;

	while (s->len > 0 && !skip_crlf(s)) {
		eol = memmem(s->at, s->len, "\r\n", 2);
		if (eol == NULL)
			return err_set(r->err, ERR_MALFORMED,
			    "A part of the form has no end of its headers: "
			    "send an empty line, and line ends as CR LF.");
		if (!read_header(r, part, s->at, (size_t)(eol - s->at)))
			return false;
		skip(s, (size_t)(eol - s->at) + 2);
	}
	return true;
}

static bool
take_part(struct form_reader *r, const struct part *part, const struct span *s)
{
	const struct form_field *field = form_find(r, &part->name);

	if (part->file && field != NULL)
		return err_set(r->err, ERR_MALFORMED,
		    "The field %s is a file: send it as text, without a file "
		    "name.",
		    field->name);
	if (part->file)
		return form_check_name(r, &part->name);
	if (part->foreign)
		return err_set(r->err, ERR_UNSUPPORTED,
		    "A part of the form is in a charset that is not taken: "
		    "send UTF-8.");
	return form_take(r, &part->name, s->at, s->len);
}

static bool
read_part(struct form_reader *r, struct span s)
{
	struct part part = {BUF_INIT, false, false, false, false};
	bool ok;

	ok = read_headers(r, &part, &s) && take_part(r, &part, &s);
	buf_free(&part.name);
	return ok;
}

/*
 * Step over what may follow a boundary on its line (RFC 2046 §5.1.1): two
 * dashes when it is the last one, spaces that gateways add, the line's end.
 */
static bool
end_boundary(struct form_reader *r, struct span *s, bool *last)
{
	*last = skip_text(s, "--", 2);
	while (skip_text(s, " ", 1) || skip_text(s, "\t", 1))
		;
	if (!(*last && s->len == 0) && !skip_crlf(s))
		return err_set(r->err, ERR_MALFORMED,
		    "The form has its boundary where none belongs, or line "
		    "ends other than CR LF.");
	return true;
}

bool
form_read_multipart(struct form_reader *r, const struct buf *boundary,
    const uint8_t *body, size_t len)
{
	char delimiter[4 + BOUNDARY_MAX] = "\r\n--";
	size_t delimiter_len = 4 + boundary->len;
	struct span s = {body, len};
	const uint8_t *next;
	bool last;

	if (!boundary_valid(boundary))
		return err_set(r->err, ERR_MALFORMED,
		    "The Content-Type names no boundary, or not a valid one.");
	memcpy(delimiter + 4, boundary->data, boundary->len);
	/* At the very start the boundary has no line end before it. */
	if (!skip_text(&s, delimiter + 2, delimiter_len - 2)) {
		next = memmem(s.at, s.len, delimiter, delimiter_len);
		if (next == NULL)
			return err_set(r->err, ERR_MALFORMED,
			    "The form does not hold the boundary that its "
			    "Content-Type names.");
		skip(&s, (size_t)(next - s.at) + delimiter_len);
	}
	for (;;) {
		if (!end_boundary(r, &s, &last))
			return false;
		if (last)
			return true;
		next = memmem(s.at, s.len, delimiter, delimiter_len);
		if (next == NULL)
			return err_set(r->err, ERR_MALFORMED,
			    "The form is cut short: its closing boundary is "
			    "missing.");
		if (!read_part(r, (struct span){s.at, (size_t)(next - s.at)}))
			return false;
		skip(&s, (size_t)(next - s.at) + delimiter_len);
	}
}
