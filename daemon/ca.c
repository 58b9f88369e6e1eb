/* SPDX-License-Identifier: ISC */
/* The CAs as the thread of the lists knows them: see ca.h. */
#include "daemon/ca.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cert/cert.h"
#include "encoding/hex.h"

/* -------------------------------------------------------------- serials */

void
serials_add(struct serials *serials, const uint8_t serial[CRL_SERIAL_MAX])
{
	if (serials->count == serials->room) {
		serials->room = serials->room == 0 ? 64 : 2 * serials->room;
		serials->list = reallocarray(
		    serials->list, serials->room, sizeof(*serials->list));
		if (serials->list == NULL)
			abort();
	}
	memcpy(serials->list[serials->count++], serial, CRL_SERIAL_MAX);
	serials->sorted = false;
}

static int
by_octets(const void *a, const void *b)
{
	return memcmp(a, b, CRL_SERIAL_MAX);
}

bool
serials_have(struct serials *serials, const uint8_t serial[CRL_SERIAL_MAX])
{
	if (serials->count == 0)
		return false;
	if (!serials->sorted)
		qsort(serials->list, serials->count, sizeof(*serials->list),
		    by_octets);
	serials->sorted = true;
	return bsearch(serial, serials->list, serials->count,
		   sizeof(*serials->list), by_octets) != NULL;
}

void
serials_clear(struct serials *serials)
{
	free(serials->list);
	memset(serials, 0, sizeof(*serials));
}

/* ------------------------------------------------------------------ CAs */

bool
ca_is_good(const struct ca *ca)
{
	return ca->is != NULL && ca->cert != NULL && ca->is->revoked_at == 0;
}

bool
ca_has_list(const struct ca *ca)
{
	return ca_is_good(ca) && ca->is->purpose != PUBLICATION_ROOT;
}

bool
ca_is_final(const struct ca *ca)
{
	return ca->is->state == PUBLICATION_CLOSED && ca->recorded.final &&
	       ca->recorded.next_update >= ca->is->not_after;
}

struct ca *
cas_find(const struct cas *cas, int issuer_id)
{
	size_t i;

	for (i = 0; i < cas->count; i++)
		if (cas->list[i]->id == issuer_id)
			return cas->list[i];
	return NULL;
}

static void
ca_free(struct ca *ca)
{
	if (ca == NULL)
		return;
	X509_free(ca->cert);
	crl_list_free(ca->list);
	serials_clear(&ca->gone);
	free(ca);
}

static struct ca *
ca_new(const struct publication_issuer *is)
{
	struct err err = {.code = ERR_NONE};
	struct ca *ca = calloc(1, sizeof(*ca));

	if (ca == NULL)
		abort();
	ca->id = is->id;
	if (HEX_LEN(is->ski_len) == FEED_SKI_LEN) {
		hex_encode(is->ski, is->ski_len, ca->ski);
		ca->cert = cert_decode(
		    is->certificate.data, is->certificate.len, &err);
	} else {
		err_set(&err, ERR_MISMATCH, "its SKI is not of 20 octets");
	}
	if (ca->cert == NULL)
		log_msg(LOG_LEVEL_ERROR, "issuer-unusable", "issuer %d: %s",
		    is->id, err.detail);
	return ca;
}

static struct ca *
add(struct cas *cas, const struct publication_issuer *is)
{
	struct ca **grown =
	    reallocarray(cas->list, cas->count + 1, sizeof(struct ca *));

	if (grown == NULL)
		abort();
	cas->list = grown;
	return cas->list[cas->count++] = ca_new(is);
}

/* What the database says may be older than what this process recorded. */
static void
update(struct ca *ca, const struct publication_issuer *is)
{
	ca->is = is;
	if (is->crl.number > ca->recorded.number)
		ca->recorded = is->crl;
	if (ca_has_list(ca))
		return;
	crl_list_free(ca->list);
	ca->list = NULL;
	serials_clear(&ca->gone);
}

static int
by_id(const void *a, const void *b)
{
	const struct ca *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

void
cas_take(struct cas *cas, struct publication_issuer *issuers, size_t n)
{
	struct ca *ca;
	size_t i;

	for (i = 0; i < cas->count; i++)
		cas->list[i]->is = NULL;
	for (i = 0; i < n; i++) {
		ca = cas_find(cas, issuers[i].id);
		if (ca == NULL)
			ca = add(cas, &issuers[i]);
		update(ca, &issuers[i]);
	}
	/* Addresses point into what is freed; places are assigned anew. */
	for (i = 0; i < cas->count; i++)
		cas->list[i]->place.crl_url = cas->list[i]->place.ca_url = NULL;
	publication_issuers_free(cas->issuers, cas->issuer_count);
	cas->issuers = issuers;
	cas->issuer_count = n;
	if (cas->count > 0)
		qsort(cas->list, cas->count, sizeof(struct ca *), by_id);
}

void
cas_free(struct cas *cas)
{
	size_t i;

	for (i = 0; i < cas->count; i++)
		ca_free(cas->list[i]);
	free(cas->list);
	publication_issuers_free(cas->issuers, cas->issuer_count);
	memset(cas, 0, sizeof(*cas));
}
