/* SPDX-License-Identifier: ISC */
/* What hosts serve beside what is held: see brokerd_lists.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/brokerd_lists.h"

void
lists_what(const char *ski, char out[LISTS_WHAT_LEN + 1])
{
	snprintf(out, LISTS_WHAT_LEN + 1, "crl %s", ski);
}

static const struct feed_crl *
find_crl(const struct feed_state *state, const char *ski)
{
	size_t i;

	for (i = 0; i < state->crl_count; i++)
		if (strcmp(state->crl[i].ski, ski) == 0)
			return &state->crl[i];
	return NULL;
}

/* Of a host that doesn't lag, a list that goes back is worth a line. */
static void
look_back(struct lists *lists, const struct list *list, const char *url,
    const struct feed_crl *crl)
{
	char what[LISTS_WHAT_LEN + 1], detail[120];
	bool same = crl->number == list->number;

	if (list->map == NULL || crl->number > list->number ||
	    (same && strcmp(crl->name, list->name) == 0))
		return;
	if (same)
		snprintf(detail, sizeof(detail),
		    "another list under number %" PRIu64 ", which we have",
		    crl->number);
	else
		snprintf(detail, sizeof(detail),
		    "number %" PRIu64 " is smaller than ours, %" PRIu64,
		    crl->number, list->number);
	lists_what(list->ski, what);
	status_refuse(lists->b->status, url, what, crl->name,
	    same ? REFUSED_MISMATCH : REFUSED_NUMBER, detail);
}

static void
add_offer(struct list_offer *out, const struct feed_crl *crl, size_t host)
{
	if (crl->number > out->number) {
		*out = (struct list_offer){.number = crl->number};
		memcpy(out->name, crl->name, sizeof(out->name));
	}
	/* Two names under one number: the first that was seen. */
	if (crl->number == out->number && strcmp(crl->name, out->name) == 0)
		out->host[host] = true;
}

bool
lists_find_offer(
    struct lists *lists, const struct list *list, struct list_offer *out)
{
	struct brokerd *b = lists->b;
	const struct feed_crl *crl;
	size_t i;

	*out = (struct list_offer){.number = list->number};
	pthread_mutex_lock(&b->lock);
	for (i = 0; i < b->conf.url_count; i++) {
		crl = b->host[i].known ? find_crl(&b->host[i].state, list->ski)
				       : NULL;
		if (crl == NULL)
			continue;
		if (b->host[i].state.sequence >= b->state.sequence)
			look_back(lists, list, b->conf.url[i], crl);
		if (crl->number > list->number)
			add_offer(out, crl, i);
	}
	pthread_mutex_unlock(&b->lock);
	return out->number > list->number;
}

void
lists_refuse_foreign(struct lists *lists)
{
	struct brokerd *b = lists->b;
	char what[LISTS_WHAT_LEN + 1];
	const struct feed_state *state;
	size_t i, j;

	pthread_mutex_lock(&b->lock);
	for (i = 0; i < b->conf.url_count; i++) {
		state = &b->host[i].state;
		/* Of another sequence, it may have other CAs. */
		if (!b->host[i].known || state->sequence != b->state.sequence)
			continue;
		for (j = 0; j < state->crl_count; j++) {
			if (issuers_find(lists->issuers, state->crl[j].ski) !=
			    NULL)
				continue;
			lists_what(state->crl[j].ski, what);
			status_refuse(b->status, b->conf.url[i], what, "",
			    REFUSED_FOREIGN,
			    "no CA that the deny-list takes clients from");
		}
	}
	pthread_mutex_unlock(&b->lock);
}
