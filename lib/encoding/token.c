/* SPDX-License-Identifier: ISC */
/* Tokens: see token.h. */
#include "encoding/token.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/rand.h"
#include "encoding/base32.h"
#include "encoding/ulid.h"

enum {
	PREFIX_LEN = 3,
	SECRET_BYTES = 20,
	CHECKSUM_LEN = 6, /* 30 bits */
	SECRET_AT = PREFIX_LEN + ULID_LEN,
	CHECKSUM_AT = SECRET_AT + TOKEN_SECRET_LEN
};

_Static_assert(BASE32_LEN(SECRET_BYTES) == TOKEN_SECRET_LEN, "secret");
_Static_assert(CHECKSUM_AT + CHECKSUM_LEN == TOKEN_LEN, "token");

struct kind {
	char prefix[PREFIX_LEN + 1];
	const char *row; /* the prefix of the row's name */
	const char *called;
};

static const struct kind kinds[] = {
    [TOKEN_ENROLLMENT] = {"et_", "etk_", "an enrolment token"},
    [TOKEN_DEVICE] = {"dt_", "dev_", "a device token"},
    [TOKEN_ADMIN] = {"at_", "atk_", "an admin token"},
};

static void
sha256(const char *s, size_t len, uint8_t out[TOKEN_DIGEST_LEN])
{
	/* Fails only for want of memory, or without any provider at all. */
	if (SHA256((const unsigned char *)s, len, out) == NULL)
		abort();
}

/* The checksum of the first CHECKSUM_AT characters of a token, and a NUL. */
static void
checksum(const char *token, char out[CHECKSUM_LEN + 1])
{
	char digits[BASE32_LEN(4) + 1];
	uint8_t digest[TOKEN_DIGEST_LEN];

	sha256(token, CHECKSUM_AT, digest);
	base32_encode(digest, 4, digits);
	memcpy(out, digits, CHECKSUM_LEN);
	out[CHECKSUM_LEN] = '\0';
}

void
token_secret_generate(struct token_secret *out)
{
	uint8_t random[SECRET_BYTES];

	rand_bytes(random, sizeof(random));
	base32_encode(random, sizeof(random), out->text);
	sha256(out->text, TOKEN_SECRET_LEN, out->digest);
	explicit_bzero(random, sizeof(random));
}

void
token_secret_wipe(struct token_secret *secret)
{
	explicit_bzero(secret, sizeof(*secret));
}

void
token_format(enum token_kind kind, const char *name,
    const struct token_secret *secret, char out[TOKEN_LEN + 1])
{
	const char *ulid = name + strlen(kinds[kind].row);

	memcpy(out, kinds[kind].prefix, PREFIX_LEN);
	memcpy(out + PREFIX_LEN, ulid, ULID_LEN);
	memcpy(out + SECRET_AT, secret->text, TOKEN_SECRET_LEN);
	checksum(out, out + CHECKSUM_AT);
}

bool
token_parse(enum token_kind kind, const char *s, size_t len, struct token *out,
    struct err *err)
{
	const struct kind *k = &kinds[kind];
	char expected[CHECKSUM_LEN + 1];

	if (len < PREFIX_LEN || memcmp(s, k->prefix, PREFIX_LEN) != 0)
		return err_set(err, ERR_MALFORMED,
		    "This is not %s: those begin with %s.", k->called,
		    k->prefix);
	if (len != TOKEN_LEN)
		return err_set(err, ERR_MALFORMED,
		    "The token has %zu characters instead of %d.", len,
		    TOKEN_LEN);
	if (!ulid_valid(s + PREFIX_LEN, ULID_LEN) ||
	    !base32_valid(s + SECRET_AT, TOKEN_LEN - SECRET_AT))
		return err_set(err, ERR_MALFORMED,
		    "The token holds a character that tokens do not have.");
	checksum(s, expected);
	if (memcmp(s + CHECKSUM_AT, expected, CHECKSUM_LEN) != 0)
		return err_set(err, ERR_MALFORMED,
		    "The token has a typing error: its checksum is wrong.");
	memcpy(out->name, k->row, strlen(k->row));
	memcpy(out->name + strlen(k->row), s + PREFIX_LEN, ULID_LEN);
	out->name[strlen(k->row) + ULID_LEN] = '\0';
	sha256(s + SECRET_AT, TOKEN_SECRET_LEN, out->digest);
	return true;
}
