/* SPDX-License-Identifier: ISC */
/*
 * /admin/v1: what operators do with projects, enrolment tokens and devices.
 * Holds no secret; every call passes the caller's token on to the database,
 * which authenticates it in the transaction that acts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "encoding/form.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "request/management.h"
#include "request/problem.h"
#include "request/program.h"

#define JSON "application/json"

enum { BODY_MAX = 65536, NAME_CHARS = 128, REASON_CHARS = 512 };
enum { PAGE_SIZE_MAX = 1000 };

static route_handler_fn projects_get, projects_post, project_get;
static route_handler_fn enrollment_tokens_get, enrollment_tokens_post;
static route_handler_fn devices_get, device_get, device_deny, device_allow;

static const struct route routes[] = {
    {HTTP_GET, "/admin/v1/projects", NULL, 0, ROLE_AUDITOR, projects_get},
    {HTTP_POST, "/admin/v1/projects", JSON, BODY_MAX, ROLE_OPERATOR,
	projects_post},
    {HTTP_GET, "/admin/v1/projects/{project}", NULL, 0, ROLE_AUDITOR,
	project_get},
    {HTTP_GET, "/admin/v1/projects/{project}/enrollment-tokens", NULL, 0,
	ROLE_AUDITOR, enrollment_tokens_get},
    {HTTP_POST, "/admin/v1/projects/{project}/enrollment-tokens", JSON,
	BODY_MAX, ROLE_OPERATOR, enrollment_tokens_post},
    {HTTP_GET, "/admin/v1/devices", NULL, 0, ROLE_AUDITOR, devices_get},
    {HTTP_GET, "/admin/v1/devices/{device}", NULL, 0, ROLE_AUDITOR, device_get},
    {HTTP_POST, "/admin/v1/devices/{device}/deny", JSON, BODY_MAX,
	ROLE_OPERATOR, device_deny},
    {HTTP_POST, "/admin/v1/devices/{device}/allow", JSON, BODY_MAX,
	ROLE_OPERATOR, device_allow},
};

static void
respond_bad(struct call *call, const char *detail)
{
	problem_respond(call->rs, call->rq, PROBLEM_BAD_REQUEST, detail);
}

/* Check the id in the path; an id of the wrong form names nothing. */
static bool
path_names(struct call *call, enum name_kind kind)
{
	if (name_valid(kind, call->arg, strlen(call->arg))) {
		if (kind == NAME_DEVICE)
			memcpy(call->rs->device_id, call->arg, NAME_MAX_LEN);
		return true;
	}
	problem_respond(call->rs, call->rq, PROBLEM_NOT_FOUND,
	    "There is nothing with this id.");
	return false;
}

/* Call a function and answer with the document that it returns. */
static void
act(struct call *call, enum statement statement, const char *const *args)
{
	management_call(call->program, call, statement, args, &call->rs->body);
}

/* A page of a list, as asked for in the query. */
enum { QUERY_LIMIT, QUERY_CURSOR, QUERY_PROJECT, QUERY_FIELDS };

static bool
read_query(struct call *call, struct form_field *fields, size_t n)
{
	const char *limit;
	struct err err = {0};
	char *end;
	long size;

	if (!form_parse_query(call->rq->query, fields, n, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		return false;
	}
	limit = fields[QUERY_LIMIT].value;
	if (limit == NULL)
		return true;
	size = strtol(limit, &end, 10);
	if (*limit < '1' || *limit > '9' || *end != '\0' ||
	    size > PAGE_SIZE_MAX) {
		respond_bad(call, "limit must be a number from 1 to 1000.");
		return false;
	}
	return true;
}

/* Answer a list; its function takes head (or NULL), page size and cursor. */
static void
list(struct call *call, enum statement statement, const char *head,
    bool by_project)
{
	struct form_field fields[QUERY_FIELDS] = {
	    [QUERY_LIMIT] = {"limit", 1, 4, NULL},
	    [QUERY_CURSOR] = {"cursor", 1, 256, NULL},
	    [QUERY_PROJECT] = {"project_id", 1, NAME_MAX_LEN, NULL},
	};
	const char *args[3], *limit, *project;
	size_t n = 0;

	/* project_id is the last, and only a filter of devices. */
	if (!read_query(
		call, fields, by_project ? QUERY_FIELDS : QUERY_PROJECT))
		goto out;
	project = fields[QUERY_PROJECT].value;
	if (project != NULL &&
	    !name_valid(NAME_PROJECT, project, strlen(project))) {
		respond_bad(call, "project_id is no project's id.");
		goto out;
	}
	limit = fields[QUERY_LIMIT].value;
	if (by_project || head != NULL)
		args[n++] = by_project ? project : head;
	args[n++] = limit == NULL ? "100" : limit;
	args[n++] = fields[QUERY_CURSOR].value;
	act(call, statement, args);
out:
	form_fields_free(fields, QUERY_FIELDS);
}

static void
projects_get(struct call *call)
{
	list(call, STATEMENT_PROJECT_LIST, NULL, false);
}

static void
projects_post(struct call *call)
{
	struct json_field name = {
	    .key = "name", .min = 1, .max = NAME_CHARS, .required = true};
	char id[NAME_MAX_LEN + 1], location[64 + NAME_MAX_LEN];
	const char *args[] = {id, NULL};
	struct err err = {0};

	if (!json_read(
		call->rq->body.data, call->rq->body.len, &name, 1, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		return;
	}
	name_generate(NAME_PROJECT, clock_wall_ms(), id);
	args[1] = name.value;
	act(call, STATEMENT_PROJECT_CREATE, args);
	if (call->rs->status == 201) {
		snprintf(
		    location, sizeof(location), "/admin/v1/projects/%s", id);
		http_response_header(call->rs, "Location", location);
	}
	json_fields_free(&name, 1);
}

static void
project_get(struct call *call)
{
	const char *args[] = {call->arg};

	if (path_names(call, NAME_PROJECT))
		act(call, STATEMENT_PROJECT_GET, args);
}

static void
enrollment_tokens_get(struct call *call)
{
	if (path_names(call, NAME_PROJECT))
		list(call, STATEMENT_ENROLLMENT_TOKEN_LIST, call->arg, false);
}

/* Put the token, shown this once, in front of the document's members. */
static void
add_token(struct call *call, const char *token, const struct buf *document)
{
	struct buf *body = &call->rs->body;

	json_begin(body);
	json_str(body, "enrollment_token", token);
	buf_add_byte(body, ',');
	buf_add(body, document->data + 1, document->len - 1);
}

/* Regenerate: a new token; all earlier ones of the project die with it. */
static void
enrollment_tokens_post(struct call *call)
{
	char id[NAME_MAX_LEN + 1], token[TOKEN_LEN + 1];
	char digest[2 + 2 * TOKEN_DIGEST_LEN + 1] = "\\x";
	const char *args[] = {call->arg, id, digest};
	struct token_secret secret;
	struct buf document = BUF_INIT;
	struct err err = {0};

	if (!path_names(call, NAME_PROJECT))
		return;
	if (call->rq->body.len > 0 && !json_read(call->rq->body.data,
					  call->rq->body.len, NULL, 0, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		return;
	}
	name_generate(NAME_ENROLLMENT_TOKEN, clock_wall_ms(), id);
	token_secret_generate(&secret);
	hex_encode(secret.digest, TOKEN_DIGEST_LEN, digest + 2);
	if (management_call(call->program, call,
		STATEMENT_ENROLLMENT_TOKEN_REGENERATE, args, &document)) {
		token_format(TOKEN_ENROLLMENT, id, &secret, token);
		add_token(call, token, &document);
		explicit_bzero(token, sizeof(token));
	}
	token_secret_wipe(&secret);
	buf_free(&document);
}

static void
devices_get(struct call *call)
{
	list(call, STATEMENT_DEVICE_LIST, NULL, true);
}

static void
device_get(struct call *call)
{
	const char *args[] = {call->arg};

	if (path_names(call, NAME_DEVICE))
		act(call, STATEMENT_DEVICE_GET, args);
}

/* Deny and allow take a reason, which the log of operators' acts keeps. */
static void
change_device(struct call *call, enum statement statement)
{
	struct json_field reason = {
	    .key = "reason", .min = 1, .max = REASON_CHARS, .required = true};
	const char *args[] = {call->arg, NULL};
	struct err err = {0};

	if (!path_names(call, NAME_DEVICE))
		return;
	if (!json_read(
		call->rq->body.data, call->rq->body.len, &reason, 1, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		return;
	}
	args[1] = reason.value;
	act(call, statement, args);
	json_fields_free(&reason, 1);
}

static void
device_deny(struct call *call)
{
	change_device(call, STATEMENT_DEVICE_DENY);
}

static void
device_allow(struct call *call)
{
	change_device(call, STATEMENT_DEVICE_ALLOW);
}

static void *
start(struct err *err)
{
	(void)err;
	return management_new(conf_str(CONF_DATABASE));
}

static void
stop(void *program)
{
	management_free(program);
}

static bool
authorize(struct call *call, enum role role)
{
	return management_authorize(call->program, call, role);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
	    .name = "admin",
	    .about = "/admin/v1: projects, enrolment tokens and devices.",
	    .conf = CONF_ADMIN,
	    .routes = routes,
	    .n_routes = sizeof(routes) / sizeof(routes[0]),
	    .start = start,
	    .stop = stop,
	    .authorize = authorize,
	};

	return program_main(&program, argc, argv);
}
