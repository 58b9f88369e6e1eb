# SPDX-License-Identifier: ISC
# Layer 0: knows nothing of the others.
libpappus_a_SOURCES += \
	lib/base/buf.c lib/base/buf.h \
	lib/base/clock.c lib/base/clock.h \
	lib/base/conf.c lib/base/conf.h \
	lib/base/err.c lib/base/err.h \
	lib/base/log.c lib/base/log.h \
	lib/base/rand.c lib/base/rand.h \
	lib/base/sink.h
