/* SPDX-License-Identifier: ISC */
/* A folder of a test's own, gone at its end. */
#ifndef PAPPUS_TESTS_FOLDER_H
#define PAPPUS_TESTS_FOLDER_H

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static char folder[PATH_MAX];

static inline void
folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/pappus-unit.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline const char *
folder_path(const char *name)
{
	static char path[PATH_MAX * 2];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline int
folder_remove_one(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void
folder_remove(void)
{
	nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool
folder_has(const char *name)
{
	return access(folder_path(name), F_OK) == 0;
}

static inline void
folder_write(const char *name, const char *text)
{
	int fd = open(folder_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A small file's text. */
static inline const char *
folder_read(const char *name)
{
	static char text[4096];
	int fd = open(folder_path(name), O_RDONLY);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	return text;
}

/* How many names a folder below holds, hidden ones too. */
static inline int
folder_count(const char *name)
{
	DIR *dir = opendir(folder_path(name));
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 &&
		     strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

#endif
