/* SPDX-License-Identifier: ISC */
/*
 * The public folder, of which a web server shows all that is not hidden.
 * Nothing in it is ever half there: a file is written under a temporary name
 * beside its place, synced and renamed.  What the feed names lies in feed/
 * under its SHA-256.
 *
 * One process at a time: the folder is locked.
 */
#ifndef PAPPUS_DAEMON_STORE_H
#define PAPPUS_DAEMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sink.h"
#include "encoding/feed.h"

enum { STORE_HOLDER_LEN = 32, STORE_NAME_LEN = 32 };

struct store; /* many threads may use it, each file one */

/* Whether the folder is there and can be written to; it isn't locked. */
bool store_check(const char *dir, struct err *err);

/*
 * Open the folder, which must exist, lock it, make feed/ and remove what an
 * earlier life left half written.
 */
struct store *store_open(const char *dir, struct err *err);
void store_free(struct store *store);

/*
 * Random hexadecimal digits that are the folder's own for good: by them a
 * process that comes back gets its lease again without waiting.
 */
const char *store_holder(const struct store *store);

/*
 * Whether publishing is held up, a restart included: the database is older
 * than what is published.
 */
bool store_is_held(const struct store *store);
void store_hold(struct store *store, bool held);

/* A file that is being written. */
struct store_file {
	struct store *store; /* NULL: closed */
	int fd;		     /* of the file, open for reading too */
	int folder;	     /* fd of its folder */
	char temporary[STORE_NAME_LEN];
	struct evp_md_ctx_st *digest; /* SHA-256; NULL: it is named by a path */
	uint64_t len;
	uint64_t started; /* so much is on its way to the disk */
};

/* Begin a file that will lie at path, or in feed/ when path is NULL. */
bool store_begin(struct store *store, const char *path, struct store_file *file,
    struct err *err);

/*
 * Write; a sink_fn with the file as its ctx.  The second one for a file of
 * feed/ whose SHA-256 its maker knows anyway.
 */
bool store_write(void *file, const void *data, size_t len, struct err *err);
bool store_write_known(
    void *file, const void *data, size_t len, struct err *err);

/*
 * Sync it and put it in place, over what was there; the second one in feed/,
 * by its SHA-256, which goes to name.  The file is closed, also when it fails.
 */
bool store_commit(struct store_file *file, const char *path, struct err *err);
bool store_commit_content(
    struct store_file *file, char name[FEED_NAME_LEN + 1], struct err *err);

/* The same for what store_write_known wrote. */
bool store_commit_known(struct store_file *file, const uint8_t sha256[32],
    char name[FEED_NAME_LEN + 1], struct err *err);

/* Close and remove a file that isn't committed.  A zeroed one is fine. */
void store_abort(struct store_file *file);

/* All of it at once; a file that has these octets already stays. */
bool store_put(struct store *store, const char *path, const void *data,
    size_t len, struct err *err);

/* Show a file of feed/ at a path as well, over what was there. */
bool store_link(struct store *store, const char name[FEED_NAME_LEN + 1],
    const char *path, struct err *err);

/* Read a file of feed/ from front to back, by pieces. */
bool store_pour(struct store *store, const char name[FEED_NAME_LEN + 1],
    sink_fn *sink, void *ctx, struct err *err);

/* A file of the folder, mapped to be read; len 0 when it is empty. */
struct store_map {
	const uint8_t *data;
	size_t len;
};

/* Map a file; false without an error when there is none. */
bool store_map(struct store *store, const char *path, struct store_map *map,
    struct err *err);
bool store_map_content(struct store *store, const char name[FEED_NAME_LEN + 1],
    struct store_map *map, struct err *err);
/* What has been written to a file so far. */
bool store_map_file(
    const struct store_file *file, struct store_map *map, struct err *err);
void store_unmap(struct store_map *map);

/* The folder feed/, open; the store's. */
int store_feed(const struct store *store);

#endif
