/* SPDX-License-Identifier: ISC */
/*
 * Filling the templates of a sub-CA: see template.h.  How they are made
 * stands in template_compile.c.
 */
#include "cert/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "cert/cert.h"
#include "cert/ossl.h"
#include "cert/template_impl.h"
#include "encoding/name.h"

size_t
template_field_count(const struct cert_template *t)
{
	return t->uri ? FIELD_MAX : FIELD_URI_PROJECT;
}

/*
 * A time's content octets (RFC 5280 §4.1.2.5.1 and .2); 0 when the year is
 * not from 1950 to 9999.
 */
static size_t
format_time(int64_t seconds, char out[TIME_MAX_LEN + 1])
{
	char text[80];
	time_t t = (time_t)seconds;
	struct tm tm;
	int year;
	size_t skip;

	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	year = tm.tm_year + 1900;
	if (year < 1950 || year > 9999)
		return 0;
	snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02dZ", year,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	skip = year < 2050 ? GENERAL_LEN - UTC_LEN : 0;
	memcpy(out, text + skip, GENERAL_LEN - skip + 1);
	return GENERAL_LEN - skip;
}

static void
set(struct patch *p, enum field field, const void *data, size_t len)
{
	p->data[field] = data;
	p->len[field] = len;
}

static bool
patch_times(struct patch *p, const struct cert_fields *f, struct err *err)
{
	size_t from = format_time(f->not_before, p->times[0]);
	size_t to = format_time(f->not_after, p->times[1]);

	if (from == 0 || to == 0 || f->not_before > f->not_after)
		return err_set(err, ERR_MALFORMED,
		    "validity must lie in the years 1950 to 9999, notBefore "
		    "first");
	if (from == GENERAL_LEN)
		p->variant = GENERAL_GENERAL;
	else
		p->variant = to == GENERAL_LEN ? UTC_GENERAL : UTC_UTC;
	set(p, FIELD_NOT_BEFORE, p->times[0], from);
	set(p, FIELD_NOT_AFTER, p->times[1], to);
	return true;
}

bool
template_patch(
    struct patch *p, EVP_MD *sha1, const struct cert_fields *f, struct err *err)
{
	unsigned int len = 0;

	if (!patch_times(p, f, err))
		return false;
	/* RFC 5280 §4.2.1.2 (1): the BIT STRING's value, without its octet of
	 * unused bits, which is the point. */
	if (EVP_Digest(f->public_key, TEMPLATE_POINT_LEN, p->ski, &len, sha1,
		NULL) != 1)
		return ossl_err(err, "subjectKeyIdentifier");
	set(p, FIELD_SERIAL, f->serial, SERIAL_LEN);
	set(p, FIELD_COMMON_NAME, f->device_id, TEMPLATE_DEVICE_ID_LEN);
	set(p, FIELD_POINT, f->public_key, TEMPLATE_POINT_LEN);
	set(p, FIELD_SKI, p->ski, CERT_KEY_ID_LEN);
	set(p, FIELD_URI_PROJECT, f->project_id, TEMPLATE_PROJECT_ID_LEN);
	set(p, FIELD_URI_DEVICE, f->device_id, TEMPLATE_DEVICE_ID_LEN);
	return true;
}

void
template_apply(
    const struct cert_template *t, const struct patch *p, struct buf *out)
{
	const struct tbs *tbs = &t->tbs[p->variant];
	uint8_t *at = buf_extend(out, tbs->der.len);
	size_t i;

	memcpy(at, tbs->der.data, tbs->der.len);
	for (i = 0; i < template_field_count(t); i++)
		memcpy(at + tbs->at[i], p->data[i], p->len[i]);
}

static bool
fields_check(const struct cert_fields *f, struct err *err)
{
	enum { UNCOMPRESSED = 0x04 };

	if (f->device_id == NULL ||
	    !name_valid(NAME_DEVICE, f->device_id, strlen(f->device_id)))
		return err_set(err, ERR_MALFORMED, "not a device id");
	if (f->project_id == NULL ||
	    !name_valid(NAME_PROJECT, f->project_id, strlen(f->project_id)))
		return err_set(err, ERR_MALFORMED, "not a project id");
	if (!serial_is_valid(f->serial))
		return err_set(err, ERR_MALFORMED,
		    "the serial's first octet must be 01 to 7f");
	if (f->public_key[0] != UNCOMPRESSED)
		return err_set(err, ERR_MALFORMED,
		    "the public key is no uncompressed point");
	return true;
}

bool
cert_template_fill(const struct cert_template *t, const struct cert_fields *f,
    struct buf *tbs, struct err *err)
{
	struct patch p;

	if (!fields_check(f, err))
		return false;
	if (f->not_after > t->not_after)
		return err_set(err, ERR_REFUSED,
		    "the certificate would outlive its sub-CA: make the next "
		    "sub-CA");
	if (!template_patch(&p, t->sha1, f, err))
		return false;
	template_apply(t, &p, tbs);
	return true;
}

void
cert_template_free(struct cert_template *t)
{
	int v;

	if (t == NULL)
		return;
	for (v = 0; v < VARIANT_MAX; v++)
		buf_free(&t->tbs[v].der);
	EVP_MD_free(t->sha1);
	free(t);
}

void
cert_template_digest(
    const struct cert_template *t, uint8_t out[TEMPLATE_DIGEST_LEN])
{
	memcpy(out, t->digest, TEMPLATE_DIGEST_LEN);
}
