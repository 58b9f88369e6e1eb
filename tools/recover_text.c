/* SPDX-License-Identifier: ISC */
/*
 * What people and devices kept, for pappus recover: bundles of certificates,
 * lists of denials (recover_read.h).
 */
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "encoding/hex.h"
#include "encoding/json.h"
#include "tools/recover.h"
#include "tools/recover_certificate.h"
#include "tools/recover_read.h"

/* ----------------------------------------------------------- certificates */

/* Say it once of each issuer that is not registered. */
static void
complain(struct recovery *r, const char *ski, const struct source *source,
    size_t line)
{
	if (r->strangers.len > 0 && strstr(buf_str(&r->strangers), ski) != NULL)
		return;
	buf_add_str(&r->strangers, ski);
	fprintf(stderr,
	    "pappus: %s:%zu: the issuer %s is not registered; its "
	    "certificates are left out\n",
	    source->path, line, ski);
}

static bool
add_certificate(struct recovery *r, const struct source *source, size_t line,
    X509 *cert, struct err *err)
{
	const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(cert);
	char ski[HEX_LEN(CERT_KEY_ID_LEN) + 1];
	struct err cause = {0};

	if ((X509_get_extension_flags(cert) & EXFLAG_CA) != 0) {
		r->cas++;
		return true;
	}
	if (aki == NULL || aki->length != CERT_KEY_ID_LEN)
		return err_set(err, ERR_MISMATCH, "%s:%zu: it names no issuer",
		    source->path, line);
	hex_encode(aki->data, CERT_KEY_ID_LEN, ski);
	if (registered_find(&r->registered, aki->data, CERT_KEY_ID_LEN) ==
	    NULL) {
		complain(r, ski, source, line);
		r->unknown++;
		return true;
	}
	recover_item(r, line);
	if (!recover_members(&r->chunk, cert, ski, &cause))
		return err_set(err, cause.code, "%s:%zu: %s", source->path,
		    line, cause.detail);
	return recover_send_full(
	    r, source->path, source->line, STATEMENT_RECOVER_CERTIFICATES, err);
}

bool
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
	     recover_send(
		 r, path, source.line, STATEMENT_RECOVER_CERTIFICATES, err);
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
	recover_item(r, line);
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

bool
recover_denials(struct recovery *r, const char *path, struct err *err)
{
	struct source source;
	struct denial denial;
	bool ok = source_open(&source, path, err);

	while (ok && source_denial(&source, &denial, err)) {
		add_denial(r, &denial, source.line);
		ok = recover_send_full(
		    r, path, source.line, STATEMENT_RECOVER_DENIALS, err);
	}
	ok = ok && err->code == ERR_NONE &&
	     recover_send(r, path, source.line, STATEMENT_RECOVER_DENIALS, err);
	source_close(&source);
	return ok;
}
