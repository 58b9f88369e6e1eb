# SPDX-License-Identifier: ISC
# pappus-crld: publishes what is revoked.  All but its main is an archive, so
# that unit tests reach it.
sbin_PROGRAMS += pappus-crld
noinst_LIBRARIES += libpappus-crld.a

libpappus_crld_a_SOURCES = \
	daemon/board.c daemon/board.h \
	daemon/ca.c daemon/ca.h \
	daemon/crl_file.c daemon/crl_file.h \
	daemon/crl_publish.c \
	daemon/crld.h \
	daemon/crls.c daemon/crls.h \
	daemon/crls_issuers.c \
	daemon/crls_make.c \
	daemon/delta.c daemon/delta.h \
	daemon/deny_file.c daemon/deny_file.h \
	daemon/feed.c daemon/feed.h daemon/feed_lead.c \
	daemon/front.c daemon/front.h \
	daemon/keys.c daemon/keys.h \
	daemon/lists.c daemon/lists.h daemon/lists_internal.h \
	daemon/lists_follow.c \
	daemon/metrics.c daemon/metrics.h \
	daemon/store.c daemon/store.h daemon/store_internal.h \
	daemon/store_file.c \
	daemon/sweep.c daemon/sweep.h \
	daemon/url_path.c daemon/url_path.h
libpappus_crld_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)

pappus_crld_SOURCES = daemon/main.c
pappus_crld_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
pappus_crld_LDADD = libpappus-crld.a libpappus-ca.a libpappus.a $(PQ_LIBS) \
	$(JSON_LIBS) $(CRYPTO_LIBS)
