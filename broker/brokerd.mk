# SPDX-License-Identifier: ISC
# pappus-brokerd.  Its tests are in tests/unit/brokerd.mk.
sbin_PROGRAMS += pappus-brokerd

pappus_brokerd_SOURCES = broker/brokerd.c broker/brokerd.h \
	broker/brokerd_canary.c \
	broker/brokerd_client.c broker/brokerd_client.h \
	broker/brokerd_conf.c broker/brokerd_conf.h \
	broker/brokerd_crl_file.c broker/brokerd_crl_file.h \
	broker/brokerd_denials.c broker/brokerd_denials.h \
	broker/brokerd_feed.c \
	broker/brokerd_fetch.c broker/brokerd_fetch.h \
	broker/brokerd_file.c broker/brokerd_file.h \
	broker/brokerd_folder.c broker/brokerd_folder.h \
	broker/brokerd_hook.c \
	broker/brokerd_lists.c broker/brokerd_lists.h \
	broker/brokerd_lists_offers.c broker/brokerd_lists_restore.c \
	broker/brokerd_lists_update.c \
	broker/brokerd_mqtt.c broker/brokerd_mqtt.h \
	broker/brokerd_report.c broker/brokerd_report.h \
	broker/brokerd_rules.c broker/brokerd_rules.h \
	broker/brokerd_runner.c broker/brokerd_runner.h \
	broker/brokerd_shared.c \
	broker/brokerd_signal.c broker/brokerd_signal.h \
	broker/brokerd_status.c broker/brokerd_status.h \
	broker/brokerd_trust.c broker/brokerd_trust.h
pappus_brokerd_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(CURL_CFLAGS) \
	$(SSL_CFLAGS)
pappus_brokerd_LDADD = libpappus.a $(CURL_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
