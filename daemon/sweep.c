/* SPDX-License-Identifier: ISC */
/* Removing what the feed doesn't name any more: see sweep.h. */
#include "daemon/sweep.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encoding/feed.h"

#define SECOND_US INT64_C(1000000)
#define KEEP_US (600 * SECOND_US)
#define KEEP_BYTES INT64_C(268435456)
/* Even then: who read a state a moment ago is on the way. */
#define KEEP_LEAST_US (10 * SECOND_US)

/* A file that no state names. */
struct unnamed {
	char name[FEED_NAME_LEN + 1];
	int64_t since; /* clock_mono_us */
	int64_t bytes;
	bool seen; /* in the present look */
};

struct sweep {
	struct unnamed *files; /* by name */
	size_t count;
};

struct sweep *
sweep_new(void)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (sweep == NULL)
		abort();
	return sweep;
}

void
sweep_free(struct sweep *sweep)
{
	if (sweep == NULL)
		return;
	free(sweep->files);
	free(sweep);
}

static bool
is_content(const char *name)
{
	return strlen(name) == FEED_NAME_LEN &&
	       strspn(name, "0123456789abcdef") == FEED_NAME_LEN;
}

static int
by_name(const void *a, const void *b)
{
	const struct unnamed *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The youngest first. */
static int
by_since(const void *a, const void *b)
{
	const struct unnamed *const *x = a, *const *y = b;

	return ((*x)->since < (*y)->since) - ((*x)->since > (*y)->since);
}

/* known: how many of the table are in order, and were there before. */
static void
note(struct sweep *sweep, size_t known, const char *name, int64_t bytes,
    int64_t now_us)
{
	struct unnamed file = {.since = now_us, .bytes = bytes, .seen = true};
	struct unnamed *found, *grown;

	memcpy(file.name, name, FEED_NAME_LEN + 1);
	found = known == 0 ? NULL
			   : bsearch(&file, sweep->files, known,
				 sizeof(*sweep->files), by_name);
	if (found != NULL) {
		found->seen = true;
		return;
	}
	grown =
	    reallocarray(sweep->files, sweep->count + 1, sizeof(*sweep->files));
	if (grown == NULL)
		abort();
	sweep->files = grown;
	grown[sweep->count++] = file;
}

/* Bring the table up to what lies in the folder. */
static void
look(struct sweep *sweep, int feed, DIR *folder, sweep_named_fn *named,
    void *ctx, int64_t now_us)
{
	size_t i, known = sweep->count, kept = 0;
	struct dirent *entry;
	struct stat st;

	for (i = 0; i < known; i++)
		sweep->files[i].seen = false;
	while ((entry = readdir(folder)) != NULL)
		if (is_content(entry->d_name) && !named(ctx, entry->d_name) &&
		    fstatat(feed, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			note(sweep, known, entry->d_name, (int64_t)st.st_size,
			    now_us);
	/* Without what is gone, or named again. */
	for (i = 0; i < sweep->count; i++)
		if (sweep->files[i].seen)
			sweep->files[kept++] = sweep->files[i];
	sweep->count = kept;
	if (kept > 0)
		qsort(sweep->files, kept, sizeof(*sweep->files), by_name);
}

static void
drop(struct sweep *sweep, int feed, int64_t now_us)
{
	struct unnamed **order = calloc(sweep->count + 1, sizeof(*order));
	int64_t age, bytes = 0;
	size_t i;

	if (order == NULL)
		abort();
	for (i = 0; i < sweep->count; i++)
		order[i] = &sweep->files[i];
	qsort(order, sweep->count, sizeof(struct unnamed *), by_since);
	for (i = 0; i < sweep->count; i++) {
		bytes += order[i]->bytes;
		age = now_us - order[i]->since;
		if (age >= KEEP_US ||
		    (bytes > KEEP_BYTES && age >= KEEP_LEAST_US))
			unlinkat(feed, order[i]->name, 0);
	}
	free(order);
}

void
sweep_run(struct sweep *sweep, int feed, sweep_named_fn *named, void *ctx,
    int64_t now_us)
{
	int fd = openat(feed, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	look(sweep, feed, folder, named, ctx, now_us);
	closedir(folder);
	drop(sweep, feed, now_us);
}
