/* SPDX-License-Identifier: ISC */
/*
 * What pappus recover is given, read as a stream: certificates from bundles of
 * PEM, denials from lines of text.  Files may be larger than memory.  Whatever
 * is wrong is named with file and line.
 */
#ifndef PAPPUS_TOOLS_RECOVER_READ_H
#define PAPPUS_TOOLS_RECOVER_READ_H

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "cert/serial.h"
#include "encoding/name.h"

/*
 * A denial's line: a device id or 2 to 40 hexadecimal digits, then whatever
 * one likes to say of it.  That goes into a column of 1,024 characters.  When
 * its first word is "revoked", a device is not just denied.
 */
enum { DENIAL_SERIAL_DIGITS_MAX = 40, DENIAL_LINE_MAX = 1023 };

struct denial {
	char device_id[NAME_MAX_LEN + 1];	   /* "": it is of a serial */
	char serial[DENIAL_SERIAL_DIGITS_MAX + 1]; /* lower-case, even */
	bool revoked;				   /* of a device */
	char comment[DENIAL_LINE_MAX + 1];	   /* UTF-8, may be empty */
};

struct source {
	const char *path; /* borrowed */
	FILE *file;
	size_t line; /* the one that was read last, from 1 */
};

bool source_open(struct source *source, const char *path, struct err *err);

/* Close; a source that was not opened may be closed too. */
void source_close(struct source *source);

/*
 * The next certificate, for the caller to free with X509_free; *line is where
 * it begins.  Text between the blocks is passed over, blocks of another kind
 * are refused.  NULL: the file is at its end when *err is empty.
 */
X509 *source_certificate(struct source *source, size_t *line, struct err *err);

/*
 * The next denial.  Empty lines and those that begin with # are passed over.
 * False: the file is at its end when *err is empty.
 */
bool source_denial(struct source *source, struct denial *out, struct err *err);

#endif
