/* SPDX-License-Identifier: ISC */
/*
 * A session of bench-fleet: TCP, TLS, CONNECT, CONNACK, then pings until
 * somebody ends it.  One that stays tells when it is up and when it was
 * dropped; a trial tells what it was answered.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "fleet.h"

enum {
	PATIENCE_US = 30000000, /* from connect() to CONNACK */
	SECOND_US = 1000000,
	SPREAD = 997 /* a prime: so that pings don't come all at once */
};

/* OpenSSL takes it without const. */
static char host[] = "localhost";

/* --- What is told. */

static void
tell_trial(
    const struct fleet_session *s, const char *word, int code, int64_t now)
{
	printf("tried %zu ", s->device);
	if (word != NULL)
		printf("%s", word);
	else
		printf("%d", code);
	printf(" %" PRId64 " %" PRId64 "\n", s->began, now);
}

static void
session_free(struct fleet_session *s)
{
	struct fleet *fleet = s->fleet;

	if (!s->trial && s->state == FLEET_LIVE)
		fleet->live--;
	else if (!s->trial && s->state != FLEET_IDLE)
		fleet->on_the_way--;
	SSL_free(s->ssl);
	close(s->fd);
	ERR_clear_error();
	s->ssl = NULL;
	s->state = FLEET_IDLE;
	if (s->trial)
		free(s);
}

/* It has ended, and not by our will. */
static void
session_end(struct fleet_session *s, const char *why)
{
	int64_t now = clock_mono_us();

	if (s->trial)
		tell_trial(s, why, 0, now);
	else
		printf("%s %zu %s %" PRId64 "\n",
		    s->state == FLEET_LIVE ? "dropped" : "failed", s->device,
		    why, now);
	session_free(s);
}

/* --- Steps.  Each returns whether there may be more to do at once. */

/* The end, if it is one: else it waits for the socket. */
static bool
tls_ended(struct fleet_session *s, int rc)
{
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		session_end(s, "closed");
		break;
	case SSL_ERROR_SYSCALL:
		session_end(s, "lost");
		break;
	default:
		session_end(s, "tls");
		break;
	}
	return false;
}

/* What is to be sent; a packet is smaller than any socket's buffer. */
static bool
send_out(struct fleet_session *s)
{
	int rc;

	if (s->out_len == 0)
		return true;
	rc = SSL_write(s->ssl, s->out, (int)s->out_len);
	if (rc <= 0)
		return tls_ended(s, rc);
	s->out_len = 0;
	return true;
}

static bool
shake_hands(struct fleet_session *s)
{
	const char *id = s->fleet->identities[s->device].id;
	char client_id[FLEET_ID_MAX + FLEET_SUFFIX_MAX + 8];
	int rc = SSL_do_handshake(s->ssl), on = 1;

	if (rc != 1)
		return tls_ended(s, rc);
	/* Under its own a trial would take the live session's place. */
	snprintf(client_id, sizeof(client_id), "%s%s%s", id, s->fleet->suffix,
	    s->trial ? "-again" : "");
	s->out_len =
	    fleet_packet_connect(s->out, client_id, s->fleet->keepalive);
	s->state = FLEET_CONNECT;
	if (!send_out(s))
		return false;
	/*
	 * The broker's kernel holds CONNACK back until the session tickets
	 * before it are acknowledged (Nagle), and ours would take 40 ms.
	 */
	setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	return true;
}

/* A third to the whole of three quarters of the keepalive, by device. */
static int64_t
first_ping(const struct fleet_session *s)
{
	int64_t most = s->fleet->keepalive * (int64_t)SECOND_US * 3 / 4;

	return most / 3 + most * 2 / 3 * (int64_t)(s->device % SPREAD) / SPREAD;
}

static bool
take_connack(struct fleet_session *s, int code)
{
	int64_t now = clock_mono_us();
	char word[16];

	if (s->trial) {
		tell_trial(s, NULL, code, now);
		SSL_shutdown(s->ssl);
		session_free(s);
		return false;
	}
	if (code != 0) {
		snprintf(word, sizeof(word), "%d", code);
		session_end(s, word);
		return false;
	}
	s->state = FLEET_LIVE;
	s->fleet->on_the_way--;
	s->fleet->live++;
	s->due = now + first_ping(s);
	s->unanswered = false;
	printf("up %zu %" PRId64 "\n", s->device, now);
	return true;
}

static bool
take_answer(struct fleet_session *s)
{
	size_t used = 0, i;
	int code = 0;
	bool fits;

	switch (fleet_packet_read(s->in, s->got, &used, &code)) {
	case FLEET_ANSWER_PART:
		return true;
	case FLEET_ANSWER_CONNACK:
		fits = s->state == FLEET_CONNECT;
		break;
	case FLEET_ANSWER_PINGRESP:
		fits = s->state == FLEET_LIVE;
		s->unanswered = false;
		break;
	case FLEET_ANSWER_STRANGE:
	default:
		fits = false;
		break;
	}
	if (!fits) {
		session_end(s, "malformed");
		return false;
	}
	for (i = used; i < s->got; i++)
		s->in[i - used] = s->in[i];
	s->got -= used;
	return s->state != FLEET_CONNECT || take_connack(s, code);
}

static bool
receive(struct fleet_session *s)
{
	int rc;

	if (!send_out(s))
		return false;
	rc = SSL_read(s->ssl, s->in + s->got, (int)(sizeof(s->in) - s->got));
	if (rc <= 0)
		return tls_ended(s, rc);
	s->got += (size_t)rc;
	return take_answer(s);
}

void
fleet_session_step(struct fleet_session *s)
{
	bool more = true;

	while (more)
		switch (s->state) {
		case FLEET_HANDSHAKE:
			more = shake_hands(s);
			break;
		case FLEET_CONNECT:
		case FLEET_LIVE:
			more = receive(s);
			break;
		case FLEET_IDLE:
		default:
			more = false;
			break;
		}
}

void
fleet_session_clock(struct fleet_session *s, int64_t now)
{
	if (s->state == FLEET_IDLE || now < s->due)
		return;
	if (s->state != FLEET_LIVE || s->unanswered) {
		session_end(s, s->state == FLEET_LIVE ? "silent" : "late");
		return;
	}
	/* PINGREQ, §3.12. */
	s->out[0] = 0xc0;
	s->out[1] = 0;
	s->out_len = 2;
	s->unanswered = true;
	s->due = now + s->fleet->keepalive * (int64_t)SECOND_US * 3 / 4;
	send_out(s);
}

/* --- Beginnings. */

static void
session_open(struct fleet_session *s)
{
	struct fleet *fleet = s->fleet;
	const struct fleet_identity *identity = &fleet->identities[s->device];
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET,
	    .data.ptr = s,
	};
	int on = 1;

	s->state = FLEET_HANDSHAKE;
	s->began = clock_mono_us();
	s->due = s->began + PATIENCE_US;
	s->got = 0;
	s->out_len = 0;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->ssl = SSL_new(fleet->tls);
	if (s->fd < 0 || s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1 ||
	    SSL_use_certificate(s->ssl, identity->certificate) != 1 ||
	    SSL_use_PrivateKey(s->ssl, identity->key) != 1 ||
	    SSL_set_tlsext_host_name(s->ssl, host) != 1 ||
	    SSL_set1_host(s->ssl, host) != 1) {
		perror("bench-fleet: a socket");
		exit(EXIT_FAILURE);
	}
	SSL_set_connect_state(s->ssl);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, (const struct sockaddr *)&fleet->to,
		sizeof(fleet->to)) != 0 &&
	    errno != EINPROGRESS) {
		session_end(s, "lost");
		return;
	}
	if (epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, s->fd, &event) != 0)
		abort();
}

void
fleet_enqueue(struct fleet *fleet, size_t device)
{
	size_t at = (fleet->queue_first + fleet->queue_len) % fleet->count;

	if (fleet->queued[device])
		return;
	fleet->queued[device] = true;
	fleet->queue[at] = device;
	fleet->queue_len++;
}

void
fleet_start_queued(struct fleet *fleet)
{
	struct fleet_session *s;
	size_t device;

	while (fleet->queue_len > 0 && fleet->on_the_way < fleet->at_once) {
		device = fleet->queue[fleet->queue_first];
		fleet->queue_first = (fleet->queue_first + 1) % fleet->count;
		fleet->queue_len--;
		fleet->queued[device] = false;
		s = &fleet->sessions[device];
		if (s->state != FLEET_IDLE)
			continue;
		s->fleet = fleet;
		s->device = device;
		fleet->on_the_way++;
		session_open(s);
	}
}

void
fleet_try(struct fleet *fleet, size_t device)
{
	struct fleet_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->fleet = fleet;
	s->device = device;
	s->trial = true;
	session_open(s);
}

void
fleet_leave(struct fleet *fleet, size_t device)
{
	/* DISCONNECT, §3.14. */
	static const uint8_t disconnect[] = {0xe0, 0};
	struct fleet_session *s = &fleet->sessions[device];

	if (s->state == FLEET_LIVE) {
		SSL_write(s->ssl, disconnect, sizeof(disconnect));
		SSL_shutdown(s->ssl);
	}
	if (s->state != FLEET_IDLE)
		session_free(s);
	printf("left %zu\n", device);
}
