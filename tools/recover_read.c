/* SPDX-License-Identifier: ISC */
/* Bundles of PEM and lists of denials: see recover_read.h. */
#include "tools/recover_read.h"

#include <string.h>

#include "base/buf.h"
#include "cert/cert.h"
#include "encoding/hex.h"
#include "encoding/utf8.h"

#define PEM_BEGIN "-----BEGIN "
#define PEM_CERTIFICATE "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

enum { PEM_MAX = 64 * 1024 };

bool
source_open(struct source *source, const char *path, struct err *err)
{
	*source = (struct source){.path = path, .file = fopen(path, "re")};
	if (source->file == NULL)
		return err_set_errno(err, "cannot open %s", path);
	return true;
}

void
source_close(struct source *source)
{
	if (source->file != NULL)
		fclose(source->file);
	source->file = NULL;
}

static bool
refuse(
    const struct source *source, size_t line, const char *why, struct err *err)
{
	return err_set(
	    err, ERR_MALFORMED, "%s:%zu: %s", source->path, line, why);
}

/* The next line without its end, LF or CR LF; false at the end of the file. */
static bool
read_line(struct source *source, char out[DENIAL_LINE_MAX + 1], struct err *err)
{
	/* CR, LF and NUL. */
	char line[DENIAL_LINE_MAX + 3];
	size_t len;

	if (fgets(line, sizeof(line), source->file) == NULL) {
		if (ferror(source->file) != 0)
			err_set_errno(err, "cannot read %s", source->path);
		return false;
	}
	source->line++;
	len = strcspn(line, "\n");
	if (len > 0 && line[len - 1] == '\r')
		len--;
	/* A NUL within the line would hide what follows, its end too. */
	if (len > DENIAL_LINE_MAX ||
	    (strchr(line, '\n') == NULL && feof(source->file) == 0))
		return refuse(source, source->line,
		    "the line is too long, or not text", err);
	memcpy(out, line, len);
	out[len] = '\0';
	return true;
}

static X509 *
decode(const struct source *source, size_t line, const struct buf *pem,
    struct err *err)
{
	struct err cause = {0};
	X509 *cert = cert_decode(pem->data, pem->len, &cause);

	if (cert == NULL)
		refuse(source, line, cause.detail, err);
	return cert;
}

/* The lines from BEGIN, which was read, to END. */
static X509 *
read_block(struct source *source, size_t begin, struct err *err)
{
	char line[DENIAL_LINE_MAX + 1];
	struct buf pem = BUF_INIT;
	X509 *cert = NULL;
	bool ended = false;

	buf_add_str(&pem, PEM_CERTIFICATE "\n");
	while (!ended && pem.len < PEM_MAX && read_line(source, line, err)) {
		buf_add_str(&pem, line);
		buf_add_byte(&pem, '\n');
		ended = strcmp(line, PEM_END) == 0;
	}
	if (ended)
		cert = decode(source, begin, &pem, err);
	else
		refuse(source, begin, "the certificate that begins has no end",
		    err);
	buf_free(&pem);
	return cert;
}

X509 *
source_certificate(struct source *source, size_t *begin, struct err *err)
{
	char line[DENIAL_LINE_MAX + 1];

	while (read_line(source, line, err)) {
		if (strncmp(line, PEM_BEGIN, strlen(PEM_BEGIN)) != 0)
			continue;
		*begin = source->line;
		if (strcmp(line, PEM_CERTIFICATE) == 0)
			return read_block(source, *begin, err);
		refuse(source, *begin, "not a CERTIFICATE", err);
		return NULL;
	}
	return NULL;
}

/* RFC 5280 §4.1.2.2: positive, at most 20 octets; zeros ahead don't count. */
static bool
parse_serial(const char *word, size_t len, char *out)
{
	uint8_t octets[DENIAL_SERIAL_DIGITS_MAX / 2];
	size_t n;

	while (len > 2 && strncmp(word, "00", 2) == 0) {
		word += 2;
		len -= 2;
	}
	n = len / 2;
	if (n == 0 || n > sizeof(octets) || !hex_decode(word, len, octets, n) ||
	    octets[0] < 0x01 || octets[0] > 0x7f)
		return false;
	hex_encode(octets, n, out);
	return true;
}

static bool
parse_denial(const char *line, struct denial *out)
{
	size_t len = strcspn(line, " \t");
	const char *comment = line + len + strspn(line + len, " \t");

	*out = (struct denial){0};
	strcpy(out->comment, comment);
	out->revoked = strcspn(comment, " \t") == strlen("revoked") &&
		       strncmp(comment, "revoked", strlen("revoked")) == 0;
	if (name_valid(NAME_DEVICE, line, len)) {
		memcpy(out->device_id, line, len);
		return true;
	}
	return parse_serial(line, len, out->serial);
}

bool
source_denial(struct source *source, struct denial *out, struct err *err)
{
	char line[DENIAL_LINE_MAX + 1];
	const char *text;

	while (read_line(source, line, err)) {
		text = line + strspn(line, " \t");
		if (*text == '\0' || *text == '#')
			continue;
		if (!parse_denial(text, out))
			return refuse(source, source->line,
			    "neither a device id nor a serial in hexadecimal",
			    err);
		if (!utf8_valid_text((const uint8_t *)out->comment,
			strlen(out->comment), NULL))
			return refuse(source, source->line,
			    "the comment is not UTF-8, or holds controls", err);
		return true;
	}
	return false;
}
