/* SPDX-License-Identifier: ISC */
/*
 * Who comes in, who may do something, and who is put out: the rules of the
 * plugin, without anything of mosquitto.  Times come in as arguments.
 *
 *   no list at all: nobody comes in
 *   a list older than max_age: nobody new comes in, who is in stays
 *   else: who the list does not shut out, by certificate, id or CA
 */
#ifndef PAPPUS_BROKER_PLUGIN_GATE_H
#define PAPPUS_BROKER_PLUGIN_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "broker/plugin_list.h"
#include "broker/plugin_sessions.h"

struct gate {
	int64_t max_age_ms;
	struct plugin_list *list; /* NULL: none yet */
	uint64_t generation;	  /* of the list; the first is 1 */
	struct sessions *sessions;
	/* Who has just left: the broker still asks for its will. */
	const void *leaver;
	struct identity leaver_who;
};

/* False when memory is short. */
bool gate_init(struct gate *gate, int64_t max_age_ms);

/* All but the list, which is another's to free. */
void gate_free(struct gate *gate);

/*
 * Put a list in use.  True: it says something else than the last one, so that
 * the sessions are to be looked at again (gate_sweep).
 */
bool gate_set_list(struct gate *gate, struct plugin_list *list);

/*
 * A client connects.  cert is what it has shown, NULL: none; now_ms are unix
 * milliseconds.  When it may come in, who it is goes to *who and its session
 * is kept.  ERR_REFUSED says why not.
 */
bool gate_connect(struct gate *gate, const void *client, const char *client_id,
    X509 *cert, int64_t now_ms, struct identity *who, struct err *err);

/*
 * Whether a client may do anything now.  One that is not connected (an offline
 * session, who published a retained message) is judged by its client id.
 */
bool gate_allows(struct gate *gate, const void *client, const char *client_id);

/* The client's session has ended; its will may still be asked for. */
void gate_leave(struct gate *gate, const void *client);

/* What happens from now on has nothing to do with who left last. */
void gate_forget_leaver(struct gate *gate);

/*
 * Look at sessions that were not held against the list in use, until
 * clock_mono_us() is until_us or one is found that is to be put out; *why is
 * the reason.  NULL: there is none, or it is time.  Who is returned is not
 * allowed anything any more and not returned again.
 */
const struct session *gate_sweep(
    struct gate *gate, int64_t until_us, const char **why);

#endif
