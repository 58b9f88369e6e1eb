/* SPDX-License-Identifier: ISC */
/* The lists in memory, as far as that needs no database. */
#include <stdlib.h>
#include <string.h>

#include "daemon/lists.h"
#include "unit.h"

enum { CAS = 3 };

static struct ca cas[CAS];
static struct ca *pointers[CAS];
static struct cas all;
static struct lists lists;

static void
add(struct crl_list *list, uint8_t last, int64_t not_after)
{
	struct crl_item item = {.revoked_at = 1000, .not_after = not_after};
	struct err err = {.code = ERR_NONE};

	item.serial[CRL_SERIAL_MAX - 1] = last;
	ck_assert_msg(crl_list_append(list, &item, &err), "%s", err.detail);
}

/* The first two have lists, the third has none. */
static void
setup(void)
{
	int i;

	memset(cas, 0, sizeof(cas));
	for (i = 0; i < CAS; i++) {
		cas[i].id = i + 1;
		pointers[i] = &cas[i];
	}
	cas[0].list = crl_list_new();
	cas[1].list = crl_list_new();
	all = (struct cas){.list = pointers, .count = CAS};
	lists_init(&lists, &all);
	lists.stray = crl_list_new();
	add(cas[0].list, 2, 5000);
	add(cas[0].list, 4, 6000);
	add(cas[0].list, 9, CRL_NEVER);
	add(cas[1].list, 3, 5000);
	add(cas[1].list, 9, CRL_NEVER);
	add(lists.stray, 9, CRL_NEVER);
}

static void
teardown(void)
{
	int i;

	for (i = 0; i < CAS; i++) {
		crl_list_free(cas[i].list);
		serials_clear(&cas[i].gone);
	}
	lists_free(&lists);
}

static bool
sink(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

START_TEST(test_serials_of_all)
{
	struct err err = {.code = ERR_NONE};
	struct denylist_writer writer;
	struct denylist_file file;
	struct buf bytes = BUF_INIT;
	static const uint8_t want[] = {2, 3, 4, 9};
	size_t count = 0, i;

	setup();
	ck_assert(denylist_write_begin(&writer, sink, &bytes, &err));
	ck_assert(lists_write_serials(&lists, &writer, &count, &err));
	ck_assert(denylist_write_end(&writer, 0, 2, 3, NULL, 0, &err));
	ck_assert(denylist_file_read(bytes.data, bytes.len, &file, &err));
	ck_assert(denylist_file_verify(&file, &err));
	ck_assert_uint_eq(count, COUNT(want));
	ck_assert_uint_eq(file.count[DENYLIST_SERIALS_ADDED], COUNT(want));
	for (i = 0; i < COUNT(want); i++)
		ck_assert_uint_eq(
		    file.at[DENYLIST_SERIALS_ADDED]
			   [i * DENYLIST_SERIAL_LEN + DENYLIST_SERIAL_LEN - 1],
		    want[i]);
	denylist_writer_free(&writer);
	buf_free(&bytes);
	teardown();
}
END_TEST

START_TEST(test_expire)
{
	struct lists_gone gone = {.lists = &lists, .ca = &cas[0]};
	struct crl_item item = {.serial = {0}};

	setup();
	item.serial[CRL_SERIAL_MAX - 1] = 2;
	ck_assert(!lists_is_gone(&gone, &item));
	lists_expire(&cas[0], 5000);
	ck_assert_uint_eq(crl_list_count(cas[0].list), 3);
	lists_expire(&cas[0], 5001);
	ck_assert_uint_eq(crl_list_count(cas[0].list), 2);
	ck_assert_int_eq(cas[0].expired_before, 5001);
	ck_assert(lists_is_gone(&gone, &item));
	/* Never back. */
	lists_expire(&cas[0], 4000);
	ck_assert_int_eq(cas[0].expired_before, 5001);
	/* One that another CA has now; one that nobody has. */
	item.serial[CRL_SERIAL_MAX - 1] = 3;
	ck_assert(lists_is_gone(&gone, &item));
	item.serial[CRL_SERIAL_MAX - 1] = 7;
	ck_assert(!lists_is_gone(&gone, &item));
	/* Not because its own list has it. */
	item.serial[CRL_SERIAL_MAX - 1] = 4;
	ck_assert(!lists_is_gone(&gone, &item));
	lists_expire(&cas[0], CRL_NEVER);
	ck_assert_uint_eq(crl_list_count(cas[0].list), 1);
	teardown();
}
END_TEST

START_TEST(test_serials)
{
	struct serials serials = {.count = 0};
	uint8_t serial[CRL_SERIAL_MAX] = {0};
	int i;

	ck_assert(!serials_have(&serials, serial));
	for (i = 255; i > 0; i -= 2) {
		serial[3] = (uint8_t)i;
		serials_add(&serials, serial);
	}
	for (i = 0; i < 256; i++) {
		serial[3] = (uint8_t)i;
		ck_assert_int_eq(serials_have(&serials, serial), i & 1);
	}
	serial[3] = 2;
	serials_add(&serials, serial);
	ck_assert(serials_have(&serials, serial));
	serials_clear(&serials);
	ck_assert(!serials_have(&serials, serial));
}
END_TEST

UNIT_MAIN("lists", test_serials_of_all, test_expire, test_serials)
