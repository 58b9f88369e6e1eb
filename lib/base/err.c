/* SPDX-License-Identifier: ISC */
/* Errors: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [ERR_NONE] = "none",
    [ERR_CONFIG] = "config",
    [ERR_SYSTEM] = "system",
    [ERR_CRYPTO] = "crypto",
    [ERR_MALFORMED] = "malformed",
    [ERR_TOO_LONG] = "too-long",
    [ERR_ENCODING] = "encoding",
    [ERR_DUPLICATE] = "duplicate",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_REFUSED] = "refused",
    [ERR_MISMATCH] = "mismatch",
};

__attribute__((format(printf, 4, 0))) static void
set(struct err *err, enum err_code code, int errnum, const char *fmt,
    va_list ap)
{
	size_t used;

	if (err == NULL || err->code != ERR_NONE)
		return;
	err->code = code;
	vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	if (errnum == 0)
		return;
	used = strlen(err->detail);
	snprintf(err->detail + used, sizeof(err->detail) - used, ": %s",
	    strerror(errnum));
}

bool
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, code, 0, fmt, ap);
	va_end(ap);
	return false;
}

bool
err_set_errno(struct err *err, const char *fmt, ...)
{
	int errnum = errno;
	va_list ap;

	va_start(ap, fmt);
	set(err, ERR_SYSTEM, errnum, fmt, ap);
	va_end(ap);
	return false;
}

void
err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->detail[0] = '\0';
}

const char *
err_name(enum err_code code)
{
	return names[code];
}
