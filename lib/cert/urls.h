/* SPDX-License-Identifier: ISC */
/*
 * The addresses a CA prints into what it issues, kept beside its certificate
 * as lines "name=value" (root.urls, ca.urls).  They are a promise for the
 * lifetime of the leaves, so they are checked once, here, and then fixed.
 */
#ifndef PAPPUS_CERT_URLS_H
#define PAPPUS_CERT_URLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/profile.h"

enum { URLS_MAX = 255 };

struct urls {
	char crl_url[URLS_MAX + 1];
	char ca_url[URLS_MAX + 1];
	char trust_domain[URLS_MAX + 1]; /* empty: none */
	enum purpose purpose;		 /* what the CA's leaves are for */
};

/*
 * Whether url may stand in a certificate: http:// (a CRL behind https could
 * need itself, RFC 5280 §8), printable ASCII without spaces, at most 255.
 * name says in the error which one it is.
 */
bool urls_check_url(const char *name, const char *url, struct err *err);

/*
 * Whether a trust domain follows SPIFFE-ID §2.1: 1 to 255 characters of
 * a-z 0-9 . - and _.
 */
bool urls_check_trust_domain(const char *domain, struct err *err);

/* Read a .urls file's text.  Unknown, doubled or missing names: error. */
bool urls_parse(
    const char *text, size_t len, struct urls *out, struct err *err);

/* Append the text of a .urls file. */
void urls_format(const struct urls *urls, struct buf *out);

#endif
