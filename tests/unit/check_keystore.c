/* SPDX-License-Identifier: ISC */
/* Tests of ca/keystore.h: the keys of a folder. */
#include "ca/keystore.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca/key.h"
#include "pki.h"

static char dir[] = "/tmp/pappus-keystore-XXXXXX";

static void
put(const char *name, EVP_PKEY *key, const char *passphrase, mode_t mode)
{
	struct buf pem = BUF_INIT;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	if (key != NULL)
		ck_assert(key_encode_pem(key, passphrase, &pem, NULL));
	else
		buf_add_str(&pem, passphrase);
	fputs(buf_str(&pem), f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
	buf_free(&pem);
}

static void
take(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

/* Loading must fail with an error that names the file. */
static void
refused(const char *passphrase_file, const char *names)
{
	struct err err = {.code = ERR_NONE};

	ck_assert_ptr_null(keystore_load(dir, passphrase_file, &err));
	ck_assert_msg(strstr(err.detail, names) != NULL, "%s", err.detail);
}

START_TEST(finds_keys_by_certificate)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct pki q = pki_new(PROFILE_DEVICE_CA);
	struct err err = {.code = ERR_NONE};
	struct keystore *ks;
	char pass[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(pass, sizeof(pass), "%s/passphrase", dir);
	refused(NULL, dir); /* no key at all */
	put("passphrase", NULL, "open sesame\n", 0600);
	put("one.key", p.key, NULL, 0600);
	put("two.key", p.root_key, "open sesame", 0600);
	put("three.crt", NULL, "no key", 0644);
	put(".four.key", NULL, "hidden", 0644);
	refused(NULL, "two.key");
	ks = keystore_load(dir, pass, &err);
	ck_assert_msg(ks != NULL, "%s", err.detail);
	ck_assert_uint_eq(keystore_count(ks), 2);
	ck_assert_int_eq(
	    X509_check_private_key(p.cert, keystore_find(ks, p.cert)), 1);
	ck_assert_int_eq(
	    X509_check_private_key(p.root, keystore_find(ks, p.root)), 1);
	ck_assert_ptr_null(keystore_find(ks, q.cert));
	keystore_free(ks);
	take("two.key");
	put("five.key", q.key, NULL, 0640);
	refused(pass, "five.key");
	take("five.key");
	put("six.key", NULL, "no key", 0600);
	refused(pass, "six.key");
	take("six.key");
	take("one.key");
	take("three.crt");
	take(".four.key");
	take("passphrase");
	ck_assert_int_eq(rmdir(dir), 0);
	refused(NULL, dir);
	keystore_free(NULL);
	pki_free(&p);
	pki_free(&q);
}
END_TEST

UNIT_MAIN("keystore", finds_keys_by_certificate)
