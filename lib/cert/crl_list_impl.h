/* SPDX-License-Identifier: ISC */
/*
 * How a list of revoked certificates lies in memory: for those who pass over
 * a million of them, and for no one else.
 */
#ifndef PAPPUS_CERT_CRL_LIST_IMPL_H
#define PAPPUS_CERT_CRL_LIST_IMPL_H

#include "cert/crl_list.h"

/*
 * An item in 32 octets.  Times are below 2^40 (the year 9999 is), as 32 lower
 * and 8 upper bits.
 */
struct crl_record {
	uint8_t serial[CRL_SERIAL_MAX];
	uint8_t reason;
	uint8_t revoked_high;
	uint8_t ends_high;
	uint8_t zeros; /* in front of the serial */
	uint32_t revoked_low;
	uint32_t ends_low;
};

_Static_assert(sizeof(struct crl_record) == 32, "a record is without holes");

struct crl_list {
	struct crl_record *records;
	size_t count;
	size_t cap;
	bool sorted; /* so far, and without doubles */
};

static inline int64_t
crl_record_revoked_at(const struct crl_record *r)
{
	return (int64_t)r->revoked_high << 32 | r->revoked_low;
}

static inline int64_t
crl_record_ends(const struct crl_record *r)
{
	return (int64_t)r->ends_high << 32 | r->ends_low;
}

#endif
