/* SPDX-License-Identifier: ISC */
/*
 * pappus issuer crl: give the database the root's list of revoked CAs, which
 * pappus-ca crl made at a ceremony.  Whoever is on it is off the feed at once
 * and issues nothing more.
 */
#include "base/clock.h"
#include "tools/crl_file.h"
#include "tools/pappus.h"
#include "tools/root_crl.h"

/* A list out of its time would refuse every device, once it is published. */
static bool
check_times(const struct crl_file *list, struct err *err)
{
	char when[CLOCK_RFC3339_LEN + 1];
	int64_t now = clock_wall_ms() / 1000;

	if (list->crl.this_update > now) {
		clock_rfc3339(list->crl.this_update * 1000, when);
		return err_set(err, ERR_REFUSED,
		    "%s is not valid before %s: is a clock wrong?", list->path,
		    when);
	}
	if (list->crl.next_update <= now) {
		clock_rfc3339(list->crl.next_update * 1000, when);
		return err_set(err, ERR_REFUSED,
		    "%s has ended, at %s: sign a new one (pappus-ca crl)",
		    list->path, when);
	}
	return true;
}

static bool
import(struct db *db, const char *path, struct err *err)
{
	struct crl_files files = {NULL, 0};
	struct registered_list registered;
	bool ok = registered_load(db, &registered, err) &&
		  crl_files_add(&files, path, &registered, err);

	if (ok && files.n != 1)
		ok = err_set(err, ERR_MALFORMED,
		    "%s holds %zu lists, but must hold one", path, files.n);
	if (ok && files.lists[0].issuer == NULL)
		ok = err_set(err, ERR_MISMATCH,
		    "%s is of a CA that is not registered", path);
	ok = ok && check_times(&files.lists[0], err) &&
	     root_crl_import(db, &registered, &files.lists[0], err);
	crl_files_free(&files);
	registered_free(&registered);
	return ok;
}

bool
cmd_issuer_crl(int argc, char **argv, struct err *err)
{
	struct db *db;
	bool ok;

	if (argc != 2 || argv[1][0] == '-')
		return err_set(err, ERR_CONFIG, "name one file");
	db = database_open();
	ok = import(db, argv[1], err);
	db_free(db);
	return ok;
}
