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

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "mqtt_client.h"

enum { EVENTS = 256, WORDS = 20 };

static struct client *pings;

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
	SSL_SESSION *session =
	    resume == NULL ? NULL : client_find(resume)->session;
	struct client *c = client_add(word[1]);

	if (option(word, "cert") != NULL)
		client_use_certificate(
		    c->ssl, option(word, "cert"), option(word, "key"));
	if (is(word, "tls", "1.2"))
		SSL_set_max_proto_version(c->ssl, TLS1_2_VERSION);
	if (resume != NULL &&
	    (session == NULL || SSL_set_session(c->ssl, session) != 1))
		client_die("no session to resume");
	client_start(c, &connect);
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
		client_die(word[2]);
	for (n = 0; fgets(line, sizeof(line), in) != NULL; n++) {
		if (sscanf(line, "%127s %383s %383s", id, cert, key) != 3)
			client_die(line);
		snprintf(name, sizeof(name), "%s.%u", word[1], n);
		c = client_add(name);
		c->quiet = true;
		client_use_certificate(c->ssl, cert, key);
		client_start(c, &connect);
		good += c->fd >= 0 && c->code == 0;
	}
	fclose(in);
	printf("0 %s many %u %u\n", word[1], good, n - good);
}

/* --------------------------------------------------------------- commands */

static void
do_sub(char **word)
{
	struct client *c = client_find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_subscribe(
	    &packet, c->v5, ++c->last_id, (unsigned int)atoi(word[2]), word[3]);
	client_send(c, &packet);
}

static void
do_pub(char **word)
{
	struct client *c = client_find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_publish(&packet, c->v5, ++c->last_id,
	    (unsigned int)atoi(word[2]), atoi(word[3]) != 0, word[4], word[5]);
	client_send(c, &packet);
}

static void
do_ping(char **word)
{
	struct client *c = client_find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_subscribe(&packet, c->v5, ++c->last_id, 0, word[2]);
	client_send(c, &packet);
	c->ping = strdup(word[2]);
	c->next_ping = pings;
	pings = c;
	client_ping(c);
}

static void
do_gap(char **word)
{
	struct client *c = client_find(word[1]);
	int64_t now = clock_mono_us();

	/* What is under way counts too. */
	if (c->due_us == 0 && now - c->sent_us > c->longest_us)
		c->longest_us = now - c->sent_us;
	client_tell(c, "gap %" PRId64 " %" PRIu64, c->longest_us, c->rounds);
	c->longest_us = 0;
	c->rounds = 0;
}

static void
do_drop(char **word)
{
	client_close(client_find(word[1]));
}

static void
do_end(char **word)
{
	struct client *c = client_find(word[1]);
	struct buf packet = BUF_INIT;

	mqtt_put_disconnect(&packet);
	client_send(c, &packet);
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	client_close(c);
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

static int
set_up(const char *port, const char *ca_file)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct rlimit files;
	int epoll_fd;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	epoll_fd = client_set_up(port, ca_file);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
		client_die("epoll");
	setvbuf(stdout, NULL, _IOLBF, 0);
	return epoll_fd;
}

static void
send_due(void)
{
	int64_t now = clock_mono_us();
	struct client *c;

	for (c = pings; c != NULL; c = c->next_ping)
		if (c->fd >= 0 && c->due_us != 0 && c->due_us <= now)
			client_ping(c);
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
	int epoll_fd, n, i;

	if (argc != 3) {
		fputs("usage: mqtt_probe PORT CAFILE <COMMANDS\n", stderr);
		return 2;
	}
	epoll_fd = set_up(argv[1], argv[2]);
	while (more) {
		n = epoll_wait(
		    epoll_fd, events, EVENTS, pings == NULL ? -1 : 1);
		for (i = 0; i < n; i++) {
			c = events[i].data.ptr;
			if (c == NULL) {
				more = read_commands(&in);
			} else if (c->fd >= 0 && !client_receive(c)) {
				client_tell(c, "closed");
				client_close(c);
				ERR_clear_error();
			}
		}
		send_due();
	}
	buf_free(&in);
	return 0;
}
