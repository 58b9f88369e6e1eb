/* SPDX-License-Identifier: ISC */
/* From an offer to a list that is held: see brokerd_lists.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/brokerd_lists.h"
#include "broker/brokerd_rules.h"

enum { FAILURE_COST_MAX_US = 500000 };

bool
lists_put(struct lists *lists, struct err *err)
{
	struct feed_state *next = malloc(sizeof(*next));
	struct brokerd *b = lists->b;
	struct feed_crl *crl;
	size_t i;
	bool ok;

	if (next == NULL)
		abort();
	pthread_mutex_lock(&b->lock);
	*next = b->state;
	next->crl_count = 0;
	for (i = 0; i < lists->count; i++) {
		if (lists->item[i].map == NULL)
			continue;
		crl = &next->crl[next->crl_count++];
		memcpy(crl->ski, lists->item[i].ski, sizeof(crl->ski));
		memcpy(crl->name, lists->item[i].name, sizeof(crl->name));
		crl->number = lists->item[i].number;
	}
	ok = brokerd_put_state(b, next, err);
	pthread_mutex_unlock(&b->lock);
	free(next);
	return ok;
}

void
lists_hold(struct list *list, const struct crl_read *crl, const char *name,
    struct file_map *map)
{
	list->map = map;
	list->number = crl->number;
	list->this_update = crl->this_update;
	list->next_update = crl->next_update;
	list->entries = crl->count;
	memcpy(list->name, name, sizeof(list->name));
	list->failed[0] = list->held_back[0] = '\0';
	list->failures = 0;
}

static void
log_list(const struct list *list, int64_t cost_us)
{
	const struct log_field fields[] = {
	    LOG_S("ski", list->ski),
	    LOG_I("number", list->number),
	    LOG_I("entries", list->entries),
	    LOG_I("this_update", list->this_update),
	    LOG_I("next_update", list->next_update),
	    LOG_I("us", cost_us),
	    {.type = LOG_END},
	};

	log_event(LOG_LEVEL_INFO, "crl", fields);
}

void
lists_refuse(struct lists *lists, const char *from, const char *ski,
    const char *name, enum refusal why, const struct err *err)
{
	char what[LISTS_WHAT_LEN + 1];

	if (atomic_load(&lists->b->stop))
		return;
	lists_what(ski, what);
	/* No host's fault, and over when it comes from any of them. */
	if (why == REFUSED_LOCAL)
		status_refuse(
		    lists->b->status, NULL, what, "", why, err->detail);
	else
		status_refuse(
		    lists->b->status, from, what, name, why, err->detail);
}

/* ------------------------------------------------------------ installing */

/*
 * Put a verified list in place of the old one: its file first, then the state
 * that names it.
 */
static bool
install(struct lists *lists, struct list *list, const struct crl_read *crl,
    const char *name, struct file_map *map, struct file_draft *draft,
    struct err *err)
{
	struct list old = *list;

	if (draft->fd >= 0 && !file_draft_keep(draft, name, true, err))
		return false;
	lists_hold(list, crl, name, file_map_ref(map));
	if (lists_put(lists, err)) {
		file_map_unref(old.map);
		return true;
	}
	file_map_unref(list->map);
	*list = old;
	return false;
}

/* A list that is good but for the clock: kept, so as not to fetch it again. */
static void
hold_back(struct list *list, const struct crl_read *crl, const char *name,
    struct file_draft *draft)
{
	struct err ignored = {0};

	if (draft->fd >= 0)
		file_draft_keep(draft, name, true, &ignored);
	memcpy(list->held_back, name, sizeof(list->held_back));
	list->valid_from = crl->this_update;
}

/* Why one host's copy was not taken. */
static void
refused(struct lists *lists, const struct list *list,
    const struct list_offer *offer, size_t host, enum refusal why,
    const struct err *err)
{
	lists_refuse(
	    lists, lists->b->conf.url[host], list->ski, offer->name, why, err);
	/* A host that hangs must not hang us once for every CA. */
	if (why == REFUSED_UNREACHABLE || why == REFUSED_TLS)
		lists->host[host].retry_at =
		    clock_mono_us() +
		    rules_retry_us(++lists->host[host].failures);
}

/* One host's copy.  True when it is installed, or held back. */
static bool
take_from(struct lists *lists, struct list *list, const struct issuer *issuer,
    const struct list_offer *offer, size_t host)
{
	struct file_draft draft;
	enum refusal why = REFUSED_MALFORMED;
	struct err err = {0};
	struct crl_read crl;
	struct file_map *map;
	bool ok;

	map = brokerd_get_file(
	    lists->b, lists->fetch, host, offer->name, &draft, &why, &err);
	if (map == NULL) {
		refused(lists, list, offer, host, why, &err);
		return false;
	}
	lists->host[host].failures = 0;
	why = REFUSED_MALFORMED;
	ok = crl_read_open(
		 file_map_data(map), file_map_len(map), true, &crl, &err) &&
	     trust_check_crl(&crl, issuer, offer->number,
		 clock_wall_ms() / 1000, &why, &err);
	if (ok) {
		why = REFUSED_LOCAL;
		ok = install(lists, list, &crl, offer->name, map, &draft, &err);
	}
	if (!ok)
		refused(lists, list, offer, host, why, &err);
	if (!ok && why == REFUSED_NOT_YET_VALID) {
		hold_back(list, &crl, offer->name, &draft);
		ok = true;
	}
	file_draft_drop(&draft);
	file_map_unref(map);
	return ok;
}

/* Whether it is too early, or too early again, for what is offered. */
static bool
is_early(const struct list *list, const struct list_offer *offer, int64_t now)
{
	if (now < list->again_at)
		return true;
	if (strcmp(list->held_back, offer->name) == 0)
		return clock_wall_ms() / 1000 < list->valid_from;
	return strcmp(list->failed, offer->name) == 0 && now < list->retry_at;
}

static void
accepted(struct lists *lists, const struct list *list,
    const struct list_offer *offer)
{
	char what[LISTS_WHAT_LEN + 1];
	size_t i;

	lists_what(list->ski, what);
	status_accept(lists->b->status, NULL, what);
	for (i = 0; i < lists->b->conf.url_count; i++)
		if (offer->host[i])
			status_accept(
			    lists->b->status, lists->b->conf.url[i], what);
}

void
lists_take_offer(struct lists *lists, struct list *list,
    const struct issuer *issuer, const struct list_offer *offer)
{
	int64_t began = clock_mono_us(), cost;
	bool tried = false, taken = false;
	size_t i;

	if (is_early(list, offer, began))
		return;
	for (i = 0; !taken && i < lists->b->conf.url_count; i++) {
		began = clock_mono_us();
		if (!offer->host[i] || began < lists->host[i].retry_at)
			continue;
		tried = true;
		taken = take_from(lists, list, issuer, offer, i);
	}
	if (!tried)
		return;
	/* A list that is costly to fetch is not fetched all the time. */
	cost = clock_mono_us() - began;
	if (!taken && cost > FAILURE_COST_MAX_US)
		cost = FAILURE_COST_MAX_US;
	list->again_at = rules_again_at(began, cost);
	if (!taken) {
		memcpy(list->failed, offer->name, sizeof(list->failed));
		list->retry_at =
		    clock_mono_us() + rules_retry_us(++list->failures);
	} else if (list->held_back[0] == '\0') {
		accepted(lists, list, offer);
		log_list(list, cost);
	}
}
