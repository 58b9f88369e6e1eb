/* SPDX-License-Identifier: ISC */
/*
 * pappus-brokerd: what its threads share.
 *
 *   a thread per host   fetches state and deny-list     brokerd_feed.c
 *   a thread            fetches CRLs, writes the        brokerd_lists.c,
 *                       broker's file, signals it       brokerd_crl_file.c
 *   a thread            has the hook run                brokerd_hook.c
 *   a thread            tries the canaries              brokerd_canary.c
 *   main                alarms, metrics, health         brokerd.c
 *
 * So a host that hangs, a list of a million entries, a hook that doesn't
 * return or a broker that doesn't answer holds up nothing but itself.
 */
#ifndef PAPPUS_BROKERD_H
#define PAPPUS_BROKERD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/brokerd_conf.h"
#include "broker/brokerd_denials.h"
#include "broker/brokerd_folder.h"
#include "broker/brokerd_status.h"
#include "broker/brokerd_trust.h"

/* What a host served last. */
struct host_state {
	bool known;
	struct feed_state state;
};

struct brokerd {
	struct brokerd_conf conf; /* as status and trust: set before threads */
	struct folder folder;
	struct status *status;
	struct trust *trust;
	int hook_socket; /* to who runs the hook; -1: none */
	int hook_event;	 /* eventfd: the deny-list has changed */

	atomic_bool stop;
	atomic_bool failed; /* stop with an exit status that says so */
	int stop_event;	    /* eventfd, readable from then on */

	pthread_mutex_t lock;	/* of all below */
	pthread_cond_t changed; /* denials, or what a host serves */
	uint64_t changes;
	bool have_state;
	struct feed_state state; /* as it lies in the folder */
	size_t state_host;	 /* who served it; BROKERD_HOSTS_MAX: unknown */
	struct denials *denials; /* NULL: none yet */
	struct host_state host[BROKERD_HOSTS_MAX];
	char hooked[2][FEED_NAME_LEN + 1]; /* kept for the hook's thread */
	uint64_t reloads;	    /* of the broker; the canaries look at it */
	int64_t reloaded_us;	    /* when it was signalled, clock_mono_us */
	int64_t reload_measured_us; /* by the canary; 0: not yet */
};

/* Threads; arg is a struct brokerd, or for feed_main a struct feed_host. */
struct feed_host {
	struct brokerd *brokerd;
	size_t index;
};
void *feed_main(void *arg);
void *lists_main(void *arg);
void *hook_main(void *arg);
void *canary_main(void *arg);

/*
 * Read the folder's state with all it names, verified, as what to go on from;
 * what is damaged is refused in the log and left out.  Before any thread.
 */
void brokerd_restore(struct brokerd *b);

/*
 * Write state into the folder and go on from it; b->lock is held.  A disk that
 * is full is swept once.  False with *err: nothing has changed.
 */
bool brokerd_put_state(
    struct brokerd *b, const struct feed_state *state, struct err *err);

/* The names of the list that the hook was last run up to.  Before threads. */
void hook_restore(struct brokerd *b);

/* Have all threads end. */
void brokerd_stop(struct brokerd *b, bool failed);

/* Wait so long or until the end; true when it is the end. */
bool brokerd_sleep(struct brokerd *b, int64_t us);

/* The deny-list at this moment, one holder more; NULL: none. */
struct denials *brokerd_denials(struct brokerd *b);

/*
 * Find a file that a host's state names in the folder, or fetch it into a
 * draft, which the caller keeps once the rest is verified too.  Its octets have
 * that digest.  NULL with *why and *err.
 */
struct fetch;
struct file_map *brokerd_get_file(struct brokerd *b, struct fetch *f,
    size_t host, const char *name, struct file_draft *draft, enum refusal *why,
    struct err *err);

#endif
