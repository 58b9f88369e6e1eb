# SPDX-License-Identifier: ISC
# Unit tests, one program per module of lib/, its source named like it.
EXTRA_DIST += tests/unit/unit.h tests/unit/folder.h

if HAVE_CHECK
AM_CFLAGS += $(CHECK_CFLAGS)
UNIT_LIBS = libpappus.a $(CHECK_LIBS) $(CRYPTO_LIBS) $(JSON_LIBS)

# Layers 0 and 1
check_PROGRAMS += \
	tests/unit/check_base32 \
	tests/unit/check_buf \
	tests/unit/check_clock \
	tests/unit/check_conf \
	tests/unit/check_der \
	tests/unit/check_denylist \
	tests/unit/check_err \
	tests/unit/check_feed \
	tests/unit/check_form \
	tests/unit/check_hex \
	tests/unit/check_json \
	tests/unit/check_log \
	tests/unit/check_pem \
	tests/unit/check_pem_writer \
	tests/unit/check_rand \
	tests/unit/check_token \
	tests/unit/check_ulid \
	tests/unit/check_utf8
tests_unit_check_base32_LDADD = $(UNIT_LIBS)
tests_unit_check_buf_LDADD = $(UNIT_LIBS)
tests_unit_check_clock_LDADD = $(UNIT_LIBS)
tests_unit_check_conf_LDADD = $(UNIT_LIBS)
tests_unit_check_der_LDADD = $(UNIT_LIBS)
tests_unit_check_denylist_LDADD = $(UNIT_LIBS)
tests_unit_check_err_LDADD = $(UNIT_LIBS)
tests_unit_check_feed_LDADD = $(UNIT_LIBS)
tests_unit_check_form_LDADD = $(UNIT_LIBS)
tests_unit_check_hex_LDADD = $(UNIT_LIBS)
tests_unit_check_json_LDADD = $(UNIT_LIBS)
tests_unit_check_log_LDADD = $(UNIT_LIBS)
tests_unit_check_pem_LDADD = $(UNIT_LIBS)
tests_unit_check_pem_writer_LDADD = $(UNIT_LIBS)
tests_unit_check_rand_LDADD = $(UNIT_LIBS)
tests_unit_check_token_LDADD = $(UNIT_LIBS)
tests_unit_check_ulid_LDADD = $(UNIT_LIBS)
tests_unit_check_utf8_LDADD = $(UNIT_LIBS)
endif
