/* SPDX-License-Identifier: ISC */
/*
 * pappus migrate: roles.sql, then the numbered files that the database hasn't
 * seen, in one transaction under a lock, so that it may be run twice, from
 * two hosts at once, and be killed at any moment.
 */
#include <openssl/evp.h>

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "encoding/hex.h"
#include "tools/pappus.h"

enum { FILE_MAX = 1 << 20, TRIES = 50, SHA256_LEN = 32 };

/* Files are called 0001_what_it_does.sql. */
static int
is_migration(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t len = strlen(name), i;

	for (i = 0; i < 4; i++)
		if (!isdigit((unsigned char)name[i]))
			return 0;
	return name[4] == '_' && len > 9 && strcmp(name + len - 4, ".sql") == 0;
}

/*
 * Two hosts that make the same role or schema at the same moment disturb each
 * other: unique_violation, duplicate_object, duplicate_schema, or "tuple
 * concurrently updated".  The next attempt finds it made.
 */
static bool
is_race(const char *sqlstate)
{
	static const char *const races[] = {
	    "23505", "42710", "42P06", "42P07", "XX000", "40001", "40P01"};
	size_t i;

	for (i = 0; i < sizeof(races) / sizeof(races[0]); i++)
		if (strcmp(sqlstate, races[i]) == 0)
			return true;
	return false;
}

static bool
make_roles(struct db *db, const char *dir, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	struct buf sql = BUF_INIT;
	char sqlstate[6];
	bool ok = false;
	int i;

	if (!file_read(dir, "roles.sql", FILE_MAX, &sql, err))
		goto out;
	for (i = 0; i < TRIES && !ok; i++) {
		err_clear(err);
		ok = db_script(db, buf_str(&sql), sqlstate, err);
		if (!ok && !is_race(sqlstate))
			break;
		if (!ok)
			nanosleep(&pause, NULL);
	}
out:
	buf_free(&sql);
	return ok;
}

static bool
record(struct db *db, int version, const char *name, const char *sha256,
    struct err *err)
{
	char number[16];
	const char *params[] = {number, name, sha256};
	struct db_rows *rows;

	snprintf(number, sizeof(number), "%d", version);
	if (!database_call(db, STATEMENT_MIGRATION_RECORD, params, &rows, err))
		return false;
	db_rows_free(rows);
	return true;
}

/* Apply one file, or see that it is the one that was applied. */
static bool
apply(struct db *db, const char *dir, const char *name,
    const struct db_rows *applied, struct err *err)
{
	char sha256[2 * SHA256_LEN + 1], sqlstate[6];
	int version = atoi(name);
	uint8_t digest[SHA256_LEN];
	struct buf sql = BUF_INIT;
	bool ok = false;
	size_t i;

	if (!file_read(dir, name, FILE_MAX, &sql, err))
		goto out;
	if (!EVP_Digest(sql.data, sql.len, digest, NULL, EVP_sha256(), NULL)) {
		err_set(err, ERR_CRYPTO, "no SHA-256");
		goto out;
	}
	hex_encode(digest, sizeof(digest), sha256);
	for (i = 0; i < db_rows_count(applied); i++) {
		if (db_rows_int(applied, i, 0) != version)
			continue;
		ok = strcmp(db_rows_str(applied, i, 1), sha256) == 0;
		if (!ok)
			err_set(err, ERR_MISMATCH,
			    "%s was changed after it was applied; migrations "
			    "are never edited, add one",
			    name);
		goto out;
	}
	ok = db_script(db, buf_str(&sql), sqlstate, err) &&
	     record(db, version, name, sha256, err);
	if (ok)
		printf("applied %s\n", name);
	else
		fprintf(stderr, "pappus: %s failed\n", name);
out:
	buf_free(&sql);
	return ok;
}

static bool
apply_all(struct db *db, const char *dir, struct dirent **files, int n,
    struct err *err)
{
	struct db_rows *applied = NULL;
	size_t known;
	bool ok;
	int i;

	ok = db_script(db,
		 "BEGIN; SET LOCAL ROLE pappus_owner; LOCK TABLE "
		 "pappus.schema_migrations IN EXCLUSIVE MODE",
		 NULL, err) &&
	     database_call(db, STATEMENT_MIGRATIONS, NULL, &applied, err);
	if (!ok)
		return false;
	known = db_rows_count(applied);
	if (known > 0 &&
	    db_rows_int(applied, known - 1, 0) > atoi(files[n - 1]->d_name))
		ok = err_set(err, ERR_MISMATCH,
		    "the database is of a newer version than this command");
	for (i = 0; i < n && ok; i++)
		ok = apply(db, dir, files[i]->d_name, applied, err);
	db_rows_free(applied);
	return ok && db_script(db, "COMMIT", NULL, err);
}

bool
cmd_migrate(int argc, char **argv, struct err *err)
{
	struct option_value sql_dir = {"sql-dir", NULL, false};
	struct dirent **files = NULL;
	const char *dir = PAPPUS_SQL_DIR;
	bool ok = false;
	struct db *db;
	int i, n;

	n = options_read(argc, argv, &sql_dir, 1, err);
	if (n < 0)
		return false;
	if (n != argc)
		return err_set(err, ERR_CONFIG, "unexpected %s", argv[n]);
	if (sql_dir.value != NULL)
		dir = sql_dir.value;
	n = scandir(dir, &files, is_migration, alphasort);
	if (n <= 0)
		return err_set(
		    err, ERR_CONFIG, "there are no migrations in %s", dir);
	db = database_open();
	ok = make_roles(db, dir, err) && apply_all(db, dir, files, n, err);
	db_free(db);
	for (i = 0; i < n; i++)
		free(files[i]);
	free(files);
	return ok;
}
