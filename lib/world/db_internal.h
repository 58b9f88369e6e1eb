/* SPDX-License-Identifier: ISC */
/* What the files of the database connection share; for lib/world/db*.c alone.
 */
#ifndef PAPPUS_WORLD_DB_INTERNAL_H
#define PAPPUS_WORLD_DB_INTERNAL_H

#include "world/db.h"

#include <libpq-fe.h>
#include <stdbool.h>

enum { DB_CONNECT_MAX_US = 3 * 1000 * 1000 };

struct db {
	char *conninfo;
	char *program;
	PGconn *conn;		      /* NULL: down */
	bool prepared[STATEMENT_MAX]; /* on this connection */
	bool once;		      /* never connect again */
	bool connected;		      /* at least once */
	bool warned;		      /* a WARNING came during this call */
	bool was_down;		      /* so that coming back is logged */
	int64_t epoch_us; /* the server's wall clock at clock_mono_us 0 */
	int64_t clock_at; /* clock_mono_us; when that was asked */
	int64_t backoff_us;
	int64_t retry_at;  /* clock_mono_us; no attempt before */
	char sqlstate[6];  /* of the last call; empty: none */
	char *channel;	   /* listened to on each connection; NULL: none */
	int64_t wake_next; /* clock_mono_us; no notification before */
};

/* Close the connection; the next call opens another. */
void db_disconnect(struct db *db);

/*
 * Make sure that there is a connection.  One that died while it was idle is
 * noticed here, before anything is sent, so that a restart of the server
 * costs no request.
 */
bool db_ensure(struct db *db, int64_t deadline, struct err *err);

/* libpq's messages end in a newline and may hold more lines. */
void db_err(
    struct err *err, enum err_code code, const char *what, const char *message);

/*
 * Wait until the socket is ready; false: the deadline has passed, or the wait
 * was cut short by a failure.
 */
bool db_wait_socket(PGconn *conn, short events, int64_t deadline);

/* Collect the last result of what was sent; NULL: late, or cut off. */
PGresult *db_collect(PGconn *conn, int64_t deadline);

/* Listen to db->channel on a connection that is new. */
bool db_listen_now(struct db *db, int64_t deadline);

#endif
