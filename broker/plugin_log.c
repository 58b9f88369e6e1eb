/* SPDX-License-Identifier: ISC */
/* What the plugin says in the broker's log: see plugin_log.h. */
#include "broker/plugin_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

#include "base/clock.h"

void
plugin_say(int level, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mosquitto_log_printf(level, "pappus: %s", text);
}

struct plugin_shown
plugin_show(const char *said)
{
	struct plugin_shown out = {"?"};
	size_t i;

	if (said == NULL)
		return out;
	for (i = 0; said[i] != '\0' && i < sizeof(out.text) - 1; i++)
		out.text[i] = said[i];
	out.text[i] = '\0';
	for (i = 0; out.text[i] != '\0'; i++)
		if (out.text[i] <= ' ' || out.text[i] > '~')
			out.text[i] = '?';
	return out;
}

void
plugin_say_list(const struct plugin_list *list)
{
	const struct denylist *deny = &list->deny;
	char time[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339(list->time_ms, time);
	plugin_say(MOSQ_LOG_NOTICE,
	    "deny-list %" PRIu64 " of %s: devices %zu+%zu-%zu, serials "
	    "%zu+%zu-%zu, issuers %zu",
	    list->sequence, time, deny->base.count[DENYLIST_DEVICES_ADDED],
	    deny->delta.count[DENYLIST_DEVICES_ADDED],
	    deny->delta.count[DENYLIST_DEVICES_REMOVED],
	    deny->base.count[DENYLIST_SERIALS_ADDED],
	    deny->delta.count[DENYLIST_SERIALS_ADDED],
	    deny->delta.count[DENYLIST_SERIALS_REMOVED], list->issuers.count);
}
