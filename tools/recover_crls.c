/* SPDX-License-Identifier: ISC */
/* CRLs that were published, for pappus recover: they say when and why. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "encoding/hex.h"
#include "tools/recover.h"
#include "tools/root_crl.h"

bool
recover_add_list(struct recovery *r, const char *path, struct err *err)
{
	return crl_files_add(&r->lists, path, &r->registered, err);
}

/* Whether another list stands for this one: later, or the same once more. */
static bool
is_superseded(const struct recovery *r, size_t i)
{
	const struct crl_file *list = &r->lists.lists[i], *other;
	size_t j;

	for (j = 0; j < r->lists.n; j++) {
		other = &r->lists.lists[j];
		if (other->issuer != list->issuer || j == i)
			continue;
		if (other->crl.number > list->crl.number)
			return true;
		if (j < i && other->crl.number == list->crl.number &&
		    other->crl.der.len == list->crl.der.len &&
		    memcmp(other->crl.der.at, list->crl.der.at,
			list->crl.der.len) == 0)
			return true;
	}
	return false;
}

/* Where a list came from, for people. */
static const char *
place(const struct crl_file *list, char out[RECOVER_PATH])
{
	if (list->line == 0)
		snprintf(out, RECOVER_PATH, "%s", list->path);
	else
		snprintf(out, RECOVER_PATH, "%s:%zu", list->path, list->line);
	return out;
}

struct merge {
	struct recovery *r;
	struct recover_serials serials;
};

static bool
merge_entry(void *ctx, const struct crl_item *item, struct err *err)
{
	struct merge *m = ctx;

	return recover_serial(m->r, &m->serials, item->serial,
	    (int)item->reason, item->revoked_at, err);
}

static bool
merge_list(struct recovery *r, const struct crl_file *list, struct err *err)
{
	char where[RECOVER_PATH];
	struct merge m = {.r = r,
	    .serials = {.path = place(list, where), .ski = list->issuer->ski}};
	bool ok;

	if (!list->crl.sorted)
		return err_set(err, ERR_MALFORMED,
		    "%s: its serials are not in order", where);
	/* The next number is at least this clock's, in milliseconds. */
	if (list->crl.number > (uint64_t)clock_wall_ms())
		fprintf(stderr,
		    "pappus: %s: its number is ahead of this host's clock; "
		    "see to the clock before pappus-crld starts\n",
		    where);
	ok = crl_read_each(&list->crl, merge_entry, &m, err) &&
	     recover_serials_end(r, &m.serials, err);
	recover_serials_free(&m.serials);
	return ok;
}

static bool
take_list(struct recovery *r, const struct crl_file *list, struct err *err)
{
	char ski[HEX_LEN(CERT_KEY_ID_LEN) + 1], where[RECOVER_PATH];
	const struct registered *ca = list->issuer;

	if (ca == NULL) {
		hex_encode(list->crl.key_id.at, CERT_KEY_ID_LEN, ski);
		fprintf(stderr,
		    "pappus: %s: the issuer %s is not registered; its list is "
		    "left out\n",
		    place(list, where), ski);
		r->unknown_lists++;
		return true;
	}
	if (ca->has_crl && list->crl.number < ca->crl_number) {
		fprintf(stderr,
		    "pappus: %s: the database knows a later list of issuer "
		    "%" PRId64 "; this one is left out\n",
		    place(list, where), ca->id);
		r->older_lists++;
		return true;
	}
	r->read_lists++;
	if (ca->purpose == PURPOSE_ROOT)
		return root_crl_import(r->db, &r->registered, list, err);
	return merge_list(r, list, err);
}

bool
recover_lists(struct recovery *r, struct err *err)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < r->lists.n; i++) {
		if (r->lists.lists[i].issuer == NULL || !is_superseded(r, i))
			ok = take_list(r, &r->lists.lists[i], err);
		else
			r->older_lists++;
	}
	return ok;
}
