/* SPDX-License-Identifier: ISC */
/* What has changed since a base, put together. */
#include <stdio.h>
#include <string.h>

#include "daemon/delta.h"
#include "unit.h"

static bool
sink(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

/* What a delta says, as a file that is read again. */
static struct denylist_file
written(struct delta *delta, struct buf *bytes)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_writer writer;
	struct denylist_file file;

	buf_reset(bytes);
	ck_assert(denylist_write_begin(&writer, sink, bytes, &err));
	ck_assert_msg(delta_write(delta, &writer, &err), "%s", err.detail);
	ck_assert(denylist_write_end(&writer, 1, 2, 3, NULL, 0, &err));
	denylist_writer_free(&writer);
	ck_assert_msg(denylist_file_read(bytes->data, bytes->len, &file, &err),
	    "%s", err.detail);
	ck_assert_msg(denylist_file_verify(&file, &err), "%s", err.detail);
	return file;
}

static void
digits(unsigned int n, char out[DENYLIST_DEVICE_LEN + 1])
{
	snprintf(out, DENYLIST_DEVICE_LEN + 1, "%026u", n);
}

static void
serial(unsigned int n, uint8_t out[DENYLIST_SERIAL_LEN])
{
	memset(out, 0, DENYLIST_SERIAL_LEN);
	out[DENYLIST_SERIAL_LEN - 2] = (uint8_t)(n >> 8);
	out[DENYLIST_SERIAL_LEN - 1] = (uint8_t)n;
}

static void
put_device(struct delta *delta, unsigned int n, bool denied)
{
	char text[DENYLIST_DEVICE_LEN + 1];

	digits(n, text);
	delta_device(delta, text, denied);
}

static void
put_serial(struct delta *delta, unsigned int n, bool revoked)
{
	uint8_t octets[DENYLIST_SERIAL_LEN];

	serial(n, octets);
	delta_serial(delta, octets, revoked);
}

START_TEST(test_empty)
{
	struct delta *delta = delta_new();
	struct buf bytes = BUF_INIT;
	struct denylist_file file = written(delta, &bytes);
	int i;

	for (i = 0; i < DENYLIST_SECTIONS; i++)
		ck_assert_uint_eq(file.count[i], 0);
	ck_assert_uint_eq(delta_count(delta), 0);
	delta_free(delta);
	delta_free(NULL);
	buf_free(&bytes);
}
END_TEST

START_TEST(test_last_counts)
{
	struct delta *delta = delta_new();
	struct buf bytes = BUF_INIT;
	struct denylist_file file;

	put_device(delta, 3, true);
	put_device(delta, 1, true);
	put_device(delta, 3, false);
	put_serial(delta, 9, false);
	put_serial(delta, 9, true);
	put_serial(delta, 9, false);
	put_serial(delta, 9, true);
	put_serial(delta, 5, false);
	file = written(delta, &bytes);
	ck_assert_uint_eq(delta_count(delta), 4);
	ck_assert_uint_eq(file.count[DENYLIST_DEVICES_ADDED], 1);
	ck_assert_uint_eq(file.count[DENYLIST_DEVICES_REMOVED], 1);
	ck_assert_uint_eq(file.count[DENYLIST_SERIALS_ADDED], 1);
	ck_assert_uint_eq(file.count[DENYLIST_SERIALS_REMOVED], 1);
	/* Also over what was merged before. */
	put_device(delta, 3, true);
	put_device(delta, 1, false);
	put_device(delta, 2, true);
	file = written(delta, &bytes);
	ck_assert_uint_eq(file.count[DENYLIST_DEVICES_ADDED], 2);
	ck_assert_uint_eq(file.count[DENYLIST_DEVICES_REMOVED], 1);
	ck_assert_mem_eq(file.at[DENYLIST_DEVICES_REMOVED],
	    "00000000000000000000000001", DENYLIST_DEVICE_LEN);
	delta_clear(delta);
	ck_assert_uint_eq(delta_count(delta), 0);
	put_device(delta, 1, true);
	ck_assert_uint_eq(delta_count(delta), 1);
	delta_free(delta);
	buf_free(&bytes);
}
END_TEST

/* Against a table, over many batches. */
START_TEST(test_many)
{
	enum { N = 500, CHANGES = 20000 };
	struct delta *delta = delta_new();
	struct buf bytes = BUF_INIT;
	signed char device[N] = {0}, revoked[N] = {0};
	unsigned int i, n, random = 1;
	size_t want[DENYLIST_SECTIONS] = {0};
	struct denylist_file file;
	uint8_t octets[DENYLIST_SERIAL_LEN];
	bool on;

	for (i = 0; i < CHANGES; i++) {
		random = random * 1103515245 + 12345;
		n = random >> 16 & 0x7fff;
		on = (n & 1) != 0;
		n = (n >> 1) % N;
		if (random >> 31 == 0) {
			put_device(delta, n, on);
			device[n] = on ? 1 : -1;
		} else {
			put_serial(delta, n, on);
			revoked[n] = on ? 1 : -1;
		}
		if (i % 37 == 0)
			delta_count(delta);
	}
	for (i = 0; i < N; i++) {
		want[DENYLIST_DEVICES_ADDED] += device[i] > 0;
		want[DENYLIST_DEVICES_REMOVED] += device[i] < 0;
		want[DENYLIST_SERIALS_ADDED] += revoked[i] > 0;
		want[DENYLIST_SERIALS_REMOVED] += revoked[i] < 0;
	}
	file = written(delta, &bytes);
	for (i = 0; i < DENYLIST_SECTIONS; i++)
		ck_assert_uint_eq(file.count[i], want[i]);
	for (i = 0, n = 0; i < N; i++) {
		if (revoked[i] <= 0)
			continue;
		serial(i, octets);
		ck_assert_mem_eq(file.at[DENYLIST_SERIALS_ADDED] +
				     (size_t)n++ * DENYLIST_SERIAL_LEN,
		    octets, DENYLIST_SERIAL_LEN);
	}
	delta_free(delta);
	buf_free(&bytes);
}
END_TEST

UNIT_MAIN("delta", test_empty, test_last_counts, test_many)
