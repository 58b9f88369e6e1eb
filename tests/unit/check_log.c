/* SPDX-License-Identifier: ISC */
/* Tests of base/log.h, which read back what reaches fd 2. */
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

/* Send fd 2 to a file of its own; returns that file, to be read. */
static FILE *
capture(void)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	return file;
}

/* The whole line that was written, behind its time. */
static const char *
line(FILE *file, char *text, int size)
{
	static const char time[] = "time=2026-11-23T16:07:00.123Z ";

	rewind(file);
	ck_assert_ptr_nonnull(fgets(text, size, file));
	ck_assert_int_eq(strncmp(text, time, 7), 0);
	ck_assert_int_eq(text[sizeof(time) - 3], 'Z');
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	ck_assert_int_eq(fgetc(file), EOF);
	return text + sizeof(time) - 1;
}

START_TEST(writes_fields)
{
	const struct log_field fields[] = {LOG_S("route", "/enroll"),
	    LOG_I("us", 1234), LOG_S("device", NULL), LOG_I("n", -1),
	    {NULL, LOG_END, NULL, 0}};
	char text[500], expected[500];
	FILE *file = capture();

	log_program("enroll");
	log_event(LOG_LEVEL_INFO, "request", fields);
	snprintf(expected, sizeof(expected),
	    "level=info program=enroll pid=%ld event=request route=/enroll "
	    "us=1234 device=- n=-1\n",
	    (long)getpid());
	ck_assert_str_eq(line(file, text, sizeof(text)), expected);
	fclose(file);
}
END_TEST

START_TEST(needs_no_fields)
{
	char text[500];
	FILE *file = capture();

	log_event(LOG_LEVEL_ERROR, "stop", NULL);
	ck_assert_ptr_nonnull(
	    strstr(line(file, text, sizeof(text)), "level=error"));
	ck_assert_ptr_nonnull(strstr(text, " event=stop\n"));
	fclose(file);
}
END_TEST

START_TEST(quotes_and_escapes)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
	    {"plain", " v=plain\n"},
	    {"", " v=\"\"\n"},
	    {"two words", " v=\"two words\"\n"},
	    {"a\"b\\c", " v=\"a\\\"b\\\\c\"\n"},
	    {"x\nlevel=error", " v=\"x\\x0alevel=error\"\n"},
	    {"\x1b[31m\x7f\xff", " v=\"\\x1b[31m\\x7f\\xff\"\n"},
	    {"key=value", " v=key=value\n"},
	};
	struct log_field fields[2] = {{"v", LOG_STR, NULL, 0}};
	char text[500];
	FILE *file;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		file = capture();
		fields[0].str = cases[i].value;
		log_event(LOG_LEVEL_WARN, "e", fields);
		ck_assert_str_eq(strstr(line(file, text, sizeof(text)), " v="),
		    cases[i].written);
		fclose(file);
	}
}
END_TEST

START_TEST(formats_messages)
{
	char text[500];
	FILE *file = capture();

	log_msg(LOG_LEVEL_WARN, "db", "try %d of %s", 3, "five");
	ck_assert_ptr_nonnull(
	    strstr(line(file, text, sizeof(text)), "level=warn"));
	ck_assert_ptr_nonnull(
	    strstr(text, " event=db msg=\"try 3 of five\"\n"));
	fclose(file);
}
END_TEST

static void *
log_many(void *arg)
{
	int i;

	for (i = 0; i < 500; i++)
		log_msg(LOG_LEVEL_INFO, "e", "%s end", (const char *)arg);
	return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
	char a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	char text[500];
	pthread_t threads[2];
	FILE *file = capture();
	int lines = 0;

	ck_assert_int_eq(pthread_create(&threads[0], NULL, log_many, a), 0);
	ck_assert_int_eq(pthread_create(&threads[1], NULL, log_many, b), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	rewind(file);
	for (; fgets(text, sizeof(text), file) != NULL; lines++) {
		ck_assert_int_eq(strncmp(text, "time=", 5), 0);
		ck_assert_ptr_nonnull(strstr(text, " end\"\n"));
		ck_assert(
		    (strstr(text, a) == NULL) != (strstr(text, b) == NULL));
	}
	ck_assert_int_eq(lines, 1000);
	fclose(file);
}
END_TEST

UNIT_MAIN("log", writes_fields, needs_no_fields, quotes_and_escapes,
    formats_messages, lines_of_threads_do_not_mix)
