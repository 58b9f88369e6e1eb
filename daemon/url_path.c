/* SPDX-License-Identifier: ISC */
/* Addresses to paths: see url_path.h. */
#include "daemon/url_path.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "encoding/hex.h"

static const char scheme[] = "http://";

/* Undo %XX; what then is a "/" or a control would mean another path. */
static bool
decode(const char *from, char out[URL_PATH_MAX + 1])
{
	size_t n = 0;
	uint8_t octet;

	for (; *from != '\0'; from++) {
		octet = (uint8_t)*from;
		if (octet == '%') {
			if (from[1] == '\0' || from[2] == '\0' ||
			    !hex_decode(from + 1, 2, &octet, 1) || octet == '/')
				return false;
			from += 2;
		}
		if (octet < ' ' || octet == 0x7f || n == URL_PATH_MAX)
			return false;
		out[n++] = (char)octet;
	}
	out[n] = '\0';
	return true;
}

/* Every part has a name, and none that is hidden or leads up. */
static bool
parts_ok(const char *path)
{
	const char *part = path;

	for (;;) {
		if (*part == '/' || *part == '\0' || *part == '.')
			return false;
		part = strchr(part, '/');
		if (part == NULL)
			return true;
		part++;
	}
}

bool
url_path(const char *url, char out[URL_PATH_MAX + 1], struct err *err)
{
	const char *path;

	out[0] = '\0';
	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return err_set(err, ERR_REFUSED, "%s: is not http:", url);
	path = strchr(url + strlen(scheme), '/');
	if (path == NULL || strpbrk(url, "?#") != NULL ||
	    !decode(path + 1, out) || !parts_ok(out) ||
	    strncmp(out, "feed/", 5) == 0 || strcmp(out, "feed") == 0) {
		out[0] = '\0';
		return err_set(err, ERR_REFUSED,
		    "%s: its path is none that a file can be published at",
		    url);
	}
	return true;
}

void
url_path_pem(const char *path, char out[URL_PATH_MAX + 1])
{
	const char *last = strrchr(path, '/'), *dot;
	size_t stem;

	last = last == NULL ? path : last + 1;
	dot = strrchr(last, '.');
	stem = dot == NULL ? strlen(path) : (size_t)(dot - path);
	out[0] = '\0';
	if (*path == '\0' || stem + 4 > URL_PATH_MAX)
		return;
	snprintf(out, URL_PATH_MAX + 1, "%.*s.pem", (int)stem, path);
	if (strcmp(out, path) == 0)
		out[0] = '\0';
}

/* Whether a path is one of another CA's, or the other one of its own. */
static bool
is_taken(const struct place *places, size_t n, const char *path)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(places[i].crl, path) == 0 ||
		    strcmp(places[i].ca, path) == 0 ||
		    strcmp(places[i].crl_pem, path) == 0 ||
		    strcmp(places[i].ca_pem, path) == 0)
			return true;
	return false;
}

/* n: how many places have been filled, this one's own among them. */
static void
assign_der(struct place *places, size_t n, struct place *own, const char *url,
    char *to)
{
	char path[URL_PATH_MAX + 1];

	if (url == NULL || *url == '\0' || !url_path(url, path, &own->err))
		return;
	if (is_taken(places, n, path))
		err_set(&own->err, ERR_DUPLICATE,
		    "%s: another CA's file has this path", url);
	else
		memcpy(to, path, strlen(path) + 1);
}

static void
assign_pem(struct place *places, size_t n, const char *der, char *to)
{
	char path[URL_PATH_MAX + 1];

	url_path_pem(der, path);
	if (*path != '\0' && !is_taken(places, n, path))
		memcpy(to, path, strlen(path) + 1);
}

void
places_assign(struct place *places, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		places[i].crl[0] = places[i].crl_pem[0] = '\0';
		places[i].ca[0] = places[i].ca_pem[0] = '\0';
		err_clear(&places[i].err);
	}
	for (i = 0; i < n; i++) {
		assign_der(
		    places, n, &places[i], places[i].crl_url, places[i].crl);
		assign_der(
		    places, n, &places[i], places[i].ca_url, places[i].ca);
	}
	for (i = 0; i < n; i++) {
		assign_pem(places, n, places[i].crl, places[i].crl_pem);
		assign_pem(places, n, places[i].ca, places[i].ca_pem);
	}
}
