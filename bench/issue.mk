# SPDX-License-Identifier: ISC
# make bench/issue_bench && bench/issue_bench
EXTRA_PROGRAMS += bench/issue_bench
bench_issue_bench_SOURCES = bench/issue_bench.c
bench_issue_bench_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)
