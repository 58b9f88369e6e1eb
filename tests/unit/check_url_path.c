/* SPDX-License-Identifier: ISC */
/* Addresses to paths, and whose path is whose. */
#include <string.h>

#include "daemon/url_path.h"
#include "unit.h"

static const char *
path_of(const char *url)
{
	static char path[URL_PATH_MAX + 1];
	struct err err = {.code = ERR_NONE};

	if (url_path(url, path, &err)) {
		ck_assert_int_eq(err.code, ERR_NONE);
		return path;
	}
	ck_assert_int_eq(err.code, ERR_REFUSED);
	ck_assert_str_eq(path, "");
	return NULL;
}

START_TEST(test_path)
{
	ck_assert_str_eq(path_of("http://pki.example/crl/a.crl"), "crl/a.crl");
	ck_assert_str_eq(path_of("http://[::1]:8080/a"), "a");
	ck_assert_str_eq(
	    path_of("http://h/a%20b/%c3%a4.crl"), "a b/\xc3\xa4.crl");
	ck_assert_str_eq(path_of("http://h/feeds/a"), "feeds/a");
	ck_assert_str_eq(path_of("http://h/a/feed/b"), "a/feed/b");
}
END_TEST

START_TEST(test_path_refused)
{
	static const char *const urls[] = {"", "ftp://h/a", "https://h/a",
	    "http://h", "http://h/", "http://h/a/", "http://h//a",
	    "http://h/a//b", "http://h/../a", "http://h/a/../../b",
	    "http://h/%2e%2e/a", "http://h/./a", "http://h/.pappus-crld",
	    "http://h/a/.b", "http://h/a?b", "http://h/a#b", "http://h/a%2fb",
	    "http://h/a%00b", "http://h/a%0ab", "http://h/a%7f", "http://h/a%",
	    "http://h/a%4", "http://h/a%zz", "http://h/feed/state",
	    "http://h/feed", "http://h/%66eed/state"};
	size_t i;

	for (i = 0; i < COUNT(urls); i++)
		ck_assert_msg(path_of(urls[i]) == NULL, "%s", urls[i]);
}
END_TEST

START_TEST(test_path_long)
{
	char url[URL_PATH_MAX + 32] = "http://h/", *end = url + strlen(url);

	memset(end, 'a', URL_PATH_MAX);
	ck_assert_uint_eq(strlen(path_of(url)), URL_PATH_MAX);
	end[URL_PATH_MAX] = 'a';
	ck_assert_ptr_null(path_of(url));
}
END_TEST

START_TEST(test_pem)
{
	static const struct {
		const char *path;
		const char *pem;
	} cases[] = {{"crl/a.crl", "crl/a.pem"}, {"a", "a.pem"},
	    {"a.b/c", "a.b/c.pem"}, {"a.b.c", "a.b.pem"}, {"a.pem", ""},
	    {"", ""}};
	char long_path[URL_PATH_MAX + 1], pem[URL_PATH_MAX + 1];
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		url_path_pem(cases[i].path, pem);
		ck_assert_str_eq(pem, cases[i].pem);
	}
	memset(long_path, 'a', URL_PATH_MAX);
	long_path[URL_PATH_MAX] = '\0';
	url_path_pem(long_path, pem);
	ck_assert_str_eq(pem, "");
}
END_TEST

START_TEST(test_places)
{
	struct place places[] = {
	    {.issuer_id = 1,
		.crl_url = "http://h/crl/a.crl",
		.ca_url = "http://h/ca/a.cer"},
	    {.issuer_id = 2,
		.crl_url = "http://h/x/b.crl",
		.ca_url = "http://h/x/b.cer"},
	    {.issuer_id = 3, .crl_url = "", .ca_url = NULL},
	};

	places_assign(places, COUNT(places));
	ck_assert_str_eq(places[0].crl, "crl/a.crl");
	ck_assert_str_eq(places[0].crl_pem, "crl/a.pem");
	ck_assert_str_eq(places[0].ca, "ca/a.cer");
	ck_assert_str_eq(places[0].ca_pem, "ca/a.pem");
	/* Both would be x/b.pem: the CRL has it. */
	ck_assert_str_eq(places[1].crl_pem, "x/b.pem");
	ck_assert_str_eq(places[1].ca_pem, "");
	ck_assert_str_eq(places[2].crl, "");
	ck_assert_int_eq(places[0].err.code, ERR_NONE);
	ck_assert_int_eq(places[1].err.code, ERR_NONE);
	ck_assert_int_eq(places[2].err.code, ERR_NONE);
}
END_TEST

/* Who was there first keeps what its leaves name. */
START_TEST(test_places_shared)
{
	struct place places[] = {
	    {.issuer_id = 1,
		.crl_url = "http://h/a.crl",
		.ca_url = "http://h/a.cer"},
	    {.issuer_id = 2,
		.crl_url = "http://other/a.crl",
		.ca_url = "http://h/b.cer"},
	    {.issuer_id = 3,
		.crl_url = "http://h/c.crl",
		.ca_url = "http://h/a.crl"},
	    {.issuer_id = 4,
		.crl_url = "http://h/../d.crl",
		.ca_url = "http://h/d.cer"},
	    {.issuer_id = 5, .crl_url = "http://h/e", .ca_url = "http://h/e"},
	};

	places_assign(places, COUNT(places));
	ck_assert_str_eq(places[0].crl, "a.crl");
	ck_assert_int_eq(places[0].err.code, ERR_NONE);
	ck_assert_str_eq(places[1].crl, "");
	ck_assert_str_eq(places[1].crl_pem, "");
	ck_assert_str_eq(places[1].ca, "b.cer");
	ck_assert_int_eq(places[1].err.code, ERR_DUPLICATE);
	ck_assert_str_eq(places[2].ca, "");
	ck_assert_str_eq(places[2].crl, "c.crl");
	ck_assert_int_eq(places[2].err.code, ERR_DUPLICATE);
	ck_assert_str_eq(places[3].crl, "");
	ck_assert_str_eq(places[3].ca, "d.cer");
	ck_assert_int_eq(places[3].err.code, ERR_REFUSED);
	ck_assert_str_eq(places[4].crl, "e");
	ck_assert_str_eq(places[4].ca, "");
	ck_assert_int_eq(places[4].err.code, ERR_DUPLICATE);
}
END_TEST

/* A DER file's path is no other's PEM. */
START_TEST(test_places_der_first)
{
	struct place places[] = {
	    {.issuer_id = 1, .crl_url = "http://h/a.crl"},
	    {.issuer_id = 2, .crl_url = "http://h/a.pem"},
	};

	places_assign(places, COUNT(places));
	ck_assert_str_eq(places[0].crl_pem, "");
	ck_assert_str_eq(places[1].crl, "a.pem");
	ck_assert_int_eq(places[1].err.code, ERR_NONE);
}
END_TEST

UNIT_MAIN("url_path", test_path, test_path_refused, test_path_long, test_pem,
    test_places, test_places_shared, test_places_der_first)
