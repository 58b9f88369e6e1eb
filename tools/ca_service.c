/* SPDX-License-Identifier: ISC */
/*
 * pappus-ca service: key and certificate for what sits on the other side of
 * the broker, a backend that reads what devices send.
 */
#include <stdio.h>
#include <string.h>

#include "encoding/name.h"
#include "tools/ca_tool.h"

/* The given name, or a new one: the broker's ACL knows services by it. */
static bool
choose_name(const struct ca_args *args, int64_t now_ms,
    char name[NAME_MAX_LEN + 1], struct err *err)
{
	const char *given = args->value[CA_OPT_NAME];

	if (given == NULL) {
		name_generate(NAME_SERVICE, now_ms, name);
		return true;
	}
	if (!name_valid(NAME_SERVICE, given, strlen(given)))
		return err_set(err, ERR_MALFORMED,
		    "--name is \"%.80s\", but must be svc_ and a ULID in lower "
		    "case; without it, one is made",
		    given);
	snprintf(name, NAME_MAX_LEN + 1, "%s", given);
	return true;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	struct ca_leaf leaf = {.profile = PROFILE_SERVICE};
	char name[NAME_MAX_LEN + 1];
	struct buf next = BUF_INIT;
	struct ca_ceremony c;
	bool ok;

	ca_ceremony_begin(&c, "service");
	ok = choose_name(args, c.now_ms, name, err);
	if (ok) {
		buf_add_fmt(&next,
		    "  Give both files to the service, and the broker's ACL "
		    "its "
		    "name,\n"
		    "  %s. Tell the database (pappus certificate\n"
		    "  record), and renew within a year, with --name and that "
		    "name.\n",
		    name);
		leaf.common_name = name;
		leaf.next = buf_str(&next);
		ok = ca_leaf_make(&leaf, args, &c, err);
	}
	buf_free(&next);
	ca_ceremony_end(&c);
	return ok;
}

const struct ca_command ca_cmd_service = {
    .name = "service",
    .summary = "Make a service's key and certificate, for 1 year",
    .details = "A service is a client of the broker that is no device. CN is "
	       "its name, svc_\n"
	       "and a ULID; without --name, a new one. Writes PATH.key "
	       "(without passphrase)\n"
	       "and PATH.crt (the certificate, then the sub-CA's), and a copy "
	       "to DIR/issued.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_OUT),
    .takes = CA_BIT(CA_OPT_NAME) | CA_BIT(CA_OPT_PASSPHRASE_FILE) |
	     CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
