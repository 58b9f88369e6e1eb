/* SPDX-License-Identifier: ISC */
/* Writing the two files of the deny-list: see deny_file.h. */
#include "daemon/deny_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/hex.h"
#include "encoding/name.h"

static const enum denylist_purpose purposes[] = {
    [PUBLICATION_ROOT] = DENYLIST_ROOT,
    [PUBLICATION_FOR_DEVICES] = DENYLIST_DEVICE,
    [PUBLICATION_FOR_SERVERS] = DENYLIST_SERVER,
    [PUBLICATION_FOR_SERVICES] = DENYLIST_SERVICE,
};

size_t
deny_issuers(const struct publication_issuer *issuers, size_t n,
    struct denylist_issuer out[DENYLIST_ISSUERS_MAX])
{
	const struct publication_issuer *is;
	size_t i, count = 0;

	for (i = 0; i < n && count < DENYLIST_ISSUERS_MAX; i++) {
		is = &issuers[i];
		if (is->revoked_at != 0)
			continue;
		out[count++] = (struct denylist_issuer){
		    .purpose = purposes[is->purpose],
		    .closed = is->state == PUBLICATION_CLOSED &&
			      is->crl.final &&
			      is->crl.next_update >= is->not_after,
		    .crl_url = is->crl_url,
		    .crl_url_len = strlen(is->crl_url),
		    .certificate = is->certificate.data,
		    .certificate_len = is->certificate.len,
		};
	}
	return count;
}

bool
deny_write_delta(struct store *store, struct delta *delta, uint64_t from,
    uint64_t to, int64_t now_ms, const struct denylist_issuer *issuers,
    size_t n, char name[FEED_NAME_LEN + 1], struct err *err)
{
	struct denylist_writer writer = {0};
	struct store_file file;
	bool ok;

	if (!store_begin(store, NULL, &file, err))
		return false;
	ok = denylist_write_begin(&writer, store_write, &file, err) &&
	     delta_write(delta, &writer, err) &&
	     denylist_write_end(&writer, from, to, now_ms, issuers, n, err);
	denylist_writer_free(&writer);
	if (!ok) {
		store_abort(&file);
		return false;
	}
	return store_commit_content(&file, name, err);
}

/* ----------------------------------------------------------------- base */

struct devices {
	struct denylist_writer *writer;
	size_t count;
	struct err *err;
	bool failed;
};

static bool
write_device(void *ctx, const char *device_id)
{
	struct devices *d = ctx;

	d->count++;
	d->failed = !denylist_write_device(d->writer, DENYLIST_DEVICES_ADDED,
	    device_id + strlen("dev_"), d->err);
	return !d->failed;
}

static bool
write_devices(struct denylist_writer *writer, struct db *db, int64_t as_of,
    size_t *count, struct err *err)
{
	struct devices d = {.writer = writer, .err = err};

	if (publication_devices(db, as_of, write_device, &d) !=
	    PUBLICATION_DONE)
		return err_set(err, ERR_UNAVAILABLE,
		    "the devices that are denied could not be read");
	*count += d.count;
	return true;
}

bool
deny_write_base(struct store *store, const struct lists *lists, struct db *db,
    int64_t now_ms, struct board_base *base, struct err *err)
{
	struct denylist_issuer issuers[DENYLIST_ISSUERS_MAX];
	size_t n = deny_issuers(
	    lists->cas->issuers, lists->cas->issuer_count, issuers);
	struct denylist_writer writer = {0};
	struct store_file file;
	bool ok;

	memset(base, 0, sizeof(*base));
	base->sequence = (uint64_t)lists->sequence;
	if (!store_begin(store, NULL, &file, err))
		return false;
	ok = denylist_write_begin(&writer, store_write, &file, err) &&
	     write_devices(&writer, db, lists->sequence, &base->items, err) &&
	     lists_write_serials(lists, &writer, &base->items, err) &&
	     denylist_write_end(
		 &writer, 0, base->sequence, now_ms, issuers, n, err);
	denylist_writer_free(&writer);
	if (!ok) {
		store_abort(&file);
		return false;
	}
	return store_commit_content(&file, base->name, err);
}

/* -------------------------------------------------------------- missing */

/* A deny-list that is read, and the one that it is compared with. */
struct comparison {
	struct store_map maps[3]; /* base and delta, and the new base */
	struct denylist old;
	struct denylist_file new;
	const struct lists *lists;
	size_t missing;
	char *example;
};

static bool
comparison_open(struct comparison *c, struct store *store,
    const struct feed_state *published, const struct board_base *base)
{
	return store_map_content(
		   store, published->deny_base, &c->maps[0], NULL) &&
	       store_map_content(
		   store, published->deny_delta, &c->maps[1], NULL) &&
	       store_map_content(store, base->name, &c->maps[2], NULL) &&
	       denylist_read(c->maps[0].data, c->maps[0].len, c->maps[1].data,
		   c->maps[1].len, &c->old, NULL) &&
	       denylist_file_read(
		   c->maps[2].data, c->maps[2].len, &c->new, NULL);
}

static int
by_device(const void *a, const void *b)
{
	return memcmp(a, b, DENYLIST_DEVICE_LEN);
}

static int
by_serial(const void *a, const void *b)
{
	return memcmp(a, b, DENYLIST_SERIAL_LEN);
}

/* Whether a serial is left out because its certificate has ended. */
static bool
has_ended(const struct lists *lists, const uint8_t *serial)
{
	size_t i;

	for (i = 0; i < lists->cas->count; i++)
		if (serials_have(&lists->cas->list[i]->gone, serial))
			return true;
	return false;
}

/* Whether what the old list has in this place still counts, and is lost. */
static bool
is_missing(const struct comparison *c, enum denylist_section section,
    const uint8_t *item)
{
	const uint8_t *at = c->new.at[section];
	size_t count = c->new.count[section];

	if (section == DENYLIST_DEVICES_ADDED)
		return denylist_has_device(&c->old, (const char *)item) &&
		       (count == 0 ||
			   bsearch(item, at, count, DENYLIST_DEVICE_LEN,
			       by_device) == NULL);
	return denylist_has_serial(&c->old, item, DENYLIST_SERIAL_LEN) &&
	       (count == 0 || bsearch(item, at, count, DENYLIST_SERIAL_LEN,
				  by_serial) == NULL) &&
	       !has_ended(c->lists, item);
}

static void
compare(struct comparison *c, const struct denylist_file *from,
    enum denylist_section section)
{
	bool devices = section == DENYLIST_DEVICES_ADDED;
	size_t len = devices ? DENYLIST_DEVICE_LEN : DENYLIST_SERIAL_LEN, i;
	const uint8_t *item;

	for (i = 0; i < from->count[section]; i++) {
		item = from->at[section] + i * len;
		if (!is_missing(c, section, item) || c->missing++ > 0)
			continue;
		if (devices)
			snprintf(c->example, 64, "dev_%.*s", (int)len,
			    (const char *)item);
		else
			hex_encode(item, len, c->example);
	}
}

size_t
deny_missing(struct store *store, const struct feed_state *published,
    const struct lists *lists, const struct board_base *base, char example[64])
{
	struct comparison *c = calloc(1, sizeof(*c));
	size_t missing, i;

	if (c == NULL)
		abort();
	c->lists = lists;
	c->example = example;
	example[0] = '\0';
	if (comparison_open(c, store, published, base)) {
		compare(c, &c->old.base, DENYLIST_DEVICES_ADDED);
		compare(c, &c->old.base, DENYLIST_SERIALS_ADDED);
		compare(c, &c->old.delta, DENYLIST_DEVICES_ADDED);
		compare(c, &c->old.delta, DENYLIST_SERIALS_ADDED);
	}
	missing = c->missing;
	for (i = 0; i < sizeof(c->maps) / sizeof(c->maps[0]); i++)
		store_unmap(&c->maps[i]);
	free(c);
	return missing;
}
