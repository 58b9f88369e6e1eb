/* SPDX-License-Identifier: ISC */
/*
 * Lists of revoked certificates as pappus-crld writes them, but without a
 * database: for tests that look at what comes out.
 *
 *	write_crl CERT KEY URL NUMBER THIS NEXT OUT <ENTRIES
 *
 * CERT and KEY (without passphrase) are the CA's files, the times unix
 * seconds.  For lines "SERIAL TIME REASON", the serial in hexadecimal digits,
 * the reason a number, it writes OUT.der and OUT.pem, and prints the SHA-256
 * of the former.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca/key.h"
#include "ca/sign.h"
#include "cert/crl_write.h"
#include "encoding/hex.h"
#include "encoding/pem_writer.h"

static void
must(bool ok, const struct err *err)
{
	if (!ok) {
		fprintf(stderr, "write_crl: %s\n", err->detail);
		exit(EXIT_FAILURE);
	}
}

static FILE *
open_file(const char *base, const char *ending, const char *mode)
{
	struct err err = {.code = ERR_NONE};
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", base, ending);
	file = fopen(path, mode);
	must(file != NULL || err_set_errno(&err, "%s", path), &err);
	return file;
}

static X509 *
read_cert(const char *path)
{
	enum { FILE_MAX = 64 * 1024 };
	struct err err = {.code = ERR_NONE};
	struct buf pem = BUF_INIT;
	FILE *in = open_file(path, "", "re");
	X509 *cert;

	pem.len = fread(buf_extend(&pem, FILE_MAX), 1, FILE_MAX, in);
	cert = cert_decode(pem.data, pem.len, &err);
	must(cert != NULL, &err);
	fclose(in);
	buf_free(&pem);
	return cert;
}

static struct crl_list *
read_entries(void)
{
	struct crl_list *list = crl_list_new();
	struct crl_item item = {.not_after = CRL_NEVER};
	struct err err = {.code = ERR_NONE};
	uint8_t serial[CRL_SERIAL_MAX];
	char hex[HEX_LEN(CRL_SERIAL_MAX) + 1];
	int reason;
	size_t len;

	while (
	    scanf("%40s %" SCNd64 " %d", hex, &item.revoked_at, &reason) == 3) {
		item.reason = (enum crl_reason)reason;
		len = strlen(hex) / 2;
		must(hex_decode(hex, strlen(hex), serial, len) ||
			 err_set(&err, ERR_MALFORMED, "%s", hex),
		    &err);
		must(crl_serial_set(item.serial, serial, len, &err) &&
			 crl_list_append(list, &item, &err),
		    &err);
	}
	must(crl_list_sort(list, &err), &err);
	return list;
}

/* Both files at once. */
struct out {
	FILE *der;
	FILE *pem_file;
	struct pem_writer pem;
};

static bool
to_file(void *ctx, const void *data, size_t len, struct err *err)
{
	return fwrite(data, 1, len, ctx) == len || err_set_errno(err, "write");
}

static bool
to_both(void *ctx, const void *data, size_t len, struct err *err)
{
	struct out *out = ctx;

	return to_file(out->der, data, len, err) &&
	       pem_writer_add(&out->pem, data, len, err);
}

static void
write_list(struct crl_draft *draft, EVP_PKEY *key, const char *base)
{
	static struct out out;
	struct err err = {.code = ERR_NONE};
	struct crl_signature signature;
	struct crl_written written;
	char hex[HEX_LEN(CERT_DIGEST_LEN) + 1];

	out.der = open_file(base, ".der", "we");
	out.pem_file = open_file(base, ".pem", "we");
	pem_writer_begin(&out.pem, "X509 CRL", to_file, out.pem_file);
	must(sign_crl_draft(draft, key, &signature, &err) &&
		 crl_draft_write(
		     draft, &signature, to_both, &out, &written, &err) &&
		 pem_writer_end(&out.pem, &err),
	    &err);
	must(fclose(out.der) == 0 && fclose(out.pem_file) == 0, &err);
	hex_encode(written.sha256, CERT_DIGEST_LEN, hex);
	puts(hex);
}

int
main(int argc, char **argv)
{
	struct err err = {.code = ERR_NONE};
	struct crl_spec spec = {.entry_count = 0};
	struct crl_draft *draft;
	struct crl_list *list;
	EVP_PKEY *key = NULL;

	if (argc != 8) {
		fputs("usage: write_crl CERT KEY URL NUMBER THIS NEXT OUT "
		      "<ENTRIES\n",
		    stderr);
		return 2;
	}
	spec.issuer = read_cert(argv[1]);
	must(key_file_load(argv[2], NULL, &key, &err), &err);
	spec.url = argv[3];
	spec.number = strtoull(argv[4], NULL, 10);
	spec.this_update = strtoll(argv[5], NULL, 10);
	spec.next_update = strtoll(argv[6], NULL, 10);
	list = read_entries();
	draft = crl_draft_new(&spec, list, &err);
	must(draft != NULL, &err);
	write_list(draft, key, argv[7]);
	crl_draft_free(draft);
	crl_list_free(list);
	X509_free(spec.issuer);
	EVP_PKEY_free(key);
	return 0;
}
