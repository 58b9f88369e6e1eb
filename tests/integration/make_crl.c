/* SPDX-License-Identifier: ISC */
/*
 * A sub-CA's revocation list with whatever a test wants to stand in it, as
 * pappus-crld signs it, or wrong in one way: for tests of those who read it.
 *
 *	make_crl CA NUMBER OUT <LINES
 *
 * CA is a sub-CA's folder as pappus-ca install leaves it, its key without
 * passphrase; OUT is written in DER, or in PEM when it ends in .pem.  Of the
 * lines, in any order:
 *
 *	SERIAL REASON SECONDS	an entry: hexadecimal, RFC 5280 §5.3.1, unix
 *	generate N		N more, the same each time
 *	this SECONDS		thisUpdate (a minute ago)
 *	next SECONDS		nextUpdate (in seven days)
 *	url URL			of the IDP (the CA's)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ca/key.h"
#include "ca/sign.h"
#include "cert/urls.h"
#include "encoding/hex.h"
#include "encoding/pem_writer.h"

enum { DAY_S = 24 * 60 * 60 };

static void
must(bool ok, const struct err *err)
{
	if (!ok) {
		fprintf(stderr, "make_crl: %s\n", err->detail);
		exit(EXIT_FAILURE);
	}
}

/* A file of the folder, as a string. */
static void
slurp(const char *dir, const char *name, struct buf *out)
{
	enum { FILE_MAX = 64 * 1024 };
	struct err err = {.code = ERR_NONE};
	char path[1024];
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	in = fopen(path, "re");
	must(in != NULL || err_set_errno(&err, "%s", path), &err);
	out->len = fread(buf_extend(out, FILE_MAX), 1, FILE_MAX, in);
	buf_str(out);
	fclose(in);
}

static X509 *
read_cert(const char *dir)
{
	struct err err = {.code = ERR_NONE};
	struct buf pem = BUF_INIT;
	X509 *cert;

	slurp(dir, "ca.crt", &pem);
	cert = cert_decode(pem.data, pem.len, &err);
	must(cert != NULL, &err);
	buf_free(&pem);
	return cert;
}

static EVP_PKEY *
read_key(const char *dir)
{
	struct err err = {.code = ERR_NONE};
	EVP_PKEY *key = NULL;
	char path[1024];

	snprintf(path, sizeof(path), "%s/ca.key", dir);
	must(key_file_load(path, NULL, &key, &err), &err);
	return key;
}

static void
append(struct crl_list *list, const uint8_t *serial, size_t len, int reason,
    int64_t revoked_at)
{
	struct crl_item item = {.revoked_at = revoked_at,
	    .not_after = CRL_NEVER,
	    .reason = (enum crl_reason)reason};
	struct err err = {.code = ERR_NONE};

	must(crl_serial_set(item.serial, serial, len, &err) &&
		 crl_list_append(list, &item, &err),
	    &err);
}

/* In the form of ours: six octets of time, ten that look random. */
static void
generate(struct crl_list *list, uint64_t n, int64_t revoked_at)
{
	uint8_t serial[16] = {0x01, 0x90};
	uint64_t i, random;
	size_t octet;

	for (i = 1; i <= n; i++) {
		random = i * UINT64_C(0x9e3779b97f4a7c15);
		for (octet = 0; octet < 4; octet++)
			serial[2 + octet] = (uint8_t)(i >> 8 * (3 - octet));
		memcpy(serial + 8, &random, sizeof(random));
		append(list, serial, sizeof(serial), i % 2 == 0 ? 4 : 0,
		    revoked_at);
	}
}

static bool
read_line(const char *line, struct crl_list *list, struct crl_spec *spec,
    char url[1024])
{
	uint8_t serial[CRL_SERIAL_MAX];
	char hex[48], verb[16];
	int64_t seconds;
	uint64_t n;
	int reason;
	size_t len;

	if (sscanf(line, "generate %" SCNu64, &n) == 1) {
		generate(list, n, spec->this_update);
		return true;
	}
	if (sscanf(line, "url %1023s", url) == 1) {
		spec->url = url;
		return true;
	}
	if (sscanf(line, "%15[a-z] %" SCNd64, verb, &seconds) == 2) {
		if (strcmp(verb, "this") == 0)
			spec->this_update = seconds;
		else if (strcmp(verb, "next") == 0)
			spec->next_update = seconds;
		else
			return false;
		return true;
	}
	if (sscanf(line, "%47s %d %" SCNd64, hex, &reason, &seconds) != 3)
		return false;
	len = strlen(hex) / 2;
	if (len > sizeof(serial) || !hex_decode(hex, strlen(hex), serial, len))
		return false;
	append(list, serial, len, reason, seconds);
	return true;
}

static bool
to_file(void *ctx, const void *data, size_t len, struct err *err)
{
	return fwrite(data, 1, len, ctx) == len ||
	       err_set_errno(err, "the list");
}

static void
write_list(struct crl_draft *draft, EVP_PKEY *key, const char *path)
{
	static struct pem_writer pem;
	size_t len = strlen(path);
	bool as_pem = len > 4 && strcmp(path + len - 4, ".pem") == 0;
	struct err err = {.code = ERR_NONE};
	struct crl_signature signature;
	struct crl_written written;
	FILE *out = fopen(path, "we");

	must(out != NULL || err_set_errno(&err, "%s", path), &err);
	must(sign_crl_draft(draft, key, &signature, &err), &err);
	pem_writer_begin(&pem, "X509 CRL", to_file, out);
	must(crl_draft_write(draft, &signature,
		 as_pem ? pem_writer_add : to_file,
		 as_pem ? (void *)&pem : (void *)out, &written, &err),
	    &err);
	must(!as_pem || pem_writer_end(&pem, &err), &err);
	must(fclose(out) == 0 || err_set_errno(&err, "%s", path), &err);
}

int
main(int argc, char **argv)
{
	struct crl_list *list = crl_list_new();
	int64_t now = clock_wall_ms() / 1000;
	struct crl_spec spec = {.this_update = now - CRL_BACKDATE_S,
	    .next_update = now + 7 * DAY_S};
	struct err err = {.code = ERR_NONE};
	struct buf text = BUF_INIT;
	char line[2048], url[1024];
	struct crl_draft *draft;
	struct urls urls;
	EVP_PKEY *key;

	if (argc != 4) {
		fputs("usage: make_crl CA NUMBER OUT <LINES\n", stderr);
		return 2;
	}
	spec.issuer = read_cert(argv[1]);
	spec.number = strtoull(argv[2], NULL, 10);
	key = read_key(argv[1]);
	slurp(argv[1], "ca.urls", &text);
	must(urls_parse(buf_str(&text), text.len, &urls, &err), &err);
	spec.url = urls.crl_url;
	while (fgets(line, sizeof(line), stdin) != NULL)
		if (!read_line(line, list, &spec, url)) {
			fprintf(stderr, "make_crl: what is \"%s\"?\n", line);
			return EXIT_FAILURE;
		}
	must(crl_list_sort(list, &err), &err);
	draft = crl_draft_new(&spec, list, &err);
	must(draft != NULL, &err);
	write_list(draft, key, argv[3]);
	crl_draft_free(draft);
	crl_list_free(list);
	EVP_PKEY_free(key);
	X509_free(spec.issuer);
	buf_free(&text);
	return 0;
}
