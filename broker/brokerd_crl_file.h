/* SPDX-License-Identifier: ISC */
/*
 * The file that mosquitto's crlfile names: all verified CRLs as PEM, one after
 * the other.  Mosquitto lets revoked devices in when it finds that file
 * missing, empty or cut, so it is only ever replaced whole, and put right when
 * somebody else touched it.  After a change the broker gets SIGHUP, spaced so
 * that reading takes at most a tenth of its time.
 */
#ifndef PAPPUS_BROKERD_CRL_FILE_H
#define PAPPUS_BROKERD_CRL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "broker/brokerd.h"

struct crl_file; /* of the thread that keeps CRLs */

/* One list of the file, verified. */
struct crl_file_list {
	const char *name;
	const struct file_map *der;
	uint64_t entries;
};

struct crl_file *crl_file_new(struct brokerd *b);
void crl_file_free(struct crl_file *file);

/*
 * Have the file hold these lists, and the broker know it: now, or when it is
 * due.  To be called each second and after each change.  None: the file is
 * left as it is, for an empty one would shut nobody out.
 */
void crl_file_update(
    struct crl_file *file, const struct crl_file_list *lists, size_t count);

#endif
