/* SPDX-License-Identifier: ISC */
/*
 * The process that runs the hook: forked before there are threads, keys or a
 * seccomp filter, so that it alone can run a program, and it holds no secret.
 * Ids come in, outcomes go out, a message each.  At most RUNNER_SLOTS run at a
 * time; one that takes too long is killed, with all that it started.
 */
#ifndef PAPPUS_BROKERD_RUNNER_H
#define PAPPUS_BROKERD_RUNNER_H

#include <stdbool.h>

#include "base/err.h"

enum {
	RUNNER_SLOTS = 8,
	RUNNER_SECONDS = 30,
	RUNNER_ID_LEN = 30, /* dev_ and 26 digits */
};

/* What became of one. */
struct runner_outcome {
	char device[RUNNER_ID_LEN + 1];
	bool ok;      /* it ended with exit status 0 */
	char why[64]; /* else: how it ended */
};

/*
 * Start the process; *fd is the socket to it: write an id of RUNNER_ID_LEN
 * characters, read a struct runner_outcome.  The caller sends no more than
 * RUNNER_SLOTS ids beyond the outcomes it has read.  The process ends when the
 * socket is closed, and with its parent.
 */
bool runner_start(const char *program, int *fd, struct err *err);

#endif
