/* SPDX-License-Identifier: ISC */
/* A certificate as pappus.setup_recover_certificates takes it. */
#ifndef PAPPUS_TOOLS_RECOVER_CERTIFICATE_H
#define PAPPUS_TOOLS_RECOVER_CERTIFICATE_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Append the members that describe cert to a JSON object that has begun.  ski
 * is its issuer's, in hexadecimal.  ERR_MALFORMED when it is none of ours.
 */
bool recover_members(
    struct buf *out, X509 *cert, const char *ski, struct err *err);

#endif
