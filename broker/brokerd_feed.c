/* SPDX-License-Identifier: ISC */
/*
 * One host of the feed: its state is asked for a few times a second, and when
 * it is newer than ours its deny-list is fetched, verified and put in place.
 */
#include <sys/eventfd.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/brokerd.h"
#include "broker/brokerd_fetch.h"
#include "broker/brokerd_rules.h"

enum {
	STATE_SECONDS = 5,
	SKEW_WINDOW_US = 2000000, /* a state seen to change is so young */
};

/* What a thread knows of its host. */
struct feed {
	struct brokerd *b;
	size_t index;
	const char *url;
	struct fetch *fetch;
	struct buf state_url;
	struct buf text; /* as it came last, once it was read */
	struct buf next;
	struct feed_state state;
	bool handled; /* nothing more to do about it */
	unsigned int failures;
	int64_t retry_at;     /* of clock_mono_us */
	int64_t last_success; /* likewise; 0: never */
};

static bool
take_text(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

static void
refuse(struct feed *f, const char *what, const char *name, enum refusal why,
    const struct err *err)
{
	/* At the end, fetches are broken off. */
	if (atomic_load(&f->b->stop))
		return;
	/* No host's fault, and over when any of them comes through. */
	if (why == REFUSED_LOCAL)
		status_refuse(
		    f->b->status, NULL, "deny-list", "", why, err->detail);
	else
		status_refuse(
		    f->b->status, f->url, what, name, why, err->detail);
}

/* --------------------------------------------------------- the deny-list */

/* The file of the list that we have, or else the host's. */
static struct file_map *
get_base(struct feed *f, const struct denials *old, struct file_draft *draft,
    enum refusal *why, struct err *err)
{
	if (old != NULL &&
	    strcmp(denials_base_name(old), f->state.deny_base) == 0)
		return file_map_ref(denials_base(old));
	return brokerd_get_file(
	    f->b, f->fetch, f->index, f->state.deny_base, draft, why, err);
}

/* Fetched and verified, not yet in place; the drafts are the caller's. */
static struct denials *
get_denials(
    struct feed *f, const struct denials *old, struct file_draft draft[2])
{
	const struct feed_state *s = &f->state;
	struct file_map *base, *delta = NULL;
	const char *what = "deny-base";
	struct denials *new = NULL;
	struct err err = {0};
	enum refusal why;

	base = get_base(f, old, &draft[0], &why, &err);
	if (base != NULL) {
		what = "deny-delta";
		delta = brokerd_get_file(f->b, f->fetch, f->index,
		    s->deny_delta, &draft[1], &why, &err);
	}
	if (delta != NULL)
		new = denials_new(old, base, delta, s, &why, &what, &err);
	else
		file_map_unref(base);
	if (new == NULL)
		refuse(f, what, what[5] == 'b' ? s->deny_base : s->deny_delta,
		    why, &err);
	return new;
}

/* Give fetched files their names; a draft that is none was there already. */
static bool
keep(struct feed *f, struct file_draft draft[2], struct err *err)
{
	const char *name[2] = {f->state.deny_base, f->state.deny_delta};
	int i;

	for (i = 0; i < 2; i++)
		if (draft[i].fd >= 0 &&
		    !file_draft_keep(&draft[i], name[i], true, err))
			return false;
	return true;
}

/* Whether what this host serves is still newer than ours; locked. */
static enum rules_choice
choose(struct feed *f)
{
	struct brokerd *b = f->b;
	bool same_host =
	    b->state_host == f->index || b->state_host == BROKERD_HOSTS_MAX;

	return rules_choose(
	    b->have_state && b->denials != NULL ? &b->state : NULL, &f->state,
	    same_host);
}

/*
 * Put a state's sequence, time and deny-list in place; the CRLs are the other
 * thread's.  new NULL: what we have is confirmed.  Locked.
 */
static bool
install(struct feed *f, struct denials *new, struct err *err)
{
	struct brokerd *b = f->b;
	struct feed_state *next = malloc(sizeof(*next));
	bool ok;

	if (next == NULL)
		abort();
	*next = b->state;
	if (f->state.time_ms > next->time_ms)
		next->time_ms = f->state.time_ms;
	if (new != NULL) {
		next->sequence = f->state.sequence;
		memcpy(next->deny_base, f->state.deny_base,
		    sizeof(next->deny_base));
		memcpy(next->deny_delta, f->state.deny_delta,
		    sizeof(next->deny_delta));
	}
	ok = brokerd_put_state(b, next, err);
	free(next);
	if (!ok || new == NULL)
		return ok;
	denials_unref(b->denials);
	b->denials = denials_ref(new);
	b->state_host = f->index;
	b->changes++;
	pthread_cond_broadcast(&b->changed);
	return true;
}

static void
log_denials(const struct feed *f, const struct denials *new)
{
	const struct denylist *list = denials_list(new);
	const struct log_field fields[] = {
	    LOG_S("from", f->url),
	    LOG_I("sequence", list->delta.to),
	    LOG_I("devices_of_base", list->base.count[DENYLIST_DEVICES_ADDED]),
	    LOG_I("devices_added", list->delta.count[DENYLIST_DEVICES_ADDED]),
	    LOG_I("serials_of_base", list->base.count[DENYLIST_SERIALS_ADDED]),
	    LOG_I("serials_added", list->delta.count[DENYLIST_SERIALS_ADDED]),
	    LOG_I("issuers", list->delta.issuer_count),
	    {.type = LOG_END},
	};

	log_event(LOG_LEVEL_INFO, "deny-list", fields);
}

/* Fetch what the state names and put it in place. */
static bool
adopt(struct feed *f)
{
	struct file_draft draft[2] = {{.fd = -1}, {.fd = -1}};
	struct denials *old = brokerd_denials(f->b), *new;
	struct err err = {0};
	bool ok = false, overtaken = false;

	new = get_denials(f, old, draft);
	if (new == NULL)
		goto out;
	ok = keep(f, draft, &err);
	if (ok) {
		pthread_mutex_lock(&f->b->lock);
		overtaken = choose(f) == RULES_OLDER;
		ok = overtaken || install(f, new, &err);
		pthread_mutex_unlock(&f->b->lock);
	}
	if (!ok) {
		refuse(
		    f, "deny-list", f->state.deny_delta, REFUSED_LOCAL, &err);
		goto out;
	}
	status_accept(f->b->status, f->url, "deny-base");
	status_accept(f->b->status, f->url, "deny-delta");
	status_accept(f->b->status, NULL, "deny-list");
	if (!overtaken) {
		log_denials(f, new);
		eventfd_write(f->b->hook_event, 1);
	}
out:
	file_draft_drop(&draft[0]);
	file_draft_drop(&draft[1]);
	denials_unref(old);
	denials_unref(new);
	return ok;
}

/* -------------------------------------------------------------- the state */

/*
 * A state that was seen to change was written a moment ago: what it differs
 * from our clock is the difference of the clocks.
 */
static void
measure_skew(struct feed *f, int64_t says_ms, int64_t now_ms)
{
	int64_t now_us = clock_mono_us();

	if (f->last_success != 0 && f->text.len > 0 &&
	    now_us - f->last_success < f->b->conf.poll_us + SKEW_WINDOW_US)
		status_set_skew(
		    f->b->status, f->index, says_ms - now_ms, now_us);
}

/* The answer's text, when it is another than the last; false when it is bad. */
static bool
read_state(struct feed *f)
{
	int64_t now_ms = clock_wall_ms();
	struct feed_state *state;
	struct err err = {0};
	bool ok;

	if (f->next.len == f->text.len && f->text.len > 0 &&
	    memcmp(f->next.data, f->text.data, f->text.len) == 0)
		return true;
	state = malloc(sizeof(*state));
	if (state == NULL)
		abort();
	ok = feed_state_parse(f->next.data, f->next.len, state, &err);
	if (ok) {
		measure_skew(f, state->time_ms, now_ms);
		state->time_ms = rules_state_time(state->time_ms, now_ms);
		f->state = *state;
		buf_reset(&f->text);
		buf_add(&f->text, f->next.data, f->next.len);
		f->handled = false;
		f->failures = 0;
		f->retry_at = 0;
		pthread_mutex_lock(&f->b->lock);
		f->b->host[f->index].known = true;
		f->b->host[f->index].state = *state;
		f->b->changes++;
		pthread_cond_broadcast(&f->b->changed);
		pthread_mutex_unlock(&f->b->lock);
	} else {
		refuse(f, "state", "", REFUSED_MALFORMED, &err);
	}
	free(state);
	return ok;
}

/* Do what the state asks for. */
static void
handle(struct feed *f)
{
	enum rules_choice choice;
	struct err err = {0};
	bool ok = true;

	pthread_mutex_lock(&f->b->lock);
	choice = choose(f);
	if (choice == RULES_RENEWS)
		ok = install(f, NULL, &err);
	pthread_mutex_unlock(&f->b->lock);
	if (!ok)
		refuse(f, "deny-list", "", REFUSED_LOCAL, &err);
	else if (choice == RULES_NEWER)
		ok = adopt(f);
	else if (choice == RULES_RENEWS)
		status_accept(f->b->status, NULL, "deny-list");
	f->handled = ok;
	if (!ok)
		f->retry_at = clock_mono_us() + rules_retry_us(++f->failures);
}

static void
poll_once(struct feed *f)
{
	const struct fetch_limits limits = {
	    FEED_STATE_MAX, STATE_SECONDS, STATE_SECONDS};
	struct err err = {0};
	enum refusal why;

	buf_reset(&f->next);
	if (!fetch_get(f->fetch, buf_str(&f->state_url), &limits, take_text,
		&f->next, &why, &err)) {
		refuse(f, "state", "", why, &err);
		return;
	}
	if (!read_state(f))
		return;
	f->last_success = clock_mono_us();
	status_set_success(f->b->status, clock_wall_ms());
	status_accept(f->b->status, f->url, "state");
	if (!f->handled && f->last_success >= f->retry_at)
		handle(f);
}

void *
feed_main(void *arg)
{
	const struct feed_host *host = arg;
	struct brokerd *b = host->brokerd;
	struct feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		abort();
	f->b = b;
	f->index = host->index;
	f->url = b->conf.url[host->index];
	f->fetch = fetch_new(b->conf.feed_ca_file, &b->stop);
	buf_add_fmt(&f->state_url, "%sstate", f->url);
	do
		poll_once(f);
	while (!brokerd_sleep(b, b->conf.poll_us));
	fetch_free(f->fetch);
	buf_free(&f->state_url);
	buf_free(&f->text);
	buf_free(&f->next);
	free(f);
	return NULL;
}
