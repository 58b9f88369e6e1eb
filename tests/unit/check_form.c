/* SPDX-License-Identifier: ISC */
/* Tests of encoding/form.h. */
#include "encoding/form.h"

#include <string.h>

#include "base/buf.h"
#include "unit.h"

#define URLENCODED "application/x-www-form-urlencoded"
#define MULTIPART "multipart/form-data; boundary=b"

/* A part named so, up to its value. */
#define PART(name) \
	"--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define END "\r\n--b--\r\n"

#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

/* The form that all the tests read, as /enroll has it but for the lengths. */
enum { LABEL, EXTERNAL_ID, FIELDS };

static const struct form_field empty[FIELDS] = {
    [LABEL] = {"label", 0, 8, NULL},
    [EXTERNAL_ID] = {"external_id", 1, 8, NULL},
};

static void
taken_bytes(const char *type, const char *body, size_t len, const char *label,
    const char *external_id)
{
	struct form_field fields[FIELDS];
	struct err err = {0};

	memcpy(fields, empty, sizeof(fields));
	ck_assert_msg(
	    form_parse(type, (const uint8_t *)body, len, fields, FIELDS, &err),
	    "%s: %s", body, err.detail);
	ck_assert_pstr_eq(fields[LABEL].value, label);
	ck_assert_pstr_eq(fields[EXTERNAL_ID].value, external_id);
	form_fields_free(fields, FIELDS);
	ck_assert_ptr_null(fields[LABEL].value);
}

static void
taken(const char *type, const char *body, const char *label,
    const char *external_id)
{
	taken_bytes(type, body, strlen(body), label, external_id);
}

static void
refused_bytes(const char *type, const char *body, size_t len,
    enum err_code code, const char *why)
{
	struct form_field fields[FIELDS];
	struct err err = {0};

	memcpy(fields, empty, sizeof(fields));
	ck_assert_msg(
	    !form_parse(type, (const uint8_t *)body, len, fields, FIELDS, &err),
	    "%s", body);
	ck_assert_msg(err.code == code && strstr(err.detail, why) != NULL,
	    "%s: %s: %s", body, err_name(err.code), err.detail);
	ck_assert_ptr_null(fields[LABEL].value);
	ck_assert_ptr_null(fields[EXTERNAL_ID].value);
}

static void
refused(const char *type, const char *body, enum err_code code, const char *why)
{
	refused_bytes(type, body, strlen(body), code, why);
}

START_TEST(empty_body_is_an_empty_form)
{
	taken(NULL, "", NULL, NULL);
	taken("", "", NULL, NULL);
	taken("text/plain", "", NULL, NULL);
	taken(URLENCODED, "", NULL, NULL);
	taken("multipart/form-data", "", NULL, NULL);
	taken_bytes(NULL, NULL, 0, NULL, NULL);
}
END_TEST

START_TEST(refuses_other_types)
{
	static const char *const bad[] = {NULL, "", " ", ";", "text/plain",
	    "application/json", "application/x-www-form-urlencoded2",
	    "application/x-www-form-urlencode", "x" URLENCODED,
	    "multipart/mixed; boundary=b", "multipart/form-data boundary=b",
	    "multipart", URLENCODED ", " URLENCODED};
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		refused(bad[i], "label=a", ERR_UNSUPPORTED,
		    "application/x-www-form-urlencoded or multipart/form-data");
	refused(URLENCODED "; charset=iso-8859-1", "label=a", ERR_UNSUPPORTED,
	    "charset");
	refused(MULTIPART "; charset=utf-16", PART("label") "a" END,
	    ERR_UNSUPPORTED, "charset");
}
END_TEST

START_TEST(takes_types_with_parameters)
{
	static const char *const good[] = {URLENCODED,
	    "Application/X-WWW-Form-URLEncoded", " " URLENCODED " ",
	    URLENCODED ";", URLENCODED "; charset=utf-8",
	    URLENCODED ";charset=\"UTF-8\"", URLENCODED ";CHARSET=utf8 ; a=b",
	    URLENCODED "; charset=us-ascii", URLENCODED "\t;\tcharset=utf-8"};
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		taken(good[i], "label=a", "a", NULL);
	refused(URLENCODED "; charset", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; =x", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; a=", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; a=\"b", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; a=\"b\\", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; a=\"b\"c", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; a=b\"c", "label=a", ERR_MALFORMED, "parameter");
	refused(URLENCODED "; a=b c", "label=a", ERR_MALFORMED, "parameter");
}
END_TEST

START_TEST(urlencoded_takes)
{
	taken(URLENCODED, "label=pump", "pump", NULL);
	taken(URLENCODED, "label=pump&external_id=sn-7", "pump", "sn-7");
	taken(URLENCODED, "external_id=sn-7&label=pump", "pump", "sn-7");
	taken(URLENCODED, "label=a+b%20c%2Bd", "a b c+d", NULL);
	taken(URLENCODED, "label=a=b=", "a=b=", NULL);
	taken(URLENCODED, "%6c%61bel=%26", "&", NULL);
	taken(URLENCODED, "label=%e6%b0%b4%E6%B0%B4", "水水", NULL);
	taken(URLENCODED, "label=水", "水", NULL);
	taken(URLENCODED, "label=", NULL, NULL);
	taken(URLENCODED, "label", NULL, NULL);
	taken(URLENCODED, "&&label=a&", "a", NULL);
	taken(URLENCODED, "&", NULL, NULL);
	taken(URLENCODED, "Label=b&labe=c&labels=d&label=a", "a", NULL);
	taken(URLENCODED, "x=1&x=2&x", NULL, NULL);
	taken(URLENCODED, "label=12345678", "12345678", NULL);
	taken(URLENCODED, "label=水水水水水水水水", "水水水水水水水水", NULL);
}
END_TEST

START_TEST(urlencoded_refuses)
{
	static const char *const escapes[] = {"label=%", "label=%2",
	    "label=%zz", "label=%2g", "label=%%20", "label=a%", "%=a",
	    "x=%u1234", "label=%&x=20", "label=% 20", "label=%+1"};
	size_t i;

	for (i = 0; i < COUNT(escapes); i++)
		refused(URLENCODED, escapes[i], ERR_MALFORMED, "percent sign");
	refused(URLENCODED, "=a", ERR_MALFORMED, "without a name");
	refused(URLENCODED, "label=a&=", ERR_MALFORMED, "without a name");
	refused(URLENCODED, "label=a&label=a", ERR_DUPLICATE, "label");
	refused(URLENCODED, "label=&label=a", ERR_DUPLICATE, "label");
	refused(URLENCODED, "label=a&l%61bel=b", ERR_DUPLICATE, "label");
	refused(URLENCODED, "label=123456789", ERR_TOO_LONG,
	    "The field label is too long: shorten it to 8 characters.");
	refused(URLENCODED, "external_id=", ERR_MALFORMED,
	    "external_id is too short");
	refused(URLENCODED, "external_id", ERR_MALFORMED, "external_id");
	refused(URLENCODED, "label=ok&external_id=123456789", ERR_TOO_LONG,
	    "external_id");
}
END_TEST

START_TEST(urlencoded_refuses_what_is_no_text)
{
	static const char *const values[] = {"label=%00", "label=a%0a",
	    "label=%7f", "label=%c2%80", "label=%ff", "label=%c3", "label=\xff",
	    "label=%ed%a0%80", "label=a\n", "label=\t"};
	size_t i;

	for (i = 0; i < COUNT(values); i++)
		refused(URLENCODED, values[i], ERR_ENCODING,
		    "The field label is not plain text");
	refused_bytes(URLENCODED, "label=a\0", 8, ERR_ENCODING, "label");
	refused_bytes(URLENCODED, "label\0=a", 8, ERR_ENCODING, "name is not");
	refused(URLENCODED, "label%00=a", ERR_ENCODING, "name is not");
	refused(URLENCODED, "%ff=a", ERR_ENCODING, "name is not");
	refused(URLENCODED, "x=%00", ERR_ENCODING, "a field that is not");
	refused(URLENCODED, "x=%ff", ERR_ENCODING, "a field that is not");
	refused(URLENCODED, "label=a&x=%ff", ERR_ENCODING, "");
}
END_TEST

START_TEST(multipart_takes)
{
	taken(MULTIPART, PART("label") "pump" END, "pump", NULL);
	taken(MULTIPART,
	    PART("label") "pump\r\n" PART("external_id") "sn-7" END, "pump",
	    "sn-7");
	taken(MULTIPART, PART("label") END, NULL, NULL);
	taken(MULTIPART, PART("label") "a+b%20" END, "a+b%20", NULL);
	taken(MULTIPART, PART("label") "x--b--" END, "x--b--", NULL);
	taken(MULTIPART, PART("label") "水" END, "水", NULL);
	taken(MULTIPART, PART("other") "a" END, NULL, NULL);
	/* No part at all, as browsers send an empty form. */
	taken(MULTIPART, "--b--", NULL, NULL);
	taken(MULTIPART, "--b--\r\n", NULL, NULL);
	/* RFC 2046 §5.1.1: preamble, epilogue, spaces behind a boundary. */
	taken(MULTIPART, "x\ny\r\n" PART("label") "a" END "z --b", "a", NULL);
	taken(MULTIPART, "\r\n" PART("label") "a\r\n--b-- \t", "a", NULL);
	taken(MULTIPART,
	    "--b \t\r\nContent-Disposition: form-data; name=label\r\n\r\n"
	    "a" END,
	    "a", NULL);
	/* A part without content may lack the empty line. */
	taken(MULTIPART,
	    "--b\r\nContent-Disposition: form-data; name=label\r\n" END, NULL,
	    NULL);
}
END_TEST

START_TEST(multipart_takes_boundaries)
{
	static const char *const good[] = {
	    "multipart/form-data; boundary=b",
	    "multipart/form-data; boundary=\"b\"",
	    "multipart/form-data; boundary=\"\\b\"",
	    "Multipart/Form-Data;BOUNDARY=b;charset=utf-8",
	    "multipart/form-data; charset=utf-8; boundary=b",
	};
	static const char *const bad[] = {"", ";", "; boundary=\"\"",
	    "; boundary=\"b \"", "; boundary=b; boundary=b", "; boundary=\xc3",
	    "; boundary=b*", "; boundary=\"b\x01\"",
	    "; boundary=", "; boundary=" SEVENTY "1"};
	struct buf type = BUF_INIT;
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		taken(good[i], PART("label") "a" END, "a", NULL);
	for (i = 0; i < COUNT(bad); i++) {
		buf_reset(&type);
		buf_add_fmt(&type, "multipart/form-data%s", bad[i]);
		refused(buf_str(&type), PART("label") "a" END, ERR_MALFORMED,
		    "Content-Type");
	}
	buf_free(&type);
	taken("multipart/form-data; boundary=\"a ':b/=?(,)+_-.c\"",
	    "--a ':b/=?(,)+_-.c\r\nContent-Disposition: form-data; "
	    "name=label\r\n\r\nx\r\n--a ':b/=?(,)+_-.c--",
	    "x", NULL);
	taken("multipart/form-data; boundary=" SEVENTY, "--" SEVENTY "--", NULL,
	    NULL);
	taken("multipart/form-data; boundary==_=/1",
	    "--=_=/1\r\nContent-Disposition: form-data; name=label\r\n\r\nx"
	    "\r\n--=_=/1--",
	    "x", NULL);
}
END_TEST

/* A body of one part, with these headers. */
static const char *
part_with(struct buf *body, const char *headers)
{
	buf_reset(body);
	buf_add_fmt(body, "--b\r\n%s\r\n\r\nvalue\r\n--b--\r\n", headers);
	return buf_str(body);
}

START_TEST(multipart_takes_headers)
{
	static const char *const good[] = {
	    "Content-Disposition: form-data; name=label",
	    "content-disposition:Form-Data;Name=\"label\"",
	    "Content-Disposition: form-data; name=\"la\\bel\"; x=y",
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Disposition: form-data; name=label",
	    "Content-Disposition: form-data; name=label\r\n"
	    "Content-Type: application/octet-stream",
	    "Content-Disposition: form-data; name=label\r\n"
	    "Content-Transfer-Encoding: 8BIT",
	    "Content-Disposition: form-data; name=label\r\n"
	    "Content-Transfer-Encoding: binary\r\nX-Other: \"; "
	    "=\r\nContent-L: ",
	};
	struct buf body = BUF_INIT;
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		taken(MULTIPART, part_with(&body, good[i]), "value", NULL);
	buf_free(&body);
}
END_TEST

START_TEST(multipart_refuses_headers)
{
	static const struct {
		const char *headers;
		enum err_code code;
		const char *why;
	} bad[] = {
	    {"X: y", ERR_MALFORMED, "without a name"},
	    {"Content-Disposition: form-data", ERR_MALFORMED, "a name"},
	    {"Content-Disposition: form-data; name=\"\"", ERR_MALFORMED,
		"without a name"},
	    {"Content-Disposition: form-data; name=", ERR_MALFORMED, "read"},
	    {"Content-Disposition: form-data; name=\"label", ERR_MALFORMED,
		"read"},
	    {"Content-Disposition: form-data; name=label; name=label",
		ERR_MALFORMED, "two names"},
	    {"Content-Disposition: attachment; name=label", ERR_MALFORMED,
		"form-data"},
	    {"Content-Disposition: form-data; name=label\r\n"
	     "Content-Disposition: form-data; name=label",
		ERR_MALFORMED, "one Content-Disposition"},
	    {"Content-Disposition: form-data; name=label; filename=x",
		ERR_MALFORMED, "The field label is a file"},
	    {"Content-Disposition: form-data; name=label; filename=\"\"",
		ERR_MALFORMED, "The field label is a file"},
	    {"Content-Disposition: form-data; name=label; filename*=utf-8''x",
		ERR_MALFORMED, "The field label is a file"},
	    {"Content-Disposition: form-data; name=label\r\n"
	     "Content-Type: multipart/mixed; boundary=c",
		ERR_MALFORMED, "multipart itself"},
	    {"Content-Type: MULTIPART/form-data; boundary=c", ERR_MALFORMED,
		"multipart itself"},
	    {"Content-Disposition: form-data; name=label\r\n"
	     "Content-Type: text/plain; charset=utf-16",
		ERR_UNSUPPORTED, "charset"},
	    {"Content-Disposition: form-data; name=label\r\n"
	     "Content-Type: text/plain; charset",
		ERR_MALFORMED, "Content-Type"},
	    {"Content-Disposition: form-data; name=label\r\n"
	     "Content-Transfer-Encoding: base64",
		ERR_MALFORMED, "Content-Transfer-Encoding"},
	    {"Content-Disposition: form-data; name=label\r\n"
	     "Content-Transfer-Encoding: quoted-printable",
		ERR_MALFORMED, "Content-Transfer-Encoding"},
	    {"Content-Disposition: form-data;\r\n name=label", ERR_MALFORMED,
		"header"},
	    {"Content-Disposition", ERR_MALFORMED, "header"},
	    {": form-data; name=label", ERR_MALFORMED, "header"},
	    {"Content-Disposition: form-data; name=\"\xff\"", ERR_ENCODING,
		"header"},
	    {"Content-Disposition: form-data; name=\"a\x01\"", ERR_ENCODING,
		"header"},
	    {"Content-Disposition: form-data; name=label\nX: y", ERR_ENCODING,
		"header"},
	};
	struct buf body = BUF_INIT;
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		refused(MULTIPART, part_with(&body, bad[i].headers),
		    bad[i].code, bad[i].why);
	buf_free(&body);
}
END_TEST

START_TEST(multipart_ignores_files_of_others)
{
	static const char body[] =
	    "--b\r\nContent-Disposition: form-data; name=photo; "
	    "filename=\"p.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
	    "\xff\xd8\0\x01\r\n" PART("label") "a" END;

	taken_bytes(MULTIPART, body, sizeof(body) - 1, "a", NULL);
	refused(MULTIPART,
	    "--b\r\nContent-Disposition: form-data; name=\"\"; filename=x\r\n"
	    "\r\na" END,
	    ERR_MALFORMED, "without a name");
}
END_TEST

START_TEST(multipart_refuses_values)
{
	refused(MULTIPART, PART("label") "a\r\n" PART("label") "a" END,
	    ERR_DUPLICATE, "label");
	refused(MULTIPART, PART("label") "\r\n" PART("label") "a" END,
	    ERR_DUPLICATE, "label");
	refused(
	    MULTIPART, PART("label") "123456789" END, ERR_TOO_LONG, "label");
	refused(MULTIPART, PART("external_id") END, ERR_MALFORMED,
	    "external_id is too short");
	refused(MULTIPART, PART("label") "a\r\nb" END, ERR_ENCODING, "label");
	refused(MULTIPART, PART("label") "\xff" END, ERR_ENCODING, "label");
	refused(MULTIPART, PART("x") "\xff" END, ERR_ENCODING, "a field");
	refused_bytes(MULTIPART, PART("label") "a\0" END,
	    sizeof(PART("label") "a\0" END) - 1, ERR_ENCODING, "label");
}
END_TEST

START_TEST(multipart_refuses_broken_frames)
{
	refused(MULTIPART, "label=a", ERR_MALFORMED, "does not hold");
	refused(MULTIPART, "--c\r\n\r\n--c--", ERR_MALFORMED, "does not hold");
	refused(MULTIPART, "x--b--", ERR_MALFORMED, "does not hold");
	refused(MULTIPART, "x\n--b--", ERR_MALFORMED, "does not hold");
	refused(MULTIPART, "--b", ERR_MALFORMED, "CR LF");
	refused(MULTIPART, "--bb--", ERR_MALFORMED, "where none belongs");
	refused(MULTIPART, "--b--x", ERR_MALFORMED, "where none belongs");
	refused(MULTIPART, "--b-", ERR_MALFORMED, "where none belongs");
	refused(MULTIPART, PART("label") "a\r\n--b--x", ERR_MALFORMED,
	    "where none belongs");
	refused(MULTIPART, PART("label") "a\r\n--bx\r\n" END, ERR_MALFORMED,
	    "where none belongs");
	refused(MULTIPART, "--b\r\n\r\na" END, ERR_MALFORMED, "without a name");
	refused(MULTIPART, "--b\r\nno headers" END, ERR_MALFORMED,
	    "end of its headers");
	refused(MULTIPART,
	    "--b\nContent-Disposition: form-data; name=label\n\na\n--b--\n",
	    ERR_MALFORMED, "CR LF");
}
END_TEST

START_TEST(multipart_refuses_every_cut)
{
	static const char body[] =
	    PART("label") "a\r\n" PART("external_id") "b\r\n--b--";
	size_t len;

	taken(MULTIPART, body, "a", "b");
	for (len = 1; len < sizeof(body) - 1; len++)
		refused_bytes(MULTIPART, body, len, ERR_MALFORMED, "");
}
END_TEST

START_TEST(test_a_query_takes_known_fields_alone)
{
	struct form_field fields[] = {
	    {"limit", 1, 4, NULL}, {"cursor", 1, 8, NULL}};
	struct err err = {0};

	ck_assert(form_parse_query(NULL, fields, COUNT(fields), &err));
	ck_assert(form_parse_query("", fields, COUNT(fields), &err));
	ck_assert_ptr_null(fields[0].value);
	ck_assert(form_parse_query("limit=5", fields, COUNT(fields), &err));
	ck_assert_str_eq(fields[0].value, "5");
	form_fields_free(fields, COUNT(fields));
	ck_assert(!form_parse_query("limmit=5", fields, COUNT(fields), &err));
	ck_assert_int_eq(err.code, ERR_MALFORMED);
	ck_assert_str_eq(err.detail, "The query takes only: limit, cursor.");
	err_clear(&err);
	ck_assert(!form_parse_query("limit=%20", fields, COUNT(fields), &err));
	ck_assert_ptr_nonnull(strstr(err.detail, "nothing but spaces"));
}
END_TEST

UNIT_MAIN("form", test_a_query_takes_known_fields_alone,
    empty_body_is_an_empty_form, refuses_other_types,
    takes_types_with_parameters, urlencoded_takes, urlencoded_refuses,
    urlencoded_refuses_what_is_no_text, multipart_takes,
    multipart_takes_boundaries, multipart_takes_headers,
    multipart_refuses_headers, multipart_ignores_files_of_others,
    multipart_refuses_values, multipart_refuses_broken_frames,
    multipart_refuses_every_cut)
