/* SPDX-License-Identifier: ISC */
/*
 * pappus-crld: publishes what is revoked, as a feed for brokers and as CRLs.
 * See crld.h for what its threads do.
 */
#include "config.h"

#include <sys/stat.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "daemon/crld.h"
#include "daemon/metrics.h"
#include "daemon/sweep.h"
#include "world/db.h"
#include "world/process.h"

enum {
	METRICS_S = 2,
	SWEEP_S = 10,
	STOP_S = 10 /* a call of the database may take as long as it likes */
};

static const char name[] = "pappus-crld";

static bool
configure(struct err *err)
{
	if (!conf_load(CONF_CRLD, err))
		return false;
	if (!db_conninfo_check(conf_str(CONF_DATABASE)))
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_DATABASE is no connection string that libpq takes");
	return store_check(conf_str(CONF_PUBLIC_DIR), err);
}

static bool
is_named(void *ctx, const char *file)
{
	return front_names(ctx, file);
}

static void
write_metrics(const struct crld *d)
{
	struct board_numbers *numbers = calloc(1, sizeof(*numbers));
	struct err err = {.code = ERR_NONE};
	struct buf text = BUF_INIT;
	static bool failing;
	bool ok;

	if (numbers == NULL)
		abort();
	board_numbers(d->board, numbers);
	metrics_print(numbers, front_sequence(d->front),
	    front_time_ms(d->front), clock_wall_ms(), &text);
	ok = metrics_write(conf_str(CONF_METRICS_FILE), &text, &err);
	if (!ok && !failing)
		log_msg(LOG_LEVEL_ERROR, "metrics-failed", "%s", err.detail);
	failing = !ok;
	buf_free(&text);
	free(numbers);
}

/* Until a signal: metrics, and the broom. */
static int
attend(const struct crld *d, const sigset_t *signals)
{
	const struct timespec second = {.tv_sec = 1};
	struct sweep *sweep = sweep_new();
	int caught = -1, seconds;

	for (seconds = 0; caught < 0; seconds++) {
		if (seconds % METRICS_S == 0 &&
		    conf_str(CONF_METRICS_FILE) != NULL)
			write_metrics(d);
		if (seconds % SWEEP_S == 0)
			sweep_run(sweep, store_feed(d->store), is_named,
			    d->front, clock_mono_us());
		caught = sigtimedwait(signals, NULL, &second);
	}
	sweep_free(sweep);
	return caught;
}

/* Whatever hangs is left where it is: nothing is ever half there. */
static void
join(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	if (pthread_timedjoin_np(thread, NULL, &until) == 0)
		return;
	log_msg(LOG_LEVEL_WARN, "stopped", "while waiting for the database");
	_exit(EXIT_SUCCESS);
}

static void
serve(struct crld *d, const sigset_t *signals)
{
	pthread_t feed, crls;

	if (pthread_create(&feed, NULL, feed_main, d) != 0 ||
	    pthread_create(&crls, NULL, crls_main, d) != 0)
		abort();
	log_event(LOG_LEVEL_INFO, "serving", NULL);
	log_msg(LOG_LEVEL_INFO, "stopping", "signal %d", attend(d, signals));
	board_stop(d->board);
	join(feed);
	join(crls);
	log_event(LOG_LEVEL_INFO, "stopped", NULL);
}

static bool
run(bool check_only, struct err *err)
{
	struct crld d = {.store = NULL};
	struct err confine = {.code = ERR_NONE};
	sigset_t signals;
	bool ok = false;

	/* Before any thread exists, so that all of them leave these to us. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	if (!process_harden(err) || !configure(err))
		return false;
	d.keys =
	    keys_new(conf_str(CONF_CA_DIR), conf_str(CONF_PASSPHRASE), err);
	if (d.keys == NULL)
		return false;
	if (check_only) {
		ok = true;
		goto out;
	}
	if (!process_die_with_parent(SIGTERM, err))
		goto out;
	/* What is published is for all to read, and ours to write. */
	umask(S_IWGRP | S_IWOTH);
	d.store = store_open(conf_str(CONF_PUBLIC_DIR), err);
	if (d.store == NULL)
		goto out;
	if (!process_confine(&confine))
		log_msg(LOG_LEVEL_WARN, "not-confined", "%s", confine.detail);
	d.front = front_new(d.store);
	d.board = board_new();
	serve(&d, &signals);
	ok = true;
out:
	board_free(d.board);
	front_free(d.front);
	store_free(d.store);
	keys_free(d.keys);
	return ok;
}

static void
help(void)
{
	printf(
	    "usage: %s [--check | --help | --version]\n\n"
	    "Publishes what is revoked: a feed for brokers, and CRLs.\n\n"
	    "  --check    read the configuration, say what is wrong, and end\n"
	    "  --help     print this\n"
	    "  --version  print the version\n\n",
	    name);
	conf_help(CONF_CRLD, stdout);
}

int
main(int argc, char **argv)
{
	const char *option = argc > 1 ? argv[1] : "";
	bool check_only = strcmp(option, "--check") == 0;
	struct err err = {.code = ERR_NONE};

	log_program(name);
	if (argc == 2 && strcmp(option, "--help") == 0) {
		help();
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(option, "--version") == 0) {
		printf("%s (%s) %s\n", name, PACKAGE, VERSION);
		return EXIT_SUCCESS;
	}
	if (argc > 2 || (argc == 2 && !check_only)) {
		fprintf(stderr, "%s: unknown option %s; see --help\n", name,
		    option);
		return EXIT_FAILURE;
	}
	if (!run(check_only, &err)) {
		log_msg(LOG_LEVEL_ERROR, "cannot-start", "%s", err.detail);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
