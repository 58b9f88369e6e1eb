/* SPDX-License-Identifier: ISC */
/*
 * The thread that has the hook run for each newly denied device.  What is new
 * is what the deny-list at hand has and the one before hadn't.  "hooked" names
 * the list up to which all were run, so that a kill -9 loses none: at the
 * next start the difference to that one is run, some perhaps twice.
 */
#include <sys/eventfd.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "broker/brokerd.h"
#include "broker/brokerd_runner.h"

#define HOOKED_FILE "hooked"

enum { HOOKED_LEN = 2 * (FEED_NAME_LEN + 1) };

struct hook {
	struct brokerd *b;
	struct denials *seen; /* the queue holds all up to this one */
	struct buf queue;     /* digits of devices */
	size_t next;	      /* octets of the queue that are done with */
	size_t running;
	bool recorded; /* that all of seen were run */
};

/* ------------------------------------------------------------- the record */

void
hook_restore(struct brokerd *b)
{
	struct err ignored = {0};
	struct file_map *map =
	    file_map_open(b->folder.fd, HOOKED_FILE, &ignored);
	int i;

	if (map != NULL && file_map_len(map) == HOOKED_LEN)
		for (i = 0; i < 2; i++)
			memcpy(b->hooked[i],
			    file_map_data(map) + i * (FEED_NAME_LEN + 1),
			    FEED_NAME_LEN);
	file_map_unref(map);
}

/* The list that the hook was last run up to; NULL: none that is still there. */
static struct denials *
read_list(struct brokerd *b)
{
	struct file_map *base, *delta;
	struct feed_state state = {0};
	struct denylist_file *file = calloc(1, sizeof(*file));
	struct denials *denials = NULL;
	struct err ignored = {0};
	enum refusal why;
	const char *what;

	if (file == NULL)
		abort();
	memcpy(state.deny_base, b->hooked[0], sizeof(state.deny_base));
	memcpy(state.deny_delta, b->hooked[1], sizeof(state.deny_delta));
	base = folder_map(&b->folder, state.deny_base, &ignored);
	delta = folder_map(&b->folder, state.deny_delta, &ignored);
	if (base != NULL && delta != NULL &&
	    denylist_file_read(
		file_map_data(delta), file_map_len(delta), file, &ignored)) {
		state.sequence = file->to;
		denials = denials_new(
		    NULL, base, delta, &state, &why, &what, &ignored);
	} else {
		file_map_unref(base);
		file_map_unref(delta);
	}
	free(file);
	return denials;
}

static bool
write_record(struct brokerd *b, const struct denials *denials)
{
	struct buf text = BUF_INIT;
	struct err err = {0};
	bool ok;

	buf_add_fmt(&text, "%s\n%s\n", denials_base_name(denials),
	    denials_delta_name(denials));
	ok = file_replace(b->folder.fd, HOOKED_FILE, FOLDER_FILE_MODE,
	    text.data, text.len, true, &err);
	buf_free(&text);
	if (ok)
		status_accept(b->status, NULL, HOOKED_FILE);
	else
		status_refuse(b->status, NULL, HOOKED_FILE, "", REFUSED_LOCAL,
		    err.detail);
	return ok;
}

/* The files of that list are not swept. */
static void
keep(struct brokerd *b, const struct denials *denials)
{
	pthread_mutex_lock(&b->lock);
	memcpy(b->hooked[0], denials_base_name(denials), FEED_NAME_LEN + 1);
	memcpy(b->hooked[1], denials_delta_name(denials), FEED_NAME_LEN + 1);
	pthread_mutex_unlock(&b->lock);
}

/* -------------------------------------------------------------- the queue */

static void
enqueue(void *ctx, const char digits[DENYLIST_DEVICE_LEN])
{
	buf_add(ctx, digits, DENYLIST_DEVICE_LEN);
}

static size_t
waiting(const struct hook *h)
{
	return (h->queue.len - h->next) / DENYLIST_DEVICE_LEN;
}

/* Queue what is new since the last look. */
static void
look(struct hook *h)
{
	struct denials *now = brokerd_denials(h->b);

	if (now == h->seen) {
		denials_unref(now);
		return;
	}
	/*
	 * Those that were denied before we ever looked are the broker's to
	 * refuse: they are not newly denied.
	 */
	if (h->seen != NULL)
		denials_each_new(h->seen, now, enqueue, &h->queue);
	else
		keep(h->b, now);
	denials_unref(h->seen);
	h->seen = now;
	h->recorded = false;
}

/* Hand over as many as may run. */
static void
send_some(struct hook *h)
{
	char id[RUNNER_ID_LEN + 1];

	while (h->running < RUNNER_SLOTS && waiting(h) > 0) {
		memcpy(id, "dev_", 4);
		memcpy(id + 4, h->queue.data + h->next, DENYLIST_DEVICE_LEN);
		h->next += DENYLIST_DEVICE_LEN;
		if (write(h->b->hook_socket, id, RUNNER_ID_LEN) !=
		    RUNNER_ID_LEN)
			return;
		h->running++;
	}
	status_set_hooks_waiting(h->b->status, waiting(h) + h->running);
	if (h->running > 0)
		return;
	buf_reset(&h->queue);
	h->next = 0;
	if (h->seen != NULL && !h->recorded && write_record(h->b, h->seen)) {
		h->recorded = true;
		keep(h->b, h->seen);
	}
}

/* One has ended.  False when there is nobody who runs them any more. */
static bool
receive(struct hook *h)
{
	struct runner_outcome outcome;
	const struct log_field fields[] = {
	    LOG_S("device", outcome.device),
	    LOG_S("msg", outcome.why),
	    {.type = LOG_END},
	};

	if (read(h->b->hook_socket, &outcome, sizeof(outcome)) !=
	    (ssize_t)sizeof(outcome))
		return false;
	h->running--;
	status_add_hooks(h->b->status, 1, outcome.ok ? 0 : 1);
	if (!outcome.ok)
		log_event(LOG_LEVEL_ERROR, "hook-failed", fields);
	return true;
}

void *
hook_main(void *arg)
{
	struct brokerd *b = arg;
	struct hook h = {.b = b};
	struct pollfd fds[3] = {
	    {.fd = b->stop_event, .events = POLLIN},
	    {.fd = b->hook_event, .events = POLLIN},
	    {.fd = b->hook_socket, .events = POLLIN},
	};
	eventfd_t count;

	if (b->hooked[0][0] != '\0')
		h.seen = read_list(b);
	while (!atomic_load(&b->stop)) {
		look(&h);
		send_some(&h);
		/* A second at most: what could not be recorded is again. */
		if (poll(fds, 3, h.recorded ? -1 : 1000) <= 0)
			continue;
		if (fds[1].revents != 0)
			eventfd_read(b->hook_event, &count);
		if (fds[2].revents != 0 && !receive(&h)) {
			log_msg(LOG_LEVEL_ERROR, "hooks-ended",
			    "the process that runs the hook has ended; so do "
			    "we, to be started again with one");
			brokerd_stop(b, true);
		}
	}
	denials_unref(h.seen);
	buf_free(&h.queue);
	return NULL;
}
