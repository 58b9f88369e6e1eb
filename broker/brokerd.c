/* SPDX-License-Identifier: ISC */
/*
 * pappus-brokerd: keeps, on the broker's host, the deny-list and the CRLs that
 * pappus-crld publishes.  It fetches them over HTTPS, verifies them and puts
 * them in place, whatever it is served the last good ones; it tells mosquitto
 * to read its CRLs again, runs a command for each newly denied device, and
 * sends two canaries to see whether all that has any effect.  See brokerd.h
 * for how it is made.
 */
#include "broker/brokerd.h"

#include "config.h"

#include <sys/eventfd.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "broker/brokerd_client.h"
#include "broker/brokerd_fetch.h"
#include "broker/brokerd_report.h"
#include "broker/brokerd_runner.h"
#include "world/process.h"

enum {
	THREADS_MAX = BROKERD_HOSTS_MAX + 3,
	GRACE_US = 10 * 1000000, /* to get the first list */
	SKEW_MAX_MS = 60 * 1000, /* thisUpdate is back-dated by so much */
	SWEEP_S = 60,
};

/* ------------------------------------------------------------ once a second */

/* The alarms that come of time alone. */
static void
look_at_times(struct brokerd *b, struct status_view *view, int64_t started)
{
	char detail[STATUS_DETAIL_MAX];
	int64_t age = clock_wall_ms() - view->state_time_ms;
	int64_t skew = view->have_skew ? view->skew_ms : 0;

	if (view->have_state)
		status_quiet(b->status, ALARM_NO_STATE);
	else if (clock_mono_us() - started > GRACE_US)
		status_alarm(b->status, ALARM_NO_STATE,
		    "no host has served a good deny-list yet");
	if (view->have_state && age > REPORT_STATE_MAX_MS)
		status_alarm(b->status, ALARM_STATE_OLD,
		    "the deny-list was last confirmed %" PRId64 " seconds ago",
		    age / 1000);
	else
		status_quiet(b->status, ALARM_STATE_OLD);
	if (skew > SKEW_MAX_MS || skew < -SKEW_MAX_MS)
		status_alarm(b->status, ALARM_CLOCK,
		    "the feed's clock is %" PRId64 " seconds %s ours",
		    (skew < 0 ? -skew : skew) / 1000,
		    skew < 0 ? "behind" : "ahead of");
	else
		status_quiet(b->status, ALARM_CLOCK);
	if (status_refuses(b->status, REFUSED_LOCAL, detail))
		status_alarm(b->status, ALARM_CANNOT_WRITE, "%s", detail);
	else
		status_quiet(b->status, ALARM_CANNOT_WRITE);
}

static void
write_reports(struct brokerd *b, const struct status_view *view)
{
	int64_t now = clock_wall_ms();
	struct buf text = BUF_INIT;
	struct err err = {0};
	const char *name;
	int folder;

	/* Should that fail, --health says that there is no news. */
	report_health(view, now, &text);
	file_replace(b->folder.fd, REPORT_HEALTH_FILE, FOLDER_FILE_MODE,
	    text.data, text.len, false, &err);
	if (b->conf.metrics_file == NULL)
		goto out;
	err_clear(&err);
	buf_reset(&text);
	report_metrics(view, now, &text);
	folder = file_folder_open(b->conf.metrics_file, &name, &err);
	if (folder >= 0 &&
	    file_replace(folder, name, 0644, text.data, text.len, false, &err))
		status_accept(b->status, NULL, "metrics");
	else
		status_refuse(
		    b->status, NULL, "metrics", "", REFUSED_LOCAL, err.detail);
	if (folder >= 0)
		close(folder);
out:
	buf_free(&text);
}

static void
sweep(struct brokerd *b)
{
	pthread_mutex_lock(&b->lock);
	if (b->have_state)
		folder_sweep(&b->folder, &b->state,
		    (const char(*)[FEED_NAME_LEN + 1]) b->hooked, 2,
		    FOLDER_GARBAGE_S);
	pthread_mutex_unlock(&b->lock);
}

/* Until a signal, or until a thread gives up. */
static void
watch(struct brokerd *b, const sigset_t *signals)
{
	struct status_view *view = calloc(1, sizeof(*view));
	const struct timespec second = {.tv_sec = 1};
	int64_t started = clock_mono_us();
	unsigned int ticks;
	int signal = 0;

	if (view == NULL)
		abort();
	for (ticks = 0; !atomic_load(&b->stop); ticks++) {
		status_view(b->status, clock_mono_us(), view);
		look_at_times(b, view, started);
		status_view(b->status, clock_mono_us(), view);
		write_reports(b, view);
		if (ticks % SWEEP_S == SWEEP_S - 1)
			sweep(b);
		signal = sigtimedwait(signals, NULL, &second);
		if (signal > 0)
			break;
	}
	if (signal > 0)
		log_msg(LOG_LEVEL_INFO, "stopping", "signal %d", signal);
	free(view);
}

/* ---------------------------------------------------------------- threads */

/* Run all threads until it is time to end. */
static void
serve(struct brokerd *b, const sigset_t *signals)
{
	struct feed_host host[BROKERD_HOSTS_MAX];
	pthread_t thread[THREADS_MAX];
	size_t n = 0, i;

#define START(function, argument)                                         \
	do {                                                              \
		if (pthread_create(                                       \
			&thread[n++], NULL, (function), (argument)) != 0) \
			abort();                                          \
	} while (0)
	for (i = 0; i < b->conf.url_count; i++) {
		host[i] = (struct feed_host){.brokerd = b, .index = i};
		START(feed_main, &host[i]);
	}
	START(lists_main, b);
	if (b->hook_socket >= 0)
		START(hook_main, b);
	if (b->conf.canary[CANARY_GOOD] != NULL ||
	    b->conf.canary[CANARY_REVOKED] != NULL)
		START(canary_main, b);
#undef START
	log_event(LOG_LEVEL_INFO, "serving", NULL);
	watch(b, signals);
	brokerd_stop(b, false);
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	log_event(LOG_LEVEL_INFO, "stopped", NULL);
}

/* ------------------------------------------------------------------ start */

/* What the files say that the settings name. */
static bool
check_files(struct brokerd *b, struct err *err)
{
	enum canary canary;

	b->trust = trust_load(b->conf.ca_file, err);
	if (b->trust == NULL)
		return false;
	if (access(b->conf.feed_ca_file, R_OK) != 0)
		return err_set_errno(
		    err, "PAPPUS_FEED_CA_FILE: %.150s", b->conf.feed_ca_file);
	for (canary = 0; canary < CANARIES; canary++)
		if (b->conf.canary[canary] != NULL &&
		    !client_check(b->conf.canary[canary], err))
			return false;
	return true;
}

static void
init(struct brokerd *b)
{
	pthread_condattr_t attr;

	*b = (struct brokerd){
	    .hook_socket = -1, .folder = {.fd = -1, .lock = -1}};
	b->status = status_new();
	b->stop_event = eventfd(0, EFD_CLOEXEC);
	b->hook_event = eventfd(0, EFD_CLOEXEC);
	if (b->stop_event < 0 || b->hook_event < 0)
		abort();
	pthread_mutex_init(&b->lock, NULL);
	/* Waiting must not depend on the wall's clock, which may be put right.
	 */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void
destroy(struct brokerd *b)
{
	denials_unref(b->denials);
	trust_free(b->trust);
	status_free(b->status);
	folder_close(&b->folder);
	brokerd_conf_free(&b->conf);
	if (b->hook_socket >= 0)
		close(b->hook_socket);
	close(b->stop_event);
	close(b->hook_event);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
}

/* All that needs no thread yet. */
static bool
prepare(struct brokerd *b, struct err *err)
{
	struct err confine = {0};

	/* Before keys are read, and before it is forbidden. */
	if (b->conf.hook != NULL &&
	    !runner_start(b->conf.hook, &b->hook_socket, err))
		return false;
	signal(SIGPIPE, SIG_IGN);
	if (!process_die_with_parent(SIGTERM, err))
		return false;
	if (!process_confine(&confine))
		log_msg(LOG_LEVEL_WARN, "not-confined", "%s", confine.detail);
	if (!folder_open(&b->folder, b->conf.feed_dir, err))
		return false;
	folder_sweep_temps(&b->folder);
	brokerd_restore(b);
	if (b->conf.hook != NULL)
		hook_restore(b);
	return true;
}

static bool
run(bool check_only, struct err *err)
{
	static struct brokerd b; /* large */
	sigset_t signals;
	bool ok = false;

	/* Before any thread exists, so that all of them leave these to us. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	if (!process_harden(err))
		return false;
	init(&b);
	if (!brokerd_conf_load(&b.conf, err) || !fetch_init(err) ||
	    !check_files(&b, err))
		goto out;
	ok = check_only || prepare(&b, err);
	if (ok && !check_only) {
		serve(&b, &signals);
		ok = !atomic_load(&b.failed) ||
		     err_set(err, ERR_SYSTEM, "a part of it has ended");
	}
out:
	destroy(&b);
	return ok;
}

/* ---------------------------------------------------------------- options */

static int
health(void)
{
	struct buf path = BUF_INIT, line = BUF_INIT, text = BUF_INIT;
	enum health health = HEALTH_UNKNOWN;
	struct file_map *map = NULL;
	struct err err = {0};
	const char *name;
	int folder = -1;

	if (conf_load(CONF_HEALTH, &err)) {
		buf_add_fmt(
		    &path, "%s/" REPORT_HEALTH_FILE, conf_str(CONF_FEED_DIR));
		folder = file_folder_open(buf_str(&path), &name, &err);
		if (folder >= 0)
			map = file_map_open(folder, name, &err);
	}
	if (map != NULL) {
		buf_add(&text, file_map_data(map), file_map_len(map));
		health = report_judge(buf_str(&text), clock_wall_ms(), &line);
	} else {
		buf_add_fmt(&line, "unknown: %s", err.detail);
	}
	puts(buf_str(&line));
	file_map_unref(map);
	if (folder >= 0)
		close(folder);
	buf_free(&path);
	buf_free(&line);
	buf_free(&text);
	return (int)health;
}

static int
help(void)
{
	puts("usage: pappus-brokerd [--check | --health | --help | --version]"
	     "\n\nKeeps deny-list and CRLs on the broker's host.\n\n"
	     "  --check    read the configuration, say what is wrong, and end\n"
	     "  --health   say how the one that runs is: exit status 0 fine,\n"
	     "             1 alarm, 2 unknown\n"
	     "  --help     print this\n"
	     "  --version  print the version\n");
	conf_help(CONF_BROKERD, stdout);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	const char *option = argc == 2 ? argv[1] : "";
	bool check_only = strcmp(option, "--check") == 0;
	struct err err = {0};

	log_program("pappus-brokerd");
	if (strcmp(option, "--help") == 0)
		return help();
	if (strcmp(option, "--health") == 0)
		return health();
	if (strcmp(option, "--version") == 0) {
		puts("pappus-brokerd (" PACKAGE ") " VERSION);
		return EXIT_SUCCESS;
	}
	if (argc > 2 || (argc == 2 && !check_only)) {
		fprintf(stderr,
		    "pappus-brokerd: unknown option %s; see --help\n", argv[1]);
		return EXIT_FAILURE;
	}
	if (!run(check_only, &err)) {
		log_msg(LOG_LEVEL_ERROR, "cannot-start", "%s", err.detail);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
