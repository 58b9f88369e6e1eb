/* SPDX-License-Identifier: ISC */
/* The certificate profiles: see profile.h. */
#include "cert/profile.h"

#include <string.h>
#include <time.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "cert/cert.h"

enum { KU_CA = KU_KEY_CERT_SIGN | KU_CRL_SIGN, KU_LEAF = KU_DIGITAL_SIGNATURE };

static const struct profile profiles[PROFILE_MAX] = {
    [PROFILE_ROOT] = {.name = "root",
	.purpose = PURPOSE_ROOT,
	.ca = true,
	.path_len = -1,
	.key_usage = KU_CA,
	.ext_key_usage = NID_undef,
	.organization = true,
	.p384 = true,
	.years = 40},
    [PROFILE_DEVICE_CA] = {.name = "device sub-CA",
	.purpose = PURPOSE_DEVICE,
	.ca = true,
	.path_len = 0,
	.key_usage = KU_CA,
	.ext_key_usage = NID_client_auth,
	.organization = true,
	.locators = true,
	.years = 35},
    [PROFILE_SERVER_CA] = {.name = "server sub-CA",
	.purpose = PURPOSE_SERVER,
	.ca = true,
	.path_len = 0,
	.key_usage = KU_CA,
	.ext_key_usage = NID_server_auth,
	.organization = true,
	.locators = true,
	.years = 35},
    [PROFILE_SERVICE_CA] = {.name = "service sub-CA",
	.purpose = PURPOSE_SERVICE,
	.ca = true,
	.path_len = 0,
	.key_usage = KU_CA,
	.ext_key_usage = NID_client_auth,
	.organization = true,
	.locators = true,
	.years = 35},
    [PROFILE_DEVICE] = {.name = "device",
	.purpose = PURPOSE_DEVICE,
	.path_len = -1,
	.key_usage = KU_LEAF,
	.ext_key_usage = NID_client_auth,
	.san = PROFILE_SAN_SPIFFE,
	.locators = true,
	.years = 30},
    [PROFILE_SERVER] = {.name = "server",
	.purpose = PURPOSE_SERVER,
	.path_len = -1,
	.key_usage = KU_LEAF,
	.ext_key_usage = NID_server_auth,
	.san = PROFILE_SAN_HOST,
	.locators = true,
	.years = 1},
    [PROFILE_SERVICE] = {.name = "service",
	.purpose = PURPOSE_SERVICE,
	.path_len = -1,
	.key_usage = KU_LEAF,
	.ext_key_usage = NID_client_auth,
	.locators = true,
	.years = 1},
};

static const char *const purposes[] = {
    [PURPOSE_ROOT] = "root",
    [PURPOSE_DEVICE] = "device",
    [PURPOSE_SERVER] = "server",
    [PURPOSE_SERVICE] = "service",
};

enum { PURPOSE_COUNT = sizeof(purposes) / sizeof(purposes[0]) };

const struct profile *
profile_get(enum profile_id id)
{
	return &profiles[id];
}

const struct profile *
profile_ca(enum purpose purpose)
{
	static const enum profile_id ids[PURPOSE_COUNT] = {
	    [PURPOSE_ROOT] = PROFILE_ROOT,
	    [PURPOSE_DEVICE] = PROFILE_DEVICE_CA,
	    [PURPOSE_SERVER] = PROFILE_SERVER_CA,
	    [PURPOSE_SERVICE] = PROFILE_SERVICE_CA,
	};

	return &profiles[ids[purpose]];
}

const char *
purpose_name(enum purpose purpose)
{
	return purposes[purpose];
}

bool
purpose_parse(const char *name, enum purpose *out)
{
	int i;

	for (i = 0; i < PURPOSE_COUNT; i++)
		if (strcmp(name, purposes[i]) == 0) {
			*out = (enum purpose)i;
			return true;
		}
	return false;
}

void
profile_validity(const struct profile *profile, int64_t now,
    int64_t *not_before, int64_t *not_after)
{
	time_t t = (time_t)now;
	struct tm tm;
	int month;

	*not_before = now - PROFILE_BACKDATE_S;
	gmtime_r(&t, &tm);
	month = tm.tm_mon;
	tm.tm_year += profile->years;
	t = timegm(&tm);
	/* timegm makes 29 February of a common year 1 March. */
	if (tm.tm_mon != month)
		t -= 24 * 60 * 60;
	*not_after = (int64_t)t;
}

/* RFC 5280 §4.2.1.3 and §4.2.1.9: both are critical in a CA of ours. */
static bool
is_critical(X509 *cert, int nid)
{
	X509_EXTENSION *ext =
	    X509_get_ext(cert, X509_get_ext_by_NID(cert, nid, -1));

	return ext != NULL && X509_EXTENSION_get_critical(ext) != 0;
}

static uint32_t
xku_of(int nid)
{
	return nid == NID_server_auth ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
}

static bool
eku_fits(const struct profile *profile, X509 *cert)
{
	uint32_t flags = X509_get_extension_flags(cert);

	if (profile->ext_key_usage == NID_undef)
		return (flags & EXFLAG_XKUSAGE) == 0;
	return (flags & EXFLAG_XKUSAGE) != 0 &&
	       X509_get_extended_key_usage(cert) ==
		   xku_of(profile->ext_key_usage);
}

bool
profile_check_ca(const struct profile *profile, X509 *cert, struct err *err)
{
	uint32_t flags = X509_get_extension_flags(cert);

	if ((flags & EXFLAG_INVALID) != 0 || X509_get_version(cert) != 2)
		return err_set(err, ERR_MISMATCH,
		    "not a version 3 certificate with valid extensions");
	if ((flags & EXFLAG_CA) == 0 ||
	    !is_critical(cert, NID_basic_constraints) ||
	    X509_get_pathlen(cert) != profile->path_len)
		return err_set(err, ERR_MISMATCH,
		    "basicConstraints are not those of a %s", profile->name);
	if (X509_get_key_usage(cert) != profile->key_usage ||
	    !is_critical(cert, NID_key_usage))
		return err_set(err, ERR_MISMATCH,
		    "keyUsage is not that of a %s", profile->name);
	if (!eku_fits(profile, cert))
		return err_set(err, ERR_MISMATCH,
		    "extKeyUsage is not that of a %s", profile->name);
	return cert_key_check(X509_get0_pubkey(cert), profile->p384, err);
}

bool
profile_ca_purpose(X509 *cert, enum purpose *out, struct err *err)
{
	static const enum purpose tried[] = {
	    PURPOSE_ROOT, PURPOSE_DEVICE, PURPOSE_SERVER};
	size_t i;

	for (i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		if (profile_check_ca(profile_ca(tried[i]), cert, NULL)) {
			*out = tried[i];
			return true;
		}
	return err_set(err, ERR_MISMATCH,
	    "the certificate is neither a root nor a sub-CA of Pappus");
}
