/* SPDX-License-Identifier: ISC */
/*
 * pappus-ca revoke-ca: the root takes a sub-CA back.  It notes which one, when
 * and why; the list that says so is the next one that pappus-ca crl signs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/cert.h"
#include "cert/crl.h"
#include "tools/ca_tool.h"

/* A CA is never on hold: nothing could tell what it signed meanwhile. */
static bool
parse_reason(const char *text, enum crl_reason *reason, struct err *err)
{
	if (!crl_reason_parse(text, reason))
		return err_set(err, ERR_MALFORMED,
		    "--reason is \"%.40s\", but must be keyCompromise, "
		    "cACompromise, affiliationChanged, superseded, "
		    "cessationOfOperation or unspecified",
		    text);
	return *reason != CRL_HOLD ||
	       err_set(err, ERR_REFUSED,
		   "--reason is certificateHold, but a CA is revoked for good");
}

/* The certificate is the root's work, and not the root itself. */
static bool
check_cert(X509 *cert, X509 *root, const char *path, struct err *err)
{
	struct err why = {.code = ERR_NONE};

	if (X509_cmp(cert, root) == 0 || X509_self_signed(cert, 0) == 1)
		return err_set(err, ERR_REFUSED,
		    "%s is a root: a root can't revoke itself, only be taken "
		    "out of every trust store",
		    path);
	return cert_check_issued(cert, root, &why) ||
	       err_set(err, why.code, "%s: %s", path, why.detail);
}

/* DIR/revoked/SERIAL, as pappus-ca crl reads it. */
static bool
make_file(const struct ca_args *args, struct ca_ceremony *c, X509 *cert,
    const char *revoked, struct err *err)
{
	const char *reason = args->value[CA_OPT_REASON];
	char hex[SERIAL_HEX_LEN + 1];
	uint8_t serial[SERIAL_LEN];
	struct buf text = BUF_INIT;
	char *path;
	bool ok;

	if (!cert_serial(cert, serial, err))
		return false;
	serial_hex(serial, hex);
	path = ca_path(revoked, hex);
	ok = ca_file_absent(path, NULL) ||
	     err_set(err, ERR_DUPLICATE, "it is revoked already: %s", path);
	free(path);
	if (!ok)
		return false;
	buf_add_str(&text, "revoked-at=");
	ca_describe_time(&text, c->now);
	buf_add_fmt(&text, "\nreason=%s\n", reason);
	ca_ceremony_output(c, revoked, hex, &text);
	buf_add_fmt(&c->text, "  The root revoked a CA, for the reason %s.\n\n",
	    reason);
	ca_describe_cert(&c->text, cert);
	return true;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	const char *path = args->value[CA_OPT_CERT];
	char *revoked = ca_path(dir, "revoked");
	struct ca_folder root = {.cert = NULL};
	enum crl_reason reason;
	struct ca_ceremony c;
	X509 *cert = NULL;
	bool ok = false;

	ca_ceremony_begin(&c, "revoke-ca");
	if (!parse_reason(args->value[CA_OPT_REASON], &reason, err) ||
	    !ca_folder_read(&root, dir, "root", PURPOSE_ROOT, err))
		goto out;
	cert = ca_cert_read(path, err);
	ok = cert != NULL && check_cert(cert, root.cert, path, err) &&
	     ca_folder_make(revoked, err) &&
	     make_file(args, &c, cert, revoked, err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Sign the root's next list now (pappus-ca crl), give it to "
		 "the database\n"
		 "  (pappus issuer crl) and see that it is published: until "
		 "then nobody\n"
		 "  knows.\n",
		 err);
out:
	X509_free(cert);
	ca_folder_close(&root);
	ca_ceremony_end(&c);
	free(revoked);
	return ok;
}

const struct ca_command ca_cmd_revoke_ca = {
    .name = "revoke-ca",
    .summary = "Revoke a sub-CA: the root's next list names it",
    .details = "Writes DIR/revoked/SERIAL. There is no way back. The reasons "
	       "are\n"
	       "keyCompromise, cACompromise, affiliationChanged, superseded,\n"
	       "cessationOfOperation and unspecified.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_CERT) | CA_BIT(CA_OPT_REASON),
    .run = run,
};
