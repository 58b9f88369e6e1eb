# SPDX-License-Identifier: ISC
# One program a secret.  Only identity links the archive that can use a key.
pkglibexec_PROGRAMS += enroll identity admin

world_libs = $(FCGI_LIBS) $(PQ_LIBS) $(JSON_LIBS) $(CRYPTO_LIBS)

enroll_SOURCES = cgi-bin/enroll.c
enroll_LDADD = libpappus.a $(world_libs)

identity_SOURCES = cgi-bin/identity.c
identity_LDADD = libpappus-ca.a libpappus.a $(world_libs)

admin_SOURCES = cgi-bin/admin.c
admin_LDADD = libpappus.a $(world_libs)
