/* SPDX-License-Identifier: ISC */
/* The plugin's options, plugin_opt_… in mosquitto.conf. */
#ifndef PAPPUS_BROKER_PLUGIN_OPTIONS_H
#define PAPPUS_BROKER_PLUGIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct plugin_options {
	const char *feed_dir; /* pappus-brokerd's folder; absolute */
	int64_t max_age_s;    /* of a list by which somebody new comes in */
};

/* What holds where nothing is said. */
void plugin_options_init(struct plugin_options *options);

/*
 * One option; key is without plugin_opt_, value is kept.  ERR_CONFIG when
 * there is none of that name or the value is impossible.
 */
bool plugin_options_set(struct plugin_options *options, const char *key,
    const char *value, struct err *err);

/* Whether all is there that must be; ERR_CONFIG. */
bool plugin_options_check(
    const struct plugin_options *options, struct err *err);

#endif
