/* SPDX-License-Identifier: ISC */
/* Reading a CRL where it lies: see crl_read.h.  Signatures: crl_verify.c. */
#include "cert/crl_read.h"

#include <string.h>

#include "cert/crl_read_impl.h"
#include "encoding/der.h"

enum {
	EXTENSIONS = DER_CONTEXT | DER_CONSTRUCTED | 0,
	CONTEXT_0 = DER_CONTEXT | 0,
	CONSTRUCTED_0 = DER_CONTEXT | DER_CONSTRUCTED | 0,
	URI = DER_CONTEXT | 6, /* of a GeneralName (RFC 5280 §4.2.1.6) */
	DER_TRUE = 0xff
};

/* AlgorithmIdentifiers' contents (RFC 5758 §3.2). */
static const uint8_t ecdsa_sha256[] = {
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t ecdsa_sha384[] = {
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};

/* The contents of the extensions' OIDs, below id-ce (2.5.29). */
static const uint8_t oid_number[] = {0x55, 0x1d, 0x14};
static const uint8_t oid_reason[] = {0x55, 0x1d, 0x15};
static const uint8_t oid_idp[] = {0x55, 0x1d, 0x1c};
static const uint8_t oid_key_id[] = {0x55, 0x1d, 0x23};

static bool
malformed(const char *what, struct err *err)
{
	return err_set(err, ERR_MALFORMED, "not a CRL: %s", what);
}

static bool
unsupported(const char *what, struct err *err)
{
	return err_set(
	    err, ERR_UNSUPPORTED, "no CRL as is used here: %s", what);
}

static struct crl_part
part_of(const struct der *der)
{
	struct crl_part part = {der->at, der->len};

	return part;
}

/* ------------------------------------------------------------ extensions */

struct extension {
	struct der oid;
	bool critical;
	struct der value; /* what the OCTET STRING holds */
};

/* RFC 5280 §4.1: critical is absent when it is false (X.690 §11.5). */
static bool
take_extension(struct der *in, struct extension *out)
{
	struct der content, critical;

	out->critical = false;
	if (!der_take(in, DER_SEQUENCE, &content) ||
	    !der_take(&content, DER_OID, &out->oid) || out->oid.len == 0)
		return false;
	if (der_next_is(&content, DER_BOOLEAN)) {
		if (!der_take(&content, DER_BOOLEAN, &critical) ||
		    critical.len != 1 || critical.at[0] != DER_TRUE)
			return false;
		out->critical = true;
	}
	return der_take(&content, DER_OCTET_STRING, &out->value) &&
	       content.len == 0;
}

static bool
is(const struct extension *ext, const uint8_t oid[3])
{
	return der_equals(&ext->oid, oid, sizeof(oid_number));
}

/* RFC 5280 §5.2.3. */
static bool
read_number(struct der value, struct crl_read *out, struct err *err)
{
	struct der octets;
	size_t i;

	if (!der_take_unsigned(&value, &octets) || value.len != 0 ||
	    octets.len > CRL_SERIAL_MAX)
		return malformed("its number", err);
	if (octets.len > sizeof(out->number) ||
	    (octets.len == sizeof(out->number) && octets.at[0] > 0x7f))
		return unsupported("its number is over 63 bits", err);
	for (i = 0; i < octets.len; i++)
		out->number = out->number << 8 | octets.at[i];
	return true;
}

/* RFC 5280 §5.2.1: keyIdentifier; issuer and serial aren't needed beside. */
static bool
read_key_id(struct der value, struct crl_read *out, struct err *err)
{
	struct der content, key_id;

	if (!der_take(&value, DER_SEQUENCE, &content) || value.len != 0 ||
	    !der_take(&content, CONTEXT_0, &key_id) || key_id.len == 0)
		return malformed("its authorityKeyIdentifier", err);
	if (content.len != 0)
		return unsupported(
		    "its authorityKeyIdentifier is not a key's alone", err);
	out->key_id = part_of(&key_id);
	return true;
}

/*
 * RFC 5280 §5.2.5.  Whatever stands behind the name says that the list is of
 * some certificates, some reasons or several CAs only.
 */
static bool
read_idp(struct der value, struct crl_read *out, struct err *err)
{
	struct der content, point, names, uri;

	if (!der_take(&value, DER_SEQUENCE, &content) || value.len != 0)
		return malformed("its issuingDistributionPoint", err);
	if (!der_take(&content, CONSTRUCTED_0, &point) || content.len != 0 ||
	    !der_take(&point, CONSTRUCTED_0, &names) || point.len != 0 ||
	    !der_take(&names, URI, &uri) || names.len != 0 || uri.len == 0)
		return unsupported(
		    "its issuingDistributionPoint is not one address", err);
	out->url = part_of(&uri);
	return true;
}

static bool
read_extension(
    const struct extension *ext, struct crl_read *out, struct err *err)
{
	static const char twice[] = "an extension is there twice";

	if (is(ext, oid_number)) {
		if (out->number_there)
			return malformed(twice, err);
		out->number_there = true;
		return read_number(ext->value, out, err);
	}
	if (is(ext, oid_key_id)) {
		if (out->key_id.at != NULL)
			return malformed(twice, err);
		return read_key_id(ext->value, out, err);
	}
	if (is(ext, oid_idp)) {
		if (out->url.at != NULL)
			return malformed(twice, err);
		if (!ext->critical)
			return malformed(
			    "its issuingDistributionPoint is not critical",
			    err);
		return read_idp(ext->value, out, err);
	}
	return !ext->critical ||
	       unsupported("it has an unknown critical extension", err);
}

static bool
read_extensions(struct der in, struct crl_read *out, struct err *err)
{
	struct extension ext;
	struct der list;

	if (!der_take(&in, DER_SEQUENCE, &list) || in.len != 0)
		return malformed("its extensions", err);
	while (list.len > 0) {
		if (!take_extension(&list, &ext))
			return malformed("an extension", err);
		if (!read_extension(&ext, out, err))
			return false;
	}
	/* RFC 5280 §5.2.1 and §5.2.3: both are always there. */
	if (!out->number_there || out->key_id.at == NULL)
		return unsupported(
		    "it has no number or no authorityKeyIdentifier", err);
	return true;
}

/* --------------------------------------------------------------- entries */

/* RFC 5280 §5.3.1; 7 is unused, 8 is for delta lists. */
static bool
read_reason(struct der value, enum crl_reason *out)
{
	struct der octet;

	if (!der_take(&value, DER_ENUMERATED, &octet) || value.len != 0 ||
	    octet.len != 1 || crl_reason_name(octet.at[0]) == NULL)
		return false;
	*out = (enum crl_reason)octet.at[0];
	return true;
}

/* RFC 5280 §5.3: whoever doesn't know a critical one can't use the list. */
static const char *
read_entry_extensions(struct der *content, struct crl_item *out)
{
	struct extension ext;
	bool reason = false;
	struct der list;

	if (!der_take(content, DER_SEQUENCE, &list) || list.len == 0)
		return "the extensions of an entry";
	while (list.len > 0) {
		if (!take_extension(&list, &ext))
			return "an extension of an entry";
		if (is(&ext, oid_reason)) {
			if (reason || !read_reason(ext.value, &out->reason))
				return "the reason of an entry";
			reason = true;
		} else if (ext.critical) {
			return "an unknown critical extension of an entry";
		}
	}
	return NULL;
}

/* What nearly all entries end with; false when it is something else. */
static bool
is_reason_alone(const struct der *content, struct crl_item *out)
{
	static const uint8_t front[] = {0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03,
	    0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01};
	const uint8_t *at = content->at;

	if (content->len != sizeof(front) + 1 ||
	    memcmp(at, front, sizeof(front)) != 0 ||
	    crl_reason_name(at[sizeof(front)]) == NULL)
		return false;
	out->reason = (enum crl_reason)at[sizeof(front)];
	return true;
}

/* RFC 5280 §4.1.2.2: positive, at most 20 octets, the sign's included. */
static bool
take_serial(struct der *in, uint8_t out[CRL_SERIAL_MAX])
{
	struct der serial;

	if (!der_take_unsigned(in, &serial) || serial.len == 0 ||
	    serial.len > CRL_SERIAL_MAX ||
	    (serial.len == CRL_SERIAL_MAX && serial.at[0] > 0x7f))
		return false;
	memset(out, 0, CRL_SERIAL_MAX);
	memcpy(out + CRL_SERIAL_MAX - serial.len, serial.at, serial.len);
	return true;
}

/* Take an entry; returns what is wrong with it, or NULL. */
const char *
crl_read_entry(struct der *in, struct crl_item *out)
{
	struct der content;
	const char *what;

	if (!der_take(in, DER_SEQUENCE, &content))
		return "an entry";
	if (!take_serial(&content, out->serial))
		return "the serial of an entry";
	if (!der_take_time(&content, &out->revoked_at))
		return "the time of an entry";
	out->not_after = CRL_NEVER;
	out->reason = CRL_UNSPECIFIED;
	if (content.len == 0 || is_reason_alone(&content, out))
		return NULL;
	what = read_entry_extensions(&content, out);
	if (what != NULL)
		return what;
	return content.len == 0 ? NULL : "an entry";
}

static bool
read_entries(struct crl_read *out, crl_read_fn *fn, void *ctx, struct err *err)
{
	struct der in = {out->entries.at, out->entries.len};
	uint8_t last[CRL_SERIAL_MAX] = {0};
	struct crl_window window = crl_window_of(out, in.at);
	struct crl_item item;
	const char *what;

	out->sorted = true;
	while (in.len > 0) {
		what = crl_read_entry(&in, &item);
		if (what != NULL)
			return malformed(what, err);
		if (memcmp(last, item.serial, CRL_SERIAL_MAX) >= 0)
			out->sorted = false;
		memcpy(last, item.serial, CRL_SERIAL_MAX);
		out->count++;
		if (fn != NULL && !fn(ctx, &item, err))
			return false;
		crl_window_pass(&window, in.at);
	}
	return true;
}

/* ----------------------------------------------------------------- frame */

static bool
read_times(struct der *tbs, struct crl_read *out, struct err *err)
{
	if (!der_take_time(tbs, &out->this_update))
		return malformed("its thisUpdate", err);
	/* RFC 5280 §5.1.2.5: always there. */
	if (!der_take_time(tbs, &out->next_update))
		return malformed("its nextUpdate", err);
	return out->next_update > out->this_update ||
	       malformed("its nextUpdate is not after its thisUpdate", err);
}

/* TBSCertList (RFC 5280 §5.1), without the algorithm's name compared. */
static bool
read_tbs(struct der tbs, const struct der *algorithm, struct crl_read *out,
    struct err *err)
{
	static const uint8_t version_2[] = {1};
	struct der element, extensions;

	if (!der_take(&tbs, DER_INTEGER, &element) ||
	    !der_equals(&element, version_2, sizeof(version_2)))
		return malformed("its version is not 2", err);
	if (!der_take(&tbs, DER_SEQUENCE, &element) ||
	    !der_equals(&element, algorithm->at, algorithm->len))
		return malformed("its two algorithms differ", err);
	if (!der_take_whole(&tbs, DER_SEQUENCE, &element))
		return malformed("its issuer", err);
	out->issuer = part_of(&element);
	if (!read_times(&tbs, out, err))
		return false;
	if (der_next_is(&tbs, DER_SEQUENCE)) {
		/* RFC 5280 §5.1.2.6: absent when empty. */
		if (!der_take(&tbs, DER_SEQUENCE, &element) || element.len == 0)
			return malformed("its entries", err);
		out->entries = part_of(&element);
	}
	if (!der_take(&tbs, EXTENSIONS, &extensions) || tbs.len != 0)
		return malformed("its extensions", err);
	return read_extensions(extensions, out, err);
}

static bool
read_algorithm(
    const struct der *algorithm, struct crl_read *out, struct err *err)
{
	if (der_equals(algorithm, ecdsa_sha384, sizeof(ecdsa_sha384)))
		out->sha384 = true;
	else if (!der_equals(algorithm, ecdsa_sha256, sizeof(ecdsa_sha256)))
		return unsupported(
		    "its algorithm is not ECDSA with SHA-256 or SHA-384", err);
	return true;
}

bool
crl_read_open_each(const uint8_t *data, size_t len, bool mapped,
    crl_read_fn *fn, void *ctx, struct crl_read *out, struct err *err)
{
	struct der in = {data, len}, list, whole, tbs, algorithm, bits;

	memset(out, 0, sizeof(*out));
	out->der.at = data;
	out->der.len = len;
	out->mapped = mapped;
	if (!der_take(&in, DER_SEQUENCE, &list))
		return malformed("it is cut, or no DER", err);
	if (in.len != 0)
		return malformed("something stands behind its end", err);
	if (!der_take_whole(&list, DER_SEQUENCE, &whole) ||
	    !der_take(&list, DER_SEQUENCE, &algorithm) ||
	    !der_take(&list, DER_BIT_STRING, &bits) || list.len != 0)
		return malformed("it is not a list, an algorithm and a "
				 "signature",
		    err);
	if (bits.len < 2 || bits.at[0] != 0)
		return malformed("its signature", err);
	out->tbs = part_of(&whole);
	out->signature.at = bits.at + 1;
	out->signature.len = bits.len - 1;
	return der_take(&whole, DER_SEQUENCE, &tbs) &&
	       read_algorithm(&algorithm, out, err) &&
	       read_tbs(tbs, &algorithm, out, err) &&
	       read_entries(out, fn, ctx, err);
}

bool
crl_read_open(const uint8_t *data, size_t len, bool mapped,
    struct crl_read *out, struct err *err)
{
	return crl_read_open_each(data, len, mapped, NULL, NULL, out, err);
}
