/* SPDX-License-Identifier: ISC */
/* Certificates for pappus recover: see recover_certificate.h. */
#include "tools/recover_certificate.h"

#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#include "cert/cert.h"
#include "encoding/hex.h"
#include "encoding/json.h"
#include "encoding/name.h"
#include "encoding/utf8.h"

enum { SUBJECT_MAX = 255 };

/*
 * The project that a device's SPIFFE ID names, spiffe://domain/project/device,
 * written to out; false when there is none.
 */
static bool
project_of(X509 *cert, const char *device_id, char out[NAME_MAX_LEN + 1])
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, 0);
	char uri[512] = "", *device, *project;
	bool found = false;

	if (name != NULL && name->type == GEN_URI)
		snprintf(uri, sizeof(uri), "%.*s",
		    name->d.uniformResourceIdentifier->length,
		    (const char *)name->d.uniformResourceIdentifier->data);
	if ((device = strrchr(uri, '/')) != NULL) {
		*device++ = '\0';
		project = strrchr(uri, '/');
		found =
		    project != NULL && strcmp(device, device_id) == 0 &&
		    name_valid(NAME_PROJECT, project + 1, strlen(project + 1));
		if (found)
			strcpy(out, project + 1);
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* A device's certificate has the device's id as its name, no other has. */
static bool
add_subject(struct buf *out, X509 *cert, struct err *err)
{
	char name[SUBJECT_MAX * 4 + 1], project[NAME_MAX_LEN + 1];
	size_t chars;
	int len = X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, name, sizeof(name));

	if (len <= 0 || strlen(name) != (size_t)len ||
	    !utf8_valid_text((const uint8_t *)name, (size_t)len, &chars) ||
	    chars > SUBJECT_MAX)
		return err_set(
		    err, ERR_MISMATCH, "no common name, or an unfit one");
	if (!name_valid(NAME_DEVICE, name, (size_t)len)) {
		json_str(out, "subject", name);
		return true;
	}
	json_str(out, "device_id", name);
	if (project_of(cert, name, project))
		json_str(out, "project_id", project);
	return true;
}

bool
recover_members(struct buf *out, X509 *cert, const char *ski, struct err *err)
{
	char serial_digits[SERIAL_HEX_LEN + 1];
	char spki_digits[2 * CERT_DIGEST_LEN + 1];
	uint8_t serial[SERIAL_LEN], spki[CERT_DIGEST_LEN];
	int64_t not_before, not_after;

	if (!cert_serial(cert, serial, err) ||
	    !cert_spki_sha256(X509_get0_pubkey(cert), spki, err) ||
	    !cert_time(X509_get0_notBefore(cert), &not_before, err) ||
	    !cert_time(X509_get0_notAfter(cert), &not_after, err))
		return false;
	serial_hex(serial, serial_digits);
	hex_encode(spki, sizeof(spki), spki_digits);
	json_str(out, "issuer_ski", ski);
	json_str(out, "serial", serial_digits);
	json_str(out, "spki_sha256", spki_digits);
	json_int(out, "not_before", not_before);
	json_int(out, "not_after", not_after);
	if (!add_subject(out, cert, err))
		return false;
	json_end(out);
	return true;
}
