/* SPDX-License-Identifier: ISC */
/* Tests of request/route.h. */
#include "request/route.h"

#include <string.h>

#include "unit.h"

static void
handler(struct call *call)
{
	(void)call;
}

static const struct route routes[] = {
    {HTTP_GET, "/things", NULL, 0, ROLE_ANON, handler},
    {HTTP_POST, "/things", NULL, 0, ROLE_ANON, handler},
    {HTTP_GET, "/things/{thing}", NULL, 0, ROLE_ANON, handler},
    {HTTP_POST, "/things/{thing}/deny", NULL, 0, ROLE_ANON, handler},
};

struct fixture {
	struct http_request rq;
	struct http_response rs;
	struct call call;
};

static const struct route *
find(struct fixture *f, enum http_method method, const char *path)
{
	memset(f, 0, sizeof(*f));
	f->rq.method = method;
	f->rq.path = path;
	f->call.rq = &f->rq;
	f->call.rs = &f->rs;
	return route_find(routes, COUNT(routes), &f->call);
}

static void
done(struct fixture *f)
{
	buf_free(&f->rs.headers);
	buf_free(&f->rs.body);
}

START_TEST(test_finds_by_path_and_method)
{
	struct fixture f;

	ck_assert_ptr_eq(find(&f, HTTP_GET, "/things"), &routes[0]);
	ck_assert_ptr_eq(find(&f, HTTP_POST, "/things"), &routes[1]);
	ck_assert_ptr_eq(find(&f, HTTP_GET, "/things/a1"), &routes[2]);
	ck_assert_str_eq(f.call.arg, "a1");
	ck_assert_str_eq(f.call.route, "/things/{thing}");
	ck_assert_ptr_eq(find(&f, HTTP_POST, "/things/b2/deny"), &routes[3]);
	ck_assert_str_eq(f.call.arg, "b2");
}
END_TEST

START_TEST(test_what_is_not_there_is_404)
{
	const char *const paths[] = {"", "/", "/thing", "/things/", "/thingss",
	    "/things/a/b", "/things//deny", "/things/a/deny/", "/things/a/den"};
	struct fixture f;
	size_t i;

	for (i = 0; i < COUNT(paths); i++) {
		ck_assert_ptr_null(find(&f, HTTP_GET, paths[i]));
		ck_assert_int_eq(f.rs.status, 404);
		done(&f);
	}
}
END_TEST

START_TEST(test_an_argument_has_a_limit)
{
	char path[8 + ROUTE_ARG_LEN + 2] = "/things/";
	struct fixture f;

	memset(path + 8, 'x', ROUTE_ARG_LEN);
	ck_assert_ptr_nonnull(find(&f, HTTP_GET, path));
	path[8 + ROUTE_ARG_LEN] = 'x';
	path[8 + ROUTE_ARG_LEN + 1] = '\0';
	ck_assert_ptr_null(find(&f, HTTP_GET, path));
	done(&f);
}
END_TEST

START_TEST(test_another_method_is_405_with_allow)
{
	struct fixture f;

	ck_assert_ptr_null(find(&f, HTTP_DELETE, "/things"));
	ck_assert_int_eq(f.rs.status, 405);
	ck_assert_str_eq(buf_str(&f.rs.headers), "Allow: GET, POST\r\n");
	done(&f);
	ck_assert_ptr_null(find(&f, HTTP_OTHER, "/things/a/deny"));
	ck_assert_int_eq(f.rs.status, 405);
	ck_assert_str_eq(buf_str(&f.rs.headers), "Allow: POST\r\n");
	done(&f);
}
END_TEST

START_TEST(test_media_types)
{
	const char *const json = "application/json";

	ck_assert(route_media_type_is("application/json", json));
	ck_assert(
	    route_media_type_is("Application/JSON ; charset=utf-8", json));
	ck_assert(route_media_type_is("application/json;charset=utf-8", json));
	ck_assert(!route_media_type_is("application/jsonx", json));
	ck_assert(!route_media_type_is("application", json));
	ck_assert(!route_media_type_is("", json));
	ck_assert(!route_media_type_is(NULL, json));
}
END_TEST

UNIT_MAIN("route", test_finds_by_path_and_method, test_what_is_not_there_is_404,
    test_an_argument_has_a_limit, test_another_method_is_405_with_allow,
    test_media_types)
