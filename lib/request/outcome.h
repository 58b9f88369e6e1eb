/* SPDX-License-Identifier: ISC */
/* What the calls of the database's functions have in common. */
#ifndef PAPPUS_REQUEST_OUTCOME_H
#define PAPPUS_REQUEST_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world/batch.h"
#include "world/db.h"

/*
 * Find word in names[0..n).  A word that isn't there, or NULL, is a database
 * of another version: n is returned.
 */
size_t outcome_find(const char *const *names, size_t n, const char *word);

/*
 * Make sure by send_by (of clock_mono_us) that there is a connection; false
 * has been logged.
 */
bool outcome_connect(struct db *db, int64_t send_by);

/*
 * Call a function that takes a batch of n and answers a row a request.  It is
 * sent by send_by (of clock_mono_us) or not at all.
 * BATCH_DONE: there are n rows in *rows, for db_rows_free.  Anything else
 * has been logged.
 */
enum batch_result outcome_call(struct db *db, enum statement statement,
    const char *const *params, size_t n, int64_t send_by,
    struct db_rows **rows);

/* Copy a field into a string of size bytes; NULL becomes "". */
void outcome_copy(char *to, size_t size, const char *from);

#endif
