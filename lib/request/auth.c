/* SPDX-License-Identifier: ISC */
/* Presented tokens: see auth.h. */
#include "request/auth.h"

#include <string.h>
#include <strings.h>

#include "request/problem.h"

#define ENROLLMENT_SCHEME "Thistle-Device-Enrollment-Token"

/* One way to present a token, and how to ask for it (RFC 9110 §11.6.1). */
struct scheme {
	const char *header; /* FastCGI's name of it */
	const char *prefix; /* word before the token, or NULL */
	const char *challenge;
	const char *challenge_invalid;
	const char *missing;
	const char *twice;
};

static const struct scheme bearer = {
    "HTTP_AUTHORIZATION",
    "Bearer",
    "Bearer realm=\"pappus\"",
    "Bearer realm=\"pappus\", error=\"invalid_token\"",
    "Send the header Authorization: Bearer TOKEN.",
    "Send the header Authorization once.",
};

static const struct scheme enrollment = {
    "HTTP_THISTLE_DEVICE_ENROLLMENT_TOKEN",
    NULL,
    ENROLLMENT_SCHEME " realm=\"pappus\"",
    ENROLLMENT_SCHEME " realm=\"pappus\", error=\"invalid_token\"",
    "Send the header " ENROLLMENT_SCHEME " with the project's token.",
    "Send the header " ENROLLMENT_SCHEME " once.",
};

/*
 * nginx drops the body there, counts the failure by address, and answers with
 * the copy, or 429 when there are too many (nginx/pappus-failed.conf).
 */
static void
hand_back(struct http_response *rs)
{
	http_response_header(rs, "X-Problem", buf_str(&rs->body));
	http_response_header(rs, "X-Accel-Redirect", "/.failed");
}

static void
refuse(const struct scheme *scheme, const struct http_request *rq,
    struct http_response *rs, const char *detail)
{
	problem_respond(rs, rq, PROBLEM_INVALID_TOKEN, detail);
	http_response_header(rs, "WWW-Authenticate", scheme->challenge_invalid);
	hand_back(rs);
}

static void
ask(const struct scheme *scheme, const struct http_request *rq,
    struct http_response *rs)
{
	problem_respond(rs, rq, PROBLEM_UNAUTHENTICATED, scheme->missing);
	http_response_header(rs, "WWW-Authenticate", scheme->challenge);
	hand_back(rs);
}

/* Step over "Bearer" and its spaces; NULL: it is another scheme. */
static const char *
skip_prefix(const char *value, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncasecmp(value, prefix, len) != 0 ||
	    (value[len] != ' ' && value[len] != '\0'))
		return NULL;
	value += len;
	return value + strspn(value, " ");
}

static bool
read_token(const struct scheme *scheme, enum token_kind kind,
    const struct http_request *rq, struct token *token,
    struct http_response *rs)
{
	struct err err = {0};
	const char *value;
	size_t count = http_header(rq, scheme->header, &value);

	if (count > 1) {
		problem_respond(rs, rq, PROBLEM_BAD_REQUEST, scheme->twice);
		return false;
	}
	if (value != NULL && scheme->prefix != NULL)
		value = skip_prefix(value, scheme->prefix);
	if (value == NULL || *value == '\0') {
		ask(scheme, rq, rs);
		return false;
	}
	if (!token_parse(kind, value, strlen(value), token, &err)) {
		refuse(scheme, rq, rs, err.detail);
		return false;
	}
	return true;
}

bool
auth_bearer(const struct http_request *rq, enum token_kind kind,
    struct token *token, struct http_response *rs)
{
	return read_token(&bearer, kind, rq, token, rs);
}

bool
auth_enrollment(const struct http_request *rq, struct token *token,
    struct http_response *rs)
{
	return read_token(&enrollment, TOKEN_ENROLLMENT, rq, token, rs);
}

void
auth_refuse_bearer(const struct http_request *rq, struct http_response *rs)
{
	refuse(&bearer, rq, rs, "The token is not valid (any more).");
}

void
auth_refuse_enrollment(const struct http_request *rq, struct http_response *rs)
{
	refuse(&enrollment, rq, rs,
	    "The enrolment token is not valid (any more); the project may "
	    "have a newer one.");
}
