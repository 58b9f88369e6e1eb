/* SPDX-License-Identifier: ISC */
/* Operators' acts: see management.h. */
#include "request/management.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "request/auth.h"
#include "request/outcome.h"
#include "request/problem.h"

/* The arguments that say who asks, and from where, come first. */
enum { TOKEN_ID, TOKEN_SHA256, ADDRESS, REQUEST_ID, CALLER_PARAMS };

enum outcome {
	OUTCOME_OK,
	OUTCOME_CREATED,
	OUTCOME_INVALID_TOKEN,
	OUTCOME_FORBIDDEN,
	OUTCOME_NOT_FOUND,
	OUTCOME_CONFLICT,
	OUTCOME_INVALID_CURSOR,
	OUTCOME_INVALID, /* body: {"detail": why} */
	OUTCOMES
};

static const char *const outcome_names[OUTCOMES] = {
    [OUTCOME_OK] = "ok",
    [OUTCOME_CREATED] = "created",
    [OUTCOME_INVALID_TOKEN] = "invalid_token",
    [OUTCOME_FORBIDDEN] = "forbidden",
    [OUTCOME_NOT_FOUND] = "not_found",
    [OUTCOME_CONFLICT] = "conflict",
    [OUTCOME_INVALID_CURSOR] = "invalid_cursor",
    [OUTCOME_INVALID] = "invalid",
};

static const char *const role_names[] = {
    [ROLE_ANON] = "anon",
    [ROLE_AUDITOR] = "auditor",
    [ROLE_OPERATOR] = "operator",
    [ROLE_OWNER] = "owner",
};

struct management {
	struct db *db;
	struct batch *turns; /* batches of one: a queue with deadlines */
};

/* One call in the queue. */
struct act {
	enum statement statement;
	const char *params[STATEMENT_PARAMS_MAX];
	struct db_rows *rows;
};

static enum batch_result
run_act(void *ctx, void **items, size_t n, int64_t send_by)
{
	struct act *act = items[0];

	return outcome_call(
	    ctx, act->statement, act->params, n, send_by, &act->rows);
}

struct management *
management_new(const char *conninfo)
{
	struct management *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->db = db_new(conninfo, "pappus-admin");
	m->turns = batch_new(1, run_act, m->db);
	return m;
}

void
management_free(struct management *m)
{
	if (m == NULL)
		return;
	batch_free(m->turns);
	db_free(m->db);
	free(m);
}

static void
respond_refused(struct call *call, enum outcome outcome)
{
	enum problem problem = PROBLEM_INTERNAL;
	const char *detail =
	    "The database answered in a way this version doesn't know.";

	switch (outcome) {
	case OUTCOME_INVALID_TOKEN:
		auth_refuse_bearer(call->rq, call->rs);
		return;
	case OUTCOME_FORBIDDEN:
		problem = PROBLEM_FORBIDDEN;
		detail = "The token's role or project doesn't allow this.";
		break;
	case OUTCOME_NOT_FOUND:
		problem = PROBLEM_NOT_FOUND;
		detail = "There is nothing with this id.";
		break;
	case OUTCOME_CONFLICT:
		problem = PROBLEM_CONFLICT;
		detail = "The present state doesn't allow this; look at it "
			 "first.";
		break;
	case OUTCOME_INVALID_CURSOR:
		problem = PROBLEM_BAD_REQUEST;
		detail = "cursor is not one that a list answered: take "
			 "next_cursor as it is, or leave it out.";
		break;
	case OUTCOME_INVALID:
	case OUTCOME_OK:
	case OUTCOME_CREATED:
	case OUTCOMES:
		break;
	}
	problem_respond(call->rs, call->rq, problem, detail);
}

/* What the database found wrong with a well-formed document. */
static void
respond_invalid(struct call *call, const char *document)
{
	struct json_field detail = {
	    .key = "detail", .min = 1, .max = 256, .required = true};
	struct err err = {0};

	if (document != NULL && json_read((const uint8_t *)document,
				    strlen(document), &detail, 1, &err))
		problem_respond(
		    call->rs, call->rq, PROBLEM_BAD_REQUEST, detail.value);
	else
		respond_refused(call, OUTCOMES);
	json_fields_free(&detail, 1);
}

static bool
take_outcome(struct call *call, const struct db_rows *rows, struct buf *body)
{
	enum outcome outcome = (enum outcome)outcome_find(
	    outcome_names, OUTCOMES, db_rows_str(rows, 0, 0));
	const char *document = db_rows_str(rows, 0, 1);

	if (outcome == OUTCOME_INVALID) {
		respond_invalid(call, document);
		return false;
	}
	if (outcome != OUTCOME_OK && outcome != OUTCOME_CREATED) {
		respond_refused(call, outcome);
		return false;
	}
	call->rs->status = outcome == OUTCOME_CREATED ? 201 : 200;
	call->rs->outcome = outcome_names[outcome];
	if (body != NULL && document != NULL)
		buf_add_str(body, document);
	return true;
}

bool
management_call(struct management *m, struct call *call,
    enum statement statement, const char *const *args, struct buf *body)
{
	int i, n = statement_params(statement) - CALLER_PARAMS;
	struct act act = {.statement = statement};
	char digest[2 + 2 * TOKEN_DIGEST_LEN + 1] = "\\x";
	enum batch_result result;
	bool ok = false;

	hex_encode(call->token.digest, TOKEN_DIGEST_LEN, digest + 2);
	act.params[TOKEN_ID] = call->token.name;
	act.params[TOKEN_SHA256] = digest;
	act.params[ADDRESS] = call->rq->address;
	act.params[REQUEST_ID] = call->rq->id;
	for (i = 0; i < n; i++)
		act.params[CALLER_PARAMS + i] = args[i];
	result = batch_submit(m->turns, &act, call->deadline);
	if (result == BATCH_DONE)
		ok = take_outcome(call, act.rows, body);
	else
		problem_respond_batch(call->rs, call->rq, result);
	db_rows_free(act.rows);
	return ok;
}

/* The role in {"role":"owner",…}, which the database has written. */
static enum role
parse_role(const char *document)
{
	const char *at = strstr(document, "\"role\"");
	enum role role;

	if (at == NULL)
		return ROLE_ANON;
	at += strlen("\"role\"");
	at += strspn(at, ": \"");
	for (role = ROLE_OWNER; role > ROLE_ANON; role--)
		if (strncmp(at, role_names[role], strlen(role_names[role])) ==
		    0)
			return role;
	return ROLE_ANON;
}

bool
management_authorize(struct management *m, struct call *call, enum role role)
{
	struct buf body = BUF_INIT;
	bool ok = false;

	if (!auth_bearer(call->rq, TOKEN_ADMIN, &call->token, call->rs))
		return false;
	if (!management_call(
		m, call, STATEMENT_ADMIN_AUTHENTICATE, NULL, &body))
		goto out;
	ok = parse_role(buf_str(&body)) >= role;
	if (!ok)
		respond_refused(call, OUTCOME_FORBIDDEN);
out:
	buf_free(&body);
	return ok;
}
