/* SPDX-License-Identifier: ISC */
/*
 * FastCGI: see http.h.  Connections are accepted here and not by libfcgi:
 * its accept can be ended by a signal only, and a signal also breaks the
 * request that came the same moment.  Waiting in poll on the socket and on an
 * event descriptor ends idle threads without touching a busy one.
 */
#include "world/http.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "encoding/hex.h"

enum {
	LISTENER = 0,		 /* where spawn-fcgi puts it */
	PEER_SECONDS = 10,	 /* how long the web server may stall us */
	WAITED_MAX_SECONDS = 600 /* more is the doing of a clock */
};

static int drain_fd = -1;		/* readable once we drain */
static atomic_int_fast64_t drain_until; /* clock_mono_us; 0: not draining */
static int64_t drain_us;
static pthread_mutex_t accept_lock = PTHREAD_MUTEX_INITIALIZER;

struct http {
	FCGX_Request fcgx;
};

static const char *const method_names[] = {
    [HTTP_GET] = "GET",
    [HTTP_POST] = "POST",
    [HTTP_PATCH] = "PATCH",
    [HTTP_DELETE] = "DELETE",
    [HTTP_OTHER] = "other",
};

const char *
http_method_name(enum http_method method)
{
	return method_names[method];
}

bool
http_init(int64_t drain, struct err *err)
{
	int flags, listening = 0;
	socklen_t len = sizeof(listening);

	if (getsockopt(LISTENER, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) !=
		0 ||
	    !listening)
		return err_set(err, ERR_CONFIG,
		    "file descriptor 0 is no listening socket: start me with "
		    "spawn-fcgi -n");
	flags = fcntl(LISTENER, F_GETFL);
	if (flags < 0 || fcntl(LISTENER, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_set_errno(err, "cannot use the listening socket");
	drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (drain_fd < 0)
		return err_set_errno(err, "cannot make an event descriptor");
	if (FCGX_Init() != 0)
		return err_set(err, ERR_SYSTEM, "cannot initialise libfcgi");
	drain_us = drain;
	return true;
}

void
http_drain(void)
{
	const uint64_t one = 1;
	ssize_t written;

	atomic_store(&drain_until, clock_mono_us() + drain_us);
	written = write(drain_fd, &one, sizeof(one));
	(void)written;
}

static bool
is_draining(void)
{
	return atomic_load(&drain_until) != 0;
}

struct http *
http_new(void)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		abort();
	/* No listener for libfcgi: it must never accept on its own. */
	FCGX_InitRequest(&h->fcgx, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	return h;
}

static void
hang_up(struct http *h)
{
	if (h->fcgx.ipcFd >= 0)
		close(h->fcgx.ipcFd);
	h->fcgx.ipcFd = -1;
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	hang_up(h);
	free(h);
}

/* Wait for fd; false once we drain, which is looked at first. */
static bool
wait_readable(int fd)
{
	struct pollfd pfds[2] = {
	    {.fd = drain_fd, .events = POLLIN},
	    {.fd = fd, .events = POLLIN},
	};

	while (!is_draining()) {
		if (poll(pfds, 2, -1) < 0 && errno != EINTR)
			abort();
		if (pfds[0].revents == 0 && pfds[1].revents != 0)
			return true;
	}
	return false;
}

/*
 * The next connection, or -1 when draining.  One thread of the process waits
 * at a time; another process may be quicker to take what has come.
 */
static int
accept_connection(void)
{
	const struct timeval patience = {.tv_sec = PEER_SECONDS};
	int fd = -1;

	pthread_mutex_lock(&accept_lock);
	while (fd < 0 && wait_readable(LISTENER))
		fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
	pthread_mutex_unlock(&accept_lock);
	if (fd >= 0) {
		setsockopt(
		    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(
		    fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	}
	return fd;
}

/*
 * Wait for the next request on a kept connection.  While draining it may
 * still come, as the web server doesn't know yet; it closes what is idle.
 */
static bool
await_kept(struct http *h)
{
	struct pollfd pfd = {.fd = h->fcgx.ipcFd, .events = POLLIN};
	int64_t left;

	if (wait_readable(h->fcgx.ipcFd))
		return true;
	left = atomic_load(&drain_until) - clock_mono_us();
	if (poll(&pfd, 1, left <= 0 ? 0 : (int)(left / 1000)) > 0)
		return true;
	hang_up(h);
	return false;
}

static const char *
param(const struct http_request *rq, const char *name)
{
	const char *value = FCGX_GetParam(name, (char **)(uintptr_t)rq->params);

	return value == NULL || *value == '\0' ? NULL : value;
}

static enum http_method
parse_method(const char *word)
{
	int method;

	for (method = 0; word != NULL && method < HTTP_OTHER; method++)
		if (strcmp(word, method_names[method]) == 0)
			return (enum http_method)method;
	return HTTP_OTHER;
}

/*
 * An IPv4 address that a listener for both, or a proxy, tells as an IPv6 one
 * (RFC 4291 §2.5.5.2) lies in no IPv4 network: without what is in front it
 * does.
 */
static const char *
parse_address(const char *text)
{
	static const char mapped[] = "::ffff:";
	uint8_t bytes[16];

	if (text == NULL)
		return NULL;
	if (strncasecmp(text, mapped, strlen(mapped)) == 0 &&
	    inet_pton(AF_INET, text + strlen(mapped), bytes) == 1)
		return text + strlen(mapped);
	return inet_pton(AF_INET, text, bytes) == 1 ||
		       inet_pton(AF_INET6, text, bytes) == 1
		   ? text
		   : NULL;
}

/*
 * When the web server handed the request over: it may have waited a while
 * before a thread was free.  By its wall clock, which is this host's.
 */
static int64_t
parse_started(const struct http_request *rq)
{
	const char *handed_over = param(rq, "REQUEST_MSEC");
	int64_t now = clock_mono_us();
	double waited;

	if (handed_over == NULL)
		return now;
	waited = (double)clock_wall_ms() / 1000 - strtod(handed_over, NULL);
	if (waited > 0 && waited < WAITED_MAX_SECONDS)
		return now - (int64_t)(waited * 1e6);
	return now;
}

static void
parse_request(struct http *h, struct http_request *rq)
{
	uint8_t random[HTTP_REQUEST_ID_LEN / 2];
	const char *id;

	memset(rq, 0, sizeof(*rq));
	rq->params = h->fcgx.envp;
	rq->started = parse_started(rq);
	rq->method = parse_method(param(rq, "REQUEST_METHOD"));
	rq->path = param(rq, "DOCUMENT_URI");
	if (rq->path == NULL)
		rq->path = "";
	rq->query = param(rq, "QUERY_STRING");
	rq->content_type = param(rq, "CONTENT_TYPE");
	rq->address = parse_address(param(rq, "REMOTE_ADDR"));
	id = param(rq, "REQUEST_ID");
	if (id != NULL && strlen(id) == HTTP_REQUEST_ID_LEN &&
	    hex_decode(id, HTTP_REQUEST_ID_LEN, random, sizeof(random))) {
		memcpy(rq->id, id, HTTP_REQUEST_ID_LEN);
		return;
	}
	rand_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), rq->id);
}

/*
 * Whether the web server has given the request up, as it does when the client
 * is gone.  Executed now, it could undo what the client's next attempt is
 * given.
 */
static bool
is_given_up(const struct http *h)
{
	struct pollfd pfd = {.fd = h->fcgx.ipcFd};

	/* POLLHUP needn't be asked for, and means both directions. */
	return poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP) != 0;
}

bool
http_accept(struct http *h, struct http_request *rq)
{
	for (;;) {
		if (h->fcgx.ipcFd < 0) {
			h->fcgx.ipcFd = accept_connection();
			if (h->fcgx.ipcFd < 0)
				return false;
		} else if (!await_kept(h)) {
			continue;
		}
		/* Else libfcgi would close what it didn't accept itself. */
		h->fcgx.keepConnection = 1;
		if (FCGX_Accept_r(&h->fcgx) != 0) {
			/* No FastCGI, or it hung up; libfcgi closed. */
			h->fcgx.ipcFd = -1;
		} else if (is_given_up(h)) {
			FCGX_Free(&h->fcgx, 1);
		} else {
			parse_request(h, rq);
			return true;
		}
	}
}

bool
http_read_body(
    struct http *h, struct http_request *rq, size_t max, struct err *err)
{
	const char *announced = param(rq, "CONTENT_LENGTH");
	size_t len = announced == NULL ? 0 : strtoul(announced, NULL, 10);

	if (len > max)
		return err_set(err, ERR_TOO_LONG,
		    "The body has %zu bytes; at most %zu are taken here.", len,
		    max);
	if (len == 0)
		return true;
	if (FCGX_GetStr((char *)buf_extend(&rq->body, len), (int)len,
		h->fcgx.in) != (int)len)
		return err_set(err, ERR_MALFORMED,
		    "The body ended before its Content-Length.");
	return true;
}

size_t
http_header(const struct http_request *rq, const char *name, const char **value)
{
	size_t len = strlen(name), count = 0, i;

	*value = NULL;
	for (i = 0; rq->params[i] != NULL; i++) {
		if (strncmp(rq->params[i], name, len) != 0 ||
		    rq->params[i][len] != '=')
			continue;
		if (count++ == 0)
			*value = rq->params[i] + len + 1;
	}
	return count;
}

void
http_response_header(
    struct http_response *rs, const char *name, const char *value)
{
	buf_add_fmt(&rs->headers, "%s: %s\r\n", name, value);
}

/* The library's buffer has held a private key or a token: wipe it. */
static void
wipe_stream(FCGX_Stream *out)
{
	if (out != NULL && out->stop > out->wrNext)
		explicit_bzero(out->wrNext, (size_t)(out->stop - out->wrNext));
}

bool
http_respond(struct http *h, const struct http_request *rq,
    const struct http_response *rs)
{
	FCGX_Stream *out = h->fcgx.out;
	bool ok;

	(void)rq;
	FCGX_FPrintF(out,
	    "Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %lu\r\n"
	    "Cache-Control: no-store\r\n",
	    rs->status, http_reason(rs->status), rs->content_type,
	    (unsigned long)rs->body.len);
	FCGX_PutStr((const char *)rs->headers.data, (int)rs->headers.len, out);
	FCGX_PutS("\r\n", out);
	FCGX_PutStr((const char *)rs->body.data, (int)rs->body.len, out);
	ok = FCGX_FFlush(out) == 0 && FCGX_GetError(out) == 0;
	wipe_stream(out);
	if (is_draining())
		h->fcgx.keepConnection = 0;
	FCGX_Finish_r(&h->fcgx);
	return ok;
}
