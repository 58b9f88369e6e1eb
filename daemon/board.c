/* SPDX-License-Identifier: ISC */
/* What the threads tell each other: see board.h. */
#include "daemon/board.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct board {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	bool fresh; /* something in work that wasn't taken yet */
	struct board_work work;
	struct board_base base;
	uint64_t closed;
	struct board_numbers numbers;
};

static const char *const alarm_names[ALARM_MAX] = {
    [ALARM_DATABASE] = "database",
    [ALARM_FEED] = "feed",
    [ALARM_LISTS] = "lists",
    [ALARM_KEYS] = "keys",
    [ALARM_PATHS] = "paths",
    [ALARM_CRLS] = "crls",
    [ALARM_STALE] = "stale",
};

const char *
board_alarm_name(enum board_alarm alarm)
{
	return alarm_names[alarm];
}

struct board *
board_new(void)
{
	struct board *board = calloc(1, sizeof(*board));
	pthread_condattr_t attr;

	if (board == NULL)
		abort();
	board->work.sequence = board->numbers.sequence = -1;
	pthread_mutex_init(&board->lock, NULL);
	/* The wall's clock may be set. */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&board->changed, &attr);
	pthread_condattr_destroy(&attr);
	return board;
}

void
board_free(struct board *board)
{
	if (board == NULL)
		return;
	pthread_cond_destroy(&board->changed);
	pthread_mutex_destroy(&board->lock);
	free(board);
}

/* Under the lock; lets go of it. */
static void
wake(struct board *board)
{
	board->fresh = true;
	pthread_cond_broadcast(&board->changed);
	pthread_mutex_unlock(&board->lock);
}

void
board_stop(struct board *board)
{
	pthread_mutex_lock(&board->lock);
	board->stop = true;
	wake(board);
}

bool
board_stopping(struct board *board)
{
	bool stop;

	pthread_mutex_lock(&board->lock);
	stop = board->stop;
	pthread_mutex_unlock(&board->lock);
	return stop;
}

void
board_lead(struct board *board, int64_t epoch)
{
	pthread_mutex_lock(&board->lock);
	if (board->work.epoch == epoch) {
		pthread_mutex_unlock(&board->lock);
		return;
	}
	board->work.epoch = board->numbers.epoch = epoch;
	wake(board);
}

void
board_claimed(struct board *board, int64_t sequence)
{
	pthread_mutex_lock(&board->lock);
	if (board->work.sequence == sequence) {
		pthread_mutex_unlock(&board->lock);
		return;
	}
	board->work.sequence = board->numbers.sequence = sequence;
	wake(board);
}

void
board_unclaimed(struct board *board, int64_t count, int64_t seconds)
{
	pthread_mutex_lock(&board->lock);
	board->numbers.unclaimed = count;
	board->numbers.unclaimed_s = seconds;
	pthread_mutex_unlock(&board->lock);
}

void
board_issuers_changed(struct board *board)
{
	pthread_mutex_lock(&board->lock);
	board->work.issuers++;
	wake(board);
}

void
board_want_base(struct board *board)
{
	pthread_mutex_lock(&board->lock);
	if (board->work.want_base) {
		pthread_mutex_unlock(&board->lock);
		return;
	}
	board->work.want_base = true;
	wake(board);
}

void
board_want_load(struct board *board)
{
	pthread_mutex_lock(&board->lock);
	if (board->work.want_load) {
		pthread_mutex_unlock(&board->lock);
		return;
	}
	board->work.want_load = true;
	wake(board);
}

bool
board_wait(struct board *board, int64_t until_us, struct board_work *work)
{
	const struct timespec until = {
	    .tv_sec = (time_t)(until_us / 1000000),
	    .tv_nsec = (long)(until_us % 1000000) * 1000,
	};
	int rc = 0;

	pthread_mutex_lock(&board->lock);
	while (!board->stop && !board->fresh && rc == 0)
		rc = pthread_cond_timedwait(
		    &board->changed, &board->lock, &until);
	*work = board->work;
	board->work.want_base = board->work.want_load = false;
	board->fresh = board->stop;
	pthread_mutex_unlock(&board->lock);
	return !board_stopping(board);
}

void
board_put_base(struct board *board, const struct board_base *base)
{
	pthread_mutex_lock(&board->lock);
	board->base = *base;
	pthread_mutex_unlock(&board->lock);
}

void
board_get_base(struct board *board, struct board_base *base)
{
	pthread_mutex_lock(&board->lock);
	*base = board->base;
	pthread_mutex_unlock(&board->lock);
}

void
board_closed(struct board *board)
{
	pthread_mutex_lock(&board->lock);
	board->closed++;
	pthread_mutex_unlock(&board->lock);
}

uint64_t
board_closed_count(struct board *board)
{
	uint64_t count;

	pthread_mutex_lock(&board->lock);
	count = board->closed;
	pthread_mutex_unlock(&board->lock);
	return count;
}

void
board_alarm(struct board *board, enum board_alarm alarm, bool on)
{
	pthread_mutex_lock(&board->lock);
	board->numbers.alarms[alarm] = on;
	pthread_mutex_unlock(&board->lock);
}

void
board_put_crls(struct board *board, const struct board_crl *crls, size_t n)
{
	pthread_mutex_lock(&board->lock);
	if (n > BOARD_CRLS_MAX)
		n = BOARD_CRLS_MAX;
	if (n > 0)
		memcpy(board->numbers.crls, crls, n * sizeof(*crls));
	board->numbers.crl_count = n;
	pthread_mutex_unlock(&board->lock);
}

void
board_numbers(struct board *board, struct board_numbers *out)
{
	pthread_mutex_lock(&board->lock);
	*out = board->numbers;
	pthread_mutex_unlock(&board->lock);
}
