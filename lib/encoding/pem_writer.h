/* SPDX-License-Identifier: ISC */
/*
 * PEM (RFC 7468 §3) of what is public and too large to be copied: DER goes in
 * by pieces of any size, text comes out through a sink.  By table, hence not
 * for keys: those have pem.h.
 */
#ifndef PAPPUS_ENCODING_PEM_WRITER_H
#define PAPPUS_ENCODING_PEM_WRITER_H

#include <stdint.h>

#include "base/sink.h"

enum {
	PEM_WRITER_LINE = 48, /* octets of a line of 64 characters */
	PEM_WRITER_TEXT = 65 * 512
};

struct pem_writer {
	const char *label;
	sink_fn *sink;
	void *ctx;
	uint8_t rest[PEM_WRITER_LINE]; /* a line's octets, not full yet */
	size_t rest_len;
	char pairs[4096][2];	    /* what twelve bits are */
	char text[PEM_WRITER_TEXT]; /* gathered for the sink */
	size_t text_len;
};

/* Begin a block; label, such as "X509 CRL", is short and must stay. */
void pem_writer_begin(
    struct pem_writer *w, const char *label, sink_fn *sink, void *ctx);

/* The next octets of DER.  A sink_fn itself, with the writer as its ctx. */
bool pem_writer_add(void *w, const void *der, size_t len, struct err *err);

/* The rest and the END line; all is with the sink afterwards. */
bool pem_writer_end(struct pem_writer *w, struct err *err);

#endif
