/* SPDX-License-Identifier: ISC */
/* A root's list of revoked CAs: see root_crl.h. */
#include "tools/root_crl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encoding/hex.h"
#include "tools/pappus.h"
#include "world/pgarray.h"

/* What the database takes, too (pappus.crls). */
enum { ROOT_CRL_MAX = 1024 * 1024 };

/* The parameters of setup_root_crl, in its order. */
enum { SKI, NUMBER, THIS_UPDATE, NEXT_UPDATE, DER, REVOKED_SKIS, PARAMS };

/* Whether a list names a certificate; one of a CA has a serial of ours. */
static bool
names(const struct crl_read *crl, X509 *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	uint8_t wanted[CRL_SERIAL_MAX];

	return crl_serial_set(wanted, ASN1_STRING_get0_data(serial),
		   (size_t)ASN1_STRING_length(serial), NULL) &&
	       crl_read_find(crl, wanted, NULL);
}

/* The walk over the last list, looking into the next. */
struct successor {
	const struct crl_read *next;
	char missing[2 * CRL_SERIAL_MAX + 1];
};

static bool
must_be_named(void *ctx, const struct crl_item *item, struct err *err)
{
	struct successor *s = ctx;
	const uint8_t *octets;
	size_t len;

	if (crl_read_find(s->next, item->serial, NULL))
		return true;
	octets = crl_serial_octets(item->serial, &len);
	hex_encode(octets, len, s->missing);
	return err_set(err, ERR_REFUSED,
	    "the list leaves out %s, which the last one named: nothing takes "
	    "a CA's revocation back",
	    s->missing);
}

/* A folder of the root that is older than its last list would lose some. */
static bool
check_successor(
    const struct registered *root, const struct crl_read *next, struct err *err)
{
	struct successor s = {.next = next};
	struct crl_read last;

	return root->crl.len == 0 ||
	       (crl_read_open(
		    root->crl.data, root->crl.len, false, &last, err) &&
		   crl_read_each(&last, must_be_named, &s, err));
}

/* How many CAs the database didn't know to be revoked; -1: *err says why. */
static int64_t
tell(struct db *db, const struct crl_file *list, struct buf *skis,
    struct err *err)
{
	char number[24], this_update[24], next_update[24];
	struct buf ski = BUF_INIT, der = BUF_INIT;
	const char *params[PARAMS];
	struct db_rows *rows;
	int64_t count = -1;

	snprintf(number, sizeof(number), "%" PRIu64, list->crl.number);
	snprintf(this_update, sizeof(this_update), "%" PRId64,
	    list->crl.this_update);
	snprintf(next_update, sizeof(next_update), "%" PRId64,
	    list->crl.next_update);
	params[SKI] = param_bytea(&ski, list->issuer->ski, CERT_KEY_ID_LEN);
	params[NUMBER] = number;
	params[THIS_UPDATE] = this_update;
	params[NEXT_UPDATE] = next_update;
	params[DER] = param_bytea(&der, list->crl.der.at, list->crl.der.len);
	params[REVOKED_SKIS] = pgarray_end(skis);
	if (database_call(db, STATEMENT_ROOT_CRL, params, &rows, err)) {
		count = db_rows_int(rows, 0, 0);
		db_rows_free(rows);
	}
	buf_free(&ski);
	buf_free(&der);
	return count;
}

/* The registered CAs that a list names: their SKIs, and a line for each. */
static size_t
find_named(const struct registered_list *registered,
    const struct crl_file *list, struct buf *skis, struct buf *text)
{
	const struct registered *ca;
	size_t i, named = 0;
	char name[80];

	for (i = 0; i < registered->n; i++) {
		ca = &registered->cas[i];
		if (ca->parent_id != list->issuer->id ||
		    !names(&list->crl, ca->cert))
			continue;
		named++;
		pgarray_bytea(skis, ca->ski, sizeof(ca->ski));
		registered_name(ca, name);
		buf_add_fmt(text, "revoked: issuer %" PRId64 " (%s), %s\n",
		    ca->id, purpose_name(ca->purpose), name);
	}
	return named;
}

bool
root_crl_import(struct db *db, const struct registered_list *registered,
    const struct crl_file *list, struct err *err)
{
	struct buf skis = BUF_INIT, text = BUF_INIT;
	struct err why = {.code = ERR_NONE};
	int64_t count;
	size_t named;
	char name[80];

	if (list->issuer->purpose != PURPOSE_ROOT)
		return err_set(err, ERR_MISMATCH,
		    "%s is not a root's list: pappus-crld makes the others",
		    list->path);
	if (list->crl.der.len > ROOT_CRL_MAX)
		return err_set(err, ERR_TOO_LONG, "%s has over %d octets",
		    list->path, ROOT_CRL_MAX);
	if (!check_successor(list->issuer, &list->crl, &why))
		return err_set(err, why.code, "%s: %s", list->path, why.detail);
	named = find_named(registered, list, &skis, &text);
	count = tell(db, list, &skis, err);
	if (count >= 0) {
		registered_name(list->issuer, name);
		printf("CRL %" PRIu64 " of %s: %zu revoked, %zu of them "
		       "registered, %" PRId64 " new\n%s",
		    list->crl.number, name, list->crl.count, named, count,
		    buf_str(&text));
	}
	buf_free(&skis);
	buf_free(&text);
	return count >= 0;
}

bool
root_crl_permits(const struct registered *root, X509 *cert, struct err *err)
{
	struct crl_read last;

	if (root->crl.len == 0)
		return true;
	if (!crl_read_open(root->crl.data, root->crl.len, false, &last, err))
		return false;
	return !names(&last, cert) ||
	       err_set(err, ERR_REFUSED, "its root has revoked this CA");
}
