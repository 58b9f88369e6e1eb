/* SPDX-License-Identifier: ISC */
/* Writing files of the public folder so that none is ever half: store.h. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/rand.h"
#include "daemon/store_internal.h"
#include "encoding/hex.h"

enum {
	FILE_MODE = 0644,
	RANDOM_LEN = 8,
	SHA256_LEN = 32,
	PIECE_LEN = 65536,
	START_LEN = 4 << 20
};

/* The last part of a path. */
static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* The folder of a path, made where it is missing; -1 with *err set. */
static int
open_folder(int dir, const char *path, struct err *err)
{
	const char *slash;
	char part[NAME_MAX + 1];
	int fd = dup(dir), below;

	if (fd < 0)
		err_set_errno(err, "%s", path);
	while (fd >= 0 && (slash = strchr(path, '/')) != NULL) {
		if ((size_t)(slash - path) >= sizeof(part)) {
			err_set(err, ERR_TOO_LONG, "%s", path);
			below = -1;
		} else {
			snprintf(part, sizeof(part), "%.*s",
			    (int)(slash - path), path);
			below = store_folder(fd, part, err);
		}
		close(fd);
		fd = below;
		path = slash + 1;
	}
	return fd;
}

static void
temporary_name(char out[STORE_NAME_LEN])
{
	uint8_t random[RANDOM_LEN];
	char hex[HEX_LEN(RANDOM_LEN) + 1];

	rand_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	snprintf(out, STORE_NAME_LEN, "%s%s", STORE_TEMPORARY, hex);
}

bool
store_begin(struct store *store, const char *path, struct store_file *file,
    struct err *err)
{
	memset(file, 0, sizeof(*file));
	file->store = store;
	file->fd = -1;
	file->folder = path == NULL ? dup(store->feed)
				    : open_folder(store->dir, path, err);
	if (file->folder < 0) {
		err_set_errno(err, "feed/");
		goto fail;
	}
	temporary_name(file->temporary);
	file->fd = openat(file->folder, file->temporary,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	/* Whatever the umask is: the web server has to read it. */
	if (file->fd < 0 || fchmod(file->fd, FILE_MODE) != 0) {
		err_set_errno(err, "%s", path == NULL ? "feed/" : path);
		goto fail;
	}
	if (path != NULL)
		return true;
	file->digest = EVP_MD_CTX_new();
	if (file->digest != NULL &&
	    EVP_DigestInit_ex(file->digest, EVP_sha256(), NULL) == 1)
		return true;
	err_set(err, ERR_CRYPTO, "no SHA-256");
fail:
	store_abort(file);
	return false;
}

/*
 * Have the system begin to write what has been gathered, so that little is left
 * to wait for in the end, also for those who sync smaller files meanwhile.
 */
static void
start_writing(struct store_file *file)
{
	if (file->len - file->started < START_LEN)
		return;
	/* Only advice: fsync is what counts. */
	sync_file_range(file->fd, (off_t)file->started,
	    (off_t)(file->len - file->started), SYNC_FILE_RANGE_WRITE);
	file->started = file->len;
}

bool
store_write_known(void *ctx, const void *data, size_t len, struct err *err)
{
	struct store_file *file = ctx;
	const uint8_t *at = data;
	size_t left = len;
	ssize_t n;

	while (left > 0) {
		n = write(file->fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, "write");
		at += n;
		left -= (size_t)n;
	}
	file->len += len;
	start_writing(file);
	return true;
}

bool
store_write(void *ctx, const void *data, size_t len, struct err *err)
{
	struct store_file *file = ctx;

	return store_write_known(ctx, data, len, err) &&
	       (file->digest == NULL ||
		   EVP_DigestUpdate(file->digest, data, len) == 1 ||
		   err_set(err, ERR_CRYPTO, "SHA-256"));
}

static void
close_file(struct store_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->folder >= 0)
		close(file->folder);
	EVP_MD_CTX_free(file->digest);
	memset(file, 0, sizeof(*file));
}

void
store_abort(struct store_file *file)
{
	if (file->store == NULL)
		return;
	if (file->fd >= 0)
		unlinkat(file->folder, file->temporary, 0);
	close_file(file);
}

/* Rename a file that is complete and sync its folder. */
static bool
put_in_place(
    int folder, const char *temporary, const char *name, struct err *err)
{
	if (renameat(folder, temporary, folder, name) != 0) {
		err_set_errno(err, "%s", name);
		unlinkat(folder, temporary, 0);
		return false;
	}
	/* Some file systems can't sync a folder. */
	if (fsync(folder) != 0 && errno != EINVAL)
		return err_set_errno(err, "%s", name);
	return true;
}

bool
store_commit(struct store_file *file, const char *path, struct err *err)
{
	const char *name = last_part(path);
	bool ok;

	if (fsync(file->fd) != 0) {
		err_set_errno(err, "%s", path);
		store_abort(file);
		return false;
	}
	ok = put_in_place(file->folder, file->temporary, name, err);
	close_file(file);
	return ok;
}

bool
store_commit_known(struct store_file *file, const uint8_t sha256[SHA256_LEN],
    char name[FEED_NAME_LEN + 1], struct err *err)
{
	hex_encode(sha256, SHA256_LEN, name);
	return store_commit(file, name, err);
}

bool
store_commit_content(
    struct store_file *file, char name[FEED_NAME_LEN + 1], struct err *err)
{
	uint8_t sha256[SHA256_LEN];

	if (EVP_DigestFinal_ex(file->digest, sha256, NULL) != 1) {
		store_abort(file);
		return err_set(err, ERR_CRYPTO, "SHA-256");
	}
	return store_commit_known(file, sha256, name, err);
}

/* Whether a file holds these octets already. */
static bool
is_same(struct store *store, const char *path, const void *data, size_t len)
{
	struct store_map map;
	bool same;

	if (!store_map(store, path, &map, NULL))
		return false;
	same = map.len == len && (len == 0 || memcmp(map.data, data, len) == 0);
	store_unmap(&map);
	return same;
}

bool
store_put(struct store *store, const char *path, const void *data, size_t len,
    struct err *err)
{
	struct store_file file;

	if (is_same(store, path, data, len))
		return true;
	if (!store_begin(store, path, &file, err))
		return false;
	if (!store_write(&file, data, len, err)) {
		store_abort(&file);
		return false;
	}
	return store_commit(&file, path, err);
}

/* Where there can't be a second name for it, a second file. */
static bool
copy_content(struct store *store, const char name[FEED_NAME_LEN + 1],
    const char *path, struct err *err)
{
	struct store_map map;
	bool ok;

	if (!store_map_content(store, name, &map, err))
		return err_set(err, ERR_SYSTEM, "feed/%s is gone", name);
	ok = store_put(store, path, map.data, map.len, err);
	store_unmap(&map);
	return ok;
}

bool
store_link(struct store *store, const char name[FEED_NAME_LEN + 1],
    const char *path, struct err *err)
{
	char temporary[STORE_NAME_LEN];
	int folder = open_folder(store->dir, path, err);
	bool ok;

	if (folder < 0)
		return false;
	temporary_name(temporary);
	if (linkat(store->feed, name, folder, temporary, 0) == 0) {
		ok = put_in_place(folder, temporary, last_part(path), err);
		/* rename(2) leaves both where they are one file already. */
		unlinkat(folder, temporary, 0);
	} else if (errno == EXDEV || errno == EPERM || errno == EMLINK) {
		ok = copy_content(store, name, path, err);
	} else {
		ok = err_set_errno(err, "%s", path);
	}
	close(folder);
	return ok;
}

bool
store_pour(struct store *store, const char name[FEED_NAME_LEN + 1],
    sink_fn *sink, void *ctx, struct err *err)
{
	int fd = openat(store->feed, name, O_RDONLY | O_CLOEXEC);
	uint8_t *piece = malloc(PIECE_LEN);
	bool ok = fd >= 0;
	ssize_t n;

	if (piece == NULL)
		abort();
	while (ok && (n = read(fd, piece, PIECE_LEN)) != 0) {
		if (n > 0)
			ok = sink(ctx, piece, (size_t)n, err);
		else
			ok = errno == EINTR;
	}
	if (!ok)
		err_set_errno(err, "feed/%s", name);
	free(piece);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
map_fd(int fd, const char *path, struct store_map *map, struct err *err)
{
	struct stat st;
	void *data;

	map->data = NULL;
	map->len = 0;
	if (fstat(fd, &st) != 0)
		return err_set_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_MALFORMED, "%s: not a file", path);
	if (st.st_size == 0)
		return true;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_set_errno(err, "%s", path);
	map->data = data;
	map->len = (size_t)st.st_size;
	return true;
}

static bool
map_at(int dir, const char *path, struct store_map *map, struct err *err)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	memset(map, 0, sizeof(*map));
	if (fd < 0)
		return errno != ENOENT && err_set_errno(err, "%s", path);
	ok = map_fd(fd, path, map, err);
	close(fd);
	return ok;
}

bool
store_map(struct store *store, const char *path, struct store_map *map,
    struct err *err)
{
	return map_at(store->dir, path, map, err);
}

bool
store_map_content(struct store *store, const char name[FEED_NAME_LEN + 1],
    struct store_map *map, struct err *err)
{
	return map_at(store->feed, name, map, err);
}

bool
store_map_file(
    const struct store_file *file, struct store_map *map, struct err *err)
{
	return map_fd(file->fd, "what was written", map, err);
}

void
store_unmap(struct store_map *map)
{
	if (map->data != NULL)
		munmap((void *)(uintptr_t)map->data, map->len);
	map->data = NULL;
	map->len = 0;
}
