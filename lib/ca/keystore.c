/* SPDX-License-Identifier: ISC */
/* The CA keys of one folder: see keystore.h. */
#include "ca/keystore.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ca/key.h"

struct keystore {
	EVP_PKEY **keys;
	size_t count;
};

static void
add(struct keystore *ks, EVP_PKEY *key)
{
	EVP_PKEY **grown =
	    reallocarray(ks->keys, ks->count + 1, sizeof(EVP_PKEY *));

	if (grown == NULL)
		abort();
	ks->keys = grown;
	ks->keys[ks->count++] = key;
}

static bool
is_key_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot != NULL && strcmp(dot, ".key") == 0;
}

static bool
load_all(struct keystore *ks, DIR *folder, const char *dir,
    const char *passphrase, struct err *err)
{
	struct buf path = BUF_INIT;
	struct dirent *entry;
	EVP_PKEY *key;
	bool ok = true;

	while (ok && (entry = readdir(folder)) != NULL) {
		if (!is_key_file(entry->d_name))
			continue;
		buf_reset(&path);
		buf_add_fmt(&path, "%s/%s", dir, entry->d_name);
		ok = key_file_load_with(buf_str(&path), passphrase, &key, err);
		if (ok)
			add(ks, key);
	}
	buf_free(&path);
	if (ok && ks->count == 0)
		ok = err_set(err, ERR_CONFIG, "%s: there is no *.key", dir);
	return ok;
}

struct keystore *
keystore_load(const char *dir, const char *passphrase_file, struct err *err)
{
	struct buf passphrase = BUF_INIT;
	struct keystore *ks = NULL;
	DIR *folder = NULL;
	bool ok = false;

	if (passphrase_file != NULL &&
	    !key_passphrase_load(passphrase_file, &passphrase, err))
		goto out;
	folder = opendir(dir);
	if (folder == NULL) {
		err_set_errno(err, "%s", dir);
		goto out;
	}
	ks = calloc(1, sizeof(*ks));
	if (ks == NULL)
		abort();
	ok = load_all(ks, folder, dir,
	    passphrase_file != NULL ? buf_str(&passphrase) : NULL, err);
out:
	if (folder != NULL)
		closedir(folder);
	buf_free(&passphrase);
	if (!ok) {
		keystore_free(ks);
		ks = NULL;
	}
	return ks;
}

void
keystore_free(struct keystore *ks)
{
	size_t i;

	if (ks == NULL)
		return;
	for (i = 0; i < ks->count; i++)
		EVP_PKEY_free(ks->keys[i]);
	free(ks->keys);
	free(ks);
}

size_t
keystore_count(const struct keystore *ks)
{
	return ks->count;
}

EVP_PKEY *
keystore_find(const struct keystore *ks, X509 *cert)
{
	EVP_PKEY *wanted = X509_get0_pubkey(cert);
	size_t i;

	for (i = 0; wanted != NULL && i < ks->count; i++)
		if (EVP_PKEY_eq(ks->keys[i], wanted) == 1)
			return ks->keys[i];
	return NULL;
}
