/* SPDX-License-Identifier: ISC */
/* Group commit: see batch.h. */
#include "world/batch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

/* One waiting thread; lives on its stack. */
struct waiter {
	void *item;
	int64_t deadline;
	enum batch_result result;
	bool done;
	pthread_cond_t wake;
	struct waiter *next;
};

struct batch {
	batch_run_fn *run;
	void *ctx;
	size_t max;
	pthread_mutex_t lock; /* over all below */
	bool running;	      /* someone leads */
	struct waiter *head;  /* the next to lead */
	struct waiter *tail;
	/* Belong to whoever leads. */
	struct waiter **members;
	void **items;
};

struct batch *
batch_new(size_t max, batch_run_fn *run, void *ctx)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		abort();
	b->run = run;
	b->ctx = ctx;
	b->max = max;
	b->members = calloc(max, sizeof(*b->members));
	b->items = calloc(max, sizeof(*b->items));
	if (b->members == NULL || b->items == NULL)
		abort();
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b->members);
	free(b->items);
	free(b);
}

static void
enqueue(struct batch *b, struct waiter *w)
{
	if (b->head == NULL)
		b->head = w;
	else
		b->tail->next = w;
	b->tail = w;
}

/* Take up to max waiters off the queue, with the lock held. */
static size_t
take_all(struct batch *b)
{
	size_t n = 0;

	while (b->head != NULL && n < b->max) {
		b->members[n++] = b->head;
		b->head = b->head->next;
	}
	return n;
}

/*
 * Run members[0..n) as one call.  What is late is left out: executed now, it
 * could undo what the client's next attempt has already been given.
 */
static enum batch_result
run_together(struct batch *b, struct waiter **members, size_t n)
{
	int64_t now = clock_mono_us(), send_by = INT64_MAX;
	enum batch_result result;
	size_t i, fresh = 0;

	for (i = 0; i < n; i++) {
		members[i]->result = BATCH_EXPIRED;
		if (members[i]->deadline <= now)
			continue;
		b->items[fresh++] = members[i]->item;
		if (members[i]->deadline < send_by)
			send_by = members[i]->deadline;
	}
	if (fresh == 0)
		return BATCH_EXPIRED;
	result = b->run(b->ctx, b->items, fresh, send_by);
	for (i = 0; i < n; i++)
		if (members[i]->deadline > now)
			members[i]->result = result;
	return result;
}

static void
lead(struct batch *b)
{
	size_t i, n;

	b->running = true;
	n = take_all(b);
	pthread_mutex_unlock(&b->lock);

	if (run_together(b, b->members, n) == BATCH_ROLLED_BACK && n > 1)
		for (i = 0; i < n; i++)
			if (b->members[i]->result == BATCH_ROLLED_BACK)
				run_together(b, &b->members[i], 1);

	pthread_mutex_lock(&b->lock);
	b->running = false;
	/* The next to lead first: the database must not wait for the others. */
	if (b->head != NULL)
		pthread_cond_signal(&b->head->wake);
	for (i = 0; i < n; i++) {
		b->members[i]->done = true;
		pthread_cond_signal(&b->members[i]->wake);
	}
}

enum batch_result
batch_submit(struct batch *b, void *item, int64_t deadline)
{
	struct waiter self = {.item = item, .deadline = deadline};

	pthread_cond_init(&self.wake, NULL);
	pthread_mutex_lock(&b->lock);
	enqueue(b, &self);
	while (!self.done) {
		if (!b->running && b->head == &self)
			lead(b);
		else
			pthread_cond_wait(&self.wake, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	pthread_cond_destroy(&self.wake);
	return self.result;
}
