/* SPDX-License-Identifier: ISC */
/*
 * What has changed of the deny-list since its base, put together: of each
 * device and serial that changed, whether it is shut out now.  One that is
 * again as it was in the base stays in it, which harms nobody: so no one has
 * to know what it was.
 */
#ifndef PAPPUS_DAEMON_DELTA_H
#define PAPPUS_DAEMON_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "encoding/denylist.h"

struct delta;

struct delta *delta_new(void);
void delta_free(struct delta *delta);

/* Forget all: there is a new base. */
void delta_clear(struct delta *delta);

/*
 * Note a change, in the order in which they happen; digits are those after
 * "dev_", serials have zeros in front.
 */
void delta_device(
    struct delta *delta, const char digits[DENYLIST_DEVICE_LEN], bool denied);
void delta_serial(struct delta *delta,
    const uint8_t serial[DENYLIST_SERIAL_LEN], bool revoked);

/* How many devices and serials are in it. */
size_t delta_count(struct delta *delta);

/* Write the four lists, between begin and end of a file. */
bool delta_write(
    struct delta *delta, struct denylist_writer *writer, struct err *err);

#endif
