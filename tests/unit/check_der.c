/* SPDX-License-Identifier: ISC */
/* Tests of encoding/der.h; OpenSSL and timegm are the judges. */
#include "encoding/der.h"

#include <string.h>
#include <time.h>

#include <openssl/asn1.h>

#include "unit.h"

static const int64_t y2050 = INT64_C(2524608000);
static const int64_t first = INT64_C(-631152000);  /* of 1950 */
static const int64_t last = INT64_C(253402300799); /* of 9999 */

static void
time_is_openssls(int64_t seconds)
{
	ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)seconds);
	uint8_t ours[DER_TIME_MAX];
	unsigned char *theirs = NULL;
	int len = i2d_ASN1_TIME(time, &theirs);
	struct der in = {ours, der_time(ours, seconds)};
	int64_t back = seconds + 1;

	ck_assert_int_eq(len, (int)in.len);
	ck_assert_mem_eq(ours, theirs, in.len);
	ck_assert_uint_eq(in.len, der_time_len(seconds));
	ck_assert(der_take_time(&in, &back));
	ck_assert_int_eq(back, seconds);
	ck_assert_uint_eq(in.len, 0);
	OPENSSL_free(theirs);
	ASN1_TIME_free(time);
}

START_TEST(writes_times_as_openssl)
{
	static const int64_t days[] = {-86400, -1, 0, 1, 951782399, 951782400,
	    951868799, 951868800, 4107542399, 4107542400, 13574563200};
	int64_t t;
	size_t i;

	for (i = 0; i < COUNT(days); i++)
		time_is_openssls(days[i]);
	for (t = -3; t <= 3; t++)
		time_is_openssls(y2050 + t);
	time_is_openssls(first);
	time_is_openssls(last);
	/* Each day of 1950 to 2360, 400 years and some, at another second. */
	for (t = 0; t < 150000; t++)
		time_is_openssls(first + t * 86400 + t % 86400);
	/* And some of all others. */
	for (t = first; t <= last; t += INT64_C(2718281) * 37)
		time_is_openssls(t);
}
END_TEST

static bool
takes_time(uint8_t tag, const char *text)
{
	uint8_t octets[64] = {tag, (uint8_t)strlen(text)};
	struct der in = {octets, 2 + strlen(text)};
	int64_t seconds;
	bool taken;

	memcpy(octets + 2, text, strlen(text));
	taken = der_take_time(&in, &seconds);
	ck_assert(!taken || in.len == 0);
	return taken;
}

/* RFC 5280 §4.1.2.5. */
START_TEST(takes_no_other_times)
{
	static const char *const utc[] = {"2611231607Z", "261123160700",
	    "261123160700+0000", "261123160700z", "260023160700Z",
	    "261323160700Z", "261100160700Z", "261131160700Z", "261123240700Z",
	    "261123166000Z", "261123160760Z", "270229000000Z", "26112316070:Z",
	    "26 123160700Z", ""};
	static const char *const general[] = {"20261123160700Z",
	    "20491231235959Z", "20500101000000.5Z", "205001010000Z",
	    "21000229000000Z", "20500101000000", "500101000000Z"};
	size_t i;

	ck_assert(takes_time(DER_UTC_TIME, "261123160700Z"));
	ck_assert(takes_time(DER_UTC_TIME, "280229235959Z"));
	ck_assert(takes_time(DER_GENERALIZED_TIME, "20500101000000Z"));
	ck_assert(takes_time(DER_GENERALIZED_TIME, "24000229000000Z"));
	for (i = 0; i < COUNT(utc); i++)
		ck_assert_msg(!takes_time(DER_UTC_TIME, utc[i]), "%s", utc[i]);
	for (i = 0; i < COUNT(general); i++)
		ck_assert_msg(!takes_time(DER_GENERALIZED_TIME, general[i]),
		    "%s", general[i]);
	ck_assert(!takes_time(DER_INTEGER, "261123160700Z"));
}
END_TEST

START_TEST(lengths_are_in_their_shortest_form)
{
	static const size_t lens[] = {
	    0, 1, 127, 128, 255, 256, 65535, 65536, 16777215, 16777216};
	struct buf out = BUF_INIT;
	const uint8_t *p;
	long content;
	size_t i;
	int tag, class;

	for (i = 0; i < COUNT(lens); i++) {
		buf_reset(&out);
		der_put_header(&out, DER_SEQUENCE, lens[i]);
		ck_assert_uint_eq(out.len + lens[i], der_element_len(lens[i]));
		ck_assert_uint_le(out.len, DER_HEADER_MAX);
		p = out.data;
		ck_assert_int_eq(ASN1_get_object(&p, &content, &tag, &class,
				     (long)(out.len + lens[i])),
		    V_ASN1_CONSTRUCTED);
		ck_assert_int_eq(content, (long)lens[i]);
		ck_assert_ptr_eq(p, out.data + out.len);
	}
	buf_free(&out);
}
END_TEST

/* Read an element back, and not when it is cut anywhere. */
static void
reads_back(size_t len)
{
	struct buf out = BUF_INIT;
	struct der in, content = {NULL, 0};
	size_t cut;

	der_put_header(&out, DER_OCTET_STRING, len);
	memset(buf_extend(&out, len + 1), 0x5a, len + 1);
	in.at = out.data;
	in.len = out.len;
	ck_assert(!der_take(&in, DER_SEQUENCE, &content));
	ck_assert(der_next_is(&in, DER_OCTET_STRING));
	ck_assert(der_take(&in, DER_OCTET_STRING, &content));
	ck_assert_uint_eq(content.len, len);
	ck_assert_ptr_eq(content.at, out.data + out.len - 1 - len);
	ck_assert_uint_eq(in.len, 1);
	in.at = out.data;
	in.len = out.len;
	ck_assert(der_take_whole(&in, DER_OCTET_STRING, &content));
	ck_assert_ptr_eq(content.at, out.data);
	ck_assert_uint_eq(content.len, out.len - 1);
	for (cut = 0; cut + 1 < out.len; cut++) {
		in.at = out.data;
		in.len = cut;
		ck_assert(!der_take(&in, DER_OCTET_STRING, &content));
		ck_assert(!der_take_whole(&in, DER_OCTET_STRING, &content));
		ck_assert_ptr_eq(in.at, out.data);
		ck_assert_uint_eq(in.len, cut);
	}
	buf_free(&out);
}

START_TEST(what_is_cut_is_not_taken)
{
	static const size_t lens[] = {0, 1, 127, 128, 255, 256, 70000};
	size_t i;

	for (i = 0; i < COUNT(lens); i++)
		reads_back(lens[i]);
}
END_TEST

static bool
takes(const char *octets, size_t len)
{
	struct der in = {(const uint8_t *)octets, len}, content;

	return der_take(&in, DER_OCTET_STRING, &content);
}

#define TAKES(octets) takes(octets, sizeof(octets) - 1)

/* X.690 §10.1; lengths that don't fit into memory are cut, in a way. */
START_TEST(other_lengths_are_not_taken)
{
	ck_assert(TAKES("\x04\x01z"));
	ck_assert(!TAKES("\x04\x80z\0\0"));
	ck_assert(!TAKES("\x04\x81\x01z"));
	ck_assert(!TAKES("\x04\x82\x00\x01z"));
	ck_assert(!TAKES("\x04\xff\x01z"));
	ck_assert(!TAKES("\x04\x88\xff\xff\xff\xff\xff\xff\xff\xffz"));
	ck_assert(!TAKES("\x04\x89\1\0\0\0\0\0\0\0\0z"));
	ck_assert(!TAKES("\x04"));
	ck_assert(!TAKES(""));
}
END_TEST

static int
takes_integer(const char *octets, size_t len)
{
	struct der in = {(const uint8_t *)octets, len}, value;

	if (!der_take_unsigned(&in, &value))
		return -1;
	ck_assert_uint_eq(in.len, 0);
	return (int)value.len;
}

#define INTEGER_LEN(octets) takes_integer(octets, sizeof(octets) - 1)

/* X.690 §8.3.2. */
START_TEST(integers_are_minimal_and_not_negative)
{
	ck_assert_int_eq(INTEGER_LEN("\x02\x01\x00"), 0);
	ck_assert_int_eq(INTEGER_LEN("\x02\x01\x01"), 1);
	ck_assert_int_eq(INTEGER_LEN("\x02\x01\x7f"), 1);
	ck_assert_int_eq(INTEGER_LEN("\x02\x02\x00\x80"), 1);
	ck_assert_int_eq(INTEGER_LEN("\x02\x03\x00\xff\x00"), 2);
	ck_assert_int_eq(INTEGER_LEN("\x02\x02\x01\x00"), 2);
	ck_assert_int_eq(INTEGER_LEN("\x02\x00"), -1);
	ck_assert_int_eq(INTEGER_LEN("\x02\x01\x80"), -1);
	ck_assert_int_eq(INTEGER_LEN("\x02\x02\x00\x7f"), -1);
	ck_assert_int_eq(INTEGER_LEN("\x02\x02\x00\x00"), -1);
	ck_assert_int_eq(INTEGER_LEN("\x03\x01\x01"), -1);
}
END_TEST

START_TEST(compares_octets)
{
	struct der der = {(const uint8_t *)"abc", 3};

	ck_assert(der_equals(&der, "abc", 3));
	ck_assert(!der_equals(&der, "abd", 3));
	ck_assert(!der_equals(&der, "ab", 2));
}
END_TEST

UNIT_MAIN("der", writes_times_as_openssl, takes_no_other_times,
    lengths_are_in_their_shortest_form, what_is_cut_is_not_taken,
    other_lengths_are_not_taken, integers_are_minimal_and_not_negative,
    compares_octets)
