/* SPDX-License-Identifier: ISC */
/*
 * pappus recover: after an older database was restored, tell it of the
 * certificates and denials that it has forgotten.  Each chunk is one
 * transaction, and what is known already is left alone, so that it may be
 * run again at any time, after a failure too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cert/cert.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "tools/pappus.h"
#include "tools/recover_certificate.h"
#include "tools/recover_read.h"

enum { CHUNK = 1000 };

/* An issuer that certificates name, and whether the database knows it. */
struct issuer {
	char ski[2 * CERT_KEY_ID_LEN + 1]; /* hexadecimal */
	bool known;
};

/* What the answers count: of setup_recover_certificates, of …_denials. */
enum { ADDED, KNOWN, DEVICES, CERTIFICATE_COUNTS };
enum { DENIED_DEVICES, DENIED_SERIALS, DENIED_ALREADY, DENIAL_COUNTS };

struct recovery {
	struct db *db;
	struct issuer *issuers;
	size_t issuer_count;
	struct buf chunk; /* a JSON list, without its "]" */
	size_t chunk_len;
	size_t chunk_line; /* where its first item stands */
	int64_t certificates[CERTIFICATE_COUNTS];
	int64_t denials[DENIAL_COUNTS];
	size_t cas;	/* certificates of CAs, which are not for us */
	size_t unknown; /* certificates whose issuer is not registered */
};

/* ----------------------------------------------------------------- chunks */

static void
chunk_item(struct recovery *r, size_t line)
{
	if (r->chunk_len++ == 0)
		r->chunk_line = line;
	buf_add_byte(&r->chunk, r->chunk.len == 0 ? '[' : ',');
	json_begin(&r->chunk);
}

static void
chunk_reset(struct recovery *r)
{
	buf_reset(&r->chunk);
	r->chunk_len = 0;
}

/* Add the numbers of an answer to those so far. */
static bool
add_counts(const struct db_rows *rows, const char *const *keys, size_t n,
    int64_t *counts, struct err *err)
{
	struct json_field fields[CERTIFICATE_COUNTS] = {0};
	const char *text = db_rows_str(rows, 0, 0);
	size_t i;

	for (i = 0; i < n; i++)
		fields[i] = (struct json_field){.key = keys[i],
		    .kind = JSON_NUMBER,
		    .max = INT32_MAX,
		    .required = true};
	if (!json_read((const uint8_t *)text, strlen(text), fields, n, err))
		return false;
	for (i = 0; i < n; i++)
		counts[i] += fields[i].number;
	json_fields_free(fields, n);
	return true;
}

/* Send what has gathered, if anything has. */
static bool
chunk_send(struct recovery *r, const struct source *source,
    enum statement statement, struct err *err)
{
	static const char *const certificates[] = {
	    [ADDED] = "added", [KNOWN] = "known", [DEVICES] = "devices"};
	static const char *const denials[] = {[DENIED_DEVICES] = "devices",
	    [DENIED_SERIALS] = "serials",
	    [DENIED_ALREADY] = "known"};
	struct err cause = {0};
	struct db_rows *rows;
	const char *params[1];
	bool ok;

	if (r->chunk_len == 0)
		return true;
	buf_add_byte(&r->chunk, ']');
	params[0] = buf_str(&r->chunk);
	if (!database_call(r->db, statement, params, &rows, &cause))
		return err_set(err, cause.code, "%s:%zu to %zu: %s",
		    source->path, r->chunk_line, source->line, cause.detail);
	if (statement == STATEMENT_RECOVER_CERTIFICATES)
		ok = add_counts(rows, certificates, CERTIFICATE_COUNTS,
		    r->certificates, err);
	else
		ok = add_counts(rows, denials, DENIAL_COUNTS, r->denials, err);
	db_rows_free(rows);
	chunk_reset(r);
	return ok;
}

/* ----------------------------------------------------------- certificates */

static bool
ask_issuer(struct recovery *r, struct issuer *issuer, struct err *err)
{
	char param[2 + sizeof(issuer->ski)];
	struct db_rows *rows;

	snprintf(param, sizeof(param), "\\x%s", issuer->ski);
	if (!database_call(r->db, STATEMENT_ISSUER_BY_SKI,
		(const char *[]){param}, &rows, err))
		return false;
	issuer->known = db_rows_str(rows, 0, 0) != NULL;
	db_rows_free(rows);
	return true;
}

/* What is known of an issuer; asked for once.  NULL: *err says why. */
static const struct issuer *
find_issuer(struct recovery *r, const ASN1_OCTET_STRING *aki,
    const struct source *source, size_t line, struct err *err)
{
	struct issuer issuer = {0};
	size_t i;

	hex_encode(aki->data, CERT_KEY_ID_LEN, issuer.ski);
	for (i = 0; i < r->issuer_count; i++)
		if (strcmp(r->issuers[i].ski, issuer.ski) == 0)
			return &r->issuers[i];
	if (!ask_issuer(r, &issuer, err))
		return NULL;
	if (!issuer.known)
		fprintf(stderr,
		    "pappus: %s:%zu: the issuer %s is not registered; its "
		    "certificates are left out\n",
		    source->path, line, issuer.ski);
	r->issuers =
	    reallocarray(r->issuers, r->issuer_count + 1, sizeof(issuer));
	if (r->issuers == NULL)
		abort();
	r->issuers[r->issuer_count] = issuer;
	return &r->issuers[r->issuer_count++];
}

static bool
add_certificate(struct recovery *r, const struct source *source, size_t line,
    X509 *cert, struct err *err)
{
	const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(cert);
	struct err cause = {0};
	const struct issuer *issuer;

	if ((X509_get_extension_flags(cert) & EXFLAG_CA) != 0) {
		r->cas++;
		return true;
	}
	if (aki == NULL || aki->length != CERT_KEY_ID_LEN)
		return err_set(err, ERR_MISMATCH, "%s:%zu: it names no issuer",
		    source->path, line);
	issuer = find_issuer(r, aki, source, line, err);
	if (issuer == NULL)
		return false;
	if (!issuer->known) {
		r->unknown++;
		return true;
	}
	chunk_item(r, line);
	if (!recover_members(&r->chunk, cert, issuer->ski, &cause))
		return err_set(err, cause.code, "%s:%zu: %s", source->path,
		    line, cause.detail);
	return r->chunk_len < CHUNK ||
	       chunk_send(r, source, STATEMENT_RECOVER_CERTIFICATES, err);
}

static bool
recover_certificates(struct recovery *r, const char *path, struct err *err)
{
	struct source source;
	X509 *cert;
	size_t line, count = 0;
	bool ok = source_open(&source, path, err);

	while (ok && (cert = source_certificate(&source, &line, err)) != NULL) {
		ok = add_certificate(r, &source, line, cert, err);
		X509_free(cert);
		count++;
	}
	ok = ok && err->code == ERR_NONE &&
	     chunk_send(r, &source, STATEMENT_RECOVER_CERTIFICATES, err);
	if (ok && count == 0)
		ok = err_set(
		    err, ERR_MALFORMED, "%s: there is no certificate", path);
	source_close(&source);
	return ok;
}

/* ---------------------------------------------------------------- denials */

static void
add_denial(struct recovery *r, const struct denial *denial, size_t line)
{
	chunk_item(r, line);
	if (denial->device_id[0] != '\0') {
		json_str(&r->chunk, "device_id", denial->device_id);
		json_str(
		    &r->chunk, "state", denial->revoked ? "revoked" : "denied");
	} else {
		json_str(&r->chunk, "serial", denial->serial);
	}
	if (denial->comment[0] != '\0')
		json_str(&r->chunk, "reason", denial->comment);
	json_end(&r->chunk);
}

static bool
recover_denials(struct recovery *r, const char *path, struct err *err)
{
	struct source source;
	struct denial denial;
	bool ok = source_open(&source, path, err);

	while (ok && source_denial(&source, &denial, err)) {
		add_denial(r, &denial, source.line);
		if (r->chunk_len == CHUNK)
			ok = chunk_send(
			    r, &source, STATEMENT_RECOVER_DENIALS, err);
	}
	ok = ok && err->code == ERR_NONE &&
	     chunk_send(r, &source, STATEMENT_RECOVER_DENIALS, err);
	source_close(&source);
	return ok;
}

/* ---------------------------------------------------------------- command */

typedef bool recover_fn(struct recovery *r, const char *path, struct err *err);

/* Handle the files that follow one of the two options. */
static bool
each_file(int argc, char **argv, const char *option, recover_fn *recover,
    struct recovery *r, struct err *err)
{
	bool mine = false, ok = true;
	int i;

	for (i = 1; i < argc && ok; i++) {
		if (strncmp(argv[i], "--", 2) == 0)
			mine = strcmp(argv[i], option) == 0;
		else if (mine)
			ok = recover(r, argv[i], err);
	}
	return ok;
}

/* Each option with at least one file, all of which can be read. */
static bool
check_arguments(int argc, char **argv, struct err *err)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0) {
			if (i == 1)
				return err_set(err, ERR_CONFIG,
				    "--certificates or --denied comes before "
				    "%s",
				    argv[i]);
			if (access(argv[i], R_OK) != 0)
				return err_set_errno(
				    err, "cannot read %s", argv[i]);
			continue;
		}
		if (strcmp(argv[i], "--certificates") != 0 &&
		    strcmp(argv[i], "--denied") != 0)
			return err_set(err, ERR_CONFIG,
			    "unknown option %s; see --help", argv[i]);
		if (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0)
			return err_set(
			    err, ERR_CONFIG, "%s needs a file", argv[i]);
	}
	if (argc < 2)
		return err_set(err, ERR_CONFIG, "name files; see --help");
	return true;
}

static void
print_summary(const struct recovery *r)
{
	printf("denials: %" PRId64 " devices and %" PRId64
	       " serials new, %" PRId64 " known\n",
	    r->denials[DENIED_DEVICES], r->denials[DENIED_SERIALS],
	    r->denials[DENIED_ALREADY]);
	printf("certificates: %" PRId64 " new, %" PRId64
	       " known, %zu of unknown issuers, %zu of CAs passed over\n",
	    r->certificates[ADDED], r->certificates[KNOWN], r->unknown, r->cas);
	printf("devices: %" PRId64
	       " new, without a token until they are reset\n",
	    r->certificates[DEVICES]);
}

bool
cmd_recover(int argc, char **argv, struct err *err)
{
	struct recovery r = {0};
	bool ok;

	if (!check_arguments(argc, argv, err))
		return false;
	r.db = database_open();
	/* Denials first: what they name is then never seen as good. */
	ok = each_file(argc, argv, "--denied", recover_denials, &r, err) &&
	     each_file(
		 argc, argv, "--certificates", recover_certificates, &r, err);
	print_summary(&r);
	if (ok && r.unknown > 0)
		ok = err_set(err, ERR_MISMATCH,
		    "register the unknown issuers and run this again");
	db_free(r.db);
	buf_free(&r.chunk);
	free(r.issuers);
	return ok;
}
