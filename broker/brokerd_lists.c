/* SPDX-License-Identifier: ISC */
/*
 * The thread that keeps CRLs: of each CA on the deny-list the one with the
 * greatest number that any host serves, once it is verified.  What was good
 * stays, whatever is served, until its CA leaves the deny-list.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "broker/brokerd_lists.h"

enum { LOOK_S = 1, EXPIRES_SOON_S = 86400 };

/* ------------------------------------------------------------- the lists */

struct list *
lists_find(struct lists *lists, const char *ski)
{
	size_t i;

	for (i = 0; i < lists->count; i++)
		if (strcmp(lists->item[i].ski, ski) == 0)
			return &lists->item[i];
	return NULL;
}

/* A CA's list; a new one holds nothing yet. */
static struct list *
get_list(struct lists *lists, const struct issuer *issuer)
{
	struct list *list = lists_find(lists, issuer->ski);

	if (list != NULL)
		return list;
	list = &lists->item[lists->count++];
	*list = (struct list){0};
	memcpy(list->ski, issuer->ski, sizeof(list->ski));
	return list;
}

/* A CA that has left the deny-list takes its CRL along. */
static void
drop_gone(struct lists *lists)
{
	size_t i = 0;

	while (i < lists->count) {
		if (issuers_find(lists->issuers, lists->item[i].ski) != NULL) {
			i++;
			continue;
		}
		file_map_unref(lists->item[i].map);
		lists->item[i] = lists->item[--lists->count];
		lists->dirty = true;
	}
}

/* The lists for the broker, in the order of the deny-list's CAs. */
static void
update_file(struct lists *lists)
{
	struct crl_file_list chosen[DENYLIST_ISSUERS_MAX];
	int64_t now = clock_wall_ms() / 1000;
	const struct list *list;
	size_t i, count = 0;

	if (lists->file == NULL)
		return;
	for (i = 0; i < lists->issuers->count; i++) {
		list = lists_find(lists, lists->issuers->item[i].ski);
		/* One that has expired is as good as none, but no better. */
		if (list != NULL && list->map != NULL &&
		    list->next_update > now)
			chosen[count++] = (struct crl_file_list){
			    list->name, list->map, list->entries};
	}
	if (count == 0)
		status_alarm(lists->b->status, ALARM_CRL_FILE,
		    "there is no valid CRL to put into PAPPUS_CRL_FILE; it is "
		    "left as it is");
	else
		status_quiet(lists->b->status, ALARM_CRL_FILE);
	crl_file_update(lists->file, chosen, count);
}

/* ------------------------------------------------------------ the report */

/* The first list, or CA, that is in a bad way. */
struct worst {
	const char *missing;
	const struct list *expires;
	const struct list *held_back;
};

static void
look_at(struct worst *worst, const struct issuer *issuer,
    const struct list *list, int64_t now)
{
	bool clients = issuer->purpose == DENYLIST_DEVICE ||
		       issuer->purpose == DENYLIST_SERVICE;

	if ((list == NULL || list->map == NULL) && clients)
		worst->missing = issuer->ski;
	if (list == NULL)
		return;
	if (list->map != NULL && list->next_update < now + EXPIRES_SOON_S &&
	    (worst->expires == NULL ||
		list->next_update < worst->expires->next_update))
		worst->expires = list;
	if (list->held_back[0] != '\0' && list->valid_from > now)
		worst->held_back = list;
}

static void
raise_alarms(struct lists *lists, const struct worst *worst)
{
	struct status *status = lists->b->status;
	char text[CLOCK_RFC3339_LEN + 1];

	if (worst->missing != NULL && lists->file != NULL)
		status_alarm(status, ALARM_CRL_MISSING,
		    "the CA %s has no CRL: its clients are refused",
		    worst->missing);
	else
		status_quiet(status, ALARM_CRL_MISSING);
	if (worst->expires != NULL) {
		clock_rfc3339(worst->expires->next_update * 1000, text);
		status_alarm(status, ALARM_CRL_EXPIRES,
		    "the CRL of the CA %s is good until %s",
		    worst->expires->ski, text);
	} else {
		status_quiet(status, ALARM_CRL_EXPIRES);
	}
	if (worst->held_back != NULL) {
		clock_rfc3339(worst->held_back->valid_from * 1000, text);
		status_alarm(status, ALARM_CRL_HELD_BACK,
		    "a CRL of the CA %s is held back: by our clock it is not "
		    "valid before %s",
		    worst->held_back->ski, text);
	} else {
		status_quiet(status, ALARM_CRL_HELD_BACK);
	}
}

static void
report(struct lists *lists)
{
	struct status_crl crl[FEED_CRLS_MAX];
	int64_t now = clock_wall_ms() / 1000;
	struct worst worst = {0};
	const struct list *list;
	size_t i, count = 0;

	for (i = 0; i < lists->issuers->count; i++) {
		list = lists_find(lists, lists->issuers->item[i].ski);
		look_at(&worst, &lists->issuers->item[i], list, now);
		if (list == NULL || list->map == NULL)
			continue;
		crl[count] = (struct status_crl){.number = list->number,
		    .this_update = list->this_update,
		    .next_update = list->next_update,
		    .entries = list->entries};
		memcpy(crl[count++].ski, list->ski, sizeof(list->ski));
	}
	status_set_crls(lists->b->status, crl, count);
	raise_alarms(lists, &worst);
}

/* ------------------------------------------------------------ the thread */

static void
look(struct lists *lists, const struct denials *denials)
{
	struct list_offer offer;
	struct err err = {0};
	struct list *list;
	size_t i;

	issuers_read(lists->issuers, lists->b->trust,
	    &denials_list(denials)->delta, lists->b->status);
	if (!lists->restored)
		lists_restore(lists);
	drop_gone(lists);
	/* What is gone, or due, doesn't wait for what is fetched. */
	if (lists->count > 0)
		update_file(lists);
	for (i = 0; i < lists->issuers->count; i++) {
		list = get_list(lists, &lists->issuers->item[i]);
		if (lists_find_offer(lists, list, &offer))
			lists_take_offer(
			    lists, list, &lists->issuers->item[i], &offer);
	}
	lists_refuse_foreign(lists);
	if (lists->dirty)
		lists->dirty = !lists_put(lists, &err);
	update_file(lists);
	report(lists);
}

/*
 * Wait until something changed, for a second at most: times pass, too, and the
 * broker's file may be touched.
 */
static struct denials *
wait_for_change(struct brokerd *b, uint64_t *seen)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += LOOK_S;
	pthread_mutex_lock(&b->lock);
	while (b->changes == *seen && !atomic_load(&b->stop) &&
	       pthread_cond_timedwait(&b->changed, &b->lock, &end) == 0)
		;
	*seen = b->changes;
	pthread_mutex_unlock(&b->lock);
	return brokerd_denials(b);
}

void *
lists_main(void *arg)
{
	struct brokerd *b = arg;
	struct lists lists = {.b = b};
	struct denials *denials;
	uint64_t seen = 0;
	size_t i;

	lists.fetch = fetch_new(b->conf.feed_ca_file, &b->stop);
	lists.issuers = calloc(1, sizeof(*lists.issuers));
	lists.item = calloc(FEED_CRLS_MAX, sizeof(*lists.item));
	if (lists.issuers == NULL || lists.item == NULL)
		abort();
	if (b->conf.crl_file != NULL)
		lists.file = crl_file_new(b);
	while (!atomic_load(&b->stop)) {
		denials = wait_for_change(b, &seen);
		if (denials != NULL && !atomic_load(&b->stop))
			look(&lists, denials);
		denials_unref(denials);
	}
	for (i = 0; i < lists.count; i++)
		file_map_unref(lists.item[i].map);
	crl_file_free(lists.file);
	issuers_free(lists.issuers);
	free(lists.issuers);
	free(lists.item);
	fetch_free(lists.fetch);
	return NULL;
}
