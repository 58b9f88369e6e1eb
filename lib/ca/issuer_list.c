/* SPDX-License-Identifier: ISC */
/* A list of the sub-CAs at hand: see issuer_list.h, pappus.issuers in sql/. */
#include "ca/issuer_list.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cert/profile.h"
#include "encoding/pem.h"
#include "world/pgarray.h"

enum {
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
	PROFILE_SHA256
};

/* What goes with the certificates of a device sub-CA, issuing or not. */
struct chain {
	int id;
	struct buf pem;
};

struct issuer_list {
	atomic_int holders;
	size_t n;
	struct issuer **issuers;
	size_t n_chains;
	struct chain *chains;
	struct buf ids;
	struct buf roots_pem;
};

void
issuer_list_release(struct issuer_list *list)
{
	size_t i;

	if (list == NULL || atomic_fetch_sub(&list->holders, 1) > 1)
		return;
	for (i = 0; i < list->n; i++)
		issuer_free(list->issuers[i]);
	for (i = 0; i < list->n_chains; i++)
		buf_free(&list->chains[i].pem);
	free(list->issuers);
	free(list->chains);
	buf_free(&list->ids);
	buf_free(&list->roots_pem);
	free(list);
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
add_pem(struct buf *pem, const struct db_rows *rows, size_t row)
{
	struct buf der = BUF_INIT;

	db_rows_bytea(rows, row, CERTIFICATE, &der);
	pem_encode(pem, "CERTIFICATE", der.data, der.len);
	buf_free(&der);
}

static void
add_chain(struct issuer_list *list, const struct db_rows *rows, size_t row)
{
	struct chain *chain = &list->chains[list->n_chains++];
	size_t depth, n = db_rows_count(rows);

	chain->id = (int)db_rows_int(rows, row, ISSUER_ID);
	for (depth = 0; row < n && depth <= DEPTH_MAX; depth++) {
		add_pem(&chain->pem, rows, row);
		if (db_rows_str(rows, row, PARENT_ID) == NULL)
			break;
		row = find_row(rows, db_rows_int(rows, row, PARENT_ID));
	}
	buf_str(&chain->pem);
}

static void
add_row(struct issuer_list *list, const struct db_rows *rows, size_t row,
    const struct keystore *keys)
{
	const char *purpose = db_rows_str(rows, row, PURPOSE);
	struct err err = {0};
	struct issuer *issuer;

	if (strcmp(purpose, "root") == 0)
		add_pem(&list->roots_pem, rows, row);
	if (strcmp(purpose, "device") != 0)
		return;
	add_chain(list, rows, row);
	if (strcmp(db_rows_str(rows, row, STATE), "issuing") != 0)
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

static int64_t
whole_days(int64_t from, int64_t to)
{
	return to > from ? (to - from) / DAY_S : 0;
}

/*
 * Say for how long this sub-CA can issue: the next one is to be made in time.
 * A leaf of full length must fit into what is left of it.
 */
static void
log_days_left(const struct issuer *issuer)
{
	int64_t now = clock_wall_ms() / 1000, not_before, not_after, full;

	/* The database counts a leaf's years from its notBefore (0003). */
	profile_validity(profile_get(PROFILE_DEVICE), now - PROFILE_BACKDATE_S,
	    &not_before, &not_after);
	full = whole_days(not_after, issuer_not_after(issuer));
	log_event(full < WARN_DAYS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "issuer",
	    (const struct log_field[]){
		LOG_I("issuer", issuer_id(issuer)),
		LOG_I("days_left", whole_days(now, issuer_not_after(issuer))),
		LOG_I("full_length_days_left", full),
		{.type = LOG_END},
	    });
}

struct issuer_list *
issuer_list_new(const struct db_rows *rows, const struct keystore *keys)
{
	struct issuer_list *list = calloc(1, sizeof(*list));
	size_t i, n = db_rows_count(rows);

	if (list == NULL)
		abort();
	list->issuers = calloc(n + 1, sizeof(*list->issuers));
	list->chains = calloc(n + 1, sizeof(*list->chains));
	if (list->issuers == NULL || list->chains == NULL)
		abort();
	atomic_store(&list->holders, 1);
	for (i = 0; i < n; i++)
		add_row(list, rows, i, keys);
	if (keystore_count(keys) > list->n)
		log_msg(LOG_LEVEL_WARN, "keys-unused",
		    "%zu keys are of no device sub-CA that is registered as "
		    "issuing",
		    keystore_count(keys) - list->n);
	pgarray_end(&list->ids);
	buf_str(&list->roots_pem);
	for (i = 0; i < list->n; i++)
		log_days_left(list->issuers[i]);
	log_msg(LOG_LEVEL_INFO, "issuers", "%zu of %zu registered at hand",
	    list->n, n);
	return list;
}

struct issuer_list *
issuer_list_hold(struct issuer_list *list)
{
	if (list != NULL)
		atomic_fetch_add(&list->holders, 1);
	return list;
}

size_t
issuer_list_count(const struct issuer_list *list)
{
	return list->n;
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

const char *
issuer_list_chain_pem(const struct issuer_list *list, int id)
{
	size_t i;

	for (i = 0; i < list->n_chains; i++)
		if (list->chains[i].id == id)
			return (const char *)list->chains[i].pem.data;
	return NULL;
}
