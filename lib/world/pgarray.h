/* SPDX-License-Identifier: ISC */
/* PostgreSQL array literals, for functions that take a batch. */
#ifndef PAPPUS_WORLD_PGARRAY_H
#define PAPPUS_WORLD_PGARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Begin: add elements to an empty buffer, then end; buf_str gives it. */

/* Append a text element, quoted; NULL becomes the SQL NULL. */
void pgarray_str(struct buf *array, const char *value);

/* Append a bytea element in hex. */
void pgarray_bytea(struct buf *array, const uint8_t *bytes, size_t len);

/* Append an integer element. */
void pgarray_int(struct buf *array, int64_t value);

/* Append a timestamptz element: milliseconds since 1970. */
void pgarray_time(struct buf *array, int64_t ms);

/* Close the array and return its text, good until array changes. */
const char *pgarray_end(struct buf *array);

#endif
