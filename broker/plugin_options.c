/* SPDX-License-Identifier: ISC */
/* The plugin's options: see plugin_options.h. */
#include "broker/plugin_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AGE_S = 604800 }; /* 7 days */

void
plugin_options_init(struct plugin_options *options)
{
	*options =
	    (struct plugin_options){.feed_dir = "", .max_age_s = MAX_AGE_S};
}

static bool
read_max_age(const char *text, int64_t *out, struct err *err)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    *out < 1 || *out > INT64_MAX / 1000)
		return err_set(err, ERR_CONFIG,
		    "plugin_opt_max_age is to be a number of seconds");
	return true;
}

bool
plugin_options_set(struct plugin_options *options, const char *key,
    const char *value, struct err *err)
{
	if (strcmp(key, "max_age") == 0)
		return read_max_age(value, &options->max_age_s, err);
	if (strcmp(key, "feed_dir") != 0)
		return err_set(err, ERR_CONFIG,
		    "there is no option plugin_opt_%.80s", key);
	options->feed_dir = value;
	return true;
}

bool
plugin_options_check(const struct plugin_options *options, struct err *err)
{
	/* As a daemon mosquitto has another working directory. */
	if (*options->feed_dir != '/')
		return err_set(err, ERR_CONFIG,
		    "plugin_opt_feed_dir is to be the absolute path of "
		    "pappus-brokerd's folder");
	return true;
}
