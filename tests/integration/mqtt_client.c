/* SPDX-License-Identifier: ISC */
/* MQTT clients over TLS: see mqtt_client.h. */
#include "mqtt_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"

enum { PATIENCE_S = 20, PAUSE_US = 1000 };

static struct client *clients; /* the newest first */
static SSL_CTX *context;
static struct sockaddr_in broker;
static int epoll_fd;

_Noreturn void
client_die(const char *what)
{
	fprintf(stderr, "mqtt_probe: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(EXIT_FAILURE);
}

__attribute__((format(printf, 2, 3))) void
client_tell(const struct client *c, const char *fmt, ...)
{
	int64_t ms = clock_wall_ms();
	va_list ap;

	printf("%" PRId64 ".%03d %s ", ms / 1000, (int)(ms % 1000), c->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

struct client *
client_find(const char *name)
{
	struct client *c;

	for (c = clients; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	fprintf(stderr, "mqtt_probe: who is %s?\n", name);
	exit(EXIT_FAILURE);
}

void
client_close(struct client *c)
{
	if (c->fd < 0)
		return;
	/* Or OpenSSL takes the session for a bad one, not to be resumed. */
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
}

/* What the broker hung up on shows when it is read next. */
void
client_send(struct client *c, struct buf *packet)
{
	if (c->fd >= 0)
		SSL_write(c->ssl, packet->data, (int)packet->len);
	ERR_clear_error();
	buf_free(packet);
}

void
client_ping(struct client *c)
{
	struct buf packet = BUF_INIT;

	mqtt_put_publish(&packet, c->v5, 0, 0, false, c->ping, "ping");
	c->sent_us = clock_mono_us();
	c->due_us = 0;
	client_send(c, &packet);
}

static void
note_round(struct client *c)
{
	int64_t now = clock_mono_us();

	if (c->due_us == 0 && now - c->sent_us > c->longest_us)
		c->longest_us = now - c->sent_us;
	if (c->due_us != 0)
		return;
	c->rounds++;
	c->due_us = now + PAUSE_US;
}

static void
take_message(struct client *c, const struct mqtt_packet *p)
{
	struct buf packet = BUF_INIT;

	if (p->qos > 0) {
		mqtt_put_puback(&packet, p->id);
		client_send(c, &packet);
	}
	if (c->ping != NULL && strlen(c->ping) == p->topic_len &&
	    memcmp(c->ping, p->topic, p->topic_len) == 0)
		note_round(c);
	else
		client_tell(c, "message %.*s %.*s", (int)p->topic_len, p->topic,
		    (int)p->text_len, p->text);
}

static void
take_packet(struct client *c, const struct mqtt_packet *p)
{
	switch (p->type) {
	case MQTT_CONNACK:
		c->answered = true;
		c->code = p->code;
		if (!c->quiet)
			client_tell(c, "connack %u %d %d %s", p->code,
			    p->present, SSL_session_reused(c->ssl),
			    SSL_get_version(c->ssl));
		break;
	case MQTT_PUBLISH:
		take_message(c, p);
		break;
	case MQTT_PUBACK:
		client_tell(c, "puback %u", p->code);
		break;
	case MQTT_SUBACK:
		if (!c->quiet)
			client_tell(c, "suback %u", p->code);
		break;
	case MQTT_DISCONNECT:
		client_tell(c, "disconnect %u", p->code);
		break;
	}
}

/* Read what is there.  False: the connection has ended, OpenSSL knows why. */
bool
client_receive(struct client *c)
{
	struct mqtt_packet packet;
	uint8_t block[4096];
	size_t used;
	int n;

	do {
		n = SSL_read(c->ssl, block, sizeof(block));
		if (n <= 0)
			break;
		buf_add(&c->in, block, (size_t)n);
		for (used = 0; mqtt_get(
			 c->in.data + used, c->in.len - used, c->v5, &packet);
		     used += packet.len)
			take_packet(c, &packet);
		if (used < c->in.len)
			memmove(
			    c->in.data, c->in.data + used, c->in.len - used);
		c->in.len -= used;
	} while (SSL_pending(c->ssl) > 0);
	return n > 0 || SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
}

/* ------------------------------------------------------------- connecting */

/* The last session of this client; the tickets of TLS 1.3 come later. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

void
client_use_certificate(SSL *ssl, const char *cert_file, const char *key_file)
{
	FILE *in = fopen(cert_file, "re");
	X509 *cert;
	bool first = true;

	if (in == NULL)
		client_die(cert_file);
	for (; (cert = PEM_read_X509(in, NULL, NULL, NULL)) != NULL;
	     first = false) {
		if ((first ? SSL_use_certificate(ssl, cert)
			   : (int)SSL_add1_chain_cert(ssl, cert)) != 1)
			client_die(cert_file);
		X509_free(cert);
	}
	fclose(in);
	ERR_clear_error();
	if (SSL_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1)
		client_die(key_file);
}

static int
open_socket(void)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		client_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&broker, sizeof(broker)) != 0)
		client_die("connect");
	return fd;
}

static void
fail(struct client *c)
{
	unsigned long e = ERR_get_error();

	if (!c->quiet)
		client_tell(c, "failed %s",
		    e == 0 ? "closed" : ERR_reason_error_string(e));
	ERR_clear_error();
	client_close(c);
}

/* Handshake, CONNECT, CONNACK; then it is one of those that are waited for. */
void
client_start(struct client *c, const struct mqtt_connect *connect)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int64_t end_us = clock_mono_us() + PATIENCE_S * INT64_C(1000000);
	struct buf packet = BUF_INIT;

	mqtt_put_connect(&packet, connect);
	c->v5 = connect->v5;
	c->fd = open_socket();
	SSL_set_app_data(c->ssl, c);
	SSL_set_fd(c->ssl, c->fd);
	if (SSL_connect(c->ssl) != 1 ||
	    SSL_write(c->ssl, packet.data, (int)packet.len) <= 0) {
		fail(c);
	} else {
		/* An alert about the certificate comes after the handshake. */
		while (!c->answered && clock_mono_us() < end_us &&
		       client_receive(c))
			;
		if (!c->answered)
			fail(c);
	}
	buf_free(&packet);
	if (c->fd < 0)
		return;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
		client_die("epoll");
}

struct client *
client_add(const char *name)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->ssl = SSL_new(context)) == NULL)
		client_die(name);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->fd = -1;
	c->next = clients;
	clients = c;
	return c;
}

int
client_set_up(const char *port, const char *ca_file)
{
	broker = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(port)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL ||
	    SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
		client_die(ca_file);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(
	    context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		client_die("epoll");
	return epoll_fd;
}
