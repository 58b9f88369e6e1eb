# SPDX-License-Identifier: ISC
# Layer 2, certificates: no sockets, no SQL, no clock; all comes as arguments.
libpappus_a_SOURCES += \
	lib/cert/cert.c lib/cert/cert.h \
	lib/cert/cert_read.c \
	lib/cert/crl.c lib/cert/crl.h \
	lib/cert/crl_check.c lib/cert/crl_check.h \
	lib/cert/crl_list.c lib/cert/crl_list.h \
	lib/cert/crl_list_impl.h \
	lib/cert/crl_read.c lib/cert/crl_read.h \
	lib/cert/crl_verify.c lib/cert/crl_read_impl.h \
	lib/cert/crl_write.c lib/cert/crl_write.h \
	lib/cert/csr.c lib/cert/csr.h \
	lib/cert/ext.c lib/cert/ext.h \
	lib/cert/ossl.c lib/cert/ossl.h \
	lib/cert/profile.c lib/cert/profile.h \
	lib/cert/serial.c lib/cert/serial.h \
	lib/cert/template.c lib/cert/template.h \
	lib/cert/template_compile.c lib/cert/template_impl.h \
	lib/cert/urls.c lib/cert/urls.h
