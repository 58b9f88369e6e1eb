/* SPDX-License-Identifier: ISC */
/* pappus-ca crl: the list of the sub-CAs that the root revoked. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "ca/sign.h"
#include "cert/crl.h"
#include "encoding/hex.h"
#include "tools/ca_tool.h"

enum { REVOKED_MAX = 1024 };

struct entries {
	struct crl_entry list[REVOKED_MAX];
	size_t count;
};

/* "revoked-at=2026-11-23T16:07:00Z\nreason=keyCompromise\n" */
static bool
parse_entry(char *text, struct crl_entry *entry)
{
	static const char format[] = "revoked-at=%Y-%m-%dT%H:%M:%SZ\nreason=";
	struct tm tm = {.tm_sec = 0};
	char *reason = strptime(text, format, &tm);

	if (reason == NULL)
		return false;
	reason[strcspn(reason, "\n")] = '\0';
	entry->revoked_at = (int64_t)timegm(&tm);
	return crl_reason_parse(reason, &entry->reason);
}

static bool
add_entry(
    struct entries *entries, const char *dir, const char *name, struct err *err)
{
	struct crl_entry *entry = &entries->list[entries->count];
	struct buf text = BUF_INIT;
	char *path = ca_path(dir, name);
	bool ok = false;

	if (entries->count == REVOKED_MAX)
		err_set(
		    err, ERR_TOO_LONG, "%s: over %d files", dir, REVOKED_MAX);
	else if (ca_file_read(path, &text, err)) {
		buf_add_byte(&text, '\0');
		ok =
		    hex_decode(name, strlen(name), entry->serial, SERIAL_LEN) &&
		    serial_is_valid(entry->serial) &&
		    parse_entry((char *)text.data, entry);
		if (!ok)
			err_set(err, ERR_MALFORMED,
			    "%s: must be named by a serial and hold revoked-at "
			    "and reason",
			    path);
	}
	if (ok)
		entries->count++;
	buf_free(&text);
	free(path);
	return ok;
}

/* DIR/revoked holds a file for each revoked sub-CA; most roots have none. */
static bool
read_revoked(const char *root, struct entries *entries, struct err *err)
{
	char *dir = ca_path(root, "revoked");
	DIR *folder = opendir(dir);
	struct dirent *file;
	bool ok = true;

	entries->count = 0;
	if (folder == NULL && errno != ENOENT)
		ok = err_set_errno(err, "%s", dir);
	while (ok && folder != NULL && (file = readdir(folder)) != NULL)
		if (file->d_name[0] != '.')
			ok = add_entry(entries, dir, file->d_name, err);
	if (folder != NULL)
		closedir(folder);
	free(dir);
	return ok;
}

/* One more than the highest NUMBER.crl of the folder (RFC 5280 §5.2.3). */
static bool
next_number(const char *dir, uint64_t *number, struct err *err)
{
	DIR *folder = opendir(dir);
	struct dirent *file;
	uint64_t n;
	int end;

	*number = 1;
	if (folder == NULL)
		return err_set_errno(err, "%s", dir);
	while ((file = readdir(folder)) != NULL) {
		end = 0;
		if (isdigit((unsigned char)file->d_name[0]) &&
		    sscanf(file->d_name, "%18" SCNu64 ".crl%n", &n, &end) ==
			1 &&
		    end > 0 && file->d_name[end] == '\0' && n >= *number)
			*number = n + 1;
	}
	closedir(folder);
	return true;
}

static X509_CRL *
make_crl(const struct ca_folder *root, const struct ca_ceremony *c,
    const struct entries *entries, uint64_t number, struct err *err)
{
	enum { YEAR = 1 };
	static const struct profile year = {.years = YEAR};
	struct crl_spec spec = {.issuer = root->cert,
	    .number = number,
	    .url = root->urls.crl_url,
	    .entries = entries->list,
	    .entry_count = entries->count};
	X509_CRL *crl;

	profile_validity(&year, c->now, &spec.this_update, &spec.next_update);
	spec.this_update = c->now - CRL_BACKDATE_S;
	crl = crl_build(&spec, err);
	if (crl != NULL && !sign_crl(crl, root->cert, root->key, err)) {
		X509_CRL_free(crl);
		crl = NULL;
	}
	return crl;
}

/*
 * What leaves this folder is checked as its readers will check it: decoded
 * again (only then OpenSSL looks at the extensions) and verified.
 */
static bool
check(const struct buf *der, X509 *issuer, uint64_t number, struct err *err)
{
	X509_CRL *crl = crl_decode(der->data, der->len, err);
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	uint64_t got = 0;
	bool ok = crl != NULL && key != NULL &&
		  X509_CRL_verify(crl, key) == 1 &&
		  crl_number(crl, &got, err) && got == number;

	X509_CRL_free(crl);
	ERR_clear_error();
	return ok || err_set(err, ERR_CRYPTO,
			 "the list that was made does not verify");
}

static bool
make_files(const struct ca_args *args, struct ca_ceremony *c, X509_CRL *crl,
    const struct ca_folder *root, uint64_t number, struct err *err)
{
	const char *out = args->value[CA_OPT_OUT];
	const char *dot = strrchr(out, '.');
	struct buf der = BUF_INIT, data = BUF_INIT;
	char name[48];
	bool ok = false;

	if (!crl_encode_der(crl, &der, err) ||
	    !check(&der, root->cert, number, err))
		goto out;
	if (dot == NULL || strcmp(dot, ".pem") != 0)
		buf_add(&data, der.data, der.len);
	else if (!crl_encode_pem(crl, &data, err))
		goto out;
	ca_ceremony_output(c, NULL, out, &data);
	snprintf(name, sizeof(name), "crl/%" PRIu64 ".crl", number);
	ca_ceremony_output(c, args->value[CA_OPT_DIR], name, &der);
	buf_add_str(&c->text, "  The root signed its revocation list.\n\n");
	ca_describe_crl(&c->text, crl);
	ok = true;
out:
	buf_free(&der);
	buf_free(&data);
	return ok;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	static struct entries entries;
	const char *dir = args->value[CA_OPT_DIR];
	char *lists = ca_path(dir, "crl");
	struct ca_folder root = {.cert = NULL};
	struct ca_ceremony c;
	X509_CRL *crl = NULL;
	uint64_t number;
	bool ok = false;

	ca_ceremony_begin(&c, "crl");
	if (!ca_file_absent(args->value[CA_OPT_OUT], err) ||
	    !ca_folder_open(&root, dir, "root", PURPOSE_ROOT, args, err) ||
	    !ca_folder_make(lists, err) || !next_number(lists, &number, err) ||
	    !read_revoked(dir, &entries, err))
		goto out;
	crl = make_crl(&root, &c, &entries, number, err);
	ok = crl != NULL && make_files(args, &c, crl, &root, number, err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Publish the list under the root's crl-url, and make the "
		 "next one\n"
		 "  within ten months: after twelve this one refuses every "
		 "device.\n",
		 err);
out:
	X509_CRL_free(crl);
	ca_folder_close(&root);
	ca_ceremony_end(&c);
	free(lists);
	return ok;
}

const struct ca_command ca_cmd_crl = {
    .name = "crl",
    .summary = "Sign the root's revocation list, good for 12 months",
    .details = "Writes the list to --out, as DER or, if that ends in .pem, as "
	       "PEM, and\n"
	       "as DER to DIR/crl/NUMBER.crl.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_OUT),
    .takes = CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
