/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the token parser.  A token that is taken is of one kind alone and is
 * what its parts make when formatted again.  Since a mutated token almost
 * never has the right checksum, the input is also tried with that mended.
 */
#include "fuzz.h"

#include "encoding/token.h"

enum { SECRET_AT = TOKEN_LEN - TOKEN_SECRET_LEN - 6 };

static const enum name_kind row[] = {
    [TOKEN_ENROLLMENT] = NAME_ENROLLMENT_TOKEN,
    [TOKEN_DEVICE] = NAME_DEVICE,
    [TOKEN_ADMIN] = NAME_ADMIN_TOKEN,
};

/* Format again what s was parsed into. */
static void
rebuild(enum token_kind kind, const char *s, const struct token *token,
    char out[TOKEN_LEN + 1])
{
	struct token_secret secret = {0};

	memcpy(secret.text, s + SECRET_AT, TOKEN_SECRET_LEN);
	token_format(kind, token->name, &secret, out);
}

static int
count_kinds(const char *s, size_t len)
{
	char again[TOKEN_LEN + 1];
	struct token token;
	struct err err;
	int kind, taken = 0;

	for (kind = TOKEN_ENROLLMENT; kind <= TOKEN_ADMIN; kind++) {
		err_clear(&err);
		if (!token_parse((enum token_kind)kind, s, len, &token, &err)) {
			must_explain(&err);
			MUST(err.code == ERR_MALFORMED);
			continue;
		}
		taken++;
		MUST(len == TOKEN_LEN);
		MUST(name_valid(row[kind], token.name, strlen(token.name)));
		rebuild((enum token_kind)kind, s, &token, again);
		MUST(memcmp(again, s, TOKEN_LEN) == 0);
	}
	return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char mended[TOKEN_LEN + 1];
	struct token token = {"dev_", {0}};
	const char *s = (const char *)data;

	MUST(count_kinds(s, len) <= 1);
	if (len != TOKEN_LEN)
		return 0;
	memcpy(token.name + 4, s + 3, SECRET_AT - 3);
	rebuild(TOKEN_DEVICE, s, &token, mended);
	if (name_valid(NAME_DEVICE, token.name, strlen(token.name)))
		count_kinds(mended, TOKEN_LEN);
	else
		MUST(count_kinds(mended, TOKEN_LEN) == 0);
	return 0;
}
