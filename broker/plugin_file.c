/* SPDX-License-Identifier: ISC */
/* Files of the feed, in memory: see plugin_file.h. */
#include "broker/plugin_file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "encoding/hex.h"

enum { DIGEST_LEN = 32, FILE_MAX_MIB = 1024 };

/* Open it and say how long it is. */
static int
open_file(const char *dir, const char *name, size_t *len, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX) {
		err_set(err, ERR_SYSTEM, "%.80s…: path too long", dir);
		return -1;
	}
	/* Not to wait for somebody's FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0) {
		err_set_errno(err, "%.160s", path);
	} else if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_SYSTEM, "%.160s: no regular file", path);
	} else {
		*len = (size_t)st.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Exactly len octets, or a reason why not. */
static bool
read_all(int fd, uint8_t *to, size_t len, struct err *err)
{
	ssize_t got;

	while (len > 0) {
		got = read(fd, to, len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, "a file cannot be read");
		if (got == 0)
			return err_set(
			    err, ERR_SYSTEM, "a file shrinks while it is read");
		to += got;
		len -= (size_t)got;
	}
	return true;
}

static bool
check_digest(const struct plugin_file *file, struct err *err)
{
	char hex[HEX_LEN(DIGEST_LEN) + 1];
	uint8_t digest[DIGEST_LEN];

	if (EVP_Digest(
		file->data, file->len, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, ERR_CRYPTO, "SHA-256 failed");
	hex_encode(digest, sizeof(digest), hex);
	if (strcmp(hex, file->name) != 0)
		return err_set(err, ERR_MISMATCH,
		    "%s holds something else (SHA-256 %s)", file->name, hex);
	return true;
}

struct plugin_file *
plugin_file_read(const char *dir, const char *name, struct err *err)
{
	struct plugin_file *file;
	size_t len = 0;
	int fd = open_file(dir, name, &len, err);
	bool ok;

	if (fd < 0)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (file != NULL && len >> 20 < FILE_MAX_MIB)
		file->data = malloc(len + 1);
	if (file == NULL || file->data == NULL) {
		err_set(
		    err, ERR_SYSTEM, "%s: no memory for %zu octets", name, len);
		free(file);
		close(fd);
		return NULL;
	}
	file->users = 1;
	file->len = len;
	snprintf(file->name, sizeof(file->name), "%s", name);
	ok = read_all(fd, file->data, len, err) && check_digest(file, err);
	close(fd);
	if (!ok) {
		plugin_file_release(file);
		return NULL;
	}
	return file;
}

bool
plugin_file_slurp(const char *dir, const char *name, size_t max, uint8_t *out,
    size_t *len, struct err *err)
{
	int fd = open_file(dir, name, len, err);
	bool ok;

	if (fd < 0)
		return false;
	if (*len > max)
		ok = err_set(
		    err, ERR_TOO_LONG, "%s: over %zu octets", name, max);
	else
		ok = read_all(fd, out, *len, err);
	close(fd);
	return ok;
}

void
plugin_file_release(struct plugin_file *file)
{
	if (file == NULL || --file->users > 0)
		return;
	free(file->data);
	free(file);
}
