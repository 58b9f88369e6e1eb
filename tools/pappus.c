/* SPDX-License-Identifier: ISC */
/*
 * pappus: the operator's command.  What stands here needs access to the
 * database: setting it up, registering CAs, the first admin token.
 */
#include "tools/pappus.h"

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "encoding/hex.h"

struct command {
	const char *group; /* the first word; NULL: there is but one */
	const char *name;
	command_fn *run;
	const char *usage;
	const char *about;
};

static const struct command commands[] = {
    {NULL, "migrate", cmd_migrate, "[--sql-dir DIR]",
	"Create the roles and bring the database to this version."},
    {"issuer", "register", cmd_issuer_register, "--dir CA [--shared yes|no]",
	"Register the CA that pappus-ca installed in a folder."},
    {"issuer", "crl", cmd_issuer_crl, "FILE",
	"Import a root's list of revoked CAs, which pappus-ca crl signed."},
    {"certificate", "record", cmd_certificate_record, "FILE...",
	"Record server certificates that pappus-ca made."},
    {"admin-token", "create", cmd_admin_token_create,
	"--role owner --name TEXT --out FILE",
	"Make an admin token and write it to a new file, mode 0600."},
    {NULL, "recover", cmd_recover,
	"[--feed DIR] [--crls FILE...] [--deny-list BASE DELTA]\n"
	"      [--denied FILE...] [--certificates FILE...]",
	"Tell a restored database what it has forgotten."},
};

enum { EXIT_USAGE = 2 };
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void
print_usage(const struct command *command, FILE *out)
{
	fprintf(out, "  pappus %s%s%s %s\n      %s\n",
	    command->group == NULL ? "" : command->group,
	    command->group == NULL ? "" : " ", command->name, command->usage,
	    command->about);
}

static int
help(FILE *out)
{
	size_t i;

	fputs("usage: pappus COMMAND [OPTION...]\n\n", out);
	for (i = 0; i < COMMANDS; i++)
		print_usage(&commands[i], out);
	fputs("  pappus --help | --version\n\n", out);
	conf_help(CONF_TOOL, out);
	return out == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

/* The command that argv starts with; *words is how many words it takes. */
static const struct command *
find_command(int argc, char **argv, int *words)
{
	const struct command *command;
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		command = &commands[i];
		*words = command->group == NULL ? 1 : 2;
		if (argc > *words && strcmp(argv[*words], command->name) == 0 &&
		    (command->group == NULL ||
			strcmp(argv[1], command->group) == 0))
			return command;
	}
	return NULL;
}

static int
run(const struct command *command, int argc, char **argv)
{
	struct err err = {0};

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs("usage:\n", stdout);
		print_usage(command, stdout);
		return EXIT_SUCCESS;
	}
	if (conf_load(CONF_TOOL, &err) && command->run(argc, argv, &err))
		return EXIT_SUCCESS;
	fprintf(stderr, "pappus: %s\n", err.detail);
	return err.code == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	const struct command *command;
	int words;

	log_program("pappus");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return help(stdout);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("pappus %s\n", VERSION);
		return EXIT_SUCCESS;
	}
	command = find_command(argc, argv, &words);
	if (command == NULL) {
		if (argc > 1)
			fprintf(stderr,
			    "pappus: there is no command %s%s%s\n\n", argv[1],
			    argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
		return help(stderr);
	}
	return run(command, argc - words, argv + words);
}

int
options_read(int argc, char **argv, struct option_value *options, size_t n,
    struct err *err)
{
	size_t o;
	int i;

	for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		for (o = 0; o < n; o++)
			if (strcmp(argv[i] + 2, options[o].name) == 0)
				break;
		if (o == n)
			return err_set(err, ERR_CONFIG,
				   "unknown option %s; see --help", argv[i]) -
			       1;
		if (i + 1 == argc)
			return err_set(err, ERR_CONFIG, "%s needs a value",
				   argv[i]) -
			       1;
		if (options[o].value != NULL)
			return err_set(err, ERR_CONFIG, "%s was given twice",
				   argv[i]) -
			       1;
		options[o].value = argv[i + 1];
	}
	for (o = 0; o < n; o++)
		if (options[o].required && options[o].value == NULL)
			return err_set(err, ERR_CONFIG, "--%s is missing",
				   options[o].name) -
			       1;
	return i;
}

bool
file_read(const char *dir, const char *name, size_t max, struct buf *out,
    struct err *err)
{
	char path[4096];
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : dir,
	    name[0] == '/' ? "" : "/", name);
	file = fopen(path, "re");
	if (file == NULL)
		return err_set_errno(err, "cannot open %s", path);
	got = fread(buf_extend(out, max + 1), 1, max + 1, file);
	out->len = out->len - (max + 1) + got;
	if (ferror(file) != 0)
		err_set(err, ERR_SYSTEM, "cannot read %s", path);
	else if (got > max)
		err_set(err, ERR_TOO_LONG, "%s has over %zu bytes", path, max);
	fclose(file);
	return err->code == ERR_NONE;
}

const char *
param_bytea(struct buf *out, const uint8_t *octets, size_t len)
{
	buf_add_str(out, "\\x");
	hex_encode(octets, len, (char *)buf_extend(out, 2 * len + 1));
	return (const char *)out->data;
}

struct db *
database_open(void)
{
	struct db *db = db_new(conf_str(CONF_DATABASE), "pappus");

	db_use_once(db);
	return db;
}

bool
database_call(struct db *db, enum statement statement,
    const char *const *params, struct db_rows **rows, struct err *err)
{
	enum { PATIENCE_US = 60 * 1000 * 1000 };

	return db_call(db, statement, params, clock_mono_us() + PATIENCE_US,
		   PATIENCE_US, rows, err) == DB_OK;
}
