/* SPDX-License-Identifier: ISC */
/*
 * bench-load: a client that plays many devices at once over TLS, each on
 * a connection of its own, with full handshakes and a verified server.  What
 * it plays is one of three plans; the client's half of a handshake costs most,
 * so it is kept as thin as OpenSSL allows.
 */
#ifndef PAPPUS_BENCH_LOAD_H
#define PAPPUS_BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"

enum load_plan {
	LOAD_HANDSHAKE, /* connect, shake hands, close */
	LOAD_ONBOARD,	/* enroll, identity, close */
	LOAD_REQUEST	/* one request made of a template and a line */
};

/* What all threads share; read-only but for next_line. */
struct load {
	enum load_plan plan;
	struct sockaddr_in to;
	const char *ca_file;	/* PEM: what verifies the server */
	const char *token_file; /* enrolment token; LOAD_ONBOARD */
	const char *lines_file; /* NULL: the template has no line in it */
	const char *template_file;
	const char *tokens_out;	 /* where device tokens go, or NULL */
	const char *answers_out; /* where last answers' bodies go, or NULL */
	size_t connections;
	size_t threads;
	double seconds;
	uint64_t count; /* stop after so many answers; 0: only by time */
	uint64_t skip;	/* lines that were used before */
	bool keep;	/* LOAD_REQUEST: many requests on a connection */

	struct buf enroll; /* the request for a device's id */
	struct buf before; /* LOAD_REQUEST: what stands before the line */
	struct buf after;  /* and behind it */
	const char *lines; /* all of one length, line end included */
	size_t line_len;
	uint64_t line_count;
	FILE *tokens; /* of tokens_out */
	FILE *bodies; /* of answers_out; private keys are in them */
	int64_t ends; /* clock_mono_us */
	_Atomic uint64_t next_line;
	_Atomic uint64_t answers;
};

enum load_failure {
	LOAD_FAILED_CONNECT,
	LOAD_FAILED_TLS,
	LOAD_FAILED_CLOSED,    /* before the answer was complete */
	LOAD_FAILED_MALFORMED, /* no HTTP, too long, no token in it */
	LOAD_FAILURES
};

enum { LOAD_STATUS_MAX = 600 };

/* What came of it; each thread has its own, added up at the end. */
struct load_result {
	uint32_t *us; /* one a success: from connect(), or from the request */
	size_t n;
	size_t cap;
	uint64_t handshakes;
	uint64_t resumed; /* of these; there should be none */
	uint64_t failures[LOAD_FAILURES];
	uint64_t statuses[LOAD_STATUS_MAX]; /* of all answers */
};

/* Play connections devices in the calling thread until the load ends. */
void load_run(struct load *load, size_t connections, struct load_result *out);

/* Read template and lines, make the requests. */
bool load_prepare(struct load *load, struct err *err);

/*
 * Whether an answer is complete: by its Content-Length, or by the last chunk
 * (RFC 9112 §6, §7.1), which is all that the servers here send.
 */
bool load_answer_is_complete(const char *in, size_t got);

/* Whether the server closes the connection after it. */
bool load_answer_closes(const char *in);

enum { LOAD_TOKEN_LEN = 67 };

/* The token of an answer to /enroll, or NULL. */
const char *load_answer_token(const char *in);

void load_result_add(struct load_result *result, int64_t us);
void load_result_merge(struct load_result *into, struct load_result *from);
void load_result_print(
    struct load_result *result, double seconds, double cpu_seconds);

#endif
