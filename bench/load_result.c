/* SPDX-License-Identifier: ISC */
/* What bench-load found, and the line that tells it. */
#include <stdlib.h>

#include "load.h"

static const char *const failures[LOAD_FAILURES] = {
    [LOAD_FAILED_CONNECT] = "connect",
    [LOAD_FAILED_TLS] = "tls",
    [LOAD_FAILED_CLOSED] = "closed",
    [LOAD_FAILED_MALFORMED] = "malformed",
};

static void
grow(struct load_result *result, size_t n)
{
	if (result->n + n <= result->cap)
		return;
	result->cap = 2 * result->cap + n;
	result->us = reallocarray(result->us, result->cap, sizeof(*result->us));
	if (result->us == NULL)
		abort();
}

void
load_result_add(struct load_result *result, int64_t us)
{
	grow(result, 1);
	result->us[result->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void
load_result_merge(struct load_result *into, struct load_result *from)
{
	size_t i;

	grow(into, from->n);
	for (i = 0; i < from->n; i++)
		into->us[into->n++] = from->us[i];
	into->handshakes += from->handshakes;
	into->resumed += from->resumed;
	for (i = 0; i < LOAD_FAILURES; i++)
		into->failures[i] += from->failures[i];
	for (i = 0; i < LOAD_STATUS_MAX; i++)
		into->statuses[i] += from->statuses[i];
	free(from->us);
	from->us = NULL;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The value below which percent of all lie. */
static uint32_t
percentile(const struct load_result *result, size_t percent)
{
	if (result->n == 0)
		return 0;
	return result->us[(result->n - 1) * percent / 100];
}

/* One line of NAME=VALUE, for people and for the scripts. */
void
load_result_print(
    struct load_result *result, double seconds, double cpu_seconds)
{
	size_t i;

	if (result->n > 0)
		qsort(result->us, result->n, sizeof(*result->us), compare);
	printf("done=%zu seconds=%.3f p50_us=%u p99_us=%u max_us=%u "
	       "cpu_us=%.0f handshakes=%lu resumed=%lu",
	    result->n, seconds, percentile(result, 50), percentile(result, 99),
	    percentile(result, 100), cpu_seconds * 1e6,
	    (unsigned long)result->handshakes, (unsigned long)result->resumed);
	for (i = 0; i < LOAD_FAILURES; i++)
		if (result->failures[i] > 0)
			printf(" failed_%s=%lu", failures[i],
			    (unsigned long)result->failures[i]);
	for (i = 0; i < LOAD_STATUS_MAX; i++)
		if (result->statuses[i] > 0)
			printf(" status_%zu=%lu", i,
			    (unsigned long)result->statuses[i]);
	printf("\n");
	free(result->us);
	result->us = NULL;
}
