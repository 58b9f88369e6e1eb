/* SPDX-License-Identifier: ISC */
/*
 * What operators do: the functions pappus.admin_… of the database.  Each
 * authenticates its caller again, in the same transaction as it acts, so a
 * program that was broken into can do nothing without a live admin token.
 */
#ifndef PAPPUS_REQUEST_MANAGEMENT_H
#define PAPPUS_REQUEST_MANAGEMENT_H

#include "base/buf.h"
#include "request/route.h"
#include "world/statement.h"

struct management;

/* A connection that the program's threads take turns on.  Never fails. */
struct management *management_new(const char *conninfo);
void management_free(struct management *m);

/*
 * Read the call's admin token into call->token and look it up.  False: the
 * response is a 401, a 403 when the caller's role is below role, or a 503.
 */
bool management_authorize(
    struct management *m, struct call *call, enum role role);

/*
 * Call one function for the call's caller with args, its arguments from the
 * fifth on.  True: body, which may be NULL, holds the JSON document, and the
 * response's status is set to 200 or 201.  False: the response is a problem.
 */
bool management_call(struct management *m, struct call *call,
    enum statement statement, const char *const *args, struct buf *body);

#endif
