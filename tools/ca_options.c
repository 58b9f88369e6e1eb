/* SPDX-License-Identifier: ISC */
/* The command lines of pappus-ca: one table of options, used by all. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/ca_tool.h"

struct row {
	const char *name;
	const char *arg; /* NULL: a flag */
	const char *help;
};

static const struct row rows[CA_OPT_MAX] = {
    [CA_OPT_DIR] = {"dir", "DIR", "the CA's folder"},
    [CA_OPT_NAME] = {"name", "CN", "common name of the new certificate"},
    [CA_OPT_ORG] = {"org", "O", "organization of the new certificate"},
    [CA_OPT_CURVE] = {"curve", "CURVE", "P-256 (default) or P-384"},
    [CA_OPT_CRL_URL] = {"crl-url", "URL",
	"where this CA's CRL (DER) will be, for good: http://..."},
    [CA_OPT_CA_URL] = {"ca-url", "URL",
	"where this CA's certificate (DER) will be, for good: http://..."},
    [CA_OPT_TRUST_DOMAIN] = {"trust-domain", "NAME",
	"trust domain of the devices' SPIFFE ids"},
    [CA_OPT_REQUEST] = {"request", "FILE", "the request (PKCS#10)"},
    [CA_OPT_PURPOSE] = {"purpose", "PURPOSE", "device, server or service"},
    [CA_OPT_REASON] = {"reason", "REASON", "why, as RFC 5280 spells it"},
    [CA_OPT_CERT] = {"cert", "FILE", "the certificate that sign made"},
    [CA_OPT_ROOT] = {"root", "FILE", "the root's certificate"},
    [CA_OPT_DNS] = {"dns", "NAME", "a DNS name of the server; repeatable"},
    [CA_OPT_IP] = {"ip", "ADDRESS", "an IP address of it; repeatable"},
    [CA_OPT_OUT] = {"out", "PATH", "what to write"},
    [CA_OPT_PASSPHRASE_FILE] = {"passphrase-file", "FILE",
	"file whose first line protects the CA's key"},
    [CA_OPT_ASK_PASSPHRASE] = {"ask-passphrase", NULL,
	"ask for that passphrase on the terminal"},
    [CA_OPT_HELP] = {"help", NULL, "print this"},
};

static bool
add_name(
    struct ca_args *args, enum ca_opt opt, const char *value, struct err *err)
{
	if (args->name_count == CA_NAMES_MAX)
		return err_set(
		    err, ERR_TOO_LONG, "over %d names", CA_NAMES_MAX);
	args->names[args->name_count].type =
	    opt == CA_OPT_DNS ? EXT_NAME_DNS : EXT_NAME_IP;
	args->names[args->name_count].value = value;
	args->name_count++;
	return true;
}

static bool
take(const struct ca_command *command, struct ca_args *args, int opt,
    struct err *err)
{
	unsigned int known =
	    command->needs | command->takes | CA_BIT(CA_OPT_HELP);
	const char *value = rows[opt].arg == NULL ? "" : optarg;

	if ((known & CA_BIT(opt)) == 0)
		return err_set(err, ERR_MALFORMED, "--%s is no option of this",
		    rows[opt].name);
	if (rows[opt].arg != NULL && *value == '\0')
		return err_set(
		    err, ERR_MALFORMED, "--%s is empty", rows[opt].name);
	if (opt == CA_OPT_DNS || opt == CA_OPT_IP)
		return add_name(args, (enum ca_opt)opt, value, err);
	if (args->value[opt] != NULL)
		return err_set(
		    err, ERR_DUPLICATE, "--%s is given twice", rows[opt].name);
	args->value[opt] = value;
	return true;
}

static bool
check_complete(const struct ca_command *command, const struct ca_args *args,
    struct err *err)
{
	int opt;

	for (opt = 0; opt < CA_OPT_MAX; opt++)
		if ((command->needs & CA_BIT(opt)) != 0 &&
		    args->value[opt] == NULL)
			return err_set(err, ERR_MALFORMED, "--%s %s is missing",
			    rows[opt].name, rows[opt].arg);
	if (command->files && args->file_count == 0)
		return err_set(err, ERR_MALFORMED, "FILE is missing");
	if (!command->files && args->file_count > 0)
		return err_set(err, ERR_MALFORMED,
		    "\"%.80s\" is no option of this", args->files[0]);
	if (args->value[CA_OPT_PASSPHRASE_FILE] != NULL &&
	    args->value[CA_OPT_ASK_PASSPHRASE] != NULL)
		return err_set(err, ERR_MALFORMED,
		    "--passphrase-file and --ask-passphrase exclude each "
		    "other");
	return true;
}

bool
ca_args_parse(const struct ca_command *command, int argc, char **argv,
    struct ca_args *args, struct err *err)
{
	struct option options[CA_OPT_MAX + 1];
	int opt;

	memset(args, 0, sizeof(*args));
	memset(options, 0, sizeof(options));
	for (opt = 0; opt < CA_OPT_MAX; opt++) {
		options[opt].name = rows[opt].name;
		options[opt].has_arg = rows[opt].arg != NULL;
		options[opt].val = opt;
	}
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (opt == ':')
			return err_set(err, ERR_MALFORMED,
			    "\"%.80s\" needs a value", argv[optind - 1]);
		if (opt == '?')
			return err_set(err, ERR_MALFORMED,
			    "there is no option \"%.80s\"", argv[optind - 1]);
		if (!take(command, args, opt, err))
			return false;
	}
	args->files = argv + optind;
	args->file_count = argc - optind;
	return args->value[CA_OPT_HELP] != NULL ||
	       check_complete(command, args, err);
}

static void
print_options(unsigned int set, const char *title)
{
	char left[64];
	int opt;

	if (set == 0)
		return;
	printf("\n%s\n", title);
	for (opt = 0; opt < CA_OPT_MAX; opt++) {
		if ((set & CA_BIT(opt)) == 0)
			continue;
		snprintf(left, sizeof(left), "--%s %s", rows[opt].name,
		    rows[opt].arg == NULL ? "" : rows[opt].arg);
		printf("  %-24s  %s\n", left, rows[opt].help);
	}
}

void
ca_command_help(const struct ca_command *command)
{
	printf("usage: pappus-ca %s [OPTION]...%s\n\n%s.\n\n%s", command->name,
	    command->files ? " FILE..." : "", command->summary,
	    command->details);
	print_options(command->needs, "Needed:");
	print_options(command->takes | CA_BIT(CA_OPT_HELP), "Optional:");
}
