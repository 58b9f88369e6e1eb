/* SPDX-License-Identifier: ISC */
/*
 * bench-unrecorded: /identity without the database.  The same frame, the same
 * check of the token's form, key, certificate and answer; nothing is looked
 * up and nothing recorded.  What the database costs is the difference.
 * PAPPUS_CA_DIR is the sub-CA's whole folder here.  For measurements only: it
 * certifies whoever asks.
 */
#include <stdlib.h>

#include "base/log.h"
#include "ca/key.h"
#include "encoding/json.h"
#include "issuer.h"
#include "request/auth.h"
#include "request/problem.h"
#include "request/program.h"

static route_handler_fn identity_get;

static const struct route routes[] = {
    {HTTP_GET, "/identity", NULL, 0, ROLE_ANON, identity_get},
};

struct thread {
	struct key_maker *maker;
	struct signer *signer;
};

static void
identity_get(struct call *call)
{
	const struct issuer *issuer = call->program;
	const struct thread *thread = call->thread;
	struct buf cert = BUF_INIT, key = BUF_INIT, *body = &call->rs->body;
	struct token token;
	struct err err = {0};

	if (!auth_bearer(call->rq, TOKEN_DEVICE, &token, call->rs))
		return;
	if (!bench_issue(issuer, thread->maker, thread->signer, token.name,
		&cert, &key, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		goto out;
	}
	call->rs->status = 200;
	call->rs->outcome = "unrecorded";
	json_begin(body);
	json_str(body, "device_certificate_pem", buf_str(&cert));
	json_str(body, "device_private_key_pem", buf_str(&key));
	json_str(body, "device_id", token.name);
	json_str(body, "ca_chain_pem", issuer_chain_pem(issuer));
	json_str(body, "mqtt_server_ca_pem", issuer_chain_pem(issuer));
	json_end(body);
out:
	buf_free(&cert);
	buf_free(&key);
}

static void *
start(struct err *err)
{
	return bench_issuer_open(conf_str(CONF_CA_DIR), err);
}

static void
stop(void *program)
{
	issuer_free(program);
}

static void *
thread_start(void *program)
{
	struct thread *thread = calloc(1, sizeof(*thread));
	struct err err = {0};

	(void)program;
	if (thread == NULL || (thread->maker = key_maker_new(&err)) == NULL ||
	    (thread->signer = signer_new(&err)) == NULL)
		abort();
	return thread;
}

static void
thread_stop(void *arg)
{
	struct thread *thread = arg;

	key_maker_free(thread->maker);
	signer_free(thread->signer);
	free(thread);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
	    .name = "bench-unrecorded",
	    .about = "GET /identity without the database, to measure.",
	    .conf = CONF_IDENTITY,
	    .routes = routes,
	    .n_routes = sizeof(routes) / sizeof(routes[0]),
	    .start = start,
	    .stop = stop,
	    .thread_start = thread_start,
	    .thread_stop = thread_stop,
	};

	return program_main(&program, argc, argv);
}
