/* SPDX-License-Identifier: ISC */
/* What a command leaves behind: files and their transcript. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "tools/ca_tool.h"

void
ca_ceremony_begin(struct ca_ceremony *c, const char *command)
{
	memset(c, 0, sizeof(*c));
	c->command = command;
	c->now_ms = clock_wall_ms();
	c->now = c->now_ms / 1000;
	buf_add_fmt(&c->text,
	    "Pappus: transcript of a ceremony\n\n"
	    "command:  pappus-ca %s\n"
	    "program:  pappus-ca %s, %s\n"
	    "time:     ",
	    command, PACKAGE_VERSION, OpenSSL_version(OPENSSL_VERSION));
	ca_describe_time(&c->text, c->now);
	buf_add_str(&c->text, "\n\nWhat was done\n");
}

void
ca_ceremony_output(
    struct ca_ceremony *c, const char *dir, const char *name, struct buf *data)
{
	struct ca_output *o = &c->outputs[c->count];

	if (c->count == CA_OUTPUTS_MAX)
		abort();
	c->count++;
	o->path = dir != NULL ? ca_path(dir, name) : strdup(name);
	if (o->path == NULL)
		abort();
	o->data = *data;
	memset(data, 0, sizeof(*data));
}

/* "20261123T160700.123Z": sorts by time, fit for any file system. */
static void
stamp(int64_t ms, char *out, size_t size)
{
	time_t t = (time_t)(ms / 1000);
	char day[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm);
	snprintf(out, size, "%s.%03dZ", day, (int)(ms % 1000));
}

bool
ca_ceremony_commit(
    struct ca_ceremony *c, const char *dir, const char *next, struct err *err)
{
	char name[96], when[48];
	size_t i;

	stamp(c->now_ms, when, sizeof(when));
	snprintf(name, sizeof(name), "transcript-%s-%s.txt", when, c->command);
	buf_add_str(&c->text, "\nFiles written\n");
	for (i = 0; i < c->count; i++)
		buf_add_fmt(&c->text, "  %s\n", c->outputs[i].path);
	buf_add_fmt(&c->text, "  %s/%s\n\nWhat to do now\n%s", dir, name, next);
	ca_ceremony_output(c, dir, name, &c->text);
	if (!ca_outputs_write(c->outputs, c->count, err))
		return false;
	for (i = 0; i < c->count; i++)
		printf("wrote %s\n", c->outputs[i].path);
	printf("\n%s", next);
	return fflush(stdout) == 0 || err_set_errno(err, "stdout");
}

void
ca_ceremony_end(struct ca_ceremony *c)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		free(c->outputs[i].path);
		free(c->outputs[i].temporary);
		buf_free(&c->outputs[i].data);
	}
	buf_free(&c->text);
	c->count = 0;
}
