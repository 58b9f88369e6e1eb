/* SPDX-License-Identifier: ISC */
/* The settings: see brokerd_conf.h. */
#include "broker/brokerd_conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "broker/brokerd_status.h"

#define URL_SCHEME "https://"

enum { URL_MAX = 200 };

/* One address, which ends in "/" from here on. */
static bool
add_url(struct brokerd_conf *conf, const char *url, size_t len, struct err *err)
{
	bool slash = url[len - 1] == '/';
	char *copy;

	if (conf->url_count == BROKERD_HOSTS_MAX)
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_FEED_URL names more than %d addresses",
		    BROKERD_HOSTS_MAX);
	if (len > URL_MAX || len <= strlen(URL_SCHEME) ||
	    strncmp(url, URL_SCHEME, strlen(URL_SCHEME)) != 0 ||
	    memchr(url, '?', len) != NULL || memchr(url, '#', len) != NULL ||
	    memchr(url, '@', len) != NULL)
		/* Not quoted: somebody may have put a password into it. */
		return err_set(err, ERR_CONFIG,
		    "address %zu of PAPPUS_FEED_URL must be " URL_SCHEME
		    "HOST/…, of at most %d characters, without user and query",
		    conf->url_count + 1, URL_MAX);
	copy = malloc(len + 2);
	if (copy == NULL)
		abort();
	memcpy(copy, url, len);
	memcpy(copy + len, slash ? "" : "/", slash ? 1 : 2);
	conf->url[conf->url_count++] = copy;
	return true;
}

static bool
load_urls(struct brokerd_conf *conf, struct err *err)
{
	const char *at = conf_str(CONF_FEED_URL);
	size_t len;

	for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
		len = strcspn(at, " ");
		if (!add_url(conf, at, len, err))
			return false;
		at += len;
	}
	return conf->url_count > 0 ||
	       err_set(err, ERR_CONFIG, "PAPPUS_FEED_URL names no address");
}

/* What one setting needs of another. */
static bool
check(const struct brokerd_conf *conf, struct err *err)
{
	bool canaries = conf->canary[CANARY_GOOD] != NULL ||
			conf->canary[CANARY_REVOKED] != NULL;

	if (conf->crl_file != NULL && conf->pid_file == NULL)
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_BROKER_PID_FILE is not set, so the broker could "
		    "not be told to read PAPPUS_CRL_FILE again");
	if (canaries && conf->canary_host == NULL)
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_CANARY_HOST is not set, so the canaries have "
		    "nowhere to connect to");
	if (conf->hook != NULL && conf->hook[0] != '/')
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_DENY_HOOK must be the path of a program from / "
		    "on; it is run without a shell");
	if (conf->hook != NULL && access(conf->hook, X_OK) != 0)
		return err_set(err, ERR_CONFIG,
		    "PAPPUS_DENY_HOOK: %.150s can't be run", conf->hook);
	return true;
}

bool
brokerd_conf_load(struct brokerd_conf *conf, struct err *err)
{
	*conf = (struct brokerd_conf){0};
	if (!conf_load(CONF_BROKERD, err))
		return false;
	conf->feed_ca_file = conf_str(CONF_FEED_CA_FILE);
	conf->feed_dir = conf_str(CONF_FEED_DIR);
	conf->ca_file = conf_str(CONF_CA_FILE);
	conf->pid_file = conf_str(CONF_BROKER_PID_FILE);
	conf->crl_file = conf_str(CONF_CRL_FILE);
	conf->hook = conf_str(CONF_DENY_HOOK);
	conf->metrics_file = conf_str(CONF_METRICS_FILE);
	conf->canary_host = conf_str(CONF_CANARY_HOST);
	snprintf(conf->canary_port, sizeof(conf->canary_port), "%" PRId64,
	    conf_int(CONF_CANARY_PORT));
	conf->canary[CANARY_GOOD] = conf_str(CONF_CANARY_GOOD);
	conf->canary[CANARY_REVOKED] = conf_str(CONF_CANARY_REVOKED);
	conf->poll_us = conf_int(CONF_POLL_MS) * 1000;
	conf->canary_us = conf_int(CONF_CANARY_SECONDS) * 1000000;
	return load_urls(conf, err) && check(conf, err);
}

void
brokerd_conf_free(struct brokerd_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->url_count; i++)
		free(conf->url[i]);
	conf->url_count = 0;
}
