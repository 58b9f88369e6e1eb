/* SPDX-License-Identifier: ISC */
/* The deny-list at one moment: see plugin_list.h. */
#include "broker/plugin_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/feed.h"

static bool
read_state(const char *dir, struct feed_state *state, struct err *err)
{
	uint8_t *text = malloc(FEED_STATE_MAX);
	size_t len;
	bool ok;

	if (text == NULL)
		return err_set(err, ERR_SYSTEM, "no memory for the state");
	ok = plugin_file_slurp(dir, "state", FEED_STATE_MAX, text, &len, err) &&
	     feed_state_parse(text, len, state, err);
	free(text);
	return ok;
}

/* The file of that name, which is the last list's if that has it. */
static struct plugin_file *
take_file(
    const char *dir, const char *name, struct plugin_file *had, struct err *err)
{
	if (had == NULL || strcmp(had->name, name) != 0)
		return plugin_file_read(dir, name, err);
	had->users++;
	return had;
}

/* What was looked at when last was loaded is not looked at again. */
static bool
check_files(
    struct plugin_list *list, const struct plugin_list *last, struct err *err)
{
	if (!denylist_read(list->base->data, list->base->len, list->delta->data,
		list->delta->len, &list->deny, err))
		return false;
	if ((last == NULL || last->base != list->base) &&
	    !denylist_file_verify(&list->deny.base, err))
		return false;
	return denylist_file_verify(&list->deny.delta, err) &&
	       issuers_read(&list->deny.delta, &list->issuers, err);
}

static bool
fill(struct plugin_list *list, const char *dir, const struct plugin_list *last,
    struct feed_state *state, struct err *err)
{
	if (!read_state(dir, state, err))
		return false;
	if (last != NULL && state->sequence < last->sequence)
		return err_set(err, ERR_REFUSED,
		    "the state is of sequence %" PRIu64
		    ", older than the list in use (%" PRIu64 ")",
		    state->sequence, last->sequence);
	list->sequence = state->sequence;
	list->base = take_file(
	    dir, state->deny_base, last == NULL ? NULL : last->base, err);
	if (list->base == NULL)
		return false;
	list->delta = take_file(
	    dir, state->deny_delta, last == NULL ? NULL : last->delta, err);
	return list->delta != NULL && check_files(list, last, err);
}

struct plugin_list *
plugin_list_load(const char *dir, const struct plugin_list *last,
    int64_t now_ms, struct err *err)
{
	struct feed_state *state = malloc(sizeof(*state));
	struct plugin_list *list = calloc(1, sizeof(*list));
	bool ok;

	if (state == NULL || list == NULL)
		ok = err_set(err, ERR_SYSTEM, "no memory for a list");
	else
		ok = fill(list, dir, last, state, err);
	if (ok) {
		list->time_ms =
		    state->time_ms < now_ms ? state->time_ms : now_ms;
	} else {
		plugin_list_free(list);
		list = NULL;
	}
	free(state);
	return list;
}

void
plugin_list_free(struct plugin_list *list)
{
	if (list == NULL)
		return;
	plugin_file_release(list->base);
	plugin_file_release(list->delta);
	issuers_free(&list->issuers);
	free(list);
}

bool
plugin_list_equal(
    const struct plugin_list *one, const struct plugin_list *other)
{
	return strcmp(one->base->name, other->base->name) == 0 &&
	       strcmp(one->delta->name, other->delta->name) == 0;
}

const char *
plugin_list_refuses_name(
    const struct plugin_list *list, const char name[IDENTITY_NAME_LEN + 1])
{
	if (identity_is_device(name) &&
	    denylist_has_device(&list->deny, name + IDENTITY_PREFIX_LEN))
		return "device denied";
	return NULL;
}

const char *
plugin_list_refuses(const struct plugin_list *list, const struct identity *who)
{
	if (!issuers_has(&list->issuers, who->issuer))
		return "its CA is no longer on the list of issuers";
	if (denylist_has_serial(&list->deny, who->serial, sizeof(who->serial)))
		return "certificate revoked or on hold";
	return plugin_list_refuses_name(list, who->name);
}
