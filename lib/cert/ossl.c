/* SPDX-License-Identifier: ISC */
/* OpenSSL's errors, PEM or DER: see ossl.h. */
#include "cert/ossl.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

bool
ossl_err(struct err *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set(err, ERR_CRYPTO, "%s: %s", what,
	    reason != NULL ? reason : "OpenSSL gives no reason");
}

uint8_t *
ossl_der_of(const uint8_t *data, size_t len, const char *label, size_t *der_len,
    struct err *err)
{
	enum { DER_SEQUENCE = 0x30 };
	uint8_t *der = NULL;
	long got = 0;
	BIO *bio;

	if (len == 0 || len > INT_MAX) {
		err_set(err, ERR_MALFORMED, "the file is empty or too long");
		return NULL;
	}
	if (data[0] == DER_SEQUENCE) {
		*der_len = len;
		return OPENSSL_memdup(data, len);
	}
	bio = BIO_new_mem_buf(data, (int)len);
	if (bio == NULL ||
	    PEM_bytes_read_bio(&der, &got, NULL, label, bio, NULL, NULL) != 1) {
		ERR_clear_error();
		err_set(
		    err, ERR_MALFORMED, "there is no PEM block \"%s\"", label);
		der = NULL;
	}
	BIO_free(bio);
	*der_len = (size_t)got;
	return der;
}
