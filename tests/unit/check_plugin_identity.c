/* SPDX-License-Identifier: ISC */
/* Tests of broker/plugin_identity.h and broker/plugin_issuers.h. */
#include "broker/plugin_identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "plugin.h"

/* Both CAs, as a list names them. */
struct world {
	struct pki device;
	struct pki service;
	struct buf der[2];
	struct denylist_file file;
	struct issuers issuers;
};

static void
set_up(struct world *w)
{
	struct err err = {.code = ERR_NONE};
	struct plugin_feed feed = {
	    .device_ca = &w->device, .service_ca = &w->service};

	memset(w, 0, sizeof(*w));
	w->device = pki_new(PROFILE_DEVICE_CA);
	w->service = pki_new(PROFILE_SERVICE_CA);
	w->file.issuer_count =
	    plugin_feed_issuers(&feed, w->file.issuers, w->der);
	ck_assert_msg(
	    issuers_read(&w->file, &w->issuers, &err), "%s", err.detail);
	ck_assert_uint_eq(w->issuers.count, 2);
}

static void
tear_down(struct world *w)
{
	issuers_free(&w->issuers);
	buf_free(&w->der[0]);
	buf_free(&w->der[1]);
	pki_free(&w->device);
	pki_free(&w->service);
}

/* The certificate, which is freed, is of that name. */
static void
is(struct world *w, X509 *cert, const char *name)
{
	struct err err = {.code = ERR_NONE};
	struct identity who;

	ck_assert_msg(identity_read(cert, &w->issuers, pki_now, &who, &err),
	    "%s", err.detail);
	ck_assert_str_eq(who.name, name);
	ck_assert_int_eq(
	    identity_is_device(who.name), strncmp(name, "dev_", 4) == 0);
	X509_free(cert);
}

/* ... is refused for that reason. */
static void
refused_at(struct world *w, X509 *cert, int64_t now, const char *why)
{
	struct err err = {.code = ERR_NONE};
	struct identity who;

	ck_assert(!identity_read(cert, &w->issuers, now, &who, &err));
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_msg(strstr(err.detail, why) != NULL, "%s", err.detail);
	X509_free(cert);
}

static void
refused(struct world *w, X509 *cert, const char *why)
{
	refused_at(w, cert, pki_now, why);
}

START_TEST(takes_devices_and_services)
{
	uint8_t serial[DENYLIST_SERIAL_LEN];
	struct err err = {.code = ERR_NONE};
	struct identity who;
	struct world w;
	X509 *cert;

	set_up(&w);
	is(&w, plugin_cert(&w.device, PROFILE_DEVICE, DEVICE_A, 7), DEVICE_A);
	is(&w, plugin_cert(&w.service, PROFILE_SERVICE, SERVICE_A, 7),
	    SERVICE_A);
	cert = plugin_cert(&w.device, PROFILE_DEVICE, DEVICE_A, 7);
	ck_assert(identity_read(cert, &w.issuers, pki_now, &who, &err));
	plugin_serial(7, serial);
	ck_assert_mem_eq(who.serial, serial, sizeof(serial));
	ck_assert(issuers_has(&w.issuers, who.issuer));
	ck_assert_mem_eq(who.issuer, w.issuers.at[0].id, ISSUER_ID_LEN);
	who.issuer[0] ^= 1;
	ck_assert(!issuers_has(&w.issuers, who.issuer));
	X509_free(cert);
	tear_down(&w);
}
END_TEST

START_TEST(refuses_those_of_another_ca)
{
	struct pki other = pki_new(PROFILE_DEVICE_CA);
	struct world w;
	X509 *cert;

	set_up(&w);
	refused(&w, plugin_cert(&other, PROFILE_DEVICE, DEVICE_A, 7), "no CA");
	/* One of the right names, signed by somebody else. */
	cert = plugin_cert(&w.device, PROFILE_DEVICE, DEVICE_A, 7);
	ck_assert_int_gt(X509_sign(cert, other.key, EVP_sha256()), 0);
	refused(&w, cert, "no CA");
	/* The CA's own, and its root's. */
	X509_up_ref(w.device.cert);
	refused(&w, w.device.cert, "no CA");
	X509_up_ref(w.device.root);
	refused(&w, w.device.root, "no CA");
	pki_free(&other);
	tear_down(&w);
}
END_TEST

START_TEST(refuses_the_other_kind)
{
	struct world w;

	set_up(&w);
	refused(&w, plugin_cert(&w.device, PROFILE_DEVICE, SERVICE_A, 7),
	    "no device id");
	refused(&w, plugin_cert(&w.service, PROFILE_SERVICE, DEVICE_A, 7),
	    "no service's name");
	tear_down(&w);
}
END_TEST

START_TEST(looks_at_the_clock)
{
	struct world w;
	X509 *cert;
	int64_t from, to;
	struct err err = {.code = ERR_NONE};

	set_up(&w);
	cert = plugin_cert(&w.device, PROFILE_DEVICE, DEVICE_A, 7);
	ck_assert(cert_time(X509_get0_notBefore(cert), &from, &err));
	ck_assert(cert_time(X509_get0_notAfter(cert), &to, &err));
	X509_up_ref(cert);
	refused_at(&w, cert, from - 1, "not yet valid");
	X509_up_ref(cert);
	refused_at(&w, cert, to + 1, "expired");
	X509_up_ref(cert);
	refused_at(&w, cert, 0, "not yet valid");
	is(&w, cert, DEVICE_A);
	tear_down(&w);
}
END_TEST

/* A device's certificate with another subject, of these CNs. */
static X509 *
with_names(struct world *w, int type, const void *text, int len, int times)
{
	X509 *cert = plugin_cert(&w->device, PROFILE_DEVICE, DEVICE_A, 7);
	X509_NAME *subject = X509_NAME_new();

	ck_assert_ptr_nonnull(subject);
	for (; times > 0; times--)
		ck_assert_int_eq(X509_NAME_add_entry_by_NID(subject,
				     NID_commonName, type, text, len, -1, 0),
		    1);
	ck_assert_int_eq(X509_set_subject_name(cert, subject), 1);
	X509_NAME_free(subject);
	ck_assert_int_gt(X509_sign(cert, w->device.key, EVP_sha256()), 0);
	return cert;
}

START_TEST(wants_exactly_one_name)
{
	static const char wrong[][40] = {"", "dev_", "pump",
	    "dev_01jg8qk3v5x9m2n7p4r6s8t0w", "dev_01jg8qk3v5x9m2n7p4r6s8t0waa",
	    "DEV_01JG8QK3V5X9M2N7P4R6S8T0WA", " " DEVICE_A, DEVICE_A " ",
	    "dev_81jg8qk3v5x9m2n7p4r6s8t0wa", "dev_01jg8qk3v5x9m2n7p4r6s8t0wu",
	    "dev_01jg8qk3v5x9m2n7p4r6s8t0w+", "proj_01jg8qk3v5x9m2n7p4r6s8t0w"};
	const int utf8 = V_ASN1_UTF8STRING;
	const int len = (int)strlen(DEVICE_A);
	char with_nul[31] = DEVICE_A;
	struct world w;
	size_t i;

	set_up(&w);
	is(&w, with_names(&w, utf8, DEVICE_A, len, 1), DEVICE_A);
	refused(&w, with_names(&w, utf8, "", 0, 0), "without CN");
	refused(&w, with_names(&w, utf8, DEVICE_A, len, 2), "two CNs");
	refused(&w, with_names(&w, utf8, DEVICE_A, len, 3), "two CNs");
	for (i = 1; i < COUNT(wrong); i++)
		refused(&w,
		    with_names(&w, utf8, wrong[i], (int)strlen(wrong[i]), 1),
		    "no device id");
	/* What looks like one up to a NUL. */
	refused(&w, with_names(&w, utf8, with_nul, 31, 1), "no device id");
	with_nul[10] = '\0';
	refused(&w, with_names(&w, utf8, with_nul, len, 1), "no device id");
	/* Two octets a character. */
	refused(&w, with_names(&w, V_ASN1_BMPSTRING, DEVICE_A, len, 1),
	    "no device id");
	tear_down(&w);
}
END_TEST

/* A device's certificate with another serial. */
static X509 *
with_serial(struct world *w, const uint8_t *octets, int len, bool negative)
{
	X509 *cert = plugin_cert(&w->device, PROFILE_DEVICE, DEVICE_A, 7);
	BIGNUM *bn = BN_bin2bn(octets, len, NULL);
	ASN1_INTEGER *serial;

	BN_set_negative(bn, negative);
	serial = BN_to_ASN1_INTEGER(bn, NULL);
	ck_assert_ptr_nonnull(serial);
	ck_assert_int_eq(X509_set_serialNumber(cert, serial), 1);
	ck_assert_int_gt(X509_sign(cert, w->device.key, EVP_sha256()), 0);
	ASN1_INTEGER_free(serial);
	BN_free(bn);
	return cert;
}

START_TEST(wants_a_possible_serial)
{
	uint8_t octets[21];
	struct world w;

	set_up(&w);
	memset(octets, 0x7f, sizeof(octets));
	is(&w, with_serial(&w, octets, 1, false), DEVICE_A);
	is(&w, with_serial(&w, octets, 20, false), DEVICE_A);
	refused(&w, with_serial(&w, octets, 21, false), "serial");
	refused(&w, with_serial(&w, octets, 1, true), "serial");
	refused(&w, with_serial(&w, octets, 16, true), "serial");
	octets[0] = 0;
	refused(&w, with_serial(&w, octets, 1, false), "serial");
	tear_down(&w);
}
END_TEST

START_TEST(reads_issuers_of_clients_alone)
{
	struct pki server = pki_new(PROFILE_SERVER_CA);
	struct err err = {.code = ERR_NONE};
	struct issuers issuers;
	struct world w;
	uint8_t junk[] = {0x30, 0x03, 0x02, 0x01, 0x05};

	set_up(&w);
	w.file.issuers[0].purpose = DENYLIST_SERVER;
	ck_assert(issuers_read(&w.file, &issuers, &err));
	ck_assert_uint_eq(issuers.count, 1);
	issuers_free(&issuers);
	w.file.issuers[0].purpose = DENYLIST_ROOT;
	ck_assert(issuers_read(&w.file, &issuers, &err));
	ck_assert_uint_eq(issuers.count, 1);
	issuers_free(&issuers);
	w.file.issuers[0].purpose = DENYLIST_DEVICE;
	w.file.issuers[0].certificate_len--;
	ck_assert(!issuers_read(&w.file, &issuers, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	issuers_free(&issuers);
	err_clear(&err);
	w.file.issuers[0].certificate = junk;
	w.file.issuers[0].certificate_len = sizeof(junk);
	ck_assert(!issuers_read(&w.file, &issuers, &err));
	issuers_free(&issuers);
	pki_free(&server);
	tear_down(&w);
}
END_TEST

/* ------------------------------------------------------------- client ids */

START_TEST(owns_its_client_ids)
{
	static const char *const own[] = {
	    "", "-", "/x", ".sub", " ", ":1", "\xc3\xa4", "A", ("-" DEVICE_B)};
	static const char *const others[] = {
	    "0", "a", "z", "9", "_", "_-", ("0" DEVICE_A)};
	static const char *const nobodys[] = {"", "dev_", DEVICE_B, SERVICE_A,
	    ("-" DEVICE_A), "dev_01jg8qk3v5x9m2n7p4r6s8t0w",
	    "DEV_01JG8QK3V5X9M2N7P4R6S8T0WA"};
	char name[IDENTITY_NAME_LEN + 1], id[2 * IDENTITY_NAME_LEN + 8];
	size_t i;

	for (i = 0; i < COUNT(own); i++) {
		snprintf(id, sizeof(id), "%s%s", DEVICE_A, own[i]);
		ck_assert_msg(identity_owns(DEVICE_A, id), "%s", id);
		ck_assert_msg(identity_of_client_id(id, name), "%s", id);
		ck_assert_str_eq(name, DEVICE_A);
	}
	for (i = 0; i < COUNT(others); i++) {
		snprintf(id, sizeof(id), "%s%s", DEVICE_A, others[i]);
		ck_assert_msg(!identity_owns(DEVICE_A, id), "%s", id);
		ck_assert_msg(!identity_of_client_id(id, name), "%s", id);
	}
	for (i = 0; i < COUNT(nobodys); i++)
		ck_assert_msg(
		    !identity_owns(DEVICE_A, nobodys[i]), "%s", nobodys[i]);
}
END_TEST

START_TEST(finds_whose_a_client_id_is)
{
	static const char *const nobodys[] = {"", "dev_", "pump",
	    "dev_01jg8qk3v5x9m2n7p4r6s8t0w", "dev_81jg8qk3v5x9m2n7p4r6s8t0wa",
	    "proj_01jg8qk3v5x9m2n7p4r6s8t0w", "etk_01jg8qk3v5x9m2n7p4r6s8t0wa",
	    "DEV_01JG8QK3V5X9M2N7P4R6S8T0WA"};
	char name[IDENTITY_NAME_LEN + 1];
	size_t i;

	ck_assert(identity_of_client_id(SERVICE_A ".reader", name));
	ck_assert_str_eq(name, SERVICE_A);
	ck_assert(!identity_is_device(name));
	for (i = 0; i < COUNT(nobodys); i++)
		ck_assert_msg(
		    !identity_of_client_id(nobodys[i], name), "%s", nobodys[i]);
}
END_TEST

UNIT_MAIN("plugin_identity", takes_devices_and_services,
    refuses_those_of_another_ca, refuses_the_other_kind, looks_at_the_clock,
    wants_exactly_one_name, wants_a_possible_serial,
    reads_issuers_of_clients_alone, owns_its_client_ids,
    finds_whose_a_client_id_is)
