/* SPDX-License-Identifier: ISC */
/* The log: see log.h. */
#include "base/log.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static const char *program = "pappus";

static const char *const level_names[] = {
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

void
log_program(const char *name)
{
	program = name;
}

static bool
is_bare(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isgraph((unsigned char)*s) || *s == '"' || *s == '\\')
			return false;
	return true;
}

static void
add_value(struct buf *b, const char *s)
{
	if (s == NULL)
		s = "-";
	if (is_bare(s)) {
		buf_add_str(b, s);
		return;
	}
	buf_add_byte(b, '"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_add_fmt(b, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			buf_add_fmt(b, "\\x%02x", c);
		else
			buf_add_byte(b, c);
	}
	buf_add_byte(b, '"');
}

void
log_event(
    enum log_level level, const char *event, const struct log_field *fields)
{
	char time[CLOCK_RFC3339_LEN + 1];
	struct buf line = BUF_INIT;
	ssize_t written;

	clock_rfc3339(clock_wall_ms(), time);
	buf_add_fmt(&line, "time=%s level=%s program=%s pid=%ld event=%s", time,
	    level_names[level], program, (long)getpid(), event);
	for (; fields != NULL && fields->type != LOG_END; fields++) {
		buf_add_fmt(&line, " %s=", fields->key);
		if (fields->type == LOG_INT)
			buf_add_fmt(&line, "%" PRId64, fields->num);
		else
			add_value(&line, fields->str);
	}
	buf_add_byte(&line, '\n');
	/* A log that can't be written is no reason to refuse a device. */
	written = write(STDERR_FILENO, line.data, line.len);
	(void)written;
	buf_free(&line);
}

void
log_msg(enum log_level level, const char *event, const char *fmt, ...)
{
	struct log_field fields[2] = {{"msg", LOG_STR, NULL, 0}};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fields[0].str = text;
	log_event(level, event, fields);
}
