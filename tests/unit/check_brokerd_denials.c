/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_denials.h. */
#include "broker/brokerd_denials.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static char dir[] = "/tmp/pappus-check.XXXXXX";
static int folder;
static struct err err;
static enum refusal why;
static const char *what;

static void
begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	folder = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(folder, 0);
}

static void
end(void)
{
	char command[128];

	close(folder);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* The id of a device that is called by a letter. */
static void
digits(char letter, char out[DENYLIST_DEVICE_LEN])
{
	memset(out, '0', DENYLIST_DEVICE_LEN);
	out[DENYLIST_DEVICE_LEN - 1] = letter;
}

/*
 * A file in the folder, named by its digest: devices added and removed, each a
 * letter, in order.
 */
static struct file_map *
file(uint64_t from, uint64_t to, const char *added, const char *removed,
    char name[FEED_NAME_LEN + 1])
{
	char device[DENYLIST_DEVICE_LEN];
	struct denylist_writer w;
	struct file_draft draft;

	ck_assert(file_draft_begin(&draft, folder, 0600, &err));
	ck_assert(denylist_write_begin(&w, file_draft_add, &draft, &err));
	for (; *added != '\0'; added++) {
		digits(*added, device);
		ck_assert(denylist_write_device(
		    &w, DENYLIST_DEVICES_ADDED, device, &err));
	}
	for (; *removed != '\0'; removed++) {
		digits(*removed, device);
		ck_assert(denylist_write_device(
		    &w, DENYLIST_DEVICES_REMOVED, device, &err));
	}
	ck_assert(denylist_write_end(&w, from, to, 1234, NULL, 0, &err));
	denylist_writer_free(&w);
	file_draft_digest(&draft, name);
	ck_assert(file_draft_keep(&draft, name, false, &err));
	return file_map_open(folder, name, &err);
}

/* A list of a base (of sequence 5, or more when told) and a delta to seq. */
static struct denials *
list(const struct denials *old, const char *base, uint64_t base_to,
    uint64_t seq, const char *added, const char *removed)
{
	struct feed_state state = {.sequence = seq};
	struct file_map *b = file(0, base_to, base, "", state.deny_base);
	struct file_map *d =
	    file(base_to, seq, added, removed, state.deny_delta);

	return denials_new(old, b, d, &state, &why, &what, &err);
}

static void
collect(void *ctx, const char id[DENYLIST_DEVICE_LEN])
{
	char *text = ctx;
	size_t len = strlen(text);

	text[len] = id[DENYLIST_DEVICE_LEN - 1];
	text[len + 1] = '\0';
}

/* The letters of devices that are new, in any order, but each once. */
static void
new_are(struct denials *old, struct denials *new, const char *expected)
{
	char got[64] = "";
	size_t i;

	ck_assert_msg(old != NULL && new != NULL, "%s", err.detail);
	denials_each_new(old, new, collect, got);
	ck_assert_msg(strlen(got) == strlen(expected), "\"%s\" for \"%s\"", got,
	    expected);
	for (i = 0; expected[i] != '\0'; i++)
		ck_assert_ptr_nonnull(strchr(got, expected[i]));
	denials_unref(old);
	denials_unref(new);
}

START_TEST(new_devices_on_the_same_base)
{
	begin();
	new_are(list(NULL, "ab", 5, 5, "", ""),
	    list(NULL, "ab", 5, 6, "cd", ""), "cd");
	new_are(list(NULL, "ab", 5, 6, "c", ""),
	    list(NULL, "ab", 5, 7, "cd", ""), "d");
	new_are(list(NULL, "ab", 5, 6, "c", ""), list(NULL, "ab", 5, 7, "", ""),
	    "");
	/* let in, and shut out again */
	new_are(list(NULL, "ab", 5, 6, "", "a"),
	    list(NULL, "ab", 5, 7, "c", ""), "ac");
	/* stands in the base and, needlessly, in the delta */
	new_are(list(NULL, "ab", 5, 6, "", "a"),
	    list(NULL, "ab", 5, 7, "a", ""), "a");
	new_are(list(NULL, "ab", 5, 6, "", ""), list(NULL, "ab", 5, 7, "a", ""),
	    "");
	end();
}
END_TEST

START_TEST(new_devices_on_another_base)
{
	begin();
	new_are(list(NULL, "ab", 5, 6, "c", "a"),
	    list(NULL, "bc", 6, 6, "", ""), "");
	new_are(list(NULL, "ab", 5, 6, "c", "a"),
	    list(NULL, "abcd", 7, 8, "ef", "b"), "adef");
	new_are(list(NULL, "", 5, 5, "", ""), list(NULL, "ab", 7, 8, "a", ""),
	    "ab");
	new_are(list(NULL, "abcdef", 5, 5, "", ""),
	    list(NULL, "", 7, 8, "", ""), "");
	end();
}
END_TEST

static void
refused(struct denials *d, enum refusal expected, const char *of)
{
	ck_assert_ptr_null(d);
	ck_assert_int_eq(why, expected);
	ck_assert_str_eq(what, of);
	ck_assert_int_ne(err.code, ERR_NONE);
	err_clear(&err);
}

START_TEST(what_does_not_belong_together)
{
	struct feed_state state = {.sequence = 6};
	struct file_map *base, *delta;

	begin();
	base = file(0, 5, "a", "", state.deny_base);
	delta = file(4, 6, "b", "", state.deny_delta);
	refused(denials_new(NULL, base, delta, &state, &why, &what, &err),
	    REFUSED_MISMATCH, "deny-delta");
	/* a delta of another sequence than the state says */
	base = file(0, 5, "a", "", state.deny_base);
	delta = file(5, 7, "b", "", state.deny_delta);
	refused(denials_new(NULL, base, delta, &state, &why, &what, &err),
	    REFUSED_MISMATCH, "deny-delta");
	/* a delta in the base's place */
	base = file(3, 5, "a", "", state.deny_base);
	delta = file(5, 6, "b", "", state.deny_delta);
	refused(denials_new(NULL, base, delta, &state, &why, &what, &err),
	    REFUSED_MISMATCH, "deny-delta");
	end();
}
END_TEST

/* Every octet that is missing or other is noticed, or does no harm. */
START_TEST(files_that_are_damaged)
{
	struct feed_state state = {.sequence = 6};
	struct file_map *base, *delta, *whole;
	struct denials *d;
	uint8_t *copy;
	size_t len, i;

	begin();
	whole = file(5, 6, "bc", "a", state.deny_delta);
	len = file_map_len(whole);
	copy = malloc(len);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, file_map_data(whole), len);
	for (i = 1; i < len; i++) {
		ck_assert(
		    file_replace(folder, "cut", 0600, copy, i, false, &err));
		base = file(0, 5, "a", "", state.deny_base);
		delta = file_map_open(folder, "cut", &err);
		refused(
		    denials_new(NULL, base, delta, &state, &why, &what, &err),
		    REFUSED_MALFORMED, "deny-delta");
	}
	/* not sorted: the second of what is added is made the smallest */
	copy[12 + 2 * DENYLIST_DEVICE_LEN - 1] = '0';
	ck_assert(file_replace(folder, "x", 0600, copy, len, false, &err));
	base = file(0, 5, "a", "", state.deny_base);
	delta = file_map_open(folder, "x", &err);
	d = denials_new(NULL, base, delta, &state, &why, &what, &err);
	refused(d, REFUSED_MALFORMED, "deny-delta");
	free(copy);
	file_map_unref(whole);
	end();
}
END_TEST

START_TEST(a_base_that_we_have_is_shared)
{
	struct feed_state state = {.sequence = 7};
	struct denials *old, *new;
	struct file_map *delta;

	begin();
	old = list(NULL, "ab", 5, 6, "c", "");
	ck_assert_ptr_nonnull(old);
	memcpy(state.deny_base, denials_base_name(old), FEED_NAME_LEN + 1);
	delta = file(5, 7, "d", "", state.deny_delta);
	new = denials_new(old, file_map_ref(denials_base(old)), delta, &state,
	    &why, &what, &err);
	ck_assert_ptr_nonnull(new);
	denials_unref(denials_ref(old));
	denials_unref(old);
	ck_assert_str_eq(denials_delta_name(new), state.deny_delta);
	ck_assert_uint_eq(denials_list(new)->base.to, 5);
	ck_assert_uint_eq(denials_list(new)->delta.to, 7);
	denials_unref(new);
	end();
}
END_TEST

UNIT_MAIN("brokerd_denials", new_devices_on_the_same_base,
    new_devices_on_another_base, what_does_not_belong_together,
    files_that_are_damaged, a_base_that_we_have_is_shared)
