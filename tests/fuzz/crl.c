/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the reader of CRLs.  What it takes is walked without a surprise, is
 * refused when it is cut or longer, and says what OpenSSL finds in it, where
 * OpenSSL takes it too.
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "cert/cert.h"
#include "cert/crl_check.h"

struct walk {
	uint8_t last[CRL_SERIAL_MAX];
	bool sorted;
	size_t count;
	struct crl_list *list; /* what the writer would take */
	bool taken;
};

static bool
walk_item(void *ctx, const struct crl_item *item, struct err *err)
{
	struct walk *walk = ctx;
	size_t len;

	(void)err;
	crl_serial_octets(item->serial, &len);
	MUST(len > 0 && item->serial[0] <= 0x7f);
	MUST(item->not_after == CRL_NEVER);
	MUST(item->revoked_at <= CRL_NEVER);
	MUST(crl_reason_name((int)item->reason) != NULL);
	if (memcmp(walk->last, item->serial, CRL_SERIAL_MAX) >= 0)
		walk->sorted = false;
	memcpy(walk->last, item->serial, CRL_SERIAL_MAX);
	walk->count++;
	if (!crl_list_append(walk->list, item, NULL))
		walk->taken = false;
	return true;
}

static void
must_walk(const struct crl_read *crl)
{
	struct walk walk = {.sorted = true, .taken = true};
	struct crl_read again;

	walk.list = crl_list_new();
	MUST(crl_read_each(crl, walk_item, &walk, NULL));
	MUST(walk.count == crl->count);
	MUST(walk.sorted == crl->sorted);
	if (walk.taken && crl_list_sort(walk.list, NULL)) {
		MUST(crl_check_written(crl->der.at, crl->der.len, false,
			 walk.list, &again, NULL) == walk.sorted);
		MUST(crl_check_published(crl->der.at, crl->der.len, false,
		    walk.list, NULL, NULL, &again, NULL));
	}
	crl_list_free(walk.list);
}

static void
must_be_time(const ASN1_TIME *time, int64_t seconds)
{
	int64_t theirs;

	MUST(cert_time(time, &theirs, NULL));
	MUST(theirs == seconds);
}

/* As many; no empty list of them. */
static void
must_have_entries(X509_CRL *crl, size_t count)
{
	const STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);

	MUST((size_t)(entries == NULL ? 0 : sk_X509_REVOKED_num(entries)) ==
	     count);
	MUST(entries == NULL || count > 0);
}

static void
must_agree(const uint8_t *data, size_t len, const struct crl_read *crl)
{
	X509_CRL *theirs = d2i_X509_CRL(NULL, &data, (long)len);
	uint64_t number;

	if (theirs != NULL) {
		MUST(X509_CRL_get_version(theirs) == X509_CRL_VERSION_2);
		MUST(crl_number(theirs, &number, NULL));
		MUST(number == crl->number);
		must_be_time(
		    X509_CRL_get0_lastUpdate(theirs), crl->this_update);
		must_be_time(
		    X509_CRL_get0_nextUpdate(theirs), crl->next_update);
		must_have_entries(theirs, crl->count);
	}
	X509_CRL_free(theirs);
	ERR_clear_error();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err = {.code = ERR_NONE};
	struct crl_read crl, cut;

	if (!crl_read_open(data, len, false, &crl, &err)) {
		must_explain(&err);
		MUST(err.code == ERR_MALFORMED || err.code == ERR_UNSUPPORTED);
		return 0;
	}
	MUST(crl.der.at == data && crl.der.len == len);
	MUST(crl.next_update > crl.this_update);
	MUST(crl.signature.len > 0 && crl.key_id.len > 0);
	must_walk(&crl);
	must_agree(data, len, &crl);
	MUST(!crl_read_open(data, len - 1, false, &cut, NULL));
	return 0;
}
