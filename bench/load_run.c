/* SPDX-License-Identifier: ISC */
/*
 * One thread of bench-load: an epoll loop over connections that each go
 * through the same few states.  A finished one begins anew at once, so that
 * there are always as many devices on the way as were asked for.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "load.h"

enum {
	ANSWER_MAX = 32768,
	EVENTS = 64,
	PATIENCE_MS = 100,
	GRACE_US = 2000000, /* what has begun may end after the time is over */
	TOO_MANY_FAILURES = 2000
};

/* OpenSSL takes it without const. */
static char host[] = "localhost";

enum state { STATE_IDLE, STATE_HANDSHAKE, STATE_WRITE, STATE_READ };

/* What a step came to. */
enum step { STEP_WAIT, STEP_NEXT, STEP_DONE, STEP_FAILED };

struct conn {
	int fd;
	enum state state;
	SSL *ssl;
	int64_t started;
	bool enrolled; /* LOAD_ONBOARD: the next answer is the identity */
	struct buf out;
	size_t sent;
	size_t got;
	char in[ANSWER_MAX + 1];
};

struct player {
	struct load *load;
	struct load_result *result;
	SSL_CTX *tls;
	int epoll;
	size_t active;
	uint64_t failed;
};

static enum step
fail(struct player *p, enum load_failure why)
{
	p->result->failures[why]++;
	p->failed++;
	ERR_clear_error();
	return STEP_FAILED;
}

static bool
is_over(const struct player *p)
{
	const struct load *load = p->load;

	return clock_mono_us() >= load->ends || p->failed > TOO_MANY_FAILURES ||
	       (load->count > 0 && atomic_load(&load->answers) >= load->count);
}

/* --- Requests. */

static void
request_of_line(struct player *p, struct conn *c)
{
	struct load *load = p->load;
	uint64_t at;

	buf_add(&c->out, load->before.data, load->before.len);
	if (load->lines != NULL) {
		at = atomic_fetch_add(&load->next_line, 1) % load->line_count;
		buf_add(&c->out, load->lines + at * load->line_len,
		    load->line_len - 1);
	}
	buf_add(&c->out, load->after.data, load->after.len);
}

static void
request(struct player *p, struct conn *c)
{
	buf_reset(&c->out);
	c->sent = 0;
	c->got = 0;
	c->state = STATE_WRITE;
	if (p->load->plan == LOAD_ONBOARD)
		buf_add(&c->out, p->load->enroll.data, p->load->enroll.len);
	else
		request_of_line(p, c);
}

static bool
request_identity(struct conn *c)
{
	const char *token = load_answer_token(c->in);

	if (token == NULL)
		return false;
	buf_reset(&c->out);
	buf_add_fmt(&c->out,
	    "GET /identity HTTP/1.1\r\nHost: localhost\r\n"
	    "Authorization: Bearer %.*s\r\nConnection: close\r\n\r\n",
	    (int)LOAD_TOKEN_LEN, token);
	c->sent = 0;
	c->got = 0;
	c->enrolled = true;
	c->state = STATE_WRITE;
	return true;
}

/* --- Answers. */

/* In one call each, since threads share the files. */
static void
save_answer(struct player *p, const struct conn *c)
{
	const char *token = load_answer_token(c->in);
	const char *body = strstr(c->in, "\r\n\r\n");

	if (p->load->tokens != NULL && token != NULL)
		fprintf(p->load->tokens, "%.*s\n", (int)LOAD_TOKEN_LEN, token);
	if (p->load->bodies != NULL && body != NULL)
		fprintf(p->load->bodies, "%s\n", body + 4);
}

static void
count_success(struct player *p, struct conn *c)
{
	int64_t now = clock_mono_us();

	/* What ends late is not of the measured time. */
	if (now <= p->load->ends)
		load_result_add(p->result, now - c->started);
	atomic_fetch_add(&p->load->answers, 1);
	c->started = now;
}

/* A complete answer: what comes next on this connection. */
static enum step
take_answer(struct player *p, struct conn *c)
{
	long status = 0;

	if (strncmp(c->in, "HTTP/1.1 ", 9) == 0)
		status = strtol(c->in + 9, NULL, 10);
	if (status < 100 || status >= LOAD_STATUS_MAX)
		return fail(p, LOAD_FAILED_MALFORMED);
	p->result->statuses[status]++;
	/* step-ca says 201. */
	if (status != 200 && status != 201) {
		p->failed++;
		return STEP_FAILED;
	}
	if (p->load->plan == LOAD_ONBOARD && !c->enrolled)
		return request_identity(c) ? STEP_NEXT
					   : fail(p, LOAD_FAILED_MALFORMED);
	save_answer(p, c);
	count_success(p, c);
	if (!p->load->keep || load_answer_closes(c->in) || is_over(p))
		return STEP_DONE;
	request(p, c);
	return STEP_NEXT;
}

/* --- A connection. */

static enum step
tls_failure(struct player *p, struct conn *c, int rc, enum load_failure why)
{
	int reason = SSL_get_error(c->ssl, rc);

	if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
		return STEP_WAIT;
	return fail(p, why);
}

static enum step
shake_hands(struct player *p, struct conn *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (rc != 1)
		return tls_failure(p, c, rc, LOAD_FAILED_TLS);
	p->result->handshakes++;
	if (SSL_session_reused(c->ssl))
		p->result->resumed++;
	if (p->load->plan == LOAD_HANDSHAKE) {
		count_success(p, c);
		return STEP_DONE;
	}
	/* On a kept connection each request has a time of its own. */
	if (p->load->keep)
		c->started = clock_mono_us();
	request(p, c);
	return STEP_NEXT;
}

static enum step
write_request(struct player *p, struct conn *c)
{
	int rc;

	while (c->sent < c->out.len) {
		rc = SSL_write(
		    c->ssl, c->out.data + c->sent, (int)(c->out.len - c->sent));
		if (rc <= 0)
			return tls_failure(p, c, rc, LOAD_FAILED_CLOSED);
		c->sent += (size_t)rc;
	}
	c->state = STATE_READ;
	return STEP_NEXT;
}

static enum step
read_answer(struct player *p, struct conn *c)
{
	int rc;

	if (c->got >= ANSWER_MAX)
		return fail(p, LOAD_FAILED_MALFORMED);
	rc = SSL_read(c->ssl, c->in + c->got, (int)(ANSWER_MAX - c->got));
	if (rc <= 0)
		return tls_failure(p, c, rc, LOAD_FAILED_CLOSED);
	c->got += (size_t)rc;
	c->in[c->got] = '\0';
	return load_answer_is_complete(c->in, c->got) ? take_answer(p, c)
						      : STEP_NEXT;
}

static void
conn_close(struct player *p, struct conn *c, bool cleanly)
{
	if (c->state == STATE_IDLE)
		return;
	if (cleanly)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	close(c->fd);
	ERR_clear_error();
	c->state = STATE_IDLE;
	p->active--;
}

static bool
conn_open(struct player *p, struct conn *c)
{
	const struct sockaddr_in *to = &p->load->to;
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET,
	    .data.ptr = c,
	};
	int on = 1;

	c->started = clock_mono_us();
	c->enrolled = false;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		abort();
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
	    errno != EINPROGRESS) {
		close(c->fd);
		fail(p, LOAD_FAILED_CONNECT);
		return false;
	}
	c->ssl = SSL_new(p->tls);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_set_tlsext_host_name(c->ssl, host) != 1 ||
	    SSL_set1_host(c->ssl, host) != 1)
		abort();
	SSL_set_connect_state(c->ssl);
	c->state = STATE_HANDSHAKE;
	p->active++;
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		abort();
	return true;
}

static enum step
conn_step(struct player *p, struct conn *c)
{
	switch (c->state) {
	case STATE_IDLE:
		return STEP_WAIT;
	case STATE_HANDSHAKE:
		return shake_hands(p, c);
	case STATE_WRITE:
		return write_request(p, c);
	case STATE_READ:
		return read_answer(p, c);
	}
	return STEP_WAIT;
}

/* As far as it gets without waiting; when it ends, the next one begins. */
static void
conn_advance(struct player *p, struct conn *c)
{
	enum step step;

	do
		step = conn_step(p, c);
	while (step == STEP_NEXT);
	if (step == STEP_WAIT)
		return;
	conn_close(p, c, step == STEP_DONE);
	if (!is_over(p))
		conn_open(p, c);
}

/* --- The loop. */

static SSL_CTX *
tls_new(const char *ca_file)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL || SSL_CTX_load_verify_file(tls, ca_file) != 1)
		abort();
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return tls;
}

void
load_run(struct load *load, size_t connections, struct load_result *out)
{
	struct player p = {.load = load, .result = out};
	struct conn *conns = calloc(connections, sizeof(*conns));
	struct epoll_event events[EVENTS];
	size_t i;
	int n;

	p.tls = tls_new(load->ca_file);
	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (conns == NULL || p.epoll < 0)
		abort();
	for (i = 0; i < connections && !is_over(&p); i++)
		conn_open(&p, &conns[i]);
	while (p.active > 0 && clock_mono_us() < load->ends + GRACE_US) {
		n = epoll_wait(p.epoll, events, EVENTS, PATIENCE_MS);
		for (i = 0; n > 0 && i < (size_t)n; i++)
			conn_advance(&p, events[i].data.ptr);
	}
	for (i = 0; i < connections; i++) {
		conn_close(&p, &conns[i], false);
		buf_free(&conns[i].out);
	}
	close(p.epoll);
	SSL_CTX_free(p.tls);
	free(conns);
}
