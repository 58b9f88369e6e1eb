/* SPDX-License-Identifier: ISC */
/* bench-fleet: options, commands, the loop.  See fleet.h. */
#include <sys/epoll.h>
#include <sys/resource.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fleet.h"

enum { EVENTS = 256, TICK_MS = 100, SWEEP_US = 500000, LINE_MAX_LEN = 256 };

static const char usage[] =
    "usage: bench-fleet --port N --ca FILE --identities FILE [OPTION]...\n"
    "Devices that connect to mqtts://localhost:N and stay.  FILE: for each "
    "its\n"
    "certificate and its key, PEM.  They are numbered from 0.\n"
    "  --keepalive S     of MQTT, in seconds (60)\n"
    "  --at-once N       handshakes at a time (32)\n"
    "  --suffix TEXT     what the client ids have after the device's id\n"
    "input, a line each:\n"
    "  connect A B       devices A to B shall connect and stay\n"
    "  try A             device A connects once more beside its session\n"
    "  leave A           device A disconnects\n"
    "output, a line each; times are microseconds of the monotonic clock:\n"
    "  ready N           so many devices were read\n"
    "  up A TIME         its CONNECT was accepted\n"
    "  failed A WHY TIME it was not: a return code, lost, closed, tls, late\n"
    "  dropped A WHY TIME\n"
    "  tried A WHAT FROM TO  what came of it: the return code, or why not\n"
    "  left A\n"
    "Ends when its input does.\n";

struct options {
	const char *ca_file;
	const char *identities_file;
};

static bool
parse_options(struct fleet *fleet, struct options *out, int argc, char **argv)
{
	static const struct option options[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"ca", required_argument, NULL, 'a'},
	    {"identities", required_argument, NULL, 'i'},
	    {"keepalive", required_argument, NULL, 'k'},
	    {"at-once", required_argument, NULL, 'n'},
	    {"suffix", required_argument, NULL, 's'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'p':
			fleet->to.sin_port =
			    htons((uint16_t)strtoul(optarg, NULL, 10));
			break;
		case 'a':
			out->ca_file = optarg;
			break;
		case 'i':
			out->identities_file = optarg;
			break;
		case 'k':
			fleet->keepalive = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			fleet->at_once = strtoul(optarg, NULL, 10);
			break;
		case 's':
			fleet->suffix = optarg;
			break;
		default:
			return false;
		}
	return optind == argc && fleet->to.sin_port != 0 &&
	       strlen(fleet->suffix) <= FLEET_SUFFIX_MAX &&
	       fleet->keepalive > 0 && fleet->at_once > 0 &&
	       out->ca_file != NULL && out->identities_file != NULL;
}

/* A socket a device, and some for trials. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool
obey(struct fleet *fleet, const char *line)
{
	size_t first, last;

	if (sscanf(line, "connect %zu %zu", &first, &last) == 2 &&
	    first <= last && last < fleet->count) {
		for (; first <= last; first++)
			fleet_enqueue(fleet, first);
		return true;
	}
	if (sscanf(line, "try %zu", &first) == 1 && first < fleet->count) {
		fleet_try(fleet, first);
		return true;
	}
	if (sscanf(line, "leave %zu", &first) == 1 && first < fleet->count) {
		fleet_leave(fleet, first);
		return true;
	}
	fprintf(stderr, "bench-fleet: no such command: %s\n", line);
	return false;
}

/* Lines that are whole; false at the end of the input. */
static bool
read_commands(struct fleet *fleet)
{
	static char text[LINE_MAX_LEN];
	static size_t len;
	ssize_t got = read(STDIN_FILENO, text + len, sizeof(text) - len);
	char *end;

	if (got <= 0)
		return false;
	len += (size_t)got;
	while ((end = memchr(text, '\n', len)) != NULL) {
		*end = '\0';
		if (!obey(fleet, text))
			return false;
		len -= (size_t)(end + 1 - text);
		memmove(text, end + 1, len);
	}
	return len < sizeof(text);
}

static void
sweep(struct fleet *fleet, int64_t now)
{
	size_t i;

	for (i = 0; i < fleet->count; i++)
		fleet_session_clock(&fleet->sessions[i], now);
}

static void
run(struct fleet *fleet)
{
	struct epoll_event events[EVENTS];
	int64_t swept = clock_mono_us(), now;
	bool going = true;
	int n, i;

	printf("ready %zu\n", fleet->count);
	while (going) {
		fleet_start_queued(fleet);
		n = epoll_wait(fleet->epoll, events, EVENTS, TICK_MS);
		for (i = 0; i < n; i++)
			if (events[i].data.ptr != NULL)
				fleet_session_step(events[i].data.ptr);
			else
				going = read_commands(fleet);
		now = clock_mono_us();
		if (now - swept >= SWEEP_US) {
			swept = now;
			sweep(fleet, now);
		}
	}
}

static bool
prepare(struct fleet *fleet, const struct options *options, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	if (!fleet_tls(fleet, options->ca_file, err) ||
	    !fleet_read_identities(options->identities_file, fleet, err))
		return false;
	fleet->sessions = calloc(fleet->count, sizeof(*fleet->sessions));
	fleet->queue = calloc(fleet->count, sizeof(*fleet->queue));
	fleet->queued = calloc(fleet->count, sizeof(*fleet->queued));
	fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (fleet->sessions == NULL || fleet->queue == NULL ||
	    fleet->queued == NULL || fleet->epoll < 0)
		abort();
	if (epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
		return err_set_errno(err, "the input is no pipe");
	return true;
}

int
main(int argc, char **argv)
{
	static struct fleet fleet = {
	    .to.sin_family = AF_INET,
	    .suffix = "",
	    .keepalive = 60,
	    .at_once = 32,
	};
	struct options options = {0};
	struct err err = {0};

	fleet.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse_options(&fleet, &options, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	raise_limit();
	if (!prepare(&fleet, &options, &err)) {
		fprintf(stderr, "bench-fleet: %s\n", err.detail);
		return EXIT_FAILURE;
	}
	run(&fleet);
	return EXIT_SUCCESS;
}
