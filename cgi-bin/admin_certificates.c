/* SPDX-License-Identifier: ISC */
/* Certificates and the CAs that issue them: handlers of admin. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgi-bin/admin.h"
#include "request/problem.h"

enum { SERIAL_HEX_MIN = 2, SERIAL_HEX_MAX = 40 }; /* RFC 5280 §4.1.2.2 */

/* Serials are written in lower-case hex, two digits an octet. */
static bool
path_is_serial(struct call *call)
{
	size_t len = strlen(call->arg);

	if (len >= SERIAL_HEX_MIN && len <= SERIAL_HEX_MAX && len % 2 == 0 &&
	    strspn(call->arg, "0123456789abcdef") == len)
		return true;
	problem_respond(call->rs, call->rq, PROBLEM_NOT_FOUND,
	    "A serial is 2 to 40 digits of lower-case hex, two an octet.");
	return false;
}

void
certificates_get(struct call *call)
{
	static const char *const filters[] = {
	    "device_id", "issuer_id", "spki_sha256", "project_id"};

	admin_list(call, STATEMENT_CERTIFICATE_LIST, NULL, filters,
	    sizeof(filters) / sizeof(filters[0]));
}

void
certificate_get(struct call *call)
{
	const char *args[] = {call->arg};

	if (path_is_serial(call))
		admin_act(call, STATEMENT_CERTIFICATE_GET, args);
}

void
certificate_revoke(struct call *call)
{
	enum { REASON, CODE, FIELDS };
	struct json_field fields[FIELDS] = {
	    [REASON] = {.key = "reason",
		.min = 1,
		.max = ADMIN_REASON_MAX,
		.required = true},
	    [CODE] = {.key = "reason_code", .kind = JSON_NUMBER, .max = 10},
	};
	char code[24];
	const char *args[] = {call->arg, NULL, code};

	if (!path_is_serial(call) || !admin_read(call, fields, FIELDS))
		return;
	snprintf(code, sizeof(code), "%" PRId64, fields[CODE].number);
	args[1] = fields[REASON].value;
	admin_act(call, STATEMENT_CERTIFICATE_REVOKE, args);
	json_fields_free(fields, FIELDS);
}

void
issuers_get(struct call *call)
{
	admin_act(call, STATEMENT_ISSUER_LIST, NULL);
}

void
issuer_patch(struct call *call)
{
	enum { STATE, SHARED, FIELDS };
	struct json_field fields[FIELDS] = {
	    [STATE] = {.key = "state", .min = 1, .max = 16},
	    [SHARED] = {.key = "shared", .kind = JSON_BOOL},
	};
	struct buf document = BUF_INIT;
	const char *args[] = {call->arg, NULL};
	size_t len = strlen(call->arg);

	/* Nine digits fit PostgreSQL's integer. */
	if (len > 9 || strspn(call->arg, "0123456789") != len) {
		problem_respond(call->rs, call->rq, PROBLEM_NOT_FOUND,
		    "There is nothing with this id.");
		return;
	}
	if (!admin_read(call, fields, FIELDS))
		return;
	json_begin(&document);
	json_fields(&document, fields, FIELDS);
	json_end(&document);
	args[1] = buf_str(&document);
	admin_act(call, STATEMENT_ISSUER_UPDATE, args);
	buf_free(&document);
	json_fields_free(fields, FIELDS);
}
