/* SPDX-License-Identifier: ISC */
/*
 * bench-constant: a FastCGI program that does nothing but answer the same
 * bytes, by libfcgi alone.  What nginx and libfcgi leave room for.  Started
 * like the others, on file descriptor 0.
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *body;
static size_t body_len;

static void *
serve(void *unused)
{
	FCGX_Request rq;

	(void)unused;
	FCGX_InitRequest(&rq, 0, 0);
	while (FCGX_Accept_r(&rq) == 0) {
		FCGX_FPrintF(rq.out,
		    "Content-Type: application/json\r\n"
		    "Content-Length: %lu\r\n\r\n",
		    (unsigned long)body_len);
		FCGX_PutStr(body, (int)body_len, rq.out);
		FCGX_Finish_r(&rq);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	size_t i, threads;

	if (argc != 3) {
		fputs("usage: bench-constant THREADS BYTES\n", stderr);
		return 2;
	}
	threads = strtoul(argv[1], NULL, 10);
	body_len = strtoul(argv[2], NULL, 10);
	body = malloc(body_len + 1);
	if (body == NULL || FCGX_Init() != 0)
		return EXIT_FAILURE;
	memset(body, ' ', body_len);
	for (i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return EXIT_FAILURE;
	serve(NULL);
	return EXIT_SUCCESS;
}
