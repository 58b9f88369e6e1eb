/* SPDX-License-Identifier: ISC */
/* A CA that exists in a folder, and the passphrase of its key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "ca/key.h"
#include "cert/cert.h"
#include "tools/ca_tool.h"

X509 *
ca_cert_read(const char *path, struct err *err)
{
	struct err why = {.code = ERR_NONE};
	struct buf data = BUF_INIT;
	X509 *cert = NULL;

	if (ca_file_read(path, &data, err)) {
		cert = cert_decode(data.data, data.len, &why);
		if (cert == NULL)
			err_set(err, why.code, "%s: %s", path, why.detail);
	}
	buf_free(&data);
	return cert;
}

bool
ca_passphrase(const struct ca_args *args, bool make, struct buf *passphrase,
    struct err *err)
{
	const char *file = args->value[CA_OPT_PASSPHRASE_FILE];

	if (file != NULL)
		return key_passphrase_load(file, passphrase, err);
	if (args->value[CA_OPT_ASK_PASSPHRASE] != NULL)
		return ca_terminal_ask(make, passphrase, err);
	return true;
}

bool
ca_key_seal(
    const struct ca_args *args, EVP_PKEY *key, struct buf *pem, struct err *err)
{
	struct buf passphrase = BUF_INIT;
	bool ok;

	ok = ca_passphrase(args, true, &passphrase, err) &&
	     key_encode_pem(key,
		 passphrase.len > 0 ? buf_str(&passphrase) : NULL, pem, err);
	buf_free(&passphrase);
	return ok;
}

EVP_PKEY *
ca_key_open(const struct ca_args *args, const char *path, struct err *err)
{
	struct buf passphrase = BUF_INIT;
	EVP_PKEY *key = NULL;

	if (ca_passphrase(args, false, &passphrase, err))
		key_file_load_with(path,
		    passphrase.len > 0 ? buf_str(&passphrase) : NULL, &key,
		    err);
	buf_free(&passphrase);
	return key;
}

static bool
read_urls(const char *path, struct urls *urls, struct err *err)
{
	struct err why = {.code = ERR_NONE};
	struct buf text = BUF_INIT;
	bool ok = ca_file_read(path, &text, err);

	if (ok && !urls_parse(buf_str(&text), text.len, urls, &why))
		ok = err_set(err, why.code, "%s: %s", path, why.detail);
	buf_free(&text);
	return ok;
}

/* "root" and ".crt" become root.crt in the folder. */
static char *
member(const char *dir, const char *base, const char *suffix)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%s", base, suffix);
	return ca_path(dir, name);
}

bool
ca_folder_read(struct ca_folder *f, const char *dir, const char *base,
    enum purpose purpose, struct err *err)
{
	char *cert_path = member(dir, base, ".crt");
	char *urls_path = member(dir, base, ".urls");
	bool ok = false;

	memset(f, 0, sizeof(*f));
	if (!ca_folder_lock(dir, err))
		goto out;
	f->cert = ca_cert_read(cert_path, err);
	if (f->cert == NULL || !read_urls(urls_path, &f->urls, err))
		goto out;
	ok = f->urls.purpose == purpose &&
	     profile_check_ca(profile_ca(purpose), f->cert, NULL);
	if (!ok)
		err_set(err, ERR_MISMATCH,
		    "%s is no %s: this command needs one", cert_path,
		    profile_ca(purpose)->name);
out:
	free(cert_path);
	free(urls_path);
	if (!ok)
		ca_folder_close(f);
	return ok;
}

bool
ca_folder_open(struct ca_folder *f, const char *dir, const char *base,
    enum purpose purpose, const struct ca_args *args, struct err *err)
{
	char *key_path = member(dir, base, ".key");
	bool ok = ca_folder_read(f, dir, base, purpose, err);

	if (ok) {
		f->key = ca_key_open(args, key_path, err);
		ok = f->key != NULL &&
		     X509_check_private_key(f->cert, f->key) == 1;
		if (f->key != NULL && !ok)
			err_set(err, ERR_MISMATCH,
			    "%s does not belong to %s/%s.crt", key_path, dir,
			    base);
		ERR_clear_error();
	}
	free(key_path);
	if (!ok)
		ca_folder_close(f);
	return ok;
}

void
ca_folder_close(struct ca_folder *f)
{
	X509_free(f->cert);
	EVP_PKEY_free(f->key);
	f->cert = NULL;
	f->key = NULL;
}
