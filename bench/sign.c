/* SPDX-License-Identifier: ISC */
/*
 * bench-sign: how many keys and certificates one core makes.  Without
 * requests, threads or database: what the certificates' part of /identity can
 * do at most.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ca/key.h"
#include "issuer.h"

struct bench {
	struct issuer *issuer;
	struct key_maker *maker;
	struct signer *signer;
};

static const char device_id[] = "dev_00000000000000000000000000";

static bool
make_key(const struct bench *b, struct err *err)
{
	struct key_pair pair;
	bool ok = key_make(b->maker, &pair, err);

	key_pair_wipe(&pair);
	return ok;
}

static bool
make_both(const struct bench *b, struct err *err)
{
	struct buf cert = BUF_INIT, key = BUF_INIT;
	bool ok = bench_issue(
	    b->issuer, b->maker, b->signer, device_id, &cert, &key, err);

	buf_free(&cert);
	buf_free(&key);
	return ok;
}

/* How often a second; negative when it fails. */
static double
rate(const struct bench *b, double seconds,
    bool (*run)(const struct bench *b, struct err *err), struct err *err)
{
	int64_t begin = clock_mono_us(), now = begin;
	int64_t ends = begin + (int64_t)(seconds * 1e6);
	int64_t n = 0;

	while (now < ends) {
		if (!run(b, err))
			return -1;
		n++;
		now = clock_mono_us();
	}
	return (double)n * 1e6 / (double)(now - begin);
}

int
main(int argc, char **argv)
{
	struct bench b = {0};
	struct err err = {0};
	double seconds, keys = -1, both = -1;

	if (argc != 3) {
		fputs("usage: bench-sign CA-FOLDER SECONDS\n", stderr);
		return 2;
	}
	seconds = strtod(argv[2], NULL);
	b.issuer = bench_issuer_open(argv[1], &err);
	b.maker = key_maker_new(&err);
	b.signer = signer_new(&err);
	if (b.issuer != NULL && b.maker != NULL && b.signer != NULL) {
		keys = rate(&b, seconds, make_key, &err);
		both = rate(&b, seconds, make_both, &err);
	}
	if (keys < 0 || both < 0) {
		fprintf(stderr, "bench-sign: %s\n", err.detail);
		return EXIT_FAILURE;
	}
	printf("keys=%.0f certificates=%.0f\n", keys, both);
	issuer_free(b.issuer);
	key_maker_free(b.maker);
	signer_free(b.signer);
	return EXIT_SUCCESS;
}
