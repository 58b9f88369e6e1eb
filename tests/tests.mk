# SPDX-License-Identifier: ISC
# Unit tests are programs; the suite on real servers is tests/run.
EXTRA_DIST += .ci/run tests/run tests/build tests/integration tests/lib tests/sql

include tests/unit/unit.mk
include tests/unit/cert.mk
include tests/unit/world.mk
include tests/unit/plugin.mk
include tests/unit/brokerd.mk
include tests/unit/daemon.mk
include tests/fuzz/fuzz.mk

# check's four seconds are too few on a busy machine with sanitizers.
AM_TESTS_ENVIRONMENT = CK_DEFAULT_TIMEOUT=300; export CK_DEFAULT_TIMEOUT;
