/* SPDX-License-Identifier: ISC */
/*
 * What the harnesses share.  Each is one LLVMFuzzerTestOneInput, called by
 * libFuzzer in fuzz_* and by replay.c, over the kept corpus, in replay_*.
 */
#ifndef PAPPUS_TESTS_FUZZ_H
#define PAPPUS_TESTS_FUZZ_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* As assert(3), but never compiled away. */
#define MUST(condition)                                                  \
	do {                                                             \
		if (!(condition)) {                                      \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #condition);                       \
			abort();                                         \
		}                                                        \
	} while (0)

/* A failure says why, in ASCII: nothing of the input gets through. */
static inline void
must_explain(const struct err *err)
{
	const char *c;

	MUST(err->code != ERR_NONE);
	MUST(err->detail[0] != '\0');
	MUST(strlen(err->detail) + 1 < sizeof(err->detail));
	for (c = err->detail; *c != '\0'; c++)
		MUST(isprint((unsigned char)*c));
}

static inline bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

#endif
