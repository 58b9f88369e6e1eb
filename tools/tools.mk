# SPDX-License-Identifier: ISC
bin_PROGRAMS += pappus

pappus_SOURCES = tools/pappus.c tools/pappus.h \
	tools/crl_file.c tools/crl_file.h \
	tools/pappus_admin_token.c tools/pappus_issuer.c \
	tools/pappus_issuer_crl.c tools/pappus_migrate.c \
	tools/pappus_recover.c tools/recover.h \
	tools/recover_certificate.c tools/recover_certificate.h \
	tools/recover_chunk.c tools/recover_crls.c \
	tools/recover_denylist.c tools/recover_feed.c \
	tools/recover_read.c tools/recover_read.h \
	tools/recover_serials.c tools/recover_text.c \
	tools/registered.c tools/registered.h \
	tools/root_crl.c tools/root_crl.h
pappus_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
pappus_LDADD = libpappus.a $(PQ_LIBS) $(JSON_LIBS) $(CRYPTO_LIBS)

include tools/pappus-ca.mk
