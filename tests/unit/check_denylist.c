/* SPDX-License-Identifier: ISC */
/* Tests of encoding/denylist.h: the reader and the writer beside a model. */
#include "encoding/denylist.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const struct denylist_issuer issuers[] = {
    {DENYLIST_ROOT, false, "", 0, (const uint8_t *)"root", 4},
    {DENYLIST_DEVICE, false, "http://pki.example/crl/1.crl", 28,
	(const uint8_t *)"\x30\x00", 2},
    {DENYLIST_SERVICE, true, "http://pki.example/crl/2.crl", 28,
	(const uint8_t *)"service", 7},
};

/* Offsets from the end of a file, as denylist.h lays them out. */
enum {
	MAGIC = 12,
	ISSUERS_LEN = MAGIC + 8,
	COUNT_LAST = ISSUERS_LEN + 8,
	COUNT_FIRST = COUNT_LAST + 3 * 8,
	TIME = COUNT_FIRST + 8,
	TO = TIME + 8,
	FROM = TO + 8
};

static bool
sink_buf(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

/* The id of a number, and the serial of one; both sorted as numbers are. */
static const char *
device(unsigned int n)
{
	static char digits[DENYLIST_DEVICE_LEN + 1];

	snprintf(digits, sizeof(digits), "%026u", n);
	return digits;
}

static const uint8_t *
serial(unsigned int n)
{
	static uint8_t octets[DENYLIST_SERIAL_LEN];

	octets[0] = 0;
	octets[5] = 0x7f; /* seen as 15 octets without zeros */
	octets[18] = (uint8_t)(n >> 8);
	octets[19] = (uint8_t)n;
	return octets;
}

/* Write those of a model's numbers whose bit is set in each section. */
static void
write_file(const bool *const wanted[DENYLIST_SECTIONS], unsigned int n,
    uint64_t from, uint64_t to, struct buf *out)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_writer w;
	enum denylist_section s;
	unsigned int i;
	bool ok;

	ok = denylist_write_begin(&w, sink_buf, out, &err);
	for (s = 0; s < DENYLIST_SECTIONS; s++)
		for (i = 0; wanted[s] != NULL && i < n; i++) {
			if (!wanted[s][i])
				continue;
			if (s <= DENYLIST_DEVICES_REMOVED)
				ok = ok && denylist_write_device(
					       &w, s, device(i), &err);
			else
				ok = ok && denylist_write_serial(
					       &w, s, serial(i), &err);
		}
	ok = ok && denylist_write_end(&w, from, to, 1764061234567, issuers,
		       COUNT(issuers), &err);
	ck_assert_msg(ok, "%s", err.detail);
	denylist_writer_free(&w);
}

/* A file of a few items in each list, as memory of just its size. */
static uint8_t *
sample(size_t *len)
{
	static const bool some[] = {true, false, true, true};
	static const bool others[] = {false, true};
	const bool *const wanted[] = {some, others, some, others};
	struct buf out = BUF_INIT;
	uint8_t *exact;

	write_file(wanted, 2, 7, 9, &out);
	exact = malloc(out.len);
	memcpy(exact, out.data, out.len);
	*len = out.len;
	buf_free(&out);
	return exact;
}

static bool
read_len(const uint8_t *data, size_t len)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_file file;
	bool ok = denylist_file_read(data, len, &file, &err);

	ck_assert_int_eq(err.code, ok ? ERR_NONE : ERR_MALFORMED);
	return ok;
}

START_TEST(reads_what_is_written)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_file file;
	size_t len, i;
	uint8_t *data = sample(&len);

	ck_assert(denylist_file_read(data, len, &file, &err));
	ck_assert(denylist_file_verify(&file, &err));
	ck_assert_uint_eq(file.from, 7);
	ck_assert_uint_eq(file.to, 9);
	ck_assert_int_eq(file.time_ms, INT64_C(1764061234567));
	for (i = 0; i < DENYLIST_SECTIONS; i++)
		ck_assert_uint_eq(file.count[i], 1);
	ck_assert_mem_eq(
	    file.at[DENYLIST_DEVICES_REMOVED], device(1), DENYLIST_DEVICE_LEN);
	ck_assert_mem_eq(
	    file.at[DENYLIST_SERIALS_ADDED], serial(0), DENYLIST_SERIAL_LEN);
	ck_assert_uint_eq(file.issuer_count, COUNT(issuers));
	for (i = 0; i < COUNT(issuers); i++) {
		ck_assert_int_eq(file.issuers[i].purpose, issuers[i].purpose);
		ck_assert_int_eq(file.issuers[i].closed, issuers[i].closed);
		ck_assert_uint_eq(
		    file.issuers[i].crl_url_len, issuers[i].crl_url_len);
		ck_assert_mem_eq(file.issuers[i].crl_url, issuers[i].crl_url,
		    issuers[i].crl_url_len);
		ck_assert_uint_eq(file.issuers[i].certificate_len,
		    issuers[i].certificate_len);
		ck_assert_mem_eq(file.issuers[i].certificate,
		    issuers[i].certificate, issuers[i].certificate_len);
	}
	free(data);
}
END_TEST

/* The layout is a promise to files that lie around: octet by octet. */
START_TEST(is_laid_out_as_documented)
{
	static const uint8_t expected[] = "PAPPUSDL\1\0\0\0"
					  "0123456789abcdefghjkmnpqrs"
					  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
					  "\x7f\x01"
					  "\2\1\3\0\2\0a:/\x30\0"
					  "\0\0\0\0\0\0\0\0"
					  "\4\3\2\1\0\0\0\0"
					  "\xff\0\0\0\0\0\0\0"
					  "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
					  "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
					  "\x0b\0\0\0\0\0\0\0"
					  "PAPPUSDL\1\0\0";
	static const uint8_t one[DENYLIST_SERIAL_LEN] = {
	    [18] = 0x7f, [19] = 0x01};
	static const struct denylist_issuer issuer = {
	    DENYLIST_SERVER, true, "a:/", 3, (const uint8_t *)"\x30\x00", 2};
	struct err err = {.code = ERR_NONE};
	struct buf out = BUF_INIT;
	struct denylist_writer w;

	ck_assert(
	    denylist_write_begin(&w, sink_buf, &out, &err) &&
	    denylist_write_device(&w, DENYLIST_DEVICES_ADDED,
		"0123456789abcdefghjkmnpqrs", &err) &&
	    denylist_write_serial(&w, DENYLIST_SERIALS_ADDED, one, &err) &&
	    denylist_write_end(&w, 0, 0x01020304, 255, &issuer, 1, &err));
	denylist_writer_free(&w);
	ck_assert_uint_eq(out.len, sizeof(expected));
	ck_assert_mem_eq(out.data, expected, out.len);
	buf_free(&out);
}
END_TEST

START_TEST(refuses_every_truncation)
{
	size_t len, cut;
	uint8_t *data = sample(&len), *exact;

	for (cut = 0; cut < len; cut++) {
		exact = malloc(cut + (cut == 0));
		memcpy(exact, data, cut);
		ck_assert_msg(!read_len(exact, cut), "%zu octets", cut);
		/* What is cut in front has another beginning. */
		memcpy(exact, data + len - cut, cut);
		ck_assert(!read_len(exact, cut));
		free(exact);
	}
	ck_assert(read_len(data, len));
	exact = calloc(1, len + 1);
	memcpy(exact, data, len);
	ck_assert(!read_len(exact, len + 1));
	free(exact);
	free(data);
}
END_TEST

START_TEST(refuses_other_magic_and_versions)
{
	size_t len, i;
	uint8_t *data = sample(&len);

	for (i = 0; i < MAGIC; i++) {
		data[i] ^= 1;
		ck_assert(!read_len(data, len));
		data[i] ^= 1;
		data[len - MAGIC + i] ^= 1;
		ck_assert(!read_len(data, len));
		data[len - MAGIC + i] ^= 1;
	}
	ck_assert(read_len(data, len));
	free(data);
}
END_TEST

static void
put_number(uint8_t *at, uint64_t value)
{
	size_t i;

	for (i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

START_TEST(refuses_wrong_counts)
{
	/* The last ones times 26 or 20 are small again in 64 bits. */
	static const uint64_t counts[] = {0, 2, 3, 1000, UINT64_MAX,
	    UINT64_MAX / 2, UINT64_MAX / 26 + 1, UINT64_MAX / 20 + 1,
	    UINT64_C(1) << 63, UINT64_C(0x4000000000000001)};
	size_t len, i, at;
	uint8_t *data = sample(&len);

	for (at = COUNT_LAST; at <= COUNT_FIRST; at += 8) {
		for (i = 0; i < COUNT(counts); i++) {
			put_number(data + len - at, counts[i]);
			ck_assert(!read_len(data, len));
		}
		put_number(data + len - at, 1);
	}
	for (i = 0; i < COUNT(counts); i++) {
		put_number(data + len - ISSUERS_LEN, counts[i]);
		ck_assert(!read_len(data, len));
	}
	free(data);
}
END_TEST

START_TEST(refuses_impossible_numbers)
{
	size_t len;
	uint8_t *data = sample(&len);

	put_number(data + len - FROM, 10); /* beyond to, which is 9 */
	ck_assert(!read_len(data, len));
	put_number(data + len - FROM, 9);
	ck_assert(read_len(data, len));
	put_number(data + len - TIME, UINT64_C(1) << 63);
	ck_assert(!read_len(data, len));
	put_number(data + len - TIME, INT64_MAX);
	ck_assert(read_len(data, len));
	free(data);
}
END_TEST

/* A file of nothing but these octets of issuers. */
static bool
read_issuers(const char *octets, size_t len)
{
	uint8_t *data = calloc(1, MAGIC + len + FROM);
	uint8_t *footer = data + MAGIC + len;
	bool ok;

	memcpy(data, "PAPPUSDL\1\0\0", MAGIC);
	memcpy(data + MAGIC, octets, len);
	put_number(footer + FROM - ISSUERS_LEN, len);
	memcpy(footer + FROM - MAGIC, data, MAGIC);
	ok = read_len(data, MAGIC + len + FROM);
	free(data);
	return ok;
}

START_TEST(refuses_wrong_issuers)
{
	char many[7 * (DENYLIST_ISSUERS_MAX + 1)];
	size_t i;

	ck_assert(read_issuers("", 0));
	ck_assert(read_issuers("\0\0\0\0\1\0c", 7));
	ck_assert(read_issuers("\3\1\1\0\1\0uc\3\1\1\0\1\0uc", 16));
	ck_assert(!read_issuers("\4\0\0\0\1\0c", 7));	     /* purpose */
	ck_assert(!read_issuers("\xff\0\0\0\1\0c", 7));	     /* purpose */
	ck_assert(!read_issuers("\0\2\0\0\1\0c", 7));	     /* closed */
	ck_assert(!read_issuers("\0\0\0\0\0\0", 6));	     /* no cert. */
	ck_assert(!read_issuers("\0\0\0\0\2\0c", 7));	     /* cut */
	ck_assert(!read_issuers("\0\0\2\0\0\0c", 7));	     /* cut */
	ck_assert(!read_issuers("\0\0\xff\xff\xff\xff", 6)); /* cut */
	ck_assert(!read_issuers("\0\0\0\0\1\0c\0", 8));	     /* more */
	ck_assert(!read_issuers("\0\0\1\0\1\0 c", 8));	     /* URL */
	ck_assert(!read_issuers("\0\0\1\0\1\0\0c", 8));	     /* URL */
	ck_assert(!read_issuers("\0\0\1\0\1\0\x7f"
				"c",
	    8));
	ck_assert(!read_issuers("\0\0\1\0\1\0\xc3"
				"c",
	    8));
	for (i = 0; i < DENYLIST_ISSUERS_MAX + 1; i++)
		memcpy(many + 7 * i, "\0\0\0\0\1\0c", 7);
	ck_assert(read_issuers(many, sizeof(many) - 7));
	ck_assert(!read_issuers(many, sizeof(many)));
}
END_TEST

static enum err_code
verify(const uint8_t *data, size_t len)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_file file;
	bool ok;

	ck_assert(denylist_file_read(data, len, &file, &err));
	ok = denylist_file_verify(&file, &err);
	ck_assert_int_eq(ok, err.code == ERR_NONE);
	return err.code;
}

START_TEST(verifies_the_order)
{
	static const bool two[] = {true, true};
	const bool *const devices[] = {two, NULL, NULL, NULL};
	const bool *const serials[] = {NULL, NULL, NULL, two};
	struct buf out = BUF_INIT;
	uint8_t *second;

	write_file(devices, 2, 0, 1, &out);
	ck_assert_int_eq(verify(out.data, out.len), ERR_NONE);
	second = out.data + MAGIC + DENYLIST_DEVICE_LEN;
	second[DENYLIST_DEVICE_LEN - 1] = '0'; /* as the first */
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);
	second[DENYLIST_DEVICE_LEN - 1] = '2';
	ck_assert_int_eq(verify(out.data, out.len), ERR_NONE);
	second[-1] = '3'; /* the first above the second */
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);
	second[-1] = '0';
	second[3] = 'u';
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);

	buf_reset(&out);
	write_file(serials, 2, 0, 1, &out);
	ck_assert_int_eq(verify(out.data, out.len), ERR_NONE);
	second = out.data + MAGIC + DENYLIST_SERIAL_LEN;
	second[DENYLIST_SERIAL_LEN - 1] = 0;
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);
	second[-1] = 1;
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);
	buf_free(&out);
}
END_TEST

START_TEST(verifies_that_nothing_is_added_and_removed)
{
	static const bool some[] = {true, false, true, false, true};
	static const bool others[] = {false, true, false, true, true};
	const bool *const devices[] = {some, others, NULL, NULL};
	const bool *const serials[] = {NULL, NULL, others, some};
	struct buf out = BUF_INIT;

	write_file(devices, 4, 0, 1, &out);
	ck_assert_int_eq(verify(out.data, out.len), ERR_NONE);
	buf_reset(&out);
	write_file(devices, 5, 0, 1, &out);
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);
	buf_reset(&out);
	write_file(serials, 4, 0, 1, &out);
	ck_assert_int_eq(verify(out.data, out.len), ERR_NONE);
	buf_reset(&out);
	write_file(serials, 5, 0, 1, &out);
	ck_assert_int_eq(verify(out.data, out.len), ERR_MALFORMED);
	buf_free(&out);
}
END_TEST

static enum err_code
read_both(const struct buf *base, const struct buf *delta)
{
	struct err err = {.code = ERR_NONE};
	struct denylist list;
	bool ok = denylist_read(
	    base->data, base->len, delta->data, delta->len, &list, &err);

	ck_assert_int_eq(ok, err.code == ERR_NONE);
	return err.code;
}

START_TEST(takes_only_a_base_and_its_delta)
{
	static const bool one[] = {true};
	const bool *const none[] = {NULL, NULL, NULL, NULL};
	const bool *const devices_removed[] = {NULL, one, NULL, NULL};
	const bool *const serials_removed[] = {NULL, NULL, NULL, one};
	struct buf base = BUF_INIT, delta = BUF_INIT, other = BUF_INIT;
	struct buf cut = BUF_INIT;

	write_file(none, 0, 0, 5, &base);
	write_file(devices_removed, 1, 5, 8, &delta);
	write_file(serials_removed, 1, 6, 8, &other);
	ck_assert_int_eq(read_both(&base, &delta), ERR_NONE);
	ck_assert_int_eq(read_both(&base, &other), ERR_MISMATCH);
	ck_assert_int_eq(read_both(&base, &base), ERR_MISMATCH);
	ck_assert_int_eq(read_both(&delta, &base), ERR_MISMATCH);
	ck_assert_int_eq(read_both(&delta, &delta), ERR_MISMATCH);
	ck_assert_int_eq(read_both(&base, &cut), ERR_MALFORMED);
	ck_assert_int_eq(read_both(&cut, &delta), ERR_MALFORMED);

	/* A base removes nothing, of whatever kind. */
	buf_reset(&base);
	write_file(devices_removed, 1, 0, 5, &base);
	ck_assert_int_eq(read_both(&base, &delta), ERR_MISMATCH);
	buf_reset(&base);
	write_file(serials_removed, 1, 0, 5, &base);
	ck_assert_int_eq(read_both(&base, &delta), ERR_MISMATCH);
	buf_free(&base);
	buf_free(&delta);
	buf_free(&other);
}
END_TEST

enum { NUMBERS = 500, ROUNDS = 60 };

/* A random set; density of 256 is all, of 0 none. */
static void
draw(bool set[NUMBERS], unsigned int density, const bool *without)
{
	size_t i;

	for (i = 0; i < NUMBERS; i++)
		set[i] = (unsigned int)rand() % 256 < density &&
			 (without == NULL || !without[i]);
}

static void
compare(
    const struct buf *base, const struct buf *delta, bool expected[2][NUMBERS])
{
	struct err err = {.code = ERR_NONE};
	struct denylist list;
	unsigned int i;

	ck_assert_msg(denylist_read(base->data, base->len, delta->data,
			  delta->len, &list, &err),
	    "%s", err.detail);
	ck_assert(denylist_file_verify(&list.base, &err));
	ck_assert(denylist_file_verify(&list.delta, &err));
	for (i = 0; i < NUMBERS; i++) {
		ck_assert_int_eq(
		    denylist_has_device(&list, device(i)), expected[0][i]);
		ck_assert_int_eq(
		    denylist_has_serial(&list, serial(i), DENYLIST_SERIAL_LEN),
		    expected[1][i]);
		ck_assert_int_eq(denylist_has_serial(&list, serial(i) + 5, 15),
		    expected[1][i]);
	}
}

START_TEST(agrees_with_a_model)
{
	static const unsigned int densities[] = {0, 1, 5, 100, 250, 256};
	static bool base[2][NUMBERS], added[2][NUMBERS], removed[2][NUMBERS];
	static bool expected[2][NUMBERS];
	const bool *const first[] = {base[0], NULL, base[1], NULL};
	const bool *const then[] = {added[0], removed[0], added[1], removed[1]};
	struct buf base_file = BUF_INIT, delta_file = BUF_INIT;
	unsigned int round, kind, i;

	srand(5);
	for (round = 0; round < ROUNDS; round++) {
		for (kind = 0; kind < 2; kind++) {
			draw(base[kind], densities[(unsigned int)rand() % 6],
			    NULL);
			draw(added[kind], densities[(unsigned int)rand() % 6],
			    NULL);
			draw(removed[kind], densities[(unsigned int)rand() % 6],
			    added[kind]);
			for (i = 0; i < NUMBERS; i++)
				expected[kind][i] =
				    added[kind][i] ||
				    (base[kind][i] && !removed[kind][i]);
		}
		buf_reset(&base_file);
		buf_reset(&delta_file);
		write_file(first, NUMBERS, 0, round, &base_file);
		write_file(then, NUMBERS, round, round + 1, &delta_file);
		compare(&base_file, &delta_file, expected);
	}
	buf_free(&base_file);
	buf_free(&delta_file);
}
END_TEST

START_TEST(knows_serials_with_and_without_zeros)
{
	static const uint8_t longest[24] = {[4] = 0x7f, [23] = 0xff};
	static const uint8_t beyond[21] = {1};
	static const bool none[1] = {false};
	const bool *const nothing[] = {none, none, none, none};
	struct err err = {.code = ERR_NONE};
	struct buf base = BUF_INIT, delta = BUF_INIT;
	struct denylist_writer w;
	struct denylist list;
	uint8_t one[DENYLIST_SERIAL_LEN] = {[19] = 0x80};

	ck_assert(
	    denylist_write_begin(&w, sink_buf, &base, &err) &&
	    denylist_write_serial(&w, DENYLIST_SERIALS_ADDED, one, &err) &&
	    denylist_write_serial(
		&w, DENYLIST_SERIALS_ADDED, longest + 4, &err) &&
	    denylist_write_end(&w, 0, 1, 0, NULL, 0, &err));
	denylist_writer_free(&w);
	write_file(nothing, 1, 1, 1, &delta);
	ck_assert(denylist_read(
	    base.data, base.len, delta.data, delta.len, &list, &err));
	ck_assert(denylist_has_serial(&list, one + 19, 1));
	ck_assert(denylist_has_serial(&list, one + 18, 2)); /* as in DER */
	ck_assert(denylist_has_serial(&list, one, 20));
	ck_assert(denylist_has_serial(&list, longest + 4, 20));
	ck_assert(denylist_has_serial(&list, longest, 24));
	ck_assert(!denylist_has_serial(&list, longest + 5, 19));
	ck_assert(!denylist_has_serial(&list, one, 19)); /* zero */
	ck_assert(!denylist_has_serial(&list, one, 0));
	ck_assert(!denylist_has_serial(&list, beyond, 20));
	ck_assert(denylist_has_serial(&list, beyond, 21));
	buf_free(&base);
	buf_free(&delta);
}
END_TEST

START_TEST(writes_only_what_is_sorted)
{
	struct err err = {.code = ERR_NONE};
	struct buf out = BUF_INIT;
	struct denylist_writer w;

	ck_assert(denylist_write_begin(&w, sink_buf, &out, &err));
	ck_assert(
	    denylist_write_device(&w, DENYLIST_DEVICES_ADDED, device(5), &err));
	ck_assert(!denylist_write_device(
	    &w, DENYLIST_DEVICES_ADDED, device(5), NULL));
	ck_assert(!denylist_write_device(
	    &w, DENYLIST_DEVICES_ADDED, device(4), NULL));
	ck_assert(!denylist_write_device(
	    &w, DENYLIST_DEVICES_ADDED, "0000000000000000000000000U", NULL));
	ck_assert(!denylist_write_device(
	    &w, DENYLIST_SERIALS_ADDED, device(6), NULL));
	ck_assert(!denylist_write_serial(
	    &w, DENYLIST_DEVICES_ADDED, serial(6), NULL));
	ck_assert(
	    !denylist_write_serial(&w, DENYLIST_SECTIONS, serial(6), NULL));
	ck_assert(denylist_write_serial(
	    &w, DENYLIST_SERIALS_REMOVED, serial(1), &err));
	ck_assert(!denylist_write_serial(
	    &w, DENYLIST_SERIALS_ADDED, serial(2), NULL));
	ck_assert(!denylist_write_device(
	    &w, DENYLIST_DEVICES_REMOVED, device(7), &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	denylist_writer_free(&w);
	buf_free(&out);
}
END_TEST

START_TEST(ends_only_what_can_be_read)
{
	struct denylist_issuer wrong = issuers[1];
	struct buf out = BUF_INIT;
	struct denylist_writer w;

	ck_assert(denylist_write_begin(&w, sink_buf, &out, NULL));
	ck_assert(!denylist_write_end(&w, 2, 1, 0, NULL, 0, NULL));
	ck_assert(!denylist_write_end(&w, 0, 1, -1, NULL, 0, NULL));
	ck_assert(!denylist_write_end(
	    &w, 0, 1, 0, NULL, DENYLIST_ISSUERS_MAX + 1, NULL));
	wrong.purpose = DENYLIST_PURPOSES;
	ck_assert(!denylist_write_end(&w, 0, 1, 0, &wrong, 1, NULL));
	wrong = issuers[1];
	wrong.certificate_len = 0;
	ck_assert(!denylist_write_end(&w, 0, 1, 0, &wrong, 1, NULL));
	wrong.certificate_len = UINT16_MAX + 1;
	ck_assert(!denylist_write_end(&w, 0, 1, 0, &wrong, 1, NULL));
	wrong = issuers[1];
	wrong.crl_url = "http://pki.example/\n";
	wrong.crl_url_len = 20;
	ck_assert(!denylist_write_end(&w, 0, 1, 0, &wrong, 1, NULL));
	denylist_writer_free(&w);
	buf_free(&out);
}
END_TEST

/* A disk that is full after some octets; and all writes add up to the file. */
struct disk {
	size_t room;
	size_t largest; /* of the writes */
};

static bool
sink_disk(void *ctx, const void *data, size_t len, struct err *err)
{
	struct disk *disk = ctx;

	(void)data;
	if (len > disk->largest)
		disk->largest = len;
	if (len > disk->room)
		return err_set(err, ERR_SYSTEM, "full");
	disk->room -= len;
	return true;
}

/* Octets that a large list took of a disk with so much room. */
static enum err_code
write_many(struct disk *disk)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_writer w;
	unsigned int i;
	bool ok = denylist_write_begin(&w, sink_disk, disk, &err);

	for (i = 0; ok && i < 10000; i++)
		ok = denylist_write_device(
		    &w, DENYLIST_DEVICES_ADDED, device(i), &err);
	ok = ok &&
	     denylist_write_end(&w, 0, 1, 0, issuers, COUNT(issuers), &err);
	ck_assert_int_eq(ok, err.code == ERR_NONE);
	ck_assert_uint_le(w.out.cap, 256 * 1024);
	denylist_writer_free(&w);
	return err.code;
}

START_TEST(stops_when_the_sink_does)
{
	struct disk disk = {.room = 1000000}, full = {.room = 0};
	size_t used;

	ck_assert_int_eq(write_many(&disk), ERR_NONE);
	used = 1000000 - disk.room;
	ck_assert_uint_gt(used, 10000 * DENYLIST_DEVICE_LEN);
	ck_assert_uint_le(disk.largest, 64 * 1024); /* gathered, not kept */
	full.room = 0;
	ck_assert_int_eq(write_many(&full), ERR_SYSTEM);
	full.room = used / 2;
	ck_assert_int_eq(write_many(&full), ERR_SYSTEM);
	full.room = used - 1;
	ck_assert_int_eq(write_many(&full), ERR_SYSTEM);
	full.room = used;
	ck_assert_int_eq(write_many(&full), ERR_NONE);
}
END_TEST

UNIT_MAIN("denylist", reads_what_is_written, is_laid_out_as_documented,
    refuses_every_truncation, refuses_other_magic_and_versions,
    refuses_wrong_counts, refuses_impossible_numbers, refuses_wrong_issuers,
    verifies_the_order, verifies_that_nothing_is_added_and_removed,
    takes_only_a_base_and_its_delta, agrees_with_a_model,
    knows_serials_with_and_without_zeros, writes_only_what_is_sorted,
    ends_only_what_can_be_read, stops_when_the_sink_does)
