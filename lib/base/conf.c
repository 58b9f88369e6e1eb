/* SPDX-License-Identifier: ISC */
/* Configuration from the environment: see conf.h. */
#include "base/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	WORKERS = CONF_ENROLL | CONF_IDENTITY | CONF_ADMIN,
	ALL = WORKERS | CONF_TOOL | CONF_CRLD,
	SIGNERS = CONF_IDENTITY | CONF_CRLD
};

struct conf_row {
	const char *name;
	int programs;	  /* enum conf_program, or-ed */
	bool required;	  /* there is no default, and unset is an error */
	bool number;	  /* else text */
	int64_t fallback; /* numbers: the default */
	int64_t min;
	int64_t max;
	const char *help;
};

static const struct conf_row rows[CONF_MAX] = {
    [CONF_DATABASE] = {"PAPPUS_DATABASE", ALL, true, false, 0, 0, 0,
	"libpq connection string; name several hosts for fail-over"},
    [CONF_CA_DIR] = {"PAPPUS_CA_DIR", SIGNERS, true, false, 0, 0, 0,
	"folder with the keys (*.key, mode 0600) of the sub-CAs it signs for"},
    [CONF_PASSPHRASE] = {"PAPPUS_CA_PASSPHRASE_FILE", SIGNERS, false, false, 0,
	0, 0, "file whose first line opens those keys"},
    [CONF_THREADS] = {"PAPPUS_THREADS", WORKERS, false, true, 32, 1, 512,
	"request threads of a worker"},
    [CONF_BATCH_MAX] = {"PAPPUS_BATCH_MAX", CONF_ENROLL | CONF_IDENTITY, false,
	true, 64, 1, 512, "requests that share one commit at most"},
    [CONF_DEADLINE_MS] = {"PAPPUS_DEADLINE_MS", WORKERS, false, true, 5000, 100,
	60000, "milliseconds after which a request is dropped unexecuted"},
    [CONF_DRAIN_MS] = {"PAPPUS_DRAIN_MS", WORKERS, false, true, 3000, 0, 60000,
	"milliseconds a kept connection gets for a last request when draining"},
    [CONF_PUBLIC_DIR] = {"PAPPUS_PUBLIC_DIR", CONF_CRLD, true, false, 0, 0, 0,
	"folder that is published: the feed, CRLs and CA certificates"},
    [CONF_REBUILD_S] = {"PAPPUS_REBUILD_SECONDS", CONF_CRLD, false, true, 21600,
	1, 21600,
	"seconds after which all lists are read and all CRLs made anew"},
    [CONF_FEED_URL] = {"PAPPUS_FEED_URL", CONF_BROKERD, true, false, 0, 0, 0,
	"https address of the feed; several, separated by spaces"},
    [CONF_FEED_CA_FILE] = {"PAPPUS_FEED_CA_FILE", CONF_BROKERD, true, false, 0,
	0, 0, "PEM file of who may vouch for those hosts"},
    [CONF_FEED_DIR] = {"PAPPUS_FEED_DIR", CONF_BROKERD | CONF_HEALTH, true,
	false, 0, 0, 0, "folder where the last good files are kept"},
    [CONF_CA_FILE] = {"PAPPUS_CA_FILE", CONF_BROKERD, true, false, 0, 0, 0,
	"PEM file of the roots that issuers and CRLs must come from"},
    [CONF_POLL_MS] = {"PAPPUS_POLL_MS", CONF_BROKERD, false, true, 250, 50,
	60000, "milliseconds between two looks at the feed's state"},
    [CONF_BROKER_PID_FILE] = {"PAPPUS_BROKER_PID_FILE", CONF_BROKERD, false,
	false, 0, 0, 0, "pid file of mosquitto, for SIGHUP"},
    [CONF_CRL_FILE] = {"PAPPUS_CRL_FILE", CONF_BROKERD, false, false, 0, 0, 0,
	"crlfile of mosquitto, kept up to date"},
    [CONF_DENY_HOOK] = {"PAPPUS_DENY_HOOK", CONF_BROKERD, false, false, 0, 0, 0,
	"program to run for each newly denied device, with its id"},
    [CONF_METRICS_FILE] = {"PAPPUS_METRICS_FILE", CONF_CRLD | CONF_BROKERD,
	false, false, 0, 0, 0,
	"file for metrics, for node_exporter's textfile collector"},
    [CONF_CANARY_HOST] = {"PAPPUS_CANARY_HOST", CONF_BROKERD, false, false, 0,
	0, 0, "host of the broker that the canaries connect to"},
    [CONF_CANARY_PORT] = {"PAPPUS_CANARY_PORT", CONF_BROKERD, false, true, 8883,
	1, 65535, "its port"},
    [CONF_CANARY_GOOD] = {"PAPPUS_CANARY_GOOD", CONF_BROKERD, false, false, 0,
	0, 0, "prefix of .crt and .key of a device that must get in"},
    [CONF_CANARY_REVOKED] = {"PAPPUS_CANARY_REVOKED", CONF_BROKERD, false,
	false, 0, 0, 0, "the same of one that must be refused"},
    [CONF_CANARY_SECONDS] = {"PAPPUS_CANARY_SECONDS", CONF_BROKERD, false, true,
	60, 1, 86400, "seconds between two tries of the canaries"},
};

static int64_t numbers[CONF_MAX];

static bool
load_number(
    const struct conf_row *row, const char *text, int64_t *out, struct err *err)
{
	char *end;
	intmax_t value;

	errno = 0;
	value = strtoimax(text, &end, 10);
	/* strtoimax would also take white space and a plus sign. */
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    value < row->min || value > row->max)
		return err_set(err, ERR_CONFIG,
		    "%s is \"%.40s\", but must be a number from %" PRId64
		    " to %" PRId64,
		    row->name, text, row->min, row->max);
	*out = value;
	return true;
}

bool
conf_load(enum conf_program program, struct err *err)
{
	const struct conf_row *row;
	const char *text;
	int key;

	for (key = 0; key < CONF_MAX; key++) {
		row = &rows[key];
		numbers[key] = row->fallback;
		if ((row->programs & (int)program) == 0)
			continue;
		text = getenv(row->name);
		if (text == NULL && !row->required)
			continue;
		if (text == NULL || *text == '\0')
			return err_set(err, ERR_CONFIG,
			    "%s is %s: set it to the %s", row->name,
			    text == NULL ? "not set" : "empty", row->help);
		if (row->number && !load_number(row, text, &numbers[key], err))
			return false;
	}
	return true;
}

const char *
conf_str(enum conf_key key)
{
	return getenv(rows[key].name);
}

int64_t
conf_int(enum conf_key key)
{
	return numbers[key];
}

void
conf_help(enum conf_program program, FILE *out)
{
	const struct conf_row *row;
	int key;

	fputs("Environment:\n", out);
	for (key = 0; key < CONF_MAX; key++) {
		row = &rows[key];
		if ((row->programs & (int)program) == 0)
			continue;
		fprintf(out, "  %-26s %s", row->name, row->help);
		if (row->required)
			fputs(" (required)\n", out);
		else if (row->number)
			fprintf(out,
			    " (%" PRId64 " to %" PRId64 ", default %" PRId64
			    ")\n",
			    row->min, row->max, row->fallback);
		else
			fputs(" (optional)\n", out);
	}
}
