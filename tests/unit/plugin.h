/* SPDX-License-Identifier: ISC */
/* For the tests of the mosquitto plugin: clients' certificates, a feed. */
#ifndef PAPPUS_TESTS_PLUGIN_H
#define PAPPUS_TESTS_PLUGIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "encoding/denylist.h"
#include "encoding/feed.h"
#include "encoding/hex.h"
#include "pki.h"

/* In the order of a list. */
#define DEVICE_A "dev_01jg8qk3v5x9m2n7p4r6s8t0wa"
#define DEVICE_B "dev_01jg8qk3v5x9m2n7p4r6s8t0wb"
#define DEVICE_C "dev_01jg8qk3v5x9m2n7p4r6s8t0wc"
#define SERVICE_A "svc_01jg8qk3v5x9m2n7p4r6s8t0wa"

/* Signed by the sub-CA, its serial 16 octets that end in last. */
static inline X509 *
plugin_cert(
    const struct pki *p, enum profile_id id, const char *cn, uint8_t last)
{
	struct cert_spec spec = pki_spec(id, p->key, p->cert, last);

	spec.common_name = cn;
	return pki_signed(&spec, p->key);
}

/* That serial in a list's form. */
static inline void
plugin_serial(uint8_t last, uint8_t out[DENYLIST_SERIAL_LEN])
{
	memset(out, 0, DENYLIST_SERIAL_LEN);
	memset(out + DENYLIST_SERIAL_LEN - SERIAL_LEN, 0x11, SERIAL_LEN);
	out[DENYLIST_SERIAL_LEN - 1] = last;
}

/* A feed's folder, and what the next plugin_feed_write puts there. */
struct plugin_feed {
	char dir[64];
	const struct pki *device_ca; /* NULL: it is not listed */
	const struct pki *service_ca;
	uint64_t base_sequence; /* 1 */
	uint64_t sequence;	/* counted up by itself */
	int64_t time_ms;
	const char *base_device; /* NULL: none */
	const char *denied;	 /* in the delta */
	const char *allowed;	 /* in the delta */
	uint8_t revoked;	 /* in the delta; 0: none */
	struct feed_state state; /* as written last */
};

static inline void
plugin_feed_open(struct plugin_feed *feed, const struct pki *device_ca,
    const struct pki *service_ca)
{
	*feed = (struct plugin_feed){.dir = "/tmp/pappus-feed.XXXXXX",
	    .device_ca = device_ca,
	    .service_ca = service_ca,
	    .base_sequence = 1,
	    .sequence = 1,
	    .time_ms = pki_now * 1000};
	ck_assert_ptr_nonnull(mkdtemp(feed->dir));
}

static inline void
plugin_feed_close(struct plugin_feed *feed)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", feed->dir);
	ck_assert_int_eq(system(command), 0);
}

/* Whole and at once, as pappus-brokerd does it. */
static inline void
plugin_feed_place(const struct plugin_feed *feed, const char *name,
    const void *data, size_t len)
{
	char new[128], path[256];
	FILE *out;

	snprintf(new, sizeof(new), "%s/new", feed->dir);
	snprintf(path, sizeof(path), "%s/%s", feed->dir, name);
	out = fopen(new, "we");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(data, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(rename(new, path), 0);
}

/* Under its digest, which is told. */
static inline void
plugin_feed_publish(const struct plugin_feed *feed, const struct buf *data,
    char name[FEED_NAME_LEN + 1])
{
	uint8_t digest[32];

	ck_assert_int_eq(
	    EVP_Digest(data->data, data->len, digest, NULL, EVP_sha256(), NULL),
	    1);
	hex_encode(digest, sizeof(digest), name);
	plugin_feed_place(feed, name, data->data, data->len);
}

static inline bool
plugin_feed_sink(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

static inline size_t
plugin_feed_issuers(const struct plugin_feed *feed,
    struct denylist_issuer out[2], struct buf der[2])
{
	const struct pki *ca[] = {feed->device_ca, feed->service_ca};
	const enum denylist_purpose purpose[] = {
	    DENYLIST_DEVICE, DENYLIST_SERVICE};
	struct err err = {.code = ERR_NONE};
	size_t i, n = 0;

	for (i = 0; i < 2; i++) {
		if (ca[i] == NULL)
			continue;
		ck_assert(cert_encode_der(ca[i]->cert, &der[n], &err));
		out[n] = (struct denylist_issuer){.purpose = purpose[i],
		    .crl_url = "",
		    .certificate = der[n].data,
		    .certificate_len = der[n].len};
		n++;
	}
	return n;
}

/* A base (delta: false) or a delta, as bytes. */
static inline void
plugin_feed_file(const struct plugin_feed *feed, bool delta, struct buf *out)
{
	uint64_t from = delta ? feed->base_sequence : 0;
	uint64_t to = delta ? feed->sequence : feed->base_sequence;
	const char *added = delta ? feed->denied : feed->base_device;
	struct buf der[2] = {BUF_INIT, BUF_INIT};
	struct err err = {.code = ERR_NONE};
	uint8_t serial[DENYLIST_SERIAL_LEN];
	struct denylist_issuer issuers[2];
	struct denylist_writer w;
	size_t n = plugin_feed_issuers(feed, issuers, der);

	ck_assert(denylist_write_begin(&w, plugin_feed_sink, out, &err));
	if (added != NULL)
		ck_assert(denylist_write_device(
		    &w, DENYLIST_DEVICES_ADDED, added + 4, &err));
	if (delta && feed->allowed != NULL)
		ck_assert(denylist_write_device(
		    &w, DENYLIST_DEVICES_REMOVED, feed->allowed + 4, &err));
	if (delta && feed->revoked != 0) {
		plugin_serial(feed->revoked, serial);
		ck_assert(denylist_write_serial(
		    &w, DENYLIST_SERIALS_ADDED, serial, &err));
	}
	ck_assert(denylist_write_end(
	    &w, from, to, delta ? feed->time_ms : 1, issuers, n, &err));
	denylist_writer_free(&w);
	buf_free(&der[0]);
	buf_free(&der[1]);
}

static inline void
plugin_feed_write_state(const struct plugin_feed *feed)
{
	struct buf text = BUF_INIT;

	feed_state_print(&feed->state, &text);
	plugin_feed_place(feed, "state", text.data, text.len);
	buf_free(&text);
}

static inline void
plugin_feed_write(struct plugin_feed *feed)
{
	struct buf base = BUF_INIT, delta = BUF_INIT;

	feed->sequence++;
	plugin_feed_file(feed, false, &base);
	plugin_feed_file(feed, true, &delta);
	plugin_feed_publish(feed, &base, feed->state.deny_base);
	plugin_feed_publish(feed, &delta, feed->state.deny_delta);
	feed->state.sequence = feed->sequence;
	feed->state.time_ms = feed->time_ms;
	plugin_feed_write_state(feed);
	buf_free(&base);
	buf_free(&delta);
}

#endif
