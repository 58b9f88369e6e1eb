/* SPDX-License-Identifier: ISC */
/* Where a writer puts what it makes piece by piece: a file, a digest, both. */
#ifndef PAPPUS_BASE_SINK_H
#define PAPPUS_BASE_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Take the next len octets, which are the caller's again afterwards.  False
 * with *err set when that can't be; nothing more is written then.
 */
typedef bool sink_fn(void *ctx, const void *data, size_t len, struct err *err);

#endif
