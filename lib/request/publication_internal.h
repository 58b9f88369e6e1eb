/* SPDX-License-Identifier: ISC */
/* What the files of publication.h share. */
#ifndef PAPPUS_REQUEST_PUBLICATION_INTERNAL_H
#define PAPPUS_REQUEST_PUBLICATION_INTERNAL_H

#include "request/publication.h"

/* A parameter: an integer, or bytes in hex. */
enum { PUBLICATION_TEXT_MAX = 2 + 2 * PUBLICATION_SIGNATURE_MAX + 1 };

const char *publication_int(char text[24], int64_t value);
const char *publication_bytes(
    char text[PUBLICATION_TEXT_MAX], const uint8_t *bytes, size_t len);

/*
 * Call a function; DONE: *rows are there, at least so many.  What is neither
 * that nor PRUNED has been logged.
 */
enum publication_result publication_call(struct db *db,
    enum statement statement, const char *const *params, size_t least,
    struct db_rows **rows);

#endif
