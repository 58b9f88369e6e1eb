/* SPDX-License-Identifier: ISC */
/*
 * One connection to PostgreSQL that mends itself.  It is used by one thread
 * at a time.  A call says not only whether it worked but what is known when
 * it did not: a caller may repeat what was surely rolled back, and must not
 * repeat what may have been committed.
 */
#ifndef PAPPUS_WORLD_DB_H
#define PAPPUS_WORLD_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "world/statement.h"

enum db_result {
	DB_OK,		/* committed, rows are there */
	DB_ROLLED_BACK, /* the server refused it; nothing was kept */
	DB_UNKNOWN,	/* it was sent; whether it was committed is unknown */
	DB_DOWN		/* no connection; nothing was sent */
};

struct db;
struct db_rows;

/* Whether libpq can make sense of a connection string. */
bool db_conninfo_check(const char *conninfo);

/*
 * A connection that is opened at the first call.  conninfo is libpq's, and
 * may name several hosts; what it leaves open gets the defaults for fail-over
 * (target_session_attrs=read-write, keepalives, tcp_user_timeout).  Both
 * strings are copied.
 */
struct db *db_new(const char *conninfo, const char *program);

/*
 * Give up reconnecting once a first connection stands: what is sent belongs
 * together in one session.
 */
void db_use_once(struct db *db);

/* Close and free.  NULL is fine. */
void db_free(struct db *db);

/*
 * Send one statement with its parameters as text (NULL: SQL NULL; encoding
 * UTF-8) and wait patience_us for its rows.  When the connection is down, it
 * is opened first, unless the last failure is so recent that the back-off
 * (50 ms doubling to 0.8 s) hasn't passed.  If that takes until send_by (of
 * clock_mono_us), nothing is sent: DB_DOWN.
 *
 * What is given up (DB_UNKNOWN) may still lie before a server that is slow to
 * read it: a statement that must not be executed late takes its deadline as a
 * parameter, in the server's time (db_wall_ms).
 *
 * With DB_OK the rows are the caller's, to db_rows_free.  Otherwise *rows is
 * NULL and *err says why, for the log.
 */
enum db_result db_call(struct db *db, enum statement statement,
    const char *const *params, int64_t send_by, int64_t patience_us,
    struct db_rows **rows, struct err *err);

/*
 * The SQLSTATE by which the server refused the last db_call, or "".  Good
 * until the next.
 */
const char *db_sqlstate(const struct db *db);

/*
 * Have this connection, and each that follows it, listen to what is notified
 * on a channel.  Before the first call; it can't fail.
 */
void db_listen(struct db *db, const char *channel);

/*
 * Wait for a notification between calls; true when there was one or more,
 * which are all taken.  False: timeout_us has passed, a signal came, or the
 * connection is down, and then a call is due or soon will be; in any case
 * something may have been notified that was lost.  Notifications are as good
 * as true fifty times a second, however many come.
 */
bool db_wait(struct db *db, int64_t timeout_us);

/*
 * Make sure that there is a connection, as db_call does.  False: *err says
 * why not.
 */
bool db_connect(struct db *db, int64_t deadline, struct err *err);

/*
 * The server's wall clock, in milliseconds since 1970, at a moment of
 * clock_mono_us.  Hosts' clocks differ; a deadline that the server is to look
 * at must be told in its own.  After db_connect.
 */
int64_t db_wall_ms(const struct db *db, int64_t mono_us);

/*
 * Run SQL text of several statements as one message, which PostgreSQL takes as
 * one transaction unless the text says otherwise.  For migrations.
 * On failure *err holds the server's message, sqlstate its code when not NULL.
 */
bool db_script(
    struct db *db, const char *sql, char sqlstate[6], struct err *err);

/* Number of rows; row and column count from 0. */
size_t db_rows_count(const struct db_rows *rows);

/*
 * Rows come as text or, for statement_binary, as the server's octets.  What
 * reads a field does for both unless it says otherwise.
 */

/* Whether a field is SQL NULL. */
bool db_rows_null(const struct db_rows *rows, size_t row, int column);

/*
 * A field as text; NULL for SQL NULL.  Good until db_rows_free.  Of binary
 * rows: of type text alone.
 */
const char *db_rows_str(const struct db_rows *rows, size_t row, int column);

/* A field as an integer; 0 for SQL NULL.  Of binary rows: boolean too. */
int64_t db_rows_int(const struct db_rows *rows, size_t row, int column);

/* Append the bytes of a bytea field to out. */
void db_rows_bytea(
    const struct db_rows *rows, size_t row, int column, struct buf *out);

/* The bytes of a bytea field where they lie.  Of binary rows alone. */
const uint8_t *db_rows_bytes(
    const struct db_rows *rows, size_t row, int column, size_t *len);

/*
 * A timestamptz in seconds since 1970, rounded down; 0 for SQL NULL.  Of
 * binary rows alone.  What is infinite comes out 290,000 years away.
 */
int64_t db_rows_time(const struct db_rows *rows, size_t row, int column);

/* Free.  NULL is fine. */
void db_rows_free(struct db_rows *rows);

#endif
