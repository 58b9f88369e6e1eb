/* SPDX-License-Identifier: ISC */
/* The byte buffer: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_MIN = 256 };

static void
grow(struct buf *b, size_t more)
{
	size_t cap = b->cap == 0 ? BUF_MIN : b->cap;
	uint8_t *data;

	if (more > SIZE_MAX / 4 - b->len)
		abort();
	while (cap < b->len + more)
		cap *= 2;
	/* Not realloc: it may move the bytes and leave the old ones lying. */
	data = malloc(cap);
	if (data == NULL)
		abort();
	if (b->len > 0)
		memcpy(data, b->data, b->len);
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	free(b->data);
	b->data = data;
	b->cap = cap;
}

uint8_t *
buf_extend(struct buf *b, size_t len)
{
	uint8_t *at;

	if (b->data == NULL || b->cap - b->len < len)
		grow(b, len);
	at = b->data + b->len;
	b->len += len;
	return at;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (len > 0)
		memcpy(buf_extend(b, len), data, len);
}

void
buf_add_byte(struct buf *b, uint8_t byte)
{
	*buf_extend(b, 1) = byte;
}

void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_add_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		abort();
	va_start(ap, fmt);
	vsnprintf(
	    (char *)buf_extend(b, (size_t)len + 1), (size_t)len + 1, fmt, ap);
	va_end(ap);
	b->len--;
}

const char *
buf_str(struct buf *b)
{
	*buf_extend(b, 1) = '\0';
	b->len--;
	return (const char *)b->data;
}

void
buf_reset(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	b->len = 0;
}

void
buf_free(struct buf *b)
{
	buf_reset(b);
	free(b->data);
	b->data = NULL;
	b->cap = 0;
}
