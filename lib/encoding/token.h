/* SPDX-License-Identifier: ISC */
/*
 * Tokens, the bearer secrets of devices and operators:
 *
 *   dt_ 01jg8qk3v5x9m2n7p4r6s8t0w1 <32 digits> <6 digits>
 *   kind, ULID of the row it opens, secret, checksum (without the spaces)
 *
 * The secret is 160 random bits.  The checksum is the first 30 bits of
 * SHA-256 over all that stands before it: it refuses typing errors without a
 * question to the database, and proves nothing.  All digits are base32.  Only
 * the SHA-256 of the secret's 32 ASCII characters is ever stored.
 */
#ifndef PAPPUS_ENCODING_TOKEN_H
#define PAPPUS_ENCODING_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "encoding/name.h"

enum token_kind {
	TOKEN_ENROLLMENT, /* et_, of a row etk_… */
	TOKEN_DEVICE,	  /* dt_, of a row dev_… */
	TOKEN_ADMIN	  /* at_, of a row atk_… */
};

enum { TOKEN_LEN = 67, TOKEN_SECRET_LEN = 32, TOKEN_DIGEST_LEN = 32 };

/* The secret half of a new token.  The text is to be shown once and wiped. */
struct token_secret {
	char text[TOKEN_SECRET_LEN + 1];
	uint8_t digest[TOKEN_DIGEST_LEN]; /* what is stored */
};

/* What a presented token comes down to; nothing in it is secret. */
struct token {
	char name[NAME_MAX_LEN + 1]; /* of the row: etk_…, dev_…, atk_… */
	uint8_t digest[TOKEN_DIGEST_LEN]; /* to be compared with the stored */
};

/* Draw a new secret.  The caller ends with token_secret_wipe. */
void token_secret_generate(struct token_secret *out);

/* Wipe a secret; it may be wiped twice. */
void token_secret_wipe(struct token_secret *secret);

/*
 * Write the token of a row and a NUL.  name is a valid name of the kind's
 * row.  The caller wipes out when it is done with it.
 */
void token_format(enum token_kind kind, const char *name,
    const struct token_secret *secret, char out[TOKEN_LEN + 1]);

/*
 * Read a presented token: exact length, lower case, of that kind, checksum
 * right.  On failure ERR_MALFORMED, with a detail that says which of these it
 * was and does not repeat the token.
 */
bool token_parse(enum token_kind kind, const char *s, size_t len,
    struct token *out, struct err *err);

#endif
