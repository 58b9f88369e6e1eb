/* SPDX-License-Identifier: ISC */
/*
 * A file of the feed, read whole into memory and held against the SHA-256 that
 * it is named by.  Not mapped: a page that was evicted would be read from disk
 * by the broker's only thread, and a file that somebody cuts would end it.
 */
#ifndef PAPPUS_BROKER_PLUGIN_FILE_H
#define PAPPUS_BROKER_PLUGIN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "encoding/feed.h"

struct plugin_file {
	char name[FEED_NAME_LEN + 1];
	uint8_t *data;
	size_t len;
	size_t users; /* lists that hold it; of one thread alone */
};

/*
 * Read dir/name, with one user.  ERR_SYSTEM when it cannot be read,
 * ERR_MISMATCH when it has another digest than its name says.
 */
struct plugin_file *plugin_file_read(
    const char *dir, const char *name, struct err *err);

/*
 * Read a small file, at most max octets of it; false with ERR_SYSTEM or
 * ERR_TOO_LONG.
 */
bool plugin_file_slurp(const char *dir, const char *name, size_t max,
    uint8_t *out, size_t *len, struct err *err);

/* One user less; freed after the last.  NULL is fine. */
void plugin_file_release(struct plugin_file *file);

#endif
