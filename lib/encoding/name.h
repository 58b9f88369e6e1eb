/* SPDX-License-Identifier: ISC */
/*
 * The names of rows: a prefix that says of what kind, then a ULID.  All are
 * of [0-9a-z_], so they are safe in a URL, an MQTT topic and a CN.
 */
#ifndef PAPPUS_ENCODING_NAME_H
#define PAPPUS_ENCODING_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum name_kind {
	NAME_PROJECT,	       /* proj_ */
	NAME_DEVICE,	       /* dev_ */
	NAME_ENROLLMENT_TOKEN, /* etk_ */
	NAME_ADMIN_TOKEN,      /* atk_ */
	NAME_SERVICE	       /* svc_ */
};

enum { NAME_MAX_LEN = 31 }; /* the longest: proj_ and 26 digits */

/* Write a new name and a NUL.  ms is the wall's time, as for ulid_generate. */
void name_generate(enum name_kind kind, int64_t ms, char out[NAME_MAX_LEN + 1]);

/* Whether s is a name of that kind; says nothing of there being such a row. */
bool name_valid(enum name_kind kind, const char *s, size_t len);

#endif
