/* SPDX-License-Identifier: ISC */
/* The feed's state: see feed.h. */
#include "encoding/feed.h"

#include <inttypes.h>
#include <string.h>

static const char first[] = "pappus-feed 1";
static const char hexadecimal[] = "0123456789abcdef";

void
feed_state_print(const struct feed_state *state, struct buf *out)
{
	size_t i;

	buf_add_fmt(out,
	    "%s\nsequence %" PRIu64 "\ntime %" PRId64
	    "\ndeny-base %s\ndeny-delta %s\n",
	    first, state->sequence, state->time_ms, state->deny_base,
	    state->deny_delta);
	if (state->crls[0] != '\0')
		buf_add_fmt(out, "crls %s\n", state->crls);
	for (i = 0; i < state->crl_count; i++)
		buf_add_fmt(out, "crl %s %" PRIu64 " %s\n", state->crl[i].ski,
		    state->crl[i].number, state->crl[i].name);
	buf_add_str(out, "end\n");
}

/* A text whose lines are numbered, for errors. */
struct lines {
	const char *at;
	size_t left;
	size_t number; /* of the line at hand, from 1 */
};

/* What is left of one line. */
struct line {
	const char *at;
	size_t left;
};

static bool
next_line(struct lines *in, struct line *out)
{
	const char *end = in->left == 0 ? NULL : memchr(in->at, '\n', in->left);

	in->number++;
	if (end == NULL)
		return false;
	*out = (struct line){in->at, (size_t)(end - in->at)};
	in->left -= out->left + 1;
	in->at = end + 1;
	return true;
}

/* Whether the line goes on with a text, which is then behind. */
static bool
take_text(struct line *in, const char *text)
{
	size_t len = strlen(text);

	if (in->left < len || memcmp(in->at, text, len) != 0)
		return false;
	in->at += len;
	in->left -= len;
	return true;
}

/* Exactly so many hexadecimal digits, in lower case. */
static bool
take_name(struct line *in, size_t digits, char *out)
{
	size_t i;

	if (in->left < digits)
		return false;
	for (i = 0; i < digits; i++)
		if (memchr(hexadecimal, in->at[i], 16) == NULL)
			return false;
	memcpy(out, in->at, digits);
	out[digits] = '\0';
	in->at += digits;
	in->left -= digits;
	return true;
}

/* A decimal number as it is printed: no sign, no zeros in front. */
static bool
take_number(struct line *in, uint64_t max, uint64_t *out)
{
	const char *begin = in->at;
	uint64_t digit;

	for (*out = 0; in->left > 0 && *in->at >= '0' && *in->at <= '9';
	     in->at++, in->left--) {
		digit = (uint64_t)(*in->at - '0');
		if (*out > max / 10 || *out * 10 > max - digit)
			return false;
		*out = *out * 10 + digit;
	}
	return in->at != begin && (*begin != '0' || in->at == begin + 1);
}

static bool
take_crl(struct line *line, struct feed_state *out)
{
	struct feed_crl *crl = &out->crl[out->crl_count];
	size_t i;

	if (out->crl_count == FEED_CRLS_MAX ||
	    !take_name(line, FEED_SKI_LEN, crl->ski) || !take_text(line, " ") ||
	    !take_number(line, UINT64_MAX, &crl->number) ||
	    !take_text(line, " ") || !take_name(line, FEED_NAME_LEN, crl->name))
		return false;
	for (i = 0; i < out->crl_count; i++)
		if (strcmp(out->crl[i].ski, crl->ski) == 0)
			return false;
	out->crl_count++;
	return true;
}

/* The lines that each state has, but for its end. */
static bool
parse_head(struct lines *in, struct feed_state *out)
{
	uint64_t time_ms = 0;
	struct line line;
	bool ok;

	ok =
	    next_line(in, &line) && take_text(&line, first) && line.left == 0 &&
	    next_line(in, &line) && take_text(&line, "sequence ") &&
	    take_number(&line, UINT64_MAX, &out->sequence) && line.left == 0 &&
	    next_line(in, &line) && take_text(&line, "time ") &&
	    take_number(&line, INT64_MAX, &time_ms) && line.left == 0 &&
	    next_line(in, &line) && take_text(&line, "deny-base ") &&
	    take_name(&line, FEED_NAME_LEN, out->deny_base) && line.left == 0 &&
	    next_line(in, &line) && take_text(&line, "deny-delta ") &&
	    take_name(&line, FEED_NAME_LEN, out->deny_delta) && line.left == 0;
	out->time_ms = (int64_t)time_ms;
	return ok;
}

/* What may follow, and the end. */
static bool
parse_rest(struct lines *in, struct feed_state *out)
{
	struct line line;

	while (next_line(in, &line)) {
		if (take_text(&line, "end"))
			return line.left == 0 && in->left == 0;
		if (take_text(&line, "crl ")) {
			if (!take_crl(&line, out) || line.left > 0)
				return false;
		} else if (out->crls[0] != '\0' || out->crl_count > 0 ||
			   !take_text(&line, "crls ") ||
			   !take_name(&line, FEED_NAME_LEN, out->crls) ||
			   line.left > 0) {
			return false;
		}
	}
	return false;
}

bool
feed_state_parse(
    const uint8_t *text, size_t len, struct feed_state *out, struct err *err)
{
	struct lines in = {(const char *)text, len, 0};

	*out = (struct feed_state){0};
	if (len > FEED_STATE_MAX)
		return err_set(err, ERR_MALFORMED,
		    "the feed's state is longer than %d octets",
		    FEED_STATE_MAX);
	if (!parse_head(&in, out) || !parse_rest(&in, out))
		return err_set(err, ERR_MALFORMED,
		    "line %zu of the feed's state is wrong or missing",
		    in.number);
	return true;
}
