/* SPDX-License-Identifier: ISC */
/* Calls of the database's functions: see outcome.h. */
#include "request/outcome.h"

#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/log.h"

static const char *const result_events[] = {
    [DB_OK] = "database-ok",
    [DB_ROLLED_BACK] = "database-rolled-back",
    [DB_UNKNOWN] = "database-outcome-unknown",
    [DB_DOWN] = "database-unreachable",
};

static const enum batch_result batch_results[] = {
    [DB_OK] = BATCH_DONE,
    [DB_ROLLED_BACK] = BATCH_ROLLED_BACK,
    [DB_UNKNOWN] = BATCH_UNKNOWN,
    [DB_DOWN] = BATCH_DOWN,
};

size_t
outcome_find(const char *const *names, size_t n, const char *word)
{
	size_t i;

	for (i = 0; i < n && word != NULL; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	return n;
}

bool
outcome_connect(struct db *db, int64_t send_by)
{
	struct err err = {0};

	if (db_connect(db, send_by, &err))
		return true;
	log_msg(LOG_LEVEL_WARN, result_events[DB_DOWN], "%s", err.detail);
	return false;
}

enum batch_result
outcome_call(struct db *db, enum statement statement, const char *const *params,
    size_t n, int64_t send_by, struct db_rows **rows)
{
	struct err err = {0};
	int64_t patience = conf_int(CONF_DEADLINE_MS) * 1000;
	enum db_result result =
	    db_call(db, statement, params, send_by, patience, rows, &err);

	if (result == DB_OK && db_rows_count(*rows) != n) {
		err_set(&err, ERR_MISMATCH, "%zu rows for %zu requests",
		    db_rows_count(*rows), n);
		db_rows_free(*rows);
		*rows = NULL;
		result = DB_UNKNOWN;
	}
	if (result != DB_OK)
		log_msg(LOG_LEVEL_WARN, result_events[result], "%s of %zu: %s",
		    statement_name(statement), n, err.detail);
	return batch_results[result];
}

void
outcome_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from == NULL ? "" : from);
}
