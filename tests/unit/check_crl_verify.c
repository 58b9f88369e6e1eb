/* SPDX-License-Identifier: ISC */
/* Tests of cert/crl_verify.c: who signed a list, and lists in files. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crl.h"

static struct buf
small_list(const struct pki *p)
{
	struct crl_spec spec = crl_spec_of(p->cert);
	struct crl_list *list = crl_list_of(9);
	struct buf der = crl_der_of(&spec, list, p->key);

	crl_list_free(list);
	return der;
}

static void
mismatches(const struct crl_read *crl, X509 *issuer, const char *why)
{
	struct err err = {.code = ERR_NONE};

	ck_assert(!crl_read_verify(crl, issuer, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	ck_assert_msg(strstr(err.detail, why) != NULL, "%s", err.detail);
}

START_TEST(knows_its_issuer)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA), q = p;
	struct buf der = small_list(&p);
	struct crl_read crl = crl_opened(&der);
	struct cert_spec spec;
	X509 *other;

	ck_assert(crl_read_verify(&crl, p.cert, NULL));
	mismatches(&crl, p.root, "another issuer");
	/* The same name with another key. */
	q.key = EVP_EC_gen("P-256");
	other = pki_sub_ca(&q, PROFILE_DEVICE_CA, q.key, 3);
	mismatches(&crl, other, "another key");
	X509_free(other);
	EVP_PKEY_free(q.key);
	/* The same key with another name of the same length. */
	spec = pki_spec(PROFILE_DEVICE_CA, p.key, p.root, 4);
	spec.organization = "Pappus tesTs";
	other = pki_signed(&spec, p.root_key);
	mismatches(&crl, other, "another issuer");
	X509_free(other);
	buf_free(&der);
	pki_free(&p);
}
END_TEST

/* The same name and key identifier, but the key another. */
START_TEST(knows_a_wrong_signature)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct buf der = small_list(&p);
	struct crl_read crl = crl_opened(&der);
	EVP_PKEY *p256 = EVP_EC_gen("P-256");
	EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *other = X509_dup(p.cert);

	ck_assert_int_eq(X509_set_pubkey(other, p256), 1);
	mismatches(&crl, other, "signature");
	ck_assert_int_eq(X509_set_pubkey(other, ed25519), 1);
	mismatches(&crl, other, "no EC key");
	EVP_PKEY_free(p256);
	EVP_PKEY_free(ed25519);
	X509_free(other);
	buf_free(&der);
	pki_free(&p);
}
END_TEST

/* RFC 5280 §4.2.1.3: a certificate that may sign no CRLs. */
START_TEST(wants_the_key_usage)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct cert_spec of = pki_spec(PROFILE_DEVICE, p.key, p.root, 7);
	X509 *leaf = pki_signed(&of, p.root_key);
	struct crl_spec spec = crl_spec_of(leaf);
	struct crl_list *list = crl_list_of(1);
	struct buf der = crl_der_of(&spec, list, p.key);
	struct crl_read crl = crl_opened(&der);

	mismatches(&crl, leaf, "may not sign CRLs");
	crl_list_free(list);
	buf_free(&der);
	X509_free(leaf);
	pki_free(&p);
}
END_TEST

/* Each octet changed, one after the other: found on opening or by the digest.
 */
START_TEST(every_changed_octet_is_found)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct buf der = small_list(&p);
	struct crl_read crl;
	size_t i, opened = 0;
	int bit;

	for (i = 0; i < der.len; i++)
		for (bit = 0; bit < 8; bit += 3) {
			der.data[i] ^= (uint8_t)(1 << bit);
			if (crl_read_open(
				der.data, der.len, false, &crl, NULL)) {
				opened++;
				ck_assert_msg(
				    !crl_read_verify(&crl, p.cert, NULL),
				    "octet %zu", i);
			}
			der.data[i] ^= (uint8_t)(1 << bit);
		}
	/* Most are serials, keys and times that might be others. */
	ck_assert_uint_gt(opened, der.len);
	ck_assert(crl_read_open(der.data, der.len, false, &crl, NULL));
	ck_assert(crl_read_verify(&crl, p.cert, NULL));
	buf_free(&der);
	pki_free(&p);
}
END_TEST

/* RFC 5280 §5.2.5. */
START_TEST(knows_its_address)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct buf der = small_list(&p);
	struct crl_read crl = crl_opened(&der);
	struct err err = {.code = ERR_NONE};

	ck_assert(crl_read_check_url(&crl, PKI_CRL_URL, NULL));
	ck_assert(!crl_read_check_url(&crl, PKI_CRL_URL "x", NULL));
	ck_assert(!crl_read_check_url(&crl, "", NULL));
	ck_assert(!crl_read_check_url(&crl, PKI_ROOT_CRL_URL, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	buf_free(&der);
	pki_free(&p);
}
END_TEST

/* ----------------------------------------------------------------- files */

/* How much of a mapping is in memory, in KiB, as the system counts it. */
static long
resident(const void *at)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512], begin[32];
	bool here = false;
	long kib = -1;

	ck_assert_ptr_nonnull(smaps);
	snprintf(begin, sizeof(begin), "%lx-", (unsigned long)at);
	while (fgets(line, sizeof(line), smaps) != NULL && kib < 0) {
		if (strncmp(line, begin, strlen(begin)) == 0)
			here = true;
		if (here && sscanf(line, "Rss: %ld", &kib) == 1)
			break;
	}
	fclose(smaps);
	return kib;
}

/* Digest what comes, and look how much of the mapping is in memory. */
struct copy {
	const void *at;
	EVP_MD_CTX *digest;
	size_t len;
	long most; /* KiB in memory */
};

static bool
copy_piece(void *ctx, const void *data, size_t len, struct err *err)
{
	struct copy *copy = ctx;
	long now = resident(copy->at);

	(void)err;
	copy->most = now > copy->most ? now : copy->most;
	copy->len += len;
	return EVP_DigestUpdate(copy->digest, data, len) == 1;
}

/* All of it, piece by piece. */
static void
is_poured(
    const struct crl_read *crl, const uint8_t sha256[CERT_DIGEST_LEN], long kib)
{
	struct copy copy = {crl->der.at, EVP_MD_CTX_new(), 0, 0};
	uint8_t got[CERT_DIGEST_LEN];

	EVP_DigestInit_ex(copy.digest, EVP_sha256(), NULL);
	ck_assert(crl_read_pour(crl, copy_piece, &copy, NULL));
	ck_assert_uint_eq(copy.len, crl->der.len);
	EVP_DigestFinal_ex(copy.digest, got, NULL);
	ck_assert_mem_eq(got, sha256, sizeof(got));
	ck_assert_int_lt(copy.most, kib);
	EVP_MD_CTX_free(copy.digest);
}

struct walk {
	const void *at;
	unsigned int n;
	long most; /* KiB in memory */
};

static bool
count_item(void *ctx, const struct crl_item *item, struct err *err)
{
	struct walk *walk = ctx;
	struct crl_item want = crl_item_of(walk->n);
	long now;

	(void)err;
	ck_assert_mem_eq(item->serial, want.serial, CRL_SERIAL_MAX);
	if (++walk->n % 50000 == 0) {
		now = resident(walk->at);
		walk->most = now > walk->most ? now : walk->most;
	}
	return true;
}

/* Pages that were read are given back, and come again. */
START_TEST(a_file_takes_little_memory)
{
	enum { COUNT_OF = 300000, KIB = 4096 };
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(COUNT_OF);
	struct buf der = crl_der_of(&spec, list, p.key);
	struct walk walk = {.most = 0};
	FILE *file = tmpfile();
	struct crl_read crl;
	size_t len = der.len;
	uint8_t *map, sha256[CERT_DIGEST_LEN];

	EVP_Digest(der.data, len, sha256, NULL, EVP_sha256(), NULL);
	ck_assert_uint_eq(fwrite(der.data, 1, len, file), len);
	ck_assert_int_eq(fflush(file), 0);
	buf_free(&der);
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, fileno(file), 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert(crl_read_open(map, len, true, &crl, NULL));
	ck_assert_uint_eq(crl.count, COUNT_OF);
	ck_assert_int_lt(resident(map), KIB);
	ck_assert(crl_read_verify(&crl, p.cert, NULL));
	ck_assert_int_lt(resident(map), KIB);
	walk.at = map;
	ck_assert(crl_read_each(&crl, count_item, &walk, NULL));
	ck_assert_uint_eq(walk.n, COUNT_OF);
	ck_assert_int_gt(walk.most, 0);
	ck_assert_int_lt(walk.most, KIB);
	is_poured(&crl, sha256, KIB);
	munmap(map, len);
	fclose(file);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("crl_verify", knows_its_issuer, knows_a_wrong_signature,
    wants_the_key_usage, every_changed_octet_is_found, knows_its_address,
    a_file_takes_little_memory)
