/* SPDX-License-Identifier: ISC */
/* pappus-ca show: what is in these files? */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "ca/key.h"
#include "cert/cert.h"
#include "cert/crl.h"
#include "cert/csr.h"
#include "tools/ca_tool.h"

/* Append what a DER object is; false when it is none of that kind. */
typedef bool show_fn(struct buf *out, const uint8_t *der, size_t len);

static bool
show_cert(struct buf *out, const uint8_t *der, size_t len)
{
	X509 *cert = cert_decode(der, len, NULL);

	if (cert == NULL)
		return false;
	ca_describe_cert(out, cert);
	ca_describe_extensions(out, X509_get0_extensions(cert));
	X509_free(cert);
	return true;
}

static bool
show_csr(struct buf *out, const uint8_t *der, size_t len)
{
	X509_REQ *csr = csr_decode(der, len, NULL);

	if (csr == NULL)
		return false;
	ca_describe_csr(out, csr);
	X509_REQ_free(csr);
	return true;
}

static bool
show_crl(struct buf *out, const uint8_t *der, size_t len)
{
	X509_CRL *crl = crl_decode(der, len, NULL);

	if (crl == NULL)
		return false;
	ca_describe_crl(out, crl);
	ca_describe_extensions(out, X509_CRL_get0_extensions(crl));
	X509_CRL_free(crl);
	return true;
}

static show_fn *const kinds[] = {show_cert, show_csr, show_crl};

static bool
show_der(struct buf *out, const uint8_t *der, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i](out, der, len))
			return true;
	return false;
}

/* Every block of a PEM file; false when there is none, or one is broken. */
static bool
show_pem(struct buf *out, const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->len);
	char *label = NULL, *header = NULL;
	unsigned char *der = NULL;
	long len = 0;
	bool any = false, ok = true;

	while (ok && bio != NULL &&
	       PEM_read_bio(bio, &label, &header, &der, &len) == 1) {
		ok = show_der(out, der, (size_t)len);
		any = true;
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	ERR_clear_error();
	return any && ok;
}

/* Of a key only its public part, read under the rules of any key file. */
static bool
show_key(struct buf *out, const struct ca_args *args, const char *path,
    struct err *err)
{
	EVP_PKEY *key = ca_key_open(args, path, err);

	if (key == NULL)
		return false;
	ca_describe_key(out, key);
	EVP_PKEY_free(key);
	return true;
}

static bool
show_file(const struct ca_args *args, const char *path, struct err *err)
{
	enum { DER_SEQUENCE = 0x30 };
	struct buf data = BUF_INIT, out = BUF_INIT;
	bool ok = ca_file_read(path, &data, err);

	if (!ok)
		goto out;
	if (strstr(buf_str(&data), "PRIVATE KEY-----") != NULL)
		ok = show_key(&out, args, path, err);
	else if (data.len > 0 && data.data[0] == DER_SEQUENCE)
		ok = show_der(&out, data.data, data.len);
	else
		ok = data.len > 0 && show_pem(&out, &data);
	if (ok)
		printf("%s: %s\n", path, buf_str(&out));
	else
		err_set(err, ERR_MALFORMED,
		    "%s: no certificate, request, CRL or key, or a broken one",
		    path);
out:
	buf_free(&data);
	buf_free(&out);
	return ok;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	int i;

	for (i = 0; i < args->file_count; i++)
		if (!show_file(args, args->files[i], err))
			return false;
	return fflush(stdout) == 0 || err_set_errno(err, "stdout");
}

const struct ca_command ca_cmd_show = {
    .name = "show",
    .summary = "Show certificates, requests, CRLs and keys, in words",
    .details = "Of a key, only the public part is shown.\n",
    .takes = CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .files = true,
    .run = run,
};
