-- SPDX-License-Identifier: ISC
-- For wrk: a request made of a template and a line, a different line each
-- time.  Thread i of n takes lines i, i + n, i + 2n and so on.
--	wrk … -s wrk.lua URL -- TEMPLATE LINES|- SKIP THREADS
-- Ends with one line of NAME=VALUE, as bench-load does.

local threads = {}

function setup(thread)
	thread:set("index", #threads)
	table.insert(threads, thread)
end

local function slurp(name)
	local file = assert(io.open(name, "rb"))
	local text = file:read("*a")
	file:close()
	return text
end

function init(args)
	local template = slurp(args[1])
	local at, to = template:find("@LINE@", 1, true)
	used = 0
	wrapped = 0
	if not at then
		request = function()
			used = used + 1
			return template
		end
		return
	end
	before = template:sub(1, at - 1)
	after = template:sub(to + 1)
	lines = assert(io.open(args[2], "rb"))
	length = #lines:read("*l") + 1
	stride = tonumber(args[4]) * length
	lines:seek("set", (tonumber(args[3]) + index) * length)
end

-- wrk calls it once besides, to see whether it is one request or several.
function request()
	local block = lines:read(stride)
	if not block or #block < length then
		wrapped = wrapped + 1
		lines:seek("set", index * length)
		block = lines:read(stride)
	end
	used = used + 1
	return before .. block:sub(1, length - 1) .. after
end

function done(summary, latency)
	local most, wraps = 0, 0
	for _, thread in ipairs(threads) do
		most = math.max(most, thread:get("used"))
		wraps = wraps + thread:get("wrapped")
	end
	local e = summary.errors
	print(string.format("done=%d seconds=%.3f p50_us=%d p99_us=%d max_us=%d"
	    .. " used=%d wrapped=%d failed_connect=%d failed_closed=%d"
	    .. " failed_timeout=%d failed_status=%d",
	    summary.requests - e.status, summary.duration / 1e6,
	    latency:percentile(50), latency:percentile(99), latency.max,
	    most * #threads, wraps, e.connect, e.read + e.write, e.timeout,
	    e.status))
end
