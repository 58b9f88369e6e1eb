/* SPDX-License-Identifier: ISC */
/*
 * pappus-crld: publishes what is revoked.  Three threads, each with its own
 * connection to the database:
 *
 *   feed_main   holds the lease, claims what has changed, and publishes it as
 *               the deny-list's delta, before all else
 *   crls_main   keeps the lists in memory, makes and publishes CRLs, and the
 *               deny-list's base
 *   main        waits for the signal to end, writes metrics, sweeps up
 */
#ifndef PAPPUS_DAEMON_CRLD_H
#define PAPPUS_DAEMON_CRLD_H

#include "daemon/board.h"
#include "daemon/front.h"
#include "daemon/keys.h"
#include "daemon/store.h"

struct crld {
	struct store *store;
	struct front *front;
	struct board *board;
	struct keys *keys; /* the CRLs' thread's */
};

/* Threads' functions; the argument is a struct crld. */
void *feed_main(void *crld);
void *crls_main(void *crld);

#endif
