# SPDX-License-Identifier: ISC
# One program a secret.  Only identity links the archive that can use a key.
pkglibexec_PROGRAMS += enroll identity admin

world_libs = $(FCGI_LIBS) $(PQ_LIBS) $(JSON_LIBS) $(CRYPTO_LIBS)

enroll_SOURCES = cgi-bin/enroll.c
enroll_LDADD = libpappus.a $(world_libs)

identity_SOURCES = cgi-bin/identity.c cgi-bin/identity.h \
	cgi-bin/identity_answers.c
identity_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
identity_LDADD = libpappus-ca.a libpappus.a $(world_libs)

admin_SOURCES = cgi-bin/admin.c cgi-bin/admin.h cgi-bin/admin_answer.c \
	cgi-bin/admin_certificates.c cgi-bin/admin_devices.c \
	cgi-bin/admin_projects.c
admin_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
admin_LDADD = libpappus.a $(world_libs)
