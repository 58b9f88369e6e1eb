# SPDX-License-Identifier: ISC
# Tests of layers 3 and 4, as far as they need no server.
if HAVE_CHECK
world_ldadd = libpappus.a $(CHECK_LIBS) $(world_libs)

check_PROGRAMS += \
	tests/unit/check_auth \
	tests/unit/check_batch \
	tests/unit/check_pgarray \
	tests/unit/check_problem \
	tests/unit/check_process \
	tests/unit/check_route \
	tests/unit/check_statement

tests_unit_check_auth_LDADD = $(world_ldadd)
tests_unit_check_batch_LDADD = $(world_ldadd)
tests_unit_check_pgarray_LDADD = $(world_ldadd)
tests_unit_check_problem_LDADD = $(world_ldadd)
tests_unit_check_process_LDADD = $(world_ldadd)
tests_unit_check_route_LDADD = $(world_ldadd)
tests_unit_check_statement_LDADD = $(world_ldadd)
endif

# make tests/integration/publication_calls: the tests that need it do that.
test_tools += tests/integration/publication_calls
tests_integration_publication_calls_SOURCES = \
	tests/integration/publication_calls.c
tests_integration_publication_calls_LDADD = libpappus.a $(world_libs)
