/* SPDX-License-Identifier: ISC */
/* The database connection: see db.h. */
#include "world/db.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	BACKOFF_MIN_US = 50 * 1000,
	BACKOFF_MAX_US = 800 * 1000,
	CONNECT_MAX_US = 3 * 1000 * 1000,
	CLOCK_US = 10 * 1000 * 1000 /* how long the server's time is kept */
};

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
	int64_t retry_at; /* clock_mono_us; no attempt before */
};

/* libpq's own words would quote what stands beside a mistake: a password. */
bool
db_conninfo_check(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

	PQconninfoFree(options);
	return options != NULL;
}

struct db *
db_new(const char *conninfo, const char *program)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL || (db->conninfo = strdup(conninfo)) == NULL ||
	    (db->program = strdup(program)) == NULL)
		abort();
	db->backoff_us = BACKOFF_MIN_US;
	return db;
}

void
db_use_once(struct db *db)
{
	db->once = true;
}

static void
disconnect(struct db *db)
{
	PQfinish(db->conn);
	db->conn = NULL;
	memset(db->prepared, 0, sizeof(db->prepared));
}

void
db_free(struct db *db)
{
	if (db == NULL)
		return;
	disconnect(db);
	free(db->conninfo);
	free(db->program);
	free(db);
}

/* libpq's messages end in a newline and may hold more lines. */
static void
err_set_pq(
    struct err *err, enum err_code code, const char *what, const char *message)
{
	char line[200];
	size_t i;

	for (i = 0; i < sizeof(line) - 1 && message[i] != '\0'; i++)
		line[i] = message[i] == '\n' ? ' ' : message[i];
	while (i > 0 && line[i - 1] == ' ')
		i--;
	line[i] = '\0';
	err_set(err, code, "%s: %s", what, line);
}

/*
 * Our functions never warn.  A WARNING is the server saying that it committed
 * here but gave up waiting for the standby, so the row may yet be lost.
 */
static void
on_notice(void *arg, const PGresult *res)
{
	const char *severity =
	    PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	struct db *db = arg;

	if (severity != NULL && strcmp(severity, "WARNING") == 0)
		db->warned = true;
}

/* Wait until the socket is ready or the deadline has passed. */
static bool
wait_socket(PGconn *conn, short events, int64_t deadline)
{
	struct pollfd pfd = {.fd = PQsocket(conn), .events = events};
	int64_t left = deadline - clock_mono_us();

	if (left <= 0)
		return false;
	return poll(&pfd, 1, (int)(left / 1000) + 1) >= 0;
}

static PGconn *
connect_start(const struct db *db)
{
	/* conninfo, in dbname, overrides what stands before it. */
	const char *const keys[] = {"target_session_attrs", "keepalives_idle",
	    "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	    "connect_timeout", "dbname", "fallback_application_name",
	    "client_encoding", NULL};
	const char *const values[] = {"read-write", "10", "5", "3", "10000",
	    "2", db->conninfo, db->program, "UTF8", NULL};

	return PQconnectStartParams(keys, values, 1);
}

static bool
connect_finish(PGconn *conn, int64_t deadline)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
		if (!wait_socket(conn,
			status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
			deadline))
			return false;
		status = PQconnectPoll(conn);
	}
	return status == PGRES_POLLING_OK;
}

/* Collect the last result of what was sent; NULL: late, or cut off. */
static PGresult *
collect(PGconn *conn, int64_t deadline)
{
	PGresult *res = NULL, *next;
	int unsent;

	for (;;) {
		unsent = PQflush(conn);
		if (unsent < 0)
			break;
		if (unsent == 0 && !PQisBusy(conn)) {
			next = PQgetResult(conn);
			if (next == NULL)
				return res;
			PQclear(res);
			res = next;
			continue;
		}
		if (!wait_socket(conn,
			(short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
			deadline) ||
		    !PQconsumeInput(conn))
			break;
	}
	PQclear(res);
	return NULL;
}

/*
 * Ask the server what time it is.  The answer is late by half a round trip,
 * which makes a deadline that much stricter.
 */
static bool
set_clock(struct db *db, int64_t deadline)
{
	PGresult *res = NULL;
	bool ok;

	if (PQsendQueryParams(db->conn, statement_sql(STATEMENT_CLOCK), 0, NULL,
		NULL, NULL, NULL, 0))
		res = collect(db->conn, deadline);
	ok = PQresultStatus(res) == PGRES_TUPLES_OK;
	if (ok) {
		db->clock_at = clock_mono_us();
		db->epoch_us =
		    strtoll(PQgetvalue(res, 0, 0), NULL, 10) - db->clock_at;
	}
	PQclear(res);
	return ok;
}

int64_t
db_wall_ms(const struct db *db, int64_t mono_us)
{
	return (db->epoch_us + mono_us) / 1000;
}

static bool
connect_now(struct db *db, int64_t deadline, struct err *err)
{
	int64_t now = clock_mono_us();

	if (db->once && db->connected)
		return err_set(err, ERR_UNAVAILABLE, "the connection is lost");
	if (now < db->retry_at)
		return err_set(err, ERR_UNAVAILABLE,
		    "the database is down; next attempt soon");
	if (deadline > now + CONNECT_MAX_US)
		deadline = now + CONNECT_MAX_US;
	db->conn = connect_start(db);
	if (db->conn == NULL)
		abort();
	if (PQstatus(db->conn) == CONNECTION_BAD ||
	    !connect_finish(db->conn, deadline) || !set_clock(db, deadline)) {
		err_set_pq(err, ERR_UNAVAILABLE, "cannot connect",
		    PQerrorMessage(db->conn));
		disconnect(db);
		if (!db->was_down)
			log_msg(LOG_LEVEL_ERROR, "database-down", "%s",
			    err == NULL ? "" : err->detail);
		db->was_down = true;
		db->retry_at = clock_mono_us() + db->backoff_us;
		if (db->backoff_us < BACKOFF_MAX_US)
			db->backoff_us *= 2;
		return false;
	}
	PQsetNoticeReceiver(db->conn, on_notice, db);
	db->backoff_us = BACKOFF_MIN_US;
	db->retry_at = 0;
	if (db->was_down)
		log_event(LOG_LEVEL_INFO, "database-up", NULL);
	db->was_down = false;
	db->connected = true;
	return true;
}

/*
 * Make sure that there is a connection.  One that died while it was idle is
 * noticed here, before anything is sent, so that a restart of the server
 * costs no request.
 */
static bool
ensure(struct db *db, int64_t deadline, struct err *err)
{
	struct pollfd pfd = {.events = POLLIN};

	while (db->conn != NULL) {
		pfd.fd = PQsocket(db->conn);
		if (poll(&pfd, 1, 0) == 0)
			break;
		/* A last message may stand before the end of the stream. */
		if (!PQconsumeInput(db->conn) ||
		    PQstatus(db->conn) != CONNECTION_OK)
			disconnect(db);
	}
	/* Clocks are set; a deadline must not outlive that by much. */
	if (db->conn != NULL && !db->once &&
	    clock_mono_us() - db->clock_at > CLOCK_US &&
	    !set_clock(db, deadline))
		disconnect(db);
	return db->conn != NULL || connect_now(db, deadline, err);
}

bool
db_connect(struct db *db, int64_t deadline, struct err *err)
{
	return ensure(db, deadline, err);
}

/* What the server's last word means for the transaction. */
static enum db_result
judge(struct db *db, const PGresult *res, struct err *err)
{
	const char *state, *severity;

	if (res == NULL) {
		err_set_pq(err, ERR_UNAVAILABLE, "no answer",
		    PQerrorMessage(db->conn));
		disconnect(db);
		return DB_UNKNOWN;
	}
	if (PQresultStatus(res) == PGRES_COMMAND_OK ||
	    PQresultStatus(res) == PGRES_TUPLES_OK) {
		if (!db->warned)
			return DB_OK;
		err_set(err, ERR_UNAVAILABLE, "the wait for the standby ended");
		return DB_UNKNOWN;
	}
	state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	err_set_pq(err, ERR_UNAVAILABLE, state == NULL ? "lost" : state,
	    PQresultErrorMessage(res));
	/* A FATAL one ends the connection, and with it what we know. */
	if (state != NULL && severity != NULL &&
	    strcmp(severity, "ERROR") == 0 &&
	    PQstatus(db->conn) == CONNECTION_OK)
		return DB_ROLLED_BACK;
	disconnect(db);
	return DB_UNKNOWN;
}

/* Whatever happens here, nothing of the statement itself has been sent. */
static bool
prepare(
    struct db *db, enum statement statement, int64_t deadline, struct err *err)
{
	PGresult *res = NULL;

	if (PQsendPrepare(db->conn, statement_name(statement),
		statement_sql(statement), statement_params(statement), NULL))
		res = collect(db->conn, deadline);
	db->prepared[statement] = PQresultStatus(res) == PGRES_COMMAND_OK;
	PQclear(res);
	if (db->prepared[statement])
		return true;
	err_set_pq(
	    err, ERR_UNAVAILABLE, "cannot prepare", PQerrorMessage(db->conn));
	disconnect(db);
	return false;
}

/* Send a prepared statement and say what became of it. */
static enum db_result
execute(struct db *db, enum statement statement, const char *const *params,
    int64_t patience_us, struct db_rows **rows, struct err *err)
{
	enum db_result result;
	PGresult *res;

	/* Whatever came before, from this connection or an earlier one. */
	db->warned = false;
	if (!PQsendQueryPrepared(db->conn, statement_name(statement),
		statement_params(statement), params, NULL, NULL, 0)) {
		err_set_pq(err, ERR_UNAVAILABLE, "cannot send",
		    PQerrorMessage(db->conn));
		disconnect(db);
		return DB_UNKNOWN;
	}
	res = collect(db->conn, clock_mono_us() + patience_us);
	result = judge(db, res, err);
	if (result == DB_OK)
		*rows = (struct db_rows *)res;
	else
		PQclear(res);
	return result;
}

enum db_result
db_call(struct db *db, enum statement statement, const char *const *params,
    int64_t send_by, int64_t patience_us, struct db_rows **rows,
    struct err *err)
{
	*rows = NULL;
	if (!ensure(db, send_by, err) ||
	    (!db->prepared[statement] && !prepare(db, statement, send_by, err)))
		return DB_DOWN;
	if (clock_mono_us() >= send_by) {
		err_set(err, ERR_UNAVAILABLE, "too late to be sent");
		return DB_DOWN;
	}
	return execute(db, statement, params, patience_us, rows, err);
}

bool
db_script(struct db *db, const char *sql, char sqlstate[6], struct err *err)
{
	const char *state;
	PGresult *res;
	bool ok;

	if (!ensure(db, clock_mono_us() + CONNECT_MAX_US, err))
		return false;
	res = PQexec(db->conn, sql);
	ok = PQresultStatus(res) == PGRES_COMMAND_OK ||
	     PQresultStatus(res) == PGRES_TUPLES_OK;
	state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	if (sqlstate != NULL)
		snprintf(sqlstate, 6, "%s", state == NULL ? "" : state);
	if (!ok)
		err_set_pq(err, ERR_UNAVAILABLE, "database",
		    PQresultErrorMessage(res));
	PQclear(res);
	return ok;
}
