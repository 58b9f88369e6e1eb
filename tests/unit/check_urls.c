/* SPDX-License-Identifier: ISC */
/* Tests of cert/urls.h. */
#include "cert/urls.h"

#include <string.h>

#include "unit.h"

#define GOOD                                                      \
	"purpose=device\ncrl-url=http://a.example/d.crl\nca-url=" \
	"http://a.example/d.cer\n"

static bool
parse(const char *text, struct urls *urls)
{
	return urls_parse(text, strlen(text), urls, NULL);
}

START_TEST(reads_what_it_writes)
{
	struct buf text = BUF_INIT;
	struct urls a, b;

	ck_assert(parse(GOOD "trust-domain=t.example\n", &a));
	ck_assert_int_eq(a.purpose, PURPOSE_DEVICE);
	ck_assert_str_eq(a.crl_url, "http://a.example/d.crl");
	ck_assert_str_eq(a.trust_domain, "t.example");
	urls_format(&a, &text);
	ck_assert_str_eq(buf_str(&text), GOOD "trust-domain=t.example\n");
	ck_assert(parse(buf_str(&text), &b));
	ck_assert_mem_eq(&a, &b, sizeof(a));
	buf_free(&text);
	ck_assert(parse(GOOD, &a));
	ck_assert_str_eq(a.trust_domain, "");
	/* Without the last line end. */
	ck_assert(urls_parse(GOOD, strlen(GOOD) - 1, &a, NULL));
	ck_assert_str_eq(a.ca_url, "http://a.example/d.cer");
}
END_TEST

START_TEST(refuses_other_files)
{
	static const char *const bad[] = {"", "\n", "purpose=device\n",
	    GOOD "purpose=device\n", GOOD "other=x\n", GOOD "crl-url\n",
	    GOOD "trust-domain=\n", GOOD "trust-domain=A\n",
	    "purpose=none\ncrl-url=http://a/\nca-url=http://a/\n",
	    "purpose=device\ncrl-url=https://a/\nca-url=http://a/\n"};
	struct urls urls;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!parse(bad[i], &urls), "%s", bad[i]);
}
END_TEST

START_TEST(checks_urls)
{
	static const char *const good[] = {"http://a", "http://a/b?c=d#e",
	    "http://[::1]:8080/x", "http://a/%20"};
	static const char *const bad[] = {"", "http://", "http:///x",
	    "http://:80/", "HTTP://a/", "https://a/", "file:///a", "http://a b",
	    "http://a/\n", "http://a/\"", "http://a/\xc3\xbc", "a"};
	char longest[URLS_MAX + 2];
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		ck_assert_msg(
		    urls_check_url("u", good[i], NULL), "%s", good[i]);
	for (i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!urls_check_url("u", bad[i], NULL), "%s", bad[i]);
	ck_assert(!urls_check_url("u", NULL, NULL));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "http://", 7);
	longest[URLS_MAX + 1] = '\0';
	ck_assert(!urls_check_url("u", longest, NULL));
	longest[URLS_MAX] = '\0';
	ck_assert(urls_check_url("u", longest, NULL));
}
END_TEST

UNIT_MAIN("urls", reads_what_it_writes, refuses_other_files, checks_urls)
