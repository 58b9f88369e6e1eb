/* SPDX-License-Identifier: ISC */
/*
 * The folder on the broker's host: laid out as the published feed, "state"
 * and the files that it names by their SHA-256, but only what was verified.
 * The plugin and others read it.  Beside them lie "lock", "health", with a hook
 * "hooked", and with PAPPUS_CRL_FILE "told".
 */
#ifndef PAPPUS_BROKERD_FOLDER_H
#define PAPPUS_BROKERD_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/brokerd_file.h"
#include "encoding/feed.h"

enum {
	FOLDER_FILE_MODE = 0640,
	FOLDER_GARBAGE_S = 600, /* so long does a file outlive its name */
	FOLDER_URGENT_S = 30	/* when the disk is full */
};

struct folder {
	const char *path;
	int fd;
	int lock;
};

/*
 * Open the folder, made with mode 0750 when it is not there, and lock it: two
 * of us would take turns in writing state.  ERR_CONFIG.
 */
bool folder_open(struct folder *folder, const char *path, struct err *err);
void folder_close(struct folder *folder);

/* Read the state that is there. */
bool folder_read_state(
    const struct folder *folder, struct feed_state *out, struct err *err);

/*
 * Put state in place of old (NULL: none), whose files begin to age where state
 * no longer names them.  All that it names must be there.
 */
bool folder_write_state(const struct folder *folder,
    const struct feed_state *old, const struct feed_state *state,
    struct err *err);

/*
 * Map the file of that name.  ERR_MALFORMED when its octets have another
 * digest than its name; it is then removed.
 */
struct file_map *folder_map(
    const struct folder *folder, const char *name, struct err *err);

/*
 * Remove files that state doesn't name, nor extra (n names), and that have not
 * been named for age_s seconds.  Returns how many.
 */
size_t folder_sweep(const struct folder *folder, const struct feed_state *state,
    const char (*extra)[FEED_NAME_LEN + 1], size_t n, int64_t age_s);

/* Remove what was left half written; at the start, when nobody writes. */
void folder_sweep_temps(const struct folder *folder);

/* Whether a state names this file. */
bool folder_state_names(const struct feed_state *state, const char *name);

#endif
