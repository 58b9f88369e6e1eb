/* SPDX-License-Identifier: ISC */
/* What the threads share: see brokerd.h. */
#include "broker/brokerd.h"

#include <sys/eventfd.h>

#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/brokerd_fetch.h"

enum {
	FILE_SECONDS = 600, /* 512 MB at 1 MB a second */
	FILE_STALL_SECONDS = 10,
};

#define FILE_MAX (UINT64_C(512) << 20)

void
brokerd_stop(struct brokerd *b, bool failed)
{
	if (failed)
		atomic_store(&b->failed, true);
	atomic_store(&b->stop, true);
	eventfd_write(b->stop_event, 1);
	pthread_mutex_lock(&b->lock);
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

bool
brokerd_sleep(struct brokerd *b, int64_t us)
{
	struct pollfd stop = {.fd = b->stop_event, .events = POLLIN};

	poll(&stop, 1, (int)(us / 1000));
	return atomic_load(&b->stop);
}

struct denials *
brokerd_denials(struct brokerd *b)
{
	struct denials *denials;

	pthread_mutex_lock(&b->lock);
	denials = denials_ref(b->denials);
	pthread_mutex_unlock(&b->lock);
	return denials;
}

/* The disk may be full: let go of what only waits for its ten minutes. */
static bool
make_room(struct brokerd *b, const struct err *err)
{
	size_t removed = folder_sweep(&b->folder, &b->state,
	    (const char(*)[FEED_NAME_LEN + 1]) b->hooked, 2, FOLDER_URGENT_S);

	if (removed > 0)
		log_msg(LOG_LEVEL_WARN, "swept",
		    "%zu files that nobody names any more, because: %s",
		    removed, err->detail);
	return removed > 0;
}

bool
brokerd_put_state(
    struct brokerd *b, const struct feed_state *state, struct err *err)
{
	const struct feed_state *old = b->have_state ? &b->state : NULL;

	/* CRLs that were left of a folder whose deny-list was damaged. */
	if (state->deny_base[0] == '\0') {
		b->state = *state;
		return true;
	}
	if (!folder_write_state(&b->folder, old, state, err)) {
		if (!make_room(b, err))
			return false;
		err_clear(err);
		if (!folder_write_state(&b->folder, old, state, err))
			return false;
	}
	status_set_state(b->status, state->sequence, state->time_ms);
	b->state = *state;
	b->have_state = true;
	return true;
}

/* Fetch into a draft, whose digest must be the name. */
static struct file_map *
fetch_file(struct brokerd *b, struct fetch *f, size_t host, const char *name,
    struct file_draft *draft, enum refusal *why, struct err *err)
{
	const struct fetch_limits limits = {
	    FILE_MAX, FILE_SECONDS, FILE_STALL_SECONDS};
	char digest[FEED_NAME_LEN + 1];
	struct buf url = BUF_INIT;
	bool ok;

	buf_add_fmt(&url, "%s%s", b->conf.url[host], name);
	ok = fetch_get(
	    f, buf_str(&url), &limits, file_draft_add, draft, why, err);
	buf_free(&url);
	if (!ok)
		return NULL;
	*why = REFUSED_MALFORMED;
	if (draft->len == 0) {
		err_set(err, ERR_MALFORMED, "it is empty");
		return NULL;
	}
	*why = REFUSED_DIGEST;
	file_draft_digest(draft, digest);
	if (strcmp(digest, name) != 0) {
		err_set(err, ERR_MISMATCH, "its SHA-256 is %s", digest);
		return NULL;
	}
	*why = REFUSED_LOCAL;
	return file_map_draft(draft, err);
}

struct file_map *
brokerd_get_file(struct brokerd *b, struct fetch *f, size_t host,
    const char *name, struct file_draft *draft, enum refusal *why,
    struct err *err)
{
	struct err ignored = {0};
	struct file_map *map = folder_map(&b->folder, name, &ignored);

	*draft = (struct file_draft){.fd = -1};
	if (map != NULL)
		return map;
	*why = REFUSED_LOCAL;
	if (file_draft_begin(draft, b->folder.fd, FOLDER_FILE_MODE, err))
		map = fetch_file(b, f, host, name, draft, why, err);
	if (map != NULL)
		return map;
	file_draft_drop(draft);
	if (*why == REFUSED_LOCAL) {
		pthread_mutex_lock(&b->lock);
		make_room(b, err);
		pthread_mutex_unlock(&b->lock);
	}
	return NULL;
}

/* -------------------------------------------------------------- at start */

static void
refuse_restored(struct brokerd *b, const char *what, const char *name,
    enum refusal why, const struct err *err)
{
	status_refuse(b->status, b->folder.path, what, name, why, err->detail);
}

static struct denials *
restore_denials(struct brokerd *b)
{
	struct file_map *base, *delta = NULL;
	const char *what = "deny-base";
	enum refusal why = REFUSED_MALFORMED;
	struct denials *denials;
	struct err err = {0};

	base = folder_map(&b->folder, b->state.deny_base, &err);
	if (base != NULL) {
		what = "deny-delta";
		delta = folder_map(&b->folder, b->state.deny_delta, &err);
	}
	if (delta != NULL) {
		denials = denials_new(
		    NULL, base, delta, &b->state, &why, &what, &err);
		if (denials != NULL)
			return denials;
	} else {
		file_map_unref(base);
	}
	refuse_restored(b, what, "", why, &err);
	return NULL;
}

void
brokerd_restore(struct brokerd *b)
{
	struct err err = {0};

	b->state_host = BROKERD_HOSTS_MAX;
	if (folder_read_state(&b->folder, &b->state, &err)) {
		b->denials = restore_denials(b);
		b->have_state = b->denials != NULL;
	} else if (err.code != ERR_SYSTEM) {
		refuse_restored(b, "state", "", REFUSED_MALFORMED, &err);
	}
	if (b->have_state) {
		status_set_state(
		    b->status, b->state.sequence, b->state.time_ms);
		log_msg(LOG_LEVEL_INFO, "restored", "sequence %" PRIu64,
		    b->state.sequence);
		return;
	}
	/* Whatever is served now is newer; the CRLs are looked at later. */
	b->state.sequence = 0;
	b->state.time_ms = 0;
	b->state.deny_base[0] = b->state.deny_delta[0] = '\0';
}
