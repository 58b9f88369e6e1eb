/* SPDX-License-Identifier: ISC */
/*
 * The live sessions of the broker, each with what its certificate said.  They
 * are found by the broker's own pointer, not by client id: for a moment two
 * sessions have one id, when a device's new one takes over from its old one.
 *
 * And they stand in a queue, in the order in which they were last held against
 * a list, so that all can be checked in small portions however often the list
 * changes meanwhile.
 */
#ifndef PAPPUS_BROKER_PLUGIN_SESSIONS_H
#define PAPPUS_BROKER_PLUGIN_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/plugin_identity.h"

struct session {
	const void *client; /* the broker's, compared and never followed */
	char *client_id;
	struct identity who;
	uint64_t checked;	 /* the list that it was last held against */
	bool barred;		 /* is being put out */
	struct session *chain;	 /* in its bucket */
	struct session *older;	 /* in the queue */
	struct session *younger; /* likewise */
};

struct sessions;

/* NULL when memory is short. */
struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);

size_t sessions_count(const struct sessions *sessions);

/*
 * A new session, checked against that list just now; it replaces one of the
 * same client.  client_id is copied.  False when memory is short.
 */
bool sessions_add(struct sessions *sessions, const void *client,
    const char *client_id, const struct identity *who, uint64_t checked);

/* NULL: there is none.  Good until it is removed. */
struct session *sessions_find(
    const struct sessions *sessions, const void *client);

/* Remove the client's session, if there is one. */
void sessions_remove(struct sessions *sessions, const void *client);

/* The one whose check lies back the longest; NULL: there is none. */
struct session *sessions_oldest(const struct sessions *sessions);

/* It has been checked against that list: it goes to the queue's end. */
void sessions_checked(
    struct sessions *sessions, struct session *session, uint64_t list);

#endif
