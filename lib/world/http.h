/* SPDX-License-Identifier: ISC */
/*
 * Requests and responses, as the web server passes them over FastCGI.  The
 * only module that knows libfcgi.  One struct http belongs to one thread; the
 * socket that all threads and workers accept from is file descriptor 0.
 */
#ifndef PAPPUS_WORLD_HTTP_H
#define PAPPUS_WORLD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum http_method {
	HTTP_GET,
	HTTP_POST,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OTHER /* any method that no route takes, HEAD among them */
};

enum { HTTP_REQUEST_ID_LEN = 32, HTTP_OUTCOME_LEN = 31 };

/* One request.  The strings are owned by the connection until the response. */
struct http_request {
	enum http_method method;
	const char *path;	  /* decoded and normalised by the web server */
	const char *query;	  /* as sent, without the question mark */
	const char *content_type; /* NULL when there is none */
	const char *address; /* the client's, or NULL when it isn't an IP's */
	char id[HTTP_REQUEST_ID_LEN + 1]; /* hex, the web server's or ours */
	struct buf body;
	int64_t started; /* clock_mono_us, when the web server had it whole */
	char *const *params;
};

/* One response, complete before any of it is sent. */
struct http_response {
	int status;
	const char *content_type;
	struct buf headers; /* further header lines, each ended by \r\n */
	struct buf body;
	/* For the log. */
	const char *outcome;	/* a word, such as "issued" */
	char device_id[32 + 1]; /* empty when none is known */
};

struct http;

/* Once a process, before any other call: bind to file descriptor 0. */
bool http_init(int64_t drain_us, struct err *err);

/*
 * Stop taking connections.  Requests that were accepted are answered, a kept
 * connection gets up to drain_us for one more, then http_accept returns
 * false.  Safe from any thread; the listening socket stays open for others.
 */
void http_drain(void);

/* A thread's own state.  Never fails. */
struct http *http_new(void);
void http_free(struct http *h);

/*
 * Wait for the next request and fill *rq but for its body.  False: draining
 * is over and the thread may end.
 */
bool http_accept(struct http *h, struct http_request *rq);

/*
 * Read the body into rq->body.  Over max bytes: ERR_TOO_LONG; shorter than
 * announced: ERR_MALFORMED.
 */
bool http_read_body(
    struct http *h, struct http_request *rq, size_t max, struct err *err);

/*
 * How often a header was sent, and its first value in *value (NULL: never).
 * name is in FastCGI's form, such as "HTTP_AUTHORIZATION".
 */
size_t http_header(
    const struct http_request *rq, const char *name, const char **value);

/* Append one header line to a response. */
void http_response_header(
    struct http_response *rs, const char *name, const char *value);

/*
 * Send the response, end the request and wipe what the library buffered of
 * it.  False when the client or the web server is gone.
 */
bool http_respond(struct http *h, const struct http_request *rq,
    const struct http_response *rs);

/*
 * The reason phrase of a status.  It means nothing, but there are devices
 * whose HTTP client stumbles over a status line without one.
 */
const char *http_reason(int status);

/* The word of a method, for Allow and the log. */
const char *http_method_name(enum http_method method);

#endif
