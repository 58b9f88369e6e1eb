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

/*
 * Open a list that was written and see whether it holds these items, all and no
 * other, in their order.  ERR_MISMATCH when it does not; or what
 * crl_read_open says.
 */
bool crl_check_written(const uint8_t *data, size_t len, bool mapped,
    const struct crl_list *list, struct crl_read *out, struct err *err);

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
 */
bool crl_check_kept(const struct crl_list *old, int64_t old_this_update,
    const struct crl_list *new, crl_gone_fn *gone, void *ctx, struct err *err);

/*
 * The same for an old list that is published, in whichever order: it doesn't
 * say when certificates end, so gone is asked of each.  It is opened as well,
 * and what crl_read_open says may be the answer; with ERR_MISMATCH *out is as
 * crl_read_open_each leaves it.
 */
bool crl_check_published(const uint8_t *data, size_t len, bool mapped,
    const struct crl_list *new, crl_gone_fn *gone, void *ctx,
    struct crl_read *out, struct err *err);

#endif
