/* SPDX-License-Identifier: ISC */
/* Certificate revocation lists the long way: see crl.h. */
#include "cert/crl.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "cert/cert.h"
#include "cert/ext.h"
#include "cert/ossl.h"
#include "encoding/pem.h"

static const char *const reasons[] = {
    [CRL_UNSPECIFIED] = "unspecified",
    [CRL_KEY_COMPROMISE] = "keyCompromise",
    [CRL_CA_COMPROMISE] = "cACompromise",
    [CRL_AFFILIATION_CHANGED] = "affiliationChanged",
    [CRL_SUPERSEDED] = "superseded",
    [CRL_CESSATION] = "cessationOfOperation",
    [CRL_HOLD] = "certificateHold",
    [CRL_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
    [CRL_AA_COMPROMISE] = "aACompromise",
};

enum { REASON_COUNT = sizeof(reasons) / sizeof(reasons[0]) };

const char *
crl_reason_name(int reason)
{
	return reason >= 0 && reason < REASON_COUNT ? reasons[reason] : NULL;
}

bool
crl_reason_parse(const char *name, enum crl_reason *out)
{
	int i;

	for (i = 0; i < REASON_COUNT; i++)
		if (reasons[i] != NULL && strcmp(name, reasons[i]) == 0) {
			*out = (enum crl_reason)i;
			return true;
		}
	return false;
}

static bool
entry_set_serial(X509_REVOKED *entry, const uint8_t serial[SERIAL_LEN])
{
	BIGNUM *bn = BN_bin2bn(serial, SERIAL_LEN, NULL);
	ASN1_INTEGER *n = bn == NULL ? NULL : BN_to_ASN1_INTEGER(bn, NULL);
	bool ok = n != NULL && X509_REVOKED_set_serialNumber(entry, n) == 1;

	BN_free(bn);
	ASN1_INTEGER_free(n);
	return ok;
}

static bool
entry_set_time(X509_REVOKED *entry, int64_t seconds)
{
	ASN1_TIME *t = cert_time_new(seconds);
	bool ok = t != NULL && X509_REVOKED_set_revocationDate(entry, t) == 1;

	ASN1_TIME_free(t);
	return ok;
}

/* RFC 5280 §5.3.1: unspecified should not be written at all. */
static bool
entry_set_reason(X509_REVOKED *entry, enum crl_reason reason)
{
	ASN1_ENUMERATED *value;
	bool ok;

	if (reason == CRL_UNSPECIFIED)
		return true;
	value = ASN1_ENUMERATED_new();
	ok = value != NULL && ASN1_ENUMERATED_set(value, (long)reason) == 1 &&
	     X509_REVOKED_add1_ext_i2d(
		 entry, NID_crl_reason, value, 0, X509V3_ADD_DEFAULT) == 1;
	ASN1_ENUMERATED_free(value);
	return ok;
}

static bool
add_entry(X509_CRL *crl, const struct crl_entry *from, struct err *err)
{
	X509_REVOKED *entry = X509_REVOKED_new();

	if (entry == NULL || !entry_set_serial(entry, from->serial) ||
	    !entry_set_time(entry, from->revoked_at) ||
	    !entry_set_reason(entry, from->reason) ||
	    X509_CRL_add0_revoked(crl, entry) != 1) {
		X509_REVOKED_free(entry);
		return ossl_err(err, "entry of the CRL");
	}
	return true;
}

static bool
set_header(X509_CRL *crl, const struct crl_spec *spec, struct err *err)
{
	ASN1_TIME *from = cert_time_new(spec->this_update);
	ASN1_TIME *to = cert_time_new(spec->next_update);
	bool ok = from != NULL && to != NULL &&
		  X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
		  X509_CRL_set_issuer_name(
		      crl, X509_get_subject_name(spec->issuer)) == 1 &&
		  X509_CRL_set1_lastUpdate(crl, from) == 1 &&
		  X509_CRL_set1_nextUpdate(crl, to) == 1;

	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return ok || ossl_err(err, "CRL");
}

X509_CRL *
crl_build(const struct crl_spec *spec, struct err *err)
{
	X509_CRL *crl = X509_CRL_new();
	bool ok;
	size_t i;

	if (crl == NULL) {
		ossl_err(err, "CRL");
		return NULL;
	}
	ok = set_header(crl, spec, err);
	for (i = 0; ok && i < spec->entry_count; i++)
		ok = add_entry(crl, &spec->entries[i], err);
	ok = ok && ext_crl_add_aki(crl, spec->issuer, err) &&
	     ext_crl_add_number(crl, spec->number, err) &&
	     ext_crl_add_idp(crl, spec->url, err);
	if (!ok) {
		X509_CRL_free(crl);
		return NULL;
	}
	X509_CRL_sort(crl);
	return crl;
}

X509_CRL *
crl_decode(const uint8_t *data, size_t len, struct err *err)
{
	size_t der_len = 0;
	uint8_t *der =
	    ossl_der_of(data, len, PEM_STRING_X509_CRL, &der_len, err);
	const uint8_t *p = der;
	X509_CRL *crl;

	if (der == NULL)
		return NULL;
	crl = d2i_X509_CRL(NULL, &p, (long)der_len);
	if (crl == NULL || p != der + der_len) {
		ERR_clear_error();
		err_set(err, ERR_MALFORMED, "not a CRL");
		X509_CRL_free(crl);
		crl = NULL;
	}
	OPENSSL_free(der);
	return crl;
}

bool
crl_encode_der(X509_CRL *crl, struct buf *out, struct err *err)
{
	int len = i2d_X509_CRL(crl, NULL);
	uint8_t *p;

	if (len <= 0)
		return ossl_err(err, "CRL");
	p = buf_extend(out, (size_t)len);
	i2d_X509_CRL(crl, &p);
	return true;
}

bool
crl_encode_pem(X509_CRL *crl, struct buf *out, struct err *err)
{
	struct buf der = BUF_INIT;
	bool ok = crl_encode_der(crl, &der, err);

	if (ok)
		pem_encode(out, PEM_STRING_X509_CRL, der.data, der.len);
	buf_free(&der);
	return ok;
}

bool
crl_number(X509_CRL *crl, uint64_t *out, struct err *err)
{
	ASN1_INTEGER *value =
	    X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	bool ok = value != NULL && ASN1_INTEGER_get_uint64(out, value) == 1 &&
		  *out <= INT64_MAX;

	ASN1_INTEGER_free(value);
	ERR_clear_error();
	return ok ||
	       err_set(err, ERR_MISMATCH, "no CRL number of at most 63 bits");
}
