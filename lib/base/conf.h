/* SPDX-License-Identifier: ISC */
/*
 * The configuration of every program: environment variables, listed in one
 * table in conf.c.  There is no configuration file.  A value that is missing
 * or impossible is an error that names the variable.
 */
#ifndef PAPPUS_BASE_CONF_H
#define PAPPUS_BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* The variables. */
enum conf_key {
	CONF_DATABASE,	   /* PAPPUS_DATABASE */
	CONF_CA_DIR,	   /* PAPPUS_CA_DIR */
	CONF_PASSPHRASE,   /* PAPPUS_CA_PASSPHRASE_FILE */
	CONF_THREADS,	   /* PAPPUS_THREADS */
	CONF_BATCH_MAX,	   /* PAPPUS_BATCH_MAX */
	CONF_DEADLINE_MS,  /* PAPPUS_DEADLINE_MS */
	CONF_DRAIN_MS,	   /* PAPPUS_DRAIN_MS */
	CONF_PUBLIC_DIR,   /* PAPPUS_PUBLIC_DIR */
	CONF_METRICS_FILE, /* PAPPUS_METRICS_FILE */
	CONF_REBUILD_S,	   /* PAPPUS_REBUILD_SECONDS */
	/* pappus-brokerd's; each is PAPPUS_ and its name here */
	CONF_FEED_URL,
	CONF_FEED_CA_FILE,
	CONF_FEED_DIR,
	CONF_CA_FILE,
	CONF_POLL_MS,
	CONF_BROKER_PID_FILE,
	CONF_CRL_FILE,
	CONF_DENY_HOOK,
	CONF_CANARY_HOST,
	CONF_CANARY_PORT,
	CONF_CANARY_GOOD,
	CONF_CANARY_REVOKED,
	CONF_CANARY_SECONDS,
	CONF_MAX
};

/* The programs that a variable matters to: a set of bits. */
enum conf_program {
	CONF_ENROLL = 1,
	CONF_IDENTITY = 2,
	CONF_ADMIN = 4,
	CONF_TOOL = 8,	   /* pappus */
	CONF_CRLD = 16,	   /* pappus-crld */
	CONF_BROKERD = 32, /* pappus-brokerd */
	CONF_HEALTH = 64   /* pappus-brokerd --health */
};

/*
 * Read and check all variables that matter to one program.  On failure *err
 * says which variable is wrong, what it holds and what it may hold.
 */
bool conf_load(enum conf_program program, struct err *err);

/*
 * The text of a variable; NULL when it is optional and unset.
 * Owned by the environment.  After conf_load.
 */
const char *conf_str(enum conf_key key);

/* The value of a numeric variable, or its default.  After conf_load. */
int64_t conf_int(enum conf_key key);

/* Print the table's rows for one program, as --help does. */
void conf_help(enum conf_program program, FILE *out);

#endif
