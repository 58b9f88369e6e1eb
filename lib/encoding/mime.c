/* SPDX-License-Identifier: ISC */
/* Header values with parameters: see mime.h. */
#include "encoding/mime.h"

#include <string.h>
#include <strings.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool
same(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static void
skip_space(struct mime *m)
{
	while (m->at < m->end && is_space(*m->at))
		m->at++;
}

void
mime_begin(struct mime *m, const char *text, size_t len)
{
	const char *semicolon = memchr(text, ';', len);

	memset(m, 0, sizeof(*m));
	m->at = text;
	m->end = text + len;
	skip_space(m);
	m->word = m->at;
	m->at = semicolon == NULL ? m->end : semicolon;
	m->word_len = (size_t)(m->at - m->word);
	while (m->word_len > 0 && is_space(m->word[m->word_len - 1]))
		m->word_len--;
}

bool
mime_word_is(const struct mime *m, const char *word)
{
	return same(m->word, m->word_len, word);
}

bool
mime_word_begins(const struct mime *m, const char *begin)
{
	size_t len = strlen(begin);

	return m->word_len >= len && strncasecmp(m->word, begin, len) == 0;
}

/* RFC 9110 §5.6.4; at stands behind the opening quote. */
static bool
take_quoted(struct mime *m)
{
	for (; m->at < m->end && *m->at != '"'; m->at++) {
		if (*m->at == '\\' && ++m->at == m->end)
			return false;
		buf_add_byte(&m->value, (uint8_t)*m->at);
	}
	if (m->at == m->end)
		return false;
	m->at++;
	return true;
}

/*
 * More than RFC 9110 §5.6.2 calls a token: unquoted boundaries with "=" or "/"
 * are seen in the wild, and nothing can be misread in them.
 */
static bool
take_bare(struct mime *m)
{
	for (; m->at < m->end && *m->at != ';' && !is_space(*m->at); m->at++) {
		if (*m->at == '"')
			return false;
		buf_add_byte(&m->value, (uint8_t)*m->at);
	}
	return m->value.len > 0;
}

enum mime_step
mime_next(struct mime *m)
{
	bool ok;

	buf_reset(&m->value);
	skip_space(m);
	while (m->at < m->end && *m->at == ';') {
		m->at++;
		skip_space(m);
	}
	if (m->at == m->end)
		return MIME_END;
	m->name = m->at;
	while (m->at < m->end && strchr("=; \t\"", *m->at) == NULL)
		m->at++;
	m->name_len = (size_t)(m->at - m->name);
	if (m->name_len == 0 || m->at == m->end || *m->at++ != '=')
		return MIME_MALFORMED;
	if (m->at < m->end && *m->at == '"') {
		m->at++;
		ok = take_quoted(m);
	} else {
		ok = take_bare(m);
	}
	skip_space(m);
	if (!ok || (m->at < m->end && *m->at != ';'))
		return MIME_MALFORMED;
	return MIME_PARAM;
}

bool
mime_name_is(const struct mime *m, const char *name)
{
	return same(m->name, m->name_len, name);
}

bool
mime_value_is_utf8(struct mime *m)
{
	const char *charset = buf_str(&m->value);

	return strcasecmp(charset, "utf-8") == 0 ||
	       strcasecmp(charset, "utf8") == 0 ||
	       strcasecmp(charset, "us-ascii") == 0;
}

void
mime_free(struct mime *m)
{
	buf_free(&m->value);
}
