# SPDX-License-Identifier: ISC
# Layer 4: what requests have in common.
libpappus_a_SOURCES += \
	lib/request/auth.c lib/request/auth.h \
	lib/request/enrollments.c lib/request/enrollments.h \
	lib/request/issuances.c lib/request/issuances.h \
	lib/request/management.c lib/request/management.h \
	lib/request/outcome.c lib/request/outcome.h \
	lib/request/problem.c lib/request/problem.h \
	lib/request/program.c lib/request/program.h \
	lib/request/publication.c lib/request/publication.h \
	lib/request/publication_crls.c lib/request/publication_internal.h \
	lib/request/publication_read.c \
	lib/request/route.c lib/request/route.h
