/* SPDX-License-Identifier: ISC */
/*
 * GET /identity: a device trades its token for a private key and a
 * certificate.  Holds the keys of the device sub-CAs; its database role can
 * record certificates and nothing else.  The certificate is recorded before
 * it is signed, and neither it nor the private key is kept.
 *
 * GET /ca: what a device verifies with, alone, for when it is to be renewed.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ca/issuer_set.h"
#include "ca/key.h"
#include "cert/serial.h"
#include "encoding/json.h"
#include "request/auth.h"
#include "request/issuances.h"
#include "request/problem.h"
#include "request/program.h"

static route_handler_fn identity_get, ca_get;

static const struct route routes[] = {
    {HTTP_GET, "/identity", NULL, 0, ROLE_ANON, identity_get},
    {HTTP_GET, "/ca", NULL, 0, ROLE_ANON, ca_get},
};

struct context {
	struct db *db; /* both queues take turns on it, under lock */
	pthread_mutex_t lock;
	struct batch *issuances;
	struct batch *lookups;
	struct issuer_set *issuers;
};

struct thread {
	struct key_maker *maker;
	struct signer *signer;
};

static void
respond_failure(struct call *call, const struct err *err)
{
	log_msg(
	    LOG_LEVEL_ERROR, "not-issued", "%s: %s", call->rq->id, err->detail);
	problem_respond_err(call->rs, call->rq, err);
}

/* The chain that a device presents, and what it verifies brokers with. */
static void
add_bundles(struct buf *body, const struct issuer_list *issuers,
    const struct issuer *issuer)
{
	json_str(body, "ca_chain_pem", issuer_chain_pem(issuer));
	json_str(body, "mqtt_server_ca_pem", issuer_list_roots_pem(issuers));
}

/* Sign what has been recorded, and answer with all that the device needs. */
static void
respond_identity(struct call *call, const struct issuer_list *issuers,
    const struct issuance *i, const struct key_pair *key)
{
	const struct issuer *issuer = issuer_list_find(issuers, i->issuer_id);
	const struct thread *thread = call->thread;
	struct cert_fields fields = {
	    .not_before = i->not_before,
	    .not_after = i->not_after,
	    .device_id = i->token.name,
	    .project_id = i->project_id,
	};
	struct buf cert = BUF_INIT, pem = BUF_INIT;
	struct err err = {0};

	memcpy(fields.serial, i->serial, sizeof(fields.serial));
	memcpy(fields.public_key, key->pub, sizeof(fields.public_key));
	if (issuer == NULL) {
		err_set(&err, ERR_UNAVAILABLE, "issuer %d is not at hand",
		    i->issuer_id);
		respond_failure(call, &err);
		return;
	}
	if (!issuer_issue(issuer, thread->signer, &fields, &cert, &err)) {
		respond_failure(call, &err);
		goto out;
	}
	key_pem(key, &pem);
	call->rs->status = 200;
	call->rs->outcome = "issued";
	json_begin(&call->rs->body);
	json_str(&call->rs->body, "device_certificate_pem", buf_str(&cert));
	json_str(&call->rs->body, "device_private_key_pem", buf_str(&pem));
	json_str(&call->rs->body, "device_id", i->token.name);
	add_bundles(&call->rs->body, issuers, issuer);
	json_end(&call->rs->body);
out:
	buf_free(&cert);
	buf_free(&pem);
}

/* Policies: how often, and whether again at all. */
static void
respond_policy(struct call *call, const struct issuance *i)
{
	char seconds[24];

	if (i->outcome == ISSUANCE_IDENTITY_EXISTS) {
		problem_respond(call->rs, call->rq, PROBLEM_IDENTITY_EXISTS,
		    "The project gives a device one identity, and this one "
		    "has it; an operator can reset the device.");
		return;
	}
	problem_respond(call->rs, call->rq, PROBLEM_TOO_MANY_REQUESTS,
	    "The device has fetched as many identities as it may in an hour.");
	snprintf(seconds, sizeof(seconds), "%" PRId64, i->retry_after);
	http_response_header(call->rs, "Retry-After", seconds);
}

static void
respond_no_issuer(struct call *call, const char *why)
{
	struct context *context = call->program;

	issuer_set_expire(context->issuers);
	log_msg(LOG_LEVEL_ERROR, "no-issuer", "%s: %s", call->rq->id, why);
	problem_respond(call->rs, call->rq, PROBLEM_UNAVAILABLE,
	    "No certificate authority can issue at present; ask again.");
}

static void
respond_outcome(
    struct call *call, const struct issuance *i, const struct key_pair *key)
{
	struct context *context = call->program;
	struct issuer_list *issuers;

	switch (i->outcome) {
	case ISSUANCE_ISSUED:
		issuers = issuer_set_hold(context->issuers);
		respond_identity(call, issuers, i, key);
		issuer_list_release(issuers);
		return;
	case ISSUANCE_INVALID_TOKEN:
		auth_refuse_bearer(call->rq, call->rs);
		return;
	case ISSUANCE_DEVICE_DENIED:
		problem_respond(call->rs, call->rq, PROBLEM_DEVICE_DENIED,
		    "The device is shut out; an operator can let it in again.");
		return;
	case ISSUANCE_PROJECT_DISABLED:
		problem_respond(call->rs, call->rq, PROBLEM_PROJECT_DISABLED,
		    "The project's devices get no certificates at present.");
		return;
	case ISSUANCE_NO_ISSUER:
		respond_no_issuer(
		    call, "no device sub-CA is registered and at hand");
		return;
	case ISSUANCE_ISSUER_EXPIRING:
		respond_no_issuer(
		    call, "a certificate would outlive the sub-CA");
		return;
	case ISSUANCE_RATE_LIMITED:
	case ISSUANCE_IDENTITY_EXISTS:
		respond_policy(call, i);
		return;
	case ISSUANCE_LATE:
		problem_respond_batch(call->rs, call->rq, BATCH_EXPIRED);
		return;
	case ISSUANCE_BUSY:
		problem_respond(call->rs, call->rq, PROBLEM_UNAVAILABLE,
		    "The device is being changed; ask again.");
		return;
	case ISSUANCE_OUTCOMES:
		break;
	}
	problem_respond(call->rs, call->rq, PROBLEM_INTERNAL,
	    "The database answered in a way this version doesn't know.");
}

static void
identity_get(struct call *call)
{
	const struct thread *thread = call->thread;
	struct context *context = call->program;
	struct issuance i = {
	    .address = call->rq->address,
	    .request_id = call->rq->id,
	    .deadline = call->deadline,
	};
	enum batch_result result;
	struct key_pair key = {0};
	struct err err = {0};

	if (!auth_bearer(call->rq, TOKEN_DEVICE, &i.token, call->rs))
		return;
	if (!key_make(thread->maker, &key, &err) ||
	    !serial_generate(clock_wall_ms(), i.serial, &err)) {
		respond_failure(call, &err);
		goto out;
	}
	memcpy(i.spki_sha256, key.spki_sha256, sizeof(i.spki_sha256));
	result = batch_submit(context->issuances, &i, call->deadline);
	if (result == BATCH_DONE && i.outcome != ISSUANCE_INVALID_TOKEN)
		memcpy(call->rs->device_id, i.token.name, sizeof(i.token.name));
	if (result == BATCH_DONE)
		respond_outcome(call, &i, &key);
	else
		problem_respond_batch(call->rs, call->rq, result);
out:
	key_pair_wipe(&key);
}

static void
respond_bundles(struct call *call, const struct issuer_list *issuers,
    const struct issuer *issuer)
{
	call->rs->status = 200;
	call->rs->outcome = "ok";
	json_begin(&call->rs->body);
	add_bundles(&call->rs->body, issuers, issuer);
	json_end(&call->rs->body);
}

static void
ca_get(struct call *call)
{
	struct context *context = call->program;
	struct device_ca ca = {.issuer_id = 0};
	const struct issuer *issuer;
	struct issuer_list *issuers;
	enum batch_result result;

	if (!auth_bearer(call->rq, TOKEN_DEVICE, &ca.token, call->rs))
		return;
	result = batch_submit(context->lookups, &ca, call->deadline);
	if (result != BATCH_DONE) {
		problem_respond_batch(call->rs, call->rq, result);
		return;
	}
	if (ca.outcome != ISSUANCE_ISSUED) {
		respond_outcome(
		    call, &(struct issuance){.outcome = ca.outcome}, NULL);
		return;
	}
	memcpy(call->rs->device_id, ca.token.name, sizeof(ca.token.name));
	issuers = issuer_set_hold(context->issuers);
	issuer = issuer_list_find(issuers, ca.issuer_id);
	if (issuer != NULL)
		respond_bundles(call, issuers, issuer);
	else
		respond_no_issuer(call, "the device's sub-CA is not at hand");
	issuer_list_release(issuers);
}

/*
 * Run by a batch's leader, who takes his turn on the database: refresh the
 * issuers, and hold them for the turn.  NULL: the database is away.
 */
static struct issuer_list *
begin_turn(struct context *context, int64_t send_by)
{
	pthread_mutex_lock(&context->lock);
	if (!issuer_set_refresh(context->issuers, context->db, send_by))
		return NULL;
	return issuer_set_hold(context->issuers);
}

static void
end_turn(struct context *context, struct issuer_list *issuers)
{
	pthread_mutex_unlock(&context->lock);
	issuer_list_release(issuers);
}

static enum batch_result
record(void *ctx, void **items, size_t n, int64_t send_by)
{
	struct context *context = ctx;
	struct issuer_list *issuers = begin_turn(context, send_by);
	enum batch_result result = BATCH_DOWN;

	if (issuers != NULL)
		result = issuances_record(
		    context->db, issuer_list_ids(issuers), items, n, send_by);
	end_turn(context, issuers);
	return result;
}

/* A batch of one, that is. */
static enum batch_result
look_up(void *ctx, void **items, size_t n, int64_t send_by)
{
	struct context *context = ctx;
	struct issuer_list *issuers = begin_turn(context, send_by);
	enum batch_result result = BATCH_DOWN;

	if (issuers != NULL && n == 1)
		result = issuances_device_ca(
		    context->db, issuer_list_ids(issuers), items[0], send_by);
	end_turn(context, issuers);
	return result;
}

/* An error about files says so; what named them is known here. */
static void
name_variables(struct err *err)
{
	const struct err why = *err;

	err_clear(err);
	err_set(err, why.code, "PAPPUS_CA_DIR%s: %s",
	    conf_str(CONF_PASSPHRASE) == NULL
		? ""
		: " and PAPPUS_CA_PASSPHRASE_FILE",
	    why.detail);
}

static void *
start(struct err *err)
{
	struct issuer_set *issuers = issuer_set_new(
	    conf_str(CONF_CA_DIR), conf_str(CONF_PASSPHRASE), err);
	struct context *context;

	if (issuers == NULL) {
		name_variables(err);
		return NULL;
	}
	context = calloc(1, sizeof(*context));
	if (context == NULL)
		abort();
	context->issuers = issuers;
	context->db = db_new(conf_str(CONF_DATABASE), "pappus-identity");
	pthread_mutex_init(&context->lock, NULL);
	context->issuances =
	    batch_new((size_t)conf_int(CONF_BATCH_MAX), record, context);
	context->lookups = batch_new(1, look_up, context);
	return context;
}

static void
stop(void *program)
{
	struct context *context = program;

	batch_free(context->issuances);
	batch_free(context->lookups);
	pthread_mutex_destroy(&context->lock);
	db_free(context->db);
	issuer_set_free(context->issuers);
	free(context);
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
	    .name = "identity",
	    .about = "GET /identity: gives a device its key and certificate.",
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
