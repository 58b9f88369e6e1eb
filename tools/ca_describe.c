/* SPDX-License-Identifier: ISC */
/* Certificates, requests, lists and keys in words, for people. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "cert/cert.h"
#include "cert/crl.h"
#include "cert/csr.h"
#include "encoding/name.h"
#include "tools/ca_tool.h"

/* Append what was written to a memory BIO, and free it. */
static void
add_bio(struct buf *out, BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	if (len > 0)
		buf_add(out, data, (size_t)len);
	BIO_free(bio);
}

static BIO *
bio_new(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		abort();
	return bio;
}

void
ca_describe_time(struct buf *out, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[40];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(text, "?");
	buf_add_str(out, text);
}

void
ca_describe_name(struct buf *out, const X509_NAME *name)
{
	BIO *bio = bio_new();

	/* UTF-8 as it is; control characters escaped. */
	X509_NAME_print_ex(bio, name, 0,
	    XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	add_bio(out, bio);
}

static void
line_name(struct buf *out, const char *what, const X509_NAME *name)
{
	buf_add_fmt(out, "  %-12s  ", what);
	ca_describe_name(out, name);
	buf_add_str(out, "\n");
}

static void
line_time(struct buf *out, const char *what, const ASN1_TIME *time)
{
	int64_t seconds;

	buf_add_fmt(out, "  %-12s  ", what);
	if (cert_time(time, &seconds, NULL))
		ca_describe_time(out, seconds);
	else
		buf_add_str(out, "none");
	buf_add_str(out, "\n");
}

/* Colons between octets, as people compare fingerprints. */
static void
line_octets(
    struct buf *out, const char *what, const uint8_t *octets, size_t len)
{
	size_t i;

	buf_add_fmt(out, "  %-12s  ", what);
	for (i = 0; i < len; i++)
		buf_add_fmt(out, "%s%02x", i == 0 ? "" : ":", octets[i]);
	buf_add_str(out, "\n");
}

static void
line_serial(struct buf *out, const char *what, const ASN1_INTEGER *serial)
{
	const uint8_t *octets = ASN1_STRING_get0_data(serial);
	int i;

	buf_add_fmt(out, "  %-12s  ", what);
	for (i = 0; i < ASN1_STRING_length(serial); i++)
		buf_add_fmt(out, "%02x", octets[i]);
	buf_add_str(out, "\n");
}

static void
lines_key(struct buf *out, EVP_PKEY *key)
{
	uint8_t digest[CERT_DIGEST_LEN];
	char group[64] = "";

	if (key == NULL) {
		buf_add_fmt(out, "  %-12s  %s\n", "key", "unreadable");
		return;
	}
	EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
	if (strcmp(group, SN_X9_62_prime256v1) == 0)
		strcpy(group, "P-256");
	else if (strcmp(group, SN_secp384r1) == 0)
		strcpy(group, "P-384");
	buf_add_fmt(out, "  %-12s  %s %s\n", "key",
	    EVP_PKEY_get0_type_name(key), group);
	if (cert_spki_sha256(key, digest, NULL))
		line_octets(out, "key SHA-256", digest, sizeof(digest));
}

/* Devices and services differ in their names alone. */
static bool
is_named(X509 *cert, enum name_kind kind)
{
	char name[NAME_MAX_LEN + 2];
	int len = X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, name, sizeof(name));

	return len > 0 && name_valid(kind, name, (size_t)len);
}

static const char *
profile_of(X509 *cert)
{
	enum purpose purpose;
	uint32_t usage;

	if (profile_ca_purpose(cert, &purpose, NULL))
		return purpose == PURPOSE_DEVICE ? "device or service sub-CA"
						 : profile_ca(purpose)->name;
	if (X509_check_ca(cert) != 0)
		return "a CA, but none of Pappus";
	usage = X509_get_extended_key_usage(cert);
	if (usage == XKU_SSL_SERVER)
		return profile_get(PROFILE_SERVER)->name;
	if (usage == XKU_SSL_CLIENT && is_named(cert, NAME_DEVICE))
		return profile_get(PROFILE_DEVICE)->name;
	if (usage == XKU_SSL_CLIENT && is_named(cert, NAME_SERVICE))
		return profile_get(PROFILE_SERVICE)->name;
	return "none of Pappus";
}

void
ca_describe_cert(struct buf *out, X509 *cert)
{
	uint8_t digest[CERT_DIGEST_LEN];

	buf_add_str(out, "Certificate\n");
	line_name(out, "subject", X509_get_subject_name(cert));
	line_name(out, "issuer", X509_get_issuer_name(cert));
	line_serial(out, "serial", X509_get0_serialNumber(cert));
	line_time(out, "not before", X509_get0_notBefore(cert));
	line_time(out, "not after", X509_get0_notAfter(cert));
	buf_add_fmt(out, "  %-12s  %s\n", "profile", profile_of(cert));
	lines_key(out, X509_get0_pubkey(cert));
	if (cert_fingerprint(cert, digest, NULL))
		line_octets(out, "SHA-256", digest, sizeof(digest));
	ERR_clear_error();
}

void
ca_describe_extensions(
    struct buf *out, const STACK_OF(X509_EXTENSION) * extensions)
{
	BIO *bio = bio_new();

	if (extensions != NULL)
		X509V3_extensions_print(
		    bio, NULL, extensions, X509V3_EXT_PARSE_UNKNOWN, 2);
	add_bio(out, bio);
	ERR_clear_error();
}

void
ca_describe_csr(struct buf *out, X509_REQ *csr)
{
	buf_add_str(out, "Certificate request (its signature is right)\n");
	line_name(out, "subject", X509_REQ_get_subject_name(csr));
	lines_key(out, X509_REQ_get0_pubkey(csr));
}

static void
lines_revoked(struct buf *out, X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(crl);
	int n = list == NULL ? 0 : sk_X509_REVOKED_num(list);
	ASN1_ENUMERATED *reason;
	X509_REVOKED *entry;
	int i;

	buf_add_fmt(out, "  %-12s  %d\n", "entries", n);
	for (i = 0; i < n; i++) {
		entry = sk_X509_REVOKED_value(list, i);
		line_serial(
		    out, "revoked", X509_REVOKED_get0_serialNumber(entry));
		line_time(
		    out, "  since", X509_REVOKED_get0_revocationDate(entry));
		reason =
		    X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
		if (reason != NULL)
			buf_add_fmt(out, "  %-12s  %ld\n", "  reason",
			    ASN1_ENUMERATED_get(reason));
		ASN1_ENUMERATED_free(reason);
	}
}

void
ca_describe_crl(struct buf *out, X509_CRL *crl)
{
	uint8_t digest[CERT_DIGEST_LEN];
	unsigned int len = sizeof(digest);
	uint64_t number;

	buf_add_str(out, "Certificate revocation list\n");
	line_name(out, "issuer", X509_CRL_get_issuer(crl));
	if (crl_number(crl, &number, NULL))
		buf_add_fmt(out, "  %-12s  %llu\n", "number",
		    (unsigned long long)number);
	line_time(out, "this update", X509_CRL_get0_lastUpdate(crl));
	line_time(out, "next update", X509_CRL_get0_nextUpdate(crl));
	lines_revoked(out, crl);
	if (X509_CRL_digest(crl, EVP_sha256(), digest, &len) == 1)
		line_octets(out, "SHA-256", digest, sizeof(digest));
	ERR_clear_error();
}

void
ca_describe_key(struct buf *out, EVP_PKEY *key)
{
	buf_add_str(out, "Private key (its public part)\n");
	lines_key(out, key);
}
