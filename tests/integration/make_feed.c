/* SPDX-License-Identifier: ISC */
/*
 * A feed's folder with whatever a test wants to stand in it, as pappus-crld
 * leaves it: for tests of those who read it.
 *
 *	make_feed DIR <LINES
 *
 * Of the lines, in any order, each but the first two may be repeated:
 *
 *	sequence BASE TO	of the base (1) and of all (as the base)
 *	time BASE ALL		when they were made, unix milliseconds (now)
 *	device DEV		in the base: shut out
 *	+device DEV		in the delta: shut out since
 *	-device DEV		in the delta: let in since
 *	serial HEX, +serial HEX, -serial HEX
 *	generate N		so many more devices and serials in the base
 *	+generate N		... in the delta
 *	issuer PURPOSE URL FILE	"-" is no URL; FILE is its certificate
 *	closed PURPOSE URL FILE	... one that needs no other CRL
 *	crls FILE		the CRLs in one file, as PEM
 *	crl NUMBER CRL FILE	a CRL (DER), and its CA's certificate
 *
 * Everything is written under another name and renamed, the state last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "cert/cert.h"
#include "encoding/base32.h"
#include "encoding/denylist.h"
#include "encoding/feed.h"
#include "encoding/hex.h"
#include "encoding/name.h"

enum { BASE, DELTA, FILES };

struct feed {
	const char *dir;
	uint64_t sequence[FILES]; /* that each file leads to */
	int64_t time_ms[FILES];
	struct buf items[FILES][DENYLIST_SECTIONS];
	uint64_t generated; /* numbers that were given away */
	struct denylist_issuer issuers[DENYLIST_ISSUERS_MAX];
	size_t issuer_count;
	struct feed_state state;
};

static void
must(bool ok, const struct err *err)
{
	if (!ok) {
		fprintf(stderr, "make_feed: %s\n", err->detail);
		exit(EXIT_FAILURE);
	}
}

static void
must_line(bool ok, const char *line)
{
	if (!ok) {
		fprintf(stderr, "make_feed: what is \"%s\"?\n", line);
		exit(EXIT_FAILURE);
	}
}

static void
slurp(const char *path, struct buf *out)
{
	struct err err = {.code = ERR_NONE};
	FILE *in = fopen(path, "re");
	char block[65536];
	size_t n;

	must(in != NULL || err_set_errno(&err, "%s", path), &err);
	while ((n = fread(block, 1, sizeof(block), in)) > 0)
		buf_add(out, block, n);
	fclose(in);
}

/* --- files under their digest -------------------------------------------- */

struct output {
	FILE *file;
	EVP_MD_CTX *sha256;
	char path[1024];
};

static bool
output_write(void *ctx, const void *data, size_t len, struct err *err)
{
	struct output *out = ctx;

	if (EVP_DigestUpdate(out->sha256, data, len) != 1)
		return err_set(err, ERR_CRYPTO, "SHA-256");
	return fwrite(data, 1, len, out->file) == len ||
	       err_set_errno(err, "%s", out->path);
}

static void
output_open(struct output *out, const char *dir)
{
	struct err err = {.code = ERR_NONE};

	snprintf(out->path, sizeof(out->path), "%s/new", dir);
	out->file = fopen(out->path, "we");
	out->sha256 = EVP_MD_CTX_new();
	must(out->file != NULL || err_set_errno(&err, "%s", out->path), &err);
	must((out->sha256 != NULL &&
		 EVP_DigestInit_ex(out->sha256, EVP_sha256(), NULL) == 1) ||
		 err_set(&err, ERR_CRYPTO, "SHA-256"),
	    &err);
}

/* Close and rename; as is NULL for the digest, which is also told. */
static void
output_close(struct output *out, const char *dir, const char *as,
    char name[FEED_NAME_LEN + 1])
{
	struct err err = {.code = ERR_NONE};
	uint8_t digest[32];
	char path[1024];

	must(EVP_DigestFinal_ex(out->sha256, digest, NULL) == 1 ||
		 err_set(&err, ERR_CRYPTO, "SHA-256"),
	    &err);
	hex_encode(digest, sizeof(digest), name);
	snprintf(path, sizeof(path), "%s/%s", dir, as == NULL ? name : as);
	must((fclose(out->file) == 0 && rename(out->path, path) == 0) ||
		 err_set_errno(&err, "%s", path),
	    &err);
	EVP_MD_CTX_free(out->sha256);
}

/* Write a file of this content. */
static void
publish(const char *dir, const char *as, const struct buf *data,
    char name[FEED_NAME_LEN + 1])
{
	struct err err = {.code = ERR_NONE};
	struct output out;

	output_open(&out, dir);
	must(output_write(&out, data->data, data->len, &err), &err);
	output_close(&out, dir, as, name);
}

/* --- what is asked for ---------------------------------------------------- */

/* Where an item goes: "+" and "-" in front say the delta. */
static struct buf *
list(struct feed *feed, const char *line, enum denylist_section added)
{
	if (*line == '-')
		return &feed->items[DELTA][added + 1];
	return &feed->items[*line == '+' ? DELTA : BASE][added];
}

static void
add_serial(struct buf *out, const uint8_t *serial, size_t len)
{
	static const uint8_t zeros[DENYLIST_SERIAL_LEN];

	buf_add(out, zeros, DENYLIST_SERIAL_LEN - len);
	buf_add(out, serial, len);
}

static void
read_serial(struct feed *feed, const char *line, const char *hex)
{
	uint8_t serial[DENYLIST_SERIAL_LEN];
	size_t len = strlen(hex) / 2;

	must_line(len > 0 && len <= sizeof(serial) &&
		      hex_decode(hex, strlen(hex), serial, len),
	    line);
	add_serial(list(feed, line, DENYLIST_SERIALS_ADDED), serial, len);
}

static void
read_device(struct feed *feed, const char *line, const char *id)
{
	must_line(name_valid(NAME_DEVICE, id, strlen(id)), line);
	buf_add(list(feed, line, DENYLIST_DEVICES_ADDED), id + strlen("dev_"),
	    DENYLIST_DEVICE_LEN);
}

/* Numbers that look like random ones, the same each time (splitmix64). */
static uint64_t
scatter(uint64_t n)
{
	n *= UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

static void
generate(struct feed *feed, const char *line, uint64_t n)
{
	struct buf *devices = list(feed, line, DENYLIST_DEVICES_ADDED);
	struct buf *serials = list(feed, line, DENYLIST_SERIALS_ADDED);
	char digits[DENYLIST_DEVICE_LEN + 1];
	uint8_t serial[16] = {0x01};
	uint64_t random;

	for (; n > 0; n--) {
		random = scatter(++feed->generated);
		base32_encode_int(random, 13, digits);
		base32_encode_int(feed->generated, 13, digits + 13);
		digits[0] = '0'; /* 0 to 7 in every id */
		buf_add(devices, digits, DENYLIST_DEVICE_LEN);
		memcpy(serial + 1, &random, sizeof(random));
		add_serial(serials, serial, sizeof(serial));
	}
}

static void
read_issuer(struct feed *feed, const char *line, const char *purpose,
    const char *url, const char *file)
{
	static const char *const purposes[] = {
	    "root", "device", "server", "service"};
	struct denylist_issuer *issuer = &feed->issuers[feed->issuer_count++];
	struct err err = {.code = ERR_NONE};
	struct buf text = BUF_INIT, der = BUF_INIT;
	X509 *cert;
	size_t i;

	must_line(feed->issuer_count <= DENYLIST_ISSUERS_MAX, line);
	for (i = 0; i < DENYLIST_PURPOSES; i++)
		if (strcmp(purposes[i], purpose) == 0)
			break;
	must_line(i < DENYLIST_PURPOSES, line);
	slurp(file, &text);
	cert = cert_decode(text.data, text.len, &err);
	must(cert != NULL && cert_encode_der(cert, &der, &err), &err);
	if (strcmp(url, "-") == 0)
		url = "";
	*issuer = (struct denylist_issuer){.purpose = (enum denylist_purpose)i,
	    .closed = *line == 'c',
	    .crl_url = strdup(url),
	    .crl_url_len = strlen(url),
	    .certificate = der.data,
	    .certificate_len = der.len};
	X509_free(cert);
	buf_free(&text);
}

static void
read_crl(struct feed *feed, const char *line, uint64_t number, const char *path,
    const char *file)
{
	struct feed_crl *crl = &feed->state.crl[feed->state.crl_count++];
	struct buf text = BUF_INIT, der = BUF_INIT;
	struct err err = {.code = ERR_NONE};
	uint8_t ski[CERT_KEY_ID_LEN];
	X509 *cert;

	must_line(feed->state.crl_count <= FEED_CRLS_MAX, line);
	slurp(file, &text);
	cert = cert_decode(text.data, text.len, &err);
	must(cert != NULL && cert_ski(cert, ski, &err), &err);
	hex_encode(ski, sizeof(ski), crl->ski);
	crl->number = number;
	slurp(path, &der);
	publish(feed->dir, NULL, &der, crl->name);
	X509_free(cert);
	buf_free(&text);
	buf_free(&der);
}

static void
read_crls(struct feed *feed, const char *path)
{
	struct buf text = BUF_INIT;

	slurp(path, &text);
	publish(feed->dir, NULL, &text, feed->state.crls);
	buf_free(&text);
}

static void
read_line(struct feed *feed, const char *line)
{
	char word[3][512];
	const char *verb = line + (*line == '+' || *line == '-');
	uint64_t a, b;

	if (sscanf(line, "sequence %" SCNu64 " %" SCNu64, &a, &b) == 2) {
		feed->sequence[BASE] = a;
		feed->sequence[DELTA] = b;
	} else if (sscanf(line, "time %" SCNu64 " %" SCNu64, &a, &b) == 2) {
		feed->time_ms[BASE] = (int64_t)a;
		feed->time_ms[DELTA] = (int64_t)b;
	} else if (sscanf(verb, "device %511s", word[0]) == 1) {
		read_device(feed, line, word[0]);
	} else if (sscanf(verb, "serial %511s", word[0]) == 1) {
		read_serial(feed, line, word[0]);
	} else if (sscanf(verb, "generate %" SCNu64, &a) == 1) {
		generate(feed, line, a);
	} else if (sscanf(line, "issuer %511s %511s %511s", word[0], word[1],
		       word[2]) == 3 ||
		   sscanf(line, "closed %511s %511s %511s", word[0], word[1],
		       word[2]) == 3) {
		read_issuer(feed, line, word[0], word[1], word[2]);
	} else if (sscanf(line, "crl %" SCNu64 " %511s %511s", &a, word[0],
		       word[1]) == 3) {
		read_crl(feed, line, a, word[0], word[1]);
	} else {
		must_line(sscanf(line, "crls %511s", word[0]) == 1, line);
		read_crls(feed, word[0]);
	}
}

/* --- the files -------------------------------------------------------------
 */

static int
compare_devices(const void *a, const void *b)
{
	return memcmp(a, b, DENYLIST_DEVICE_LEN);
}

static int
compare_serials(const void *a, const void *b)
{
	return memcmp(a, b, DENYLIST_SERIAL_LEN);
}

static bool
write_list(struct denylist_writer *w, enum denylist_section section,
    struct buf *items, struct err *err)
{
	bool devices = section <= DENYLIST_DEVICES_REMOVED;
	size_t len = devices ? DENYLIST_DEVICE_LEN : DENYLIST_SERIAL_LEN;
	bool ok = true;
	uint8_t *at;
	size_t i;

	if (items->len > 0)
		qsort(items->data, items->len / len, len,
		    devices ? compare_devices : compare_serials);
	for (i = 0; ok && i < items->len; i += len) {
		at = items->data + i;
		if (i > 0 && memcmp(at - len, at, len) == 0)
			continue;
		ok = devices ? denylist_write_device(
				   w, section, (const char *)at, err)
			     : denylist_write_serial(w, section, at, err);
	}
	return ok;
}

static void
write_file(struct feed *feed, size_t which, char name[FEED_NAME_LEN + 1])
{
	uint64_t from = which == BASE ? 0 : feed->sequence[BASE];
	struct err err = {.code = ERR_NONE};
	struct denylist_writer w;
	enum denylist_section s;
	struct output out;

	output_open(&out, feed->dir);
	must(denylist_write_begin(&w, output_write, &out, &err), &err);
	for (s = 0; s < DENYLIST_SECTIONS; s++)
		must(write_list(&w, s, &feed->items[which][s], &err), &err);
	must(denylist_write_end(&w, from, feed->sequence[which],
		 feed->time_ms[which], feed->issuers, feed->issuer_count, &err),
	    &err);
	denylist_writer_free(&w);
	output_close(&out, feed->dir, NULL, name);
}

int
main(int argc, char **argv)
{
	static struct feed feed = {.sequence = {1, 1}};
	char digest[FEED_NAME_LEN + 1];
	struct buf text = BUF_INIT;
	char line[2048];

	if (argc != 2) {
		fputs("usage: make_feed DIR <LINES\n", stderr);
		return 2;
	}
	feed.dir = argv[1];
	feed.time_ms[BASE] = feed.time_ms[DELTA] = clock_wall_ms();
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		read_line(&feed, line);
	}
	feed.state.sequence = feed.sequence[DELTA];
	feed.state.time_ms = feed.time_ms[DELTA];
	write_file(&feed, BASE, feed.state.deny_base);
	write_file(&feed, DELTA, feed.state.deny_delta);
	feed_state_print(&feed.state, &text);
	publish(feed.dir, "state", &text, digest);
	buf_free(&text);
	return 0;
}
