# SPDX-License-Identifier: ISC
# What can use a CA's key: linked by pappus-ca and identity (and by crld).
libpappus_ca_a_SOURCES += \
	lib/ca/issue.c lib/ca/issue.h \
	lib/ca/issuer_list.c lib/ca/issuer_list.h \
	lib/ca/issuer_set.c lib/ca/issuer_set.h \
	lib/ca/key.c lib/ca/key.h \
	lib/ca/key_file.c \
	lib/ca/keystore.c lib/ca/keystore.h \
	lib/ca/sign.c lib/ca/sign.h
