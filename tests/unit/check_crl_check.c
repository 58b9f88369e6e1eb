/* SPDX-License-Identifier: ISC */
/* Tests of cert/crl_check.h. */
#include "cert/crl_check.h"

#include "crl.h"

/* A list and the same written. */
struct fixture {
	struct pki pki;
	struct crl_spec spec;
	struct crl_list *list;
	struct buf der;
};

static struct fixture
fixture_new(unsigned int count)
{
	struct fixture f = {.pki = pki_new(PROFILE_DEVICE_CA)};

	f.spec = crl_spec_of(f.pki.cert);
	f.list = crl_list_of(count);
	f.der = crl_der_of(&f.spec, f.list, f.pki.key);
	return f;
}

static void
fixture_free(struct fixture *f)
{
	crl_list_free(f->list);
	buf_free(&f->der);
	pki_free(&f->pki);
}

static void
change(struct crl_list *list, struct crl_item item, bool removed)
{
	struct crl_change change = {item, removed};

	ck_assert(crl_list_apply(list, &change, 1, NULL));
}

/* ------------------------------------------------------------------ same */

static bool
is_same(const struct fixture *f, struct err *err)
{
	struct crl_read crl;
	bool same = crl_check_written(
	    f->der.data, f->der.len, false, f->list, &crl, err);

	ck_assert(!same || crl.count == crl_list_count(f->list));
	ck_assert(crl_read_verify(&crl, f->pki.cert, NULL));
	return same;
}

static void
differs(const struct fixture *f)
{
	struct err err = {.code = ERR_NONE};

	ck_assert(!is_same(f, &err));
	ck_assert_int_eq(err.code, ERR_MISMATCH);
}

START_TEST(a_list_is_the_same_as_it_is_written)
{
	struct fixture f = fixture_new(500);
	struct crl_item item;

	ck_assert(is_same(&f, NULL));
	change(f.list, crl_item_of(500), false);
	differs(&f);
	change(f.list, crl_item_of(3), true);
	differs(&f); /* as many, but others */
	change(f.list, crl_item_of(500), true);
	differs(&f);
	item = crl_item_of(3);
	item.revoked_at++;
	change(f.list, item, false);
	differs(&f);
	item = crl_item_of(3);
	item.reason = CRL_CESSATION;
	change(f.list, item, false);
	differs(&f);
	change(f.list, crl_item_of(3), false);
	ck_assert(is_same(&f, NULL));
	fixture_free(&f);
}
END_TEST

START_TEST(no_entries_are_the_same_as_none)
{
	struct fixture f = fixture_new(0);

	ck_assert(is_same(&f, NULL));
	change(f.list, crl_item_of(1), false);
	differs(&f);
	fixture_free(&f);
}
END_TEST

/* ------------------------------------------------------------------ kept */

/* Which may be gone, and how many were asked for. */
struct gone {
	unsigned int may; /* go, and no other */
	int asked;
};

static bool
may_go(void *ctx, const struct crl_item *item)
{
	struct gone *gone = ctx;
	struct crl_item want = crl_item_of(gone->may);

	gone->asked++;
	return memcmp(item->serial, want.serial, CRL_SERIAL_MAX) == 0;
}

/* Both ways to look at the old list say the same. */
static bool
kept(const struct fixture *old, const struct crl_list *new, struct gone *gone)
{
	struct err err = {.code = ERR_NONE}, again = {.code = ERR_NONE};
	crl_gone_fn *fn = gone == NULL ? NULL : may_go;
	struct crl_read crl;
	bool ok = crl_check_kept(old->list, pki_now, new, fn, gone, &err);

	ck_assert(crl_check_published(old->der.data, old->der.len, false, new,
		      fn, gone, &crl, &again) == ok);
	/* Whoever doubts the old list can look who signed it. */
	ck_assert(crl_read_verify(&crl, old->pki.cert, NULL));
	ck_assert(ok == (err.code == ERR_NONE));
	ck_assert_int_eq(err.code, again.code);
	ck_assert_str_eq(err.detail, again.detail);
	ck_assert(ok || err.code == ERR_MISMATCH);
	return ok;
}

static bool
published_kept(const struct buf *der, const struct crl_list *new)
{
	struct crl_read crl;

	return crl_check_published(
	    der->data, der->len, false, new, NULL, NULL, &crl, NULL);
}

/* It may be anything: then it is no reason to say that something is lost. */
START_TEST(a_damaged_list_is_told_from_a_loss)
{
	struct fixture f = fixture_new(50);
	struct crl_read crl;
	struct err err = {.code = ERR_NONE};

	ck_assert(!crl_check_published(
	    f.der.data, f.der.len - 1, false, f.list, NULL, NULL, &crl, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	err_clear(&err);
	ck_assert(!crl_check_written(
	    f.der.data, f.der.len - 1, false, f.list, &crl, &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	fixture_free(&f);
}
END_TEST

START_TEST(nothing_is_lost_before_its_time)
{
	struct fixture f = fixture_new(500);
	struct crl_list *new = crl_list_copy(f.list);
	struct gone gone = {17, 0};
	unsigned int i;

	ck_assert(kept(&f, new, NULL));
	change(new, crl_item_of(1000), false);
	ck_assert(kept(&f, new, NULL));
	for (i = 0; i < 500; i += 7) {
		struct crl_item item = crl_item_of(i);

		change(new, item, true);
		ck_assert(kept(&f, new, NULL) == (item.reason == CRL_HOLD));
		change(new, item, false);
	}
	ck_assert(kept(&f, new, &gone));
	ck_assert_int_eq(gone.asked, 0);
	change(new, crl_item_of(17), true);
	ck_assert(kept(&f, new, &gone));
	ck_assert_int_eq(gone.asked, 2);
	gone.may = 18;
	ck_assert(!kept(&f, new, &gone));
	crl_list_free(new);
	fixture_free(&f);
}
END_TEST

START_TEST(the_lost_one_is_named)
{
	struct fixture f = fixture_new(3);
	struct crl_list *none = crl_list_new();
	struct err err = {.code = ERR_NONE};

	ck_assert(!crl_check_kept(f.list, pki_now, none, NULL, NULL, &err));
	ck_assert_str_eq(err.detail, "serial 5a000000005a5a5a5a5a5a5a5a5a5a5a "
				     "would be lost from the CRL");
	crl_list_free(none);
	fixture_free(&f);
}
END_TEST

/* A hold is released, becomes final, and never the other way. */
START_TEST(holds_come_and_go)
{
	enum { HELD = 6, FINAL = 7 };
	struct fixture f = fixture_new(20);
	struct crl_list *new = crl_list_copy(f.list);
	struct gone gone = {FINAL, 0};
	struct crl_item item = crl_item_of(HELD);

	ck_assert_int_eq(item.reason, CRL_HOLD);
	change(new, item, true);
	ck_assert(kept(&f, new, NULL));
	item.reason = CRL_KEY_COMPROMISE;
	change(new, item, false);
	ck_assert(kept(&f, new, NULL));
	item = crl_item_of(FINAL);
	item.reason = CRL_HOLD;
	change(new, item, false);
	ck_assert(!kept(&f, new, NULL));
	ck_assert(!kept(&f, new, &gone));
	crl_list_free(new);
	fixture_free(&f);
}
END_TEST

/* RFC 5280 §3.3: what the old list has seen out. */
START_TEST(what_has_ended_may_go)
{
	struct fixture f = fixture_new(50);
	struct crl_list *new = crl_list_copy(f.list);
	struct err err = {.code = ERR_NONE};

	/* The n-th ends n seconds after pki_now. */
	ck_assert_uint_eq(crl_list_expire(new, pki_now + 20, NULL, NULL), 20);
	ck_assert(crl_check_kept(f.list, pki_now + 20, new, NULL, NULL, NULL));
	ck_assert(!crl_check_kept(f.list, pki_now + 19, new, NULL, NULL, &err));
	ck_assert_msg(
	    strstr(err.detail, "5a00000013") != NULL, "%s", err.detail);
	/* Of a published list it isn't known. */
	ck_assert(!published_kept(&f.der, new));
	crl_list_free(new);
	fixture_free(&f);
}
END_TEST

/* A list that others made, its entries in another order. */
START_TEST(the_published_one_may_be_in_any_order)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.root);
	struct crl_list *new = crl_list_of(100);
	X509_CRL *crl = crl_build(&spec, NULL);
	struct buf der = BUF_INIT;
	struct crl_read old;
	unsigned int n;

	for (n = 0; n < 100; n++) {
		struct crl_item item = crl_item_of(n * 37 % 100);
		X509_REVOKED *entry = X509_REVOKED_new();
		ASN1_TIME *time = cert_time_new(item.revoked_at);
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_STRING_set(serial,
		    item.serial + CRL_SERIAL_MAX - SERIAL_LEN, SERIAL_LEN);
		X509_REVOKED_set_serialNumber(entry, serial);
		X509_REVOKED_set_revocationDate(entry, time);
		X509_CRL_add0_revoked(crl, entry);
		ASN1_INTEGER_free(serial);
		ASN1_TIME_free(time);
	}
	ck_assert(sign_crl(crl, p.root, p.root_key, NULL));
	ck_assert(crl_encode_der(crl, &der, NULL));
	old = crl_opened(&der);
	ck_assert(!old.sorted);
	ck_assert_uint_eq(old.count, 100);
	/* All reasons are unspecified there: the holds are lost ones. */
	ck_assert(!published_kept(&der, new));
	for (n = 6; n < 100; n += 9) {
		struct crl_item item = crl_item_of(n);

		item.reason = CRL_SUPERSEDED;
		change(new, item, false);
	}
	ck_assert(published_kept(&der, new));
	change(new, crl_item_of(41), true);
	ck_assert(!published_kept(&der, new));
	X509_CRL_free(crl);
	buf_free(&der);
	crl_list_free(new);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("crl_check", a_list_is_the_same_as_it_is_written,
    no_entries_are_the_same_as_none, a_damaged_list_is_told_from_a_loss,
    nothing_is_lost_before_its_time, the_lost_one_is_named, holds_come_and_go,
    what_has_ended_may_go, the_published_one_may_be_in_any_order)
