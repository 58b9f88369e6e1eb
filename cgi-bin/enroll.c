/* SPDX-License-Identifier: ISC */
/*
 * POST /enroll: a device trades its project's enrolment token for an id and a
 * token of its own.  Holds no secret; its database role can enrol and nothing
 * else.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "encoding/form.h"
#include "encoding/json.h"
#include "request/auth.h"
#include "request/enrollments.h"
#include "request/problem.h"
#include "request/program.h"
#include "world/db.h"

enum { BODY_MAX = 8192, LABEL_MAX = 128, EXTERNAL_ID_MAX = 128 };

static route_handler_fn enroll_post;

static const struct route routes[] = {
    {HTTP_POST, "/enroll", NULL, BODY_MAX, ROLE_ANON, enroll_post},
};

struct context {
	struct db *db;
	struct batch *batch;
};

enum { FIELD_LABEL, FIELD_EXTERNAL_ID, FIELDS };

static void
respond_enrolled(struct call *call, const struct enrollment *e,
    const struct token_secret *secret)
{
	struct http_response *rs = call->rs;
	char token[TOKEN_LEN + 1];

	/* The token names the row it belongs to: an older one if repeated. */
	token_format(TOKEN_DEVICE, e->device_id, secret, token);
	rs->status = 200;
	json_begin(&rs->body);
	json_str(&rs->body, "device_id", e->device_id);
	json_str(&rs->body, "device_token", token);
	json_str(&rs->body, "project_id", e->project_id);
	json_int(&rs->body, "timestamp", e->enrolled_at);
	json_end(&rs->body);
	explicit_bzero(token, sizeof(token));
}

static void
respond_refused(struct call *call, enum problem problem, const char *detail)
{
	problem_respond(call->rs, call->rq, problem, detail);
}

static void
respond_outcome(struct call *call, const struct enrollment *e,
    const struct token_secret *secret)
{
	switch (e->outcome) {
	case ENROLLMENT_ENROLLED:
	case ENROLLMENT_REPEATED:
		call->rs->outcome =
		    e->outcome == ENROLLMENT_ENROLLED ? "enrolled" : "repeated";
		memcpy(call->rs->device_id, e->device_id, sizeof(e->device_id));
		respond_enrolled(call, e, secret);
		return;
	case ENROLLMENT_INVALID_TOKEN:
		auth_refuse_enrollment(call->rq, call->rs);
		return;
	case ENROLLMENT_TOKEN_EXPIRED:
		respond_refused(call, PROBLEM_TOKEN_EXPIRED,
		    "The enrolment token has expired; ask the project's "
		    "operator for a new one.");
		return;
	case ENROLLMENT_TOKEN_USED_UP:
		respond_refused(call, PROBLEM_TOKEN_USED_UP,
		    "The enrolment token has enrolled as many devices as it "
		    "may; ask the project's operator for a new one.");
		return;
	case ENROLLMENT_ADDRESS_NOT_ALLOWED:
		respond_refused(call, PROBLEM_ADDRESS_NOT_ALLOWED,
		    "The enrolment token may not be used from this address.");
		return;
	case ENROLLMENT_DEVICE_LIMIT:
		respond_refused(call, PROBLEM_DEVICE_LIMIT,
		    "The project has as many devices as it may.");
		return;
	case ENROLLMENT_PROJECT_DISABLED:
		respond_refused(call, PROBLEM_PROJECT_DISABLED,
		    "The project takes no devices at present.");
		return;
	case ENROLLMENT_IDENTITY_EXISTS:
		respond_refused(call, PROBLEM_IDENTITY_EXISTS,
		    "The device with this external_id has already fetched an "
		    "identity; an operator must reset it first.");
		return;
	case ENROLLMENT_DEVICE_DENIED:
		respond_refused(call, PROBLEM_DEVICE_DENIED,
		    "The device with this external_id is shut out.");
		return;
	case ENROLLMENT_BUSY:
		respond_refused(call, PROBLEM_UNAVAILABLE,
		    "Another request for this external_id is being served; "
		    "ask again.");
		return;
	case ENROLLMENT_LATE:
		problem_respond_batch(call->rs, call->rq, BATCH_EXPIRED);
		return;
	case ENROLLMENT_OUTCOMES:
		break;
	}
	respond_refused(call, PROBLEM_INTERNAL,
	    "The database answered in a way this version doesn't know.");
}

/* Draw the device's id and token, record them, answer. */
static void
enroll(struct call *call, struct enrollment *e)
{
	struct context *context = call->program;
	struct token_secret secret;
	enum batch_result result;

	name_generate(NAME_DEVICE, clock_wall_ms(), e->device_id);
	token_secret_generate(&secret);
	memcpy(e->device_token_digest, secret.digest, sizeof(secret.digest));
	result = batch_submit(context->batch, e, call->deadline);
	if (result == BATCH_DONE)
		respond_outcome(call, e, &secret);
	else
		problem_respond_batch(call->rs, call->rq, result);
	token_secret_wipe(&secret);
}

static void
enroll_post(struct call *call)
{
	struct form_field fields[FIELDS] = {
	    [FIELD_LABEL] = {"label", 0, LABEL_MAX, NULL},
	    [FIELD_EXTERNAL_ID] = {"external_id", 1, EXTERNAL_ID_MAX, NULL},
	};
	struct enrollment e = {
	    .address = call->rq->address,
	    .request_id = call->rq->id,
	    .deadline = call->deadline,
	};
	struct err err = {0};

	if (!auth_enrollment(call->rq, &e.token, call->rs))
		return;
	if (!form_parse(call->rq->content_type, call->rq->body.data,
		call->rq->body.len, fields, FIELDS, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		goto out;
	}
	e.label = fields[FIELD_LABEL].value;
	e.external_id = fields[FIELD_EXTERNAL_ID].value;
	enroll(call, &e);
out:
	form_fields_free(fields, FIELDS);
}

static void *
start(struct err *err)
{
	struct context *context = calloc(1, sizeof(*context));

	(void)err;
	if (context == NULL)
		abort();
	context->db = db_new(conf_str(CONF_DATABASE), "pappus-enroll");
	context->batch = batch_new(
	    (size_t)conf_int(CONF_BATCH_MAX), enrollments_record, context->db);
	return context;
}

static void
stop(void *program)
{
	struct context *context = program;

	batch_free(context->batch);
	db_free(context->db);
	free(context);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
	    .name = "enroll",
	    .about = "POST /enroll: gives a device its id and its token.",
	    .conf = CONF_ENROLL,
	    .routes = routes,
	    .n_routes = sizeof(routes) / sizeof(routes[0]),
	    .start = start,
	    .stop = stop,
	};

	return program_main(&program, argc, argv);
}
