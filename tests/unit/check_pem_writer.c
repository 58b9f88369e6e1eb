/* SPDX-License-Identifier: ISC */
/* Tests of encoding/pem_writer.h: by pieces the same as pem.h in one. */
#include "encoding/pem_writer.h"

#include <string.h>

#include "base/buf.h"
#include "encoding/pem.h"
#include "unit.h"

static bool
gather(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	ck_assert_uint_gt(len, 0);
	buf_add(ctx, data, len);
	return true;
}

/* Write len octets in pieces of that size, behind an empty one. */
static void
is_the_same(const uint8_t *der, size_t len, size_t piece)
{
	static struct pem_writer w;
	struct buf pieces = BUF_INIT, whole = BUF_INIT;
	size_t at, part;

	pem_encode(&whole, "X509 CRL", der, len);
	pem_writer_begin(&w, "X509 CRL", gather, &pieces);
	ck_assert(pem_writer_add(&w, NULL, 0, NULL));
	for (at = 0; at < len; at += part) {
		part = len - at < piece ? len - at : piece;
		ck_assert(pem_writer_add(&w, der + at, part, NULL));
	}
	ck_assert(pem_writer_end(&w, NULL));
	ck_assert_str_eq(buf_str(&pieces), buf_str(&whole));
	buf_free(&pieces);
	buf_free(&whole);
}

START_TEST(pieces_make_no_difference)
{
	static const size_t pieces[] = {1, 2, 3, 47, 48, 49, 96, 1000};
	uint8_t der[300];
	size_t i, len;

	for (i = 0; i < sizeof(der); i++)
		der[i] = (uint8_t)(i * 37 + (i >> 3));
	for (len = 1; len <= sizeof(der); len++)
		for (i = 0; i < COUNT(pieces); i++)
			is_the_same(der, len, pieces[i]);
}
END_TEST

/* More than is gathered for the sink, and about as much. */
START_TEST(any_length_will_do)
{
	enum { GATHERED = PEM_WRITER_TEXT / 65 * PEM_WRITER_LINE };
	static uint8_t der[5 * GATHERED];
	size_t i;

	for (i = 0; i < sizeof(der); i++)
		der[i] = (uint8_t)(i * 41 + (i >> 7));
	for (i = GATHERED - 150; i < GATHERED + 150; i++)
		is_the_same(der, i, 1000);
	is_the_same(der, sizeof(der), 1000);
	is_the_same(der, sizeof(der), sizeof(der));
}
END_TEST

/* Takes some octets, then no more. */
static bool
full(void *ctx, const void *data, size_t len, struct err *err)
{
	size_t *room = ctx;

	(void)data;
	if (*room < len)
		return err_set(err, ERR_SYSTEM, "no room");
	*room -= len;
	return true;
}

START_TEST(a_sink_that_fails_is_told)
{
	static struct pem_writer w;
	static const uint8_t der[3 * PEM_WRITER_TEXT];
	struct err err = {.code = ERR_NONE};
	size_t room = PEM_WRITER_TEXT;

	pem_writer_begin(&w, "X509 CRL", full, &room);
	ck_assert(!pem_writer_add(&w, der, sizeof(der), &err));
	ck_assert_str_eq(err.detail, "no room");
	room = 10;
	pem_writer_begin(&w, "X509 CRL", full, &room);
	ck_assert(pem_writer_add(&w, der, 10, NULL));
	ck_assert(!pem_writer_end(&w, NULL));
}
END_TEST

UNIT_MAIN("pem_writer", pieces_make_no_difference, any_length_will_do,
    a_sink_that_fails_is_told)
