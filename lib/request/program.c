/* SPDX-License-Identifier: ISC */
/* The frame of a FastCGI program: see program.h. */
#include "request/program.h"

#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "request/problem.h"
#include "world/db.h"
#include "world/process.h"

/* What the threads share. */
struct service {
	const struct program *program;
	void *context;
};

static void
log_request(const struct call *call)
{
	const struct http_request *rq = call->rq;
	const struct http_response *rs = call->rs;
	const struct log_field fields[] = {
	    LOG_S("request_id", rq->id),
	    LOG_S("method", http_method_name(rq->method)),
	    LOG_S("route", call->route),
	    LOG_I("status", rs->status),
	    LOG_S("outcome", rs->outcome),
	    LOG_S("device", rs->device_id[0] == '\0' ? NULL : rs->device_id),
	    LOG_I("us", clock_mono_us() - rq->started),
	    {.type = LOG_END},
	};

	log_event(LOG_LEVEL_INFO, "request", fields);
}

/* Read the body that a route takes. */
static bool
take_body(struct http *h, struct call *call, const struct route *route)
{
	struct err err = {0};

	if (!http_read_body(h, call->rq, route->body_max, &err)) {
		if (err.code == ERR_TOO_LONG)
			problem_respond(call->rs, call->rq,
			    PROBLEM_PAYLOAD_TOO_LARGE, err.detail);
		else
			problem_respond_err(call->rs, call->rq, &err);
		return false;
	}
	if (call->rq->body.len > 0 && route->content_type != NULL &&
	    !route_media_type_is(call->rq->content_type, route->content_type)) {
		problem_respond(call->rs, call->rq,
		    PROBLEM_UNSUPPORTED_MEDIA_TYPE,
		    "Send the body as Content-Type: application/json.");
		return false;
	}
	return true;
}

static void
dispatch(const struct service *service, struct http *h, struct call *call)
{
	const struct program *program = service->program;
	const struct route *route =
	    route_find(program->routes, program->n_routes, call);

	if (route == NULL)
		return;
	if (route->role != ROLE_ANON && !program->authorize(call, route->role))
		return;
	if (route->body_max > 0 && !take_body(h, call, route))
		return;
	route->handler(call);
}

static void
serve(const struct service *service, struct http *h, struct http_request *rq,
    void *thread)
{
	struct http_response rs = {
	    .status = 500,
	    .content_type = "application/json",
	};
	struct call call = {
	    .rq = rq,
	    .rs = &rs,
	    .program = service->context,
	    .thread = thread,
	    .deadline = rq->started + conf_int(CONF_DEADLINE_MS) * 1000,
	};

	dispatch(service, h, &call);
	if (!http_respond(h, rq, &rs))
		rs.outcome = "hung-up";
	log_request(&call);
	buf_free(&rs.headers);
	buf_free(&rs.body);
	buf_free(&rq->body);
}

static void *
thread_main(void *arg)
{
	const struct service *service = arg;
	const struct program *program = service->program;
	struct http *h = http_new();
	struct http_request rq;
	void *thread = NULL;

	if (program->thread_start != NULL)
		thread = program->thread_start(service->context);
	while (http_accept(h, &rq))
		serve(service, h, &rq, thread);
	if (program->thread_stop != NULL)
		program->thread_stop(thread);
	http_free(h);
	return NULL;
}

/* Run the threads until a signal, then until they are done. */
static void
serve_until_signal(struct service *service, const sigset_t *signals)
{
	size_t n = (size_t)conf_int(CONF_THREADS), i;
	pthread_t *threads = calloc(n, sizeof(*threads));
	int signal;

	if (threads == NULL)
		abort();
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, thread_main, service) !=
		    0)
			abort();
	log_event(LOG_LEVEL_INFO, "serving", NULL);
	sigwait(signals, &signal);
	log_msg(LOG_LEVEL_INFO, "draining", "signal %d", signal);
	http_drain();
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	log_event(LOG_LEVEL_INFO, "stopped", NULL);
	free(threads);
}

static bool
configure(const struct program *program, struct err *err)
{
	if (!conf_load(program->conf, err))
		return false;
	if (!db_conninfo_check(conf_str(CONF_DATABASE)))
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_DATABASE is no connection string that libpq takes");
	return true;
}

static bool
run(const struct program *program, bool check_only, struct err *err)
{
	struct service service = {.program = program};
	struct err confine = {0};
	sigset_t signals;
	bool ok = false;

	/* Before any thread exists, so that all of them leave these to us. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	if (!process_harden(err) || !configure(program, err))
		return false;
	service.context = program->start(err);
	if (service.context == NULL)
		return false;
	if (check_only) {
		ok = true;
		goto out;
	}
	if (!process_die_with_parent(SIGTERM, err) ||
	    !http_init(conf_int(CONF_DRAIN_MS) * 1000, err))
		goto out;
	if (!process_confine(&confine))
		log_msg(LOG_LEVEL_WARN, "not-confined", "%s", confine.detail);
	serve_until_signal(&service, &signals);
	ok = true;
out:
	program->stop(service.context);
	return ok;
}

static void
help(const struct program *program)
{
	printf(
	    "usage: %s [--check | --help | --version]\n\n%s\n"
	    "Serves FastCGI on file descriptor 0; start it with spawn-fcgi "
	    "-n.\n\n"
	    "  --check    read the configuration, say what is wrong, and end\n"
	    "  --help     print this\n"
	    "  --version  print the version\n\n",
	    program->name, program->about);
	conf_help(program->conf, stdout);
}

int
program_main(const struct program *program, int argc, char **argv)
{
	const char *option = argc > 1 ? argv[1] : "";
	bool check_only = strcmp(option, "--check") == 0;
	struct err err = {0};

	log_program(program->name);
	if (argc == 2 && strcmp(option, "--help") == 0) {
		help(program);
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(option, "--version") == 0) {
		printf("%s (%s) %s\n", program->name, PACKAGE, VERSION);
		return EXIT_SUCCESS;
	}
	if (argc > 2 || (argc == 2 && !check_only)) {
		fprintf(stderr, "%s: unknown option %s; see --help\n",
		    program->name, option);
		return EXIT_FAILURE;
	}
	if (!run(program, check_only, &err)) {
		log_msg(LOG_LEVEL_ERROR, "cannot-start", "%s", err.detail);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
