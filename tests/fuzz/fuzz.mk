# SPDX-License-Identifier: ISC
# A harness per parser.  make check replays each one's corpus; configure
# --enable-fuzzers --enable-sanitizers CC=clang builds fuzz_* to look for more:
#   tests/fuzz/fuzz_token -max_total_time=300 FOUND SRCDIR/tests/fuzz/corpus/token
FUZZ_LIBS = libpappus.a $(CRYPTO_LIBS) $(JSON_LIBS)
REPLAY = tests/fuzz/replay.c tests/fuzz/fuzz.h
# What pappus alone reads.
FUZZ_DENIALS = tools/recover_read.c tools/recover_read.h
EXTRA_DIST += tests/fuzz/corpus

check_PROGRAMS += \
	tests/fuzz/replay_crl \
	tests/fuzz/replay_denials \
	tests/fuzz/replay_denylist \
	tests/fuzz/replay_feed \
	tests/fuzz/replay_form_multipart \
	tests/fuzz/replay_form_urlencoded \
	tests/fuzz/replay_json \
	tests/fuzz/replay_token
tests_fuzz_replay_crl_SOURCES = $(REPLAY) tests/fuzz/crl.c
tests_fuzz_replay_crl_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_denials_SOURCES = $(REPLAY) tests/fuzz/denials.c \
	$(FUZZ_DENIALS)
tests_fuzz_replay_denials_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_fuzz_replay_denials_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_denylist_SOURCES = $(REPLAY) tests/fuzz/denylist.c
tests_fuzz_replay_denylist_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_feed_SOURCES = $(REPLAY) tests/fuzz/feed.c
tests_fuzz_replay_feed_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_form_multipart_SOURCES = $(REPLAY) \
	tests/fuzz/form_multipart.c tests/fuzz/form.h
tests_fuzz_replay_form_multipart_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_form_urlencoded_SOURCES = $(REPLAY) \
	tests/fuzz/form_urlencoded.c tests/fuzz/form.h
tests_fuzz_replay_form_urlencoded_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_json_SOURCES = $(REPLAY) tests/fuzz/json.c
tests_fuzz_replay_json_LDADD = $(FUZZ_LIBS)
tests_fuzz_replay_token_SOURCES = $(REPLAY) tests/fuzz/token.c
tests_fuzz_replay_token_LDADD = $(FUZZ_LIBS)

if FUZZERS
noinst_PROGRAMS = \
	tests/fuzz/fuzz_crl \
	tests/fuzz/fuzz_denials \
	tests/fuzz/fuzz_denylist \
	tests/fuzz/fuzz_feed \
	tests/fuzz/fuzz_form_multipart \
	tests/fuzz/fuzz_form_urlencoded \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_token
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_crl_SOURCES = tests/fuzz/crl.c
tests_fuzz_fuzz_crl_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_crl_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_denials_SOURCES = tests/fuzz/denials.c $(FUZZ_DENIALS)
tests_fuzz_fuzz_denials_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_fuzz_fuzz_denials_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_denials_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_denylist_SOURCES = tests/fuzz/denylist.c
tests_fuzz_fuzz_denylist_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_denylist_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_feed_SOURCES = tests/fuzz/feed.c
tests_fuzz_fuzz_feed_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_feed_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_form_multipart_SOURCES = tests/fuzz/form_multipart.c
tests_fuzz_fuzz_form_multipart_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_form_multipart_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_form_urlencoded_SOURCES = tests/fuzz/form_urlencoded.c
tests_fuzz_fuzz_form_urlencoded_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_form_urlencoded_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/json.c
tests_fuzz_fuzz_json_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/token.c
tests_fuzz_fuzz_token_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_token_LDFLAGS = $(FUZZ_LINK)
endif
