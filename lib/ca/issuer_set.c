/* SPDX-License-Identifier: ISC */
/* The sub-CAs at hand: see issuer_set.h, and pappus.issuers in sql/. */
#include "ca/issuer_set.h"

#include <sys/stat.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ca/keystore.h"

enum {
	REFRESH_US = 10 * 1000 * 1000,
	REFRESH_SOON_US = 1000 * 1000,
	DAY_MS = 24 * 60 * 60 * 1000,
	COLUMNS = 9 /* of STATEMENT_ISSUERS */
};

struct issuer_set {
	const char *dir;
	const char *passphrase_file;
	int64_t looked_at; /* of the refreshing thread, as is seen */
	struct buf seen;   /* the folder and rows that list was made of */
	atomic_bool expired;
	pthread_mutex_t lock; /* over list */
	struct issuer_list *list;
};

struct issuer_set *
issuer_set_new(const char *dir, const char *passphrase_file, struct err *err)
{
	struct keystore *keys = keystore_load(dir, passphrase_file, err);
	struct issuer_set *set;

	if (keys == NULL)
		return NULL;
	keystore_free(keys);
	set = calloc(1, sizeof(*set));
	if (set == NULL)
		abort();
	set->dir = dir;
	set->passphrase_file = passphrase_file;
	pthread_mutex_init(&set->lock, NULL);
	return set;
}

void
issuer_set_free(struct issuer_set *set)
{
	if (set == NULL)
		return;
	issuer_list_release(set->list);
	buf_free(&set->seen);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/*
 * All that a list depends on: a key may come before its row, or after.  The
 * day is in it so that the days left are said daily.
 */
static void
describe(const char *dir, const struct db_rows *rows, struct buf *out)
{
	size_t i, n = db_rows_count(rows);
	struct stat st = {0};
	const char *field;
	int column;

	stat(dir, &st);
	buf_add_fmt(out, "%" PRId64 "|%" PRIdMAX ".%09ld|",
	    clock_wall_ms() / DAY_MS, (intmax_t)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec);
	for (i = 0; i < n; i++)
		for (column = 0; column < COLUMNS; column++) {
			field = db_rows_str(rows, i, column);
			buf_add_fmt(out, "%s|", field == NULL ? "" : field);
		}
}

/*
 * Make a new list when something is not as it was last time.  With a bad key
 * in the folder the last good list stays, for one file must not stop all.
 */
static void
update(struct issuer_set *set, const struct db_rows *rows)
{
	struct issuer_list *fresh, *old;
	struct buf seen = BUF_INIT;
	struct err err = {0};
	struct keystore *keys;

	describe(set->dir, rows, &seen);
	if (set->list != NULL && issuer_list_count(set->list) > 0 &&
	    seen.len == set->seen.len &&
	    memcmp(seen.data, set->seen.data, seen.len) == 0) {
		buf_free(&seen);
		return;
	}
	keys = keystore_load(set->dir, set->passphrase_file, &err);
	if (keys == NULL) {
		log_msg(LOG_LEVEL_ERROR, "keys-unusable", "%s", err.detail);
		buf_free(&seen);
		return;
	}
	fresh = issuer_list_new(rows, keys);
	keystore_free(keys);
	buf_free(&set->seen);
	set->seen = seen;
	pthread_mutex_lock(&set->lock);
	old = set->list;
	set->list = fresh;
	pthread_mutex_unlock(&set->lock);
	issuer_list_release(old);
}

bool
issuer_set_refresh(struct issuer_set *set, struct db *db, int64_t deadline)
{
	int64_t now = clock_mono_us(), age = now - set->looked_at;
	struct err err = {0};
	struct db_rows *rows;

	if (set->list != NULL && age < REFRESH_US &&
	    !(atomic_load(&set->expired) && age >= REFRESH_SOON_US))
		return true;
	if (db_call(db, STATEMENT_ISSUERS, NULL, deadline, deadline - now,
		&rows, &err) != DB_OK) {
		log_msg(LOG_LEVEL_WARN, "issuers-unknown", "%s", err.detail);
		return set->list != NULL;
	}
	set->looked_at = now;
	atomic_store(&set->expired, false);
	update(set, rows);
	db_rows_free(rows);
	return set->list != NULL;
}

void
issuer_set_expire(struct issuer_set *set)
{
	atomic_store(&set->expired, true);
}

struct issuer_list *
issuer_set_hold(struct issuer_set *set)
{
	struct issuer_list *list;

	pthread_mutex_lock(&set->lock);
	list = issuer_list_hold(set->list);
	pthread_mutex_unlock(&set->lock);
	return list;
}
