/* SPDX-License-Identifier: ISC */
/* Telling mosquitto to read its lists again, and nobody else. */
#ifndef PAPPUS_BROKERD_SIGNAL_H
#define PAPPUS_BROKERD_SIGNAL_H

#include <stdint.h>

#include "base/err.h"

enum signal_result {
	SIGNAL_SENT,
	SIGNAL_NOBODY,	  /* it doesn't run; it reads all when it starts */
	SIGNAL_KNOWS,	  /* it was started since, and has read all */
	SIGNAL_NOT_READY, /* it starts, and a SIGHUP would end it */
	SIGNAL_FAILED	  /* *err: not the broker, or not ours to signal */
};

/*
 * Send SIGHUP to the process whose number is in pid_file, if that is a
 * mosquitto that handles it.  A process that took over a number from a stale
 * file is safe.  One that was started after that moment (of signal_now) needs
 * no signal.
 */
enum signal_result signal_broker(
    const char *pid_file, int64_t changed_us, struct err *err);

/* Microseconds since the machine started: the clock of processes' ages. */
int64_t signal_now(void);

#endif
