/* SPDX-License-Identifier: ISC */
/* A device sub-CA as pappus-ca leaves it in a folder, ready to sign. */
#ifndef PAPPUS_BENCH_ISSUER_H
#define PAPPUS_BENCH_ISSUER_H

#include "ca/issue.h"

/* NULL when the folder is none that `pappus-ca install` has finished. */
struct issuer *bench_issuer_open(const char *dir, struct err *err);

/*
 * Make a key and a certificate of an invented device: all that /identity does
 * but the request and the record.  Appends both as PEM.
 */
struct key_maker;
bool bench_issue(const struct issuer *issuer, struct key_maker *maker,
    struct signer *signer, const char *device_id, struct buf *cert,
    struct buf *key, struct err *err);

#endif
