/* SPDX-License-Identifier: ISC */
/* What the plugin says, in the broker's log; by the broker's thread alone. */
#ifndef PAPPUS_BROKER_PLUGIN_LOG_H
#define PAPPUS_BROKER_PLUGIN_LOG_H

#include "broker/plugin_list.h"

/* One line, printf-like, cut when long; level is MOSQ_LOG_…. */
void plugin_say(int level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What a list holds. */
void plugin_say_list(const struct plugin_list *list);

/* What a client says of itself, fit for a line of the log. */
struct plugin_shown {
	char text[64];
};

/* Cut, and of visible ASCII; "?" for NULL. */
struct plugin_shown plugin_show(const char *said);

#endif
