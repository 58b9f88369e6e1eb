/* SPDX-License-Identifier: ISC */
/* Tests of ca/key.h: keys and passphrases in files and in credentials. */
#include "ca/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pki.h"

/* A file of the test's own folder. */
struct file {
	char dir[32];
	char path[48];
};

static struct file
file_with(const char *text, mode_t mode)
{
	struct file f = {.dir = "/tmp/pappus-key-XXXXXX"};
	FILE *out;

	ck_assert_ptr_nonnull(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/a.key", f.dir);
	out = fopen(f.path, "we");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
	ck_assert_int_eq(chmod(f.path, mode), 0);
	return f;
}

static void
file_remove(const struct file *f)
{
	unlink(f->path);
	rmdir(f->dir);
}

static void
loads(const char *path, const char *passphrase, EVP_PKEY *expected)
{
	struct err err = {.code = ERR_NONE};
	EVP_PKEY *key = NULL;

	ck_assert_msg(
	    key_file_load_with(path, passphrase, &key, &err), "%s", err.detail);
	ck_assert_int_eq(EVP_PKEY_eq(key, expected), 1);
	EVP_PKEY_free(key);
}

static void
refused(const char *path, const char *passphrase, enum err_code code)
{
	struct err err = {.code = ERR_NONE};
	EVP_PKEY *key = NULL;

	ck_assert(!key_file_load_with(path, passphrase, &key, &err));
	ck_assert_ptr_null(key);
	ck_assert_int_eq(err.code, code);
}

START_TEST(files_of_others_are_refused)
{
	static const mode_t bad[] = {0640, 0604, 0644, 0620, 0602, 0610, 0777};
	EVP_PKEY *key = key_generate("P-256", NULL);
	struct buf pem = BUF_INIT;
	struct file f;
	size_t i;

	ck_assert(key_encode_pem(key, NULL, &pem, NULL));
	f = file_with(buf_str(&pem), 0600);
	loads(f.path, NULL, key);
	loads(f.path, "not needed", key);
	ck_assert_int_eq(chmod(f.path, 0400), 0);
	loads(f.path, NULL, key);
	for (i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(chmod(f.path, bad[i]), 0);
		refused(f.path, NULL, ERR_REFUSED);
	}
	/* Only root can make the case of a foreign owner. */
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(f.path, 0600), 0);
		ck_assert_int_eq(chown(f.path, 12345, 12345), 0);
		refused(f.path, NULL, ERR_REFUSED);
	}
	refused(f.dir, NULL, ERR_REFUSED);
	refused("/nonexistent", NULL, ERR_SYSTEM);
	file_remove(&f);
	buf_free(&pem);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(other_keys_are_refused)
{
	EVP_PKEY *p384 = key_generate("P-384", NULL);
	EVP_PKEY *p521 = EVP_EC_gen("P-521");
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct buf pem = BUF_INIT;
	struct file f;

	ck_assert(key_encode_pem(p384, NULL, &pem, NULL));
	f = file_with(buf_str(&pem), 0600);
	loads(f.path, NULL, p384);
	file_remove(&f);
	buf_reset(&pem);
	ck_assert(key_encode_pem(p521, NULL, &pem, NULL));
	f = file_with(buf_str(&pem), 0600);
	refused(f.path, NULL, ERR_REFUSED);
	file_remove(&f);
	buf_reset(&pem);
	ck_assert(key_encode_pem(ed, NULL, &pem, NULL));
	f = file_with(buf_str(&pem), 0600);
	refused(f.path, NULL, ERR_REFUSED);
	file_remove(&f);
	f = file_with("no key", 0600);
	refused(f.path, NULL, ERR_MALFORMED);
	file_remove(&f);
	f = file_with("", 0600);
	refused(f.path, NULL, ERR_MALFORMED);
	file_remove(&f);
	ck_assert_ptr_null(key_generate("P-521", NULL));
	buf_free(&pem);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(p521);
	EVP_PKEY_free(ed);
}
END_TEST

/* scrypt is slow on purpose, so each of these uses it twice at most. */
START_TEST(a_passphrase_opens)
{
	EVP_PKEY *key = key_generate("P-384", NULL);
	struct file f, pass;
	struct buf pem = BUF_INIT;
	EVP_PKEY *got = NULL;

	ck_assert(key_encode_pem(key, "correct horse", &pem, NULL));
	ck_assert_ptr_nonnull(
	    strstr(buf_str(&pem), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
	f = file_with(buf_str(&pem), 0600);
	pass = file_with("correct horse\nsecond line\n", 0600);
	ck_assert(key_file_load(f.path, pass.path, &got, NULL));
	ck_assert_int_eq(EVP_PKEY_eq(got, key), 1);
	EVP_PKEY_free(got);
	ck_assert_int_eq(chmod(pass.path, 0644), 0);
	ck_assert(!key_file_load(f.path, pass.path, &got, NULL));
	ck_assert_ptr_null(got);
	file_remove(&pass);
	file_remove(&f);
	buf_free(&pem);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_wrong_passphrase_does_not)
{
	EVP_PKEY *key = key_generate("P-256", NULL);
	struct buf pem = BUF_INIT;
	struct file f;

	ck_assert(key_encode_pem(key, "correct horse", &pem, NULL));
	f = file_with(buf_str(&pem), 0600);
	refused(f.path, "correct horsf", ERR_CONFIG);
	refused(f.path, NULL, ERR_CONFIG);
	file_remove(&f);
	buf_free(&pem);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(passphrase_files_are_checked)
{
	struct buf out = BUF_INIT;
	char text[1024 + 2];
	struct file f;

	f = file_with("\nsecond\n", 0600);
	ck_assert(!key_passphrase_load(f.path, &out, NULL));
	file_remove(&f);
	memset(text, 'p', sizeof(text));
	text[1024 + 1] = '\0';
	f = file_with(text, 0600);
	ck_assert(!key_passphrase_load(f.path, &out, NULL));
	file_remove(&f);
	text[1024] = '\0';
	f = file_with(text, 0400);
	ck_assert(key_passphrase_load(f.path, &out, NULL));
	ck_assert_str_eq(buf_str(&out), text);
	file_remove(&f);
	buf_reset(&out);
	f = file_with("with space \r\n", 0600);
	ck_assert(key_passphrase_load(f.path, &out, NULL));
	ck_assert_str_eq(buf_str(&out), "with space ");
	file_remove(&f);
	buf_free(&out);
}
END_TEST

/* The folder of a file becomes that of the unit's credentials. */
static void
credentials_are(const char *dir)
{
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
}

static void
passphrase_is(const char *name, const char *expected)
{
	struct buf out = BUF_INIT;
	struct err err = {.code = ERR_NONE};

	ck_assert_msg(key_passphrase_load(name, &out, &err), "%s", err.detail);
	ck_assert_str_eq(buf_str(&out), expected);
	buf_free(&out);
}

static void
passphrase_fails(const char *name, enum err_code code)
{
	struct buf out = BUF_INIT;
	struct err err = {.code = ERR_NONE};

	ck_assert(!key_passphrase_load(name, &out, &err));
	ck_assert_int_eq(err.code, code);
	ck_assert_uint_eq(out.len, 0);
	buf_free(&out);
}

START_TEST(a_bare_name_is_a_credential)
{
	struct file f = file_with("correct horse\n", 0400);
	struct file other = file_with("battery staple\n", 0600);

	ck_assert_int_eq(chdir(other.dir), 0);
	unsetenv("CREDENTIALS_DIRECTORY");
	passphrase_is("a.key", "battery staple");
	credentials_are("");
	passphrase_is("a.key", "battery staple");
	credentials_are(f.dir);
	passphrase_is("a.key", "correct horse");
	passphrase_is("./a.key", "battery staple");
	passphrase_is(other.path, "battery staple");
	passphrase_is(f.path, "correct horse");
	/* What the unit wasn't given is not looked for elsewhere. */
	file_remove(&f);
	passphrase_fails("a.key", ERR_SYSTEM);
	ck_assert_int_eq(chdir("/"), 0);
	file_remove(&other);
}
END_TEST

START_TEST(a_credential_is_as_private_as_a_key)
{
	static const mode_t bad[] = {0444, 0404, 0460, 0640, 0450, 0441, 0644};
	struct file f = file_with("correct horse\n", 0400);
	size_t i;

	credentials_are(f.dir);
	for (i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(chmod(f.path, bad[i]), 0);
		passphrase_fails("a.key", ERR_REFUSED);
	}
	file_remove(&f);
}
END_TEST

/*
 * POSIX ACL of a credential, as the kernel keeps it: version 2; then tag,
 * permissions and id of u::r--, u:ID:r--, g::---, m::r--, o::---.
 */
static bool
set_acl(const char *path, uint8_t id)
{
	const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 4, 0, 255, 255, 255, 255, 2, 0,
	    4, 0, id, 0, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255,
	    255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};

	return setxattr(path, "system.posix_acl_access", acl, sizeof(acl), 0) ==
	       0;
}

/* As systemd hands it to a service that is not root's. */
START_TEST(a_credential_may_be_let_in_by_acl)
{
	enum { USER = 99 };
	EVP_PKEY *key = key_generate("P-256", NULL);
	struct buf pem = BUF_INIT;
	struct stat st;
	struct file f;

	if (geteuid() != 0) /* only root can give files to root */
		goto out;
	ck_assert(key_encode_pem(key, NULL, &pem, NULL));
	f = file_with(buf_str(&pem), 0400);
	ck_assert_int_eq(chmod(f.dir, 0711), 0);
	if (!set_acl(f.path, USER)) {
		fputs("no ACLs here: mode 0440 in their place\n", stderr);
		ck_assert_int_eq(chmod(f.path, 0440), 0);
	} else {
		ck_assert_int_eq(seteuid(USER), 0);
	}
	ck_assert_int_eq(stat(f.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0440);
	credentials_are(f.dir);
	loads(f.path, NULL, key);
	/* Anywhere else the mode means what it says. */
	credentials_are("/nonexistent");
	refused(f.path, NULL, ERR_REFUSED);
	credentials_are("/tmp"); /* not right in it */
	refused(f.path, NULL, ERR_REFUSED);
	unsetenv("CREDENTIALS_DIRECTORY");
	refused(f.path, NULL, ERR_REFUSED);
	ck_assert_int_eq(seteuid(0), 0);
	credentials_are(f.dir);
	ck_assert_int_eq(chown(f.path, 0, USER), 0);
	refused(f.path, NULL, ERR_REFUSED);
	ck_assert_int_eq(chown(f.path, USER, 0), 0);
	refused(f.path, NULL, ERR_REFUSED);
	file_remove(&f);
out:
	buf_free(&pem);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(the_folder_of_credentials_may_end_in_slashes)
{
	struct file f = file_with("correct horse\n", 0440);
	char dir[48], path[64];

	if (geteuid() == 0) {
		snprintf(dir, sizeof(dir), "%s//", f.dir);
		credentials_are(dir);
		passphrase_is(f.path, "correct horse");
		credentials_are(f.dir);
		snprintf(path, sizeof(path), "%s/./a.key", f.dir);
		passphrase_fails(path, ERR_REFUSED);
	}
	file_remove(&f);
}
END_TEST

UNIT_MAIN("key_file", files_of_others_are_refused, other_keys_are_refused,
    a_passphrase_opens, a_wrong_passphrase_does_not,
    passphrase_files_are_checked, a_bare_name_is_a_credential,
    a_credential_is_as_private_as_a_key, a_credential_may_be_let_in_by_acl,
    the_folder_of_credentials_may_end_in_slashes)
