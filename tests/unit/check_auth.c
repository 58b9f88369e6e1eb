/* SPDX-License-Identifier: ISC */
/* Tests of request/auth.h. */
#include "request/auth.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { LINE = 256 };

struct fixture {
	char line[LINE];
	char *params[3];
	struct http_request rq;
	struct http_response rs;
	struct token token;
	char good[TOKEN_LEN + 1];
	char name[NAME_MAX_LEN + 1];
};

static void
setup(struct fixture *f, enum token_kind kind, enum name_kind name)
{
	struct token_secret secret;

	memset(f, 0, sizeof(*f));
	f->rq.params = f->params;
	name_generate(name, 1, f->name);
	token_secret_generate(&secret);
	token_format(kind, f->name, &secret, f->good);
}

static void
done(struct fixture *f)
{
	buf_free(&f->rs.headers);
	buf_free(&f->rs.body);
}

/* Present the header once, or twice, or not at all (value NULL). */
static bool
present(struct fixture *f, enum token_kind kind, const char *value, bool twice)
{
	done(f);
	memset(&f->rs, 0, sizeof(f->rs));
	memset(f->params, 0, sizeof(f->params));
	if (value != NULL) {
		snprintf(f->line, sizeof(f->line), "%s=%s",
		    kind == TOKEN_ENROLLMENT
			? "HTTP_THISTLE_DEVICE_ENROLLMENT_TOKEN"
			: "HTTP_AUTHORIZATION",
		    value);
		f->params[0] = f->line;
		if (twice)
			f->params[1] = f->line;
	}
	if (kind == TOKEN_ENROLLMENT)
		return auth_enrollment(&f->rq, &f->token, &f->rs);
	return auth_bearer(&f->rq, kind, &f->token, &f->rs);
}

static void
assert_refused(struct fixture *f, int status, bool with_error)
{
	const char *headers = buf_str(&f->rs.headers);

	ck_assert_int_eq(f->rs.status, status);
	ck_assert_int_eq(
	    strstr(headers, "WWW-Authenticate: ") != NULL, status == 401);
	ck_assert_int_eq(
	    strstr(headers, "error=\"invalid_token\"") != NULL, with_error);
	/* What was presented is never echoed. */
	ck_assert_ptr_null(strstr(buf_str(&f->rs.body), f->good + 29));
}

START_TEST(test_a_bearer_token_is_read)
{
	const char *const schemes[] = {"Bearer ", "bearer ", "BEARER  "};
	char value[LINE];
	struct fixture f;
	size_t i;

	setup(&f, TOKEN_DEVICE, NAME_DEVICE);
	for (i = 0; i < COUNT(schemes); i++) {
		snprintf(value, sizeof(value), "%s%s", schemes[i], f.good);
		ck_assert(present(&f, TOKEN_DEVICE, value, false));
		ck_assert_str_eq(f.token.name, f.name);
	}
	done(&f);
}
END_TEST

START_TEST(test_nothing_presented_is_401_without_error)
{
	const char *const values[] = {
	    NULL, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearerx"};
	struct fixture f;
	size_t i;

	setup(&f, TOKEN_DEVICE, NAME_DEVICE);
	for (i = 0; i < COUNT(values); i++) {
		ck_assert(!present(&f, TOKEN_DEVICE, values[i], false));
		assert_refused(&f, 401, false);
	}
	done(&f);
}
END_TEST

START_TEST(test_a_wrong_token_is_401_with_error)
{
	char value[LINE];
	struct fixture f, other;

	setup(&f, TOKEN_DEVICE, NAME_DEVICE);
	setup(&other, TOKEN_ADMIN, NAME_ADMIN_TOKEN);
	snprintf(value, sizeof(value), "Bearer %s", other.good);
	ck_assert(!present(&f, TOKEN_DEVICE, value, false));
	assert_refused(&f, 401, true);
	snprintf(value, sizeof(value), "Bearer %s %s", f.good, f.good);
	ck_assert(!present(&f, TOKEN_DEVICE, value, false));
	assert_refused(&f, 401, true);
	f.good[40] = f.good[40] == 'a' ? 'b' : 'a';
	snprintf(value, sizeof(value), "Bearer %s", f.good);
	ck_assert(!present(&f, TOKEN_DEVICE, value, false));
	assert_refused(&f, 401, true);
	done(&f);
}
END_TEST

START_TEST(test_a_token_presented_twice_is_400)
{
	char value[LINE];
	struct fixture f;

	setup(&f, TOKEN_DEVICE, NAME_DEVICE);
	snprintf(value, sizeof(value), "Bearer %s", f.good);
	ck_assert(!present(&f, TOKEN_DEVICE, value, true));
	assert_refused(&f, 400, false);
	done(&f);
	setup(&f, TOKEN_ENROLLMENT, NAME_ENROLLMENT_TOKEN);
	ck_assert(!present(&f, TOKEN_ENROLLMENT, f.good, true));
	assert_refused(&f, 400, false);
	done(&f);
}
END_TEST

START_TEST(test_an_enrolment_token_has_a_scheme_of_its_own)
{
	struct fixture f;

	setup(&f, TOKEN_ENROLLMENT, NAME_ENROLLMENT_TOKEN);
	ck_assert(present(&f, TOKEN_ENROLLMENT, f.good, false));
	ck_assert_str_eq(f.token.name, f.name);
	ck_assert(!present(&f, TOKEN_ENROLLMENT, NULL, false));
	assert_refused(&f, 401, false);
	ck_assert_ptr_nonnull(strstr(buf_str(&f.rs.headers),
	    "WWW-Authenticate: Thistle-Device-Enrollment-Token realm="));
	ck_assert(!present(&f, TOKEN_ENROLLMENT, "Bearer x", false));
	assert_refused(&f, 401, true);
	done(&f);
}
END_TEST

UNIT_MAIN("auth", test_a_bearer_token_is_read,
    test_nothing_presented_is_401_without_error,
    test_a_wrong_token_is_401_with_error, test_a_token_presented_twice_is_400,
    test_an_enrolment_token_has_a_scheme_of_its_own)
