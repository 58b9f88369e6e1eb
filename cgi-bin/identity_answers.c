/* SPDX-License-Identifier: ISC */
/* What identity answers: see identity.h. */
#include "cgi-bin/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "encoding/json.h"
#include "request/auth.h"
#include "request/problem.h"

void
respond_failure(struct call *call, const struct err *err)
{
	log_msg(
	    LOG_LEVEL_ERROR, "not-issued", "%s: %s", call->rq->id, err->detail);
	problem_respond_err(call->rs, call->rq, err);
}

/* The chain that a device presents, and what it verifies brokers with. */
static void
add_bundles(
    struct buf *body, const struct issuer_list *issuers, const char *chain)
{
	json_str(body, "ca_chain_pem", chain);
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
	add_bundles(&call->rs->body, issuers, issuer_chain_pem(issuer));
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

void
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
	case ISSUANCE_OUTCOMES:
		break;
	}
	problem_respond(call->rs, call->rq, PROBLEM_INTERNAL,
	    "The database answered in a way this version doesn't know.");
}

void
respond_bundles(
    struct call *call, const struct issuer_list *issuers, int issuer_id)
{
	const char *chain = issuer_list_chain_pem(issuers, issuer_id);

	if (chain == NULL) {
		respond_no_issuer(call, "the device's sub-CA is not known yet");
		return;
	}
	call->rs->status = 200;
	call->rs->outcome = "ok";
	json_begin(&call->rs->body);
	add_bundles(&call->rs->body, issuers, chain);
	json_end(&call->rs->body);
}
