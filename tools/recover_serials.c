/* SPDX-License-Identifier: ISC */
/* Revocations for pappus recover, a million or more, by arrays. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encoding/hex.h"
#include "tools/pappus.h"
#include "tools/recover.h"
#include "world/pgarray.h"

/* The parameters of setup_recover_revocations, in its order. */
enum { SKI, SERIALS, REASONS, TIMES, PARAMS };

static bool
send(struct recovery *r, struct recover_serials *s, struct err *err)
{
	struct err cause = {.code = ERR_NONE};
	struct buf ski = BUF_INIT;
	const char *params[PARAMS] = {NULL};
	struct db_rows *rows;
	int64_t changed;
	bool ok;

	if (s->ski != NULL)
		params[SKI] = param_bytea(&ski, s->ski, CERT_KEY_ID_LEN);
	params[SERIALS] = pgarray_end(&s->serials);
	params[REASONS] = pgarray_end(&s->reasons);
	params[TIMES] = pgarray_end(&s->times);
	ok = database_call(
	    r->db, STATEMENT_RECOVER_REVOCATIONS, params, &rows, &cause);
	if (ok) {
		changed = db_rows_int(rows, 0, 0);
		r->denials[DENIED_SERIALS] += changed;
		r->denials[DENIED_ALREADY] += (int64_t)s->n - changed;
		db_rows_free(rows);
	} else {
		err_set(err, cause.code, "%s: serials %zu to %zu: %s", s->path,
		    s->first, s->first + s->n - 1, cause.detail);
	}
	buf_free(&ski);
	buf_reset(&s->serials);
	buf_reset(&s->reasons);
	buf_reset(&s->times);
	s->first += s->n;
	s->n = 0;
	return ok;
}

bool
recover_serial(struct recovery *r, struct recover_serials *s,
    const uint8_t serial[CRL_SERIAL_MAX], int reason, int64_t revoked_at,
    struct err *err)
{
	char hex[HEX_LEN(CRL_SERIAL_MAX) + 1];
	const uint8_t *octets;
	size_t len;

	octets = crl_serial_octets(serial, &len);
	/* The database knows positive ones alone, as all of ours are. */
	if (len == 0 || octets[0] > 0x7f) {
		hex_encode(octets, len, hex);
		fprintf(stderr,
		    "pappus: %s: no certificate of ours has the serial %s; it "
		    "is left out\n",
		    s->path, hex);
		return true;
	}
	if (s->first == 0)
		s->first = 1;
	pgarray_bytea(&s->serials, octets, len);
	pgarray_int(&s->reasons, reason);
	pgarray_int(&s->times, revoked_at);
	s->n++;
	return s->n < RECOVER_SERIALS || send(r, s, err);
}

bool
recover_serials_end(
    struct recovery *r, struct recover_serials *s, struct err *err)
{
	return s->n == 0 || send(r, s, err);
}

void
recover_serials_free(struct recover_serials *s)
{
	buf_free(&s->serials);
	buf_free(&s->reasons);
	buf_free(&s->times);
}
