/* SPDX-License-Identifier: ISC */
/* Metrics as a file: see metrics.h. */
#include "daemon/metrics.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void
head(struct buf *out, const char *name, const char *help)
{
	buf_add_fmt(out, "# HELP pappus_%s %s\n# TYPE pappus_%s gauge\n", name,
	    help, name);
}

static void
one(struct buf *out, const char *name, const char *help, int64_t value)
{
	head(out, name, help);
	buf_add_fmt(out, "pappus_%s %" PRId64 "\n", name, value);
}

/* What is told of each CRL. */
enum crl_metric {
	METRIC_NUMBER,
	METRIC_AGE,
	METRIC_LEFT,
	METRIC_ENTRIES,
	METRIC_BYTES,
	METRIC_FAILING,
	METRIC_MAX
};

static const struct {
	const char *name;
	const char *help;
} crl_metrics[METRIC_MAX] = {
    [METRIC_NUMBER] = {"crl_number", "CRLNumber that is published, 0: none"},
    [METRIC_AGE] = {"crl_age_seconds", "since thisUpdate"},
    [METRIC_LEFT] = {"crl_seconds_left", "until nextUpdate"},
    [METRIC_ENTRIES] = {"crl_entries", "certificates on the list"},
    [METRIC_BYTES] = {"crl_bytes", "size in DER"},
    [METRIC_FAILING] = {"crl_failing", "1: the next could not be published"},
};

static int64_t
crl_value(const struct board_crl *crl, enum crl_metric metric, int64_t now_s)
{
	switch (metric) {
	case METRIC_NUMBER:
		return (int64_t)crl->number;
	case METRIC_AGE:
		return now_s - crl->this_update;
	case METRIC_LEFT:
		return crl->next_update - now_s;
	case METRIC_ENTRIES:
		return (int64_t)crl->entries;
	case METRIC_BYTES:
		return (int64_t)crl->bytes;
	case METRIC_FAILING:
		return crl->failing ? 1 : 0;
	case METRIC_MAX:
		break;
	}
	return 0;
}

static void
print_crls(const struct board_numbers *numbers, int64_t now_s, struct buf *out)
{
	const struct board_crl *crl;
	int metric;
	size_t i;

	for (metric = 0; metric < METRIC_MAX; metric++) {
		head(out, crl_metrics[metric].name, crl_metrics[metric].help);
		for (i = 0; i < numbers->crl_count; i++) {
			crl = &numbers->crls[i];
			/* One that was never published has no age. */
			if (crl->number == 0 && metric != METRIC_NUMBER &&
			    metric != METRIC_FAILING)
				continue;
			buf_add_fmt(out,
			    "pappus_%s{issuer=\"%d\",ski=\"%s\"} %" PRId64 "\n",
			    crl_metrics[metric].name, crl->issuer_id, crl->ski,
			    crl_value(crl, (enum crl_metric)metric, now_s));
		}
	}
}

void
metrics_print(const struct board_numbers *numbers, uint64_t sequence,
    int64_t published_ms, int64_t now_ms, struct buf *out)
{
	int alarm;

	one(out, "crld_leader", "1: this process holds the lease",
	    numbers->epoch > 0 ? 1 : 0);
	one(out, "crld_epoch", "of the lease that it holds", numbers->epoch);
	one(out, "crld_sequence_claimed", "last change that was claimed",
	    numbers->sequence > 0 ? numbers->sequence : 0);
	one(out, "crld_sequence_published", "last change that is published",
	    (int64_t)sequence);
	one(out, "crld_changes_unclaimed", "changes that wait to be claimed",
	    numbers->unclaimed);
	one(out, "crld_changes_unclaimed_seconds", "age of the oldest of them",
	    numbers->unclaimed_s);
	one(out, "crld_state_timestamp_seconds", "when the state was written",
	    published_ms / 1000);
	one(out, "crld_metrics_timestamp_seconds", "when this was written",
	    now_ms / 1000);
	head(out, "crld_alarm", "1: something is wrong");
	for (alarm = 0; alarm < ALARM_MAX; alarm++)
		buf_add_fmt(out, "pappus_crld_alarm{what=\"%s\"} %d\n",
		    board_alarm_name((enum board_alarm)alarm),
		    numbers->alarms[alarm] ? 1 : 0);
	print_crls(numbers, now_ms / 1000, out);
}

static bool
write_all(int fd, const struct buf *text)
{
	size_t at = 0;
	ssize_t n;

	while (at < text->len) {
		n = write(fd, text->data + at, text->len - at);
		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	return true;
}

bool
metrics_write(const char *path, const struct buf *text, struct err *err)
{
	struct buf temporary = BUF_INIT;
	const char *name;
	bool ok = false;
	int fd;

	/* The collector takes files that end in .prom alone. */
	buf_add_fmt(&temporary, "%s.new", path);
	name = buf_str(&temporary);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	    S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
	if (fd >= 0) {
		ok = write_all(fd, text);
		if (close(fd) != 0)
			ok = false;
	}
	ok = ok && rename(name, path) == 0;
	if (!ok)
		err_set_errno(err, "%s", path);
	buf_free(&temporary);
	return ok;
}
