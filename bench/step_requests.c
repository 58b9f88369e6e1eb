/* SPDX-License-Identifier: ISC */
/*
 * bench-step-requests: what step-ca is asked with.  Without a count it prints
 * the public half of a provisioner's key as a JWK (RFC 7517), for step-ca's
 * configuration; with one, that many bodies for its /1.0/sign, each with a key
 * and request of its own and a one-time token (RFC 7519, ES256).  The lines
 * are padded to one length.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ca/key.h"
#include "ca/sign.h"
#include "cert/csr.h"
#include "encoding/json.h"

enum { COORDINATE = 32, LINE_LEN = 900 };

/* Without padding, RFC 7515 §2. */
static void
add_base64url(struct buf *out, const uint8_t *data, size_t len)
{
	char *text = malloc(4 * (len / 3 + 1) + 1), *at;

	if (text == NULL)
		abort();
	EVP_EncodeBlock((unsigned char *)text, data, (int)len);
	text[strcspn(text, "=")] = '\0';
	for (at = text; *at != '\0'; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
	buf_add_str(out, text);
	free(text);
}

static bool
print_jwk(EVP_PKEY *key)
{
	uint8_t point[1 + 2 * COORDINATE];
	struct buf x = BUF_INIT, y = BUF_INIT, jwk = BUF_INIT;
	size_t len;

	if (EVP_PKEY_get_octet_string_param(
		key, "pub", point, sizeof(point), &len) != 1 ||
	    len != sizeof(point))
		return false;
	add_base64url(&x, point + 1, COORDINATE);
	add_base64url(&y, point + 1 + COORDINATE, COORDINATE);
	json_begin(&jwk);
	json_str(&jwk, "use", "sig");
	json_str(&jwk, "kty", "EC");
	json_str(&jwk, "kid", "bench");
	json_str(&jwk, "crv", "P-256");
	json_str(&jwk, "alg", "ES256");
	json_str(&jwk, "x", buf_str(&x));
	json_str(&jwk, "y", buf_str(&y));
	json_end(&jwk);
	puts(buf_str(&jwk));
	buf_free(&x);
	buf_free(&y);
	buf_free(&jwk);
	return true;
}

/* An ECDSA signature as JOSE has it: r and s side by side, RFC 7518 §3.4. */
static bool
add_signature(struct buf *jwt, EVP_PKEY *key)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[80], raw[2 * COORDINATE];
	const uint8_t *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig = NULL;
	bool ok;

	ok = ctx != NULL &&
	     EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestSign(ctx, der, &len, jwt->data, jwt->len) == 1 &&
	     (sig = d2i_ECDSA_SIG(NULL, &at, (long)len)) != NULL &&
	     BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, COORDINATE) > 0 &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + COORDINATE, COORDINATE) >
		 0;
	if (ok) {
		buf_add_byte(jwt, '.');
		add_base64url(jwt, raw, sizeof(raw));
	}
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool
add_token(struct buf *jwt, EVP_PKEY *key, const char *name)
{
	static const char header[] =
	    "{\"alg\":\"ES256\",\"kid\":\"bench\",\"typ\":\"JWT\"}";
	struct buf claims = BUF_INIT;
	long long now = (long long)(clock_wall_ms() / 1000);

	/* A day: the requests are made long before they are needed. */
	buf_add_fmt(&claims,
	    "{\"iss\":\"bench\",\"aud\":\"https://localhost/1.0/sign\","
	    "\"sub\":\"%s\",\"sans\":[\"%s\"],\"jti\":\"%s-%lld\","
	    "\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}",
	    name, name, name, (long long)clock_mono_us(), now, now, now + 86400);
	add_base64url(jwt, (const uint8_t *)header, sizeof(header) - 1);
	buf_add_byte(jwt, '.');
	add_base64url(jwt, claims.data, claims.len);
	buf_free(&claims);
	return add_signature(jwt, key);
}

static bool
add_csr(struct buf *pem, const char *name, struct err *err)
{
	EVP_PKEY *key = key_generate("P-256", err);
	X509_REQ *csr = NULL;
	bool ok;

	ok = key != NULL &&
	     (csr = csr_build(name, "bench", key, err)) != NULL &&
	     sign_csr(csr, key, err) && csr_encode_pem(csr, pem, err);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	return ok;
}

static bool
print_request(EVP_PKEY *key, size_t number, struct err *err)
{
	struct buf pem = BUF_INIT, jwt = BUF_INIT, body = BUF_INIT;
	char name[40];
	bool ok;

	snprintf(name, sizeof(name), "device-%09zu", number);
	ok = add_csr(&pem, name, err) && add_token(&jwt, key, name);
	if (ok) {
		json_begin(&body);
		json_str(&body, "csr", buf_str(&pem));
		json_str(&body, "ott", buf_str(&jwt));
		json_end(&body);
		printf("%-*s\n", (int)LINE_LEN, buf_str(&body));
		ok = body.len <= LINE_LEN;
	}
	buf_free(&pem);
	buf_free(&jwt);
	buf_free(&body);
	return ok;
}

int
main(int argc, char **argv)
{
	EVP_PKEY *key = NULL;
	struct err err = {0};
	size_t i, count;
	bool ok;

	if (argc != 2 && argc != 3) {
		fputs("usage: bench-step-requests KEY.pem [COUNT]\n", stderr);
		return 2;
	}
	ok = key_file_load(argv[1], NULL, &key, &err);
	if (ok && argc == 2)
		ok = print_jwk(key);
	count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	for (i = 0; ok && i < count; i++)
		ok = print_request(key, i, &err);
	if (!ok)
		fprintf(stderr, "bench-step-requests: %s\n", err.detail);
	EVP_PKEY_free(key);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
