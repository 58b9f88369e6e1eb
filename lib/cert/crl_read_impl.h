/* SPDX-License-Identifier: ISC */
/* What the two halves of the reader of CRLs share; for no one else. */
#ifndef PAPPUS_CERT_CRL_READ_IMPL_H
#define PAPPUS_CERT_CRL_READ_IMPL_H

#include "cert/crl_read.h"
#include "encoding/der.h"

/* Take an entry; returns what is wrong with it, or NULL. */
const char *crl_read_entry(struct der *in, struct crl_item *out);

/*
 * A window that moves over a list's octets: what lies behind it is given back
 * to the system when the list is a file's mapping.
 */
struct crl_window {
	const uint8_t *from; /* NULL: nothing is given back */
};

struct crl_window crl_window_of(const struct crl_read *crl, const uint8_t *at);
void crl_window_pass(struct crl_window *window, const uint8_t *at);

#endif
