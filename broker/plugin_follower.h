/* SPDX-License-Identifier: ISC */
/*
 * Follows the feed's folder in a thread of its own: whatever reading and
 * checking a list costs, the broker's only thread just takes the result.  What
 * cannot be read changes nothing: the last good list stays in use.
 */
#ifndef PAPPUS_BROKER_PLUGIN_FOLLOWER_H
#define PAPPUS_BROKER_PLUGIN_FOLLOWER_H

#include <stdbool.h>

#include "base/err.h"
#include "broker/plugin_list.h"

struct follower;

/*
 * A follower of that folder.  Looks at it once, here and now, so that there is
 * a list before the first client; NULL when memory is short.
 */
struct follower *follower_new(const char *dir);

/*
 * Start its thread, once.  Not from where the broker may still fork: a thread
 * doesn't go along.  ERR_SYSTEM: it may be tried again.
 */
bool follower_start(struct follower *follower, struct err *err);

/* End the thread, if there is one, and free all but the list that was taken. */
void follower_free(struct follower *follower);

/*
 * The newest list, if there is one that was not taken yet; else NULL.  It is
 * the caller's to use until it takes the next and retires this one.  Never
 * waits.
 */
struct plugin_list *follower_take(struct follower *follower);

/* Give back a list that is no longer looked at; NULL is fine.  Never waits. */
void follower_retire(struct follower *follower, struct plugin_list *list);

/*
 * Whether there is something to tell: the trouble that it has, or ERR_NONE when
 * there is none any more.  The same is told once.  Never waits.
 */
bool follower_trouble(struct follower *follower, struct err *out);

#endif
