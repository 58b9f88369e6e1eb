/* SPDX-License-Identifier: ISC */
/* Lists for the tests of those who write, read and check CRLs. */
#ifndef PAPPUS_TESTS_CRL_H
#define PAPPUS_TESTS_CRL_H

#include <string.h>

#include "ca/sign.h"
#include "cert/crl_list.h"
#include "cert/crl_read.h"
#include "cert/crl_write.h"
#include "pki.h"

static inline struct crl_spec
crl_spec_of(X509 *issuer)
{
	struct crl_spec spec = {.issuer = issuer,
	    .number = UINT64_C(1795450020123),
	    .this_update = pki_now - CRL_BACKDATE_S,
	    .next_update = pki_now + 7 * 86400,
	    .url = PKI_CRL_URL};

	return spec;
}

static inline bool
crl_gather(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

/* The n-th item: a serial of ours, every reason in turn. */
static inline struct crl_item
crl_item_of(unsigned int n)
{
	static const enum crl_reason reasons[] = {CRL_UNSPECIFIED,
	    CRL_KEY_COMPROMISE, CRL_CA_COMPROMISE, CRL_AFFILIATION_CHANGED,
	    CRL_SUPERSEDED, CRL_CESSATION, CRL_HOLD, CRL_PRIVILEGE_WITHDRAWN,
	    CRL_AA_COMPROMISE};
	struct crl_item item = {.revoked_at = pki_now + n * INT64_C(12345),
	    .not_after = pki_now + n,
	    .reason = reasons[n % COUNT(reasons)]};
	size_t i;

	memset(item.serial + CRL_SERIAL_MAX - SERIAL_LEN, 0x5a, SERIAL_LEN);
	for (i = 0; i < 4; i++)
		item.serial[CRL_SERIAL_MAX - SERIAL_LEN + 1 + i] =
		    (uint8_t)(n >> (24 - 8 * i));
	return item;
}

static inline struct crl_list *
crl_list_of(unsigned int count)
{
	struct crl_list *list = crl_list_new();
	struct crl_item item;
	unsigned int n;

	for (n = 0; n < count; n++) {
		item = crl_item_of(n);
		ck_assert(crl_list_append(list, &item, NULL));
	}
	ck_assert(crl_list_sort(list, NULL));
	return list;
}

/* Sign and write a list. */
static inline struct buf
crl_der_of(
    const struct crl_spec *spec, const struct crl_list *list, EVP_PKEY *key)
{
	struct err err = {.code = ERR_NONE};
	struct crl_draft *draft = crl_draft_new(spec, list, &err);
	struct crl_signature signature;
	struct crl_written written;
	struct buf der = BUF_INIT;

	ck_assert_msg(draft != NULL, "%s", err.detail);
	ck_assert(sign_crl_draft(draft, key, &signature, NULL));
	ck_assert(crl_draft_write(
	    draft, &signature, crl_gather, &der, &written, NULL));
	ck_assert_uint_eq(written.len, der.len);
	crl_draft_free(draft);
	return der;
}

/* Open what must be a list. */
static inline struct crl_read
crl_opened(const struct buf *der)
{
	struct err err = {.code = ERR_NONE};
	struct crl_read crl;

	ck_assert_msg(crl_read_open(der->data, der->len, false, &crl, &err),
	    "%s", err.detail);
	return crl;
}

#endif
