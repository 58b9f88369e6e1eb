/* SPDX-License-Identifier: ISC */
/* Devices: handlers of admin. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cgi-bin/admin.h"
#include "encoding/hex.h"

void
devices_get(struct call *call)
{
	static const char *const filters[] = {"project_id", "device_id",
	    "label", "external_id", "state", "enrollment_token_id",
	    "enrolled_after", "enrolled_before"};

	admin_list(call, STATEMENT_DEVICE_LIST, NULL, filters,
	    sizeof(filters) / sizeof(filters[0]));
}

void
device_get(struct call *call)
{
	const char *args[] = {call->arg};

	if (admin_path_names(call, NAME_DEVICE))
		admin_act(call, STATEMENT_DEVICE_GET, args);
}

/* Every act on a device has a reason, which the log of acts keeps. */
static const struct json_field reason_field = {
    .key = "reason",
    .min = 1,
    .max = ADMIN_REASON_MAX,
    .required = true,
};

static void
change_device(struct call *call, enum statement statement)
{
	struct json_field reason = reason_field;
	const char *args[] = {call->arg, NULL};

	if (!admin_path_names(call, NAME_DEVICE) ||
	    !admin_read(call, &reason, 1))
		return;
	args[1] = reason.value;
	admin_act(call, statement, args);
	json_fields_free(&reason, 1);
}

void
device_deny(struct call *call)
{
	change_device(call, STATEMENT_DEVICE_DENY);
}

void
device_allow(struct call *call)
{
	change_device(call, STATEMENT_DEVICE_ALLOW);
}

void
device_revoke(struct call *call)
{
	enum { REASON, CODE, FIELDS };
	struct json_field fields[FIELDS] = {
	    [REASON] = reason_field,
	    [CODE] = {.key = "reason_code", .kind = JSON_NUMBER, .max = 10},
	};
	char code[24];
	const char *args[] = {call->arg, NULL, code};

	if (!admin_path_names(call, NAME_DEVICE) ||
	    !admin_read(call, fields, FIELDS))
		return;
	snprintf(code, sizeof(code), "%" PRId64, fields[CODE].number);
	args[1] = fields[REASON].value;
	admin_act(call, STATEMENT_DEVICE_REVOKE, args);
	json_fields_free(fields, FIELDS);
}

/* The way back, from whatever state: a fresh token, and all before it dead. */
void
device_reset(struct call *call)
{
	char digest[2 + 2 * TOKEN_DIGEST_LEN + 1] = "\\x", token[TOKEN_LEN + 1];
	struct json_field reason = reason_field;
	const char *args[] = {call->arg, NULL, digest};
	struct token_secret secret;

	if (!admin_path_names(call, NAME_DEVICE) ||
	    !admin_read(call, &reason, 1))
		return;
	args[1] = reason.value;
	token_secret_generate(&secret);
	token_format(TOKEN_DEVICE, call->arg, &secret, token);
	hex_encode(secret.digest, TOKEN_DIGEST_LEN, digest + 2);
	admin_act_with_token(
	    call, STATEMENT_DEVICE_RESET, args, "device_token", token);
	explicit_bzero(token, sizeof(token));
	token_secret_wipe(&secret);
	json_fields_free(&reason, 1);
}
