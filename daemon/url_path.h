/* SPDX-License-Identifier: ISC */
/*
 * Where a CA's files lie below the public folder: at the path of its
 * addresses, so that a web server that serves the folder serves what
 * certificates promise.
 */
#ifndef PAPPUS_DAEMON_URL_PATH_H
#define PAPPUS_DAEMON_URL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { URL_PATH_MAX = 512 };

/*
 * The path of an http: address, without the "/" in front and with its
 * percent-encoding undone, as a web server reads it (RFC 3986 §3.3, §2.1).
 * ERR_REFUSED for one that could lead elsewhere or can't be a file here: with
 * a query or fragment, an empty part or one that begins with ".", in the
 * folder "feed", ending in "/", or too long.
 */
bool url_path(const char *url, char out[URL_PATH_MAX + 1], struct err *err);

/*
 * The same path with .pem in place of the extension of its last part, or added
 * where there is none.  Empty when that is the path itself or too long.
 */
void url_path_pem(const char *path, char out[URL_PATH_MAX + 1]);

/* One CA's paths.  An empty one isn't published. */
struct place {
	int issuer_id;
	const char *crl_url; /* of the caller; NULL or empty: none */
	const char *ca_url;
	char crl[URL_PATH_MAX + 1];
	char crl_pem[URL_PATH_MAX + 1];
	char ca[URL_PATH_MAX + 1];
	char ca_pem[URL_PATH_MAX + 1];
	struct err err; /* the first thing wrong with its addresses */
};

/*
 * Fill in the paths of all CAs.  Of two that share one the first in the array
 * keeps it, for its leaves count on it already; the other has none and an
 * error.  DER comes before PEM, whose paths are a courtesy: one that is taken
 * is just left out.
 */
void places_assign(struct place *places, size_t n);

#endif
