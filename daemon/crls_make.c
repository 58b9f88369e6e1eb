/* SPDX-License-Identifier: ISC */
/* One CA's next CRL, made or made again, and put out: see crls.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "daemon/crl_file.h"
#include "daemon/crls.h"

enum {
	NEXT_UPDATE_S = 7 * 24 * 60 * 60,
	BUSY = 9 /* times as long idle: never busy more than a tenth */
};

#define DELAY_MAX_US (15 * SECOND_US)

/* ---------------------------------------------------------- how it went */

static void
log_crl(const struct ca *ca, const char *event, int64_t us)
{
	log_event(LOG_LEVEL_INFO, event,
	    (const struct log_field[]){
		LOG_I("issuer", ca->id),
		LOG_I("number", ca->published.number),
		LOG_I("entries", ca->published.entries),
		LOG_I("bytes", ca->published.bytes),
		LOG_I("us", us),
		{.type = LOG_END},
	    });
}

/* The PEM of all is to follow. */
static void
worked(struct crls *s, struct ca *ca)
{
	if (ca->failing)
		log_msg(LOG_LEVEL_INFO, "crl-mended", "issuer %d", ca->id);
	ca->failing = false;
	ca->delay_us = 0;
	s->combine = true;
}

static void
done(struct crls *s, struct ca *ca, int64_t started, const char *event)
{
	int64_t now = clock_mono_us();

	ca->next_us = now + BUSY * (now - started);
	worked(s, ca);
	log_crl(ca, event, now - started);
}

/* What is published stays; again after a while. */
static void
failed(struct ca *ca, const struct err *err)
{
	ca->delay_us = ca->delay_us == 0 ? SECOND_US : 2 * ca->delay_us;
	if (ca->delay_us > DELAY_MAX_US)
		ca->delay_us = DELAY_MAX_US;
	ca->next_us = clock_mono_us() + ca->delay_us;
	ca->failing = true;
	log_msg(LOG_LEVEL_ERROR, "crl-failed", "issuer %d: %s", ca->id,
	    err->detail);
}

/* ---------------------------------------------------------- made before */

/*
 * The list here is not what was signed: it has gone on since, as a rule.  Once
 * all is read again as of then.
 */
static void
differs(struct crls *s, struct ca *ca, const struct publication_crl *crl,
    const struct err *err)
{
	bool again = ca->reloaded == crl->number;

	ca->tried = crl->number;
	log_msg(again ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "crl-differs",
	    "issuer %d: %s", ca->id, err->detail);
	if (again)
		return;
	ca->reloaded = crl->number;
	s->want_load = true;
	s->load_as_of = crl->sequence;
}

/* Make a recorded CRL of the list here, with the signature it has. */
static void
remake(struct crls *s, struct ca *ca, int64_t started)
{
	struct publication_crl crl = ca->recorded;
	struct err err = {.code = ERR_NONE};
	struct store_file file;

	lists_expire(ca, crl.expired_before);
	if (!crl_file_write(s->d->store, ca, NULL, &crl, &file, &err)) {
		if (err.code != ERR_MISMATCH) {
			failed(ca, &err);
			return;
		}
		differs(s, ca, &crl, &err);
		return;
	}
	if (!crl_file_check(s->d->store, &s->lists, ca, &crl, &file, &err)) {
		store_abort(&file);
		failed(ca, &err);
		return;
	}
	if (!crl_file_publish(
		s->d->store, s->d->front, ca, &crl, &file, &err)) {
		failed(ca, &err);
		return;
	}
	/* Its entries are the list's. */
	ca->changed = ca->rebuilt = false;
	done(s, ca, started, "crl-followed");
}

static void
publish_root(struct crls *s, struct ca *ca, int64_t started)
{
	struct err err = {.code = ERR_NONE};

	if (crl_file_publish_root(s->d->store, s->d->front, ca, &err))
		done(s, ca, started, "crl-of-root");
	else
		failed(ca, &err);
}

void
crls_publish(struct crls *s, struct ca *ca)
{
	bool behind = ca->recorded.number > 0 &&
		      (uint64_t)ca->recorded.number > ca->published.number;
	int64_t started = clock_mono_us();
	struct err err = {.code = ERR_NONE};

	if (ca->is == NULL || started < ca->next_us)
		return;
	if (!ca->finished && ca->published.name[0] != '\0') {
		if (!crl_file_finish(s->d->store, s->d->front, ca, &err)) {
			failed(ca, &err);
			return;
		}
		worked(s, ca);
	}
	if (!behind)
		return;
	if (ca->is->purpose == PUBLICATION_ROOT)
		publish_root(s, ca, started);
	else if (ca->list != NULL && !s->lists.torn &&
		 ca->tried != ca->recorded.number)
		remake(s, ca, started);
}

/* ------------------------------------------------------------- made new */

/* It is recorded, but its entries are not to be had any more. */
static bool
cannot_remake(const struct ca *ca)
{
	return (uint64_t)ca->recorded.number > ca->published.number &&
	       ca->tried == ca->recorded.number;
}

bool
crls_is_due(const struct crls *s, const struct ca *ca, int64_t *when)
{
	int64_t now_s = clock_wall_ms() / 1000, age;

	if (ca->is == NULL || ca->list == NULL || s->lists.torn ||
	    ca->is->not_after <= now_s ||
	    (ca_is_final(ca) && !cannot_remake(ca)))
		return false;
	age = now_s - CRL_BACKDATE_S - ca->recorded.this_update;
	if (ca->is->state != PUBLICATION_CLOSED && !ca->changed &&
	    !ca->rebuilt && ca->recorded.number > 0 &&
	    age < conf_int(CONF_REBUILD_S))
		return false;
	*when = ca->next_us;
	return clock_mono_us() >= ca->next_us;
}

/* What the next CRL says beside its entries. */
static struct publication_crl
next_crl(const struct crls *s, const struct ca *ca)
{
	int64_t now_ms = clock_wall_ms();
	struct publication_crl crl = {
	    .issuer_id = ca->id,
	    .number = now_ms,
	    .this_update = now_ms / 1000 - CRL_BACKDATE_S,
	    .next_update = now_ms / 1000 + NEXT_UPDATE_S,
	    .sequence = s->lists.sequence,
	    .expired_before = ca->expired_before,
	    .final = ca->is->state == PUBLICATION_CLOSED,
	};

	if (crl.number <= ca->recorded.number)
		crl.number = ca->recorded.number + 1;
	if (crl.number <= (int64_t)ca->published.number)
		crl.number = (int64_t)ca->published.number + 1;
	/* None will follow, and beyond its own end nobody asks it. */
	if (crl.final)
		crl.next_update = ca->is->not_after;
	return crl;
}

/* Whether it is recorded, and hence may be published. */
static bool
record(struct crls *s, struct ca *ca, const struct publication_crl *crl,
    struct err *err)
{
	int64_t last = 0;

	switch (publication_record(s->db, s->work.epoch, crl, &last)) {
	case PUBLICATION_DONE:
		ca->recorded = *crl;
		ca->changed = ca->rebuilt = false;
		return true;
	case PUBLICATION_LOST:
		s->work.epoch = 0;
		return err_set(err, ERR_REFUSED, "another crld leads by now");
	case PUBLICATION_OUTDATED:
		s->want_latest = true;
		return err_set(err, ERR_REFUSED,
		    "a CRL with the number %" PRId64 " is recorded", last);
	case PUBLICATION_PRUNED:
	case PUBLICATION_STOPPED:
	case PUBLICATION_FAILED:
		break;
	}
	/* It may be recorded all the same: then it is found there. */
	s->want_latest = true;
	return err_set(err, ERR_UNAVAILABLE,
	    "the database did not say that it was recorded");
}

/*
 * Leave out what has ended, one CRL later (RFC 5280 §3.3).  What a clock that
 * was ahead took for ended must come back: then all is read again first.
 */
static bool
leave_out(struct crls *s, struct ca *ca)
{
	int64_t now_s = clock_wall_ms() / 1000,
		seen = ca->published.this_update;

	if (ca->expired_before > now_s) {
		log_msg(LOG_LEVEL_WARN, "clock-went-back", "issuer %d", ca->id);
		s->want_load = true;
		s->load_as_of = 0;
		return false;
	}
	lists_expire(ca, seen < now_s ? seen : now_s);
	return true;
}

void
crls_make(struct crls *s, struct ca *ca)
{
	int64_t started = clock_mono_us();
	struct err err = {.code = ERR_NONE};
	struct publication_crl crl;
	struct store_file file;

	/* A key that has just come; that it can't be loaded is said elsewhere.
	 */
	keys_refresh(s->d->keys, NULL);
	if (!leave_out(s, ca))
		return;
	crl = next_crl(s, ca);
	if (!crl_file_write(s->d->store, ca, s->d->keys, &crl, &file, &err)) {
		failed(ca, &err);
		return;
	}
	if (!crl_file_check(s->d->store, &s->lists, ca, &crl, &file, &err) ||
	    !record(s, ca, &crl, &err)) {
		store_abort(&file);
		/* Who leads no more has not failed: another does it. */
		if (s->work.epoch > 0)
			failed(ca, &err);
		return;
	}
	if (!crl_file_publish(
		s->d->store, s->d->front, ca, &crl, &file, &err)) {
		failed(ca, &err);
		return;
	}
	done(s, ca, started, crl.final ? "crl-final" : "crl");
	if (crl.final)
		board_closed(s->d->board);
}

/* ------------------------------------------------------------------ all */

/*
 * Whether the PEM of all can be written: a broker that reads it refuses every
 * device of a CA that isn't in it, and with an empty one none.  So whatever is
 * recorded must be there, as it is but for the first moments of a host.
 */
static bool
is_complete(const struct crls *s)
{
	int64_t now_s = clock_wall_ms() / 1000;
	const struct ca *ca;
	bool any = false;
	size_t i;

	for (i = 0; i < s->cas.count; i++) {
		ca = s->cas.list[i];
		if (!ca_is_good(ca))
			continue;
		if (ca->published.name[0] != '\0')
			any = true;
		else if (ca->recorded.number > 0 && ca->is->not_after > now_s)
			return false;
	}
	return any;
}

/* It belongs to the CRLs that made it due: they are idle for longer. */
static void
idle_longer(struct crls *s, int64_t took)
{
	size_t i;

	for (i = 0; i < s->cas.count; i++)
		s->cas.list[i]->next_us += (1 + BUSY) * took;
}

void
crls_combine(struct crls *s)
{
	int64_t started = clock_mono_us(), now;
	struct err err = {.code = ERR_NONE};

	if (!s->combine || started < s->combine_us || !is_complete(s))
		return;
	if (crl_file_combine(s->d->store, s->d->front, &s->cas, &err)) {
		now = clock_mono_us();
		s->combine = s->combine_failing = false;
		s->combine_us = now + BUSY * (now - started);
		idle_longer(s, now - started);
		s->combine_delay_us = 0;
		return;
	}
	s->combine_delay_us =
	    s->combine_delay_us == 0 ? SECOND_US : 2 * s->combine_delay_us;
	if (s->combine_delay_us > DELAY_MAX_US)
		s->combine_delay_us = DELAY_MAX_US;
	s->combine_us = clock_mono_us() + s->combine_delay_us;
	s->combine_failing = true;
	log_msg(LOG_LEVEL_ERROR, "crls-failed", "%s", err.detail);
}
