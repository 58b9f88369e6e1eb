# SPDX-License-Identifier: ISC
# Tests of pappus-brokerd's modules, as far as they need no server.
if HAVE_CHECK
brokerd_ldadd = libpappus-ca.a libpappus.a $(CHECK_LIBS) $(CRYPTO_LIBS)
brokerd_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)

check_PROGRAMS += \
	tests/unit/check_brokerd_denials \
	tests/unit/check_brokerd_file \
	tests/unit/check_brokerd_folder \
	tests/unit/check_brokerd_mqtt \
	tests/unit/check_brokerd_report \
	tests/unit/check_brokerd_rules \
	tests/unit/check_brokerd_signal \
	tests/unit/check_brokerd_status \
	tests/unit/check_brokerd_trust
tests_unit_check_brokerd_denials_SOURCES = tests/unit/check_brokerd_denials.c \
	broker/brokerd_denials.c broker/brokerd_file.c
tests_unit_check_brokerd_denials_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_denials_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_file_SOURCES = tests/unit/check_brokerd_file.c \
	broker/brokerd_file.c
tests_unit_check_brokerd_file_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_file_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_folder_SOURCES = tests/unit/check_brokerd_folder.c \
	broker/brokerd_file.c broker/brokerd_folder.c
tests_unit_check_brokerd_folder_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_folder_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_mqtt_SOURCES = tests/unit/check_brokerd_mqtt.c \
	broker/brokerd_mqtt.c
tests_unit_check_brokerd_mqtt_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_mqtt_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_report_SOURCES = tests/unit/check_brokerd_report.c \
	broker/brokerd_report.c broker/brokerd_status.c
tests_unit_check_brokerd_report_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_report_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_rules_SOURCES = tests/unit/check_brokerd_rules.c \
	broker/brokerd_rules.c
tests_unit_check_brokerd_rules_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_rules_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_signal_SOURCES = tests/unit/check_brokerd_signal.c \
	broker/brokerd_signal.c
tests_unit_check_brokerd_signal_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_signal_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_status_SOURCES = tests/unit/check_brokerd_status.c \
	broker/brokerd_status.c
tests_unit_check_brokerd_status_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_status_LDADD = $(brokerd_ldadd)
tests_unit_check_brokerd_trust_SOURCES = tests/unit/check_brokerd_trust.c \
	broker/brokerd_status.c broker/brokerd_trust.c
tests_unit_check_brokerd_trust_CPPFLAGS = $(brokerd_cppflags)
tests_unit_check_brokerd_trust_LDADD = $(brokerd_ldadd)
endif
