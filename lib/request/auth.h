/* SPDX-License-Identifier: ISC */
/* Reading the token that a request presents. */
#ifndef PAPPUS_REQUEST_AUTH_H
#define PAPPUS_REQUEST_AUTH_H

#include "encoding/token.h"
#include "world/http.h"

/*
 * Read "Authorization: Bearer TOKEN" (RFC 6750 §2.1; the scheme without
 * regard to case) into *token.  False: the response is a 401 without an error
 * code when nothing was presented, one with error="invalid_token" when it is
 * no token of this kind (§3.1), or a 400 when it was presented twice.
 */
bool auth_bearer(const struct http_request *rq, enum token_kind kind,
    struct token *token, struct http_response *rs);

/* The same for the header Thistle-Device-Enrollment-Token of /enroll. */
bool auth_enrollment(const struct http_request *rq, struct token *token,
    struct http_response *rs);

/* Answer 401 to a well-formed bearer token that isn't valid. */
void auth_refuse_bearer(
    const struct http_request *rq, struct http_response *rs);

/* Answer 401 to a well-formed enrolment token that isn't valid. */
void auth_refuse_enrollment(
    const struct http_request *rq, struct http_response *rs);

#endif
