/* SPDX-License-Identifier: ISC */
/*
 * The deny-list as it stood at one moment, in memory and checked: what the
 * feed's folder holds (encoding/feed.h, encoding/denylist.h).  It is never
 * changed; a newer one takes its place.
 */
#ifndef PAPPUS_BROKER_PLUGIN_LIST_H
#define PAPPUS_BROKER_PLUGIN_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/plugin_file.h"
#include "broker/plugin_identity.h"
#include "broker/plugin_issuers.h"
#include "encoding/denylist.h"

struct plugin_list {
	uint64_t sequence;
	int64_t time_ms; /* unix milliseconds, of the state; see below */
	struct plugin_file *base;
	struct plugin_file *delta;
	struct denylist deny;
	struct issuers issuers;
	struct plugin_list *next; /* for who keeps several */
};

/*
 * Load what dir/state names.  Files that last (NULL: none) holds already are
 * shared with it and not read again.  All of a list is looked at, so a large
 * one takes a moment.  A state that lies ahead of now_ms counts as of now: else
 * nothing could be told of its age later.
 *
 * NULL with ERR_SYSTEM, ERR_MALFORMED, ERR_MISMATCH; ERR_REFUSED when its
 * sequence is below that of last.
 */
struct plugin_list *plugin_list_load(const char *dir,
    const struct plugin_list *last, int64_t now_ms, struct err *err);

/* Free it; by the thread that loads, since files are shared.  NULL is fine. */
void plugin_list_free(struct plugin_list *list);

/* Whether two lists say the same of everyone. */
bool plugin_list_equal(
    const struct plugin_list *one, const struct plugin_list *other);

/* Why somebody is to stay outside; NULL: may come in. */
const char *plugin_list_refuses(
    const struct plugin_list *list, const struct identity *who);

/* The same for who is known by name alone. */
const char *plugin_list_refuses_name(
    const struct plugin_list *list, const char name[IDENTITY_NAME_LEN + 1]);

#endif
