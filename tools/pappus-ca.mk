# SPDX-License-Identifier: ISC
# The ceremonies.  Of the libraries around, it needs libcrypto alone.
bin_PROGRAMS += pappus-ca

pappus_ca_SOURCES = tools/pappus_ca.c tools/ca_tool.h \
	tools/ca_ceremony.c tools/ca_crl.c tools/ca_describe.c \
	tools/ca_file.c tools/ca_folder.c tools/ca_install.c \
	tools/ca_leaf.c tools/ca_options.c tools/ca_request.c \
	tools/ca_revoke.c tools/ca_root.c tools/ca_server.c \
	tools/ca_service.c tools/ca_show.c tools/ca_sign.c \
	tools/ca_terminal.c
pappus_ca_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
pappus_ca_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)
