/* SPDX-License-Identifier: ISC */
/* Errors as the caller sees them: problem details of RFC 9457. */
#ifndef PAPPUS_REQUEST_PROBLEM_H
#define PAPPUS_REQUEST_PROBLEM_H

#include "base/err.h"
#include "world/batch.h"
#include "world/http.h"

/*
 * The kinds of error.  Each has a stable type, urn:pappus:problem:NAME, a
 * title and a status; docs/errors.md lists them with what to do.
 */
enum problem {
	PROBLEM_BAD_REQUEST,		/* 400 */
	PROBLEM_UNAUTHENTICATED,	/* 401, nothing was presented */
	PROBLEM_INVALID_TOKEN,		/* 401 */
	PROBLEM_FORBIDDEN,		/* 403, the role doesn't suffice */
	PROBLEM_TOKEN_EXPIRED,		/* 403 */
	PROBLEM_TOKEN_USED_UP,		/* 403 */
	PROBLEM_ADDRESS_NOT_ALLOWED,	/* 403 */
	PROBLEM_DEVICE_LIMIT,		/* 403 */
	PROBLEM_PROJECT_DISABLED,	/* 403 */
	PROBLEM_DEVICE_DENIED,		/* 403 */
	PROBLEM_NOT_FOUND,		/* 404 */
	PROBLEM_METHOD_NOT_ALLOWED,	/* 405 */
	PROBLEM_CONFLICT,		/* 409, the state doesn't allow it */
	PROBLEM_IDENTITY_EXISTS,	/* 409 */
	PROBLEM_PAYLOAD_TOO_LARGE,	/* 413 */
	PROBLEM_UNSUPPORTED_MEDIA_TYPE, /* 415 */
	PROBLEM_TOO_MANY_REQUESTS,	/* 429 */
	PROBLEM_INTERNAL,		/* 500 */
	PROBLEM_UNAVAILABLE		/* 503 */
};

/*
 * Make the response a problem.  detail tells the caller what was wrong and
 * what to do; it holds nothing secret and nothing that helps to guess.
 * A 503 gets Retry-After; that of a 429 is the caller's, as are
 * WWW-Authenticate and Allow.
 */
void problem_respond(struct http_response *rs, const struct http_request *rq,
    enum problem problem, const char *detail);

/* Make the response the problem that an err of bad input comes down to. */
void problem_respond_err(struct http_response *rs,
    const struct http_request *rq, const struct err *err);

/* Make the response a 503 that says why a batch wasn't done. */
void problem_respond_batch(struct http_response *rs,
    const struct http_request *rq, enum batch_result result);

/* The name of a kind, such as "invalid-token". */
const char *problem_name(enum problem problem);

#endif
