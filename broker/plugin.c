/* SPDX-License-Identifier: ISC */
/*
 * The plugin of mosquitto (API version 5) that is the broker's identity check.
 * At CONNECT it says by the client's certificate and the deny-list who may come
 * in and under which user name; it looks again at each ACL check; and it puts
 * out live sessions that a new list shuts out.  docs/broker.md says how it is
 * configured.
 *
 * mosquitto has one thread, and all but the follower's runs in it: whatever
 * takes longer than a moment stands still for every client.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "broker/plugin_follower.h"
#include "broker/plugin_gate.h"
#include "broker/plugin_log.h"
#include "broker/plugin_options.h"

#define API __attribute__((visibility("default")))

enum {
	/* Without a tick for so long, none will come: on_connect says why. */
	TICK_US = 10000000,
	/*
	 * Of the broker's time the sweep takes half at most, in portions: not
	 * too small when clients keep the loop turning, and not too large for
	 * one that speaks up after a silence.
	 */
	SWEEP_MIN_US = 1000,
	SWEEP_MAX_US = 25000
};

struct plugin {
	mosquitto_plugin_id_t *id;
	struct follower *follower;
	bool following; /* its thread runs */
	struct gate gate;
	int64_t ticked_us; /* when the last tick ended; 0: none yet */
	bool reloading;	   /* from SIGHUP to the next tick */
};

/* ------------------------------------------------------------- what happens */

/* The newest list, if there is one that is newer. */
static void
adopt(struct plugin *p)
{
	struct plugin_list *last = p->gate.list;
	struct plugin_list *list = follower_take(p->follower);

	if (list == NULL)
		return;
	if (gate_set_list(&p->gate, list))
		plugin_say_list(list);
	follower_retire(p->follower, last);
}

/* Under its name; a user name that the client sent counts for nothing. */
static bool
let_in(
    struct plugin *p, struct mosquitto *client, const char *id, struct err *err)
{
	X509 *cert = mosquitto_client_certificate(client);
	struct identity who;
	bool ok;

	ok = gate_connect(
	    &p->gate, client, id, cert, clock_wall_ms(), &who, err);
	X509_free(cert);
	/* What is left there, mosquitto would take for trouble of its own. */
	ERR_clear_error();
	if (ok &&
	    mosquitto_set_username(client, who.name) != MOSQ_ERR_SUCCESS) {
		gate_leave(&p->gate, client);
		ok = err_set(err, ERR_SYSTEM, "no memory for its user name");
	}
	return ok;
}

/*
 * mosquitto asks at CONNECT; and after SIGHUP for all that it knows, offline
 * sessions among them.  A no to these would make it end sessions that have
 * ended, which puts its lists into disorder; who is to go, the sweep puts out.
 */
static int
on_connect(int event, void *data, void *userdata)
{
	const struct mosquitto_evt_basic_auth *asked = data;
	struct mosquitto *client = asked->client;
	struct err err = {.code = ERR_NONE};
	const char *id = mosquitto_client_id(client);
	struct plugin *p = userdata;
	bool ok = false;

	(void)event;
	gate_forget_leaver(&p->gate);
	adopt(p);
	if (p->ticked_us == 0 || clock_mono_us() - p->ticked_us > TICK_US)
		err_set(&err, ERR_CONFIG,
		    "mosquitto doesn't tick; is per_listener_settings true?");
	else if (id == NULL)
		err_set(&err, ERR_REFUSED, "no client id");
	else if (p->reloading && mosquitto_client_protocol(client) == mp_mqtt)
		return MOSQ_ERR_SUCCESS;
	else
		ok = let_in(p, client, id, &err);
	if (ok)
		return MOSQ_ERR_SUCCESS;
	plugin_say(MOSQ_LOG_NOTICE, "refused %s from %s: %s",
	    plugin_show(id).text,
	    plugin_show(mosquitto_client_address(client)).text, err.detail);
	return MOSQ_ERR_AUTH;
}

/* The rest is acl_file's to decide: without one, deferring means refusal. */
static int
on_acl_check(int event, void *data, void *userdata)
{
	const struct mosquitto_evt_acl_check *asked = data;
	struct plugin *p = userdata;

	(void)event;
	adopt(p);
	return gate_allows(
		   &p->gate, asked->client, mosquitto_client_id(asked->client))
		   ? MOSQ_ERR_PLUGIN_DEFER
		   : MOSQ_ERR_ACL_DENIED;
}

static int
on_disconnect(int event, void *data, void *userdata)
{
	const struct mosquitto_evt_disconnect *what = data;
	struct plugin *p = userdata;

	(void)event;
	gate_leave(&p->gate, what->client);
	return MOSQ_ERR_SUCCESS;
}

static int
on_reload(int event, void *data, void *userdata)
{
	struct plugin *p = userdata;

	(void)event;
	(void)data;
	p->reloading = true;
	/* Anything else would keep it from other plugins. */
	return MOSQ_ERR_PLUGIN_DEFER;
}

/* The newest list, and what is wrong with one that is not taken. */
static void
follow(struct plugin *p)
{
	struct err trouble;

	adopt(p);
	if (!follower_trouble(p->follower, &trouble))
		return;
	if (trouble.code != ERR_NONE)
		plugin_say(MOSQ_LOG_WARNING, "%s; %s", trouble.detail,
		    p->gate.list == NULL ? "nobody comes in"
					 : "the last good list stays in use");
	else if (p->gate.list != NULL)
		plugin_say(MOSQ_LOG_NOTICE,
		    "the feed is fine again, at deny-list "
		    "%" PRIu64,
		    p->gate.list->sequence);
}

/* Tried again at each tick, and told once. */
static void
start_following(struct plugin *p)
{
	struct err err = {.code = ERR_NONE};

	p->following = follower_start(p->follower, &err);
	if (!p->following && p->ticked_us == 0)
		plugin_say(MOSQ_LOG_ERR, "%s", err.detail);
}

/*
 * Without the will.  mosquitto calls on_disconnect from within, so that the
 * session is gone afterwards; by client id, since by user name it would walk
 * through all its clients.
 */
static void
put_out(const struct session *session, const char *why)
{
	plugin_say(MOSQ_LOG_NOTICE, "put out %s: %s",
	    plugin_show(session->client_id).text, why);
	mosquitto_kick_client_by_clientid(session->client_id, false);
}

/* About ten times a second, or at every turn of a busy loop. */
static int
on_tick(int event, void *data, void *userdata)
{
	struct plugin *p = userdata;
	const struct session *session;
	int64_t now_us = clock_mono_us();
	int64_t share_us = (now_us - p->ticked_us) / 2;
	const char *why;

	(void)event;
	(void)data;
	p->reloading = false;
	gate_forget_leaver(&p->gate);
	if (!p->following)
		start_following(p);
	follow(p);
	if (share_us < SWEEP_MIN_US)
		share_us = SWEEP_MIN_US;
	if (share_us > SWEEP_MAX_US)
		share_us = SWEEP_MAX_US;
	while (
	    (session = gate_sweep(&p->gate, now_us + share_us, &why)) != NULL)
		put_out(session, why);
	p->ticked_us = clock_mono_us();
	return MOSQ_ERR_SUCCESS;
}

/* ---------------------------------------------------------------- mosquitto */

static bool
read_options(const struct mosquitto_opt *options, int count,
    struct plugin_options *out, struct err *err)
{
	int i;

	plugin_options_init(out);
	for (i = 0; i < count; i++)
		if (!plugin_options_set(
			out, options[i].key, options[i].value, err))
			return false;
	return plugin_options_check(out, err);
}

static const struct {
	int event;
	MOSQ_FUNC_generic_callback function;
} events[] = {
    {MOSQ_EVT_BASIC_AUTH, on_connect},
    {MOSQ_EVT_ACL_CHECK, on_acl_check},
    {MOSQ_EVT_DISCONNECT, on_disconnect},
    {MOSQ_EVT_RELOAD, on_reload},
    {MOSQ_EVT_TICK, on_tick},
};

enum { EVENTS = sizeof(events) / sizeof(events[0]) };

static bool
listen_to_broker(struct plugin *p, struct err *err)
{
	size_t i;

	for (i = 0; i < EVENTS; i++)
		if (mosquitto_callback_register(p->id, events[i].event,
			events[i].function, NULL, p) != MOSQ_ERR_SUCCESS)
			return err_set(err, ERR_SYSTEM,
			    "mosquitto knows no event %d", events[i].event);
	return true;
}

/* What it would else keep, and call when the plugin has gone. */
static void
leave_broker(struct plugin *p)
{
	size_t i;

	for (i = 0; i < EVENTS; i++)
		mosquitto_callback_unregister(
		    p->id, events[i].event, events[i].function, NULL);
}

static void
plugin_free(struct plugin *p)
{
	if (p == NULL)
		return;
	if (p->id != NULL)
		leave_broker(p);
	follower_free(p->follower);
	plugin_list_free(p->gate.list);
	gate_free(&p->gate);
	free(p);
}

API int
mosquitto_plugin_version(int count, const int *versions)
{
	int i;

	for (i = 0; i < count; i++)
		if (versions[i] == MOSQ_PLUGIN_VERSION)
			return MOSQ_PLUGIN_VERSION;
	return -1;
}

API int
mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **userdata,
    struct mosquitto_opt *options, int option_count)
{
	struct plugin *p = calloc(1, sizeof(*p));
	struct err err = {.code = ERR_NONE};
	struct plugin_options set;
	bool ok;

	ok = read_options(options, option_count, &set, &err);
	if (ok && (p == NULL || !gate_init(&p->gate, set.max_age_s * 1000) ||
		      (p->follower = follower_new(set.feed_dir)) == NULL))
		ok = err_set(&err, ERR_SYSTEM, "no memory");
	if (ok) {
		p->id = id;
		follow(p);
		ok = listen_to_broker(p, &err);
	}
	if (!ok) {
		plugin_say(MOSQ_LOG_ERR, "%s", err.detail);
		plugin_free(p);
		return MOSQ_ERR_INVAL;
	}
	*userdata = p;
	return MOSQ_ERR_SUCCESS;
}

API int
mosquitto_plugin_cleanup(
    void *userdata, struct mosquitto_opt *options, int option_count)
{
	(void)options;
	(void)option_count;
	plugin_free(userdata);
	return MOSQ_ERR_SUCCESS;
}
