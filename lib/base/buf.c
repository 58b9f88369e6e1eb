/* SPDX-License-Identifier: ISC */
/* The byte buffer: see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdbool.h>
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

/* Into the room that is left; most texts fit at the first attempt. */
static bool __attribute__((format(printf, 2, 0)))
print(struct buf *b, const char *fmt, va_list ap, size_t *len)
{
	size_t room = b->cap - b->len;
	int n = vsnprintf(
	    b->data == NULL ? NULL : (char *)b->data + b->len, room, fmt, ap);

	if (n < 0)
		abort();
	*len = (size_t)n;
	return *len < room;
}

void
buf_add_fmt(struct buf *b, const char *fmt, ...)
{
	size_t len;
	va_list ap;
	bool fits;

	va_start(ap, fmt);
	fits = print(b, fmt, ap, &len);
	va_end(ap);
	if (!fits) {
		grow(b, len + 1);
		va_start(ap, fmt);
		print(b, fmt, ap, &len);
		va_end(ap);
	}
	b->len += len;
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
