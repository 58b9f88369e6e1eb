/* SPDX-License-Identifier: ISC */
/*
 * The frame of a FastCGI program: options, configuration, giving up
 * privileges, request threads, draining, one log line a request.  A program
 * adds its routes and what they need.
 */
#ifndef PAPPUS_REQUEST_PROGRAM_H
#define PAPPUS_REQUEST_PROGRAM_H

#include "base/conf.h"
#include "request/route.h"

struct program {
	const char *name;
	const char *about; /* a sentence for --help */
	enum conf_program conf;
	const struct route *routes;
	size_t n_routes;
	/*
	 * Make what all threads share.  Fails for bad configuration only: what
	 * is merely down is waited for.  --check calls it too.
	 */
	void *(*start)(struct err *err);
	void (*stop)(void *program);
	/* Make what one thread needs; both may be NULL. */
	void *(*thread_start)(void *program);
	void (*thread_stop)(void *thread);
	/*
	 * Let a caller of at least this role through and set call->token, or
	 * make the response an error and return false.  NULL: all ROLE_ANON.
	 */
	bool (*authorize)(struct call *call, enum role role);
};

/*
 * Run a program from main.  Options: --check (start up, say what is wrong, and
 * end), --help, --version.  Serves until SIGTERM, SIGQUIT, SIGINT or SIGUSR1,
 * then drains.  Returns the exit status.
 */
int program_main(const struct program *program, int argc, char **argv);

#endif
