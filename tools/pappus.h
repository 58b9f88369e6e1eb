/* SPDX-License-Identifier: ISC */
/* The commands of pappus, one file each, and what they share. */
#ifndef PAPPUS_TOOLS_PAPPUS_H
#define PAPPUS_TOOLS_PAPPUS_H

#include "base/buf.h"
#include "base/err.h"
#include "world/db.h"

/*
 * Run a command.  argv[0] is the command's last word and its options follow.
 * False: *err says why, or is empty when the usage was wrong.
 */
typedef bool command_fn(int argc, char **argv, struct err *err);

command_fn cmd_migrate, cmd_issuer_register, cmd_issuer_crl;
command_fn cmd_certificate_record, cmd_admin_token_create, cmd_recover;

/* One --name VALUE of a command. */
struct option_value {
	const char *name;  /* without the dashes */
	const char *value; /* NULL: not given */
	bool required;
};

/*
 * Read --name VALUE pairs up to the first other argument.  Returns its index,
 * or -1 with *err set: unknown, given twice, without value, or missing.
 */
int options_read(int argc, char **argv, struct option_value *options, size_t n,
    struct err *err);

/* Read a whole file of at most max bytes. */
bool file_read(const char *dir, const char *name, size_t max, struct buf *out,
    struct err *err);

/*
 * Append octets to an empty buffer as the text of a bytea, for a parameter;
 * good until out changes.
 */
const char *param_bytea(struct buf *out, const uint8_t *octets, size_t len);

/* A database connection for one command, from PAPPUS_DATABASE. */
struct db *database_open(void);

/* Call one statement; on success the rows are the caller's. */
bool database_call(struct db *db, enum statement statement,
    const char *const *params, struct db_rows **rows, struct err *err);

#endif
