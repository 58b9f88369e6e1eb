/* SPDX-License-Identifier: ISC */
/* Tests of world/batch.h, with a run function that the test can hold up. */
#include "world/batch.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "unit.h"

enum { CALLS_MAX = 64, FAR = 60 * 1000 * 1000 };

/* A run function's memory: what it was given, and what it shall answer. */
struct world {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool held;		  /* calls wait while this is set */
	size_t calls;		  /* entered so far */
	size_t sizes[CALLS_MAX];  /* items of each call */
	int order[CALLS_MAX * 4]; /* values in the order they were run */
	size_t ran;
	int poison;		  /* a call that holds it is rolled back */
	enum batch_result answer; /* else */
	struct batch *batch;
};

struct client {
	struct world *world;
	int value;
	int64_t deadline;
	enum batch_result result;
	pthread_t thread;
};

static enum batch_result
run(void *ctx, void **items, size_t n, int64_t send_by)
{
	struct world *w = ctx;
	enum batch_result result = w->answer;
	int64_t earliest = INT64_MAX;
	size_t i;

	for (i = 0; i < n; i++)
		if (((struct client *)items[i])->deadline < earliest)
			earliest = ((struct client *)items[i])->deadline;
	ck_assert_int_eq(send_by, earliest);

	pthread_mutex_lock(&w->lock);
	ck_assert_uint_lt(w->calls, CALLS_MAX);
	w->sizes[w->calls++] = n;
	pthread_cond_broadcast(&w->changed);
	while (w->held)
		pthread_cond_wait(&w->changed, &w->lock);
	for (i = 0; i < n; i++) {
		w->order[w->ran++] = ((struct client *)items[i])->value;
		if (((struct client *)items[i])->value == w->poison)
			result = BATCH_ROLLED_BACK;
	}
	pthread_mutex_unlock(&w->lock);
	return result;
}

static void
world_init(struct world *w, size_t max, bool held)
{
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->held = held;
	w->poison = -1;
	w->answer = BATCH_DONE;
	w->batch = batch_new(max, run, w);
}

static void *
client_main(void *arg)
{
	struct client *c = arg;

	c->result = batch_submit(c->world->batch, c, c->deadline);
	return NULL;
}

static void
client_start(struct client *c, struct world *w, int value, int64_t deadline)
{
	*c = (struct client){.world = w, .value = value, .deadline = deadline};
	pthread_create(&c->thread, NULL, client_main, c);
}

/* Wait until the run function has been entered n times. */
static void
await_calls(struct world *w, size_t n)
{
	pthread_mutex_lock(&w->lock);
	while (w->calls < n)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static void
release(struct world *w)
{
	pthread_mutex_lock(&w->lock);
	w->held = false;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Long enough for a thread to have queued itself. */
static void
let_queue(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
}

/*
 * Start n clients: the first is led into the held run function, the others
 * queue behind it in order.  Then let go and join them.
 */
static void
play(struct world *w, struct client *clients, size_t n, int64_t deadline)
{
	size_t i;

	client_start(&clients[0], w, 0, clock_mono_us() + FAR);
	await_calls(w, 1);
	for (i = 1; i < n; i++) {
		client_start(&clients[i], w, (int)i, deadline);
		let_queue();
	}
	release(w);
	for (i = 0; i < n; i++)
		pthread_join(clients[i].thread, NULL);
	batch_free(w->batch);
}

START_TEST(test_alone_is_a_batch_of_one)
{
	struct world w;
	struct client c[1];

	world_init(&w, 8, false);
	client_start(&c[0], &w, 7, clock_mono_us() + FAR);
	pthread_join(c[0].thread, NULL);
	ck_assert_int_eq(c[0].result, BATCH_DONE);
	ck_assert_uint_eq(w.calls, 1);
	ck_assert_uint_eq(w.sizes[0], 1);
	batch_free(w.batch);
}
END_TEST

START_TEST(test_those_who_wait_go_together)
{
	struct client c[6];
	struct world w;
	size_t i;

	world_init(&w, 8, true);
	play(&w, c, 6, clock_mono_us() + FAR);
	ck_assert_uint_eq(w.calls, 2);
	ck_assert_uint_eq(w.sizes[1], 5);
	for (i = 0; i < 6; i++) {
		ck_assert_int_eq(c[i].result, BATCH_DONE);
		ck_assert_int_eq(w.order[i], (int)i);
	}
}
END_TEST

START_TEST(test_no_more_than_max_go_together)
{
	struct client c[6];
	struct world w;

	world_init(&w, 2, true);
	play(&w, c, 6, clock_mono_us() + FAR);
	ck_assert_uint_eq(w.calls, 4);
	ck_assert_uint_eq(w.sizes[1], 2);
	ck_assert_uint_eq(w.sizes[2], 2);
	ck_assert_uint_eq(w.sizes[3], 1);
}
END_TEST

START_TEST(test_a_bad_one_does_not_fail_its_neighbours)
{
	struct client c[5];
	struct world w;
	size_t i;

	world_init(&w, 8, true);
	w.poison = 3;
	play(&w, c, 5, clock_mono_us() + FAR);
	/* One alone, four together, then these four one by one. */
	ck_assert_uint_eq(w.calls, 6);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(
		    c[i].result, i == 3 ? BATCH_ROLLED_BACK : BATCH_DONE);
}
END_TEST

START_TEST(test_one_rolled_back_alone_is_not_repeated)
{
	struct client c[1];
	struct world w;

	world_init(&w, 8, false);
	w.poison = 1;
	client_start(&c[0], &w, 1, clock_mono_us() + FAR);
	pthread_join(c[0].thread, NULL);
	ck_assert_int_eq(c[0].result, BATCH_ROLLED_BACK);
	ck_assert_uint_eq(w.calls, 1);
	batch_free(w.batch);
}
END_TEST

START_TEST(test_what_may_be_committed_is_never_repeated)
{
	const enum batch_result answers[] = {BATCH_UNKNOWN, BATCH_DOWN};
	struct client c[4];
	struct world w;
	size_t a, i;

	for (a = 0; a < COUNT(answers); a++) {
		world_init(&w, 8, true);
		w.answer = answers[a];
		play(&w, c, 4, clock_mono_us() + FAR);
		ck_assert_uint_eq(w.calls, 2);
		for (i = 0; i < 4; i++)
			ck_assert_int_eq(c[i].result, answers[a]);
	}
}
END_TEST

START_TEST(test_what_waited_too_long_is_not_run)
{
	struct client c[4];
	struct world w;

	world_init(&w, 8, true);
	play(&w, c, 4, clock_mono_us() + 1000);
	ck_assert_uint_eq(w.calls, 1);
	ck_assert_uint_eq(w.ran, 1);
	ck_assert_int_eq(c[0].result, BATCH_DONE);
	ck_assert_int_eq(c[1].result, BATCH_EXPIRED);
	ck_assert_int_eq(c[2].result, BATCH_EXPIRED);
	ck_assert_int_eq(c[3].result, BATCH_EXPIRED);
}
END_TEST

START_TEST(test_the_late_do_not_hold_the_fresh_up)
{
	struct client c[3];
	struct world w;

	world_init(&w, 8, true);
	client_start(&c[0], &w, 0, clock_mono_us() + FAR);
	await_calls(&w, 1);
	client_start(&c[1], &w, 1, clock_mono_us());
	let_queue();
	client_start(&c[2], &w, 2, clock_mono_us() + FAR);
	let_queue();
	release(&w);
	pthread_join(c[0].thread, NULL);
	pthread_join(c[1].thread, NULL);
	pthread_join(c[2].thread, NULL);
	ck_assert_int_eq(c[1].result, BATCH_EXPIRED);
	ck_assert_int_eq(c[2].result, BATCH_DONE);
	ck_assert_int_eq(w.order[1], 2);
	batch_free(w.batch);
}
END_TEST

/* Many threads at once: everyone is answered, nobody twice. */
enum { CROWD = 16, ROUNDS = 200 };

static enum batch_result
count(void *ctx, void **items, size_t n, int64_t send_by)
{
	size_t i;

	(void)ctx;
	(void)send_by;
	for (i = 0; i < n; i++)
		++*(int *)items[i];
	return BATCH_DONE;
}

static void *
crowd_main(void *arg)
{
	struct batch *b = arg;
	int i, ran;

	for (i = 0; i < ROUNDS; i++) {
		ran = 0;
		ck_assert_int_eq(
		    batch_submit(b, &ran, clock_mono_us() + FAR), BATCH_DONE);
		ck_assert_int_eq(ran, 1);
	}
	return NULL;
}

START_TEST(test_a_crowd_is_served_once_each)
{
	struct batch *b = batch_new(4, count, NULL);
	pthread_t threads[CROWD];
	size_t i;

	for (i = 0; i < CROWD; i++)
		pthread_create(&threads[i], NULL, crowd_main, b);
	for (i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	batch_free(b);
}
END_TEST

UNIT_MAIN("batch", test_alone_is_a_batch_of_one,
    test_those_who_wait_go_together, test_no_more_than_max_go_together,
    test_a_bad_one_does_not_fail_its_neighbours,
    test_one_rolled_back_alone_is_not_repeated,
    test_what_may_be_committed_is_never_repeated,
    test_what_waited_too_long_is_not_run,
    test_the_late_do_not_hold_the_fresh_up, test_a_crowd_is_served_once_each)
