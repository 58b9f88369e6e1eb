/* SPDX-License-Identifier: ISC */
/*
 * Revocation lists that pappus is given as files, checked before any of it is
 * believed.  They are mapped, not read into memory: one may hold millions.
 */
#ifndef PAPPUS_TOOLS_CRL_FILE_H
#define PAPPUS_TOOLS_CRL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cert/crl_read.h"
#include "tools/registered.h"

struct crl_file {
	char *path;  /* of the file */
	size_t line; /* where its block begins, from 1; 0: DER */
	void *map;
	struct crl_read crl;
	const struct registered *issuer; /* NULL: not registered */
};

struct crl_files {
	struct crl_file *lists;
	size_t n;
};

/*
 * Add the lists of a file: one in DER, or in PEM each block "X509 CRL", where
 * text between the blocks is passed over and blocks of another kind are
 * refused.  Each must be signed by a registered CA, with that CA's address in
 * it; of one that isn't registered, *err stays empty and issuer is NULL.  What
 * is wrong is named with file and line.
 */
bool crl_files_add(struct crl_files *files, const char *path,
    const struct registered_list *registered, struct err *err);

void crl_files_free(struct crl_files *files);

#endif
