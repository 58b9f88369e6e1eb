/* SPDX-License-Identifier: ISC */
/* Fuzz the reader of application/x-www-form-urlencoded: the input is a body. */
#include "form.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	form_fuzz("application/x-www-form-urlencoded", data, len);
	return 0;
}
