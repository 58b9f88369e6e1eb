/* SPDX-License-Identifier: ISC */
/*
 * A growing byte buffer.  It wipes what it lets go of, whether growing or
 * freed, so a buffer may hold a key or a token without further care.
 */
#ifndef PAPPUS_BASE_BUF_H
#define PAPPUS_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* owned; NULL while cap is 0 */
	size_t len;    /* bytes in use */
	size_t cap;    /* bytes allocated */
};

#define BUF_INIT           \
	{                  \
		NULL, 0, 0 \
	}

/* Append len bytes.  Out of memory ends the process. */
void buf_add(struct buf *b, const void *data, size_t len);

/* Append one byte. */
void buf_add_byte(struct buf *b, uint8_t byte);

/* Append a NUL-terminated string without its NUL. */
void buf_add_str(struct buf *b, const char *s);

/* Append printf-like text. */
void buf_add_fmt(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Make room for len more bytes and return where they go; the caller fills all
 * of them.  The pointer is good until the next call on b.
 */
uint8_t *buf_extend(struct buf *b, size_t len);

/*
 * The bytes as a NUL-terminated string; the NUL is not counted in len.
 * Good until the next call on b.
 */
const char *buf_str(struct buf *b);

/* Wipe the bytes and set len to 0; the memory is kept for the next use. */
void buf_reset(struct buf *b);

/* Wipe and free.  A zeroed or freed buffer may be freed again. */
void buf_free(struct buf *b);

#endif
