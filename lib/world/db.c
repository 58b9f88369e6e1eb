/* SPDX-License-Identifier: ISC */
/* The database connection: see db.h. */
#include "world/db_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	BACKOFF_MIN_US = 50 * 1000,
	BACKOFF_MAX_US = 800 * 1000,
	CLOCK_US = 10 * 1000 * 1000 /* how long the server's time is kept */
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

void
db_disconnect(struct db *db)
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
	db_disconnect(db);
	free(db->conninfo);
	free(db->program);
	free(db->channel);
	free(db);
}

void
db_err(
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

bool
db_wait_socket(PGconn *conn, short events, int64_t deadline)
{
	struct pollfd pfd = {.fd = PQsocket(conn), .events = events};
	int64_t left = deadline - clock_mono_us();

	if (left <= 0)
		return false;
	return poll(&pfd, 1, (int)(left / 1000) + 1) >= 0 || errno == EINTR;
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
		if (!db_wait_socket(conn,
			status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
			deadline))
			return false;
		status = PQconnectPoll(conn);
	}
	return status == PGRES_POLLING_OK;
}

PGresult *
db_collect(PGconn *conn, int64_t deadline)
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
		if (!db_wait_socket(conn,
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
		res = db_collect(db->conn, deadline);
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
	if (deadline > now + DB_CONNECT_MAX_US)
		deadline = now + DB_CONNECT_MAX_US;
	db->conn = connect_start(db);
	if (db->conn == NULL)
		abort();
	if (PQstatus(db->conn) == CONNECTION_BAD ||
	    !connect_finish(db->conn, deadline) || !set_clock(db, deadline) ||
	    (db->channel != NULL && !db_listen_now(db, deadline))) {
		db_err(err, ERR_UNAVAILABLE, "cannot connect",
		    PQerrorMessage(db->conn));
		db_disconnect(db);
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

bool
db_ensure(struct db *db, int64_t deadline, struct err *err)
{
	struct pollfd pfd = {.events = POLLIN};

	while (db->conn != NULL) {
		pfd.fd = PQsocket(db->conn);
		if (poll(&pfd, 1, 0) == 0)
			break;
		/* A last message may stand before the end of the stream. */
		if (!PQconsumeInput(db->conn) ||
		    PQstatus(db->conn) != CONNECTION_OK)
			db_disconnect(db);
	}
	/* Clocks are set; a deadline must not outlive that by much. */
	if (db->conn != NULL && !db->once &&
	    clock_mono_us() - db->clock_at > CLOCK_US &&
	    !set_clock(db, deadline))
		db_disconnect(db);
	return db->conn != NULL || connect_now(db, deadline, err);
}

bool
db_connect(struct db *db, int64_t deadline, struct err *err)
{
	return db_ensure(db, deadline, err);
}
