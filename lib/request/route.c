/* SPDX-License-Identifier: ISC */
/* Routing: see route.h. */
#include "request/route.h"

#include <string.h>
#include <strings.h>

#include "request/problem.h"

/* Does path follow pattern?  Copies what stands at {…} into arg. */
static bool
matches(const char *pattern, const char *path, char arg[ROUTE_ARG_LEN + 1])
{
	size_t len;

	for (;;) {
		if (*pattern == '{') {
			len = strcspn(path, "/");
			if (len == 0 || len > ROUTE_ARG_LEN)
				return false;
			memcpy(arg, path, len);
			arg[len] = '\0';
			path += len;
			pattern = strchr(pattern, '}') + 1;
		}
		if (*pattern != *path)
			return false;
		if (*pattern == '\0')
			return true;
		pattern++;
		path++;
	}
}

static void
respond_method_not_allowed(
    struct call *call, const struct route *routes, size_t n)
{
	char arg[ROUTE_ARG_LEN + 1];
	struct buf allow = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		if (matches(routes[i].pattern, call->rq->path, arg))
			buf_add_fmt(&allow, "%s%s", allow.len > 0 ? ", " : "",
			    http_method_name(routes[i].method));
	problem_respond(call->rs, call->rq, PROBLEM_METHOD_NOT_ALLOWED,
	    "The path exists, but not for this method; see Allow.");
	http_response_header(call->rs, "Allow", buf_str(&allow));
	buf_free(&allow);
}

const struct route *
route_find(const struct route *routes, size_t n, struct call *call)
{
	const struct route *same_path = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!matches(routes[i].pattern, call->rq->path, call->arg))
			continue;
		call->route = routes[i].pattern;
		if (routes[i].method == call->rq->method)
			return &routes[i];
		same_path = &routes[i];
	}
	if (same_path != NULL)
		respond_method_not_allowed(call, routes, n);
	else
		problem_respond(call->rs, call->rq, PROBLEM_NOT_FOUND,
		    "There is nothing at this path.");
	return NULL;
}

bool
route_media_type_is(const char *header, const char *want)
{
	size_t len = strlen(want);

	if (header == NULL || strncasecmp(header, want, len) != 0)
		return false;
	header += len;
	header += strspn(header, " \t");
	return *header == '\0' || *header == ';';
}
