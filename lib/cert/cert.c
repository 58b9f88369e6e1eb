/* SPDX-License-Identifier: ISC */
/* Certificates the long way: see cert.h. */
#include "cert/cert.h"

#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "cert/ossl.h"
#include "cert/urls.h"
#include "encoding/pem.h"
#include "encoding/utf8.h"

static bool
name_add(X509_NAME *name, int nid, const char *value, struct err *err)
{
	size_t len = value == NULL ? 0 : strlen(value);
	size_t chars = 0;

	if (len == 0 || !utf8_valid_text((const uint8_t *)value, len, &chars) ||
	    chars > CERT_NAME_MAX)
		return err_set(err, ERR_MALFORMED,
		    "the subject's %s must be 1 to %d characters of UTF-8 "
		    "without control characters",
		    OBJ_nid2sn(nid), CERT_NAME_MAX);
	if (X509_NAME_add_entry_by_NID(name, nid, V_ASN1_UTF8STRING,
		(const unsigned char *)value, (int)len, -1, 0) != 1)
		return ossl_err(err, "subject");
	return true;
}

X509_NAME *
cert_name_new(
    const char *common_name, const char *organization, struct err *err)
{
	X509_NAME *name = X509_NAME_new();

	if (name == NULL) {
		ossl_err(err, "subject");
		return NULL;
	}
	/* From the general to the particular, as X.501 names are written. */
	if ((organization != NULL &&
		!name_add(name, NID_organizationName, organization, err)) ||
	    !name_add(name, NID_commonName, common_name, err)) {
		X509_NAME_free(name);
		return NULL;
	}
	return name;
}

bool
cert_key_check(const EVP_PKEY *key, bool p384_too, struct err *err)
{
	char group[32] = "";

	if (key == NULL || EVP_PKEY_is_a(key, "EC") != 1 ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return err_set(err, ERR_REFUSED, "the key is no EC key");
	if (strcmp(group, SN_X9_62_prime256v1) == 0 ||
	    (p384_too && strcmp(group, SN_secp384r1) == 0))
		return true;
	return err_set(err, ERR_REFUSED, "the key is on %s, but must be on %s",
	    group, p384_too ? "P-256 or P-384" : "P-256");
}

ASN1_TIME *
cert_time_new(int64_t seconds)
{
	/* UTCTime begins in 1950, GeneralizedTime has four digits of year. */
	static const int64_t first = INT64_C(-631152000);
	static const int64_t last = INT64_C(253402300799);

	if (seconds < first || seconds > last)
		return NULL;
	return ASN1_TIME_set(NULL, (time_t)seconds);
}

bool
cert_time(const ASN1_TIME *time, int64_t *out, struct err *err)
{
	struct tm tm;

	if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1)
		return err_set(err, ERR_MALFORMED, "not an ASN.1 time");
	*out = (int64_t)timegm(&tm);
	return true;
}

/* What may not be, checked before anything is built. */
static bool
spec_check(const struct cert_spec *spec, struct err *err)
{
	const struct profile *p = spec->profile;
	int64_t limit = 0;

	if (!cert_key_check(spec->public_key, p->p384, err))
		return false;
	if (!serial_is_valid(spec->serial))
		return err_set(err, ERR_MALFORMED,
		    "the serial's first octet must be 01 to 7f");
	if (p->san == PROFILE_SAN_HOST && spec->name_count == 0)
		return err_set(err, ERR_MALFORMED,
		    "a %s certificate needs a DNS name or an IP address",
		    p->name);
	if (p->locators && (!urls_check_url("crl-url", spec->crl_url, err) ||
			       !urls_check_url("ca-url", spec->ca_url, err)))
		return false;
	if (spec->not_before > spec->not_after)
		return err_set(
		    err, ERR_MALFORMED, "notBefore is after notAfter");
	if (spec->issuer == NULL)
		return true;
	if (!cert_time(X509_get0_notAfter(spec->issuer), &limit, err))
		return false;
	if (spec->not_after > limit)
		return err_set(err, ERR_REFUSED,
		    "the certificate would outlive its issuer");
	return true;
}

static bool
set_serial(X509 *cert, const uint8_t serial[SERIAL_LEN], struct err *err)
{
	BIGNUM *bn = BN_bin2bn(serial, SERIAL_LEN, NULL);
	bool ok = bn != NULL &&
		  BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;

	BN_free(bn);
	return ok || ossl_err(err, "serialNumber");
}

static bool
set_validity(X509 *cert, const struct cert_spec *spec, struct err *err)
{
	ASN1_TIME *from = cert_time_new(spec->not_before);
	ASN1_TIME *to = cert_time_new(spec->not_after);
	bool ok = from != NULL && to != NULL &&
		  X509_set1_notBefore(cert, from) == 1 &&
		  X509_set1_notAfter(cert, to) == 1;

	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return ok || ossl_err(err, "validity");
}

static bool
set_names(X509 *cert, const struct cert_spec *spec, struct err *err)
{
	X509_NAME *subject = cert_name_new(spec->common_name,
	    spec->profile->organization ? spec->organization : NULL, err);
	bool ok;

	if (subject == NULL)
		return false;
	if (spec->profile->organization && spec->organization == NULL)
		ok = err_set(err, ERR_MALFORMED, "a %s needs an organization",
		    spec->profile->name);
	else if (X509_set_subject_name(cert, subject) != 1 ||
		 X509_set_issuer_name(
		     cert, spec->issuer == NULL
			       ? subject
			       : X509_get_subject_name(spec->issuer)) != 1)
		ok = ossl_err(err, "issuer and subject");
	else
		ok = true;
	X509_NAME_free(subject);
	return ok;
}

static bool
add_extensions(X509 *cert, const struct cert_spec *spec, struct err *err)
{
	const struct profile *p = spec->profile;

	if (p->ca && !ext_add_basic_constraints(cert, p->path_len, err))
		return false;
	if (!ext_add_key_usage(cert, p->key_usage, err))
		return false;
	if (p->ext_key_usage != NID_undef &&
	    !ext_add_ext_key_usage(cert, p->ext_key_usage, err))
		return false;
	if (!ext_add_ski(cert, err))
		return false;
	if (spec->issuer != NULL && !ext_add_aki(cert, spec->issuer, err))
		return false;
	if (p->locators && (!ext_add_cdp(cert, spec->crl_url, err) ||
			       !ext_add_aia(cert, spec->ca_url, err)))
		return false;
	return spec->name_count == 0 ||
	       ext_add_san(cert, spec->names, spec->name_count, err);
}

X509 *
cert_build(const struct cert_spec *spec, struct err *err)
{
	X509 *cert = NULL;
	bool ok = false;

	if (!spec_check(spec, err))
		return NULL;
	cert = X509_new();
	if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 ||
	    X509_set_pubkey(cert, spec->public_key) != 1) {
		ossl_err(err, "certificate");
		goto out;
	}
	ok = set_serial(cert, spec->serial, err) &&
	     set_validity(cert, spec, err) && set_names(cert, spec, err) &&
	     add_extensions(cert, spec, err);
out:
	if (!ok) {
		X509_free(cert);
		cert = NULL;
	}
	return cert;
}
