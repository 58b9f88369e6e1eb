/* SPDX-License-Identifier: ISC */
/* Text from outside: see utf8.h. */
#include "encoding/utf8.h"

/*
 * Take one code point off the front of s, which holds at least a byte.
 * Returns the bytes it took, or 0 for what RFC 3629 §4 does not allow.
 */
static size_t
take(const uint8_t *s, size_t len, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need, i;

	if (s[0] < 0x80) {
		*point = s[0];
		return 1;
	}
	need = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || need > len)
		return 0;
	*point = s[0] & (0x7fU >> need);
	for (i = 1; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (s[i] & 0x3f);
	}
	if (*point < least[need] || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return need;
}

static bool
is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

/* Unicode 15 §23.7. */
static bool
is_noncharacter(uint32_t point)
{
	return (point >= 0xfdd0 && point <= 0xfdef) ||
	       (point & 0xfffe) == 0xfffe;
}

bool
utf8_valid_text(const uint8_t *s, size_t len, size_t *chars)
{
	size_t count = 0;
	size_t taken;
	uint32_t point;

	for (; len > 0; len -= taken, s += taken) {
		taken = take(s, len, &point);
		if (taken == 0 || is_control(point) || is_noncharacter(point))
			return false;
		count++;
	}
	if (chars != NULL)
		*chars = count;
	return true;
}

static bool
is_blank(const uint8_t *s, size_t len)
{
	while (len > 0 && s[len - 1] == ' ')
		len--;
	return len == 0;
}

bool
utf8_check_value(const char *what, const char *name, const uint8_t *s,
    size_t len, size_t min, size_t max, struct err *err)
{
	size_t chars;

	if (!utf8_valid_text(s, len, &chars))
		return err_set(err, ERR_ENCODING,
		    "The %s %s is not plain text: send UTF-8 without control "
		    "characters.",
		    what, name);
	if (min > 0 && len > 0 && is_blank(s, len))
		return err_set(err, ERR_MALFORMED,
		    "The %s %s holds nothing but spaces.", what, name);
	if (chars < min)
		return err_set(err, ERR_MALFORMED,
		    "The %s %s is too short: its least length is %zu.", what,
		    name, min);
	if (chars > max)
		return err_set(err, ERR_TOO_LONG,
		    "The %s %s is too long: shorten it to %zu characters.",
		    what, name, max);
	return true;
}
