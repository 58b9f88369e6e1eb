# SPDX-License-Identifier: ISC
# Tests of pappus-crld's modules that need no database.
if HAVE_CHECK
daemon_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)
daemon_ldadd = libpappus-crld.a libpappus-ca.a libpappus.a $(CHECK_LIBS) \
	$(PQ_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += \
	tests/unit/check_delta \
	tests/unit/check_front \
	tests/unit/check_lists \
	tests/unit/check_metrics \
	tests/unit/check_store \
	tests/unit/check_sweep \
	tests/unit/check_url_path
tests_unit_check_delta_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_delta_LDADD = $(daemon_ldadd)
tests_unit_check_front_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_front_LDADD = $(daemon_ldadd)
tests_unit_check_lists_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_lists_LDADD = $(daemon_ldadd)
tests_unit_check_metrics_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_metrics_LDADD = $(daemon_ldadd)
tests_unit_check_store_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_store_LDADD = $(daemon_ldadd)
tests_unit_check_sweep_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_sweep_LDADD = $(daemon_ldadd)
tests_unit_check_url_path_CPPFLAGS = $(daemon_cppflags)
tests_unit_check_url_path_LDADD = $(daemon_ldadd)
endif
