/* SPDX-License-Identifier: ISC */
/* Whole files: see brokerd_file.h. */
#include "broker/brokerd_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encoding/hex.h"

enum { DIGEST_LEN = 32, WRITE_BEHIND = 4 << 20 };

struct file_map {
	uint8_t *data;
	size_t len;
	atomic_uint refs;
};

/* -------------------------------------------------------------- writing */

bool
file_draft_begin(
    struct file_draft *draft, int folder, mode_t mode, struct err *err)
{
	static atomic_uint number;

	*draft = (struct file_draft){.folder = folder, .fd = -1};
	snprintf(draft->temp, sizeof(draft->temp), FILE_TEMP_PREFIX "%ld-%u",
	    (long)getpid(), atomic_fetch_add(&number, 1));
	draft->sha256 = EVP_MD_CTX_new();
	if (draft->sha256 == NULL ||
	    EVP_DigestInit_ex(draft->sha256, EVP_sha256(), NULL) != 1)
		abort();
	draft->fd = openat(folder, draft->temp,
	    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (draft->fd < 0 || fchmod(draft->fd, mode) != 0) {
		err_set_errno(err, "cannot write a file");
		file_draft_drop(draft);
		return false;
	}
	return true;
}

bool
file_draft_add(void *ctx, const void *data, size_t len, struct err *err)
{
	struct file_draft *draft = ctx;
	const uint8_t *at = data;
	ssize_t written;

	if (EVP_DigestUpdate(draft->sha256, data, len) != 1)
		abort();
	for (draft->len += len; len > 0; len -= (size_t)written) {
		written = write(draft->fd, at, len);
		if (written < 0 && errno == EINTR)
			written = 0;
		if (written < 0)
			return err_set_errno(err, "cannot write a file");
		at += written;
	}
	/*
	 * A file of 40 MB that reaches the disk all at once would hold up the
	 * small ones that are synced meanwhile.
	 */
	if (draft->len - draft->synced >= WRITE_BEHIND) {
		sync_file_range(draft->fd, (off_t)draft->synced,
		    (off_t)(draft->len - draft->synced), SYNC_FILE_RANGE_WRITE);
		draft->synced = draft->len;
	}
	return true;
}

void
file_draft_digest(struct file_draft *draft, char name[FEED_NAME_LEN + 1])
{
	uint8_t digest[DIGEST_LEN];

	if (EVP_DigestFinal_ex(draft->sha256, digest, NULL) != 1)
		abort();
	hex_encode(digest, sizeof(digest), name);
}

bool
file_draft_keep(
    struct file_draft *draft, const char *name, bool durable, struct err *err)
{
	bool ok = true;

	if (durable && fsync(draft->fd) != 0)
		ok = err_set_errno(err, "cannot sync %.80s", name);
	if (ok &&
	    renameat(draft->folder, draft->temp, draft->folder, name) != 0)
		ok = err_set_errno(err, "cannot rename to %.80s", name);
	if (ok) {
		close(draft->fd);
		draft->fd = -1;
		/* The name, too, must outlast a loss of power. */
		if (durable && fsync(draft->folder) != 0)
			ok = err_set_errno(err, "cannot sync the folder");
	}
	file_draft_drop(draft);
	return ok;
}

void
file_draft_drop(struct file_draft *draft)
{
	if (draft->temp[0] != '\0' && draft->fd >= 0) {
		unlinkat(draft->folder, draft->temp, 0);
		close(draft->fd);
	}
	EVP_MD_CTX_free(draft->sha256);
	*draft = (struct file_draft){.fd = -1};
}

bool
file_replace(int folder, const char *name, mode_t mode, const void *data,
    size_t len, bool durable, struct err *err)
{
	struct file_draft draft;

	if (!file_draft_begin(&draft, folder, mode, err))
		return false;
	if (!file_draft_add(&draft, data, len, err)) {
		file_draft_drop(&draft);
		return false;
	}
	return file_draft_keep(&draft, name, durable, err);
}

/* -------------------------------------------------------------- reading */

static struct file_map *
map_fd(int fd, const char *name, struct err *err)
{
	struct file_map *map;
	struct stat st;
	void *data;

	if (fstat(fd, &st) != 0) {
		err_set_errno(err, "%.80s", name);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		err_set(err, ERR_MALFORMED, "%.80s: %s", name,
		    S_ISREG(st.st_mode) ? "empty" : "not a file");
		return NULL;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		err_set_errno(err, "cannot map %.80s", name);
		return NULL;
	}
	map = malloc(sizeof(*map));
	if (map == NULL)
		abort();
	map->data = data;
	map->len = (size_t)st.st_size;
	atomic_init(&map->refs, 1);
	return map;
}

struct file_map *
file_map_open(int folder, const char *name, struct err *err)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct file_map *map;

	if (fd < 0) {
		err_set_errno(err, "%.80s", name);
		return NULL;
	}
	map = map_fd(fd, name, err);
	close(fd);
	return map;
}

struct file_map *
file_map_draft(const struct file_draft *draft, struct err *err)
{
	return map_fd(draft->fd, "the file", err);
}

struct file_map *
file_map_ref(struct file_map *map)
{
	if (map != NULL)
		atomic_fetch_add(&map->refs, 1);
	return map;
}

void
file_map_unref(struct file_map *map)
{
	if (map == NULL || atomic_fetch_sub(&map->refs, 1) != 1)
		return;
	munmap(map->data, map->len);
	free(map);
}

const uint8_t *
file_map_data(const struct file_map *map)
{
	return map->data;
}

size_t
file_map_len(const struct file_map *map)
{
	return map->len;
}

void
file_map_digest(const struct file_map *map, char name[FEED_NAME_LEN + 1])
{
	uint8_t digest[DIGEST_LEN];

	if (EVP_Digest(map->data, map->len, digest, NULL, EVP_sha256(), NULL) !=
	    1)
		abort();
	hex_encode(digest, sizeof(digest), name);
}

bool
file_map_equals(const struct file_map *map, int folder, const char *name)
{
	struct err ignored = {0};
	struct file_map *other = file_map_open(folder, name, &ignored);
	bool equal = other != NULL && other->len == map->len &&
		     memcmp(other->data, map->data, map->len) == 0;

	file_map_unref(other);
	return equal;
}

int
file_folder_open(const char *path, const char **name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *folder;
	int fd;

	*name = slash == NULL ? path : slash + 1;
	if (slash == NULL)
		folder = strdup(".");
	else if (slash == path)
		folder = strdup("/");
	else
		folder = strndup(path, (size_t)(slash - path));
	if (folder == NULL)
		abort();
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_set_errno(err, "%.120s", folder);
	free(folder);
	return fd;
}
