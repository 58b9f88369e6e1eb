/* SPDX-License-Identifier: ISC */
/* A CA's addresses: see urls.h. */
#include "cert/urls.h"

#include <string.h>

enum urls_line { URLS_PURPOSE, URLS_CRL, URLS_CA, URLS_DOMAIN, URLS_LINES };

static const char *const line_names[URLS_LINES] = {
    [URLS_PURPOSE] = "purpose",
    [URLS_CRL] = "crl-url",
    [URLS_CA] = "ca-url",
    [URLS_DOMAIN] = "trust-domain",
};

bool
urls_check_url(const char *name, const char *url, struct err *err)
{
	static const char scheme[] = "http://";
	const char *p;

	if (url == NULL || strlen(url) > URLS_MAX ||
	    strncmp(url, scheme, strlen(scheme)) != 0 ||
	    strchr("/?#:", url[strlen(scheme)]) != NULL)
		return err_set(err, ERR_MALFORMED,
		    "%s must be http://HOST/… of at most %d characters", name,
		    URLS_MAX);
	/* RFC 3986 §2: anything else has to be percent-encoded. */
	for (p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p) != NULL)
			return err_set(err, ERR_MALFORMED,
			    "%s holds a character that a URL may not hold",
			    name);
	return true;
}

bool
urls_check_trust_domain(const char *domain, struct err *err)
{
	size_t len = strlen(domain);

	if (len == 0 || len > URLS_MAX ||
	    strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != len)
		return err_set(err, ERR_MALFORMED,
		    "trust-domain must be 1 to %d characters of a-z 0-9 . - _",
		    URLS_MAX);
	return true;
}

static bool
set_value(
    struct urls *urls, enum urls_line line, const char *value, struct err *err)
{
	char *into = NULL;

	switch (line) {
	case URLS_PURPOSE:
		return purpose_parse(value, &urls->purpose) ||
		       err_set(err, ERR_MALFORMED, "there is no such purpose");
	case URLS_CRL:
		into = urls->crl_url;
		break;
	case URLS_CA:
		into = urls->ca_url;
		break;
	case URLS_DOMAIN:
		into = urls->trust_domain;
		break;
	case URLS_LINES:
		break;
	}
	if (into == NULL ||
	    (line == URLS_DOMAIN
		    ? !urls_check_trust_domain(value, err)
		    : !urls_check_url(line_names[line], value, err)))
		return false;
	memcpy(into, value, strlen(value) + 1);
	return true;
}

/* One line, NUL-terminated in a buffer that may be cut up. */
static bool
parse_line(struct urls *out, bool seen[URLS_LINES], char *line, struct err *err)
{
	char *value = strchr(line, '=');
	int i;

	if (value == NULL)
		return err_set(err, ERR_MALFORMED, "a line without \"=\"");
	*value++ = '\0';
	for (i = 0; i < URLS_LINES; i++)
		if (strcmp(line, line_names[i]) == 0)
			break;
	if (i == URLS_LINES)
		return err_set(
		    err, ERR_MALFORMED, "unknown name \"%.40s\"", line);
	if (seen[i])
		return err_set(err, ERR_DUPLICATE, "%s given twice", line);
	seen[i] = true;
	return set_value(out, (enum urls_line)i, value, err);
}

bool
urls_parse(const char *text, size_t len, struct urls *out, struct err *err)
{
	bool seen[URLS_LINES] = {false};
	struct buf line = BUF_INIT;
	size_t n, at = 0;
	bool ok = true;

	memset(out, 0, sizeof(*out));
	for (; ok && at < len; at += n + 1) {
		for (n = 0; at + n < len && text[at + n] != '\n'; n++)
			continue;
		buf_reset(&line);
		buf_add(&line, text + at, n);
		buf_add_byte(&line, '\0');
		if (n > 0)
			ok = parse_line(out, seen, (char *)line.data, err);
	}
	buf_free(&line);
	if (!ok)
		return false;
	if (!seen[URLS_CRL] || !seen[URLS_CA] || !seen[URLS_PURPOSE])
		return err_set(err, ERR_MALFORMED,
		    "purpose, crl-url or ca-url is missing");
	return true;
}

void
urls_format(const struct urls *urls, struct buf *out)
{
	buf_add_fmt(out, "%s=%s\n%s=%s\n%s=%s\n", line_names[URLS_PURPOSE],
	    purpose_name(urls->purpose), line_names[URLS_CRL], urls->crl_url,
	    line_names[URLS_CA], urls->ca_url);
	if (urls->trust_domain[0] != '\0')
		buf_add_fmt(out, "%s=%s\n", line_names[URLS_DOMAIN],
		    urls->trust_domain);
}
