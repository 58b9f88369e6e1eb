/* SPDX-License-Identifier: ISC */
/* The feed's state as it is published: see front.h. */
#include "daemon/front.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static const char state_path[] = "feed/state";

struct front {
	struct store *store;
	pthread_mutex_t lock;
	struct feed_state state;
	bool live; /* its deny-list is of this life */
	int64_t written_ms;
};

/* Whether a file of feed/ is there. */
static bool
is_there(struct store *store, const char *name)
{
	struct store_map map;
	bool there = store_map_content(store, name, &map, NULL);

	store_unmap(&map);
	return there;
}

/* Name nothing that isn't there, as after a copy of half the folder. */
static void
forget_missing(struct front *front)
{
	struct feed_state *state = &front->state;
	size_t i, kept = 0;

	for (i = 0; i < state->crl_count; i++)
		if (is_there(front->store, state->crl[i].name))
			state->crl[kept++] = state->crl[i];
	state->crl_count = kept;
	if (state->crls[0] != '\0' && !is_there(front->store, state->crls))
		state->crls[0] = '\0';
}

struct front *
front_new(struct store *store)
{
	struct front *front = calloc(1, sizeof(*front));
	struct err err = {.code = ERR_NONE};
	struct store_map map;

	if (front == NULL)
		abort();
	front->store = store;
	pthread_mutex_init(&front->lock, NULL);
	if (store_map(store, state_path, &map, &err)) {
		if (feed_state_parse(map.data, map.len, &front->state, &err))
			forget_missing(front);
		else
			memset(&front->state, 0, sizeof(front->state));
		store_unmap(&map);
	}
	if (err.code != ERR_NONE)
		log_msg(LOG_LEVEL_WARN, "state-unreadable", "%s", err.detail);
	return front;
}

void
front_free(struct front *front)
{
	if (front == NULL)
		return;
	pthread_mutex_destroy(&front->lock);
	free(front);
}

uint64_t
front_sequence(struct front *front)
{
	uint64_t sequence;

	pthread_mutex_lock(&front->lock);
	sequence = front->state.sequence;
	pthread_mutex_unlock(&front->lock);
	return sequence;
}

int64_t
front_time_ms(struct front *front)
{
	int64_t ms;

	pthread_mutex_lock(&front->lock);
	ms = front->written_ms;
	pthread_mutex_unlock(&front->lock);
	return ms;
}

void
front_state(struct front *front, struct feed_state *out)
{
	pthread_mutex_lock(&front->lock);
	*out = front->state;
	pthread_mutex_unlock(&front->lock);
}

/* Publish a state and keep it, or keep the old one.  Under the lock. */
static bool
put(struct front *front, struct feed_state *state, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok = true;

	if (front->live) {
		state->time_ms = clock_wall_ms();
		feed_state_print(state, &text);
		ok = store_put(
		    front->store, state_path, text.data, text.len, err);
		buf_free(&text);
	}
	if (!ok)
		return false;
	front->state = *state;
	front->written_ms = front->live ? state->time_ms : 0;
	return true;
}

bool
front_deny(struct front *front, uint64_t sequence, const char *base,
    const char *delta, struct err *err)
{
	struct feed_state state;
	bool was_live, ok = false;

	pthread_mutex_lock(&front->lock);
	state = front->state;
	was_live = front->live;
	if (sequence < state.sequence) {
		err_set(err, ERR_REFUSED,
		    "a sequence below the one that is published");
	} else {
		state.sequence = sequence;
		memcpy(state.deny_base, base, FEED_NAME_LEN + 1);
		memcpy(state.deny_delta, delta, FEED_NAME_LEN + 1);
		front->live = true;
		ok = put(front, &state, err);
		front->live = ok || was_live;
	}
	pthread_mutex_unlock(&front->lock);
	return ok;
}

bool
front_renew(struct front *front, struct err *err)
{
	struct feed_state state;
	bool ok;

	pthread_mutex_lock(&front->lock);
	state = front->state;
	ok = put(front, &state, err);
	pthread_mutex_unlock(&front->lock);
	return ok;
}

bool
front_crl(struct front *front, const struct feed_crl *crl, struct err *err)
{
	struct feed_state state;
	bool ok = false;
	size_t i;

	pthread_mutex_lock(&front->lock);
	state = front->state;
	for (i = 0; i < state.crl_count; i++)
		if (strcmp(state.crl[i].ski, crl->ski) == 0)
			break;
	if (i == FEED_CRLS_MAX) {
		err_set(err, ERR_TOO_LONG, "over %d CRLs", FEED_CRLS_MAX);
	} else {
		state.crl[i] = *crl;
		if (i == state.crl_count)
			state.crl_count++;
		ok = put(front, &state, err);
	}
	pthread_mutex_unlock(&front->lock);
	return ok;
}

bool
front_crls(struct front *front, const char *name, struct err *err)
{
	struct feed_state state;
	bool ok;

	pthread_mutex_lock(&front->lock);
	state = front->state;
	memcpy(state.crls, name, FEED_NAME_LEN + 1);
	ok = put(front, &state, err);
	pthread_mutex_unlock(&front->lock);
	return ok;
}

bool
front_keep(struct front *front, front_keep_fn *keep, void *ctx, struct err *err)
{
	struct feed_state state;
	size_t i, kept = 0;
	bool ok = true;

	pthread_mutex_lock(&front->lock);
	state = front->state;
	for (i = 0; i < state.crl_count; i++)
		if (keep(ctx, state.crl[i].ski))
			state.crl[kept++] = state.crl[i];
	if (kept < state.crl_count) {
		state.crl_count = kept;
		ok = put(front, &state, err);
	}
	pthread_mutex_unlock(&front->lock);
	return ok;
}

bool
front_names(struct front *front, const char *name)
{
	const struct feed_state *state = &front->state;
	bool found;
	size_t i;

	pthread_mutex_lock(&front->lock);
	found = strcmp(name, state->deny_base) == 0 ||
		strcmp(name, state->deny_delta) == 0 ||
		strcmp(name, state->crls) == 0;
	for (i = 0; !found && i < state->crl_count; i++)
		found = strcmp(name, state->crl[i].name) == 0;
	pthread_mutex_unlock(&front->lock);
	return found;
}
