/* SPDX-License-Identifier: ISC */
/*
 * How a failure travels: a stable public code, which the layer that renders
 * it maps to an answer or an exit status, and a detail, which goes to the log
 * and never to a device.  Whoever detects a failure sets it; callers above
 * pass it on untouched; it is logged and rendered once.
 */
#ifndef PAPPUS_BASE_ERR_H
#define PAPPUS_BASE_ERR_H

#include <stdbool.h>

/* What kind of failure it was.  lib/request/problem.c maps these to HTTP. */
enum err_code {
	ERR_NONE = 0,
	ERR_CONFIG,	 /* a setting is missing or impossible */
	ERR_SYSTEM,	 /* the operating system refused something */
	ERR_CRYPTO,	 /* OpenSSL refused something */
	ERR_MALFORMED,	 /* input that does not follow its grammar */
	ERR_TOO_LONG,	 /* input over its limit */
	ERR_ENCODING,	 /* input that is not UTF-8, or holds controls */
	ERR_DUPLICATE,	 /* input given twice that may be given once */
	ERR_UNSUPPORTED, /* a media type that is not taken */
	ERR_UNAVAILABLE, /* the database is down, late, or its answer lost */
	ERR_REFUSED,	 /* a rule of the product forbids it */
	ERR_MISMATCH	 /* two things that must agree do not */
};

struct err {
	enum err_code code;
	char detail[256]; /* one line, no secrets, cut short when too long */
};

/*
 * Set code and printf-like detail in *err, which may be NULL.  An error that
 * is already set stays, so that the first cause is the one reported.
 * Returns false, so that "return err_set(...)" reads well.
 */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": strerror(errno)" behind the detail. */
bool err_set_errno(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Forget what *err holds. */
void err_clear(struct err *err);

/* The public name of a code, such as "malformed"; never NULL. */
const char *err_name(enum err_code code);

#endif
