/* SPDX-License-Identifier: ISC */
/* Certificates that exist: decoding, encoding, checking.  See cert.h. */
#include "cert/cert.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "cert/ossl.h"
#include "encoding/pem.h"

X509 *
cert_decode(const uint8_t *data, size_t len, struct err *err)
{
	size_t der_len = 0;
	uint8_t *der = ossl_der_of(data, len, PEM_STRING_X509, &der_len, err);
	const uint8_t *p = der;
	X509 *cert;

	if (der == NULL)
		return NULL;
	cert = d2i_X509(NULL, &p, (long)der_len);
	if (cert == NULL || p != der + der_len) {
		ERR_clear_error();
		err_set(err, ERR_MALFORMED, "not a certificate");
		X509_free(cert);
		cert = NULL;
	}
	OPENSSL_free(der);
	return cert;
}

bool
cert_encode_der(X509 *cert, struct buf *out, struct err *err)
{
	int len = i2d_X509(cert, NULL);
	uint8_t *p;

	if (len <= 0)
		return ossl_err(err, "certificate");
	p = buf_extend(out, (size_t)len);
	i2d_X509(cert, &p);
	return true;
}

bool
cert_encode_pem(X509 *cert, struct buf *out, struct err *err)
{
	struct buf der = BUF_INIT;
	bool ok = cert_encode_der(cert, &der, err);

	if (ok)
		pem_encode(out, PEM_STRING_X509, der.data, der.len);
	buf_free(&der);
	return ok;
}

bool
cert_check_issued(X509 *cert, X509 *issuer, struct err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	int rc = X509_check_issued(issuer, cert);

	if (rc != X509_V_OK)
		return err_set(err, ERR_MISMATCH, "not issued by that CA: %s",
		    X509_verify_cert_error_string(rc));
	if (key == NULL || X509_verify(cert, key) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_MISMATCH,
		    "not issued by that CA: the signature is wrong");
	}
	return true;
}

bool
cert_serial(X509 *cert, uint8_t out[SERIAL_LEN], struct err *err)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);

	/* An ASN1_INTEGER holds the magnitude; its type holds the sign. */
	if (ASN1_STRING_type(serial) != V_ASN1_INTEGER ||
	    ASN1_STRING_length(serial) != SERIAL_LEN ||
	    !serial_is_valid(ASN1_STRING_get0_data(serial)))
		return err_set(err, ERR_MISMATCH,
		    "the serial is not one of %d octets as Pappus makes them",
		    SERIAL_LEN);
	memcpy(out, ASN1_STRING_get0_data(serial), SERIAL_LEN);
	return true;
}

bool
cert_ski(X509 *cert, uint8_t out[CERT_KEY_ID_LEN], struct err *err)
{
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(cert);

	if (ski == NULL || ASN1_STRING_length(ski) != CERT_KEY_ID_LEN)
		return err_set(err, ERR_MISMATCH,
		    "there is no subjectKeyIdentifier of %d octets",
		    CERT_KEY_ID_LEN);
	memcpy(out, ASN1_STRING_get0_data(ski), CERT_KEY_ID_LEN);
	return true;
}

bool
cert_fingerprint(X509 *cert, uint8_t out[CERT_DIGEST_LEN], struct err *err)
{
	unsigned int len = CERT_DIGEST_LEN;

	if (X509_digest(cert, EVP_sha256(), out, &len) != 1)
		return ossl_err(err, "fingerprint");
	return true;
}

bool
cert_spki_sha256(EVP_PKEY *key, uint8_t out[CERT_DIGEST_LEN], struct err *err)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	bool ok = len > 0 && EVP_Digest(der, (size_t)len, out, NULL,
				 EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return ok || ossl_err(err, "SubjectPublicKeyInfo");
}
