/* SPDX-License-Identifier: ISC */
/*
 * What the signer of CRLs makes sure of before a list replaces another: that
 * it holds what it should, and that nothing was lost before its time.
 */
#ifndef PAPPUS_CERT_CRL_CHECK_H
#define PAPPUS_CERT_CRL_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cert/crl_list.h"
#include "cert/crl_read.h"

/* Whether a written list holds these items, all and no other: ERR_MISMATCH. */
bool crl_check_same(const struct crl_read *written, const struct crl_list *list,
    struct err *err);

/*
 * Asked for what was in the old list, is not in the new one, was no hold and
 * has not ended before the old list's thisUpdate as far as the old one knows:
 * whether it may be gone all the same.
 */
typedef bool crl_gone_fn(void *ctx, const struct crl_item *item);

/*
 * Whether new holds all of old: but for holds, which are released; what ended
 * before the thisUpdate of the old list, which has seen it out (RFC 5280
 * §3.3); and what gone says (NULL: nothing).  A final revocation that became
 * a hold is lost too.  ERR_MISMATCH names the first such serial.
 *
 * A published list doesn't say when certificates end: gone is asked for each.
 */
bool crl_check_kept(const struct crl_list *old, int64_t old_this_update,
    const struct crl_list *new, crl_gone_fn *gone, void *ctx, struct err *err);
bool crl_check_published_kept(const struct crl_read *old,
    const struct crl_list *new, crl_gone_fn *gone, void *ctx, struct err *err);

#endif
