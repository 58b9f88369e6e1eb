/* SPDX-License-Identifier: ISC */
/* Notifications: see db.h. */
#include "world/db_internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/*
 * Any role may notify, as often as it likes: it must not keep who listens
 * from all else.
 */
enum { WAKE_US = 20 * 1000 };

void
db_listen(struct db *db, const char *channel)
{
	free(db->channel);
	db->channel = strdup(channel);
	if (db->channel == NULL)
		abort();
	db_disconnect(db); /* the next connection listens */
}

bool
db_listen_now(struct db *db, int64_t deadline)
{
	char *name =
	    PQescapeIdentifier(db->conn, db->channel, strlen(db->channel));
	PGresult *res = NULL;
	char text[128];
	bool ok;

	if (name == NULL)
		abort();
	snprintf(text, sizeof(text), "LISTEN %s", name);
	PQfreemem(name);
	if (PQsendQuery(db->conn, text))
		res = db_collect(db->conn, deadline);
	ok = PQresultStatus(res) == PGRES_COMMAND_OK;
	PQclear(res);
	return ok;
}

/* Whether something was notified; all of it is taken. */
static bool
take(PGconn *conn)
{
	PGnotify *notify;
	bool any = false;

	while ((notify = PQnotifies(conn)) != NULL) {
		any = true;
		PQfreemem(notify);
	}
	return any;
}

/* The later of two moments, and no later than until. */
static int64_t
bounded(int64_t a, int64_t b, int64_t until)
{
	if (a < b)
		a = b;
	return a < until ? a : until;
}

static void
sleep_until(int64_t until)
{
	int64_t left = until - clock_mono_us();

	if (left > 0)
		poll(NULL, 0, (int)(left / 1000) + 1);
}

bool
db_wait(struct db *db, int64_t timeout_us)
{
	int64_t now = clock_mono_us(), until = now + timeout_us, left;
	struct pollfd pfd = {.events = POLLIN};

	/* What comes now is not lost: libpq keeps it, or the socket. */
	sleep_until(bounded(now, db->wake_next, until));
	while (db->conn != NULL) {
		if (take(db->conn)) {
			db->wake_next = clock_mono_us() + WAKE_US;
			return true;
		}
		left = until - clock_mono_us();
		pfd.fd = PQsocket(db->conn);
		/* A signal ends the wait too. */
		if (left <= 0 || poll(&pfd, 1, (int)(left / 1000) + 1) < 0)
			return false;
		if (!PQconsumeInput(db->conn) ||
		    PQstatus(db->conn) != CONNECTION_OK)
			db_disconnect(db);
	}
	sleep_until(bounded(now, db->retry_at, until));
	return false;
}
