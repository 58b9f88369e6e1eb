/* SPDX-License-Identifier: ISC */
/* The extensions of our profiles: see ext.h. */
#include "cert/ext.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include "cert/ossl.h"

enum { SHA1_LEN = 20 };

/* Append one extension; out of memory and bad types alike are ERR_CRYPTO. */
static bool
add(X509 *cert, int nid, void *value, int critical, struct err *err)
{
	if (value == NULL || X509_add1_ext_i2d(cert, nid, value, critical,
				 X509V3_ADD_DEFAULT) != 1)
		return ossl_err(err, OBJ_nid2sn(nid));
	return true;
}

bool
ext_add_basic_constraints(X509 *cert, int path_len, struct err *err)
{
	BASIC_CONSTRAINTS *bc = BASIC_CONSTRAINTS_new();
	bool ok = false;

	if (bc == NULL) {
		ossl_err(err, "basicConstraints");
		goto out;
	}
	bc->ca = 0xff; /* DER's TRUE */
	if (path_len >= 0) {
		bc->pathlen = ASN1_INTEGER_new();
		if (bc->pathlen == NULL ||
		    ASN1_INTEGER_set(bc->pathlen, path_len) != 1) {
			ossl_err(err, "basicConstraints");
			goto out;
		}
	}
	ok = add(cert, NID_basic_constraints, bc, 1, err);
out:
	BASIC_CONSTRAINTS_free(bc);
	return ok;
}

bool
ext_add_key_usage(X509 *cert, uint32_t bits, struct err *err)
{
	ASN1_BIT_STRING *ku = ASN1_BIT_STRING_new();
	uint8_t octet = (uint8_t)bits; /* KU_… below 0x100 read as one octet */
	bool ok = false;

	/* Trailing zero bits are dropped when it is encoded, as DER wants. */
	if (ku == NULL || ASN1_BIT_STRING_set(ku, &octet, 1) != 1)
		ossl_err(err, "keyUsage");
	else
		ok = add(cert, NID_key_usage, ku, 1, err);
	ASN1_BIT_STRING_free(ku);
	return ok;
}

bool
ext_add_ext_key_usage(X509 *cert, int nid, struct err *err)
{
	EXTENDED_KEY_USAGE *eku = sk_ASN1_OBJECT_new_null();
	bool ok = false;

	/* The objects of OBJ_nid2obj are static and freed as nothing. */
	if (eku == NULL || sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(nid)) <= 0)
		ossl_err(err, "extKeyUsage");
	else
		ok = add(cert, NID_ext_key_usage, eku, 0, err);
	sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free);
	return ok;
}

bool
ext_add_ski(X509 *cert, struct err *err)
{
	ASN1_OCTET_STRING *ski = ASN1_OCTET_STRING_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	bool ok = false;

	if (ski == NULL ||
	    X509_pubkey_digest(cert, EVP_sha1(), digest, &len) != 1 ||
	    ASN1_OCTET_STRING_set(ski, digest, SHA1_LEN) != 1)
		ossl_err(err, "subjectKeyIdentifier");
	else
		ok = add(cert, NID_subject_key_identifier, ski, 0, err);
	ASN1_OCTET_STRING_free(ski);
	return ok;
}

/* The issuer's SKI as an AuthorityKeyIdentifier, keyIdentifier alone. */
static AUTHORITY_KEYID *
aki_new(X509 *issuer, struct err *err)
{
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(issuer);
	AUTHORITY_KEYID *aki;

	if (ski == NULL) {
		err_set(err, ERR_MISMATCH,
		    "the issuer has no subjectKeyIdentifier");
		return NULL;
	}
	aki = AUTHORITY_KEYID_new();
	if (aki != NULL)
		aki->keyid = ASN1_OCTET_STRING_dup(ski);
	if (aki == NULL || aki->keyid == NULL) {
		ossl_err(err, "authorityKeyIdentifier");
		AUTHORITY_KEYID_free(aki);
		return NULL;
	}
	return aki;
}

bool
ext_add_aki(X509 *cert, X509 *issuer, struct err *err)
{
	AUTHORITY_KEYID *aki = aki_new(issuer, err);
	bool ok =
	    aki != NULL && add(cert, NID_authority_key_identifier, aki, 0, err);

	AUTHORITY_KEYID_free(aki);
	return ok;
}

/* A uniformResourceIdentifier (RFC 5280 §4.2.1.6); NULL: out of memory. */
static GENERAL_NAME *
uri_new(const char *uri)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	if (name == NULL || text == NULL ||
	    ASN1_STRING_set(text, uri, -1) != 1) {
		GENERAL_NAME_free(name);
		ASN1_IA5STRING_free(text);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	return name;
}

/* A DistributionPointName with one fullName (RFC 5280 §4.2.1.13). */
static DIST_POINT_NAME *
point_name_new(const char *url)
{
	DIST_POINT_NAME *point = DIST_POINT_NAME_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = uri_new(url);

	if (point == NULL || names == NULL || name == NULL ||
	    sk_GENERAL_NAME_push(names, name) <= 0) {
		DIST_POINT_NAME_free(point);
		GENERAL_NAMES_free(names);
		GENERAL_NAME_free(name);
		return NULL;
	}
	point->type = 0; /* fullName */
	point->name.fullname = names;
	return point;
}

bool
ext_add_cdp(X509 *cert, const char *url, struct err *err)
{
	CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
	DIST_POINT *point = DIST_POINT_new();
	bool ok = false;

	if (point != NULL)
		point->distpoint = point_name_new(url);
	if (points == NULL || point == NULL || point->distpoint == NULL ||
	    sk_DIST_POINT_push(points, point) <= 0) {
		DIST_POINT_free(point);
		ossl_err(err, "cRLDistributionPoints");
	} else {
		ok = add(cert, NID_crl_distribution_points, points, 0, err);
	}
	sk_DIST_POINT_pop_free(points, DIST_POINT_free);
	return ok;
}

bool
ext_add_aia(X509 *cert, const char *url, struct err *err)
{
	AUTHORITY_INFO_ACCESS *aia = AUTHORITY_INFO_ACCESS_new();
	ACCESS_DESCRIPTION *ad = ACCESS_DESCRIPTION_new();
	bool ok = false;

	if (ad != NULL) {
		GENERAL_NAME_free(ad->location);
		ad->location = uri_new(url);
		ASN1_OBJECT_free(ad->method);
		ad->method = OBJ_nid2obj(NID_ad_ca_issuers);
	}
	if (aia == NULL || ad == NULL || ad->location == NULL ||
	    sk_ACCESS_DESCRIPTION_push(aia, ad) <= 0) {
		ACCESS_DESCRIPTION_free(ad);
		ossl_err(err, "authorityInfoAccess");
	} else {
		ok = add(cert, NID_info_access, aia, 0, err);
	}
	AUTHORITY_INFO_ACCESS_free(aia);
	return ok;
}

/*
 * A host name as RFC 5280 §4.2.1.6 wants it (RFC 1034's preferred syntax,
 * with a digit in front as RFC 1123 allows), or *.NAME (RFC 6125 §6.4.3).
 */
static bool
dns_is_valid(const char *s)
{
	enum { NAME_MAX_LEN = 253, LABEL_MAX_LEN = 63 };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t len;

	if (strlen(s) > NAME_MAX_LEN)
		return false;
	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	for (;;) {
		len = strspn(s, letters);
		if (len == 0 || len > LABEL_MAX_LEN || s[0] == '-' ||
		    s[len - 1] == '-')
			return false;
		if (s[len] == '\0')
			return true;
		if (s[len] != '.')
			return false;
		s += len + 1;
	}
}

static GENERAL_NAME *
dns_new(const char *dns)
{
	GENERAL_NAME *name = uri_new(dns);

	/* Both are an IA5String, which differs by its tag alone. */
	if (name != NULL)
		name->type = GEN_DNS;
	return name;
}

static GENERAL_NAME *
ip_new(const char *address)
{
	ASN1_OCTET_STRING *octets = a2i_IPADDRESS(address);
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (name == NULL || octets == NULL) {
		GENERAL_NAME_free(name);
		ASN1_OCTET_STRING_free(octets);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, GEN_IPADD, octets);
	return name;
}

static GENERAL_NAME *
ext_name_new(const struct ext_name *from, struct err *err)
{
	GENERAL_NAME *name = NULL;

	switch (from->type) {
	case EXT_NAME_DNS:
		if (dns_is_valid(from->value))
			name = dns_new(from->value);
		break;
	case EXT_NAME_IP:
		name = ip_new(from->value);
		break;
	case EXT_NAME_URI:
		name = uri_new(from->value);
		break;
	}
	if (name == NULL)
		err_set(err, ERR_MALFORMED,
		    "\"%.100s\" is no name of its kind (DNS name, IP address, "
		    "URI) for a subjectAltName",
		    from->value);
	return name;
}

bool
ext_add_san(
    X509 *cert, const struct ext_name *names, size_t count, struct err *err)
{
	GENERAL_NAMES *san = GENERAL_NAMES_new();
	GENERAL_NAME *name;
	bool ok = false;
	size_t i;

	for (i = 0; san != NULL && i < count; i++) {
		name = ext_name_new(&names[i], err);
		if (name == NULL)
			goto out;
		if (sk_GENERAL_NAME_push(san, name) <= 0) {
			GENERAL_NAME_free(name);
			ossl_err(err, "subjectAltName");
			goto out;
		}
	}
	ok = add(cert, NID_subject_alt_name, san, 0, err);
out:
	GENERAL_NAMES_free(san);
	return ok;
}

/* As add, for a list. */
static bool
crl_add(X509_CRL *crl, int nid, void *value, int critical, struct err *err)
{
	if (value == NULL || X509_CRL_add1_ext_i2d(crl, nid, value, critical,
				 X509V3_ADD_DEFAULT) != 1)
		return ossl_err(err, OBJ_nid2sn(nid));
	return true;
}

bool
ext_crl_add_aki(X509_CRL *crl, X509 *issuer, struct err *err)
{
	AUTHORITY_KEYID *aki = aki_new(issuer, err);
	bool ok = aki != NULL &&
		  crl_add(crl, NID_authority_key_identifier, aki, 0, err);

	AUTHORITY_KEYID_free(aki);
	return ok;
}

bool
ext_crl_add_number(X509_CRL *crl, uint64_t number, struct err *err)
{
	ASN1_INTEGER *value = ASN1_INTEGER_new();
	bool ok = false;

	if (value == NULL || ASN1_INTEGER_set_uint64(value, number) != 1)
		ossl_err(err, "cRLNumber");
	else
		ok = crl_add(crl, NID_crl_number, value, 0, err);
	ASN1_INTEGER_free(value);
	return ok;
}

bool
ext_crl_add_idp(X509_CRL *crl, const char *url, struct err *err)
{
	ISSUING_DIST_POINT *idp = ISSUING_DIST_POINT_new();
	bool ok = false;

	if (idp != NULL)
		idp->distpoint = point_name_new(url);
	if (idp == NULL || idp->distpoint == NULL)
		ossl_err(err, "issuingDistributionPoint");
	else
		ok = crl_add(crl, NID_issuing_distribution_point, idp, 1, err);
	ISSUING_DIST_POINT_free(idp);
	return ok;
}
