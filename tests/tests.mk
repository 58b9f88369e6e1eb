# SPDX-License-Identifier: ISC
# Unit tests are programs; the suite on real servers is tests/run.
include tests/unit/unit.mk
include tests/unit/cert.mk
include tests/unit/world.mk
include tests/fuzz/fuzz.mk
