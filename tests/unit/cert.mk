# SPDX-License-Identifier: ISC
# Tests of layer 2 (certificates) and of the archive that can use a CA's key.
EXTRA_DIST += tests/unit/crl.h tests/unit/pki.h tests/unit/sketch.h \
	tests/unit/template.h

if HAVE_CHECK
cert_ldadd = libpappus-ca.a libpappus.a $(CHECK_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += \
	tests/unit/check_cert \
	tests/unit/check_crl \
	tests/unit/check_crl_check \
	tests/unit/check_crl_list \
	tests/unit/check_crl_read \
	tests/unit/check_crl_verify \
	tests/unit/check_crl_write \
	tests/unit/check_csr \
	tests/unit/check_issue \
	tests/unit/check_key \
	tests/unit/check_key_file \
	tests/unit/check_keystore \
	tests/unit/check_profile \
	tests/unit/check_serial \
	tests/unit/check_sign \
	tests/unit/check_template \
	tests/unit/check_template_rules \
	tests/unit/check_urls
tests_unit_check_cert_LDADD = $(cert_ldadd)
tests_unit_check_crl_LDADD = $(cert_ldadd)
tests_unit_check_crl_check_LDADD = $(cert_ldadd)
tests_unit_check_crl_list_LDADD = $(cert_ldadd)
tests_unit_check_crl_read_LDADD = $(cert_ldadd)
tests_unit_check_crl_verify_LDADD = $(cert_ldadd)
tests_unit_check_crl_write_LDADD = $(cert_ldadd)
tests_unit_check_csr_LDADD = $(cert_ldadd)
tests_unit_check_issue_LDADD = $(cert_ldadd)
tests_unit_check_key_LDADD = $(cert_ldadd)
tests_unit_check_key_file_LDADD = $(cert_ldadd)
tests_unit_check_keystore_LDADD = $(cert_ldadd)
tests_unit_check_profile_LDADD = $(cert_ldadd)
tests_unit_check_serial_LDADD = $(cert_ldadd)
tests_unit_check_sign_LDADD = $(cert_ldadd)
tests_unit_check_template_LDADD = $(cert_ldadd)
tests_unit_check_template_rules_LDADD = $(cert_ldadd)
tests_unit_check_urls_LDADD = $(cert_ldadd)
endif

# make tests/integration/issue_devices: the tests that need them do that.
test_tools += tests/integration/issue_devices tests/integration/make_crl \
	tests/integration/make_feed tests/integration/write_crl
tests_integration_issue_devices_SOURCES = tests/integration/issue_devices.c
tests_integration_issue_devices_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)
tests_integration_make_crl_SOURCES = tests/integration/make_crl.c
tests_integration_make_crl_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)
tests_integration_make_feed_SOURCES = tests/integration/make_feed.c
tests_integration_make_feed_LDADD = libpappus.a $(CRYPTO_LIBS)
tests_integration_write_crl_SOURCES = tests/integration/write_crl.c
tests_integration_write_crl_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)
