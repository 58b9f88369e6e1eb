/* SPDX-License-Identifier: ISC */
/* What template.c, which fills, and template_compile.c share. */
#ifndef PAPPUS_CERT_TEMPLATE_IMPL_H
#define PAPPUS_CERT_TEMPLATE_IMPL_H

#include <stddef.h>

#include <openssl/evp.h>

#include "cert/template.h"

/* What is patched.  The two of the URI are there with a trust domain only. */
enum field {
	FIELD_SERIAL,
	FIELD_NOT_BEFORE,
	FIELD_NOT_AFTER,
	FIELD_COMMON_NAME,
	FIELD_POINT,
	FIELD_SKI,
	FIELD_URI_PROJECT,
	FIELD_URI_DEVICE,
	FIELD_MAX
};

/* UTCTime until 2049, GeneralizedTime from 2050; GENERAL/UTC cannot be. */
enum variant { UTC_UTC, UTC_GENERAL, GENERAL_GENERAL, VARIANT_MAX };

enum { UTC_LEN = 13, GENERAL_LEN = 15, TIME_MAX_LEN = GENERAL_LEN };

struct tbs {
	struct buf der; /* the variable fields are zero */
	size_t at[FIELD_MAX];
};

struct cert_template {
	struct tbs tbs[VARIANT_MAX];
	bool uri;
	int64_t not_after; /* the issuer's */
	EVP_MD *sha1;	   /* fetched once; used by many threads at once */
	uint8_t digest[TEMPLATE_DIGEST_LEN];
};

/* The bytes that stand for the fields of one certificate. */
struct patch {
	const void *data[FIELD_MAX];
	size_t len[FIELD_MAX];
	char times[2][TIME_MAX_LEN + 1];
	uint8_t ski[EVP_MAX_MD_SIZE];
	enum variant variant;
};

/* How many fields are patched: the last two only with a trust domain. */
size_t template_field_count(const struct cert_template *t);

/* The bytes of all fields; p points into f and into itself. */
bool template_patch(struct patch *p, EVP_MD *sha1, const struct cert_fields *f,
    struct err *err);

/* Append the template with the fields in their places. */
void template_apply(
    const struct cert_template *t, const struct patch *p, struct buf *out);

#endif
