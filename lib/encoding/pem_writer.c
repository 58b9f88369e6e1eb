/* SPDX-License-Identifier: ISC */
/* PEM of what is public and large: see pem_writer.h. */
#include "encoding/pem_writer.h"

#include <endian.h>
#include <string.h>

enum {
	LINE_CHARS = 64,
	GROUP = 3,
	LINE_GROUPS = PEM_WRITER_LINE / (2 * GROUP),
	FRAME_MAX = 64
};

static const char begin_text[] = "-----BEGIN ";
static const char end_text[] = "-----END ";

static bool
flush(struct pem_writer *w, struct err *err)
{
	size_t len = w->text_len;

	w->text_len = 0;
	return len == 0 || w->sink(w->ctx, w->text, len, err);
}

static void
put(struct pem_writer *w, const char *text)
{
	size_t len = strlen(text);

	memcpy(w->text + w->text_len, text, len);
	w->text_len += len;
}

void
pem_writer_begin(
    struct pem_writer *w, const char *label, sink_fn *sink, void *ctx)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int i;

	w->label = label;
	w->sink = sink;
	w->ctx = ctx;
	w->rest_len = 0;
	w->text_len = 0;
	for (i = 0; i < sizeof(w->pairs) / sizeof(w->pairs[0]); i++) {
		w->pairs[i][0] = alphabet[i >> 6];
		w->pairs[i][1] = alphabet[i & 63];
	}
	put(w, begin_text);
	put(w, label);
	put(w, "-----\n");
}

/* Three octets as four characters (RFC 4648 §4). */
static char *
put_group(const struct pem_writer *w, char *out, const uint8_t *in)
{
	unsigned int bits =
	    (unsigned int)in[0] << 16 | (unsigned int)in[1] << 8 | in[2];

	memcpy(out, w->pairs[bits >> 12], 2);
	memcpy(out + 2, w->pairs[bits & 0xfff], 2);
	return out + 4;
}

/* Six octets as eight characters. */
static inline void
put_groups(const struct pem_writer *w, char *out, const uint8_t *in)
{
	uint32_t high;
	uint16_t low;
	uint64_t bits;

	memcpy(&high, in, sizeof(high));
	memcpy(&low, in + sizeof(high), sizeof(low));
	bits = (uint64_t)be32toh(high) << 16 | be16toh(low);
	memcpy(out, w->pairs[bits >> 36], 2);
	memcpy(out + 2, w->pairs[bits >> 24 & 0xfff], 2);
	memcpy(out + 4, w->pairs[bits >> 12 & 0xfff], 2);
	memcpy(out + 6, w->pairs[bits & 0xfff], 2);
}

/* A full line, and room for the next one. */
static bool
put_line(struct pem_writer *w, const uint8_t *in, struct err *err)
{
	char *out;
	size_t i;

	if (PEM_WRITER_TEXT - w->text_len < LINE_CHARS + 1 && !flush(w, err))
		return false;
	out = w->text + w->text_len;
	for (i = 0; i < LINE_GROUPS; i++)
		put_groups(w, out + 8 * i, in + 6 * i);
	out[LINE_CHARS] = '\n';
	w->text_len += LINE_CHARS + 1;
	return true;
}

bool
pem_writer_add(void *writer, const void *der, size_t len, struct err *err)
{
	struct pem_writer *w = writer;
	const uint8_t *in = der;
	size_t part;

	if (len == 0)
		return true;
	if (w->rest_len > 0) {
		part = PEM_WRITER_LINE - w->rest_len;
		part = len < part ? len : part;
		memcpy(w->rest + w->rest_len, in, part);
		w->rest_len += part;
		in += part;
		len -= part;
		if (w->rest_len < PEM_WRITER_LINE)
			return true;
		w->rest_len = 0;
		if (!put_line(w, w->rest, err))
			return false;
	}
	for (; len >= PEM_WRITER_LINE; len -= PEM_WRITER_LINE) {
		if (!put_line(w, in, err))
			return false;
		in += PEM_WRITER_LINE;
	}
	if (len > 0)
		memcpy(w->rest, in, len);
	w->rest_len = len;
	return true;
}

/* What is left of a line, with zeros behind, of which no character is kept. */
static void
put_rest(struct pem_writer *w)
{
	char *out = w->text + w->text_len;
	size_t missing = (GROUP - w->rest_len % GROUP) % GROUP;
	size_t i;

	memset(w->rest + w->rest_len, 0, missing);
	for (i = 0; i < w->rest_len; i += GROUP)
		out = put_group(w, out, w->rest + i);
	for (i = 0; i < missing; i++)
		out[-1 - (ptrdiff_t)i] = '=';
	*out++ = '\n';
	w->text_len = (size_t)(out - w->text);
}

bool
pem_writer_end(struct pem_writer *w, struct err *err)
{
	if (PEM_WRITER_TEXT - w->text_len < LINE_CHARS + 1 + FRAME_MAX &&
	    !flush(w, err))
		return false;
	if (w->rest_len > 0)
		put_rest(w);
	put(w, end_text);
	put(w, w->label);
	put(w, "-----\n");
	return flush(w, err);
}
