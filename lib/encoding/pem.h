/* SPDX-License-Identifier: ISC */
/*
 * PEM as RFC 7468 §3 wants it generated: base64 in lines of 64 characters
 * between the BEGIN and END lines.  Lines end in \n.
 */
#ifndef PAPPUS_ENCODING_PEM_H
#define PAPPUS_ENCODING_PEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Append len bytes of DER (at least one) under a label such as "CERTIFICATE"
 * or "PRIVATE KEY".  Neither branches nor looks up memory by what the bytes
 * are, and leaves no copy outside of out, so it is fit for private keys.
 */
void pem_encode(
    struct buf *out, const char *label, const uint8_t *der, size_t len);

#endif
