/* SPDX-License-Identifier: ISC */
/* Projects and their enrolment tokens: handlers of admin. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cgi-bin/admin.h"
#include "encoding/hex.h"

enum {
	COUNT_MAX = 2147483647,	 /* PostgreSQL's integer */
	HOUR_MAX = 1000,	 /* certificates a device and hour */
	EXPIRES_MIN = 60,	 /* seconds */
	EXPIRES_MAX = 315360000, /* ten years */
	GRACE_MAX = 604800,	 /* a week */
	CIDR_MAX = 49
};

enum {
	NAME,
	STATE,
	REISSUE_POLICY,
	DEVICE_LIMIT,
	ISSUE_LIMIT,
	DEVICE_ISSUER_ID,
	PROJECT_FIELDS
};

/* What a project may be given; which words are policies the database says. */
static const struct json_field project_fields[PROJECT_FIELDS] = {
    [NAME] = {.key = "name", .min = 1, .max = 128},
    [STATE] = {.key = "state", .min = 1, .max = 16},
    [REISSUE_POLICY] = {.key = "reissue_policy", .min = 1, .max = 16},
    [DEVICE_LIMIT] = {.key = "device_limit",
	.kind = JSON_NUMBER,
	.min = 1,
	.max = COUNT_MAX,
	.nullable = true},
    [ISSUE_LIMIT] = {.key = "issue_limit",
	.kind = JSON_NUMBER,
	.min = 1,
	.max = HOUR_MAX},
    [DEVICE_ISSUER_ID] = {.key = "device_issuer_id",
	.kind = JSON_NUMBER,
	.min = 1,
	.max = COUNT_MAX,
	.nullable = true},
};

/* Send what the body says of the project called id to a function. */
static void
write_project(struct call *call, enum statement statement, const char *id,
    bool name_required)
{
	struct json_field fields[PROJECT_FIELDS];
	struct buf document = BUF_INIT;
	const char *args[] = {id, NULL};

	memcpy(fields, project_fields, sizeof(fields));
	fields[NAME].required = name_required;
	if (!admin_read(call, fields, PROJECT_FIELDS))
		return;
	json_begin(&document);
	json_fields(&document, fields, PROJECT_FIELDS);
	json_end(&document);
	args[1] = buf_str(&document);
	admin_act(call, statement, args);
	buf_free(&document);
	json_fields_free(fields, PROJECT_FIELDS);
}

void
projects_get(struct call *call)
{
	admin_list(call, STATEMENT_PROJECT_LIST, NULL, NULL, 0);
}

void
projects_post(struct call *call)
{
	char id[NAME_MAX_LEN + 1], location[64 + NAME_MAX_LEN];

	name_generate(NAME_PROJECT, clock_wall_ms(), id);
	write_project(call, STATEMENT_PROJECT_CREATE, id, true);
	if (call->rs->status != 201)
		return;
	snprintf(location, sizeof(location), "/admin/v1/projects/%s", id);
	http_response_header(call->rs, "Location", location);
}

void
project_get(struct call *call)
{
	const char *args[] = {call->arg};

	if (admin_path_names(call, NAME_PROJECT))
		admin_act(call, STATEMENT_PROJECT_GET, args);
}

void
project_patch(struct call *call)
{
	if (admin_path_names(call, NAME_PROJECT))
		write_project(call, STATEMENT_PROJECT_UPDATE, call->arg, false);
}

void
enrollment_tokens_get(struct call *call)
{
	if (admin_path_names(call, NAME_PROJECT))
		admin_list(
		    call, STATEMENT_ENROLLMENT_TOKEN_LIST, call->arg, NULL, 0);
}

/* Make a token with these options; the earlier ones die with it. */
static void
regenerate(struct call *call, const char *options)
{
	char id[NAME_MAX_LEN + 1], token[TOKEN_LEN + 1];
	char digest[2 + 2 * TOKEN_DIGEST_LEN + 1] = "\\x";
	const char *args[] = {call->arg, id, digest, options};
	struct token_secret secret;

	name_generate(NAME_ENROLLMENT_TOKEN, clock_wall_ms(), id);
	token_secret_generate(&secret);
	token_format(TOKEN_ENROLLMENT, id, &secret, token);
	hex_encode(secret.digest, TOKEN_DIGEST_LEN, digest + 2);
	admin_act_with_token(call, STATEMENT_ENROLLMENT_TOKEN_REGENERATE, args,
	    "enrollment_token", token);
	explicit_bzero(token, sizeof(token));
	token_secret_wipe(&secret);
}

void
enrollment_tokens_post(struct call *call)
{
	struct json_field fields[] = {
	    {.key = "expires_in",
		.kind = JSON_NUMBER,
		.min = EXPIRES_MIN,
		.max = EXPIRES_MAX},
	    {.key = "max_uses",
		.kind = JSON_NUMBER,
		.min = 1,
		.max = COUNT_MAX},
	    {.key = "allowed_cidrs",
		.kind = JSON_STRINGS,
		.min = 1,
		.max = CIDR_MAX},
	    {.key = "grace", .kind = JSON_NUMBER, .max = GRACE_MAX},
	};
	const size_t n = sizeof(fields) / sizeof(fields[0]);
	struct buf options = BUF_INIT;

	if (!admin_path_names(call, NAME_PROJECT))
		return;
	/* Nothing to say is fine, too: all has its default. */
	if (call->rq->body.len > 0 && !admin_read(call, fields, n))
		return;
	json_begin(&options);
	json_fields(&options, fields, n);
	json_end(&options);
	regenerate(call, buf_str(&options));
	buf_free(&options);
	json_fields_free(fields, n);
}

void
enrollment_token_delete(struct call *call)
{
	const char *args[] = {call->arg};

	if (admin_path_names(call, NAME_ENROLLMENT_TOKEN))
		admin_act(call, STATEMENT_ENROLLMENT_TOKEN_INVALIDATE, args);
}
