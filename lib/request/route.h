/* SPDX-License-Identifier: ISC */
/* From a request's path and method to the handler that answers it. */
#ifndef PAPPUS_REQUEST_ROUTE_H
#define PAPPUS_REQUEST_ROUTE_H

#include <stddef.h>

#include "encoding/token.h"
#include "world/http.h"

/* What a caller must be, at least; the program's authorize looks at it. */
enum role {
	ROLE_ANON, /* anyone; the handler may ask for a token of its own */
	ROLE_AUDITOR,
	ROLE_OPERATOR,
	ROLE_OWNER
};

enum { ROUTE_ARG_LEN = 64 };

/* A request on its way through a handler. */
struct call {
	struct http_request *rq;
	struct http_response *rs;
	void *program;		     /* what the program's start returned */
	void *thread;		     /* what its thread_start returned */
	const char *route;	     /* the pattern that matched, for the log */
	char arg[ROUTE_ARG_LEN + 1]; /* the path's segment at {…}, if any */
	struct token token;	     /* of an authorized caller */
	int64_t deadline;	     /* clock_mono_us */
};

typedef void route_handler_fn(struct call *call);

struct route {
	enum http_method method;
	const char *pattern;	  /* segments; one of them may be {name} */
	const char *content_type; /* of a body; NULL: the handler looks */
	size_t body_max;	  /* bytes; 0: no body is read */
	enum role role;
	route_handler_fn *handler;
};

/*
 * Find the route of call->rq, set call->route and call->arg and return it.
 * NULL: the response is a 404, or a 405 with the path's methods in Allow
 * (RFC 9110 §15.5.6).
 */
const struct route *route_find(
    const struct route *routes, size_t n, struct call *call);

/*
 * Whether a Content-Type header names media type want, whose parameters don't
 * count (RFC 9110 §8.3.1).  header may be NULL.
 */
bool route_media_type_is(const char *header, const char *want);

#endif
