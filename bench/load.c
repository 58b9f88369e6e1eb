/* SPDX-License-Identifier: ISC */
/* bench-load: options, threads, the report.  See load.h. */
#include "load.h"

#include <sys/resource.h>

#include <arpa/inet.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const char usage[] =
    "usage: bench-load --plan handshake|onboard|request --port N --ca FILE\n"
    "                  [OPTION]...\n"
    "Plays devices at https://localhost:N, a connection each, and prints one\n"
    "line: answers, p50 and p99 from connect() on, failures, statuses.\n"
    "  --connections N   devices at a time (1)\n"
    "  --threads N       threads of the client (at most 2)\n"
    "  --seconds S       for so long (1)\n"
    "  --count N         or until so many answers came\n"
    "  --token FILE      onboard: the enrolment token\n"
    "  --template FILE   request: as sent, @LINE@ where a line goes\n"
    "  --lines FILE      lines of one length, each used once\n"
    "  --skip N          that many of them were used before\n"
    "  --keep            many requests on a connection, each timed alone\n"
    "  --tokens-out FILE write the device tokens of answers, a line each\n"
    "  --answers-out FILE write the bodies of answers; onboard: the "
    "identities\n";

struct thread {
	pthread_t id;
	struct load *load;
	size_t connections;
	struct load_result result;
};

static bool
parse_plan(const char *name, enum load_plan *out)
{
	static const char *const names[] = {
	    [LOAD_HANDSHAKE] = "handshake",
	    [LOAD_ONBOARD] = "onboard",
	    [LOAD_REQUEST] = "request",
	};
	int plan;

	for (plan = LOAD_HANDSHAKE; plan <= LOAD_REQUEST; plan++) {
		*out = (enum load_plan)plan;
		if (strcmp(name, names[plan]) == 0)
			return true;
	}
	return false;
}

static void
set_option(struct load *load, int option, const char *value)
{
	switch (option) {
	case 'p':
		load->to.sin_port = htons((uint16_t)strtoul(value, NULL, 10));
		break;
	case 'a':
		load->ca_file = value;
		break;
	case 'c':
		load->connections = strtoul(value, NULL, 10);
		break;
	case 'j':
		load->threads = strtoul(value, NULL, 10);
		break;
	case 's':
		load->seconds = strtod(value, NULL);
		break;
	case 'n':
		load->count = strtoul(value, NULL, 10);
		break;
	case 'e':
		load->token_file = value;
		break;
	case 't':
		load->template_file = value;
		break;
	case 'l':
		load->lines_file = value;
		break;
	case 'k':
		load->skip = strtoul(value, NULL, 10);
		break;
	case 'K':
		load->keep = true;
		break;
	case 'o':
		load->tokens_out = value;
		break;
	case 'b':
		load->answers_out = value;
		break;
	default:
		abort();
	}
}

static bool
parse_options(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {
	    {"plan", required_argument, NULL, 'P'},
	    {"port", required_argument, NULL, 'p'},
	    {"ca", required_argument, NULL, 'a'},
	    {"connections", required_argument, NULL, 'c'},
	    {"threads", required_argument, NULL, 'j'},
	    {"seconds", required_argument, NULL, 's'},
	    {"count", required_argument, NULL, 'n'},
	    {"token", required_argument, NULL, 'e'},
	    {"template", required_argument, NULL, 't'},
	    {"lines", required_argument, NULL, 'l'},
	    {"skip", required_argument, NULL, 'k'},
	    {"keep", no_argument, NULL, 'K'},
	    {"tokens-out", required_argument, NULL, 'o'},
	    {"answers-out", required_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	bool planned = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		if (option == '?')
			return false;
		if (option != 'P')
			set_option(load, option, optarg);
		else if (!(planned = parse_plan(optarg, &load->plan)))
			return false;
	}
	return optind == argc && planned && load->ca_file != NULL &&
	       load->to.sin_port != 0 && load->connections > 0 &&
	       load->seconds > 0 &&
	       (load->plan != LOAD_ONBOARD || load->token_file != NULL) &&
	       (load->plan != LOAD_REQUEST || load->template_file != NULL);
}

static void *
thread_main(void *arg)
{
	struct thread *thread = arg;

	load_run(thread->load, thread->connections, &thread->result);
	return NULL;
}

static double
cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void
play(struct load *load)
{
	struct thread *threads = calloc(load->threads, sizeof(*threads));
	struct load_result result = {0};
	int64_t begin = clock_mono_us(), end;
	size_t i;

	if (threads == NULL)
		abort();
	load->ends = begin + (int64_t)(load->seconds * 1e6);
	for (i = 0; i < load->threads; i++) {
		threads[i].load = load;
		threads[i].connections =
		    load->connections / load->threads +
		    (i < load->connections % load->threads);
		if (pthread_create(
			&threads[i].id, NULL, thread_main, &threads[i]) != 0)
			abort();
	}
	for (i = 0; i < load->threads; i++) {
		pthread_join(threads[i].id, NULL);
		load_result_merge(&result, &threads[i].result);
	}
	end = clock_mono_us();
	if (end > load->ends)
		end = load->ends;
	load_result_print(&result, (double)(end - begin) / 1e6, cpu_seconds());
	free(threads);
}

int
main(int argc, char **argv)
{
	static struct load load = {
	    .to.sin_family = AF_INET,
	    .connections = 1,
	    .threads = 2,
	    .seconds = 1,
	};
	struct err err = {0};

	load.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	signal(SIGPIPE, SIG_IGN);
	if (!parse_options(&load, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (load.threads == 0 || load.threads > load.connections)
		load.threads = load.connections;
	if (!load_prepare(&load, &err)) {
		fprintf(stderr, "bench-load: %s\n", err.detail);
		return EXIT_FAILURE;
	}
	play(&load);
	if ((load.tokens != NULL && fclose(load.tokens) != 0) ||
	    (load.bodies != NULL && fclose(load.bodies) != 0)) {
		perror("bench-load: what is to be kept of answers");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
