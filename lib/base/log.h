/* SPDX-License-Identifier: ISC */
/*
 * The log: one line an event on fd 2, written with a single write(2) so that
 * lines of several threads and workers never mix.  A line is
 *   time=… level=… program=… pid=… key=value …
 * Values are quoted when they hold anything but printable ASCII without space,
 * quote or backslash; what isn't printable is escaped as \xHH.
 */
#ifndef PAPPUS_BASE_LOG_H
#define PAPPUS_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_type { LOG_END = 0, LOG_STR, LOG_INT };

/* One key=value of a line. */
struct log_field {
	const char *key;
	enum log_type type;
	const char *str; /* LOG_STR; NULL is written as - */
	int64_t num;	 /* LOG_INT */
};

#define LOG_S(k, v)                  \
	{                            \
		(k), LOG_STR, (v), 0 \
	}
#define LOG_I(k, v)                              \
	{                                        \
		(k), LOG_INT, NULL, (int64_t)(v) \
	}

/* The program's name in every line; a string that lives as long. */
void log_program(const char *name);

/* Write one line: the event, then fields up to one of type LOG_END. */
void log_event(
    enum log_level level, const char *event, const struct log_field *fields);

/* Write a line that has no fields but a printf-like msg=… */
void log_msg(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
