/* SPDX-License-Identifier: ISC */
/* Certificate requests: see csr.h. */
#include "cert/csr.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include "cert/cert.h"
#include "cert/ossl.h"
#include "encoding/pem.h"
#include "encoding/utf8.h"

X509_REQ *
csr_build(const char *common_name, const char *organization, EVP_PKEY *key,
    struct err *err)
{
	X509_NAME *name = cert_name_new(common_name, organization, err);
	X509_REQ *csr = NULL;

	if (name == NULL)
		return NULL;
	csr = X509_REQ_new();
	if (csr == NULL || X509_REQ_set_version(csr, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_subject_name(csr, name) != 1 ||
	    X509_REQ_set_pubkey(csr, key) != 1) {
		ossl_err(err, "request");
		X509_REQ_free(csr);
		csr = NULL;
	}
	X509_NAME_free(name);
	return csr;
}

X509_REQ *
csr_decode(const uint8_t *data, size_t len, struct err *err)
{
	size_t der_len = 0;
	uint8_t *der =
	    ossl_der_of(data, len, PEM_STRING_X509_REQ, &der_len, err);
	const uint8_t *p = der;
	X509_REQ *csr;
	EVP_PKEY *key;

	if (der == NULL)
		return NULL;
	csr = d2i_X509_REQ(NULL, &p, (long)der_len);
	key = csr == NULL ? NULL : X509_REQ_get0_pubkey(csr);
	if (csr == NULL || p != der + der_len || key == NULL)
		err_set(err, ERR_MALFORMED, "not a certificate request");
	else if (X509_REQ_verify(csr, key) != 1)
		err_set(err, ERR_MISMATCH,
		    "the request's signature is wrong: it was changed, or "
		    "whoever made it does not have the key");
	else
		key = NULL;
	OPENSSL_free(der);
	ERR_clear_error();
	if (csr != NULL && key == NULL)
		return csr;
	X509_REQ_free(csr);
	return NULL;
}

/* Take one attribute of the subject, which must be there once. */
static bool
take(const X509_NAME *name, int nid, struct buf *out, struct err *err)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *text = NULL;
	size_t chars = 0;
	int len = -1;
	bool ok;

	if (at >= 0)
		len = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	ok = len > 0 && utf8_valid_text(text, (size_t)len, &chars) &&
	     chars <= CERT_NAME_MAX;
	if (ok) {
		buf_add(out, text, (size_t)len);
		buf_add_byte(out, '\0');
	}
	OPENSSL_free(text);
	ERR_clear_error();
	return ok ||
	       err_set(err, ERR_MALFORMED,
		   "the request's subject has no %s of 1 to %d characters",
		   OBJ_nid2sn(nid), CERT_NAME_MAX);
}

bool
csr_subject(X509_REQ *csr, struct buf *common_name, struct buf *organization,
    struct err *err)
{
	const X509_NAME *name = X509_REQ_get_subject_name(csr);

	if (X509_NAME_entry_count(name) != 2)
		return err_set(err, ERR_MALFORMED,
		    "the request's subject must be one O and one CN");
	return take(name, NID_commonName, common_name, err) &&
	       take(name, NID_organizationName, organization, err);
}

bool
csr_encode_pem(X509_REQ *csr, struct buf *out, struct err *err)
{
	uint8_t *der = NULL;
	int len = i2d_X509_REQ(csr, &der);

	if (len <= 0)
		return ossl_err(err, "request");
	pem_encode(out, PEM_STRING_X509_REQ, der, (size_t)len);
	OPENSSL_free(der);
	return true;
}
