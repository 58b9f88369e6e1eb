/* SPDX-License-Identifier: ISC */
/*
 * pappus-ca: the ceremonies of the certification authorities.  It makes the
 * root, signs sub-CAs and the root's CRL on the machine that is kept offline,
 * and requests, installs and uses sub-CAs on the one that isn't.  It needs
 * files and libcrypto and nothing else; what touches the database is pappus.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tools/ca_tool.h"

enum { EXIT_USAGE = 2 };

static const struct ca_command *const commands[] = {
    &ca_cmd_root,
    &ca_cmd_request,
    &ca_cmd_sign,
    &ca_cmd_install,
    &ca_cmd_server,
    &ca_cmd_service,
    &ca_cmd_revoke_ca,
    &ca_cmd_crl,
    &ca_cmd_show,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void
help(FILE *out)
{
	int i;

	fputs("usage: pappus-ca COMMAND [OPTION]...\n"
	      "\n"
	      "The ceremonies of Pappus's certification authorities.\n"
	      "\n",
	    out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-9s  %s\n", commands[i]->name,
		    commands[i]->summary);
	fputs("\n"
	      "pappus-ca COMMAND --help tells more; so does pappus-ca(1).\n",
	    out);
}

static const struct ca_command *
find(const char *name)
{
	int i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i];
	return NULL;
}

/* Keys pass through this process: nobody else may look into it. */
static void
shut_in(void)
{
	static const struct rlimit none = {0, 0};

	umask(S_IRWXG | S_IRWXO);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int
run(const struct ca_command *command, int argc, char **argv)
{
	struct err err = {.code = ERR_NONE};
	struct ca_args args;

	if (!ca_args_parse(command, argc, argv, &args, &err)) {
		fprintf(stderr,
		    "pappus-ca %s: %s\n"
		    "pappus-ca %s --help tells what it takes.\n",
		    command->name, err.detail, command->name);
		return EXIT_USAGE;
	}
	if (args.value[CA_OPT_HELP] != NULL) {
		ca_command_help(command);
		return EXIT_SUCCESS;
	}
	if (!command->run(&args, &err)) {
		fprintf(
		    stderr, "pappus-ca %s: %s\n", command->name, err.detail);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	const struct ca_command *command;

	shut_in();
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0) {
		help(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("pappus-ca " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	command = find(argv[1]);
	if (command == NULL) {
		fprintf(stderr,
		    "pappus-ca: there is no command \"%s\"; "
		    "pappus-ca --help lists them\n",
		    argv[1]);
		return EXIT_USAGE;
	}
	return run(command, argc - 1, argv + 1);
}
