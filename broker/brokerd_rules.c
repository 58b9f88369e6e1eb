/* SPDX-License-Identifier: ISC */
/* The rules: see brokerd_rules.h. */
#include "broker/brokerd_rules.h"

#include <string.h>

enum { RETRY_FIRST_US = 1000000, RETRY_DOUBLINGS = 5 };

enum rules_choice
rules_choose(const struct feed_state *ours, const struct feed_state *theirs,
    bool same_host)
{
	bool same_files;

	if (ours == NULL || theirs->sequence > ours->sequence)
		return RULES_NEWER;
	if (theirs->sequence < ours->sequence ||
	    theirs->time_ms <= ours->time_ms)
		return RULES_OLDER;
	same_files = strcmp(theirs->deny_base, ours->deny_base) == 0 &&
		     strcmp(theirs->deny_delta, ours->deny_delta) == 0;
	return same_files || !same_host ? RULES_RENEWS : RULES_NEWER;
}

int64_t
rules_state_time(int64_t says_ms, int64_t now_ms)
{
	return says_ms < now_ms ? says_ms : now_ms;
}

int64_t
rules_reload_cost(uint64_t entries, int64_t measured_us)
{
	uint64_t most = (uint64_t)RULES_RELOAD_MAX_US * 1000;
	int64_t cost = RULES_RELOAD_MAX_US;

	if (entries < most / RULES_RELOAD_ENTRY_NS)
		cost = (int64_t)(entries * RULES_RELOAD_ENTRY_NS / 1000);
	if (measured_us > RULES_RELOAD_MAX_US)
		return RULES_RELOAD_MAX_US;
	return measured_us > cost ? measured_us : cost;
}

int64_t
rules_again_at(int64_t began_us, int64_t cost_us)
{
	return began_us + cost_us * RULES_SHARE;
}

int64_t
rules_retry_us(unsigned int failures)
{
	unsigned int doublings = failures < 1 ? 0 : failures - 1;

	if (doublings > RETRY_DOUBLINGS)
		doublings = RETRY_DOUBLINGS;
	return (int64_t)RETRY_FIRST_US << doublings;
}
