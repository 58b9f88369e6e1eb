/* SPDX-License-Identifier: ISC */
/* pappus-ca server: key and certificate for nginx or the broker. */
#include "tools/ca_tool.h"

static bool
run(const struct ca_args *args, struct err *err)
{
	const struct ca_leaf leaf = {.profile = PROFILE_SERVER,
	    .common_name = args->value[CA_OPT_NAME],
	    .next =
		"  Give both files to the server that they are for, tell the "
		"database\n"
		"  (pappus certificate record), and renew within a year.\n"};
	struct ca_ceremony c;
	bool ok;

	if (args->name_count == 0)
		return err_set(err, ERR_MALFORMED,
		    "clients look for the server's name in --dns and --ip: "
		    "give at least one");
	ca_ceremony_begin(&c, "server");
	ok = ca_leaf_make(&leaf, args, &c, err);
	ca_ceremony_end(&c);
	return ok;
}

const struct ca_command ca_cmd_server = {
    .name = "server",
    .summary = "Make a server's key and certificate, for 1 year",
    .details = "Writes PATH.key (without passphrase) and PATH.crt (the "
	       "certificate, then\n"
	       "the sub-CA's), and a copy to DIR/issued.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_NAME) | CA_BIT(CA_OPT_OUT),
    .takes = CA_BIT(CA_OPT_DNS) | CA_BIT(CA_OPT_IP) |
	     CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
