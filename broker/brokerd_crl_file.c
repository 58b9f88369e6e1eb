/* SPDX-License-Identifier: ISC */
/* The broker's file of CRLs: see brokerd_crl_file.h. */
#include "broker/brokerd_crl_file.h"

#include <sys/stat.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/brokerd_rules.h"
#include "broker/brokerd_signal.h"
#include "encoding/pem_writer.h"

#define PEM_LABEL "X509 CRL"
#define TOLD_FILE "told"

enum {
	FILE_MODE = 0644, /* CRLs are public, and mosquitto reads it */
	NOT_READY_US = 60 * 1000000, /* a broker that starts so long hangs */
};

struct crl_file {
	struct brokerd *b;
	struct buf names; /* of the lists in the file */
	struct buf wanted;
	struct stat put; /* the file as we left it */
	bool is_put;
	uint64_t entries;
	bool signal;	       /* the broker is still to be told */
	int64_t changed;       /* of signal_now, when the file was put */
	int64_t signal_since;  /* of clock_mono_us, as all */
	int64_t signalled;     /* the last time; 0: never */
	unsigned int failures; /* to write */
	int64_t retry_at;
};

struct crl_file *
crl_file_new(struct brokerd *b)
{
	struct crl_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		abort();
	file->b = b;
	return file;
}

void
crl_file_free(struct crl_file *file)
{
	if (file == NULL)
		return;
	buf_free(&file->names);
	buf_free(&file->wanted);
	free(file);
}

/* Whether the file is the one that we left. */
static bool
is_as_left(const struct crl_file *file)
{
	struct stat now;

	return file->is_put && stat(file->b->conf.crl_file, &now) == 0 &&
	       now.st_ino == file->put.st_ino &&
	       now.st_dev == file->put.st_dev &&
	       now.st_size == file->put.st_size &&
	       now.st_mtim.tv_sec == file->put.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == file->put.st_mtim.tv_nsec;
}

static bool
write_lists(struct file_draft *draft, const struct crl_file_list *lists,
    size_t count, struct err *err)
{
	struct pem_writer *pem = malloc(sizeof(*pem));
	bool ok = true;
	size_t i;

	if (pem == NULL)
		abort();
	for (i = 0; ok && i < count; i++) {
		pem_writer_begin(pem, PEM_LABEL, file_draft_add, draft);
		ok = pem_writer_add(pem, file_map_data(lists[i].der),
			 file_map_len(lists[i].der), err) &&
		     pem_writer_end(pem, err);
	}
	free(pem);
	return ok;
}

/* Replace the file, unless it has these very octets already. */
static bool
put(struct crl_file *file, int folder, const char *name,
    const struct crl_file_list *lists, size_t count, bool *changed,
    struct err *err)
{
	struct file_draft draft;
	struct file_map *map;
	bool ok;

	if (!file_draft_begin(&draft, folder, FILE_MODE, err))
		return false;
	map = write_lists(&draft, lists, count, err)
		  ? file_map_draft(&draft, err)
		  : NULL;
	ok = map != NULL;
	*changed = ok && !file_map_equals(map, folder, name);
	file_map_unref(map);
	/* Should we be killed now, the next of us will tell the broker. */
	if (*changed)
		unlinkat(file->b->folder.fd, TOLD_FILE, 0);
	if (*changed)
		ok = file_draft_keep(&draft, name, true, err);
	file_draft_drop(&draft);
	file->is_put = ok && stat(file->b->conf.crl_file, &file->put) == 0;
	return ok;
}

static void
log_put(const struct crl_file *file, size_t count)
{
	const struct log_field fields[] = {
	    LOG_S("file", file->b->conf.crl_file),
	    LOG_I("lists", count),
	    LOG_I("entries", file->entries),
	    LOG_I("octets", file->put.st_size),
	    {.type = LOG_END},
	};

	log_event(LOG_LEVEL_INFO, "crl-file", fields);
}

/* Whether the broker was told of these lists, by us or who we were before. */
static bool
is_told(struct crl_file *file)
{
	struct err ignored = {0};
	struct file_map *map =
	    file_map_open(file->b->folder.fd, TOLD_FILE, &ignored);
	bool told =
	    map != NULL && file_map_len(map) == file->names.len &&
	    memcmp(file_map_data(map), file->names.data, file->names.len) == 0;

	file_map_unref(map);
	return told;
}

/* The broker knows the lists that are in the file. */
static void
told(struct crl_file *file)
{
	struct err ignored = {0};

	file->signal = false;
	status_quiet(file->b->status, ALARM_BROKER);
	/* Without it, the broker is told once more when we start again. */
	file_replace(file->b->folder.fd, TOLD_FILE, FOLDER_FILE_MODE,
	    file->names.data, file->names.len, false, &ignored);
}

static void
replace(struct crl_file *file, const struct crl_file_list *lists, size_t count)
{
	struct brokerd *b = file->b;
	struct err err = {0};
	bool changed = false, ok;
	const char *name;
	size_t i;
	int folder = file_folder_open(b->conf.crl_file, &name, &err);

	ok = folder >= 0 &&
	     put(file, folder, name, lists, count, &changed, &err);
	if (folder >= 0)
		close(folder);
	if (!ok) {
		file->retry_at =
		    clock_mono_us() + rules_retry_us(++file->failures);
		status_refuse(b->status, NULL, b->conf.crl_file, "",
		    REFUSED_LOCAL, err.detail);
		return;
	}
	file->failures = 0;
	file->retry_at = 0;
	status_accept(b->status, NULL, b->conf.crl_file);
	buf_reset(&file->names);
	buf_add(&file->names, file->wanted.data, file->wanted.len);
	for (file->entries = 0, i = 0; i < count; i++)
		file->entries += lists[i].entries;
	if (changed)
		log_put(file, count);
	else if (file->signal || is_told(file))
		return;
	file->changed = signal_now();
	if (!file->signal)
		file->signal_since = clock_mono_us();
	file->signal = true;
}

/* ------------------------------------------------------------ the signal */

static void
signalled(struct crl_file *file)
{
	struct brokerd *b = file->b;
	int64_t now = clock_mono_us(), cost;

	pthread_mutex_lock(&b->lock);
	cost = rules_reload_cost(file->entries, b->reload_measured_us);
	b->reloads++;
	b->reloaded_us = now;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	file->signalled = now;
	told(file);
	status_set_reload(b->status, cost, clock_wall_ms());
	log_msg(LOG_LEVEL_INFO, "broker-signalled",
	    "to read %" PRIu64 " entries again", file->entries);
}

static void
try_signal(struct crl_file *file)
{
	struct brokerd *b = file->b;
	struct err err = {0};
	enum signal_result result =
	    signal_broker(b->conf.pid_file, file->changed, &err);

	if (result == SIGNAL_NOT_READY &&
	    clock_mono_us() - file->signal_since > NOT_READY_US)
		err_set(&err, ERR_MISMATCH, "it takes no SIGHUP");
	switch (result) {
	case SIGNAL_SENT:
		signalled(file);
		break;
	case SIGNAL_KNOWS:
		told(file);
		break;
	case SIGNAL_NOBODY:
		status_quiet(b->status, ALARM_BROKER);
		break;
	case SIGNAL_NOT_READY:
	case SIGNAL_FAILED:
		if (err.code != ERR_NONE)
			status_alarm(b->status, ALARM_BROKER,
			    "the broker can't be told to read its lists: %s",
			    err.detail);
		break;
	}
}

/* When the file may be read again; the cost may just have been measured. */
static int64_t
due_at(struct crl_file *file)
{
	struct brokerd *b = file->b;
	int64_t cost, at;

	if (file->signalled == 0)
		return 0;
	pthread_mutex_lock(&b->lock);
	cost = rules_reload_cost(file->entries, b->reload_measured_us);
	pthread_mutex_unlock(&b->lock);
	at = rules_again_at(file->signalled, cost);
	return at > file->signalled + RULES_RELOAD_MIN_US
		   ? at
		   : file->signalled + RULES_RELOAD_MIN_US;
}

void
crl_file_update(
    struct crl_file *file, const struct crl_file_list *lists, size_t count)
{
	int64_t now = clock_mono_us();
	bool due = now >= due_at(file), other, damaged;
	size_t i;

	if (count == 0)
		return;
	buf_reset(&file->wanted);
	for (i = 0; i < count; i++)
		buf_add_str(&file->wanted, lists[i].name);
	other = strcmp(buf_str(&file->wanted), buf_str(&file->names)) != 0;
	damaged = !is_as_left(file);
	if (file->is_put && damaged) {
		file->is_put = false;
		log_msg(LOG_LEVEL_ERROR, "crl-file-touched",
		    "%s was changed by somebody else; it is put right",
		    file->b->conf.crl_file);
	}
	if (now >= file->retry_at && ((other && due) || damaged))
		replace(file, lists, count);
	if (file->signal && due)
		try_signal(file);
}
