/* SPDX-License-Identifier: ISC */
/* HTTPS by libcurl: see brokerd_fetch.h. */
#include "broker/brokerd_fetch.h"

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

enum { CONNECT_MS = 3000, STALL_OCTETS = 1024 };

struct fetch {
	CURL *curl;
	const atomic_bool *stop;
	char error[CURL_ERROR_SIZE];
};

/* One answer on its way. */
struct answer {
	CURL *curl;
	sink_fn *sink;
	void *ctx;
	uint64_t left; /* octets that may still come */
	bool too_large;
	struct err err; /* the sink's */
};

bool
fetch_init(struct err *err)
{
	const curl_version_info_data *info;
	const char *const *p;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return err_set(err, ERR_SYSTEM, "libcurl does not start");
	info = curl_version_info(CURLVERSION_NOW);
	for (p = info->protocols; *p != NULL; p++)
		if (strcmp(*p, "https") == 0)
			return true;
	return err_set(err, ERR_SYSTEM, "libcurl was built without HTTPS");
}

static size_t
take(char *data, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t len = size * count;
	long status = 0;

	/* A page about an error, or about a redirect, is nothing we want. */
	curl_easy_getinfo(answer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return CURL_WRITEFUNC_ERROR;
	if (len > answer->left) {
		answer->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	answer->left -= len;
	return answer->sink(answer->ctx, data, len, &answer->err)
		   ? len
		   : CURL_WRITEFUNC_ERROR;
}

static int
progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
    curl_off_t up_now)
{
	const struct fetch *f = arg;

	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	return atomic_load(f->stop) ? 1 : 0;
}

#define SET(option, value)                                           \
	do {                                                         \
		if (curl_easy_setopt(f->curl, option, (value)) != 0) \
			abort();                                     \
	} while (0)

/* What holds for every fetch. */
static void
set_up(struct fetch *f, const char *ca_file)
{
	SET(CURLOPT_ERRORBUFFER, f->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAINFO, ca_file);
	/* The system's folder of CAs would be trusted beside it. */
	SET(CURLOPT_CAPATH, NULL);
	/* An empty one: not that of the environment either. */
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)STALL_OCTETS);
	SET(CURLOPT_USERAGENT, "pappus-brokerd/" VERSION);
	SET(CURLOPT_WRITEFUNCTION, take);
	SET(CURLOPT_XFERINFOFUNCTION, progress);
	SET(CURLOPT_XFERINFODATA, f);
	SET(CURLOPT_NOPROGRESS, 0L);
}

struct fetch *
fetch_new(const char *ca_file, const atomic_bool *stop)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->curl = curl_easy_init()) == NULL)
		abort();
	f->stop = stop;
	set_up(f, ca_file);
	return f;
}

void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	curl_easy_cleanup(f->curl);
	free(f);
}

static bool
is_tls(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_CONNECT_ERROR ||
	       code == CURLE_SSL_CACERT_BADFILE ||
	       code == CURLE_SSL_ISSUER_ERROR;
}

/* Why there is no good answer. */
static bool
explain(struct fetch *f, CURLcode code, struct answer *answer,
    enum refusal *why, struct err *err)
{
	if (answer->err.code != ERR_NONE) {
		*why = REFUSED_LOCAL;
		*err = answer->err;
		return false;
	}
	if (answer->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		*why = REFUSED_TOO_LARGE;
		return err_set(
		    err, ERR_TOO_LONG, "the answer is over its limit");
	}
	*why = is_tls(code) ? REFUSED_TLS : REFUSED_UNREACHABLE;
	return err_set(err, ERR_UNAVAILABLE, "%s",
	    f->error[0] != '\0' ? f->error : curl_easy_strerror(code));
}

bool
fetch_get(struct fetch *f, const char *url, const struct fetch_limits *limits,
    sink_fn *sink, void *ctx, enum refusal *why, struct err *err)
{
	struct answer answer = {
	    .curl = f->curl, .sink = sink, .ctx = ctx, .left = limits->len};
	long status = 0;
	CURLcode code;

	f->error[0] = '\0';
	SET(CURLOPT_URL, url);
	SET(CURLOPT_TIMEOUT, limits->seconds);
	SET(CURLOPT_LOW_SPEED_TIME, limits->stall_seconds);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)limits->len);
	SET(CURLOPT_WRITEDATA, &answer);
	code = curl_easy_perform(f->curl);
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 0 && status != 200) {
		*why = REFUSED_HTTP;
		return err_set(
		    err, ERR_UNAVAILABLE, "the answer's status is %ld", status);
	}
	return code == CURLE_OK || explain(f, code, &answer, why, err);
}
