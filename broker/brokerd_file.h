/* SPDX-License-Identifier: ISC */
/*
 * Files that are there whole or not at all: written under a temporary name in
 * the same folder, synced, renamed; and read by mapping them.
 */
#ifndef PAPPUS_BROKERD_FILE_H
#define PAPPUS_BROKERD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "encoding/feed.h"

/* What begins so is a temporary file, left behind by whoever was killed. */
#define FILE_TEMP_PREFIX ".new-"

/* -------------------------------------------------------------- writing */

/* A file on its way. */
struct file_draft {
	int folder; /* descriptor; the caller's */
	int fd;	    /* -1: none */
	char temp[32];
	EVP_MD_CTX *sha256;
	uint64_t len;
	uint64_t synced; /* up to here, the disk has been told to begin */
};

/*
 * Begin a file in a folder (an open descriptor of it, which must stay), with
 * these permissions whatever the umask says.
 */
bool file_draft_begin(
    struct file_draft *draft, int folder, mode_t mode, struct err *err);

/* The next octets.  A sink_fn (base/sink.h) with the draft as its ctx. */
bool file_draft_add(void *draft, const void *data, size_t len, struct err *err);

/* The SHA-256 of all that was added, as a name of the feed.  Once, last. */
void file_draft_digest(struct file_draft *draft, char name[FEED_NAME_LEN + 1]);

/*
 * Give the file its name, in place of another, and see that it outlasts a
 * loss of power when durable.  The draft is over, whether that worked or not.
 */
bool file_draft_keep(
    struct file_draft *draft, const char *name, bool durable, struct err *err);

/* Remove what was begun.  One that is over, or zeroed, may be dropped. */
void file_draft_drop(struct file_draft *draft);

/* A small file at once. */
bool file_replace(int folder, const char *name, mode_t mode, const void *data,
    size_t len, bool durable, struct err *err);

/* -------------------------------------------------------------- reading */

/* A file's octets; shared by those who hold it. */
struct file_map;

/*
 * Map a whole file read-only.  ERR_MALFORMED when it is empty or no regular
 * file, ERR_SYSTEM when there is none.
 */
struct file_map *file_map_open(int folder, const char *name, struct err *err);

/* Map what was written so far, before it has its name. */
struct file_map *file_map_draft(
    const struct file_draft *draft, struct err *err);

/* One more holder, one less; the last unmaps.  NULL is fine. */
struct file_map *file_map_ref(struct file_map *map);
void file_map_unref(struct file_map *map);

const uint8_t *file_map_data(const struct file_map *map);
size_t file_map_len(const struct file_map *map);

/* The SHA-256 of the octets, as a name of the feed. */
void file_map_digest(const struct file_map *map, char name[FEED_NAME_LEN + 1]);

/*
 * Whether the file of that name in the folder has just these octets; false
 * as well when there is none.
 */
bool file_map_equals(const struct file_map *map, int folder, const char *name);

/* Open the folder that a path's file is in; *name is the rest.  -1: *err. */
int file_folder_open(const char *path, const char **name, struct err *err);

#endif
