/* SPDX-License-Identifier: ISC */
/* The folder of last good files: see brokerd_folder.h. */
#include "broker/brokerd_folder.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define STATE_FILE "state"
#define LOCK_FILE "lock"

enum { FOLDER_MODE = 0750 };

static bool
lock(struct folder *folder, struct err *err)
{
	folder->lock = openat(folder->fd, LOCK_FILE,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FOLDER_FILE_MODE);
	if (folder->lock < 0)
		return err_set_errno(
		    err, "PAPPUS_FEED_DIR: cannot write in %s", folder->path);
	if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno != EWOULDBLOCK)
		return err_set_errno(
		    err, "PAPPUS_FEED_DIR: cannot lock %s", folder->path);
	return err_set(err, ERR_CONFIG,
	    "PAPPUS_FEED_DIR: another pappus-brokerd keeps %s", folder->path);
}

bool
folder_open(struct folder *folder, const char *path, struct err *err)
{
	*folder = (struct folder){.path = path, .fd = -1, .lock = -1};
	if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
		return err_set_errno(
		    err, "PAPPUS_FEED_DIR: cannot make %s", path);
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0)
		return err_set_errno(err, "PAPPUS_FEED_DIR: %s", path);
	if (lock(folder, err))
		return true;
	folder_close(folder);
	return false;
}

void
folder_close(struct folder *folder)
{
	if (folder->lock >= 0)
		close(folder->lock);
	if (folder->fd >= 0)
		close(folder->fd);
	folder->fd = folder->lock = -1;
}

bool
folder_read_state(
    const struct folder *folder, struct feed_state *out, struct err *err)
{
	struct file_map *map = file_map_open(folder->fd, STATE_FILE, err);
	bool ok;

	if (map == NULL)
		return false;
	ok = feed_state_parse(file_map_data(map), file_map_len(map), out, err);
	file_map_unref(map);
	return ok;
}

bool
folder_state_names(const struct feed_state *state, const char *name)
{
	size_t i;

	if (strcmp(name, state->deny_base) == 0 ||
	    strcmp(name, state->deny_delta) == 0)
		return true;
	for (i = 0; i < state->crl_count; i++)
		if (strcmp(name, state->crl[i].name) == 0)
			return true;
	return false;
}

/* Files age by their mtime, from when they were last named. */
static void
retire(const struct folder *folder, const char *name,
    const struct feed_state *state)
{
	if (!folder_state_names(state, name))
		utimensat(folder->fd, name, NULL, AT_SYMLINK_NOFOLLOW);
}

bool
folder_write_state(const struct folder *folder, const struct feed_state *old,
    const struct feed_state *state, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok;
	size_t i;

	feed_state_print(state, &text);
	ok = file_replace(folder->fd, STATE_FILE, FOLDER_FILE_MODE, text.data,
	    text.len, true, err);
	buf_free(&text);
	if (!ok || old == NULL)
		return ok;
	retire(folder, old->deny_base, state);
	retire(folder, old->deny_delta, state);
	for (i = 0; i < old->crl_count; i++)
		retire(folder, old->crl[i].name, state);
	return true;
}

struct file_map *
folder_map(const struct folder *folder, const char *name, struct err *err)
{
	struct file_map *map = file_map_open(folder->fd, name, err);
	char digest[FEED_NAME_LEN + 1];

	if (map == NULL)
		return NULL;
	file_map_digest(map, digest);
	if (strcmp(digest, name) == 0) {
		/* It may be named again: young, it isn't swept before that. */
		utimensat(folder->fd, name, NULL, AT_SYMLINK_NOFOLLOW);
		return map;
	}
	file_map_unref(map);
	unlinkat(folder->fd, name, 0);
	err_set(err, ERR_MALFORMED,
	    "the file of that name in our folder was damaged; it is removed");
	return NULL;
}

static bool
is_name(const char *name)
{
	return strlen(name) == FEED_NAME_LEN &&
	       strspn(name, "0123456789abcdef") == FEED_NAME_LEN;
}

static bool
is_garbage(const struct folder *folder, const char *name, int64_t age_s)
{
	struct stat st;
	int64_t age;

	if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	age = clock_wall_ms() / 1000 - (int64_t)st.st_mtim.tv_sec;
	/* One from the future has seen a clock put right. */
	return age >= age_s || age < -age_s;
}

static bool
is_extra(const char (*extra)[FEED_NAME_LEN + 1], size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(extra[i], name) == 0)
			return true;
	return false;
}

static bool
is_temp(const char *name)
{
	return strncmp(name, FILE_TEMP_PREFIX, strlen(FILE_TEMP_PREFIX)) == 0;
}

size_t
folder_sweep(const struct folder *folder, const struct feed_state *state,
    const char (*extra)[FEED_NAME_LEN + 1], size_t n, int64_t age_s)
{
	DIR *dir = opendir(folder->path);
	struct dirent *entry;
	const char *name;
	size_t removed = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		name = entry->d_name;
		if (!is_name(name) || folder_state_names(state, name) ||
		    is_extra(extra, n, name))
			continue;
		if (is_garbage(folder, name, age_s) &&
		    unlinkat(folder->fd, name, 0) == 0)
			removed++;
	}
	closedir(dir);
	return removed;
}

void
folder_sweep_temps(const struct folder *folder)
{
	DIR *dir = opendir(folder->path);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (is_temp(entry->d_name))
			unlinkat(folder->fd, entry->d_name, 0);
	closedir(dir);
}
