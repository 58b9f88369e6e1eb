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
#include "cert/profile.h"
#include "encoding/pem.h"
#include "world/pgarray.h"

enum {
	REFRESH_US = 10 * 1000 * 1000,
	REFRESH_SOON_US = 1000 * 1000,
	DEPTH_MAX = 4, /* certificates above a sub-CA */
	DAY_S = 24 * 60 * 60,
	WARN_DAYS = 180 /* of full-length issuing left */
};

/* The columns of STATEMENT_ISSUERS. */
enum {
	ISSUER_ID,
	PARENT_ID,
	PURPOSE,
	STATE,
	CERTIFICATE,
	CRL_URL,
	CA_URL,
	TRUST_DOMAIN,
	PROFILE_SHA256,
	COLUMNS
};

struct issuer_list {
	atomic_int holders;
	size_t n;
	struct issuer **issuers;
	struct buf ids;
	struct buf roots_pem;
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
issuer_list_release(struct issuer_list *list)
{
	size_t i;

	if (list == NULL || atomic_fetch_sub(&list->holders, 1) > 1)
		return;
	for (i = 0; i < list->n; i++)
		issuer_free(list->issuers[i]);
	free(list->issuers);
	buf_free(&list->ids);
	buf_free(&list->roots_pem);
	free(list);
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

/* The row whose issuer_id is id, or the number of rows. */
static size_t
find_row(const struct db_rows *rows, int64_t id)
{
	size_t i, n = db_rows_count(rows);

	for (i = 0; i < n; i++)
		if (db_rows_int(rows, i, ISSUER_ID) == id)
			break;
	return i;
}

/* The certificates above row, nearest first; their number. */
static size_t
load_parents(const struct db_rows *rows, size_t row, struct buf ders[DEPTH_MAX],
    struct issuer_der parents[DEPTH_MAX])
{
	size_t n = 0;

	while (n < DEPTH_MAX && db_rows_str(rows, row, PARENT_ID) != NULL) {
		row = find_row(rows, db_rows_int(rows, row, PARENT_ID));
		if (row == db_rows_count(rows))
			break;
		db_rows_bytea(rows, row, CERTIFICATE, &ders[n]);
		parents[n].data = ders[n].data;
		parents[n].len = ders[n].len;
		n++;
	}
	return n;
}

/* The issuer of a row; NULL without an error when its key isn't here. */
static struct issuer *
load_issuer(const struct db_rows *rows, size_t row, const struct keystore *keys,
    struct err *err)
{
	struct buf cert = BUF_INIT, profile = BUF_INIT, ders[DEPTH_MAX] = {0};
	struct issuer_der parents[DEPTH_MAX];
	struct issuer_params params = {
	    .id = (int)db_rows_int(rows, row, ISSUER_ID),
	    .crl_url = db_rows_str(rows, row, CRL_URL),
	    .ca_url = db_rows_str(rows, row, CA_URL),
	    .trust_domain = db_rows_str(rows, row, TRUST_DOMAIN),
	    .parents = parents,
	};
	struct issuer *issuer = NULL;
	const unsigned char *at;
	X509 *x509;
	size_t i;

	db_rows_bytea(rows, row, CERTIFICATE, &cert);
	db_rows_bytea(rows, row, PROFILE_SHA256, &profile);
	at = cert.data;
	x509 = d2i_X509(NULL, &at, (long)cert.len);
	if (x509 == NULL || profile.len != TEMPLATE_DIGEST_LEN) {
		err_set(err, ERR_MISMATCH, "its record is damaged");
		goto out;
	}
	params.key = keystore_find(keys, x509);
	if (params.key == NULL)
		goto out;
	params.cert = (struct issuer_der){cert.data, cert.len};
	params.profile_sha256 = profile.data;
	params.parent_count = load_parents(rows, row, ders, parents);
	issuer = issuer_new(&params, err);
out:
	X509_free(x509);
	buf_free(&cert);
	buf_free(&profile);
	for (i = 0; i < DEPTH_MAX; i++)
		buf_free(&ders[i]);
	return issuer;
}

static void
add_row(struct issuer_list *list, const struct db_rows *rows, size_t row,
    const struct keystore *keys)
{
	const char *purpose = db_rows_str(rows, row, PURPOSE);
	struct err err = {0};
	struct buf der = BUF_INIT;
	struct issuer *issuer;

	if (strcmp(purpose, "root") == 0) {
		db_rows_bytea(rows, row, CERTIFICATE, &der);
		pem_encode(&list->roots_pem, "CERTIFICATE", der.data, der.len);
		buf_free(&der);
		return;
	}
	if (strcmp(purpose, "device") != 0 ||
	    strcmp(db_rows_str(rows, row, STATE), "issuing") != 0)
		return;
	issuer = load_issuer(rows, row, keys, &err);
	if (issuer != NULL) {
		list->issuers[list->n++] = issuer;
		pgarray_int(&list->ids, issuer_id(issuer));
	} else if (err.code != ERR_NONE) {
		log_msg(LOG_LEVEL_ERROR, "issuer-unusable", "issuer %s: %s",
		    db_rows_str(rows, row, ISSUER_ID), err.detail);
	}
}

/*
 * Say for how long this sub-CA can issue: the next one is to be made in time.
 * A leaf of full length must fit into what is left of it.
 */
static void
log_days_left(const struct issuer *issuer)
{
	int64_t now = clock_wall_ms() / 1000, not_before, not_after, full;

	profile_validity(
	    profile_get(PROFILE_DEVICE), now, &not_before, &not_after);
	full = (issuer_not_after(issuer) - not_after) / DAY_S;
	log_event(full < WARN_DAYS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "issuer",
	    (const struct log_field[]){
		LOG_I("issuer", issuer_id(issuer)),
		LOG_I("days_left", (issuer_not_after(issuer) - now) / DAY_S),
		LOG_I("full_length_days_left", full),
		{.type = LOG_END},
	    });
}

static struct issuer_list *
build_list(const struct issuer_set *set, const struct db_rows *rows)
{
	struct issuer_list *list = calloc(1, sizeof(*list));
	size_t i, n = db_rows_count(rows);
	struct err err = {0};
	struct keystore *keys;

	if (list == NULL)
		abort();
	list->issuers = calloc(n + 1, sizeof(*list->issuers));
	if (list->issuers == NULL)
		abort();
	atomic_store(&list->holders, 1);
	keys = keystore_load(set->dir, set->passphrase_file, &err);
	if (keys == NULL)
		log_msg(LOG_LEVEL_ERROR, "keys-unusable", "%s", err.detail);
	for (i = 0; i < n && keys != NULL; i++)
		add_row(list, rows, i, keys);
	if (keys != NULL && keystore_count(keys) > list->n)
		log_msg(LOG_LEVEL_WARN, "keys-unused",
		    "%zu of the keys in %s are of no device sub-CA that is "
		    "registered as issuing",
		    keystore_count(keys) - list->n, set->dir);
	keystore_free(keys);
	pgarray_end(&list->ids);
	buf_str(&list->roots_pem);
	for (i = 0; i < list->n; i++)
		log_days_left(list->issuers[i]);
	log_msg(LOG_LEVEL_INFO, "issuers", "%zu of %zu registered at hand",
	    list->n, n);
	return list;
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
	    clock_wall_ms() / 1000 / DAY_S, (intmax_t)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec);
	for (i = 0; i < n; i++)
		for (column = 0; column < COLUMNS; column++) {
			field = db_rows_str(rows, i, column);
			buf_add_fmt(out, "%s|", field == NULL ? "" : field);
		}
}

/* Make a new list when something is not as it was last time. */
static void
update(struct issuer_set *set, const struct db_rows *rows)
{
	struct issuer_list *fresh, *old;
	struct buf seen = BUF_INIT;

	describe(set->dir, rows, &seen);
	if (set->list != NULL && set->list->n > 0 &&
	    seen.len == set->seen.len &&
	    memcmp(seen.data, set->seen.data, seen.len) == 0) {
		buf_free(&seen);
		return;
	}
	buf_free(&set->seen);
	set->seen = seen;
	fresh = build_list(set, rows);
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
	return true;
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
	list = set->list;
	if (list != NULL)
		atomic_fetch_add(&list->holders, 1);
	pthread_mutex_unlock(&set->lock);
	return list;
}

const char *
issuer_list_ids(const struct issuer_list *list)
{
	return (const char *)list->ids.data;
}

const struct issuer *
issuer_list_find(const struct issuer_list *list, int id)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (issuer_id(list->issuers[i]) == id)
			return list->issuers[i];
	return NULL;
}

const char *
issuer_list_roots_pem(const struct issuer_list *list)
{
	return (const char *)list->roots_pem.data;
}
