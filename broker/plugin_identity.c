/* SPDX-License-Identifier: ISC */
/* Who a client of the broker is: see plugin_identity.h. */
#include "broker/plugin_identity.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/objects.h>

#include "encoding/name.h"

static bool
check_validity(const X509 *cert, int64_t now, struct err *err)
{
	time_t at = (time_t)now;

	/* Zero is an error: a time that is none counts as out of range. */
	if (X509_cmp_time(X509_get0_notBefore(cert), &at) >= 0)
		return err_set(err, ERR_REFUSED, "certificate not yet valid");
	if (X509_cmp_time(X509_get0_notAfter(cert), &at) <= 0)
		return err_set(err, ERR_REFUSED, "certificate expired");
	return true;
}

static bool
read_serial(const X509 *cert, struct identity *out, struct err *err)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	const uint8_t *at = ASN1_STRING_get0_data(serial);
	size_t len = (size_t)ASN1_STRING_length(serial);

	for (; len > 0 && *at == 0; len--)
		at++;
	/* RFC 5280 §4.1.2.2 */
	if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || len == 0 ||
	    len > sizeof(out->serial))
		return err_set(err, ERR_REFUSED, "impossible serial number");
	memset(out->serial, 0, sizeof(out->serial));
	memcpy(out->serial + sizeof(out->serial) - len, at, len);
	return true;
}

/* The only CN, which is a name of that kind. */
static bool
read_name(const X509 *cert, enum name_kind kind, struct identity *out,
    struct err *err)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *cn;
	const char *text;
	size_t len;

	if (at < 0)
		return err_set(err, ERR_REFUSED, "certificate without CN");
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return err_set(err, ERR_REFUSED, "certificate with two CNs");
	cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	text = (const char *)ASN1_STRING_get0_data(cn);
	len = (size_t)ASN1_STRING_length(cn);
	/* As Pappus issues them (RFC 5280 §4.1.2.4): no octets of wider sets.
	 */
	if (ASN1_STRING_type(cn) != V_ASN1_UTF8STRING ||
	    !name_valid(kind, text, len))
		return err_set(err, ERR_REFUSED, "CN is no %s",
		    kind == NAME_DEVICE ? "device id" : "service's name");
	memcpy(out->name, text, IDENTITY_NAME_LEN);
	out->name[IDENTITY_NAME_LEN] = '\0';
	return true;
}

bool
identity_read(X509 *cert, const struct issuers *issuers, int64_t now,
    struct identity *out, struct err *err)
{
	const struct issuer *issuer = issuers_find(issuers, cert);
	enum name_kind kind;

	if (issuer == NULL)
		return err_set(err, ERR_REFUSED,
		    "certificate of no CA on the deny-list's list of issuers");
	memcpy(out->issuer, issuer->id, sizeof(out->issuer));
	kind = issuer->purpose == DENYLIST_DEVICE ? NAME_DEVICE : NAME_SERVICE;
	return check_validity(cert, now, err) && read_serial(cert, out, err) &&
	       read_name(cert, kind, out, err);
}

bool
identity_is_device(const char name[IDENTITY_NAME_LEN + 1])
{
	return name_valid(NAME_DEVICE, name, IDENTITY_NAME_LEN);
}

static bool
is_of_a_name(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_';
}

bool
identity_owns(const char name[IDENTITY_NAME_LEN + 1], const char *client_id)
{
	return strncmp(name, client_id, IDENTITY_NAME_LEN) == 0 &&
	       !is_of_a_name(client_id[IDENTITY_NAME_LEN]);
}

bool
identity_of_client_id(const char *client_id, char name[IDENTITY_NAME_LEN + 1])
{
	if (strnlen(client_id, IDENTITY_NAME_LEN) < IDENTITY_NAME_LEN ||
	    is_of_a_name(client_id[IDENTITY_NAME_LEN]) ||
	    !(name_valid(NAME_DEVICE, client_id, IDENTITY_NAME_LEN) ||
		name_valid(NAME_SERVICE, client_id, IDENTITY_NAME_LEN)))
		return false;
	memcpy(name, client_id, IDENTITY_NAME_LEN);
	name[IDENTITY_NAME_LEN] = '\0';
	return true;
}
