/* SPDX-License-Identifier: ISC */
/* MQTT clients over TLS, any number in one process: what mqtt_probe plays. */
#ifndef PAPPUS_TESTS_MQTT_CLIENT_H
#define PAPPUS_TESTS_MQTT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "mqtt_packet.h"

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

/*
 * Ready TLS that verifies the broker by the CAs of that file, and the broker's
 * port on loopback.  Returns the epoll descriptor that all clients are in, each
 * as its event's pointer.
 */
int client_set_up(const char *port, const char *ca_file);

/* A new client of that name, not connected; its ssl may be adjusted. */
struct client *client_add(const char *name);

/* One that is there; ends the program when it isn't. */
struct client *client_find(const char *name);

/* The certificate, then what is sent along, of one file; the key of another. */
void client_use_certificate(
    SSL *ssl, const char *cert_file, const char *key_file);

/* Handshake, CONNECT, CONNACK; told, however it ends. */
void client_start(struct client *c, const struct mqtt_connect *connect);

/* Send a packet, which is freed. */
void client_send(struct client *c, struct buf *packet);

/* Send the next message to itself. */
void client_ping(struct client *c);

/* Take what has come; false when the broker hung up. */
bool client_receive(struct client *c);

/* Close the socket, without a word. */
void client_close(struct client *c);

/* A line of output about it, with the time. */
void client_tell(const struct client *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* End the program, with errno's and OpenSSL's words. */
_Noreturn void client_die(const char *what);

#endif
