/* SPDX-License-Identifier: ISC */
/*
 * The deny-list: which devices and which certificates a broker shuts out, and
 * which CAs it takes clients from.  It is two files, a base and a delta: all
 * that stood at one sequence number, and what has changed since.  Both have
 * one format, made to be searched where it lies (mmap), whatever its size:
 *
 *   magic             "PAPPUSDL", then a version (4 octets), which is 1
 *   devices added     26 octets each: a device id without "dev_"
 *   devices removed
 *   serials added     20 octets each: big-endian, zeros in front
 *   serials removed
 *   issuers           each: purpose (1), whether closed (1), length of the
 *                     URL (2) and of the certificate (2), URL, certificate
 *   footer            from, to, time, a count per list, length of issuers
 *                     (8 each), magic again
 *
 * Each of the four lists is sorted by octets and has nothing twice; nothing is
 * both added and removed.  Numbers are little-endian.  A base has from 0 and
 * removes nothing; a delta's from is the to of its base, and it says all that
 * has changed since.  Issuers always stand in full, the delta's count.
 */
#ifndef PAPPUS_ENCODING_DENYLIST_H
#define PAPPUS_ENCODING_DENYLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sink.h"

enum {
	DENYLIST_DEVICE_LEN = 26, /* digits of base32, as in the id */
	DENYLIST_SERIAL_LEN = 20, /* RFC 5280 §4.1.2.2: at most so many */
	DENYLIST_ISSUERS_MAX = 256
};

enum denylist_purpose {
	DENYLIST_ROOT,
	DENYLIST_DEVICE,
	DENYLIST_SERVER,
	DENYLIST_SERVICE,
	DENYLIST_PURPOSES
};

/* The lists, in the order of the file. */
enum denylist_section {
	DENYLIST_DEVICES_ADDED,
	DENYLIST_DEVICES_REMOVED,
	DENYLIST_SERIALS_ADDED,
	DENYLIST_SERIALS_REMOVED,
	DENYLIST_SECTIONS
};

/* A CA that is not revoked.  Points into the file. */
struct denylist_issuer {
	enum denylist_purpose purpose;
	bool closed;	     /* its last CRL is out, and it needs no other */
	const char *crl_url; /* of its CRL's IDP; visible ASCII, without NUL */
	size_t crl_url_len;
	const uint8_t *certificate; /* DER */
	size_t certificate_len;
};

/* ------------------------------------------------------------- reading */

/* One file, read in place. */
struct denylist_file {
	uint64_t from;
	uint64_t to;	 /* the sequence number that it leads to */
	int64_t time_ms; /* unix milliseconds, when it was made */
	const uint8_t *at[DENYLIST_SECTIONS];
	size_t count[DENYLIST_SECTIONS];
	struct denylist_issuer issuers[DENYLIST_ISSUERS_MAX];
	size_t issuer_count;
};

/* A base with its delta, which goes before it.  About 25 kB. */
struct denylist {
	struct denylist_file base;
	struct denylist_file delta;
};

/*
 * Read one file of len octets; data must stay.  Looks at its ends and at the
 * issuers, whatever its size; never beyond len, whatever the octets are.
 * ERR_MALFORMED when it is no such file, or cut, or of another version.
 */
bool denylist_file_read(const uint8_t *data, size_t len,
    struct denylist_file *out, struct err *err);

/*
 * Whether each list is sorted, without doubles and of possible ids: all of it
 * is looked at.  ERR_MALFORMED.  Without it a search in an unsorted list may
 * miss what it has.
 */
bool denylist_file_verify(const struct denylist_file *file, struct err *err);

/* Read both, which must belong together (ERR_MISMATCH). */
bool denylist_read(const uint8_t *base, size_t base_len, const uint8_t *delta,
    size_t delta_len, struct denylist *out, struct err *err);

/* Whether a device is shut out; digits are those after "dev_". */
bool denylist_has_device(
    const struct denylist *list, const char digits[DENYLIST_DEVICE_LEN]);

/*
 * Whether a certificate is revoked or on hold; serial is the INTEGER's
 * octets, zeros in front or not.  One of over 20 octets (without those) is
 * none of ours: true.
 */
bool denylist_has_serial(
    const struct denylist *list, const uint8_t *serial, size_t len);

/* ------------------------------------------------------------- writing */

/*
 * Writes one file front to back, in memory of fixed size.  Once a call has
 * failed the file is of no use: free the writer.
 */
struct denylist_writer {
	sink_fn *sink;
	void *ctx;
	enum denylist_section section; /* the last that was written to */
	size_t count[DENYLIST_SECTIONS];
	uint8_t last[DENYLIST_DEVICE_LEN];
	struct buf out; /* gathered for the sink */
};

/* Begin a file; what w holds is not looked at. */
bool denylist_write_begin(
    struct denylist_writer *w, sink_fn *sink, void *ctx, struct err *err);

/*
 * Write one item of a list.  Lists come in their order, items sorted and none
 * twice (ERR_MISMATCH).  That nothing is both added and removed is the
 * caller's to see to: a list is not kept.
 */
bool denylist_write_device(struct denylist_writer *w,
    enum denylist_section section, const char digits[DENYLIST_DEVICE_LEN],
    struct err *err);
bool denylist_write_serial(struct denylist_writer *w,
    enum denylist_section section, const uint8_t serial[DENYLIST_SERIAL_LEN],
    struct err *err);

/* The issuers and the footer; all is with the sink afterwards. */
bool denylist_write_end(struct denylist_writer *w, uint64_t from, uint64_t to,
    int64_t time_ms, const struct denylist_issuer *issuers, size_t n,
    struct err *err);

/* Free what a writer holds, at its end or when it failed. */
void denylist_writer_free(struct denylist_writer *w);

#endif
