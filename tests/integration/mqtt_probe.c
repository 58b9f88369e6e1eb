/* SPDX-License-Identifier: ISC */
/*
 * MQTT clients over TLS for the tests, any number in one process.  It does what
 * no ordinary client does: resume a TLS session, send a chain of somebody
 * else's, vanish without a word, measure the gaps in the broker's answers.
 *
 *	mqtt_probe PORT CAFILE <COMMANDS
 *
 *	connect NAME id=… [cert=FILE key=FILE] [version=5] [clean=0]
 *	    [expiry=S] [tls=1.2] [resume=NAME] [user=…] [method=…] [will=TOPIC]
 *	    [willtext=…] [willdelay=S] [willretain=1]
 *	many PREFIX FILE	lines "ID CERT KEY": PREFIX.0, PREFIX.1, …
 *	sub NAME QOS TOPIC
 *	pub NAME QOS RETAIN TOPIC TEXT
 *	ping NAME TOPIC		sends to itself, over and over
 *	gap NAME		the longest round since ping, or since gap
 *	drop NAME		closes its socket, no DISCONNECT
 *	end NAME
 *
 * What happens is told in lines "TIME NAME EVENT …", time in unix seconds:
 * connack CODE PRESENT RESUMED TLS, failed WHY, suback CODE, puback CODE,
 * message TOPIC TEXT, disconnect CODE, closed, gap MICROSECONDS ROUNDS; many
 * tells "many CONNECTED FAILED" of its prefix.  FILE of cert holds the
 * certificate, then whatever is sent along.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
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
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "mqtt_packet.h"

enum { PATIENCE_S = 20, PAUSE_US = 1000, EVENTS = 256, WORDS = 20 };

struct client {
	char name[64];
	int fd; /* -1: closed */
	SSL *ssl;
	SSL_SESSION *session; /* the newest ticket; kept when it is closed */
	bool v5;
	bool quiet;
	bool answered; /* CONNACK came */
	unsigned int code;
	uint16_t last_id;
	struct buf in;
	char *ping; /* its topic */
	int64_t sent_us;
	int64_t due_us; /* when to send again; 0: under way */
	int64_t longest_us;
	uint64_t rounds;
	struct client *next;
	struct client *next_ping;
};

static struct client *clients; /* the newest first */
static struct client *pings;
static SSL_CTX *context;
static struct sockaddr_in broker;
static int epoll_fd;

static void
die(const char *what)
{
	fprintf(stderr, "mqtt_probe: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(EXIT_FAILURE);
}

__attribute__((format(printf, 2, 3))) static void
tell(const struct client *c, const char *fmt, ...)
{
	int64_t ms = clock_wall_ms();
	va_list ap;

	printf("%" PRId64 ".%03d %s ", ms / 1000, (int)(ms % 1000), c->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static struct client *
find(const char *name)
{
	struct client *c;

	for (c = clients; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	fprintf(stderr, "mqtt_probe: who is %s?\n", name);
	exit(EXIT_FAILURE);
}

static void
close_client(struct client *c)
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
static void
send_packet(struct client *c, struct buf *packet)
{
	if (c->fd >= 0)
		SSL_write(c->ssl, packet->data, (int)packet->len);
	ERR_clear_error();
	buf_free(packet);
}

static void
send_ping(struct client *c)
{
	struct buf packet = BUF_INIT;

	mqtt_put_publish(&packet, c->v5, 0, 0, false, c->ping, "ping");
	c->sent_us = clock_mono_us();
	c->due_us = 0;
	send_packet(c, &packet);
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
		send_packet(c, &packet);
	}
	if (c->ping != NULL && strlen(c->ping) == p->topic_len &&
	    memcmp(c->ping, p->topic, p->topic_len) == 0)
		note_round(c);
	else
		tell(c, "message %.*s %.*s", (int)p->topic_len, p->topic,
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
			tell(c, "connack %u %d %d %s", p->code, p->present,
			    SSL_session_reused(c->ssl),
			    SSL_get_version(c->ssl));
		break;
	case MQTT_PUBLISH:
		take_message(c, p);
		break;
	case MQTT_PUBACK:
		tell(c, "puback %u", p->code);
		break;
	case MQTT_SUBACK:
		if (!c->quiet)
			tell(c, "suback %u", p->code);
		break;
	case MQTT_DISCONNECT:
		tell(c, "disconnect %u", p->code);
		break;
	}
}

/* Read what is there.  False: the connection has ended, OpenSSL knows why. */
static bool
receive(struct client *c)
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

static void
use_certificate(SSL *ssl, const char *cert_file, const char *key_file)
{
	FILE *in = fopen(cert_file, "re");
	X509 *cert;
	bool first = true;

	if (in == NULL)
		die(cert_file);
	for (; (cert = PEM_read_X509(in, NULL, NULL, NULL)) != NULL;
	     first = false) {
		if ((first ? SSL_use_certificate(ssl, cert)
			   : (int)SSL_add1_chain_cert(ssl, cert)) != 1)
			die(cert_file);
		X509_free(cert);
	}
	fclose(in);
	ERR_clear_error();
	if (SSL_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1)
		die(key_file);
}

static int
open_socket(void)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&broker, sizeof(broker)) != 0)
		die("connect");
	return fd;
}

static void
fail(struct client *c)
{
	unsigned long e = ERR_get_error();

	if (!c->quiet)
		tell(c, "failed %s",
		    e == 0 ? "closed" : ERR_reason_error_string(e));
	ERR_clear_error();
	close_client(c);
}

/* Handshake, CONNECT, CONNACK; then it is one of those that are waited for. */
static void
start(struct client *c, const struct mqtt_connect *connect)
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
		while (!c->answered && clock_mono_us() < end_us && receive(c))
			;
		if (!c->answered)
			fail(c);
	}
	buf_free(&packet);
	if (c->fd < 0)
		return;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll");
}

static struct client *
add_client(const char *name)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->ssl = SSL_new(context)) == NULL)
		die(name);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->fd = -1;
	c->next = clients;
	clients = c;
	return c;
}

/* "key=…" among the words; NULL: absent. */
static const char *
option(char *const *word, const char *key)
{
	size_t len = strlen(key);

	for (; *word != NULL; word++)
		if (strncmp(*word, key, len) == 0 && (*word)[len] == '=')
			return *word + len + 1;
	return NULL;
}

static unsigned int
number(char *const *word, const char *key)
{
	const char *text = option(word, key);

	return text == NULL ? 0 : (unsigned int)strtoul(text, NULL, 10);
}

static bool
is(char *const *word, const char *key, const char *value)
{
	const char *text = option(word, key);

	return text != NULL && strcmp(text, value) == 0;
}

static void
do_connect(char **word)
{
	struct mqtt_connect connect = {.v5 = is(word, "version", "5"),
	    .clean = !is(word, "clean", "0"),
	    .expiry_s = number(word, "expiry"),
	    .client_id = option(word, "id"),
	    .user = option(word, "user"),
	    .auth_method = option(word, "method"),
	    .will_topic = option(word, "will"),
	    .will_text = option(word, "willtext"),
	    .will_delay_s = number(word, "willdelay"),
	    .will_retain = is(word, "willretain", "1")};
	const char *resume = option(word, "resume");
	SSL_SESSION *session = resume == NULL ? NULL : find(resume)->session;
	struct client *c = add_client(word[1]);

	if (option(word, "cert") != NULL)
		use_certificate(
		    c->ssl, option(word, "cert"), option(word, "key"));
	if (is(word, "tls", "1.2"))
		SSL_set_max_proto_version(c->ssl, TLS1_2_VERSION);
	if (resume != NULL &&
	    (session == NULL || SSL_set_session(c->ssl, session) != 1))
		die("no session to resume");
	start(c, &connect);
}

static void
do_many(char **word)
{
	char line[1024], id[128], cert[384], key[384], name[64];
	struct mqtt_connect connect = {.clean = true, .client_id = id};
	unsigned int n, good = 0;
	struct client *c = NULL;
	FILE *in = fopen(word[2], "re");

	if (in == NULL)
		die(word[2]);
	for (n = 0; fgets(line, sizeof(line), in) != NULL; n++) {
		if (sscanf(line, "%127s %383s %383s", id, cert, key) != 3)
			die(line);
		snprintf(name, sizeof(name), "%s.%u", word[1], n);
		c = add_client(name);
		c->quiet = true;
		use_certificate(c->ssl, cert, key);
		start(c, &connect);
		good += c->fd >= 0 && c->code == 0;
	}
	fclose(in);
	printf("0 %s many %u %u\n", word[1], good, n - good);
}

/* --------------------------------------------------------------- commands */

static void
do_sub(char **word)
{
	struct client *c = find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_subscribe(
	    &packet, c->v5, ++c->last_id, (unsigned int)atoi(word[2]), word[3]);
	send_packet(c, &packet);
}

static void
do_pub(char **word)
{
	struct client *c = find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_publish(&packet, c->v5, ++c->last_id,
	    (unsigned int)atoi(word[2]), atoi(word[3]) != 0, word[4], word[5]);
	send_packet(c, &packet);
}

static void
do_ping(char **word)
{
	struct client *c = find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_subscribe(&packet, c->v5, ++c->last_id, 0, word[2]);
	send_packet(c, &packet);
	c->ping = strdup(word[2]);
	c->next_ping = pings;
	pings = c;
	send_ping(c);
}

static void
do_gap(char **word)
{
	struct client *c = find(word[1]);
	int64_t now = clock_mono_us();

	/* What is under way counts too. */
	if (c->due_us == 0 && now - c->sent_us > c->longest_us)
		c->longest_us = now - c->sent_us;
	tell(c, "gap %" PRId64 " %" PRIu64, c->longest_us, c->rounds);
	c->longest_us = 0;
	c->rounds = 0;
}

static void
do_drop(char **word)
{
	close_client(find(word[1]));
}

static void
do_end(char **word)
{
	struct client *c = find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_disconnect(&packet);
	send_packet(c, &packet);
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	close_client(c);
}

static void
obey(char *line)
{
	static const struct {
		const char *verb;
		int words;
		void (*run)(char **word);
	} commands[] = {{"connect", 3, do_connect}, {"many", 3, do_many},
	    {"sub", 4, do_sub}, {"pub", 6, do_pub}, {"ping", 3, do_ping},
	    {"gap", 2, do_gap}, {"drop", 2, do_drop}, {"end", 2, do_end}};
	char *word[WORDS + 1] = {NULL}, *rest = NULL;
	size_t i;
	int n = 0;

	for (word[0] = strtok_r(line, " \n", &rest);
	     word[n] != NULL && n < WORDS - 1;)
		word[++n] = strtok_r(NULL, " \n", &rest);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (n >= commands[i].words &&
		    strcmp(word[0], commands[i].verb) == 0) {
			commands[i].run(word);
			return;
		}
	fprintf(stderr, "mqtt_probe: what is %s?\n", line);
	exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------- main */

static void
set_up(const char *port, const char *ca_file)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	broker = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(port)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL ||
	    SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
		die(ca_file);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(
	    context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
		die("epoll");
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static void
send_due(void)
{
	int64_t now = clock_mono_us();
	struct client *c;

	for (c = pings; c != NULL; c = c->next_ping)
		if (c->fd >= 0 && c->due_us != 0 && c->due_us <= now)
			send_ping(c);
}

/* Whole lines of what came; false at the end of input. */
static bool
read_commands(struct buf *in)
{
	char block[4096], *line, *end;
	ssize_t n = read(STDIN_FILENO, block, sizeof(block));

	if (n <= 0)
		return false;
	buf_add(in, block, (size_t)n);
	while ((end = memchr(in->data, '\n', in->len)) != NULL) {
		*end = '\0';
		n = end + 1 - (char *)in->data;
		line = strdup((char *)in->data);
		in->len -= (size_t)n;
		memmove(in->data, end + 1, in->len);
		obey(line);
		free(line);
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct buf in = BUF_INIT;
	struct client *c;
	bool more = true;
	int n, i;

	if (argc != 3) {
		fputs("usage: mqtt_probe PORT CAFILE <COMMANDS\n", stderr);
		return 2;
	}
	set_up(argv[1], argv[2]);
	while (more) {
		n = epoll_wait(
		    epoll_fd, events, EVENTS, pings == NULL ? -1 : 1);
		for (i = 0; i < n; i++) {
			c = events[i].data.ptr;
			if (c == NULL) {
				more = read_commands(&in);
			} else if (c->fd >= 0 && !receive(c)) {
				tell(c, "closed");
				close_client(c);
				ERR_clear_error();
			}
		}
		send_due();
	}
	buf_free(&in);
	return 0;
}
