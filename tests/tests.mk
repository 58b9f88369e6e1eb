# SPDX-License-Identifier: ISC
# Unit tests are programs; the suite on real servers is tests/run.
EXTRA_DIST += .ci/run tests/run tests/build tests/integration tests/lib tests/sql

# What integration tests run.  Before they start, since two that build the same
# program at the same time trip over each other.
test_tools =
include tests/unit/unit.mk
include tests/unit/cert.mk
include tests/unit/world.mk
include tests/unit/plugin.mk
include tests/unit/brokerd.mk
include tests/unit/daemon.mk
include tests/fuzz/fuzz.mk

EXTRA_PROGRAMS += $(test_tools)
CLEANFILES += $(test_tools)

test-tools: $(test_tools) bench-fleet

.PHONY: test-tools

# check's four seconds are too few on a busy machine with sanitizers.
AM_TESTS_ENVIRONMENT = CK_DEFAULT_TIMEOUT=300; export CK_DEFAULT_TIMEOUT;
