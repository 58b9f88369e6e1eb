/* SPDX-License-Identifier: ISC */
/* The public folder: see store.h.  Opening and locking it. */
#include "daemon/store.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "daemon/store_internal.h"
#include "encoding/hex.h"

enum { DEPTH_MAX = 8, FOLDER_MODE = 0755 };

static const char lock_name[] = ".pappus-crld";
static const char held_name[] = ".pappus-crld-held";

int
store_folder(int dir, const char *name, struct err *err)
{
	int fd;

	if (mkdirat(dir, name, FOLDER_MODE) != 0 && errno != EEXIST) {
		err_set_errno(err, "%s", name);
		return -1;
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_set_errno(err, "%s", name);
	return fd;
}

/* Remove what was being written when an earlier life ended. */
static void
remove_temporaries(int dir, int depth)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), below;
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (strncmp(entry->d_name, STORE_TEMPORARY,
			strlen(STORE_TEMPORARY)) == 0)
			unlinkat(dir, entry->d_name, 0);
		if (entry->d_name[0] == '.' || depth == DEPTH_MAX)
			continue;
		below = openat(dir, entry->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0) {
			remove_temporaries(below, depth + 1);
			close(below);
		}
	}
	closedir(folder);
}

/* The folder's own name: what the lock file holds, or is to hold. */
static bool
read_holder(struct store *store, struct err *err)
{
	uint8_t random[STORE_HOLDER_LEN / 2];
	char *holder = store->holder;

	if (pread(store->lock, holder, STORE_HOLDER_LEN, 0) ==
		STORE_HOLDER_LEN &&
	    hex_decode(holder, STORE_HOLDER_LEN, random, sizeof(random)))
		return true;
	rand_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), holder);
	if (ftruncate(store->lock, 0) != 0 ||
	    pwrite(store->lock, holder, STORE_HOLDER_LEN, 0) !=
		STORE_HOLDER_LEN ||
	    fsync(store->lock) != 0)
		return err_set_errno(err, "%s", lock_name);
	return true;
}

static bool
lock(struct store *store, struct err *err)
{
	store->lock = openat(store->dir, lock_name,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	if (store->lock < 0)
		return err_set_errno(err, "%s", lock_name);
	if (flock(store->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return err_set(
		    err, ERR_UNAVAILABLE, "another pappus-crld is at work");
	return err_set_errno(err, "%s", lock_name);
}

bool
store_check(const char *dir, struct err *err)
{
	struct stat st;

	if (stat(dir, &st) != 0 || access(dir, R_OK | W_OK | X_OK) != 0)
		return err_set_errno(err, "PAPPUS_PUBLIC_DIR: %s", dir);
	return S_ISDIR(st.st_mode) ||
	       err_set(
		   err, ERR_CONFIG, "PAPPUS_PUBLIC_DIR: %s is no folder", dir);
}

struct store *
store_open(const char *dir, struct err *err)
{
	struct store *store = calloc(1, sizeof(*store));
	struct err why = {.code = ERR_NONE};

	if (store == NULL)
		abort();
	store->lock = store->feed = -1;
	store->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir < 0)
		err_set_errno(&why, "cannot be opened");
	else if (lock(store, &why) && read_holder(store, &why))
		store->feed = store_folder(store->dir, "feed", &why);
	if (store->feed < 0) {
		err_set(err, why.code, "%s: %s", dir, why.detail);
		store_free(store);
		return NULL;
	}
	remove_temporaries(store->dir, 0);
	return store;
}

void
store_free(struct store *store)
{
	if (store == NULL)
		return;
	if (store->feed >= 0)
		close(store->feed);
	if (store->lock >= 0)
		close(store->lock);
	if (store->dir >= 0)
		close(store->dir);
	free(store);
}

const char *
store_holder(const struct store *store)
{
	return store->holder;
}

int
store_feed(const struct store *store)
{
	return store->feed;
}

bool
store_is_held(const struct store *store)
{
	return faccessat(store->dir, held_name, F_OK, 0) == 0;
}

void
store_hold(struct store *store, bool held)
{
	struct err err = {.code = ERR_NONE};

	if (!held)
		unlinkat(store->dir, held_name, 0);
	else if (!store_put(store, held_name, "", 0, &err))
		log_msg(LOG_LEVEL_ERROR, "not-held", "%s", err.detail);
}
