/* SPDX-License-Identifier: ISC */
/* What servers answer bench-load, as text that ends in NUL. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

const char *
load_answer_token(const char *in)
{
	static const char name[] = "\"device_token\":\"";
	const char *at = strstr(in, name);

	if (at == NULL)
		return NULL;
	at += sizeof(name) - 1;
	return strlen(at) > LOAD_TOKEN_LEN && at[LOAD_TOKEN_LEN] == '"' ? at
									: NULL;
}

bool
load_answer_is_complete(const char *in, size_t got)
{
	static const char last_chunk[] = "\r\n0\r\n\r\n";
	const size_t tail = sizeof(last_chunk) - 1;
	const char *body = strstr(in, "\r\n\r\n"), *length;

	if (body == NULL)
		return false;
	body += 4;
	length = strcasestr(in, "\r\nContent-Length:");
	if (length != NULL && length < body)
		return got - (size_t)(body - in) >=
		       strtoul(length + 17, NULL, 10);
	return got > tail && memcmp(in + got - tail, last_chunk, tail) == 0;
}

bool
load_answer_closes(const char *in)
{
	const char *end = strstr(in, "\r\n\r\n");
	const char *at = strcasestr(in, "\r\nConnection: close");

	return at != NULL && at < end;
}
