/* SPDX-License-Identifier: ISC */
/* Loading private keys from files: see key.h. */
#include "ca/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "cert/cert.h"
#include "cert/ossl.h"

enum { SECRET_FILE_MAX = 16 * 1024, PASSPHRASE_MAX = 1024 };

/* The folder of the unit's credentials (systemd.exec(5)), or NULL. */
static const char *
credentials(void)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	return dir == NULL || *dir == '\0' ? NULL : dir;
}

/* Whether path lies right in that folder. */
static bool
is_credential(const char *path)
{
	const char *dir = credentials(), *name = strrchr(path, '/');
	size_t len = dir == NULL ? 0 : strlen(dir);

	while (len > 0 && dir[len - 1] == '/')
		len--;
	return len > 0 && name == path + len && strncmp(path, dir, len) == 0;
}

/*
 * systemd leaves a credential to root, with mode 0400, and lets the service's
 * user in by an ACL, whose mask stands in the group's place: 0440.  Nobody but
 * root is in root's group, if that is what it means.
 */
static bool
is_shared_by_acl(const char *path, const struct stat *st)
{
	return (st->st_mode & 0777) == (S_IRUSR | S_IRGRP) && st->st_uid == 0 &&
	       st->st_gid == 0 && is_credential(path);
}

/* Who else could read the secret in the open file fd? */
static bool
check_private(int fd, const char *path, bool regular, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(err, "%s", path);
	if (regular && !S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "%s: not a file", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0 &&
	    !is_shared_by_acl(path, &st))
		return err_set(err, ERR_REFUSED,
		    "%s: group or others can get at it (mode %03o): make it "
		    "0600",
		    path, (unsigned int)(st.st_mode & 0777));
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: belongs to uid %lu, but this runs as uid %lu", path,
		    (unsigned long)st.st_uid, (unsigned long)geteuid());
	return true;
}

static bool
read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	uint8_t chunk[4096];
	ssize_t n;
	bool ok = true;

	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0)
			buf_add(out, chunk, (size_t)n);
		if (n < 0 && errno != EINTR)
			ok = err_set_errno(err, "%s", path);
		else if (out->len > SECRET_FILE_MAX)
			ok = err_set(err, ERR_TOO_LONG, "%s: over %d bytes",
			    path, SECRET_FILE_MAX);
	} while (ok && n != 0);
	OPENSSL_cleanse(chunk, sizeof(chunk));
	return ok;
}

/* A passphrase may also come through a pipe; a key is a file. */
static bool
read_secret(const char *path, bool regular, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0));
	bool ok;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	ok = check_private(fd, path, regular, err) &&
	     read_all(fd, path, out, err);
	close(fd);
	return ok;
}

/* Where a passphrase's file is: a bare name may be a credential's. */
static const char *
locate(const char *name, struct buf *path)
{
	const char *dir = credentials();

	if (dir == NULL || strchr(name, '/') != NULL)
		return name;
	buf_add_fmt(path, "%s/%s", dir, name);
	return buf_str(path);
}

bool
key_passphrase_load(const char *name, struct buf *out, struct err *err)
{
	struct buf text = BUF_INIT, place = BUF_INIT;
	const char *path = locate(name, &place);
	bool ok = read_secret(path, false, &text, err);
	size_t len;

	if (!ok)
		goto out;
	len = strcspn(buf_str(&text), "\r\n");
	ok = len > 0 && len <= PASSPHRASE_MAX;
	if (ok)
		buf_add(out, text.data, len);
	else
		err_set(err, ERR_CONFIG,
		    "%s: its first line must be a passphrase of 1 to %d bytes",
		    path, PASSPHRASE_MAX);
out:
	buf_free(&place);
	buf_free(&text);
	return ok;
}

/* OpenSSL asks for the passphrase; NULL means that there is none. */
static int
give_passphrase(char *into, int size, int writing, void *arg)
{
	const char *passphrase = arg;
	size_t len = passphrase == NULL ? 0 : strlen(passphrase);

	(void)writing;
	if (passphrase == NULL || len > (size_t)size)
		return -1;
	memcpy(into, passphrase, len);
	return (int)len;
}

static bool
decode(struct buf *text, const char *path, const char *passphrase,
    EVP_PKEY **out, struct err *err)
{
	bool sealed = strstr(buf_str(text), "ENCRYPTED") != NULL;
	struct buf secret = BUF_INIT;
	EVP_PKEY *key = NULL;
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);

	/* A copy, for OpenSSL's callback takes a pointer that isn't const. */
	if (passphrase != NULL)
		buf_add(&secret, passphrase, strlen(passphrase) + 1);
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(
		    bio, NULL, give_passphrase, secret.data);
	BIO_free(bio);
	buf_free(&secret);
	ERR_clear_error();
	*out = key;
	if (key != NULL)
		return true;
	if (!sealed)
		return err_set(err, ERR_MALFORMED,
		    "%s: holds no private key in PEM", path);
	return err_set(err, ERR_CONFIG,
	    passphrase == NULL ? "%s: is encrypted, but no passphrase was given"
			       : "%s: the passphrase is wrong",
	    path);
}

bool
key_file_load_with(
    const char *path, const char *passphrase, EVP_PKEY **out, struct err *err)
{
	struct buf text = BUF_INIT;
	struct err why = {.code = ERR_NONE};
	EVP_PKEY *key = NULL;
	bool ok;

	*out = NULL;
	ok = read_secret(path, true, &text, err) &&
	     decode(&text, path, passphrase, &key, err);
	if (ok && !cert_key_check(key, true, &why))
		ok = err_set(err, why.code, "%s: %s", path, why.detail);
	if (ok)
		*out = key;
	else
		EVP_PKEY_free(key);
	buf_free(&text);
	return ok;
}

bool
key_file_load(const char *path, const char *passphrase_file, EVP_PKEY **out,
    struct err *err)
{
	struct buf passphrase = BUF_INIT;
	bool ok;

	*out = NULL;
	if (passphrase_file == NULL)
		return key_file_load_with(path, NULL, out, err);
	ok = key_passphrase_load(passphrase_file, &passphrase, err) &&
	     key_file_load_with(path, buf_str(&passphrase), out, err);
	buf_free(&passphrase);
	return ok;
}
