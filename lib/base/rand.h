/* SPDX-License-Identifier: ISC */
/* Random bytes from the kernel's CSPRNG. */
#ifndef PAPPUS_BASE_RAND_H
#define PAPPUS_BASE_RAND_H

#include <stddef.h>

/*
 * Fill len bytes from getrandom(2), which waits until the kernel's pool is
 * seeded.  There is no error to handle: without randomness the process ends.
 */
void rand_bytes(void *out, size_t len);

#endif
