/* SPDX-License-Identifier: ISC */
/* Problem details: see problem.h. */
#include "request/problem.h"

#include "encoding/json.h"

struct problem_row {
	int status;
	const char *name;
	const char *title;
};

static const struct problem_row rows[] = {
    [PROBLEM_BAD_REQUEST] = {400, "bad-request", "Bad request"},
    [PROBLEM_UNAUTHENTICATED] = {401, "unauthenticated",
	"Authentication required"},
    [PROBLEM_INVALID_TOKEN] = {401, "invalid-token", "Invalid token"},
    [PROBLEM_FORBIDDEN] = {403, "forbidden", "Forbidden"},
    [PROBLEM_TOKEN_EXPIRED] = {403, "token-expired", "Enrolment token expired"},
    [PROBLEM_TOKEN_USED_UP] = {403, "token-used-up", "Enrolment token used up"},
    [PROBLEM_ADDRESS_NOT_ALLOWED] = {403, "address-not-allowed",
	"Address not allowed"},
    [PROBLEM_DEVICE_LIMIT] = {403, "device-limit", "Device limit reached"},
    [PROBLEM_PROJECT_DISABLED] = {403, "project-disabled", "Project disabled"},
    [PROBLEM_DEVICE_DENIED] = {403, "device-denied", "Device denied"},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "Not found"},
    [PROBLEM_METHOD_NOT_ALLOWED] = {405, "method-not-allowed",
	"Method not allowed"},
    [PROBLEM_CONFLICT] = {409, "conflict", "Conflict"},
    [PROBLEM_IDENTITY_EXISTS] = {409, "identity-exists",
	"Identity already fetched"},
    [PROBLEM_PAYLOAD_TOO_LARGE] = {413, "payload-too-large",
	"Payload too large"},
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported-media-type",
	"Unsupported media type"},
    [PROBLEM_TOO_MANY_REQUESTS] = {429, "too-many-requests",
	"Too many requests"},
    [PROBLEM_INTERNAL] = {500, "internal", "Internal error"},
    [PROBLEM_UNAVAILABLE] = {503, "unavailable", "Service unavailable"},
};

enum { RETRY_AFTER_SECONDS = 1 };

void
problem_respond(struct http_response *rs, const struct http_request *rq,
    enum problem problem, const char *detail)
{
	const struct problem_row *row = &rows[problem];
	struct buf type = BUF_INIT;

	rs->status = row->status;
	rs->content_type = "application/problem+json";
	rs->outcome = row->name;
	buf_reset(&rs->body);
	buf_add_fmt(&type, "urn:pappus:problem:%s", row->name);
	json_begin(&rs->body);
	json_str(&rs->body, "type", buf_str(&type));
	json_str(&rs->body, "title", row->title);
	json_int(&rs->body, "status", row->status);
	json_str(&rs->body, "detail", detail);
	json_str(&rs->body, "request_id", rq->id);
	json_end(&rs->body);
	buf_free(&type);
	if (row->status == 503)
		buf_add_fmt(
		    &rs->headers, "Retry-After: %d\r\n", RETRY_AFTER_SECONDS);
}

void
problem_respond_err(struct http_response *rs, const struct http_request *rq,
    const struct err *err)
{
	switch (err->code) {
	case ERR_MALFORMED:
	case ERR_ENCODING:
	case ERR_DUPLICATE:
	case ERR_TOO_LONG:
		problem_respond(rs, rq, PROBLEM_BAD_REQUEST, err->detail);
		return;
	case ERR_UNSUPPORTED:
		problem_respond(
		    rs, rq, PROBLEM_UNSUPPORTED_MEDIA_TYPE, err->detail);
		return;
	case ERR_UNAVAILABLE:
		problem_respond(rs, rq, PROBLEM_UNAVAILABLE,
		    "The service is busy or its database is away; ask again.");
		return;
	case ERR_NONE:
	case ERR_CONFIG:
	case ERR_SYSTEM:
	case ERR_CRYPTO:
	case ERR_REFUSED:
	case ERR_MISMATCH:
		break;
	}
	problem_respond(rs, rq, PROBLEM_INTERNAL,
	    "Something failed here; the log knows more under this request id.");
}

const char *
problem_name(enum problem problem)
{
	return rows[problem].name;
}

void
problem_respond_batch(struct http_response *rs, const struct http_request *rq,
    enum batch_result result)
{
	static const char *const details[] = {
	    [BATCH_DONE] = "Ask again.",
	    [BATCH_ROLLED_BACK] = "Nothing was recorded; ask again.",
	    [BATCH_UNKNOWN] = "The answer was lost; ask again.",
	    [BATCH_DOWN] = "The database is away; ask again.",
	    [BATCH_EXPIRED] = "Not executed: it waited too long; ask again.",
	};

	problem_respond(rs, rq, PROBLEM_UNAVAILABLE, details[result]);
}
