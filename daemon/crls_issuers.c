/* SPDX-License-Identifier: ISC */
/* The CAs, their addresses and certificates, and their keys: see crls.h. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/crl_file.h"
#include "daemon/crls.h"
#include "encoding/pem.h"

enum { DAY_S = 24 * 60 * 60, ROOT_WARN_DAYS = 60, WARN_DAYS = 3 };

#define ISSUERS_US (60 * SECOND_US)
#define KEYS_US (10 * SECOND_US)

/* Say what is wrong with an address, once. */
static void
complain(const struct place *before, const struct place *now)
{
	if (now->err.code != ERR_NONE &&
	    strcmp(before->err.detail, now->err.detail) != 0)
		log_msg(LOG_LEVEL_ERROR, "address-refused", "issuer %d: %s",
		    now->issuer_id, now->err.detail);
}

static void
assign_places(struct crls *s)
{
	struct place *places = calloc(s->cas.count + 1, sizeof(*places));
	bool bad = false;
	struct ca *ca;
	size_t i, n = 0;

	if (places == NULL)
		abort();
	for (i = 0; i < s->cas.count; i++) {
		ca = s->cas.list[i];
		if (ca->is == NULL)
			continue;
		places[n++] = (struct place){
		    .issuer_id = ca->id,
		    .crl_url = ca->is->crl_url,
		    .ca_url = ca->is->ca_url,
		};
	}
	places_assign(places, n);
	for (i = 0; i < n; i++) {
		ca = cas_find(&s->cas, places[i].issuer_id);
		complain(&ca->place, &places[i]);
		ca->place = places[i];
		bad = bad || places[i].err.code != ERR_NONE;
	}
	free(places);
	board_alarm(s->d->board, ALARM_PATHS, bad);
}

/* A CA's certificate where its leaves say that it is (RFC 5280 §4.2.2.1). */
static bool
publish_certificate(struct crls *s, const struct ca *ca, struct err *err)
{
	const struct buf *der = &ca->is->certificate;
	struct buf pem = BUF_INIT;
	bool ok = true;

	if (ca->place.ca[0] != '\0')
		ok = store_put(
		    s->d->store, ca->place.ca, der->data, der->len, err);
	if (ok && ca->place.ca_pem[0] != '\0') {
		pem_encode(&pem, "CERTIFICATE", der->data, der->len);
		ok = store_put(
		    s->d->store, ca->place.ca_pem, pem.data, pem.len, err);
		buf_free(&pem);
	}
	return ok;
}

/* The CRL of a CA that is revoked is named no more. */
static bool
is_named(void *ctx, const char *ski)
{
	const struct cas *cas = ctx;
	size_t i;

	for (i = 0; i < cas->count; i++)
		if (strcmp(cas->list[i]->ski, ski) == 0)
			return ca_is_good(cas->list[i]);
	return false;
}

/* More than the feed can name are too many to be left out in silence. */
static void
count_them(struct crls *s)
{
	size_t i, good = 0;
	bool too_many;

	for (i = 0; i < s->cas.count; i++)
		good += ca_is_good(s->cas.list[i]) ? 1 : 0;
	too_many = good > DENYLIST_ISSUERS_MAX || good > FEED_CRLS_MAX;
	if (too_many && !s->too_many)
		log_msg(LOG_LEVEL_ERROR, "too-many-issuers",
		    "%zu, of which the feed names the first %d", good,
		    DENYLIST_ISSUERS_MAX);
	s->too_many = too_many;
}

/* What comes of a new list of issuers; false when a part is left to do. */
static bool
settle(struct crls *s)
{
	struct err err = {.code = ERR_NONE};
	bool ok = true;
	struct ca *ca;
	size_t i;

	assign_places(s);
	count_them(s);
	for (i = 0; i < s->cas.count; i++) {
		ca = s->cas.list[i];
		if (ca->is == NULL)
			continue;
		if (!ca->found && ca->cert != NULL)
			crl_file_find(s->d->store, s->d->front, ca);
		ca->found = true;
		ok = publish_certificate(s, ca, &err) && ok;
		if (ca->good != ca_is_good(ca))
			s->combine = true;
		ca->good = ca_is_good(ca);
	}
	ok = front_keep(s->d->front, is_named, &s->cas, &err) && ok;
	if (!ok)
		log_msg(LOG_LEVEL_ERROR, "not-published", "%s", err.detail);
	return ok;
}

bool
crls_issuers(struct crls *s)
{
	struct publication_issuer *issuers;
	int64_t now = clock_mono_us();
	size_t n;

	if (now < s->issuers_us)
		return s->known;
	s->issuers_us = now + SECOND_US;
	if (publication_issuers(s->db, &issuers, &n) != PUBLICATION_DONE)
		return s->known;
	s->known = true;
	cas_take(&s->cas, issuers, n);
	lists_take_cas(&s->lists);
	if (settle(s))
		s->issuers_us = now + ISSUERS_US;
	return true;
}

/* ----------------------------------------------------------------- looks */

static void
refresh_keys(struct crls *s)
{
	struct err err = {.code = ERR_NONE};
	bool bad = !keys_refresh(s->d->keys, &err);

	if (bad && !s->folder_bad)
		log_msg(LOG_LEVEL_ERROR, "keys-unusable", "%s", err.detail);
	s->folder_bad = bad;
}

/* Whether the key of a CA is missing here while it is needed. */
static bool
misses_key(const struct crls *s, const struct ca *ca, int64_t now_s)
{
	return ca_has_list(ca) && !ca_is_final(ca) &&
	       ca->is->not_after > now_s && !keys_have(s->d->keys, ca->cert);
}

static void
look_at_keys(struct crls *s, int64_t now_s)
{
	bool bad = s->folder_bad, missing;
	struct ca *ca;
	size_t i;

	for (i = 0; i < s->cas.count; i++) {
		ca = s->cas.list[i];
		missing = ca->is != NULL && misses_key(s, ca, now_s);
		if (missing && !ca->key_missing)
			log_msg(LOG_LEVEL_ERROR, "key-missing",
			    "issuer %d: its key is not here, so its CRL "
			    "can't be signed here",
			    ca->id);
		ca->key_missing = missing;
		bad = bad || missing;
	}
	board_alarm(s->d->board, ALARM_KEYS, bad);
}

/* A list that has ended refuses every device: say so long before, daily. */
static bool
is_stale(struct ca *ca, int64_t now_s)
{
	int64_t left = (ca->published.next_update - now_s) / DAY_S;
	bool root = ca->is->purpose == PUBLICATION_ROOT;

	if (ca->published.number == 0 || ca_is_final(ca) ||
	    ca->is->not_after <= now_s ||
	    left >= (root ? ROOT_WARN_DAYS : WARN_DAYS))
		return false;
	if (ca->warned_s + DAY_S <= now_s)
		log_event(LOG_LEVEL_WARN, "crl-ends",
		    (const struct log_field[]){
			LOG_I("issuer", ca->id),
			LOG_I("days_left", left),
			{.type = LOG_END},
		    });
	if (ca->warned_s + DAY_S <= now_s)
		ca->warned_s = now_s;
	return true;
}

void
crls_look(struct crls *s)
{
	int64_t now = clock_mono_us(), now_s = clock_wall_ms() / 1000;
	bool stale = false;
	size_t i;

	if (now < s->keys_us)
		return;
	s->keys_us = now + KEYS_US;
	refresh_keys(s);
	look_at_keys(s, now_s);
	for (i = 0; i < s->cas.count; i++)
		if (ca_is_good(s->cas.list[i]) &&
		    is_stale(s->cas.list[i], now_s))
			stale = true;
	board_alarm(s->d->board, ALARM_STALE, stale);
}
