/* SPDX-License-Identifier: ISC */
/* Files of pappus-ca: read whole, written once.  See ca_tool.h. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ca_tool.h"

enum { FILE_MAX_LEN = 1024 * 1024 };

static char *
copy(const char *s)
{
	char *c = strdup(s);

	if (c == NULL)
		abort();
	return c;
}

char *
ca_path(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

bool
ca_file_read(const char *path, struct buf *out, struct err *err)
{
	FILE *f = fopen(path, "rbe");
	uint8_t chunk[4096];
	size_t n, total = 0;
	bool ok;

	if (f == NULL)
		return err_set_errno(err, "%s", path);
	while (total <= FILE_MAX_LEN &&
	       (n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
		buf_add(out, chunk, n);
		total += n;
	}
	ok = ferror(f) == 0 || err_set_errno(err, "%s", path);
	if (ok && total > FILE_MAX_LEN)
		ok = err_set(
		    err, ERR_TOO_LONG, "%s: over %d bytes", path, FILE_MAX_LEN);
	fclose(f);
	explicit_bzero(chunk, sizeof(chunk));
	return ok;
}

bool
ca_file_absent(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return err_set(err, ERR_DUPLICATE,
		    "%s exists; pappus-ca overwrites nothing", path);
	return errno == ENOENT || err_set_errno(err, "%s", path);
}

bool
ca_folder_make(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, S_IRWXU) == 0)
		return true;
	if (errno != EEXIST)
		return err_set_errno(err, "%s", path);
	if (stat(path, &st) != 0)
		return err_set_errno(err, "%s", path);
	return S_ISDIR(st.st_mode) ||
	       err_set(err, ERR_CONFIG, "%s is no folder", path);
}

bool
ca_folder_lock(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	/* Not closed: the lock is held until the process ends. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	close(fd);
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_UNAVAILABLE,
		    "%s: another pappus-ca is at work here", path);
	return err_set_errno(err, "%s", path);
}

static bool
write_all(int fd, const struct buf *data)
{
	size_t done = 0;
	ssize_t n;

	while (done < data->len) {
		n = write(fd, data->data + done, data->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Write one file under a temporary name beside its place. */
static bool
write_temporary(struct ca_output *o, struct err *err)
{
	char *whole = copy(o->path);
	char *name;
	bool ok = false;
	int fd;

	if (asprintf(&name, "%s/.pappus-ca-XXXXXX", dirname(whole)) < 0)
		abort();
	free(whole);
	fd = mkostemp(name, O_CLOEXEC); /* O_EXCL, mode 0600 */
	if (fd < 0) {
		err_set_errno(err, "%s", o->path);
		free(name);
		return false;
	}
	o->temporary = name;
	ok = write_all(fd, &o->data) && fsync(fd) == 0;
	if (close(fd) != 0)
		ok = false;
	return ok || err_set_errno(err, "%s", o->path);
}

/* Rename without overwriting; some file systems can only link. */
static bool
put_in_place(struct ca_output *o, struct err *err)
{
	int rc = renameat2(
	    AT_FDCWD, o->temporary, AT_FDCWD, o->path, RENAME_NOREPLACE);

	if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) {
		rc = link(o->temporary, o->path);
		if (rc == 0)
			unlink(o->temporary);
	}
	if (rc != 0 && errno == EEXIST)
		return err_set(err, ERR_DUPLICATE,
		    "%s exists; pappus-ca overwrites nothing", o->path);
	if (rc != 0)
		return err_set_errno(err, "%s", o->path);
	o->in_place = true;
	return true;
}

/* So that a name survives a loss of power as its bytes do. */
static bool
sync_folder(const struct ca_output *o, struct err *err)
{
	char *whole = copy(o->path);
	int fd = open(dirname(whole), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);

	if (!ok)
		err_set_errno(err, "%s", o->path);
	if (fd >= 0)
		close(fd);
	free(whole);
	return ok;
}

static void
take_back(struct ca_output *o)
{
	if (o->in_place)
		unlink(o->path);
	else if (o->temporary != NULL)
		unlink(o->temporary);
	o->in_place = false;
}

bool
ca_outputs_write(struct ca_output *outputs, size_t count, struct err *err)
{
	sigset_t all, before;
	bool ok = true;
	size_t i;

	/* An interrupt between two renames would leave half a ceremony. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	for (i = 0; ok && i < count; i++)
		ok = ca_file_absent(outputs[i].path, err) &&
		     write_temporary(&outputs[i], err);
	for (i = 0; ok && i < count; i++)
		ok = put_in_place(&outputs[i], err);
	for (i = 0; ok && i < count; i++)
		ok = sync_folder(&outputs[i], err);
	for (i = 0; !ok && i < count; i++)
		take_back(&outputs[i]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ok;
}
