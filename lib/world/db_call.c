/* SPDX-License-Identifier: ISC */
/* Calls, and what is known of them afterwards: see db.h. */
#include "world/db_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* What the server's last word means for the transaction. */
static enum db_result
judge(struct db *db, const PGresult *res, struct err *err)
{
	const char *state, *severity;

	if (res == NULL) {
		db_err(err, ERR_UNAVAILABLE, "no answer",
		    PQerrorMessage(db->conn));
		db_disconnect(db);
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
	snprintf(db->sqlstate, sizeof(db->sqlstate), "%s",
	    state == NULL ? "" : state);
	severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	db_err(err, ERR_UNAVAILABLE, state == NULL ? "lost" : state,
	    PQresultErrorMessage(res));
	/* A FATAL one ends the connection, and with it what we know. */
	if (state != NULL && severity != NULL &&
	    strcmp(severity, "ERROR") == 0 &&
	    PQstatus(db->conn) == CONNECTION_OK)
		return DB_ROLLED_BACK;
	db_disconnect(db);
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
		res = db_collect(db->conn, deadline);
	db->prepared[statement] = PQresultStatus(res) == PGRES_COMMAND_OK;
	PQclear(res);
	if (db->prepared[statement])
		return true;
	db_err(
	    err, ERR_UNAVAILABLE, "cannot prepare", PQerrorMessage(db->conn));
	db_disconnect(db);
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
		statement_params(statement), params, NULL, NULL,
		statement_binary(statement))) {
		db_err(err, ERR_UNAVAILABLE, "cannot send",
		    PQerrorMessage(db->conn));
		db_disconnect(db);
		return DB_UNKNOWN;
	}
	res = db_collect(db->conn, clock_mono_us() + patience_us);
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
	db->sqlstate[0] = '\0';
	if (!db_ensure(db, send_by, err) ||
	    (!db->prepared[statement] && !prepare(db, statement, send_by, err)))
		return DB_DOWN;
	if (clock_mono_us() >= send_by) {
		err_set(err, ERR_UNAVAILABLE, "too late to be sent");
		return DB_DOWN;
	}
	return execute(db, statement, params, patience_us, rows, err);
}

const char *
db_sqlstate(const struct db *db)
{
	return db->sqlstate;
}

bool
db_script(struct db *db, const char *sql, char sqlstate[6], struct err *err)
{
	const char *state;
	PGresult *res;
	bool ok;

	if (!db_ensure(db, clock_mono_us() + DB_CONNECT_MAX_US, err))
		return false;
	res = PQexec(db->conn, sql);
	ok = PQresultStatus(res) == PGRES_COMMAND_OK ||
	     PQresultStatus(res) == PGRES_TUPLES_OK;
	state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	if (sqlstate != NULL)
		snprintf(sqlstate, 6, "%s", state == NULL ? "" : state);
	if (!ok)
		db_err(err, ERR_UNAVAILABLE, "database",
		    PQresultErrorMessage(res));
	PQclear(res);
	return ok;
}
