/* SPDX-License-Identifier: ISC */
/*
 * pappus admin-token create: the way in that is no way over HTTP.  The token
 * goes into a file and nowhere else; the database gets its digest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "encoding/hex.h"
#include "encoding/token.h"
#include "encoding/utf8.h"
#include "tools/pappus.h"

enum { NAME_CHARS_MAX = 128 };

static bool
check(const char *role, const char *name, struct err *err)
{
	size_t chars;

	if (strcmp(role, "owner") != 0)
		return err_set(err, ERR_CONFIG,
		    "--role %.20s: only owner can be made yet", role);
	if (!utf8_valid_text((const uint8_t *)name, strlen(name), &chars) ||
	    chars == 0 || chars > NAME_CHARS_MAX)
		return err_set(err, ERR_CONFIG,
		    "--name must be 1 to %d characters of UTF-8 text",
		    NAME_CHARS_MAX);
	return true;
}

/* The file is made first: a token that can't be kept must not exist. */
static bool
write_token(const char *path, const char *id, const struct token_secret *secret,
    struct err *err)
{
	char line[TOKEN_LEN + 2];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return err_set_errno(err, "cannot make %s", path);
	token_format(TOKEN_ADMIN, id, secret, line);
	line[TOKEN_LEN] = '\n';
	ok = write(fd, line, TOKEN_LEN + 1) == TOKEN_LEN + 1 && fsync(fd) == 0;
	if (!ok)
		err_set_errno(err, "cannot write %s", path);
	close(fd);
	explicit_bzero(line, sizeof(line));
	if (!ok)
		unlink(path);
	return ok;
}

static bool
record(const char *id, const struct token_secret *secret, const char *role,
    const char *name, struct err *err)
{
	char digest[2 + 2 * TOKEN_DIGEST_LEN + 1] = "\\x";
	const char *params[] = {id, digest, role, name};
	struct db *db = database_open();
	struct db_rows *rows;
	bool ok;

	hex_encode(secret->digest, TOKEN_DIGEST_LEN, digest + 2);
	ok =
	    database_call(db, STATEMENT_ADMIN_TOKEN_CREATE, params, &rows, err);
	if (ok)
		db_rows_free(rows);
	db_free(db);
	return ok;
}

bool
cmd_admin_token_create(int argc, char **argv, struct err *err)
{
	enum { ROLE, NAME, OUT, OPTIONS };
	struct option_value options[OPTIONS] = {
	    [ROLE] = {"role", NULL, true},
	    [NAME] = {"name", NULL, true},
	    [OUT] = {"out", NULL, true},
	};
	struct token_secret secret;
	char id[NAME_MAX_LEN + 1];
	int n = options_read(argc, argv, options, OPTIONS, err);
	bool ok;

	if (n < 0)
		return false;
	if (n != argc)
		return err_set(err, ERR_CONFIG, "unexpected %s", argv[n]);
	if (!check(options[ROLE].value, options[NAME].value, err))
		return false;
	name_generate(NAME_ADMIN_TOKEN, clock_wall_ms(), id);
	token_secret_generate(&secret);
	ok = write_token(options[OUT].value, id, &secret, err);
	if (ok && !record(id, &secret, options[ROLE].value, options[NAME].value,
		      err)) {
		unlink(options[OUT].value);
		ok = false;
	}
	token_secret_wipe(&secret);
	if (ok)
		printf("%s\n", id);
	return ok;
}
