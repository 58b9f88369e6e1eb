/* SPDX-License-Identifier: ISC */
/*
 * GET /identity: a device trades its token for a private key and a
 * certificate.  Holds the keys of the device sub-CAs; its database role can
 * record certificates and nothing else.  The certificate is recorded before
 * it is signed, and neither it nor the private key is kept.
 *
 * GET /ca: what a device verifies with, alone, for when it is to be renewed.
 */
#include "cgi-bin/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cert/serial.h"
#include "request/auth.h"
#include "request/problem.h"
#include "request/program.h"

static route_handler_fn identity_get, ca_get;

static const struct route routes[] = {
    {HTTP_GET, "/identity", NULL, 0, ROLE_ANON, identity_get},
    {HTTP_GET, "/ca", NULL, 0, ROLE_ANON, ca_get},
};

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
ca_get(struct call *call)
{
	struct context *context = call->program;
	struct device_ca ca = {.issuer_id = 0};
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
	respond_bundles(call, issuers, ca.issuer_id);
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
