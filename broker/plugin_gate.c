/* SPDX-License-Identifier: ISC */
/* Who comes in and who is put out: see plugin_gate.h. */
#include "broker/plugin_gate.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

/* Sessions between two looks at the clock; each takes about a microsecond. */
enum { SWEEP_STRIDE = 32 };

bool
gate_init(struct gate *gate, int64_t max_age_ms)
{
	*gate = (struct gate){.max_age_ms = max_age_ms};
	gate->sessions = sessions_new();
	return gate->sessions != NULL;
}

void
gate_free(struct gate *gate)
{
	sessions_free(gate->sessions);
	gate->sessions = NULL;
}

bool
gate_set_list(struct gate *gate, struct plugin_list *list)
{
	bool same = gate->list != NULL && plugin_list_equal(gate->list, list);

	gate->list = list;
	if (!same)
		gate->generation++;
	return !same;
}

static bool
check_list(const struct gate *gate, int64_t now_ms, struct err *err)
{
	int64_t age_ms;

	if (gate->list == NULL)
		return err_set(err, ERR_REFUSED, "there is no deny-list yet");
	age_ms = now_ms - gate->list->time_ms;
	if (age_ms > gate->max_age_ms)
		return err_set(err, ERR_REFUSED,
		    "the deny-list is %" PRId64 " s old, over max_age (%" PRId64
		    ")",
		    age_ms / 1000, gate->max_age_ms / 1000);
	return true;
}

bool
gate_connect(struct gate *gate, const void *client, const char *client_id,
    X509 *cert, int64_t now_ms, struct identity *who, struct err *err)
{
	const char *why;

	if (cert == NULL)
		return err_set(err, ERR_REFUSED, "no client certificate");
	if (!check_list(gate, now_ms, err) ||
	    !identity_read(cert, &gate->list->issuers, now_ms / 1000, who, err))
		return false;
	if (!identity_owns(who->name, client_id))
		return err_set(
		    err, ERR_REFUSED, "this client id is not %s's", who->name);
	why = plugin_list_refuses(gate->list, who);
	if (why != NULL)
		return err_set(err, ERR_REFUSED, "%s", why);
	if (!sessions_add(
		gate->sessions, client, client_id, who, gate->generation))
		return err_set(err, ERR_SYSTEM, "no memory for its session");
	return true;
}

/*
 * Whether a session may stay.  One that may was looked at.  One that may not
 * remains where it is in the queue, for the sweep to find.
 */
static bool
may_stay(struct gate *gate, struct session *session, const char **why)
{
	*why = NULL;
	if (session->barred)
		return false;
	if (session->checked == gate->generation)
		return true;
	*why = plugin_list_refuses(gate->list, &session->who);
	if (*why == NULL)
		sessions_checked(gate->sessions, session, gate->generation);
	return *why == NULL;
}

bool
gate_allows(struct gate *gate, const void *client, const char *client_id)
{
	struct session *session = sessions_find(gate->sessions, client);
	char name[IDENTITY_NAME_LEN + 1];
	const char *why;

	if (gate->list == NULL)
		return false;
	if (session != NULL)
		return may_stay(gate, session, &why);
	if (client == gate->leaver)
		return plugin_list_refuses(gate->list, &gate->leaver_who) ==
		       NULL;
	return client_id != NULL && identity_of_client_id(client_id, name) &&
	       plugin_list_refuses_name(gate->list, name) == NULL;
}

void
gate_leave(struct gate *gate, const void *client)
{
	const struct session *session = sessions_find(gate->sessions, client);

	if (session == NULL)
		return;
	gate->leaver = client;
	gate->leaver_who = session->who;
	sessions_remove(gate->sessions, client);
}

void
gate_forget_leaver(struct gate *gate)
{
	gate->leaver = NULL;
}

const struct session *
gate_sweep(struct gate *gate, int64_t until_us, const char **why)
{
	struct session *session;
	int n;

	for (n = 0; n % SWEEP_STRIDE != 0 || clock_mono_us() < until_us; n++) {
		session = sessions_oldest(gate->sessions);
		if (session == NULL || session->checked == gate->generation)
			return NULL;
		if (may_stay(gate, session, why))
			continue;
		sessions_checked(gate->sessions, session, gate->generation);
		if (session->barred)
			continue;
		session->barred = true;
		return session;
	}
	return NULL;
}
