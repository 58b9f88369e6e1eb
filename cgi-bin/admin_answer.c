/* SPDX-License-Identifier: ISC */
/* What the handlers of admin share: see admin.h. */
#include "cgi-bin/admin.h"

#include <stdlib.h>
#include <string.h>

#include "request/problem.h"

enum { PAGE_SIZE_MAX = 1000, FILTERS_MAX = 16, FILTER_CHARS = 256 };

bool
admin_path_names(struct call *call, enum name_kind kind)
{
	if (name_valid(kind, call->arg, strlen(call->arg))) {
		if (kind == NAME_DEVICE)
			memcpy(call->rs->device_id, call->arg, NAME_MAX_LEN);
		return true;
	}
	problem_respond(call->rs, call->rq, PROBLEM_NOT_FOUND,
	    "There is nothing with this id.");
	return false;
}

bool
admin_read(struct call *call, struct json_field *fields, size_t n)
{
	struct err err = {0};

	if (json_read(call->rq->body.data, call->rq->body.len, fields, n, &err))
		return true;
	problem_respond_err(call->rs, call->rq, &err);
	return false;
}

void
admin_act(struct call *call, enum statement statement, const char *const *args)
{
	management_call(call->program, call, statement, args, &call->rs->body);
}

/* The page size as text, or NULL: the response is a 400. */
static const char *
page_size(struct call *call, const char *limit)
{
	char *end;
	long size;

	if (limit == NULL)
		return "100";
	size = strtol(limit, &end, 10);
	if (*limit >= '1' && *limit <= '9' && *end == '\0' &&
	    size <= PAGE_SIZE_MAX)
		return limit;
	problem_respond(call->rs, call->rq, PROBLEM_BAD_REQUEST,
	    "limit must be a number from 1 to 1000.");
	return NULL;
}

/* The filters that were given, as a JSON object. */
static void
add_filters(struct buf *out, const struct form_field *fields, size_t n)
{
	size_t i;

	json_begin(out);
	for (i = 0; i < n; i++)
		if (fields[i].value != NULL)
			json_str(out, fields[i].name, fields[i].value);
	json_end(out);
}

void
admin_list(struct call *call, enum statement statement, const char *head,
    const char *const *filters, size_t n)
{
	enum { LIMIT, CURSOR, FILTERS };
	struct form_field fields[FILTERS + FILTERS_MAX] = {
	    [LIMIT] = {"limit", 1, 4, NULL},
	    [CURSOR] = {"cursor", 1, 256, NULL},
	};
	struct buf filter = BUF_INIT;
	const char *args[3], *size;
	struct err err = {0};
	size_t i, at = 0;

	for (i = 0; i < n; i++)
		fields[FILTERS + i] =
		    (struct form_field){filters[i], 1, FILTER_CHARS, NULL};
	if (!form_parse_query(call->rq->query, fields, FILTERS + n, &err)) {
		problem_respond_err(call->rs, call->rq, &err);
		goto out;
	}
	size = page_size(call, fields[LIMIT].value);
	if (size == NULL)
		goto out;
	add_filters(&filter, fields + FILTERS, n);
	if (n > 0)
		args[at++] = buf_str(&filter);
	else if (head != NULL)
		args[at++] = head;
	args[at++] = size;
	args[at++] = fields[CURSOR].value;
	admin_act(call, statement, args);
out:
	form_fields_free(fields, FILTERS + n);
	buf_free(&filter);
}

void
admin_act_with_token(struct call *call, enum statement statement,
    const char *const *args, const char *member, const char *token)
{
	struct buf document = BUF_INIT;
	struct buf *body = &call->rs->body;

	if (management_call(call->program, call, statement, args, &document)) {
		json_begin(body);
		json_str(body, member, token);
		buf_add_byte(body, ',');
		buf_add(body, document.data + 1, document.len - 1);
	}
	buf_free(&document);
}
