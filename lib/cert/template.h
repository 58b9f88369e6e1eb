/* SPDX-License-Identifier: ISC */
/*
 * The device profile compiled to templates: TBSCertificates in DER in which
 * serial, validity, CN, URI, public key and SKI stand at known offsets with
 * fixed lengths.  Issuing copies one, patches it and signs it, which is ten
 * times as fast as building it.  UTCTime and GeneralizedTime differ in
 * length, so there is one template for each pair of time types.
 *
 * Read-only once made: many threads may fill from one.
 */
#ifndef PAPPUS_CERT_TEMPLATE_H
#define PAPPUS_CERT_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/serial.h"

enum {
	TEMPLATE_DIGEST_LEN = 32,
	TEMPLATE_DEVICE_ID_LEN = 30,  /* dev_ and a ULID */
	TEMPLATE_PROJECT_ID_LEN = 31, /* proj_ and a ULID */
	TEMPLATE_POINT_LEN = 65	      /* 04, x, y of P-256 */
};

struct cert_template; /* one per device sub-CA */

struct cert_template_params {
	X509 *issuer;		  /* a device sub-CA; not kept */
	const char *crl_url;	  /* CDP */
	const char *ca_url;	  /* AIA, caIssuers */
	const char *trust_domain; /* of the SPIFFE ID; NULL: no SAN */
};

/* What differs between two certificates of a sub-CA. */
struct cert_fields {
	uint8_t serial[SERIAL_LEN];
	int64_t not_before; /* unix seconds */
	int64_t not_after;
	const char *device_id;	/* dev_…, exactly 30 characters */
	const char *project_id; /* proj_…, exactly 31 */
	uint8_t public_key[TEMPLATE_POINT_LEN]; /* uncompressed point */
};

/*
 * Compile the templates.  Each is checked against the same certificate built
 * the long way before it is used.  NULL with ERR_MISMATCH when the issuer is
 * no device sub-CA, ERR_MALFORMED when an address or the trust domain is
 * unfit.
 */
struct cert_template *cert_template_new(
    const struct cert_template_params *params, struct err *err);

void cert_template_free(struct cert_template *t);

/*
 * Pins the profile: SHA-256 over all templates with the variable fields
 * zeroed.  Any change of what would be printed into a leaf changes it.
 */
void cert_template_digest(
    const struct cert_template *t, uint8_t out[TEMPLATE_DIGEST_LEN]);

/*
 * Append a TBSCertificate with these fields to tbs.  ERR_MALFORMED when a
 * field has the wrong length or form (tbs is then untouched), ERR_REFUSED
 * when the leaf would outlive its issuer.
 */
bool cert_template_fill(const struct cert_template *t,
    const struct cert_fields *fields, struct buf *tbs, struct err *err);

#endif
