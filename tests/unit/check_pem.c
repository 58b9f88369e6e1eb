/* SPDX-License-Identifier: ISC */
/* Tests of encoding/pem.h; OpenSSL's PEM reader is the judge. */
#include "encoding/pem.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "unit.h"

static void
encodes_to(const char *bytes, const char *text)
{
	struct buf out = BUF_INIT;

	pem_encode(&out, "X", (const uint8_t *)bytes, strlen(bytes));
	ck_assert_str_eq(buf_str(&out), text);
	buf_free(&out);
}

/* RFC 4648 §10. */
START_TEST(encodes_the_vectors)
{
	encodes_to("f", "-----BEGIN X-----\nZg==\n-----END X-----\n");
	encodes_to("fo", "-----BEGIN X-----\nZm8=\n-----END X-----\n");
	encodes_to("foo", "-----BEGIN X-----\nZm9v\n-----END X-----\n");
	encodes_to("foob", "-----BEGIN X-----\nZm9vYg==\n-----END X-----\n");
	encodes_to("fooba", "-----BEGIN X-----\nZm9vYmE=\n-----END X-----\n");
	encodes_to("foobar", "-----BEGIN X-----\nZm9vYmFy\n-----END X-----\n");
}
END_TEST

START_TEST(breaks_lines_at_64)
{
	encodes_to("123456789012345678901234567890123456789012345678",
	    "-----BEGIN X-----\n"
	    "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4\n"
	    "-----END X-----\n");
	encodes_to("1234567890123456789012345678901234567890123456789",
	    "-----BEGIN X-----\n"
	    "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4\n"
	    "OQ==\n"
	    "-----END X-----\n");
}
END_TEST

START_TEST(appends)
{
	struct buf out = BUF_INIT;

	buf_add_str(&out, "before ");
	pem_encode(&out, "A B", (const uint8_t *)"foo", 3);
	pem_encode(&out, "C", (const uint8_t *)"foo", 3);
	ck_assert_str_eq(buf_str(&out),
	    "before -----BEGIN A B-----\nZm9v\n-----END A B-----\n"
	    "-----BEGIN C-----\nZm9v\n-----END C-----\n");
	buf_free(&out);
}
END_TEST

/* Every length up to a few lines, and every sextet. */
START_TEST(openssl_reads_it_back)
{
	struct buf out = BUF_INIT;
	unsigned char *back;
	char *name, *header;
	uint8_t bytes[300];
	size_t i, len;
	long got;
	BIO *bio;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + (i >> 3));
	for (len = 1; len <= sizeof(bytes); len++) {
		buf_reset(&out);
		pem_encode(&out, "CERTIFICATE", bytes, len);
		bio = BIO_new_mem_buf(out.data, (int)out.len);
		ck_assert_int_eq(
		    PEM_read_bio(bio, &name, &header, &back, &got), 1);
		ck_assert_str_eq(name, "CERTIFICATE");
		ck_assert_str_eq(header, "");
		ck_assert_uint_eq((size_t)got, len);
		ck_assert_mem_eq(back, bytes, len);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(back);
		BIO_free(bio);
	}
	buf_free(&out);
}
END_TEST

UNIT_MAIN("pem", encodes_the_vectors, breaks_lines_at_64, appends,
    openssl_reads_it_back)
