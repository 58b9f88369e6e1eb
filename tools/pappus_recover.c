/* SPDX-License-Identifier: ISC */
/*
 * pappus recover: after an older database was restored, tell it of the
 * certificates and denials that it has forgotten.  Each chunk is one
 * transaction, and what is known already is left alone, so that it may be
 * run again at any time, after a failure too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/pappus.h"
#include "tools/recover.h"

/* Handles one of an option's files; two at a time where it takes pairs. */
typedef bool recover_fn(struct recovery *r, char **files, struct err *err);

static bool
take_certificates(struct recovery *r, char **files, struct err *err)
{
	return recover_certificates(r, files[0], err);
}

static bool
take_denials(struct recovery *r, char **files, struct err *err)
{
	return recover_denials(r, files[0], err);
}

static bool
take_crls(struct recovery *r, char **files, struct err *err)
{
	r->published = true;
	return recover_add_list(r, files[0], err);
}

static bool
take_feed_crls(struct recovery *r, char **files, struct err *err)
{
	r->published = true;
	return recover_add_feed(r, files[0], err);
}

static bool
take_feed(struct recovery *r, char **files, struct err *err)
{
	return recover_feed(r, files[0], err);
}

static bool
check_deny_list(struct recovery *r, char **files, struct err *err)
{
	(void)r;
	return recover_check_deny_list(files[0], files[1], err);
}

static bool
take_deny_list(struct recovery *r, char **files, struct err *err)
{
	return recover_deny_list(r, files[0], files[1], err);
}

struct option {
	const char *name;
	int files; /* how many at a time */
};

enum { CERTIFICATES, DENIED, CRLS, FEED, DENY_LIST, OPTIONS };

static const struct option options[OPTIONS] = {
    [CERTIFICATES] = {"--certificates", 1},
    [DENIED] = {"--denied", 1},
    [CRLS] = {"--crls", 1},
    [FEED] = {"--feed", 1},
    [DENY_LIST] = {"--deny-list", 2},
};

static bool
is_option(const char *argument)
{
	return strncmp(argument, "--", 2) == 0;
}

/* Handle the files that follow an option, wherever it stands. */
static bool
each_file(int argc, char **argv, const struct option *option,
    recover_fn *recover, struct recovery *r, struct err *err)
{
	bool mine = false, ok = true;
	int i;

	for (i = 1; i < argc && ok; i++) {
		if (is_option(argv[i])) {
			mine = strcmp(argv[i], option->name) == 0;
		} else if (mine) {
			ok = recover(r, argv + i, err);
			i += option->files - 1;
		}
	}
	return ok;
}

static const struct option *
find_option(const char *name, struct err *err)
{
	size_t i;

	for (i = 0; i < OPTIONS; i++)
		if (strcmp(name, options[i].name) == 0)
			return &options[i];
	err_set(err, ERR_CONFIG, "unknown option %s; see --help", name);
	return NULL;
}

/* Each option with at least one file, all of which can be read. */
static bool
check_arguments(int argc, char **argv, struct err *err)
{
	const struct option *option;
	int i = 1, n;

	if (argc < 2)
		return err_set(err, ERR_CONFIG, "name files; see --help");
	while (i < argc) {
		if (!is_option(argv[i]))
			return err_set(err, ERR_CONFIG,
			    "--feed, --crls, --deny-list, --denied or "
			    "--certificates comes before %s",
			    argv[i]);
		option = find_option(argv[i++], err);
		if (option == NULL)
			return false;
		for (n = 0; i < argc && !is_option(argv[i]); n++, i++)
			if (access(argv[i], R_OK) != 0)
				return err_set_errno(
				    err, "cannot read %s", argv[i]);
		if (n == 0 || n % option->files != 0)
			return err_set(err, ERR_CONFIG, "%s needs %s",
			    option->name,
			    option->files == 1 ? "a file"
					       : "a base and its delta");
	}
	return true;
}

/*
 * What was published is looked at, all of it, before any is merged.  CRLs
 * first, for they say when and why; then whoever is denied besides; last the
 * certificates, which are then never seen as good.
 */
static bool
recover_all(struct recovery *r, int argc, char **argv, struct err *err)
{
	static const struct {
		int option;
		recover_fn *take;
	} first[] = {{FEED, take_feed_crls}, {DENY_LIST, check_deny_list},
	    {CRLS, take_crls}},
	  then[] = {{FEED, take_feed}, {DENY_LIST, take_deny_list},
	      {DENIED, take_denials}, {CERTIFICATES, take_certificates}};
	bool ok;
	size_t i;

	ok = registered_load(r->db, &r->registered, err);
	for (i = 0; ok && i < sizeof(first) / sizeof(first[0]); i++)
		ok = each_file(argc, argv, &options[first[i].option],
		    first[i].take, r, err);
	ok = ok && recover_lists(r, err);
	for (i = 0; ok && i < sizeof(then) / sizeof(then[0]); i++)
		ok = each_file(
		    argc, argv, &options[then[i].option], then[i].take, r, err);
	return ok;
}

static void
print_summary(const struct recovery *r)
{
	if (r->published)
		printf("CRLs: %zu merged, %zu older or twice, %zu of unknown "
		       "issuers\n",
		    r->read_lists, r->older_lists, r->unknown_lists);
	printf("denials: %" PRId64 " devices and %" PRId64
	       " serials new, %" PRId64 " known\n",
	    r->denials[DENIED_DEVICES], r->denials[DENIED_SERIALS],
	    r->denials[DENIED_ALREADY]);
	printf("certificates: %" PRId64 " new, %" PRId64
	       " known, %zu of unknown issuers, %zu of CAs passed over\n",
	    r->certificates[ADDED], r->certificates[KNOWN], r->unknown, r->cas);
	printf("devices: %" PRId64
	       " new, without a token until they are reset\n",
	    r->certificates[DEVICES]);
}

bool
cmd_recover(int argc, char **argv, struct err *err)
{
	struct recovery r = {0};
	bool ok;

	if (!check_arguments(argc, argv, err))
		return false;
	r.db = database_open();
	ok = recover_all(&r, argc, argv, err);
	print_summary(&r);
	if (ok && r.unknown + r.unknown_lists > 0)
		ok = err_set(err, ERR_MISMATCH,
		    "register the unknown issuers and run this again");
	crl_files_free(&r.lists);
	registered_free(&r.registered);
	db_free(r.db);
	buf_free(&r.chunk);
	buf_free(&r.strangers);
	return ok;
}
