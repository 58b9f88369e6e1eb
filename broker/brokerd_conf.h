/* SPDX-License-Identifier: ISC */
/* The settings of pappus-brokerd, read from the environment and looked at. */
#ifndef PAPPUS_BROKERD_CONF_H
#define PAPPUS_BROKERD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/brokerd_status.h"

enum { BROKERD_HOSTS_MAX = STATUS_HOSTS_MAX };

/* Strings are the environment's where not said otherwise; NULL: not set. */
struct brokerd_conf {
	char *url[BROKERD_HOSTS_MAX]; /* each with "/" at its end; owned */
	size_t url_count;
	const char *feed_ca_file;
	const char *feed_dir;
	const char *ca_file;
	const char *pid_file;
	const char *crl_file;
	const char *hook;
	const char *metrics_file;
	const char *canary_host;
	char canary_port[6];
	const char *canary[2]; /* enum canary */
	int64_t poll_us;
	int64_t canary_us;
};

/*
 * Read and check it all.  ERR_CONFIG names the variable that is wrong.  What
 * files say is not looked at here.
 */
bool brokerd_conf_load(struct brokerd_conf *conf, struct err *err);
void brokerd_conf_free(struct brokerd_conf *conf);

#endif
