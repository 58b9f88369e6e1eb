/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the reader of multipart/form-data and that of its Content-Type: the
 * input's first line is the type, the rest is the body.
 */
#include "form.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *eol = len == 0 ? NULL : memchr(data, '\n', len);
	size_t type_len = eol == NULL ? len : (size_t)(eol - data);
	size_t used = eol == NULL ? len : type_len + 1;
	struct buf type = BUF_INIT;

	buf_add(&type, data, type_len);
	form_fuzz(buf_str(&type), data + used, len - used);
	buf_free(&type);
	return 0;
}
