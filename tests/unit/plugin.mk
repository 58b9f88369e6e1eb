# SPDX-License-Identifier: ISC
# Tests of the mosquitto plugin's modules, as far as they need no broker, and
# the clients of those that do.
if HAVE_CHECK
plugin_ldadd = libpappus-ca.a libpappus.a $(CHECK_LIBS) $(CRYPTO_LIBS)
plugin_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)

check_PROGRAMS += \
	tests/unit/check_plugin_gate \
	tests/unit/check_plugin_identity \
	tests/unit/check_plugin_list \
	tests/unit/check_plugin_sessions
EXTRA_DIST += tests/unit/plugin.h
tests_unit_check_plugin_gate_SOURCES = tests/unit/check_plugin_gate.c \
	broker/plugin_file.c broker/plugin_gate.c broker/plugin_identity.c \
	broker/plugin_issuers.c broker/plugin_list.c broker/plugin_sessions.c
tests_unit_check_plugin_gate_CPPFLAGS = $(plugin_cppflags)
tests_unit_check_plugin_gate_LDADD = $(plugin_ldadd)
tests_unit_check_plugin_identity_SOURCES = tests/unit/check_plugin_identity.c \
	broker/plugin_identity.c broker/plugin_issuers.c
tests_unit_check_plugin_identity_CPPFLAGS = $(plugin_cppflags)
tests_unit_check_plugin_identity_LDADD = $(plugin_ldadd)
tests_unit_check_plugin_list_SOURCES = tests/unit/check_plugin_list.c \
	broker/plugin_file.c broker/plugin_follower.c broker/plugin_identity.c \
	broker/plugin_issuers.c broker/plugin_list.c
tests_unit_check_plugin_list_CPPFLAGS = $(plugin_cppflags)
tests_unit_check_plugin_list_LDADD = $(plugin_ldadd)
tests_unit_check_plugin_sessions_SOURCES = tests/unit/check_plugin_sessions.c \
	broker/plugin_sessions.c
tests_unit_check_plugin_sessions_CPPFLAGS = $(plugin_cppflags)
tests_unit_check_plugin_sessions_LDADD = $(plugin_ldadd)
endif

# make tests/integration/mqtt_probe: the tests that need it do that.
test_tools += tests/integration/mqtt_probe
tests_integration_mqtt_probe_SOURCES = tests/integration/mqtt_probe.c \
	tests/integration/mqtt_client.c tests/integration/mqtt_client.h \
	tests/integration/mqtt_packet.c tests/integration/mqtt_packet.h
tests_integration_mqtt_probe_LDADD = libpappus.a $(SSL_LIBS) $(CRYPTO_LIBS)
