/* SPDX-License-Identifier: ISC */
/* Tests of request/problem.h. */
#include "request/problem.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "unit.h"

static const struct http_request rq = {
    .id = "0123456789abcdef0123456789abcdef",
};

static const char *
member(struct json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

START_TEST(test_every_problem_has_all_members)
{
	struct http_response rs;
	struct json_object *body;
	char type[80];
	int p;

	for (p = 0; p <= PROBLEM_UNAVAILABLE; p++) {
		memset(&rs, 0, sizeof(rs));
		problem_respond(&rs, &rq, (enum problem)p, "why \"so\"");
		body = json_tokener_parse(buf_str(&rs.body));
		ck_assert_ptr_nonnull(body);
		snprintf(type, sizeof(type), "urn:pappus:problem:%s",
		    problem_name((enum problem)p));
		ck_assert_str_eq(member(body, "type"), type);
		ck_assert_str_eq(member(body, "detail"), "why \"so\"");
		ck_assert_str_eq(member(body, "request_id"), rq.id);
		ck_assert_ptr_nonnull(member(body, "title"));
		ck_assert_int_eq(
		    json_object_get_int(json_object_object_get(body, "status")),
		    rs.status);
		ck_assert_str_eq(rs.content_type, "application/problem+json");
		ck_assert_int_eq(
		    strstr(buf_str(&rs.headers), "Retry-After: ") != NULL,
		    rs.status == 503);
		json_object_put(body);
		buf_free(&rs.body);
		buf_free(&rs.headers);
	}
}
END_TEST

START_TEST(test_what_fails_here_shows_no_detail)
{
	struct http_response rs = {0};
	struct err err = {0};

	err_set(&err, ERR_CRYPTO, "the key is 42");
	problem_respond_err(&rs, &rq, &err);
	ck_assert_int_eq(rs.status, 500);
	ck_assert_ptr_null(strstr(buf_str(&rs.body), "42"));
	buf_free(&rs.body);
}
END_TEST

START_TEST(test_bad_input_is_explained)
{
	const struct {
		enum err_code code;
		int status;
	} rows[] = {
	    {ERR_MALFORMED, 400},
	    {ERR_ENCODING, 400},
	    {ERR_DUPLICATE, 400},
	    {ERR_TOO_LONG, 400},
	    {ERR_UNSUPPORTED, 415},
	};
	struct http_response rs;
	struct err err;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		memset(&rs, 0, sizeof(rs));
		memset(&err, 0, sizeof(err));
		err_set(&err, rows[i].code, "label is odd");
		problem_respond_err(&rs, &rq, &err);
		ck_assert_int_eq(rs.status, rows[i].status);
		ck_assert_ptr_nonnull(
		    strstr(buf_str(&rs.body), "label is odd"));
		buf_free(&rs.body);
	}
}
END_TEST

UNIT_MAIN("problem", test_every_problem_has_all_members,
    test_what_fails_here_shows_no_detail, test_bad_input_is_explained)
