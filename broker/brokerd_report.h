/* SPDX-License-Identifier: ISC */
/*
 * What pappus-brokerd says of itself to others: a file of metrics for
 * Prometheus (node_exporter's textfile collector), and a file "health" in its
 * folder that --health reads.
 */
#ifndef PAPPUS_BROKERD_REPORT_H
#define PAPPUS_BROKERD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "broker/brokerd_status.h"

#define REPORT_HEALTH_FILE "health"

/* A list older than this is an alarm, an answer of --health than that. */
#define REPORT_STATE_MAX_MS INT64_C(3600000)
#define REPORT_HEALTH_MAX_MS INT64_C(60000)

/* Append all metrics, as of that moment (unix milliseconds). */
void report_metrics(
    const struct status_view *view, int64_t now_ms, struct buf *out);

/* Append the text of the file "health". */
void report_health(
    const struct status_view *view, int64_t now_ms, struct buf *out);

enum health { HEALTH_FINE = 0, HEALTH_ALARM = 1, HEALTH_UNKNOWN = 2 };

/*
 * Judge the text of the file "health" at that moment and append one line,
 * without its end, that says it.
 */
enum health report_judge(const char *text, int64_t now_ms, struct buf *line);

#endif
