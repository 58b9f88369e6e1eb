/* SPDX-License-Identifier: ISC */
/*
 * Private keys: making P-256 keys for devices at speed, making and storing
 * those of CAs and servers, and loading them again.  Each thread has a
 * key_maker of its own: its OpenSSL contexts are fetched once and reused,
 * which triples what a core makes.
 */
#ifndef PAPPUS_CA_KEY_H
#define PAPPUS_CA_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/err.h"

enum { KEY_PRIV_LEN = 32, KEY_PUB_LEN = 65, KEY_SPKI_DIGEST_LEN = 32 };

/* A P-256 key pair as bytes.  Wipe it with key_pair_wipe. */
struct key_pair {
	uint8_t priv[KEY_PRIV_LEN];		  /* big-endian scalar */
	uint8_t pub[KEY_PUB_LEN];		  /* uncompressed: 04, x, y */
	uint8_t spki_sha256[KEY_SPKI_DIGEST_LEN]; /* of the DER SPKI */
};

struct key_maker; /* not for use by two threads at once */

struct key_maker *key_maker_new(struct err *err);
void key_maker_free(struct key_maker *m);

/* A fresh pair; ERR_CRYPTO when OpenSSL fails. */
bool key_make(struct key_maker *m, struct key_pair *out, struct err *err);

void key_pair_wipe(struct key_pair *pair);

/*
 * Append the pair as PEM: PrivateKeyInfo ("BEGIN PRIVATE KEY", RFC 5958) with
 * an ECPrivateKey that holds the public key (RFC 5915).  Lines end in \n.
 */
void key_pem(const struct key_pair *pair, struct buf *pem);

/* A new key as an OpenSSL object, on "P-256" or "P-384". */
EVP_PKEY *key_generate(const char *curve, struct err *err);

/*
 * Append the key as PKCS#8 PEM; with a passphrase, encrypted by AES-256-CBC
 * under a key that scrypt derives (RFC 7914, RFC 8018).
 */
bool key_encode_pem(
    EVP_PKEY *key, const char *passphrase, struct buf *pem, struct err *err);

/*
 * Append the first line of a passphrase file, without its line end, to out.
 * Where systemd gives credentials ($CREDENTIALS_DIRECTORY is set), a name
 * without "/" is one of them and nothing else; write "./name" for a file.
 * Refused when others can read the file (as for keys), when the line is
 * empty or over 1,024 bytes.
 */
bool key_passphrase_load(const char *name, struct buf *out, struct err *err);

/*
 * Load a private key from PEM.  Refused: a file that group or others may
 * read, write or execute, or that belongs to neither the effective user nor
 * root (ERR_REFUSED; a credential of systemd may have mode 0440 when it is
 * root's and root's group's); a key not on P-256 or P-384; an encrypted key
 * without passphrase, or with the wrong one (ERR_CONFIG).  passphrase NULL:
 * none.
 */
bool key_file_load_with(
    const char *path, const char *passphrase, EVP_PKEY **out, struct err *err);

/* The same with the passphrase in a file; NULL: none. */
bool key_file_load(const char *path, const char *passphrase_file,
    EVP_PKEY **out, struct err *err);

#endif
