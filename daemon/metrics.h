/* SPDX-License-Identifier: ISC */
/*
 * What pappus-crld is doing, as a file in Prometheus' text format for the
 * textfile collector of node_exporter.
 */
#ifndef PAPPUS_DAEMON_METRICS_H
#define PAPPUS_DAEMON_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemon/board.h"

/*
 * Append the metrics.  sequence and published_ms are the state's that is
 * published (0: none by this process), now_ms is the wall's.
 */
void metrics_print(const struct board_numbers *numbers, uint64_t sequence,
    int64_t published_ms, int64_t now_ms, struct buf *out);

/* Put a text in the place of a file, whole, by a temporary name beside it. */
bool metrics_write(const char *path, const struct buf *text, struct err *err);

#endif
