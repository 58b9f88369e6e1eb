/* SPDX-License-Identifier: ISC */
/* Tests of cert/profile.h: the table of the design, and who follows it. */
#include "cert/profile.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "pki.h"

enum { CA_USAGE = KU_KEY_CERT_SIGN | KU_CRL_SIGN };

/* The design's table once more, by hand: a change there must be meant. */
static const struct {
	enum profile_id id;
	bool ca;
	int path_len;
	uint32_t usage;
	int eku;
	enum profile_san san;
	bool organization, locators, p384;
	int years;
} table[] = {
    {PROFILE_ROOT, true, -1, CA_USAGE, NID_undef, PROFILE_SAN_NONE, true, false,
	true, 40},
    {PROFILE_DEVICE_CA, true, 0, CA_USAGE, NID_client_auth, PROFILE_SAN_NONE,
	true, true, false, 35},
    {PROFILE_SERVER_CA, true, 0, CA_USAGE, NID_server_auth, PROFILE_SAN_NONE,
	true, true, false, 35},
    {PROFILE_SERVICE_CA, true, 0, CA_USAGE, NID_client_auth, PROFILE_SAN_NONE,
	true, true, false, 35},
    {PROFILE_DEVICE, false, -1, KU_DIGITAL_SIGNATURE, NID_client_auth,
	PROFILE_SAN_SPIFFE, false, true, false, 30},
    {PROFILE_SERVER, false, -1, KU_DIGITAL_SIGNATURE, NID_server_auth,
	PROFILE_SAN_HOST, false, true, false, 1},
    {PROFILE_SERVICE, false, -1, KU_DIGITAL_SIGNATURE, NID_client_auth,
	PROFILE_SAN_NONE, false, true, false, 1},
};

START_TEST(is_the_table_of_the_design)
{
	const struct profile *p;
	size_t i;

	ck_assert_uint_eq(COUNT(table), PROFILE_MAX);
	for (i = 0; i < COUNT(table); i++) {
		p = profile_get(table[i].id);
		ck_assert_int_eq(p->ca, table[i].ca);
		ck_assert_int_eq(p->path_len, table[i].path_len);
		ck_assert_uint_eq(p->key_usage, table[i].usage);
		ck_assert_int_eq(p->ext_key_usage, table[i].eku);
		ck_assert_int_eq(p->san, table[i].san);
		ck_assert_int_eq(p->organization, table[i].organization);
		ck_assert_int_eq(p->locators, table[i].locators);
		ck_assert_int_eq(p->p384, table[i].p384);
		ck_assert_int_eq(p->years, table[i].years);
	}
}
END_TEST

START_TEST(names_purposes)
{
	enum purpose purpose;

	ck_assert(purpose_parse("service", &purpose));
	ck_assert_int_eq(purpose, PURPOSE_SERVICE);
	ck_assert_str_eq(purpose_name(PURPOSE_DEVICE), "device");
	ck_assert(!purpose_parse("Device", &purpose));
	ck_assert(!purpose_parse("", &purpose));
	ck_assert_ptr_eq(
	    profile_ca(PURPOSE_SERVER), profile_get(PROFILE_SERVER_CA));
}
END_TEST

START_TEST(counts_calendar_years)
{
	static const struct {
		int years;
		int64_t now, after;
	} cases[] = {
	    /* 2026-11-23T16:07:00Z → 2056 */
	    {30, INT64_C(1795450020), INT64_C(2742221220)},
	    /* 2028-02-29T12:00:00Z → 2029-02-28 */
	    {1, INT64_C(1835438400), INT64_C(1866974400)},
	    /* 2028-02-29T12:00:00Z → 2068-02-29 */
	    {40, INT64_C(1835438400), INT64_C(3097742400)},
	    /* 2027-12-31T23:59:59Z → 2028 */
	    {1, INT64_C(1830297599), INT64_C(1861919999)},
	};
	struct profile profile = {.name = "test"};
	int64_t from, to;
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		profile.years = cases[i].years;
		profile_validity(&profile, cases[i].now, &from, &to);
		ck_assert_int_eq(from, cases[i].now - PROFILE_BACKDATE_S);
		ck_assert_int_eq(to, cases[i].after);
	}
}
END_TEST

START_TEST(knows_a_ca_by_its_extensions)
{
	struct pki device = pki_new(PROFILE_DEVICE_CA);
	struct pki server = pki_new(PROFILE_SERVER_CA);
	struct err err = {.code = ERR_NONE};
	enum purpose purpose;

	ck_assert(profile_ca_purpose(device.root, &purpose, NULL));
	ck_assert_int_eq(purpose, PURPOSE_ROOT);
	ck_assert(profile_ca_purpose(device.cert, &purpose, NULL));
	ck_assert_int_eq(purpose, PURPOSE_DEVICE);
	ck_assert(profile_ca_purpose(server.cert, &purpose, NULL));
	ck_assert_int_eq(purpose, PURPOSE_SERVER);
	ck_assert(!profile_check_ca(
	    profile_get(PROFILE_DEVICE_CA), server.cert, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	ck_assert(
	    !profile_check_ca(profile_get(PROFILE_ROOT), server.cert, NULL));
	ck_assert(profile_check_ca(
	    profile_get(PROFILE_SERVICE_CA), device.cert, NULL));
	pki_free(&device);
	pki_free(&server);
}
END_TEST

START_TEST(refuses_leaves_and_strangers)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_spec spec = pki_spec(PROFILE_DEVICE, p.key, p.cert, 3);
	struct profile odd = *profile_get(PROFILE_DEVICE_CA);
	enum purpose purpose;
	X509 *cert;

	cert = pki_signed(&spec, p.key);
	ck_assert(!profile_ca_purpose(cert, &purpose, NULL));
	X509_free(cert);
	/* A pathLenConstraint of 1, then a keyUsage without cRLSign. */
	spec = pki_spec(PROFILE_DEVICE_CA, p.key, p.root, 4);
	spec.profile = &odd;
	odd.path_len = 1;
	cert = pki_signed(&spec, p.root_key);
	ck_assert(!profile_ca_purpose(cert, &purpose, NULL));
	X509_free(cert);
	odd.path_len = 0;
	odd.key_usage = KU_KEY_CERT_SIGN;
	cert = pki_signed(&spec, p.root_key);
	ck_assert(!profile_ca_purpose(cert, &purpose, NULL));
	X509_free(cert);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("profile", is_the_table_of_the_design, names_purposes,
    counts_calendar_years, knows_a_ca_by_its_extensions,
    refuses_leaves_and_strangers)
