/* SPDX-License-Identifier: ISC */
/*
 * What mbedTLS says of certificates, lists and keys; it has no command for
 * that.  The time is the system's (tests run this under faketime).
 *
 *	mbedtls client|server ROOT CHAIN LEAF [HOST]
 *	mbedtls crl ROOT CRL SUBCA
 *	mbedtls key CERTIFICATE KEY
 *
 * Prints what is wrong and ends with 1, or 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

static void
must(int rc, const char *what)
{
	char text[128];

	if (rc == 0)
		return;
	mbedtls_strerror(rc, text, sizeof(text));
	printf("%s: %s\n", what, text);
	exit(EXIT_FAILURE);
}

static mbedtls_x509_crt *
load(const char *path)
{
	mbedtls_x509_crt *cert = calloc(1, sizeof(*cert));

	if (cert == NULL)
		abort();
	mbedtls_x509_crt_init(cert);
	must(mbedtls_x509_crt_parse_file(cert, path), path);
	return cert;
}

static void
verify(mbedtls_x509_crt *leaf, const char *root, mbedtls_x509_crl *crl,
    const char *host)
{
	char why[1024];
	uint32_t flags = 0;

	if (mbedtls_x509_crt_verify(
		leaf, load(root), crl, host, &flags, NULL, NULL) == 0)
		exit(EXIT_SUCCESS);
	mbedtls_x509_crt_verify_info(why, sizeof(why), "", flags);
	fputs(why, stdout);
	exit(EXIT_FAILURE);
}

static void
check_leaf(const char *purpose, char **path, const char *host)
{
	static const char client[] = MBEDTLS_OID_CLIENT_AUTH;
	static const char server[] = MBEDTLS_OID_SERVER_AUTH;
	mbedtls_x509_crt *leaf = load(path[2]);

	/* The chain follows its leaf in one list. */
	must(mbedtls_x509_crt_parse_file(leaf, path[1]), path[1]);
	must(mbedtls_x509_crt_check_extended_key_usage(leaf,
		 strcmp(purpose, "client") == 0 ? client : server,
		 sizeof(client) - 1),
	    "extKeyUsage");
	must(mbedtls_x509_crt_check_key_usage(
		 leaf, MBEDTLS_X509_KU_DIGITAL_SIGNATURE),
	    "keyUsage");
	verify(leaf, path[0], NULL, host);
}

static void
check_crl(char **path)
{
	mbedtls_x509_crl crl;

	mbedtls_x509_crl_init(&crl);
	must(mbedtls_x509_crl_parse_file(&crl, path[1]), path[1]);
	verify(load(path[2]), path[0], &crl, NULL);
}

static void
check_key(char **path)
{
	mbedtls_pk_context key;

	mbedtls_pk_init(&key);
	must(mbedtls_pk_parse_keyfile(&key, path[1], NULL), path[1]);
	must(mbedtls_pk_check_pair(&load(path[0])->pk, &key), "key");
}

int
main(int argc, char **argv)
{
	if (argc >= 5 && strcmp(argv[1], "crl") == 0)
		check_crl(argv + 2);
	else if (argc >= 5)
		check_leaf(argv[1], argv + 2, argv[5]);
	else if (argc == 4 && strcmp(argv[1], "key") == 0)
		check_key(argv + 2);
	else
		return 2;
	return EXIT_SUCCESS;
}
