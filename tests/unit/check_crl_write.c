/* SPDX-License-Identifier: ISC */
/* Tests of cert/crl_write.h: octet for octet what OpenSSL makes of it. */
#include "cert/crl_write.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "crl.h"
#include "encoding/pem_writer.h"

static const int64_t y2050 = INT64_C(2524608000);

/* --------------------------------------------------- OpenSSL's own writing */

static void
add_entry(X509_CRL *crl, const struct crl_item *item)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	BIGNUM *bn = BN_bin2bn(item->serial, CRL_SERIAL_MAX, NULL);
	ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(bn, NULL);
	ASN1_TIME *time = cert_time_new(item->revoked_at);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();

	ASN1_ENUMERATED_set(reason, (long)item->reason);
	X509_REVOKED_set_serialNumber(entry, serial);
	X509_REVOKED_set_revocationDate(entry, time);
	if (item->reason != CRL_UNSPECIFIED)
		X509_REVOKED_add1_ext_i2d(
		    entry, NID_crl_reason, reason, 0, X509V3_ADD_DEFAULT);
	ck_assert_int_eq(X509_CRL_add0_revoked(crl, entry), 1);
	ASN1_ENUMERATED_free(reason);
	ASN1_TIME_free(time);
	ASN1_INTEGER_free(serial);
	BN_free(bn);
}

static X509_CRL *
long_way(
    const struct crl_spec *spec, const struct crl_list *list, EVP_PKEY *key)
{
	X509_CRL *crl = crl_build(spec, NULL);
	struct crl_item item;
	size_t i;

	for (i = 0; i < crl_list_count(list); i++) {
		crl_list_get(list, i, &item);
		add_entry(crl, &item);
	}
	X509_CRL_sort(crl);
	ck_assert(sign_crl(crl, spec->issuer, key, NULL));
	return crl;
}

static struct crl_signature
signature_of(const X509_CRL *crl)
{
	struct crl_signature signature;
	const ASN1_BIT_STRING *bits;

	X509_CRL_get0_signature(crl, &bits, NULL);
	signature.len = (size_t)ASN1_STRING_length(bits);
	ck_assert_uint_le(signature.len, CRL_SIGNATURE_MAX);
	memcpy(signature.der, ASN1_STRING_get0_data(bits), signature.len);
	return signature;
}

/* Given OpenSSL's signature, our list is OpenSSL's list. */
static void
is_the_long_way(
    const struct crl_spec *spec, const struct crl_list *list, EVP_PKEY *key)
{
	X509_CRL *crl = long_way(spec, list, key);
	struct crl_signature signature = signature_of(crl);
	struct buf theirs = BUF_INIT, ours = BUF_INIT;
	struct crl_draft *draft = crl_draft_new(spec, list, NULL);
	uint8_t sha256[CERT_DIGEST_LEN];
	struct crl_written written;

	ck_assert_ptr_nonnull(draft);
	ck_assert(crl_encode_der(crl, &theirs, NULL));
	ck_assert(crl_draft_write(
	    draft, &signature, crl_gather, &ours, &written, NULL));
	ck_assert_uint_eq(ours.len, theirs.len);
	ck_assert_mem_eq(ours.data, theirs.data, theirs.len);
	ck_assert_uint_eq(written.len, theirs.len);
	EVP_Digest(theirs.data, theirs.len, sha256, NULL, EVP_sha256(), NULL);
	ck_assert_mem_eq(written.sha256, sha256, sizeof(sha256));
	crl_draft_free(draft);
	buf_free(&ours);
	buf_free(&theirs);
	X509_CRL_free(crl);
}

START_TEST(lists_of_all_sizes)
{
	/* Around the lengths at which DER takes another octet, and pieces. */
	static const unsigned int counts[] = {
	    0, 1, 2, 3, 5, 6, 7, 100, 1300, 1400, 5000};
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list;
	size_t i;

	for (i = 0; i < COUNT(counts); i++) {
		list = crl_list_of(counts[i]);
		is_the_long_way(&spec, list, p.key);
		crl_list_free(list);
	}
	pki_free(&p);
}
END_TEST

START_TEST(serials_of_all_lengths)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	static const uint8_t fronts[] = {0x01, 0x7f, 0x80, 0xff};
	struct crl_list *list = crl_list_new();
	struct crl_item item = crl_item_of(1);
	uint8_t serial[CRL_SERIAL_MAX];
	size_t len, i;

	for (len = 1; len <= CRL_SERIAL_MAX; len++)
		for (i = 0; i < COUNT(fronts); i++) {
			memset(serial, 0x33, sizeof(serial));
			serial[0] = fronts[i];
			if (len == CRL_SERIAL_MAX && fronts[i] > 0x7f)
				continue; /* one octet too long, with its sign
					   */
			ck_assert(
			    crl_serial_set(item.serial, serial, len, NULL));
			ck_assert(crl_list_append(list, &item, NULL));
		}
	ck_assert(crl_list_sort(list, NULL));
	is_the_long_way(&spec, list, p.key);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

/* RFC 5280 §5.1.2.4 to §5.1.2.6: UTCTime until 2049. */
START_TEST(times_on_both_sides_of_2050)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_new();
	struct crl_item item;
	unsigned int n;

	for (n = 0; n < 8; n++) {
		item = crl_item_of(n);
		item.revoked_at = y2050 - 4 + n;
		ck_assert(crl_list_append(list, &item, NULL));
	}
	for (n = 0; n < 4; n++) {
		spec.this_update = y2050 - 3 + n;
		spec.next_update = y2050 - 1 + n;
		is_the_long_way(&spec, list, p.key);
	}
	item = crl_item_of(8);
	item.revoked_at = CRL_NEVER;
	ck_assert(crl_list_append(list, &item, NULL));
	item = crl_item_of(9);
	item.revoked_at = 0;
	ck_assert(crl_list_append(list, &item, NULL));
	spec.next_update = CRL_NEVER;
	is_the_long_way(&spec, list, p.key);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

/* RFC 5280 §5.2.3. */
START_TEST(numbers_of_all_lengths)
{
	static const uint64_t numbers[] = {
	    0, 1, 0x7f, 0x80, 0xffff, UINT64_C(1795450020123), INT64_MAX};
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(2);
	size_t i;

	for (i = 0; i < COUNT(numbers); i++) {
		spec.number = numbers[i];
		is_the_long_way(&spec, list, p.key);
	}
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

/* The builder of ceremonies, with its own entries. */
START_TEST(a_ceremonys_list)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.root), with = spec;
	struct crl_entry entries[2] = {{.revoked_at = pki_now},
	    {.revoked_at = y2050, .reason = CRL_CA_COMPROMISE}};
	struct crl_list *list = crl_list_new();
	struct crl_read crl;
	struct buf der;
	X509_CRL *built;
	uint8_t *tbs = NULL;
	size_t i;
	int len;

	for (i = 0; i < COUNT(entries); i++) {
		struct crl_item item = {.revoked_at = entries[i].revoked_at,
		    .reason = entries[i].reason};

		memset(entries[i].serial, 0x21 + (int)i, SERIAL_LEN);
		ck_assert(crl_serial_set(
		    item.serial, entries[i].serial, SERIAL_LEN, NULL));
		ck_assert(crl_list_append(list, &item, NULL));
	}
	with.entries = entries;
	with.entry_count = COUNT(entries);
	built = crl_build(&with, NULL);
	ck_assert(sign_crl(built, p.root, p.root_key, NULL));
	len = i2d_re_X509_CRL_tbs(built, &tbs);
	der = crl_der_of(&spec, list, p.root_key);
	crl = crl_opened(&der);
	ck_assert_uint_eq(crl.tbs.len, (size_t)len);
	ck_assert_mem_eq(crl.tbs.at, tbs, (size_t)len);
	OPENSSL_free(tbs);
	X509_CRL_free(built);
	buf_free(&der);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

/* ---------------------------------------------------------------- signing */

/* A root on P-384: SHA-384 (RFC 5758 §3.2). */
START_TEST(signs_with_either_curve)
{
	static const char *const curves[] = {"P-256", "P-384"};
	size_t i;

	for (i = 0; i < COUNT(curves); i++) {
		EVP_PKEY *key = EVP_EC_gen(curves[i]);
		struct cert_spec root = pki_spec(PROFILE_ROOT, key, NULL, 1);
		X509 *cert = cert_build(&root, NULL);
		struct crl_spec spec;
		struct crl_list *list = crl_list_of(40);
		struct crl_read crl;
		struct buf der;
		X509_CRL *theirs;

		ck_assert(sign_cert(cert, cert, key, NULL));
		spec = crl_spec_of(cert);
		is_the_long_way(&spec, list, key);
		der = crl_der_of(&spec, list, key);
		theirs = crl_decode(der.data, der.len, NULL);
		ck_assert_ptr_nonnull(theirs);
		ck_assert_int_eq(X509_CRL_verify(theirs, key), 1);
		crl = crl_opened(&der);
		ck_assert(crl.sha384 == (i == 1));
		ck_assert(crl_read_verify(&crl, cert, NULL));
		X509_CRL_free(theirs);
		buf_free(&der);
		crl_list_free(list);
		X509_free(cert);
		EVP_PKEY_free(key);
	}
}
END_TEST

/* ECDSA-Sig-Values differ in length, and so do the lists. */
START_TEST(a_recorded_signature_makes_the_same_list)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(3);
	struct crl_signature recorded = {.len = 0};
	struct crl_draft *draft;
	struct crl_written written;
	struct crl_read crl;
	struct buf der, again = BUF_INIT;
	int i;

	for (i = 0; i < 50; i++) {
		der = crl_der_of(&spec, list, p.key);
		crl = crl_opened(&der);
		ck_assert(crl_read_verify(&crl, p.cert, NULL));
		recorded.len = crl.signature.len;
		memcpy(recorded.der, crl.signature.at, recorded.len);
		draft = crl_draft_new(&spec, list, NULL);
		buf_reset(&again);
		ck_assert(crl_draft_write(
		    draft, &recorded, crl_gather, &again, &written, NULL));
		ck_assert_uint_eq(again.len, der.len);
		ck_assert_mem_eq(again.data, der.data, der.len);
		crl_draft_free(draft);
		buf_free(&der);
	}
	buf_free(&again);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

START_TEST(only_the_issuers_key_signs)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(1);
	struct crl_draft *draft = crl_draft_new(&spec, list, NULL);
	struct crl_signature signature;
	struct err err = {.code = ERR_NONE};

	ck_assert(!sign_crl_draft(draft, p.root_key, &signature, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
	crl_draft_free(draft);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

START_TEST(no_signature_no_list)
{
	static const size_t lens[] = {0, 7, CRL_SIGNATURE_MAX + 1};
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(1);
	struct crl_draft *draft = crl_draft_new(&spec, list, NULL);
	struct crl_signature signature = {.len = 0};
	struct crl_written written;
	struct buf der = BUF_INIT;
	struct err err;
	size_t i;

	for (i = 0; i < COUNT(lens); i++) {
		err_clear(&err);
		signature.len = lens[i];
		ck_assert(!crl_draft_write(
		    draft, &signature, crl_gather, &der, &written, &err));
		ck_assert_int_eq(err.code, ERR_MALFORMED);
	}
	ck_assert_uint_eq(der.len, 0);
	crl_draft_free(draft);
	crl_draft_free(NULL);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

/* ------------------------------------------------------------------ sinks */

struct room {
	size_t left;
	size_t largest;
};

static bool
fill(void *ctx, const void *data, size_t len, struct err *err)
{
	struct room *room = ctx;

	(void)data;
	room->largest = len > room->largest ? len : room->largest;
	if (len > room->left)
		return err_set(err, ERR_SYSTEM, "the disk is full");
	room->left -= len;
	return true;
}

/* A million octets and more, by pieces. */
START_TEST(large_lists_come_in_pieces)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(30000);
	struct crl_draft *draft = crl_draft_new(&spec, list, NULL);
	struct room room = {SIZE_MAX, 0};
	struct crl_signature signature;
	struct crl_written written;
	struct err err = {.code = ERR_NONE};
	size_t left, len;

	ck_assert(sign_crl_draft(draft, p.key, &signature, NULL));
	ck_assert(
	    crl_draft_write(draft, &signature, fill, &room, &written, NULL));
	ck_assert_uint_gt(written.len, 1000000);
	ck_assert_uint_eq(SIZE_MAX - room.left, written.len);
	ck_assert_uint_le(room.largest, 65536);
	/* A full disk is told, wherever it is. */
	len = written.len;
	for (left = 0; left < len; left += 70000) {
		err_clear(&err);
		room.left = left;
		ck_assert(!crl_draft_write(
		    draft, &signature, fill, &room, &written, &err));
		ck_assert_str_eq(err.detail, "the disk is full");
	}
	crl_draft_free(draft);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

START_TEST(as_pem_on_its_way)
{
	static struct pem_writer pem;
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(3000);
	X509_CRL *crl = long_way(&spec, list, p.key);
	struct crl_signature signature = signature_of(crl);
	struct crl_draft *draft = crl_draft_new(&spec, list, NULL);
	struct buf theirs = BUF_INIT, ours = BUF_INIT;
	struct crl_written written;

	ck_assert(crl_encode_pem(crl, &theirs, NULL));
	pem_writer_begin(&pem, "X509 CRL", crl_gather, &ours);
	ck_assert(crl_draft_write(
	    draft, &signature, pem_writer_add, &pem, &written, NULL));
	ck_assert(pem_writer_end(&pem, NULL));
	ck_assert_uint_eq(ours.len, theirs.len);
	ck_assert_mem_eq(ours.data, theirs.data, theirs.len);
	crl_draft_free(draft);
	X509_CRL_free(crl);
	buf_free(&ours);
	buf_free(&theirs);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

/* ---------------------------------------------------------------- refusals */

static void
refuses(const struct crl_spec *spec, enum err_code code)
{
	struct crl_list *list = crl_list_of(1);
	struct err err = {.code = ERR_NONE};

	ck_assert_ptr_null(crl_draft_new(spec, list, &err));
	ck_assert_int_eq(err.code, code);
	crl_list_free(list);
}

START_TEST(impossible_frames_are_refused)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_entry entry = {.revoked_at = pki_now};
	EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct crl_spec spec = crl_spec_of(p.cert);

	spec.next_update = spec.this_update;
	refuses(&spec, ERR_MALFORMED);
	spec = crl_spec_of(p.cert);
	spec.this_update = -1;
	refuses(&spec, ERR_MALFORMED);
	spec = crl_spec_of(p.cert);
	spec.next_update = CRL_NEVER + 1;
	refuses(&spec, ERR_MALFORMED);
	spec = crl_spec_of(p.cert);
	spec.number = (uint64_t)INT64_MAX + 1;
	refuses(&spec, ERR_MALFORMED);
	spec = crl_spec_of(p.cert);
	spec.entries = &entry;
	spec.entry_count = 1;
	refuses(&spec, ERR_MALFORMED);
	spec = crl_spec_of(p.cert);
	ck_assert_int_eq(X509_set_pubkey(p.cert, ed25519), 1);
	refuses(&spec, ERR_REFUSED);
	EVP_PKEY_free(ed25519);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("crl_write", lists_of_all_sizes, serials_of_all_lengths,
    times_on_both_sides_of_2050, numbers_of_all_lengths, a_ceremonys_list,
    signs_with_either_curve, a_recorded_signature_makes_the_same_list,
    only_the_issuers_key_signs, no_signature_no_list,
    large_lists_come_in_pieces, as_pem_on_its_way,
    impossible_frames_are_refused)
