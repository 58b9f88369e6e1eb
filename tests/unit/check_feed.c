/* SPDX-License-Identifier: ISC */
/* Tests of encoding/feed.h. */
#include "encoding/feed.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_C "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SKI_1 "1111111111111111111111111111111111111111"
#define SKI_2 "2222222222222222222222222222222222222222"

#define HEAD                                        \
	"pappus-feed 1\nsequence 57\n"              \
	"time 1764061234567\ndeny-base " SHA_A "\n" \
	"deny-delta " SHA_B "\n"
#define CRLS "crls " SHA_C "\n"
#define CRL_1 "crl " SKI_1 " 18446744073709551615 " SHA_A "\n"
#define CRL_2 "crl " SKI_2 " 0 " SHA_B "\n"
#define WHOLE HEAD CRLS CRL_1 CRL_2 "end\n"

static bool
parse_len(const char *text, size_t len, struct feed_state *state)
{
	struct err err = {.code = ERR_NONE};
	bool ok = feed_state_parse((const uint8_t *)text, len, state, &err);

	ck_assert_int_eq(err.code, ok ? ERR_NONE : ERR_MALFORMED);
	return ok;
}

static bool
parse(const char *text, struct feed_state *state)
{
	return parse_len(text, strlen(text), state);
}

/* The line that the error names. */
static int
wrong_line(const char *text)
{
	struct err err = {.code = ERR_NONE};
	struct feed_state state;
	int line = 0;

	ck_assert(!feed_state_parse(
	    (const uint8_t *)text, strlen(text), &state, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert_int_eq(sscanf(err.detail, "line %d ", &line), 1);
	return line;
}

START_TEST(reads_all_lines)
{
	struct feed_state state;

	ck_assert(parse(WHOLE, &state));
	ck_assert_uint_eq(state.sequence, 57);
	ck_assert_int_eq(state.time_ms, INT64_C(1764061234567));
	ck_assert_str_eq(state.deny_base, SHA_A);
	ck_assert_str_eq(state.deny_delta, SHA_B);
	ck_assert_str_eq(state.crls, SHA_C);
	ck_assert_uint_eq(state.crl_count, 2);
	ck_assert_str_eq(state.crl[0].ski, SKI_1);
	ck_assert_uint_eq(state.crl[0].number, UINT64_MAX);
	ck_assert_str_eq(state.crl[0].name, SHA_A);
	ck_assert_str_eq(state.crl[1].ski, SKI_2);
	ck_assert_uint_eq(state.crl[1].number, 0);
	ck_assert_str_eq(state.crl[1].name, SHA_B);
}
END_TEST

START_TEST(reads_a_state_without_lists)
{
	struct feed_state state;

	ck_assert(parse(HEAD "end\n", &state));
	ck_assert_str_eq(state.crls, "");
	ck_assert_uint_eq(state.crl_count, 0);
	ck_assert(parse(HEAD CRL_1 "end\n", &state));
	ck_assert_str_eq(state.crls, "");
	ck_assert_uint_eq(state.crl_count, 1);
	ck_assert(parse(HEAD CRLS "end\n", &state));
	ck_assert_uint_eq(state.crl_count, 0);
}
END_TEST

START_TEST(prints_what_it_reads)
{
	static const char *const texts[] = {
	    WHOLE, HEAD "end\n", HEAD CRLS "end\n", HEAD CRL_2 CRL_1 "end\n"};
	struct buf out = BUF_INIT;
	struct feed_state state;
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		ck_assert(parse(texts[i], &state));
		buf_reset(&out);
		feed_state_print(&state, &out);
		ck_assert_str_eq(buf_str(&out), texts[i]);
	}
	buf_free(&out);
}
END_TEST

START_TEST(refuses_every_truncation)
{
	struct feed_state state;
	size_t len;

	for (len = 0; len < strlen(WHOLE); len++)
		ck_assert(!parse_len(WHOLE, len, &state));
	ck_assert(parse_len(WHOLE, len, &state));
	ck_assert(!parse_len(WHOLE, len + 1, &state)); /* a NUL behind */
}
END_TEST

START_TEST(refuses_every_changed_octet)
{
	char text[] = WHOLE;
	struct feed_state state;
	size_t i;

	for (i = 0; i < strlen(WHOLE); i++) {
		text[i] ^= 0x60; /* digits and letters become neither */
		ck_assert_msg(!parse(text, &state), "octet %zu", i);
		text[i] ^= 0x60;
	}
	ck_assert(parse(text, &state));
}
END_TEST

START_TEST(names_the_line)
{
	ck_assert_int_eq(wrong_line(""), 1);
	ck_assert_int_eq(wrong_line("pappus-feed 2\n"), 1);
	ck_assert_int_eq(wrong_line("pappus-feed 1 \n"), 1);
	ck_assert_int_eq(wrong_line("pappus-feed 1\nsequence -1\n"), 2);
	ck_assert_int_eq(wrong_line("pappus-feed 1\nsequence \n"), 2);
	ck_assert_int_eq(wrong_line("pappus-feed 1\nsequence 07\n"), 2);
	ck_assert_int_eq(wrong_line("pappus-feed 1\nsequence 7\r\n"), 2);
	ck_assert_int_eq(
	    wrong_line("pappus-feed 1\nsequence 18446744073709551616\n"), 2);
	ck_assert_int_eq(
	    wrong_line("pappus-feed 1\nsequence 99999999999999999999\n"), 2);
	ck_assert_int_eq(wrong_line("pappus-feed 1\nsequence 7\n"
				    "time 9223372036854775808\n"),
	    3);
	ck_assert_int_eq(wrong_line(HEAD), 6);
	ck_assert_int_eq(wrong_line(HEAD "\nend\n"), 6);
	ck_assert_int_eq(wrong_line(HEAD CRLS "more 1\nend\n"), 7);
	ck_assert_int_eq(wrong_line(HEAD CRLS CRLS "end\n"), 7);
	ck_assert_int_eq(wrong_line(HEAD CRL_1 CRLS "end\n"), 7);
	ck_assert_int_eq(wrong_line(HEAD CRL_1 CRL_2 CRL_1 "end\n"), 8);
	ck_assert_int_eq(wrong_line(HEAD CRL_1 "end\nend\n"), 7);
	ck_assert_int_eq(wrong_line(HEAD CRL_1 "end \n"), 7);
}
END_TEST

START_TEST(keeps_digests_to_their_length)
{
	struct feed_state state;

	ck_assert(!parse("pappus-feed 1\nsequence 1\ntime 0\ndeny-base " SHA_A
			 "a\ndeny-delta " SHA_B "\nend\n",
	    &state));
	ck_assert(!parse(HEAD "crls " SHA_C "0\nend\n", &state));
	ck_assert(!parse(HEAD "crl " SKI_1 "1 5 " SHA_A "\nend\n", &state));
	ck_assert(!parse(HEAD "crl " SKI_1 " 5  " SHA_A "\nend\n", &state));
	ck_assert(!parse(HEAD "crl " SKI_1 " 5 " SHA_A "1\nend\n", &state));
}
END_TEST

/* A state of so many CRLs. */
static void
fill(struct feed_state *state, size_t crls)
{
	ck_assert(parse(HEAD CRLS "end\n", state));
	state->sequence = UINT64_MAX;
	state->time_ms = INT64_MAX;
	for (state->crl_count = 0; state->crl_count < crls;
	     state->crl_count++) {
		struct feed_crl *crl = &state->crl[state->crl_count];

		snprintf(
		    crl->ski, sizeof(crl->ski), "%040zx", state->crl_count);
		crl->number = UINT64_MAX;
		memcpy(crl->name, SHA_C, sizeof(crl->name));
	}
}

START_TEST(holds_its_maximum)
{
	struct feed_state state, again;
	struct buf out = BUF_INIT;

	fill(&state, FEED_CRLS_MAX);
	feed_state_print(&state, &out);
	ck_assert_uint_le(out.len, FEED_STATE_MAX);
	ck_assert(parse_len((const char *)out.data, out.len, &again));
	ck_assert_uint_eq(again.crl_count, FEED_CRLS_MAX);
	ck_assert_str_eq(
	    again.crl[FEED_CRLS_MAX - 1].ski, state.crl[FEED_CRLS_MAX - 1].ski);

	/* One more than it holds. */
	out.len -= strlen("end\n");
	buf_add_str(&out, CRL_1 "end\n");
	ck_assert(!parse_len((const char *)out.data, out.len, &again));
	buf_free(&out);
}
END_TEST

START_TEST(refuses_what_is_too_long)
{
	struct err err = {.code = ERR_NONE};
	struct feed_state state;
	struct buf text = BUF_INIT;

	buf_add_str(&text, HEAD);
	while (text.len <= FEED_STATE_MAX)
		buf_add_str(&text, CRL_1);
	buf_add_str(&text, "end\n");
	ck_assert(!feed_state_parse(text.data, text.len, &state, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert_ptr_nonnull(strstr(err.detail, "longer"));
	buf_free(&text);
}
END_TEST

UNIT_MAIN("feed", reads_all_lines, reads_a_state_without_lists,
    prints_what_it_reads, refuses_every_truncation, refuses_every_changed_octet,
    names_the_line, keeps_digests_to_their_length, holds_its_maximum,
    refuses_what_is_too_long)
