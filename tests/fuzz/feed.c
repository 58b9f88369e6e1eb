/* SPDX-License-Identifier: ISC */
/* Fuzz the reader of the feed's state: what it takes is printed as it was. */
#include "fuzz.h"

#include "encoding/feed.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct feed_state state;
	struct err err = {.code = ERR_NONE};
	struct buf out = BUF_INIT;

	if (feed_state_parse(data, len, &state, &err)) {
		MUST(err.code == ERR_NONE && len <= FEED_STATE_MAX);
		feed_state_print(&state, &out);
		MUST(out.len == len && memcmp(out.data, data, len) == 0);
	} else {
		MUST(err.code == ERR_MALFORMED);
		must_explain(&err);
	}
	buf_free(&out);
	return 0;
}
