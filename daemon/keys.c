/* SPDX-License-Identifier: ISC */
/* The keys that CRLs are signed with: see keys.h. */
#include "daemon/keys.h"

#include <sys/stat.h>

#include <stdlib.h>

#include "ca/keystore.h"
#include "ca/sign.h"

struct keys {
	const char *dir;
	const char *passphrase_file;
	struct keystore *store;
	struct timespec loaded; /* the folder's mtime then */
};

static struct timespec
changed_at(const char *dir)
{
	struct stat st = {0};

	/* A folder that can't be looked at is loaded again, which says why. */
	stat(dir, &st);
	return st.st_mtim;
}

struct keys *
keys_new(const char *dir, const char *passphrase_file, struct err *err)
{
	struct keys *keys = calloc(1, sizeof(*keys));

	if (keys == NULL)
		abort();
	keys->dir = dir;
	keys->passphrase_file = passphrase_file;
	keys->loaded = changed_at(dir);
	keys->store = keystore_load(dir, passphrase_file, err);
	if (keys->store == NULL) {
		free(keys);
		return NULL;
	}
	return keys;
}

void
keys_free(struct keys *keys)
{
	if (keys == NULL)
		return;
	keystore_free(keys->store);
	free(keys);
}

bool
keys_refresh(struct keys *keys, struct err *err)
{
	struct timespec now = changed_at(keys->dir);
	struct keystore *fresh;

	if (now.tv_sec == keys->loaded.tv_sec &&
	    now.tv_nsec == keys->loaded.tv_nsec)
		return true;
	fresh = keystore_load(keys->dir, keys->passphrase_file, err);
	if (fresh == NULL)
		return false;
	keystore_free(keys->store);
	keys->store = fresh;
	keys->loaded = now;
	return true;
}

size_t
keys_count(const struct keys *keys)
{
	return keystore_count(keys->store);
}

bool
keys_have(const struct keys *keys, X509 *cert)
{
	return keystore_find(keys->store, cert) != NULL;
}

bool
keys_sign(const struct keys *keys, X509 *issuer, struct crl_draft *draft,
    struct crl_signature *out, struct err *err)
{
	EVP_PKEY *key = keystore_find(keys->store, issuer);

	if (key == NULL)
		return err_set(
		    err, ERR_CONFIG, "its key is not in %s", keys->dir);
	return sign_crl_draft(draft, key, out, err);
}
