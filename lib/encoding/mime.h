/* SPDX-License-Identifier: ISC */
/*
 * Header values that begin with a word and go on with parameters, such as
 *   multipart/form-data; boundary="x y"   (RFC 9110 §8.3.1)
 *   form-data; name=label                 (RFC 2183 §2)
 * read from left to right.
 */
#ifndef PAPPUS_ENCODING_MIME_H
#define PAPPUS_ENCODING_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct mime {
	const char *at; /* into the text that mime_begin was given */
	const char *end;
	const char *word; /* what stands before the first semicolon */
	size_t word_len;
	const char *name; /* of the parameter that mime_next read */
	size_t name_len;
	struct buf value; /* its value, without quotes and their backslashes */
};

/* Start to read; text is used until mime_free. */
void mime_begin(struct mime *m, const char *text, size_t len);

/* Whether the word is this one, without regard to case. */
bool mime_word_is(const struct mime *m, const char *word);

/* Whether the word begins with this, without regard to case. */
bool mime_word_begins(const struct mime *m, const char *begin);

enum mime_step { MIME_END, MIME_PARAM, MIME_MALFORMED };

/* Read the next parameter into name and value. */
enum mime_step mime_next(struct mime *m);

/* Whether the parameter has this name, without regard to case. */
bool mime_name_is(const struct mime *m, const char *name);

/*
 * Whether a charset parameter's value means UTF-8 or a subset of it, so that
 * the bytes can be taken as they are.
 */
bool mime_value_is_utf8(struct mime *m);

void mime_free(struct mime *m);

#endif
