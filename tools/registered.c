/* SPDX-License-Identifier: ISC */
/* The CAs that the database knows: see registered.h, pappus.setup_issuers. */
#include "tools/registered.h"

#include <stdlib.h>
#include <string.h>

#include "tools/pappus.h"

/* The columns of STATEMENT_SETUP_ISSUERS. */
enum {
	ISSUER_ID,
	PARENT_ID,
	PURPOSE,
	STATE,
	SKI,
	CERTIFICATE,
	CRL_URL,
	REVOKED_AT,
	CRL_NUMBER,
	CRL_DER
};

static bool
load(const struct db_rows *rows, size_t row, struct registered *ca,
    struct err *err)
{
	const char *url = db_rows_str(rows, row, CRL_URL);
	struct buf der = BUF_INIT;
	bool ok;

	*ca = (struct registered){.id = db_rows_int(rows, row, ISSUER_ID),
	    .parent_id = db_rows_int(rows, row, PARENT_ID),
	    .revoked = !db_rows_null(rows, row, REVOKED_AT),
	    .has_crl = !db_rows_null(rows, row, CRL_NUMBER),
	    .crl_number = (uint64_t)db_rows_int(rows, row, CRL_NUMBER),
	    .crl_url = strdup(url == NULL ? "" : url)};
	if (ca->crl_url == NULL)
		abort();
	db_rows_bytea(rows, row, CRL_DER, &ca->crl);
	db_rows_bytea(rows, row, CERTIFICATE, &der);
	ca->cert = cert_decode(der.data, der.len, err);
	ok = ca->cert != NULL && cert_ski(ca->cert, ca->ski, err) &&
	     (purpose_parse(db_rows_str(rows, row, PURPOSE), &ca->purpose) ||
		 err_set(err, ERR_MISMATCH, "an issuer of another purpose"));
	buf_free(&der);
	return ok;
}

bool
registered_load(struct db *db, struct registered_list *list, struct err *err)
{
	struct db_rows *rows;
	bool ok = true;
	size_t n;

	*list = (struct registered_list){NULL, 0};
	if (!database_call(db, STATEMENT_SETUP_ISSUERS, NULL, &rows, err))
		return false;
	n = db_rows_count(rows);
	list->cas = calloc(n + 1, sizeof(*list->cas));
	if (list->cas == NULL)
		abort();
	for (; ok && list->n < n; list->n++)
		ok = load(rows, list->n, &list->cas[list->n], err);
	db_rows_free(rows);
	return ok;
}

void
registered_free(struct registered_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		X509_free(list->cas[i].cert);
		free(list->cas[i].crl_url);
		buf_free(&list->cas[i].crl);
	}
	free(list->cas);
	*list = (struct registered_list){NULL, 0};
}

const struct registered *
registered_find(
    const struct registered_list *list, const uint8_t *ski, size_t len)
{
	size_t i;

	for (i = 0; i < list->n && len == CERT_KEY_ID_LEN; i++)
		if (memcmp(list->cas[i].ski, ski, len) == 0)
			return &list->cas[i];
	return NULL;
}

void
registered_name(const struct registered *ca, char out[80])
{
	if (X509_NAME_get_text_by_NID(
		X509_get_subject_name(ca->cert), NID_commonName, out, 80) < 0)
		strcpy(out, "?");
}
