/* SPDX-License-Identifier: ISC */
/* Tests of cert/crl_read.h: what a list may look like, and what not. */
#include "cert/crl_read.h"

#include "crl.h"
#include "sketch.h"

#define TIME1 "17{'261123160700Z'}"
#define TIME2 "17{'261130160700Z'}"
#define SHA256 "30{06{2a8648ce3d040302}}"
#define SHA384 "30{06{2a8648ce3d040303}}"
#define AKI "30{06{551d23} 04{30{80{'key'}}}}"
#define NUMBER "30{06{551d14} 04{02{07}}}"
#define IDP "30{06{551d1c} 01{ff} 04{30{a0{a0{86{'http://a'}}}}}}"
#define REASON(value) "30{30{06{551d15} 04{" value "}}}"
#define ENTRY(serial, rest) "30{02{" serial "}" TIME1 rest "}"
#define EXTENSIONS(list) "a0{30{" list "}}"

/* A list's parts; NULL stands for what is right. */
struct parts {
	const char *version;
	const char *algorithm;
	const char *issuer;
	const char *this_update;
	const char *next_update;
	const char *entries;
	const char *extensions;
	const char *behind; /* at the end of what is signed */
	const char *outer;
	const char *signature;
	const char *after; /* at the end of all */
};

static const char *
part(const char *given, const char *right)
{
	return given != NULL ? given : right;
}

static struct buf
build(const struct parts *p)
{
	struct buf sketch = BUF_INIT, der = BUF_INIT;

	buf_add_fmt(&sketch, "30{30{%s%s%s%s%s%s%s%s}%s%s%s}",
	    part(p->version, "02{01}"), part(p->algorithm, SHA256),
	    part(p->issuer, "30{31{30{06{550403} 0c{'a'}}}}"),
	    part(p->this_update, TIME1), part(p->next_update, TIME2),
	    part(p->entries,
		"30{" ENTRY("05", REASON("0a{06}")) ENTRY("06", "") "}"),
	    part(p->extensions, EXTENSIONS(AKI NUMBER IDP)),
	    part(p->behind, ""), part(p->outer, part(p->algorithm, SHA256)),
	    part(p->signature, "03{00 30{02{01} 02{01}}}"), part(p->after, ""));
	ck_assert_int_eq(*sketch_add(buf_str(&sketch), &der), '\0');
	buf_free(&sketch);
	return der;
}

/* What comes of it: ERR_NONE when it is taken. */
static enum err_code
outcome(const struct parts *p, struct crl_read *out)
{
	struct buf der = build(p);
	struct err err = {.code = ERR_NONE};
	bool taken = crl_read_open(der.data, der.len, false, out, &err);

	ck_assert(taken == (err.code == ERR_NONE));
	buf_free(&der);
	return err.code;
}

static void
is_code(const char *what, const struct parts *p, enum err_code code)
{
	struct crl_read crl;
	enum err_code got = outcome(p, &crl);

	ck_assert_msg(
	    got == code, "%s: %s, not %s", what, err_name(got), err_name(code));
}

/* Try values of one part. */
#define EACH(member, code, ...)                                            \
	do {                                                               \
		static const char *const values_[] = {__VA_ARGS__};        \
		size_t i_;                                                 \
                                                                           \
		for (i_ = 0; i_ < COUNT(values_); i_++)                    \
			is_code(values_[i_],                               \
			    &(struct parts){.member = values_[i_]}, code); \
	} while (0)

START_TEST(reads_what_a_list_says)
{
	struct buf der = build(&(struct parts){.version = NULL});
	struct crl_read crl = crl_opened(&der);
	struct crl_item item = {.revoked_at = 0};
	uint8_t serial[CRL_SERIAL_MAX] = {[CRL_SERIAL_MAX - 1] = 5};

	ck_assert_ptr_eq(crl.der.at, der.data);
	ck_assert_uint_eq(crl.der.len, der.len);
	ck_assert_int_eq(crl.this_update, pki_now);
	ck_assert_int_eq(crl.next_update, pki_now + 7 * 86400);
	ck_assert_uint_eq(crl.number, 7);
	ck_assert_uint_eq(crl.count, 2);
	ck_assert(crl.sorted);
	ck_assert(!crl.sha384);
	ck_assert_uint_eq(crl.key_id.len, 3);
	ck_assert_mem_eq(crl.key_id.at, "key", 3);
	ck_assert(crl_read_check_url(&crl, "http://a", NULL));
	ck_assert(crl_read_find(&crl, serial, &item));
	ck_assert_int_eq(item.revoked_at, pki_now);
	ck_assert_int_eq(item.reason, CRL_HOLD);
	ck_assert_int_eq(item.not_after, CRL_NEVER);
	serial[CRL_SERIAL_MAX - 1] = 6;
	ck_assert(crl_read_find(&crl, serial, &item));
	ck_assert_int_eq(item.reason, CRL_UNSPECIFIED);
	serial[CRL_SERIAL_MAX - 1] = 7;
	ck_assert(!crl_read_find(&crl, serial, NULL));
	buf_free(&der);
}
END_TEST

START_TEST(takes_lists_of_other_shapes)
{
	struct crl_read crl;

	EACH(entries, ERR_NONE, "", "30{" ENTRY("00ff", "") "}",
	    "30{" ENTRY("06", "") ENTRY("05", "") "}",
	    /* invalidityDate, which need not be known */
	    "30{" ENTRY(
		"05", "30{30{06{551d18} 04{18{'20260101000000Z'}}}}") "}",
	    "30{30{02{05} 18{'20500101000000Z'}}}");
	EACH(algorithm, ERR_NONE, SHA384);
	EACH(extensions, ERR_NONE, EXTENSIONS(AKI NUMBER),
	    EXTENSIONS(IDP NUMBER AKI),
	    EXTENSIONS(AKI "30{06{551d14} 04{02{00}}}"),
	    EXTENSIONS(AKI "30{06{551d14} 04{02{7fffffffffffffff}}}"),
	    EXTENSIONS(AKI NUMBER "30{06{2a03} 04{00}}"));
	EACH(next_update, ERR_NONE, "18{'20500101000000Z'}");
	ck_assert_int_eq(
	    outcome(&(struct parts){.entries = ""}, &crl), ERR_NONE);
	ck_assert_uint_eq(crl.count, 0);
	ck_assert_int_eq(
	    outcome(
		&(struct parts){.extensions = EXTENSIONS(AKI NUMBER)}, &crl),
	    ERR_NONE);
	ck_assert(!crl_read_check_url(&crl, "http://a", NULL));
	ck_assert_int_eq(outcome(&(struct parts){.entries = "30{" ENTRY("06",
						     "") ENTRY("05", "") "}"},
			     &crl),
	    ERR_NONE);
	ck_assert(!crl.sorted);
	ck_assert_int_eq(outcome(&(struct parts){.entries = "30{" ENTRY("06",
						     "") ENTRY("06", "") "}"},
			     &crl),
	    ERR_NONE);
	ck_assert(!crl.sorted);
}
END_TEST

START_TEST(refuses_other_frames)
{
	EACH(version, ERR_MALFORMED, "", "02{00}", "02{02}", "02{0001}",
	    "02020001");
	EACH(issuer, ERR_MALFORMED, "", "31{}");
	EACH(this_update, ERR_MALFORMED, "", "17{'2611231607Z'}",
	    "18{'20261123160700Z'}", TIME1 TIME1,
	    /* as late as nextUpdate, and later */
	    TIME2, "17{'261130160701Z'}");
	EACH(next_update, ERR_MALFORMED, "", "18{'20491231235959Z'}");
	EACH(behind, ERR_MALFORMED, "0500", EXTENSIONS(AKI NUMBER), "00");
	EACH(after, ERR_MALFORMED, "0500", "00");
	EACH(signature, ERR_MALFORMED, "", "03{}", "03{00}", "03{01 fe}",
	    "04{00 3006020101020101}");
	/* One algorithm within, another outside. */
	EACH(outer, ERR_MALFORMED, SHA384);
	EACH(algorithm, ERR_UNSUPPORTED,
	    /* sha256WithRSAEncryption, ecdsa-with-SHA1, with parameters */
	    "30{06{2a864886f70d01010b} 0500}", "30{06{2a8648ce3d0401}}",
	    "30{06{2a8648ce3d040302} 0500}", "30{}");
}
END_TEST

START_TEST(refuses_other_entries)
{
	EACH(entries, ERR_MALFORMED, "30{}", "30{30{}}", "30{0500}", "31{}",
	    /* serials: none, 0, negative, not minimal, too long */
	    "30{" ENTRY("", "") "}", "30{" ENTRY("00", "") "}",
	    "30{" ENTRY("80", "") "}", "30{" ENTRY("0005", "") "}",
	    "30{" ENTRY(
		"01 0203040506070809 0a0b0c0d0e0f1011 12131415", "") "}",
	    "30{" ENTRY(
		"00 ff03040506070809 0a0b0c0d0e0f1011 12131415", "") "}",
	    /* times */
	    "30{30{02{05}}}", "30{30{02{05} 17{'261123160700'}}}",
	    /* extensions: none, cut, twice, unknown and critical */
	    "30{" ENTRY("05", "30{}") "}", "30{" ENTRY("05", "30{30{}}") "}",
	    "30{" ENTRY("05", "30{30{06{551d15}}}") "}",
	    "30{" ENTRY("05", "30{30{06{} 04{0a0106}}}") "}",
	    "30{" ENTRY("05", "30{30{06{551d15} 01{00} 04{0a0106}}}") "}",
	    "30{" ENTRY("05", "30{30{06{551d15} 01{01} 04{0a0106}}}") "}",
	    "30{" ENTRY("05", "30{30{06{551d15} 04{0a0106}}"
			      "30{06{551d15} 04{0a0106}}}") "}",
	    "30{" ENTRY("05", "30{30{06{551d1d} 01{ff} 04{3000}}}") "}",
	    "30{" ENTRY("05", REASON("0a0106") "0500") "}");
	EACH(entries, ERR_MALFORMED,
	    /* reasons: no ENUMERATED, unused, of delta lists, unknown */
	    "30{" ENTRY("05", REASON("020106")) "}",
	    "30{" ENTRY("05", REASON("0a0107")) "}",
	    "30{" ENTRY("05", REASON("0a0108")) "}",
	    "30{" ENTRY("05", REASON("0a010b")) "}",
	    "30{" ENTRY("05", REASON("0a0180")) "}",
	    "30{" ENTRY("05", REASON("0a020006")) "}",
	    "30{" ENTRY("05", REASON("0a0106 00")) "}",
	    "30{" ENTRY("05", REASON("")) "}");
}
END_TEST

START_TEST(refuses_other_extensions)
{
	EACH(extensions, ERR_MALFORMED, "", "a0{}", "a0{30{} 00}", "a1{30{}}",
	    EXTENSIONS("30{}"), EXTENSIONS(AKI NUMBER AKI),
	    EXTENSIONS(AKI NUMBER NUMBER), EXTENSIONS(AKI NUMBER IDP IDP),
	    /* RFC 5280 §5.2.5: the IDP is critical. */
	    EXTENSIONS(
		AKI NUMBER "30{06{551d1c} 04{30{a0{a0{86{'http://a'}}}}}}"),
	    EXTENSIONS(AKI "30{06{551d14} 04{02{ff}}}"),
	    EXTENSIONS(AKI "30{06{551d14} 04{02{0007}}}"),
	    EXTENSIONS(AKI "30{06{551d14} 04{020107 00}}"),
	    /* RFC 5280 §5.2.3: at most 20 octets. */
	    EXTENSIONS(AKI "30{06{551d14} 04{02{01 0203040506070809"
			   "0a0b0c0d0e0f1011 12131415}}}"),
	    EXTENSIONS(NUMBER "30{06{551d23} 04{30{}}}"),
	    EXTENSIONS(NUMBER "30{06{551d23} 04{30{80{}}}}"),
	    EXTENSIONS(NUMBER "30{06{551d23} 04{30{80{'k'}} 00}}"),
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff} 04{3000 00}}"));
	EACH(extensions, ERR_UNSUPPORTED,
	    /* No number, no AKI, numbers of over 63 bits, AKI by its issuer. */
	    EXTENSIONS(AKI IDP), EXTENSIONS(NUMBER IDP), "a0{30{}}",
	    EXTENSIONS(AKI "30{06{551d14} 04{02{008000000000000000}}}"),
	    EXTENSIONS(AKI "30{06{551d14} 04{02{01 02030405060708"
			   "0a0b0c0d0e0f1011 12131415}}}"),
	    EXTENSIONS(NUMBER "30{06{551d23} 04{30{80{'k'} 82{01}}}}"),
	    /* deltaCRLIndicator */
	    EXTENSIONS(AKI NUMBER "30{06{551d1b} 01{ff} 04{02{06}}}"),
	    /* IDPs: of users alone, indirect, two names, no name, no URI */
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff}"
				  "04{30{a0{a0{86{'a'}}} 81{ff}}}}"),
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff}"
				  "04{30{a0{a0{86{'a'}}} 84{ff}}}}"),
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff}"
				  "04{30{a0{a0{86{'a'} 86{'b'}}}}}}"),
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff} 04{30{}}}"),
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff}"
				  "04{30{a0{a0{86{}}}}}}"),
	    EXTENSIONS(AKI NUMBER "30{06{551d1c} 01{ff}"
				  "04{30{a0{a0{82{'a'}}}}}}"));
}
END_TEST

/* Whatever is missing at the end, or too much. */
START_TEST(every_cut_is_refused)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(9);
	struct buf der = crl_der_of(&spec, list, p.key);
	struct err err;
	struct crl_read crl;
	uint8_t *exact;
	size_t cut;

	for (cut = 0; cut < der.len; cut++) {
		err_clear(&err);
		/* Of that very size, for sanitizers to see. */
		exact = malloc(cut + 1);
		memcpy(exact, der.data, cut);
		exact = realloc(exact, cut == 0 ? 1 : cut);
		ck_assert(!crl_read_open(exact, cut, false, &crl, &err));
		ck_assert_int_eq(err.code, ERR_MALFORMED);
		free(exact);
	}
	crl_opened(&der);
	buf_add_byte(&der, 0);
	ck_assert(!crl_read_open(der.data, der.len, false, &crl, NULL));
	ck_assert(!crl_read_open(NULL, 0, false, &crl, NULL));
	buf_free(&der);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

static bool
stop_at_third(void *ctx, const struct crl_item *item, struct err *err)
{
	unsigned int *n = ctx;
	struct crl_item want = crl_item_of(*n);

	ck_assert_mem_eq(item->serial, want.serial, CRL_SERIAL_MAX);
	ck_assert_int_eq(item->reason, want.reason);
	ck_assert_int_eq(item->revoked_at, want.revoked_at);
	return ++*n < 3 || err_set(err, ERR_REFUSED, "enough");
}

START_TEST(a_walk_ends_when_it_is_told)
{
	struct pki p = pki_new(PROFILE_DEVICE_CA);
	struct crl_spec spec = crl_spec_of(p.cert);
	struct crl_list *list = crl_list_of(5);
	struct buf der = crl_der_of(&spec, list, p.key);
	struct crl_read crl = crl_opened(&der);
	struct err err = {.code = ERR_NONE};
	unsigned int n = 0;

	ck_assert(!crl_read_each(&crl, stop_at_third, &n, &err));
	ck_assert_str_eq(err.detail, "enough");
	ck_assert_uint_eq(n, 3);
	buf_free(&der);
	crl_list_free(list);
	pki_free(&p);
}
END_TEST

UNIT_MAIN("crl_read", reads_what_a_list_says, takes_lists_of_other_shapes,
    refuses_other_frames, refuses_other_entries, refuses_other_extensions,
    every_cut_is_refused, a_walk_ends_when_it_is_told)
