/* SPDX-License-Identifier: ISC */
/*
 * A deny-list as it lies in the folder, verified: a base and a delta, mapped,
 * shared by the threads that look into it.
 */
#ifndef PAPPUS_BROKERD_DENIALS_H
#define PAPPUS_BROKERD_DENIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/brokerd_file.h"
#include "broker/brokerd_status.h"
#include "encoding/denylist.h"
#include "encoding/feed.h"

/* Read-only once made. */
struct denials;

/*
 * Verify that base and delta are good, belong together and lead to that
 * sequence.  old, which may be NULL, is the list before: what of it is the same
 * file need not be looked at again.  Takes the maps over in any case.  NULL
 * with *why, *what ("deny-base" or "deny-delta") and *err.
 */
struct denials *denials_new(const struct denials *old, struct file_map *base,
    struct file_map *delta, const struct feed_state *state, enum refusal *why,
    const char **what, struct err *err);

struct denials *denials_ref(struct denials *denials);
void denials_unref(struct denials *denials);

const struct denylist *denials_list(const struct denials *denials);
const char *denials_base_name(const struct denials *denials);
const char *denials_delta_name(const struct denials *denials);
struct file_map *denials_base(const struct denials *denials);

/* Takes a device's digits, those after "dev_". */
typedef void denials_device_fn(
    void *ctx, const char digits[DENYLIST_DEVICE_LEN]);

/* Every device that new shuts out and old doesn't.  None twice. */
void denials_each_new(const struct denials *old, const struct denials *new,
    denials_device_fn *fn, void *ctx);

#endif
