/* SPDX-License-Identifier: ISC */
/*
 * bench-fleet: devices that connect to the broker over mutual TLS, each with
 * the certificate of its own, stay, and say when they are dropped.  Of MQTT
 * 3.1.1 it speaks what that takes: CONNECT, PINGREQ and their answers.  It
 * obeys lines on its input and tells in lines on its output; times are
 * microseconds of the monotonic clock.
 */
#ifndef PAPPUS_BENCH_FLEET_H
#define PAPPUS_BENCH_FLEET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"

enum {
	FLEET_ID_MAX = 64, /* characters of a device id */
	FLEET_SUFFIX_MAX = 16,
	FLEET_PACKET_MAX = 128
};

/* What a device has from /identity. */
struct fleet_identity {
	char id[FLEET_ID_MAX + 1]; /* the certificate's CN */
	X509 *certificate;
	EVP_PKEY *key;
};

enum fleet_state {
	FLEET_IDLE,
	FLEET_HANDSHAKE,
	FLEET_CONNECT, /* waits for CONNACK */
	FLEET_LIVE
};

struct fleet;

/* One connection of one device. */
struct fleet_session {
	struct fleet *fleet;
	size_t device;
	bool trial; /* ends with the broker's answer; it was allocated */
	enum fleet_state state;
	int fd;
	SSL *ssl;
	int64_t began;
	int64_t due;	 /* when it pings, or gives up what isn't answered */
	bool unanswered; /* a ping */
	uint8_t in[16];
	size_t got;
	uint8_t out[FLEET_PACKET_MAX];
	size_t out_len;
};

struct fleet {
	struct sockaddr_in to;
	SSL_CTX *tls;
	int epoll;
	const char *suffix; /* of client ids */
	uint16_t keepalive; /* seconds */
	size_t at_once;	    /* handshakes of those that shall stay */
	size_t on_the_way;  /* such handshakes now */
	size_t live;
	struct fleet_identity *identities;
	struct fleet_session *sessions; /* one a device, those that stay */
	size_t count;
	size_t *queue; /* devices that shall connect: a ring of count */
	size_t queue_first;
	size_t queue_len;
	bool *queued; /* by device */
};

/* Read certificates, each followed by its key (PEM), until the file ends. */
bool fleet_read_identities(
    const char *path, struct fleet *fleet, struct err *err);

/* The client's side of TLS: verifies the broker by the CAs of this file. */
bool fleet_tls(struct fleet *fleet, const char *ca_file, struct err *err);

/* A device shall connect and stay; it comes when there is room. */
void fleet_enqueue(struct fleet *fleet, size_t device);

/* Begin with those that wait, as many as there is room for. */
void fleet_start_queued(struct fleet *fleet);

/* A device connects under another client id and leaves when it is answered. */
void fleet_try(struct fleet *fleet, size_t device);

/* A live session ends, as devices end theirs. */
void fleet_leave(struct fleet *fleet, size_t device);

/* Something has happened on a session's socket. */
void fleet_session_step(struct fleet_session *session);

/* Pings that are due, and patience that has ended. */
void fleet_session_clock(struct fleet_session *session, int64_t now);

/* Write a CONNECT with a clean session (MQTT 3.1.1 §3.1); its length, 0: too
 * long. */
size_t fleet_packet_connect(
    uint8_t out[FLEET_PACKET_MAX], const char *client_id, uint16_t keepalive);

enum fleet_answer {
	FLEET_ANSWER_PART, /* nothing whole yet */
	FLEET_ANSWER_CONNACK,
	FLEET_ANSWER_PINGRESP,
	FLEET_ANSWER_STRANGE
};

/*
 * What stands at the beginning of in: *used octets of it, and the return code
 * of a CONNACK (§3.2).
 */
enum fleet_answer fleet_packet_read(
    const uint8_t *in, size_t len, size_t *used, int *code);

#endif
