/* SPDX-License-Identifier: ISC */
/* The names of rows: see name.h. */
#include "encoding/name.h"

#include <string.h>

#include "encoding/ulid.h"

static const char *const prefixes[] = {
    [NAME_PROJECT] = "proj_",
    [NAME_DEVICE] = "dev_",
    [NAME_ENROLLMENT_TOKEN] = "etk_",
    [NAME_ADMIN_TOKEN] = "atk_",
    [NAME_SERVICE] = "svc_",
};

void
name_generate(enum name_kind kind, int64_t ms, char out[NAME_MAX_LEN + 1])
{
	size_t prefix = strlen(prefixes[kind]);

	memcpy(out, prefixes[kind], prefix);
	ulid_generate(ms, out + prefix);
}

bool
name_valid(enum name_kind kind, const char *s, size_t len)
{
	size_t prefix = strlen(prefixes[kind]);

	return len > prefix && memcmp(s, prefixes[kind], prefix) == 0 &&
	       ulid_valid(s + prefix, len - prefix);
}
