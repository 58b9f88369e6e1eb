/* SPDX-License-Identifier: ISC */
/* Hexadecimal: serials, fingerprints and request ids as people see them. */
#ifndef PAPPUS_ENCODING_HEX_H
#define PAPPUS_ENCODING_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits that n bytes take, without the NUL. */
#define HEX_LEN(n) ((n)*2)

/* Write the HEX_LEN(len) lower-case digits of data and a NUL. */
void hex_encode(const uint8_t *data, size_t len, char *out);

/*
 * Read len digits of either case into outlen bytes.  False when len is not
 * exactly HEX_LEN(outlen) or something is no digit; out is then undefined.
 */
bool hex_decode(const char *s, size_t len, uint8_t *out, size_t outlen);

#endif
