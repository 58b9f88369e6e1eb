/* SPDX-License-Identifier: ISC */
/* Following the feed's folder: see plugin_follower.h. */
#include "broker/plugin_follower.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "base/clock.h"

enum {
	LOOK_MS = 50,	   /* how often it looks */
	AGAIN_US = 1000000 /* after a failure it reads the same state again */
};

/* What tells one state from the next without reading it. */
struct look {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct follower {
	char *dir;
	char state_path[PATH_MAX];
	pthread_t thread;
	bool running;

	/* Of the thread that loads alone. */
	struct look seen;
	bool failed;
	int64_t failed_us;
	struct plugin_list *last; /* the newest; it is fresh, or taken */

	/* From one thread to the other. */
	_Atomic(struct plugin_list *) fresh;   /* to be taken */
	_Atomic(struct plugin_list *) retired; /* to be freed */

	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t wake;  /* to end */
	bool end;
	struct err trouble;
	bool told; /* trouble was, to the broker */
};

/* Trouble, or none (ERR_NONE). */
static void
report(struct follower *f, const struct err *err)
{
	pthread_mutex_lock(&f->lock);
	if (err->code != f->trouble.code ||
	    strcmp(err->detail, f->trouble.detail) != 0) {
		f->trouble = *err;
		f->told = false;
	}
	pthread_mutex_unlock(&f->lock);
}

/* Leave a list to be taken.  One that nobody took is superseded. */
static void
offer(struct follower *f, struct plugin_list *list)
{
	struct plugin_list *untaken = atomic_exchange(&f->fresh, list);

	f->last = list;
	plugin_list_free(untaken);
}

static void
free_retired(struct follower *f)
{
	struct plugin_list *list = atomic_exchange(&f->retired, NULL), *next;

	for (; list != NULL; list = next) {
		next = list->next;
		plugin_list_free(list);
	}
}

static bool
is_same(const struct look *one, const struct look *other)
{
	return one->dev == other->dev && one->ino == other->ino &&
	       one->size == other->size &&
	       one->mtime.tv_sec == other->mtime.tv_sec &&
	       one->mtime.tv_nsec == other->mtime.tv_nsec;
}

/* Whether there is a state that has not been read. */
static bool
look(struct follower *f, struct err *err)
{
	struct look now;
	struct stat st;

	if (stat(f->state_path, &st) != 0) {
		f->seen = (struct look){0};
		return err_set_errno(err, "%.160s", f->state_path);
	}
	now = (struct look){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
	if (is_same(&now, &f->seen) &&
	    !(f->failed && clock_mono_us() - f->failed_us > AGAIN_US))
		return false;
	f->seen = now;
	return true;
}

static void
follow(struct follower *f)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_list *list;

	if (!look(f, &err)) {
		if (err.code != ERR_NONE)
			report(f, &err);
		return;
	}
	list = plugin_list_load(f->dir, f->last, clock_wall_ms(), &err);
	f->failed = list == NULL;
	f->failed_us = clock_mono_us();
	report(f, &err);
	if (list != NULL)
		offer(f, list);
	ERR_clear_error();
}

/* False when it is to end. */
static bool
wait_a_little(struct follower *f)
{
	struct timespec until;
	bool end;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&f->lock);
	while (!f->end &&
	       pthread_cond_timedwait(&f->wake, &f->lock, &until) != ETIMEDOUT)
		;
	end = f->end;
	pthread_mutex_unlock(&f->lock);
	return !end;
}

static void *
run(void *ctx)
{
	struct follower *f = ctx;

	/*
	 * No less important than the broker, though it takes its time: what it
	 * reads is who is to be shut out.
	 */
	while (wait_a_little(f)) {
		free_retired(f);
		follow(f);
	}
	return NULL;
}

struct follower *
follower_new(const char *dir)
{
	struct follower *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;

	if (f == NULL || (f->dir = strdup(dir)) == NULL) {
		free(f);
		return NULL;
	}
	snprintf(f->state_path, sizeof(f->state_path), "%s/state", dir);
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->wake, &attr);
	pthread_condattr_destroy(&attr);
	f->told = true;
	follow(f);
	return f;
}

bool
follower_start(struct follower *f, struct err *err)
{
	sigset_t all, before;

	/* The broker's signals are the broker's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&f->thread, NULL, run, f);
	f->running = errno == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return f->running || err_set_errno(err, "no thread to follow the feed");
}

void
follower_free(struct follower *f)
{
	if (f == NULL)
		return;
	if (f->running) {
		pthread_mutex_lock(&f->lock);
		f->end = true;
		pthread_cond_signal(&f->wake);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->thread, NULL);
	}
	free_retired(f);
	plugin_list_free(atomic_exchange(&f->fresh, NULL));
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f->dir);
	free(f);
}

struct plugin_list *
follower_take(struct follower *f)
{
	if (atomic_load(&f->fresh) == NULL)
		return NULL;
	return atomic_exchange(&f->fresh, NULL);
}

void
follower_retire(struct follower *f, struct plugin_list *list)
{
	if (list == NULL)
		return;
	list->next = atomic_load(&f->retired);
	while (!atomic_compare_exchange_weak(&f->retired, &list->next, list))
		;
}

bool
follower_trouble(struct follower *f, struct err *out)
{
	bool news;

	/* Held for a moment only, but this thread is not to wait at all. */
	if (pthread_mutex_trylock(&f->lock) != 0)
		return false;
	news = !f->told;
	f->told = true;
	*out = f->trouble;
	pthread_mutex_unlock(&f->lock);
	return news;
}
