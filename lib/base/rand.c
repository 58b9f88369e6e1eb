/* SPDX-License-Identifier: ISC */
/* Random bytes: see rand.h. */
#include "base/rand.h"

#include <sys/random.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

void
rand_bytes(void *out, size_t len)
{
	uint8_t *at = out;
	ssize_t got;

	while (len > 0) {
		got = getrandom(at, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		at += got;
		len -= (size_t)got;
	}
}
