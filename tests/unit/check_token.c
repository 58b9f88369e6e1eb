/* SPDX-License-Identifier: ISC */
/* Tests of encoding/token.h. */
#include "encoding/token.h"

#include <string.h>

#include <openssl/sha.h>

#include "unit.h"

#define ULID "01aryz6s41tsv4rrffq69g5fav"
#define SECRET "0123456789abcdefghjkmnpqrstvwxyz"

/* The checksums come from another implementation of the rule in token.h. */
#define GOOD_ENROLLMENT "et_" ULID SECRET "r27djt"
#define GOOD_DEVICE "dt_" ULID SECRET "nsz4q5"
#define GOOD_ADMIN "at_" ULID SECRET "2v8y45"

static const struct {
	enum token_kind kind;
	const char *text;
	const char *name;
} goods[] = {
    {TOKEN_ENROLLMENT, GOOD_ENROLLMENT, "etk_" ULID},
    {TOKEN_DEVICE, GOOD_DEVICE, "dev_" ULID},
    {TOKEN_ADMIN, GOOD_ADMIN, "atk_" ULID},
};

static void
digest_of(const char *secret, uint8_t out[TOKEN_DIGEST_LEN])
{
	SHA256((const unsigned char *)secret, TOKEN_SECRET_LEN, out);
}

START_TEST(secrets_are_new_and_hashed)
{
	struct token_secret a, b;
	uint8_t digest[TOKEN_DIGEST_LEN];

	token_secret_generate(&a);
	token_secret_generate(&b);
	ck_assert_uint_eq(strlen(a.text), TOKEN_SECRET_LEN);
	ck_assert_str_ne(a.text, b.text);
	digest_of(a.text, digest);
	ck_assert_mem_eq(a.digest, digest, TOKEN_DIGEST_LEN);
}
END_TEST

START_TEST(secrets_are_wiped)
{
	static const struct token_secret zero;
	struct token_secret secret;

	token_secret_generate(&secret);
	token_secret_wipe(&secret);
	ck_assert_mem_eq(&secret, &zero, sizeof(zero));
}
END_TEST

START_TEST(formats)
{
	struct token_secret secret = {SECRET, {0}};
	char text[TOKEN_LEN + 1];
	size_t i;

	for (i = 0; i < COUNT(goods); i++) {
		token_format(goods[i].kind, goods[i].name, &secret, text);
		ck_assert_str_eq(text, goods[i].text);
		ck_assert_uint_eq(strlen(text), TOKEN_LEN);
	}
}
END_TEST

START_TEST(parses)
{
	uint8_t digest[TOKEN_DIGEST_LEN];
	struct err err = {0};
	struct token token;
	size_t i;

	digest_of(SECRET, digest);
	for (i = 0; i < COUNT(goods); i++) {
		ck_assert(token_parse(
		    goods[i].kind, goods[i].text, TOKEN_LEN, &token, &err));
		ck_assert_str_eq(token.name, goods[i].name);
		ck_assert_mem_eq(token.digest, digest, TOKEN_DIGEST_LEN);
	}
}
END_TEST

/* Refused for that reason, and without a word of the token in it. */
static void
refused(enum token_kind kind, const char *text, size_t len, const char *why)
{
	struct err err = {0};
	struct token token;

	ck_assert(!token_parse(kind, text, len, &token, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert_msg(strstr(err.detail, why) != NULL,
	    "\"%s\" does not say \"%s\"", err.detail, why);
	ck_assert_ptr_null(strstr(err.detail, "0123456"));
	ck_assert_ptr_null(strstr(err.detail, "01ary"));
}

START_TEST(refuses_the_wrong_kind)
{
	size_t i;
	int kind;

	for (i = 0; i < COUNT(goods); i++)
		for (kind = TOKEN_ENROLLMENT; kind <= TOKEN_ADMIN; kind++)
			if (goods[i].kind != (enum token_kind)kind)
				refused((enum token_kind)kind, goods[i].text,
				    TOKEN_LEN, "begin with");
	refused(TOKEN_DEVICE, "", 0, "begin with dt_");
	refused(TOKEN_DEVICE, "dt", 2, "begin with dt_");
	refused(TOKEN_DEVICE, "DT_" ULID SECRET "nsz4q5", TOKEN_LEN,
	    "begin with dt_");
	refused(TOKEN_DEVICE, " " GOOD_DEVICE, TOKEN_LEN + 1, "begin with");
}
END_TEST

START_TEST(refuses_any_other_length)
{
	size_t len;

	for (len = 3; len < TOKEN_LEN; len++)
		refused(TOKEN_DEVICE, GOOD_DEVICE, len, "instead of 67");
	refused(TOKEN_DEVICE, GOOD_DEVICE "0", TOKEN_LEN + 1, "68 characters");
	refused(TOKEN_DEVICE, GOOD_DEVICE "\n", TOKEN_LEN + 1, "68 characters");
}
END_TEST

START_TEST(refuses_characters_of_no_token)
{
	static const char bad[] = {
	    '\0', ' ', '\n', 'A', 'i', 'l', 'o', 'u', '_', '-', (char)0xe4};
	char text[] = GOOD_DEVICE;
	char kept;
	size_t at, i;

	for (at = 3; at < TOKEN_LEN; at++) {
		kept = text[at];
		for (i = 0; i < sizeof(bad); i++) {
			text[at] = bad[i];
			refused(
			    TOKEN_DEVICE, text, TOKEN_LEN, "character that");
		}
		text[at] = kept;
	}
	/* A ULID of more than 128 bits. */
	text[3] = '8';
	refused(TOKEN_DEVICE, text, TOKEN_LEN, "character that");
}
END_TEST

START_TEST(refuses_every_single_typing_error)
{
	char text[] = GOOD_DEVICE;
	char kept;
	size_t at;

	for (at = 3; at < TOKEN_LEN; at++) {
		kept = text[at];
		text[at] = kept == '5' ? '6' : '5';
		refused(TOKEN_DEVICE, text, TOKEN_LEN, "checksum");
		text[at] = kept;
	}
}
END_TEST

START_TEST(refuses_swapped_neighbours)
{
	char text[] = GOOD_DEVICE;
	char kept;
	size_t at;

	for (at = 4; at < TOKEN_LEN - 1; at++) {
		kept = text[at];
		if (kept == text[at + 1])
			continue;
		text[at] = text[at + 1];
		text[at + 1] = kept;
		refused(TOKEN_DEVICE, text, TOKEN_LEN, "checksum");
		text[at + 1] = text[at];
		text[at] = kept;
	}
}
END_TEST

START_TEST(goes_there_and_back)
{
	char name[NAME_MAX_LEN + 1], text[TOKEN_LEN + 1];
	struct token_secret secret;
	struct err err = {0};
	struct token token;
	int i;

	for (i = 0; i < 100; i++) {
		name_generate(NAME_DEVICE, 1795449999000 + i, name);
		token_secret_generate(&secret);
		token_format(TOKEN_DEVICE, name, &secret, text);
		ck_assert(
		    token_parse(TOKEN_DEVICE, text, TOKEN_LEN, &token, &err));
		ck_assert_str_eq(token.name, name);
		ck_assert_mem_eq(token.digest, secret.digest, TOKEN_DIGEST_LEN);
	}
}
END_TEST

UNIT_MAIN("token", secrets_are_new_and_hashed, secrets_are_wiped, formats,
    parses, refuses_the_wrong_kind, refuses_any_other_length,
    refuses_characters_of_no_token, refuses_every_single_typing_error,
    refuses_swapped_neighbours, goes_there_and_back)
