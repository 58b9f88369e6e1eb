/* SPDX-License-Identifier: ISC */
/* Tests of ca/key.h: keys made at speed, and key files. */
#include "ca/key.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "cert/cert.h"
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

static EVP_PKEY *
from_pem(struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	ck_assert_ptr_nonnull(key);
	return key;
}

/* OpenSSL reads our PEM, agrees with every byte and writes the same. */
START_TEST(pkcs8_is_what_openssl_writes)
{
	struct key_maker *m = key_maker_new(NULL);
	struct key_pair pair, zero = {.pub = {0}};
	uint8_t digest[KEY_SPKI_DIGEST_LEN], pub[KEY_PUB_LEN];
	struct buf pem = BUF_INIT, theirs = BUF_INIT;
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key;
	size_t len;
	int i;

	for (i = 0; i < 300; i++) {
		buf_reset(&pem);
		buf_reset(&theirs);
		ck_assert(key_make(m, &pair, NULL));
		key_pem(&pair, &pem);
		key = from_pem(&pem);
		ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		ck_assert_int_eq(EVP_PKEY_check(ctx), 1);
		EVP_PKEY_CTX_free(ctx);
		EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub), &len);
		ck_assert_mem_eq(pub, pair.pub, KEY_PUB_LEN);
		ck_assert(cert_spki_sha256(key, digest, NULL));
		ck_assert_mem_eq(digest, pair.spki_sha256, sizeof(digest));
		ck_assert(key_encode_pem(key, NULL, &theirs, NULL));
		ck_assert_str_eq(buf_str(&theirs), buf_str(&pem));
		EVP_PKEY_free(key);
		key_pair_wipe(&pair);
		ck_assert_mem_eq(&pair, &zero, sizeof(pair));
	}
	buf_free(&pem);
	buf_free(&theirs);
	key_maker_free(m);
}
END_TEST

START_TEST(keys_differ)
{
	struct key_maker *m = key_maker_new(NULL);
	struct key_pair a, b;

	ck_assert(key_make(m, &a, NULL));
	ck_assert(key_make(m, &b, NULL));
	ck_assert_mem_ne(a.priv, b.priv, KEY_PRIV_LEN);
	ck_assert_mem_ne(a.pub, b.pub, KEY_PUB_LEN);
	key_maker_free(m);
}
END_TEST

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

UNIT_MAIN("key", pkcs8_is_what_openssl_writes, keys_differ,
    files_of_others_are_refused, other_keys_are_refused, a_passphrase_opens,
    a_wrong_passphrase_does_not, passphrase_files_are_checked)
